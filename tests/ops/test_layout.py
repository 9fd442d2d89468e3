"""Operations that move, join and cut axes, against torch and against formulas."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from ogive.compiler.ops import layout
from ogive.compiler.ops.spec import Pattern
from ogive.compiler.sizes import lt, size
from ops.cases import Case, check, numbers
from ops.harness import Collected, Names, infer, lowered, refused

Statics = Callable[[Names], Mapping[str, Any]]


def p(text: str, **sizes: str | int) -> Statics:
    """A pattern, with the sizes of names as numbers or as names of sizes."""

    def statics(names: Names) -> Mapping[str, Any]:
        given = {name: size(value) if isinstance(value, int) else names[value] for name, value in sizes.items()}
        return {"pattern": Pattern(text, given)}

    return statics


def cut(*items: Any) -> Statics:
    """The items of a slice: a number or name is an index, a tuple a slice."""

    def bound(names: Names, value: Any) -> Any:
        return names[value] if isinstance(value, str) else None if value is None else size(value)

    def statics(names: Names) -> Mapping[str, Any]:
        found: list[Any] = []
        for item in items:
            if item == "...":
                found.append(item)
            elif isinstance(item, tuple):
                found.append(("slice", *(bound(names, value) for value in (*item, None, None)[:3])))
            else:
                found.append(("index", bound(names, item)))
        return {"items": tuple(found)}

    return statics


ALL = (None, None)
CASES = [
    Case("rearrange", ("b n d",), lambda x: x, p("b n d -> b n d")),
    Case("rearrange", ("b c h w",), lambda x: x.permute(0, 2, 3, 1), p("b c h w -> b h w c")),
    Case("rearrange", ("b n d", "b k d"), lambda x, y: torch.cat((x, y), 1), p("b n d, b k d -> b (n + k) d")),
    Case(
        "rearrange",
        ("b n", "n b"),
        lambda x, y: torch.cat((x.T, y), 0),
        p("b n, m b -> (n + m) b"),
    ),
    Case("rearrange", ("b 5",), lambda x: x.split((2, 3), 1), p("b (q + k) -> b q, b k", q=2)),
    Case("rearrange", ("b 5",), lambda x: (x[:, 2:].T, x[:, :2]), p("b (q + k) -> k b, b q", q=2)),
    Case("rearrange", ("b 7 n",), lambda x: torch.cat((x[:, 3:], x[:, :3]), 1), p("b (q + k) n -> b (k + q) n", q=3)),
    Case(
        "rearrange", ("b 5",), lambda x: (x[:, :4].reshape(-1, 2, 2), x[:, 4]), p("b ((h w) + 1) -> b h w, b", h=2, w=2)
    ),
    Case("expand", ("d",), lambda x: x.repeat(3, 1), p("d -> b d", b=3)),
    Case("expand", ("b n",), lambda x: x[:, :, None], p("b n -> b n 1")),
    Case("expand", ("b n",), lambda x: x.repeat_interleave(3, 1), p("b n -> b (n r)", r=3)),
    Case("expand", ("b n",), lambda x: x.T.repeat(1, 2), p("b n -> n (r b)", r=2)),
    Case("expand", ("b n",), lambda x: torch.stack([x, x], 1), p("b n -> b 2 n")),
    Case("split", ("b n 6",), lambda x: x.unflatten(2, (3, 2)).unbind(2), p("b n (t e) -> t b n e", t=3)),
    Case("split", ("b n 6",), lambda x: x.unflatten(2, (2, 3)).unbind(3), p("b n (e t) -> t b n e", t=3)),
    Case("split", ("3 n d",), lambda x: x.unbind(0), p("t n d -> t n d")),
    Case("split", ("n 3 d",), lambda x: [y.T for y in x.unbind(1)], p("n t d -> t d n")),
    Case("split", ("1 n",), lambda x: (x[0],), p("t n -> t n")),
    Case(
        "split",
        ("b n 12",),
        lambda x: x.view(*x.shape[:2], 3, 2, 2).permute(2, 0, 3, 1, 4).unbind(0),
        p("*b n (t h e) -> t *b h n e", t=3, h=2),
    ),
    Case("split", ("b 5",), lambda x: x.split((2, 3), 1), p("b (q + k) -> b q, b k", q=2)),
    Case("concat", ("b n d", "b m d", "b n d"), lambda *xs: torch.cat(xs, 1), {"axis": 1}),
    Case("concat", ("int: n", "int: m"), lambda *xs: torch.cat(xs), {"axis": "n"}),
    Case("concat", ("b n", "b n"), lambda *xs: torch.cat(xs, 1), {"axis": -1}),
    Case("stack", ("b n", "b n"), lambda *xs: torch.stack(xs, 1), {"axis": 1}),
    Case("stack", ("b n", "b n"), lambda *xs: torch.stack(xs, 2), {"axis": -1}),
    Case("stack", ("bool:", "bool:"), lambda *xs: torch.stack(xs), {"axis": 0}),
    Case("flip", ("b n d",), lambda x: x.flip(1), {"axis": "n"}),
    Case("roll", ("b n d",), lambda x: x.roll(-2, 1), {"axis": 1, "by": -2}),
    Case("pad", ("b n d",), lambda x: F.pad(x, (0, 0, 1, 2)), {"axis": 1, "before": 1, "after": 2}),
    Case("pad", ("int: n",), lambda x: F.pad(x, (0, 2), value=7), {"axis": 0, "before": 0, "after": 2, "value": 7}),
    Case("pad", ("bool: n d",), lambda x: F.pad(x, (1, 0)), {"axis": -1, "before": 1, "after": 0}),
    Case(
        "pad",
        ("n d",),
        lambda x: F.pad(x, (1, 1), value=float("-inf")),
        {"axis": 1, "before": 1, "after": 1, "value": float("-inf")},
    ),
    Case("slice", ("b n d",), lambda x: x[:, 0], cut(ALL, 0)),
    Case("slice", ("b n d",), lambda x: x[:, -1], cut(ALL, -1)),
    Case("slice", ("b n d",), lambda x: x[..., 1:], cut("...", (1, None))),
    Case("slice", ("b n d",), lambda x: x[:-1, :, 0], cut((None, -1), ALL, 0)),
    Case("slice", ("b n d",), lambda x: x[:, ::2], cut(ALL, (None, None, 2)), low=1),
    Case("slice", ("b n d",), lambda x: x[:, 1:-1:3], cut(ALL, (1, -1, 3)), low=3),
    Case("slice", ("b",), lambda x: x, cut(ALL)),
]
MODES = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


@pytest.mark.parametrize("case", CASES, ids=str)
@settings(max_examples=8, deadline=None)
@given(number=numbers(), seed=st.integers(0, 999))
def test_rule_and_reference_agree_with_torch(case: Case, number: Callable[[str, int], int], seed: int) -> None:
    check(case, number, seed)


def test_every_operation_has_a_case() -> None:
    assert {case.op for case in CASES} == {spec.name for spec in layout.OPS}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("shape", ["n", "b n", "b c n", "b c h w", "b c h w d", "a b c d e f", "int: b n"])
@settings(max_examples=5, deadline=None)
@given(number=numbers(), seed=st.integers(0, 99), data=st.data())
def test_pad_of_any_axis(
    mode: str, shape: str, number: Callable[[str, int], int], seed: int, data: st.DataObject
) -> None:
    rank = len(shape.rpartition(":")[2].split())
    axis, before, after = (data.draw(st.integers(0, high)) for high in (rank - 1, 2, 2))
    widths = [(before, after) if i == axis else (0, 0) for i in range(rank)]

    def reference(x: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(np.pad(x.numpy(), widths, MODES[mode]))  # type: ignore[call-overload, unused-ignore]

    statics = {"axis": axis, "before": before, "after": after, "mode": mode}
    check(Case("pad", (shape,), reference, statics, low=3), number, seed)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), length=st.integers(1, 7))
def test_slices_are_those_of_python(data: st.DataObject, length: int) -> None:
    low, high = data.draw(st.none() | st.integers(-7, 7)), data.draw(st.none() | st.integers(-7, 7))
    step = data.draw(st.none() | st.integers(1, 3))
    names, checker = Names(), Collected()
    statics = cut((low, high, step))(names)
    types = [names.type("n")]
    (result,), _ = infer("slice", types, statics, checker)
    values = names.values({"n": length})
    inside = all(bound is None or -length <= bound <= length for bound in (low, high))
    expected = len(range(length)[low:high:step])
    assert checker.holds(values) == (inside and expected > 0)
    if checker.holds(values):
        assert result.axes[0].size.at(values) == expected


TEXTS = [
    ("rearrange", ("*b h n e",), p("*b h n e -> *b n (h e)"), "x0.transpose(-3, -2).flatten(-2)"),
    ("rearrange", ("b h n e",), p("*b h n e -> *b n (h e)"), "x0.transpose(1, 2).flatten(2)"),
    ("rearrange", ("b c h w",), p("b c h w -> b (h w) c"), "x0.flatten(2).transpose(1, 2)"),
    ("rearrange", ("b n c",), p("b (h w) c -> b c h w", h=2), "x0.transpose(1, 2).unflatten(-1, (2, 2))"),
    ("rearrange", ("b n d",), p("b n d -> b n d"), "x0"),
    ("rearrange", ("b n d",), p("b n d -> (b n) d"), "x0.flatten(0, 1)"),
    ("rearrange", ("*b d",), p("*b d -> (*b) d"), "x0.reshape(-1, 4)"),
    ("rearrange", ("b d",), p("b d -> b 1 1 d"), "x0[:, None, None]"),
    ("rearrange", ("b 1 d",), p("b 1 d -> b d"), "x0.squeeze(1)"),
    (
        "rearrange",
        ("b h w c",),
        p("b (h p) (w q) c -> (b h w) p q c", p=2, q=2),
        "x0.view(4, 2, 2, 2, 2, 4).transpose(2, 3).flatten(0, 2)",
    ),
    (
        "split",
        ("b n d",),
        p("b n (t h e) -> t b h n e", t=2, h=2),
        "x0.unflatten(-1, (2, 2, 1)).permute(2, 0, 3, 1, 4).unbind(0)",
    ),
    ("split", ("b n d",), p("... (t d) -> t ... d", t=2), "x0.chunk(2, -1)"),
    ("split", ("b n d",), p("b n (d t) -> t b n d", t=2), "x0.unflatten(-1, (-1, 2)).unbind(-1)"),
    ("rearrange", ("b d",), p("b (q + k) -> b q, b k", q=1), "x0.split((1, 3), -1)"),
    ("expand", ("d",), p("d -> b d", b=3), "x0.expand(3, -1)"),
    ("expand", ("1 1 d",), p("1 1 d -> b 1 d", b=3), "x0.expand(3, -1, -1)"),
    ("rearrange", ("1 1 d",), p("1 1 d -> 1 d"), "x0.squeeze(1)"),
    ("expand", ("b n d",), p("b n d -> b h n d", h=3), "x0.unsqueeze(1).expand(-1, 3, -1, -1)"),
    ("slice", ("n d",), cut((None, "m")), "x0[:4]"),
    ("slice", ("b n d",), cut(ALL, -1), "x0[:, -1]"),
    ("slice", ("*b n d",), cut("...", (-2, None), ALL), "x0[..., -2:, :]"),
    ("slice", ("b c h w",), cut("...", (1, None)), "x0[..., 1:]"),
    ("slice", ("b n",), cut(ALL, (0, "n")), "x0"),
    ("concat", ("*b n d", "*b m d"), {"axis": -2}, "torch.cat((x0, x1), dim=-2)"),
]


@pytest.mark.parametrize(
    ("op", "inputs", "statics", "text"), TEXTS, ids=lambda item: item if isinstance(item, str) else ""
)
def test_source_reads_as_written_by_hand(op: str, inputs: tuple[str, ...], statics: Any, text: str) -> None:
    names = Names()
    types = [names.type(item) for item in inputs]
    given = statics(names) if callable(statics) else statics
    values = names.values(dict.fromkeys(names.known, 4))
    assert lowered(op, types, given, values) == text


@pytest.mark.parametrize(
    ("op", "inputs", "statics", "labels"),
    [
        ("rearrange", ("b n d",), p("x y z -> x (y z)"), ["x", None]),
        ("rearrange", ("b n d",), p("... z -> z ..."), ["z", "b", "n"]),
        ("split", ("b n d",), p("b n (t e) -> t b n e", t=2), ["b", "n", "e"]),
        ("concat", ("b n d", "b m d"), {"axis": 1}, ["b", None, "d"]),
        ("concat", ("b n d", "b n=m d"), {"axis": 1}, ["b", "n", "d"]),
        ("stack", ("n d", "n d"), {"axis": 1}, ["n", None, "d"]),
        ("pad", ("n d",), {"axis": "d", "before": 1, "after": 1}, ["n", "d"]),
        ("slice", ("b n d",), cut(ALL, 0, (1, None)), ["b", "d"]),
    ],
)
def test_labels(op: str, inputs: tuple[str, ...], statics: Any, labels: list[str | None]) -> None:
    names = Names()
    types = [names.type(item) for item in inputs]
    outputs, _ = infer(op, types, statics(names) if callable(statics) else statics)
    assert [axis.label for axis in outputs[0].axes] == labels


@pytest.mark.parametrize(
    ("op", "inputs", "statics", "code", "operand"),
    [
        ("concat", ("b n", "b n d"), {"axis": 0}, "E0301", 1),
        ("concat", ("b n", "int: b n"), {"axis": 0}, "E0501", 1),
        ("concat", ("b n", "b n"), {"axis": "d"}, "E0305", 0),
        ("concat", ("b n", "b n"), {"axis": 2}, "E0304", 0),
        ("concat", ("*b n", "n d"), {"axis": -1}, "E0301", 1),
        ("stack", ("b n", "b n"), {"axis": "t"}, "E0305", None),
        ("stack", ("b n", "n"), {"axis": 0}, "E0301", 1),
        ("flip", ("*b n d",), {"axis": 1}, "E0304", 0),
        ("slice", ("b n",), cut(0, 0, 0), "E0303", 0),
        ("slice", ("*b n",), cut(0), "E0303", 0),
        ("slice", ("n",), cut((None, None, -1)), "E0304", 0),
        ("pad", ("n",), {"axis": 0, "before": -1, "after": 0}, "E0304", None),
        ("pad", ("n",), {"axis": 0, "before": 1, "after": 0, "mode": "mirror"}, "E0408", None),
        ("pad", ("int: n",), {"axis": 0, "before": 1, "after": 0, "value": 0.5}, "E0501", 0),
        ("pad", ("i32: n",), {"axis": 0, "before": 1, "after": 0, "value": -float("inf")}, "E0501", 0),
        ("pad", ("i32: n",), {"axis": 0, "before": 1, "after": 0, "value": 2.0**31}, "E0501", 0),
    ],
)
def test_refused(op: str, inputs: tuple[str, ...], statics: Any, code: str, operand: int | None) -> None:
    names = Names()
    types = [names.type(item) for item in inputs]
    error = refused(op, types, statics(names) if callable(statics) else statics)
    assert (error.code, error.operand) == (code, operand)


def test_a_bound_of_a_slice_is_a_constraint() -> None:
    names, checker = Names(), Collected()
    infer("slice", [names.type("context d")], cut((None, "n"))(names), checker)
    assert [str(condition) for condition, _, _ in checker.constraints] == ["n <= context"]


def test_a_bound_that_is_surely_negative_counts_from_the_end() -> None:
    names = Names()
    checker = Collected((lt(-names["k"], size(0)),))
    (result,), _ = infer("slice", [names.type("n")], {"items": (("slice", -names["k"], None, None),)}, checker)
    assert result.axes[0].size == names["k"]

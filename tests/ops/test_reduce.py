"""Reductions against their formulas, over axes and by patterns."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import ogive
from ogive.compiler.ir.types import TensorType
from ogive.compiler.ops import reduce
from ogive.compiler.ops.spec import Pattern
from ogive.compiler.sizes import size
from ops.cases import Case, check, numbers
from ops.harness import Collected, Names, function_of, infer, lowered, node_of, refused

Reference = Callable[[torch.Tensor], torch.Tensor]


def spread(x: torch.Tensor, less: int = 0) -> torch.Tensor:
    """The variance along the last axis."""
    return ((x - x.mean(-1, keepdim=True)) ** 2).sum(-1) / (x.shape[-1] - less)


# along the last axis, by other means than the lowering's
FORMULAS: dict[str, Reference] = {
    "sum": lambda x: x.cumsum(-1)[..., -1],
    "mean": lambda x: x.sum(-1) / x.shape[-1],
    "max": lambda x: x.sort(-1).values[..., -1],
    "min": lambda x: x.sort(-1).values[..., 0],
    "prod": lambda x: x.cumprod(-1)[..., -1],
    "var": spread,
    "std": lambda x: spread(x).sqrt(),
    "logsumexp": lambda x: x.exp().sum(-1).log(),
    "any": lambda x: x.sum(-1) > 0,
    "all": lambda x: x.sum(-1) == x.shape[-1],
    "norm": lambda x: (x * x).sum(-1).sqrt(),
}


def flat(op: str, *axes: int) -> Reference:
    """The formula over several axes: they are moved to the end and merged."""

    def reference(x: torch.Tensor) -> torch.Tensor:
        gone = [axis % x.dim() for axis in axes]
        kept = [i for i in range(x.dim()) if i not in gone]
        moved = x.permute(*kept, *gone).reshape(*[x.shape[i] for i in kept], -1)
        return FORMULAS[op](moved).to(x.dtype)

    return reference


def elem(op: str) -> str:
    return "bool: " if op in ("any", "all") else ""


CASES = [
    *(Case(op, (f"{elem(op)}b n d",), flat(op, 1), {"axes": ("n",)}) for op in FORMULAS),
    *(Case(op, (f"{elem(op)}b n d",), flat(op, -1, 0), {"axes": (-1, "b")}) for op in FORMULAS),
    *(Case(op, (f"{elem(op)}b n",), flat(op, 0, 1)) for op in FORMULAS),
    *(Case(op, (f"{elem(op)}",), lambda x: x, high=2) for op in ("sum", "mean", "max", "logsumexp", "all")),
    *(
        Case(op, (f"{kind}: b n",), flat(op, 0), {"axes": (0,)}, high=9)
        for op in ("sum", "prod", "max")
        for kind in ("int", "i32", "f64")
    ),
    Case("var", ("b n",), lambda x: spread(x, 1), {"axes": (1,), "unbiased": True}, low=2),
    Case("norm", ("b n",), lambda x: x.abs().sum(-1), {"axes": (1,), "p": 1}),
    Case("norm", ("b n",), lambda x: x.abs().sort(-1).values[:, -1], {"axes": (1,), "p": math.inf}),
    *(
        Case("reduce", (f"{elem(op)}b c h w",), flat(op, 2, 3), {"pattern": Pattern("b c h w -> b c"), "op": op})
        for op in FORMULAS
    ),
    Case("reduce", ("b n d",), lambda x: x.sum(1).T, {"pattern": Pattern("b n d -> d b"), "op": "sum"}),
    Case("reduce", ("b n d",), lambda x: x, {"pattern": Pattern("b n d -> b n d"), "op": "mean"}),
    Case(
        "reduce",
        ("b 24",),
        lambda x: x.reshape(-1, 2, 3, 4).sum(3).mT.reshape(-1, 6),
        {"pattern": Pattern("b (h w p) -> b (w h)", {"h": size(2), "w": size(3)}), "op": "sum"},
    ),
    Case(
        "reduce",
        ("b 24",),
        lambda x: x.reshape(-1, 2, 3, 4).sum(1).mT.reshape(-1, 12),
        {"pattern": Pattern("b (p h w) -> b (w h)", {"p": size(2), "h": size(3)}), "op": "sum"},
    ),
    Case(
        "reduce",
        ("b 24",),
        lambda x: x.reshape(-1, 2, 2, 2, 3).sum((1, 4)).mT.reshape(-1, 4),
        {"pattern": Pattern("b (p h w q) -> b (w h)", {"p": size(2), "h": size(2), "w": size(2)}), "op": "sum"},
    ),
    Case("reduce", ("b n",), lambda x: x * 0, {"pattern": Pattern("b n -> b n"), "op": "std"}),
    Case("reduce", ("b n 1",), lambda x: x.mean(1), {"pattern": Pattern("b n 1 -> b 1"), "op": "mean"}),
    Case(
        "reduce",
        ("b 4 6 c",),
        lambda x: x.permute(0, 3, 1, 2).unfold(2, 2, 2).unfold(3, 3, 3).amax((-1, -2)),
        {"pattern": Pattern("b (h p) (w q) c -> b c h w", {"p": size(2), "q": size(3)}), "op": "max"},
    ),
    Case(
        "reduce",
        ("b 6",),
        lambda x: x.unflatten(1, (3, 2)).mean(2),
        {"pattern": Pattern("b (h two) -> b h", {"two": size(2)}), "op": "mean"},
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case} {case.statics}"[:70])
@settings(max_examples=6, deadline=None)
@given(number=numbers(), seed=st.integers(0, 999))
def test_rule_and_reference_agree_with_torch(case: Case, number: Callable[[str, int], int], seed: int) -> None:
    check(case, number, seed)


def test_every_operation_has_a_case() -> None:
    assert {case.op for case in CASES} == {spec.name for spec in reduce.OPS}


@pytest.mark.parametrize("rank", [(), (2,), (2, 3)])
@pytest.mark.parametrize("op", FORMULAS)
@pytest.mark.parametrize(
    ("axes", "kept"), [((-1,), "*p n"), ((-2,), "*p d"), ((-1, -2), "*p"), (("*p",), "n d"), ((), "")]
)
def test_packs_of_any_rank(op: str, axes: tuple[Any, ...], kept: str, rank: tuple[int, ...]) -> None:
    names = Names()
    type = names.type(f"{elem(op)}*p n d")
    kinds = {"statics": {"axes": axes}} if axes != ("*p",) else {}
    if kinds:
        node = node_of(op, [type], kinds["statics"])
    else:
        node = node_of("reduce", [type], {"pattern": Pattern("*p n d -> n d"), "op": op})
    x = torch.randn(*rank, 3, 4) if not elem(op) else torch.rand(*rank, 3, 4) < 0.7
    y = function_of(node, [type], names.values({"*p": 1, "n": 3, "d": 4}))(x)
    merged = x.reshape(-1, 3, 4)
    over = {(-1,): (2,), (-2,): (1,), (-1, -2): (1, 2), ("*p",): (0,), (): (0, 1, 2)}[axes]
    expected = flat(op, *over)(merged)
    shape = [n for name in kept.split() for n in (rank if name == "*p" else (3 if name == "n" else 4,))]
    torch.testing.assert_close(y, expected.reshape(shape), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("op", "input", "statics", "text"),
    [
        ("mean", "b n d", {"axes": (1,)}, "x0.mean(1)"),
        ("mean", "b n d", {"axes": (-1,)}, "x0.mean(-1)"),
        ("sum", "b c h w", {"axes": ("h", "w")}, "x0.sum((2, 3))"),
        ("max", "b n", {"axes": ()}, "x0.amax()"),
        ("var", "b n", {"axes": (1,)}, "x0.var(-1, correction=0)"),
        ("norm", "b n", {"axes": (1,)}, "torch.linalg.vector_norm(x0, dim=-1)"),
        ("reduce", "b c h w", {"pattern": Pattern("b c h w -> b c"), "op": "mean"}, "x0.mean((2, 3))"),
        ("reduce", "*b n d", {"pattern": Pattern("*b n d -> *b d"), "op": "max"}, "x0.amax(-2)"),
    ],
)
def test_source_reads_as_written_by_hand(op: str, input: str, statics: Any, text: str) -> None:
    assert lowered(op, [Names().type(input)], statics, {}) == text


@pytest.mark.parametrize(
    ("op", "input", "statics", "code"),
    [
        ("sum", "b n", {"axes": ("d",)}, "E0305"),
        ("sum", "b n", {"axes": (2,)}, "E0304"),
        ("sum", "n n", {"axes": ("n",)}, "E0305"),
        ("sum", "b n", {"axes": (1, -1)}, "E0305"),
        ("sum", "bool: b n", {"axes": (1,)}, "E0501"),
        ("mean", "int: b n", {"axes": (1,)}, "E0501"),
        ("all", "b n", {"axes": (1,)}, "E0501"),
        ("reduce", "b c h w", {"pattern": Pattern("b c h -> b c"), "op": "mean"}, "E0303"),
        ("reduce", "b n", {"pattern": Pattern("b n -> b d"), "op": "mean"}, "E0303"),
        ("reduce", "b n", {"pattern": Pattern("b n -> b"), "op": "relu"}, "E0408"),
        ("reduce", "int: b n", {"pattern": Pattern("b n -> b"), "op": "mean"}, "E0501"),
    ],
)
def test_refused(op: str, input: str, statics: Any, code: str) -> None:
    assert refused(op, [Names().type(input)], statics).code == code


def test_labels_of_the_axes_that_stay() -> None:
    names = Names()
    type: TensorType = names.type("b n d")
    (mean,), _ = infer("mean", [type], {"axes": ("n",)}, Collected())
    assert [axis.label for axis in mean.axes] == ["b", "d"]


SPLITS = [kept for kept in itertools.product((True, False), repeat=4) if not all(kept)]


@pytest.mark.parametrize("op", ["sum", "mean", "max", "prod", "logsumexp"])
def test_any_parts_of_a_joined_axis_are_reduced(op: str) -> None:
    sizes = {"a": 2, "b": 3, "c": 4, "d": 5}
    x = torch.linspace(-1.0, 1.0, 240, dtype=torch.float64).sin().view(120, 2)
    for kept in SPLITS:
        out = [name for name, stays in zip(sizes, kept, strict=True) if stays]
        types = ", ".join([*(str(sizes[name]) for name in out), "e"])
        told = ", ".join(f"{name}={size}" for name, size in sizes.items())
        text = f'reduce["(a b c d) e -> {" ".join([*out, "e"])}", {op}, {told}](x)'
        net = ogive.source(f"block F(x: [120, e]) -> [{types}]:\n    return {text}\nmodel M = F\n")["M"].torch()
        wanted = x.view(2, 3, 4, 5, 2)
        for axis in reversed([at for at, stays in enumerate(kept) if not stays]):
            wanted = {"max": torch.amax}.get(op, getattr(torch, op))(wanted, axis)
        torch.testing.assert_close(net.double()(x), wanted, rtol=1e-10, atol=1e-12)

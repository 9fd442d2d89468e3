"""Pools against torch's windows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ogive.compiler.ops import pools
from ogive.compiler.sizes import size
from ops.cases import Case, check, numbers
from ops.harness import Collected, Names, function_of, infer, lowered, node_of, refused

OVERLAP = {"kernel": 3, "stride": 2, "pad": 1}
CASES = [
    Case("max_pool", ("b c s",), lambda x: x.unfold(2, 2, 2).amax(-1), {"kernel": 2}),
    Case("max_pool", ("b c h w",), lambda x: F.max_pool2d(x, 3, 2, 1), OVERLAP),
    Case(
        "max_pool", ("b c h w",), lambda x: F.max_pool2d(x, (3, 2), (1, 2), (1, 0), (2, 1)),
        {"kernel": (3, 2), "stride": (1, 2), "pad": (1, 0), "dilation": (2, 1)},
    ),
    Case("max_pool", ("b c x y z",), lambda x: F.max_pool3d(x, 2, 1), {"kernel": 2, "stride": 1}),
    Case("avg_pool", ("b c s",), lambda x: x.unfold(2, 3, 1).mean(-1), {"kernel": 3, "stride": 1}),
    Case("avg_pool", ("b c s",), lambda x: F.pad(x, (1, 1)).unfold(2, 3, 2).mean(-1), OVERLAP),
    Case(
        "avg_pool", ("b c h w",),
        lambda x: F.avg_pool2d(x, 3, 2, 1) * 9 / F.avg_pool2d(torch.ones_like(x), 3, 2, 1, divisor_override=1),
        {**OVERLAP, "count_include_pad": False},
    ),
    Case(
        "avg_pool", ("b c s",), lambda x: x.unfold(2, x.shape[1], 1).mean(-1),
        lambda names: {"kernel": names["c"], "stride": 1},
    ),
    Case("adaptive_avg_pool", ("b c h w",), lambda x: x.mean((2, 3), True), {"size": 1}),
    Case("adaptive_avg_pool", ("b c h w",), lambda x: F.adaptive_avg_pool2d(x, (3, 5)), {"size": (3, 5)}),
    Case("adaptive_max_pool", ("b c s",), lambda x: x.amax(2, True), {"size": 1}),
    Case("adaptive_max_pool", ("b c x y z",), lambda x: F.adaptive_max_pool3d(x, 2), {"size": 2}, low=2),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=str)
@settings(max_examples=20, deadline=None)
@given(number=numbers(), seed=st.integers(0, 9))
def test_rule_and_values(case: Case, number: Callable[[str, int], int], seed: int) -> None:
    check(case, number, seed)


def test_every_operation_has_a_case() -> None:
    assert {case.op for case in CASES} == {spec.name for spec in pools.OPS}


@settings(max_examples=200, deadline=None)
@given(
    op=st.sampled_from(["max_pool", "avg_pool"]), length=st.integers(1, 20), kernel=st.integers(1, 6),
    stride=st.integers(1, 7), pad=st.integers(0, 3), ceil=st.booleans(),
)  # fmt: skip
def test_windows_are_counted_as_torch_does(
    op: str, length: int, kernel: int, stride: int, pad: int, ceil: bool
) -> None:
    names, checker = Names(), Collected()
    types = [names.type("1 1 n")]
    node = node_of(op, types, {"kernel": kernel, "stride": stride, "pad": pad, "ceil": ceil}, checker)
    values = names.values({"n": length})
    assume(checker.holds(values))
    y = function_of(node, types, values)(torch.randn(1, 1, length))
    assert y.shape[2] == node.outputs[0].type.axes[2].size.at(values)


REFUSED = [
    ("max_pool", ("int: b c n",), {"kernel": 2}, "E0501", 0),
    ("max_pool", ("b c",), {"kernel": 2}, "E0303", 0),
    ("max_pool", ("b *s",), {"kernel": 2}, "E0303", 0),
    ("max_pool", ("b c n",), {"kernel": (2, 2)}, "E0408", None),
    ("avg_pool", ("b c n",), {"kernel": 0}, "E0408", None),
    ("avg_pool", ("b c n",), {"kernel": 2, "pad": -1}, "E0408", None),
    ("adaptive_avg_pool", ("b c n",), {"size": True}, "E0404", None),
]


@pytest.mark.parametrize(("op", "inputs", "statics", "code", "operand"), REFUSED)
def test_refused(op: str, inputs: tuple[str, ...], statics: dict[str, Any], code: str, operand: int | None) -> None:
    names = Names()
    error = refused(op, [names.operand(item) for item in inputs], statics)
    assert (error.code, error.operand) == (code, operand)


def test_padding_is_at_most_half_a_window() -> None:
    names, checker = Names(), Collected()
    infer("max_pool", [names.type("b c n")], {"kernel": 3, "pad": 2}, checker)
    assert [text for condition, text, _ in checker.constraints if not condition.unknowns and not condition.at({})] == [
        "pads axis `n` by 2, more than half of a window of 3"
    ]


def test_labels() -> None:
    names = Names()
    ((result,), _) = infer("max_pool", [names.type("b c h =w")], {"kernel": size(2)})
    assert str(result) == "[b, c, h//2, w//2]"
    assert [axis.label for axis in result.axes] == ["b", "c", "h", None]


@pytest.mark.parametrize(
    ("op", "statics", "text"),
    [
        ("max_pool", {"kernel": 2, "stride": 2}, "F.max_pool2d(x0, 2)"),
        ("max_pool", OVERLAP, "F.max_pool2d(x0, 3, stride=2, padding=1)"),
        ("avg_pool", {"kernel": (2, 3), "ceil": True}, "F.avg_pool2d(x0, (2, 3), ceil_mode=True)"),
        ("adaptive_avg_pool", {"size": 1}, "F.adaptive_avg_pool2d(x0, 1)"),
    ],
)
def test_source(op: str, statics: dict[str, Any], text: str) -> None:
    names = Names()
    assert lowered(op, [names.type("b c h w")], statics, names.values({})) == text

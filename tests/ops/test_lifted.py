"""Every operation under `over` and `each` against a Python loop, gradients included.

Both lower to one batched call of the operation's own text: `over` maps some operands and sees the others whole, inside
`each` weights are mapped too, so all operands are.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from ogive.compiler.ops import OPS
from ogive.compiler.types import TensorType
from ops import (
    test_algebra,
    test_elementwise,
    test_index,
    test_kernels,
    test_layout,
    test_linear,
    test_norms,
    test_pools,
    test_reduce,
)
from ops.cases import Case
from ops.harness import Collected, Names, function_of, node_of, tensor

MODULES = (
    test_algebra, test_elementwise, test_index, test_kernels, test_layout, test_linear, test_norms, test_pools,
    test_reduce,
)  # fmt: skip
CASES = [
    case
    for module in MODULES
    for case in module.CASES
    if not OPS[case.op].random and any(isinstance(item, str) for item in case.inputs)
]
LENGTH = 3
# torch's own words: on a CPU its fused attention has no batched kernel, an even kernel pads by a copy
pytestmark = pytest.mark.filterwarnings(
    "ignore:There is a performance drop.*attention", "ignore:Using padding='same' with even kernel"
)
STEPS = ("floordiv",)  # torch has no derivative of it, batched or not


class Lifted:
    """A case at some sizes: its text as a function, and operands for each index of an axis."""

    def __init__(self, case: Case, seed: int = 0) -> None:
        names = Names()
        types = [names.operand(item) for item in case.inputs]
        statics = case.statics(names) if callable(case.statics) else case.statics
        checker = Collected(case.given)
        node = node_of(case.op, types, statics, checker)
        draw = random.Random(seed)
        for _ in range(200):
            values = names.values({name: draw.randint(case.low, case.low + 4) for name in names.known})
            if checker.holds(values):
                break
        else:
            raise AssertionError(f"no sizes fit {case}")
        torch.manual_seed(seed)
        self.kinds = [type for type in types if isinstance(type, TensorType)]
        anchor = torch.empty((), dtype=torch.double)
        text = function_of(node, types, values)
        self.function: Callable[..., Any] = lambda *xs: text(*xs, anchor=anchor)
        rows = [self._row(case, values) for _ in range(LENGTH)]
        self.operands = [torch.stack(column) for column in zip(*rows, strict=True)]

    def _row(self, case: Case, values: Any) -> tuple[Tensor, ...]:
        row = tuple(tensor(type, values, torch.double, case.high) for type in self.kinds)
        return row if case.prepare is None else tuple(case.prepare(*row))

    def both(self, mapped: Sequence[bool]) -> tuple[Any, Any, list[Tensor]]:
        """The batched call, the loop, and the operands that have gradients."""
        given = [x if m else x[0] for x, m in zip(self.operands, mapped, strict=True)]
        leaves = [x.clone().requires_grad_(x.is_floating_point() or x.is_complex()) for x in given]
        batched = torch.vmap(self.function, in_dims=tuple(0 if m else None for m in mapped))(*leaves)
        loop = [self.function(*(x[i] if m else x for x, m in zip(leaves, mapped, strict=True))) for i in range(LENGTH)]
        if isinstance(batched, Tensor):
            return (batched,), (torch.stack(loop),), [x for x in leaves if x.requires_grad]
        columns = tuple(torch.stack(column) for column in zip(*loop, strict=True))
        return tuple(batched), columns, [x for x in leaves if x.requires_grad]


def agree(case: Case, first_alone: bool) -> None:
    lifted = Lifted(case)
    mapped = [index == 0 or not first_alone for index in range(len(lifted.kinds))]
    batched, loop, leaves = lifted.both(mapped)
    for a, b in zip(batched, loop, strict=True):
        torch.testing.assert_close(a, b, equal_nan=True)
    pairs = [(a, b) for a, b in zip(batched, loop, strict=True) if b.requires_grad]
    if not pairs or not leaves or case.op in STEPS:
        return
    left, right = (
        torch.autograd.grad(
            torch.stack([x.abs().square().sum() for x in side]).sum(), leaves, allow_unused=True, materialize_grads=True
        )
        for side in zip(*pairs, strict=True)
    )
    for a, b in zip(left, right, strict=True):
        torch.testing.assert_close(a, b, equal_nan=True)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_each_maps_all_operands(case: Case) -> None:
    agree(case, first_alone=False)


@pytest.mark.parametrize("case", [c for c in CASES if sum(isinstance(i, str) for i in c.inputs) > 1], ids=str)
def test_over_sees_the_other_operands_whole(case: Case) -> None:
    agree(case, first_alone=True)


def test_the_tables_hold_every_operation_that_computes() -> None:
    tried = {case.op for case in CASES}
    left = {name for name, spec in OPS.items() if spec.inputs and not spec.random} - tried
    assert not left

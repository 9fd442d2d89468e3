"""Every operation under `over` against a Python loop, gradients included: all operands with the axis (so it is inside
`each`, where weights have it too), and each of them alone. Targets see batched operations, no loop.
"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ogive.backends.pytorch.module.file import emit
from ogive.backends.pytorch.module.module import load
from ogive.compiler.ir_tools.verify import verify
from ogive.compiler.ops import OPS
from ogive.compiler.passes.pipelines.lowering import lowered
from ogive.compiler.passes.vectorize.rules import KINDS, OWN, rule_of
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
from ops.vectorized import vectorized_case

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
# an even kernel is padded by a copy, says torch
pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")


@pytest.mark.parametrize("case", CASES, ids=str)
def test_it_is_a_loop_in_one_batch(case: Case) -> None:
    vectorized = vectorized_case(case)
    for mapped in vectorized.subsets():
        model = vectorized.model(mapped)
        best = lowered(model)
        verify(best)
        assert not any(node.regions for node in best.definition.graph.walk())
        net = load(emit(model), "Op").Op().double()
        leaves = [x.requires_grad_(x.is_floating_point() or x.is_complex()) for x in vectorized.operands(mapped)]
        found = net(*leaves)
        agree((found,) if isinstance(found, Tensor) else tuple(found), vectorized.loop(leaves, mapped), leaves)


def agree(batched: tuple[Tensor, ...], loop: tuple[Tensor, ...], operands: list[Tensor]) -> None:
    floats = any(x.is_floating_point() or x.is_complex() for x in operands)  # else there is no type to take
    for a, b in zip(batched, loop, strict=True):
        torch.testing.assert_close(a, b, equal_nan=True, check_dtype=floats)
    leaves = [x for x in operands if x.requires_grad]
    pairs = [(a, b) for a, b in zip(batched, loop, strict=True) if b.requires_grad]
    if not pairs or not leaves:
        return
    left, right = (
        torch.autograd.grad(
            torch.stack([x.abs().square().sum() for x in side]).sum(), leaves, allow_unused=True, materialize_grads=True
        )
        for side in zip(*pairs, strict=True)
    )
    for a, b in zip(left, right, strict=True):
        torch.testing.assert_close(a, b, equal_nan=True)


def test_every_operation_declares_how_it_is_batched() -> None:
    for name, spec in OPS.items():
        assert spec.batching in {*KINDS, "own", "value"}, name
        assert (name in OWN) == (spec.batching == "own"), name
        assert (rule_of(name) is None) == (not spec.inputs and not spec.random), name
    assert OWN.keys() <= OPS.keys()


def test_the_tables_hold_every_operation_that_computes() -> None:
    tried = {case.op for case in CASES}
    left = {name for name, spec in OPS.items() if spec.inputs and not spec.random} - tried
    assert not left

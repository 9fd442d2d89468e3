"""Lowered operations under the ways in which torch runs a model: meta tensors, one graph, autocast."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch

from ogive.compiler.ir.types import FLOATS, TensorType
from ops import test_algebra, test_elementwise, test_index, test_kernels, test_norms, test_pools, test_values
from ops.cases import Case
from ops.harness import Collected, Names, function_of, node_of, shape_at, tensor

pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel:UserWarning")
CASES = [
    case
    for family in (test_elementwise, test_kernels, test_norms, test_pools, test_values, test_algebra)
    for case in family.CASES
]
SIZES = (4, 6, 7, 8, 3, 5, 2, 9)  # of the names in order


def prepared(case: Case) -> tuple[Callable[..., Any], list[torch.Tensor], list[tuple[int, ...]], Sequence[TensorType]]:
    """The function of a case, its operands, and the shapes and types that the rule gives."""
    names, checker = Names(), Collected(case.given)
    types = [names.operand(item) for item in case.inputs]
    statics = case.statics(names) if callable(case.statics) else case.statics
    node = node_of(case.op, types, statics, checker)
    values = dict(zip(names.known.values(), SIZES, strict=False))
    assert checker.holds(values)
    torch.manual_seed(0)
    operands = [tensor(type, values, high=case.high) for type in types if isinstance(type, TensorType)]
    if case.prepare is not None:
        operands = list(case.prepare(*operands))
    outputs = [value.type for value in node.outputs]
    return function_of(node, types, values), operands, [shape_at(type, values) for type in outputs], outputs


def results(found: Any) -> list[torch.Tensor]:
    return [found] if isinstance(found, torch.Tensor) else list(found)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_on_meta(case: Case) -> None:
    op, operands, shapes, _ = prepared(case)
    found = op(*(x.to("meta") for x in operands), anchor=torch.empty((), device="meta"))
    assert [tuple(y.shape) for y in results(found)] == shapes
    assert all(y.is_meta for y in results(found))


# torch has these in whole and double precision alone
FULL = ("solve", "solve_triangular", "cholesky", "inverse", "det", "complex", "fft", "rfft")
INDEX = [case for case in test_index.CASES if len(case.inputs) > 1]
HALVES = [case for case in (*CASES, *INDEX) if case.op not in FULL and case.statics != {"type": "complex"}]


@pytest.mark.parametrize("case", HALVES, ids=str)
def test_under_autocast(case: Case) -> None:
    op, operands, shapes, types = prepared(case)
    # activations come in half precision there, weights do not
    mixed = [x.bfloat16() if i == 0 and x.is_floating_point() else x for i, x in enumerate(operands)]
    with torch.autocast("cpu", torch.bfloat16):
        found = results(op(*mixed, anchor=torch.empty(())))
    assert [tuple(y.shape) for y in found] == shapes
    assert all(y.is_floating_point() for y, type in zip(found, types, strict=True) if type.elem in FLOATS)


@pytest.mark.parametrize("case", INDEX, ids=str)
def test_the_other_way_under_autocast(case: Case) -> None:
    op, operands, shapes, _ = prepared(case)
    mixed = [x.bfloat16() if i and x.is_floating_point() else x for i, x in enumerate(operands)]
    with torch.autocast("cpu", torch.bfloat16):
        found = results(op(*mixed, anchor=torch.empty(())))
    assert [tuple(y.shape) for y in found] == shapes


@pytest.mark.parametrize("case", INDEX, ids=str)
def test_indices_of_32_bits(case: Case) -> None:
    op, operands, _, _ = prepared(case)
    wanted = results(op(*operands, anchor=torch.empty(())))
    others = [x.int() if x.dtype == torch.int64 else x for x in operands]
    for a, b in zip(results(op(*others, anchor=torch.empty(()))), wanted, strict=True):
        assert torch.equal(a, b)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=str)
def test_in_one_graph(case: Case) -> None:
    op, operands, shapes, _ = prepared(case)
    torch.compiler.reset()
    compiled = torch.compile(op, backend="aot_eager", fullgraph=True)
    found = results(compiled(*operands, anchor=torch.empty(())))
    assert [tuple(y.shape) for y in found] == shapes

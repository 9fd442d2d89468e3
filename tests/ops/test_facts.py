"""What operations declare about themselves is true: passes fold by it."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from ogive.compiler.ir.types import TensorType
from ogive.compiler.ops import OPS, Trait, has
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
from ops.harness import Names, function_of, node_of, tensor

pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same'")
FAMILIES = (
    test_layout, test_linear, test_reduce, test_index, test_elementwise, test_kernels, test_algebra, test_norms,
    test_pools,
)  # fmt: skip
LINEAR = [
    (case, operand)
    for family in FAMILIES
    for case in family.CASES
    for operand in OPS[case.op].linear
    if operand < len(case.inputs) and isinstance(case.inputs[operand], str) and ":" not in case.inputs[operand]
]


@pytest.mark.parametrize(("case", "operand"), LINEAR, ids=lambda item: str(item)[:60])
def test_linear_operands(case: Case, operand: int) -> None:
    """f(x/4 + 3y/4) = f(x)/4 + 3f(y)/4, all other operands fixed: linear but for a bias or border."""
    torch.manual_seed(0)
    names = Names()
    types = [names.operand(item) for item in case.inputs]
    statics: Any = case.statics(names) if callable(case.statics) else case.statics
    node = node_of(case.op, types, statics)
    values = names.values({name: 4 for name in names.known})
    given = [tensor(type, values, torch.double, case.high) for type in types if isinstance(type, TensorType)]
    place = sum(isinstance(type, TensorType) for type in types[:operand])
    function = function_of(node, types, values)
    x, y = torch.randn_like(given[place]), torch.randn_like(given[place])

    def at(value: torch.Tensor) -> list[torch.Tensor]:
        found = function(*given[:place], value, *given[place + 1 :])
        return [found] if isinstance(found, torch.Tensor) else list(found)

    for combined, first, second in zip(at(x / 4 + 3 * y / 4), at(x), at(y), strict=True):
        torch.testing.assert_close(combined, first / 4 + 3 * second / 4)


def test_some_cases_are_linear() -> None:
    assert {"rearrange", "einsum", "matmul", "sum", "mean", "take", "conv"} <= {case.op for case, _ in LINEAR}


# --- traits -----------------------------------------------------------------------------------------------------------

MATRICES = ("cholesky", "solve", "solve_triangular", "inverse")  # whose operands are regular or refused
# numbers at which functions are flat, have poles, or leave their ranges
EDGES = (-800.0, -3.0, -1.0, -0.5, -0.0, 0.0, 0.25, 1.0, 3.0, 7.0, 700.0)


def _cases(trait: Trait) -> list[Case]:
    """The cases of operations with a trait, those with an operand of floats; not those of regular matrices alone."""
    return [
        case
        for family in FAMILIES
        for case in family.CASES
        if has(case.op, trait)
        and case.op not in MATRICES
        and any(isinstance(item, str) and ":" not in item for item in case.inputs)
    ]


def _run(case: Case, low: bool = False) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """Operands of floats, which hold the edges, and results; `low` keeps operands from being negative."""
    torch.manual_seed(0)
    names = Names()
    types = [names.operand(item) for item in case.inputs]
    statics: Any = case.statics(names) if callable(case.statics) else case.statics
    node = node_of(case.op, types, statics)
    values = names.values({name: 4 for name in names.known})
    given = [tensor(type, values, torch.double, case.high) for type in types if isinstance(type, TensorType)]
    for at, x in enumerate(given):
        if x.is_floating_point():
            picked = torch.tensor(EDGES, dtype=x.dtype)[torch.arange(at, at + x.numel()).view(x.shape) % len(EDGES)]
            given[at] = picked.abs() if low else picked
    floats = [x.requires_grad_() for x in given if x.is_floating_point()]
    found = function_of(node, types, values)(*given)
    return floats, [found] if isinstance(found, torch.Tensor) else list(found)


@pytest.mark.parametrize("case", _cases(Trait.NONNEGATIVE), ids=str)
def test_nonnegative(case: Case) -> None:
    _, results = _run(case)
    assert all(not (y < 0).any() for y in results)


@pytest.mark.parametrize("case", _cases(Trait.KEEPS_SIGN), ids=str)
def test_keeps_sign(case: Case) -> None:
    _, results = _run(case, low=True)
    assert all(not (y < 0).any() for y in results)


@pytest.mark.parametrize("case", _cases(Trait.FLAT), ids=str)
def test_flat(case: Case) -> None:
    floats, results = _run(case)
    for y in results:
        if y.is_floating_point() and y.requires_grad:
            found = torch.autograd.grad(y.sum(), floats, allow_unused=True, materialize_grads=True)
            assert not any(g.any() for g in found)


@pytest.mark.parametrize("case", _cases(Trait.FLAT_AT_ZERO), ids=str)
def test_flat_where_a_result_is_zero(case: Case) -> None:
    floats, results = _run(case)
    (y,) = results
    for place in (y == 0).nonzero():
        (slope,) = torch.autograd.grad(y[tuple(place)], floats, retain_graph=True)
        assert (slope == 0).all()


@pytest.mark.parametrize("op", [op for op in OPS if has(op, Trait.KEEPS_ZERO)])
def test_zero_stays_zero(op: str) -> None:
    """f(0) = 0, and no operation of one tensor that is told to lacks it."""
    assert OPS[op].inputs == "x"
    (case, *_) = [case for case in _cases(Trait.KEEPS_ZERO) if case.op == op]
    names = Names()
    types = [names.operand(item) for item in case.inputs]
    statics: Any = case.statics(names) if callable(case.statics) else case.statics
    function = function_of(node_of(op, types, statics), types, names.values({name: 4 for name in names.known}))
    assert (function(torch.zeros(4, 4, dtype=torch.double)) == 0).all()


@pytest.mark.parametrize("case", _cases(Trait.FINITE), ids=str)
def test_finite_operands_give_no_lower_pole(case: Case) -> None:
    _, results = _run(case)
    assert not any((y == -torch.inf).any() for y in results if y.is_floating_point())


@pytest.mark.parametrize("op", [op for op in OPS if has(op, Trait.POLE)])
def test_poles(op: str) -> None:
    names = Names()
    type = names.operand("n")
    node = node_of(op, [type], {})
    x = torch.tensor([-1.0, 0.0, 1.0, 2.0], dtype=torch.double)
    y = function_of(node, [type], names.values({"n": 4}))(x)
    assert isinstance(y, torch.Tensor)
    assert not y.isfinite().all()


@pytest.mark.parametrize("case", _cases(Trait.HANDS_ON), ids=str)
def test_numbers_are_handed_on(case: Case) -> None:
    floats, results = _run(case)
    there = torch.cat([x.flatten() for x in floats])
    filling = [0.0, *(float(v) for v in dict(case.statics if isinstance(case.statics, dict) else {}).values()
                      if isinstance(v, int | float))]  # fmt: skip
    allowed = torch.cat([there, torch.tensor(filling, dtype=there.dtype)])
    for y in results:
        if y.is_floating_point():
            assert torch.isin(y.detach(), allowed.detach()).all()


@pytest.mark.parametrize(("trait", "far"), [(Trait.LOWEST_OUT, -1e300), (Trait.HIGHEST_OUT, 1e300)])
@pytest.mark.parametrize(
    "op", ["softmax", "log_softmax", "logsumexp", "max", "min", "argmax", "argmin", "max_pool", "relu", "sum"]
)
def test_far_entries_leave_no_trace(op: str, trait: Trait, far: float) -> None:
    """An entry that far is as if it were not there; declared by those operations alone where that holds."""
    x = torch.tensor([[1.0, 4.0, 2.0, 3.0]], dtype=torch.double)
    hidden = torch.cat([x, torch.full((1, 1), far, dtype=torch.double)], 1)
    statics = {"softmax": {"axis": -1}, "log_softmax": {"axis": -1}, "argmax": {"axis": -1}, 
               "argmin": {"axis": -1}, "relu": {},
               "max_pool": {"kernel": 5}}  # fmt: skip
    found = []
    for given in (x, hidden):
        names = Names()
        type = names.operand("1 n" if op != "max_pool" else "1 1 n")
        node = node_of(op, [type], statics.get(op, {"axes": (-1,)}) if op != "max_pool" else {"kernel": given.shape[1]})
        value = given if op != "max_pool" else given[None]
        y = function_of(node, [type], names.values({"n": given.shape[1]}))(value)
        assert isinstance(y, torch.Tensor)
        found.append(y.flatten()[: 4 if op in ("softmax", "log_softmax", "relu") else None])
    same = found[0].shape == found[1].shape and torch.allclose(found[0].double(), found[1].double())
    assert not has(op, trait) or same

"""What operations declare about themselves is true: passes fold by it."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from ogive.compiler.ir.types import TensorType
from ogive.compiler.ops import OPS
from ops import test_algebra, test_elementwise, test_index, test_kernels, test_layout, test_linear, test_reduce
from ops.cases import Case
from ops.harness import Names, function_of, node_of, tensor

pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same'")
FAMILIES = (test_layout, test_linear, test_reduce, test_index, test_elementwise, test_kernels, test_algebra)
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

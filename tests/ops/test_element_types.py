"""Every operation in torch, of every element type that its rule allows: results are of the types that the rule says."""

from __future__ import annotations

import pytest
import torch

from ogive.compiler.ir.types import TensorType
from ogive.compiler.ops import OPS
from onnx_model.cases import Stated
from onnx_model.test_ops import choices
from onnx_model.test_type_lists import INSTEAD, KINDS, of_op, swapped
from ops.harness import assert_types, function_of, tensor

pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
HALVES = ("f16", "bf16")
LACKING = ("cholesky", "det", "inverse", "solve", "solve_triangular")  # torch has no kernels of halves
OF_THE_MODEL = ("ones", "cast")  # they read the float type of the model off an operand, which is of another one here


@pytest.mark.parametrize("op", [op for op in OPS if op not in OF_THE_MODEL])
def test_results_are_of_the_declared_types(op: str) -> None:
    for case in of_op(op):
        for old, wanted in INSTEAD.items():
            for new in wanted:
                state = swapped(case, old, new)
                if state is not None and not (op in LACKING and new in HALVES):
                    check(state)


def check(state: Stated) -> None:
    types = [type for type in state.types if isinstance(type, TensorType)]
    values = next(choices(state))
    given = [tensor(type, values, torch.float, state.case.high) for type in types]
    if state.case.prepare is not None and all(x.dtype != torch.bool for x in given):
        given = list(state.case.prepare(*given))
    legal = [x.to(KINDS.get(type.elem, x.dtype)) for x, type in zip(given, types, strict=True)]
    if state.case.op in ("floordiv", "mod"):  # what is cut to an integer may be 0
        legal = [x if x.is_floating_point() else x.abs() + 1 for x in legal]
    found = function_of(state.node, state.types, values)(*legal, anchor=torch.empty(()))
    assert_types(found, state.node, values, torch.float)

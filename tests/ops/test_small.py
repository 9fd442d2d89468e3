"""What the rule of an operation accepts runs in every backend, at the smallest sizes and the most awkward settings.

torch's wrappers have conditions of their own, and so have the kernels of ONNX Runtime.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
import torch

from ogive.backends.onnx_model.graph.errors import OnnxError
from ogive.compiler.ir.types import TensorType
from ogive.compiler.ops.spec import ShapeError
from ogive.compiler.sizes import Unknown
from onnx_model.cases import Stated, stated
from onnx_model.harness import array, difference, model_of, proto_of, session
from ops.cases import Case
from ops.harness import assert_types, function_of, tensor
from ops.small import CASES

pytestmark = [
    pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel"),
    pytest.mark.filterwarnings(r"ignore:.*degrees of freedom is <= 0"),
]
SIZES = (1, 2, 3)
RUNS = 12  # of one case


def accepted(case: Case) -> Stated | None:
    """The case, if the rule takes its operands at all."""
    try:
        return stated(case)
    except ShapeError:
        return None


STATED = [state for state in map(accepted, CASES) if state is not None]


def sizes(state: Stated, count: int) -> Iterator[dict[Unknown, int]]:
    """Small sizes at which every constraint of the rule holds."""
    names = list(state.names.known)
    choices = list(product(SIZES, repeat=len(names)))
    random.Random(str(state.case)).shuffle(choices)
    found = (state.names.values(dict(zip(names, choice, strict=True))) for choice in choices)
    holding = (values for values in found if state.checker.holds(values))
    yield from (values for values, _ in zip(holding, range(count), strict=False))


def drawn(state: Stated, values: dict[Unknown, int]) -> list[torch.Tensor]:
    torch.manual_seed(0)
    kinds = [type for type in state.types if isinstance(type, TensorType)]
    return [tensor(type, values, high=state.case.high) for type in kinds]


def run(state: Stated, values: dict[Unknown, int], given: list[torch.Tensor], *, training: bool) -> Any:
    function = function_of(state.node, state.types, values)
    return function(*given, anchor=torch.empty(()), training=training)


@pytest.mark.parametrize("op", sorted({state.case.op for state in STATED}))
def test_torch_takes_what_the_rule_takes(op: str) -> None:
    for state in STATED:
        if state.case.op == op:
            for values in sizes(state, RUNS):
                given = drawn(state, values)
                for training in (True, False):
                    assert_types(run(state, values, given, training=training), state.node, values)


def onnx_takes(state: Stated, values: dict[Unknown, int]) -> None:
    fixed = {name: values[unknown] for name, unknown in state.names.known.items()}
    given = drawn(state, values)
    try:
        proto = proto_of(model_of(state.node, state.types, state.names.known), sizes=fixed)
    except OnnxError:  # refused, with a text
        return
    wanted = run(state, values, given, training=False)
    feeds = {value.name: array(x) for value, x in zip(proto.graph.input, given, strict=True)}
    found = session(proto).run(None, feeds)
    for y, z in zip(found, wanted if isinstance(wanted, tuple) else (wanted,), strict=True):
        assert difference(y, array(z)) <= 1e-3, (state.case, state.case.statics, fixed)


SAMPLE = random.Random(0).sample(STATED, 90)


def test_the_runtime_takes_what_the_rule_takes() -> None:
    for state in SAMPLE:
        for values in sizes(state, 1):
            onnx_takes(state, values)


@pytest.mark.slow
@pytest.mark.parametrize("op", sorted({state.case.op for state in STATED}))
def test_the_runtime_takes_all_of_it(op: str) -> None:
    for state in STATED:
        if state.case.op == op:
            for values in sizes(state, 4):
                onnx_takes(state, values)


def test_a_batch_of_one_value_has_no_statistics() -> None:
    """Its variance has none to divide by: torch says so, and evaluation needs none."""
    state = stated(Case("batch_norm_train", ("b c", "c", "c"), None))
    values = state.names.values({"b": 1, "c": 2})
    with pytest.raises(ValueError, match="more than 1 value per channel when training"):
        run(state, values, drawn(state, values), training=True)

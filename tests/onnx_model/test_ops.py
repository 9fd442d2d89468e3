"""Every operation: one symbolic model agrees with torch at several sizes, in ONNX Runtime and in the reference."""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable, Iterator, Mapping

import numpy as np
import pytest
import torch

from ogive.backends.onnx_model.graph.errors import OnnxError
from ogive.backends.onnx_model.ops.table import LOWER
from ogive.compiler.ir.types import TensorType
from ogive.compiler.ops import OPS
from ogive.compiler.sizes import Unknown
from onnx_model.cases import CASES, Stated, stated
from onnx_model.harness import array, by_reference, difference, model_of, proto_of, session
from ops.cases import Case
from ops.harness import function_of, tensor

TOLERANCE = 1e-5
SIZES = 3  # how many choices of sizes a model runs at
# where the evaluator of the standard (onnx 1.23) has a gap; ONNX Runtime has none
NO_REFERENCE = {"interpolate": "Resize rounds nearest neighbours otherwise than the standard says"}


def test_every_operation_has_a_form() -> None:
    assert LOWER.keys() == OPS.keys()


def test_every_operation_is_tried() -> None:
    assert {case.op for case in CASES} >= OPS.keys() - {"dropout", "update"}


def choices(state: Stated) -> Iterator[dict[Unknown, int]]:
    """Sizes that the case allows."""
    rng = random.Random(str(state.case))
    found = 0
    for _ in range(200):
        low = state.case.low
        values = state.names.values({name: rng.randint(low, low + 4) for name in state.names.known})
        if state.checker.holds(values):
            found += 1
            yield values
        if found == SIZES:
            return


def operands(state: Stated, values: Mapping[Unknown, int], floating: torch.dtype = torch.float) -> list[torch.Tensor]:
    """Legal operands of the case."""
    types = [type for type in state.types if isinstance(type, TensorType)]
    found = [tensor(type, values, floating, state.case.high) for type in types]
    return list(state.case.prepare(*found)) if state.case.prepare is not None else found


def fixed_sizes(state: Stated, values: Mapping[Unknown, int]) -> dict[str, int]:
    """All sizes by name, a pack as one axis."""
    return {name.lstrip("*"): values[unknown] for name, unknown in state.names.known.items()}


def by_torch(state: Stated, values: Mapping[Unknown, int], given: list[torch.Tensor]) -> list[np.ndarray]:
    """What torch computes."""
    return torch_of(state, values)(given)


def torch_of(state: Stated, values: Mapping[Unknown, int]) -> Callable[[list[torch.Tensor]], list[np.ndarray]]:
    """The operation at these sizes in torch."""
    function = function_of(state.node, state.types, values)

    def run(given: list[torch.Tensor]) -> list[np.ndarray]:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Using padding='same' with even kernel lengths")
            found = function(*given, anchor=torch.empty(()), training=False)
        return [array(y) for y in (found if isinstance(found, tuple) else (found,))]

    return run


@pytest.mark.parametrize("case", CASES, ids=str)
def test_it_agrees_with_torch(case: Case) -> None:
    state = stated(case)
    model = model_of(state.node, state.types, state.names.known)
    runs = list(choices(state))
    assert runs
    try:
        whole = proto_of(model)
    except OnnxError as error:
        assert "`sizes`" in error.text  # kernels and groups are numbers in ONNX, and a value without inputs has sizes
        whole = None
    for seed, values in enumerate(runs):
        fixed = fixed_sizes(state, values)
        proto = whole or proto_of(model, sizes=fixed)
        torch.manual_seed(seed)
        given = operands(state, values)
        wanted = by_torch(state, values, given)
        feeds = {value.name: array(x) for value, x in zip(proto.graph.input, given, strict=True)}
        got = session(proto).run(None, feeds)
        if case.reference is None:  # random numbers
            assert [y.shape for y in got] == [y.shape for y in wanted]
            continue
        assert max(difference(y, z) for y, z in zip(got, wanted, strict=True)) <= TOLERANCE
        if case.op not in NO_REFERENCE:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                told = by_reference(proto, feeds)
            assert max(difference(np.asarray(y), z) for y, z in zip(told, wanted, strict=True)) <= TOLERANCE


@pytest.mark.parametrize("op", ["cholesky", "inverse"])
def test_what_has_no_form_says_why(op: str) -> None:
    state = stated(Case(op, ("complex: n n",), lambda a: a))
    with pytest.raises(OnnxError, match=f"`{op}` of complex numbers is not supported in ONNX") as caught:
        proto_of(model_of(state.node, state.types, state.names.known))
    assert caught.value.code == "E0802"


@pytest.mark.parametrize("op", ["solve", "solve_triangular", "cholesky", "inverse"])
@pytest.mark.parametrize("n", [1, 2, 7, 24])
def test_systems_of_every_size_are_solved_in_one_model(op: str, n: int) -> None:
    """Rows must be exchanged here: the matrices have no large diagonal, and one begins with a zero."""
    case = next(case for case in CASES if case.op == op and len(case.inputs[0].split()) == 3)
    state = stated(case)
    proto = proto_of(model_of(state.node, state.types, state.names.known))
    torch.manual_seed(n)
    a = torch.linalg.qr(torch.randn(3, n, n))[0] * torch.linspace(1, 3, n)
    if op == "cholesky":
        a = a @ a.mT
    elif op == "solve_triangular":
        a = a + 4 * torch.eye(n)
    elif n > 1:
        a[0] = a[0].roll(1, 0)
        a[0, 0, 0] = 0
    given = (
        [a] if len(case.inputs) == 1 else [a, torch.randn(3, n) if "k" not in case.inputs[1] else torch.randn(3, n, 2)]
    )
    wanted = [x.double() for x in given]
    exact = {
        "solve": lambda: torch.linalg.solve(*wanted),
        "solve_triangular": lambda: torch.linalg.solve_triangular(*wanted, upper=False),
        "cholesky": lambda: torch.linalg.cholesky(*wanted),
        "inverse": lambda: torch.linalg.inv(*wanted),
    }[op]()
    feeds = {value.name: array(x) for value, x in zip(proto.graph.input, given, strict=True)}
    assert difference(session(proto).run(None, feeds)[0], array(exact)) <= 1e-5


@pytest.mark.parametrize("case", [c for c in CASES if c.op in ("attention", "rms_norm", "group_norm")], ids=str)
def test_older_opsets_agree_too(case: Case) -> None:
    state = stated(case)
    model = model_of(state.node, state.types, state.names.known)
    for values in choices(state):
        proto = proto_of(model, sizes=fixed_sizes(state, values), opset=20)
        given = operands(state, values)
        (expected,) = by_torch(state, values, given)
        feeds = {value.name: array(x) for value, x in zip(proto.graph.input, given, strict=True)}
        assert difference(session(proto).run(None, feeds)[0], expected) <= TOLERANCE

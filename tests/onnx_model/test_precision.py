"""Half precision: ONNX Runtime where the CPU provider has kernels, else the reference, against float64."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from onnx import ModelProto
from onnxruntime.capi import onnxruntime_pybind11_state as runtime

import ogive
from ogive.backends.onnx_model.elems import NUMPY
from ogive.backends.onnx_model.export import Settings, exported
from ogive.backends.onnx_model.sources import arrays
from ogive.backends.onnx_model.write import whole
from onnx_model.cases import SUPPORTED, stated
from onnx_model.harness import array, by_reference, checked, difference, model_of, proto_of, session
from onnx_model.test_ops import NO_REFERENCE, by_torch, choices, fixed_sizes, operands
from ops.cases import Case

EXAMPLES = Path(__file__).parents[2] / "examples"
# relative to the largest number; a few roundings of the type
BOUNDS = {torch.float16: 2e-2, torch.bfloat16: 1.5e-1, torch.float64: 1e-6}


def half_run(proto: ModelProto, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
    """By ONNX Runtime where it has kernels and takes the type, else by the evaluator of the standard."""
    try:
        found: list[np.ndarray] = session(proto).run(None, feeds)
    except (runtime.NotImplemented, runtime.InvalidArgument, runtime.Fail, runtime.RuntimeException, RuntimeError):
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            found = by_reference(proto, feeds)
    return found


@pytest.mark.parametrize("dtype", BOUNDS, ids=str)
@pytest.mark.parametrize("name", ["gpt2", "mlp", "resnet", "vit", "llama"])
def test_it_is_close_to_double_precision(name: str, dtype: torch.dtype) -> None:
    model = ogive.load(EXAMPLES / f"{name}.arch").models["Tiny"]
    torch.manual_seed(0)
    net = model.torch().eval().to(dtype)
    exact = model.torch().eval().double()
    exact.load_state_dict(net.state_dict())
    shapes = {"mlp": (3, 4), "resnet": (1, 3, 32, 24), "vit": (1, 3, 16, 16)}
    x = torch.randn(shapes[name]).to(dtype) if name in shapes else torch.randint(1, 64, (2, 5))
    with torch.no_grad():
        wanted = array(exact(x.double() if x.is_floating_point() else x))
    proto = whole(exported(model.ir, arrays(net), Settings()))
    checked(proto)
    feeds = {proto.graph.input[0].name: array(x)}
    (got,) = half_run(proto, feeds)
    assert difference(np.asarray(got, np.float64), wanted) <= BOUNDS[dtype]


# operations that halves cannot tell from their neighbours: order, equality, whole numbers, what grows without bound
ORDERED = frozenset(
    (
        "sort", "argsort", "topk", "argmax", "eq", "ne", "lt", "le", "gt", "ge", "floordiv", "mod", "floor", "round",
        "sign", "pow", "cumsum", "digamma", "lgamma", "log1p", "expm1", "atanh", "det", "irfft", "fft", "ifft", "rfft",
        "linspace", "full", "cast", "isfinite", "interpolate", "batch_norm_train",
    )
)  # fmt: skip
HALVES = [
    case for case in SUPPORTED if case.op not in ORDERED and case.op not in NO_REFERENCE and case.reference is not None
]


@pytest.mark.parametrize("kind", ["f16", "bf16"])
@pytest.mark.parametrize("case", HALVES, ids=str)
def test_an_operation_in_half_precision(case: Case, kind: str) -> None:
    state = stated(case)
    values = next(choices(state))
    torch.manual_seed(0)
    half = {"f16": torch.float16, "bf16": torch.bfloat16}[kind]
    given = [x.to(half) if x.dtype == torch.float else x for x in operands(state, values)]
    wide = [x.double() if x.dtype == half else x.to(torch.complex128) if x.is_complex() else x for x in given]
    wanted = by_torch(state, values, wide)
    proto = proto_of(model_of(state.node, state.types, state.names.known), sizes=fixed_sizes(state, values), dtype=kind)
    feeds = {value.name: _half(array(x), half) for value, x in zip(proto.graph.input, given, strict=True)}
    for y, z in zip(half_run(proto, feeds), wanted, strict=True):
        assert difference(np.asarray(y, z.dtype), z) <= BOUNDS[half]


def _half(value: np.ndarray, half: torch.dtype) -> np.ndarray:
    """Complex parts in the float type of the model."""
    kinds = {torch.float16: np.dtype(np.float16), torch.bfloat16: NUMPY["bf16"]}
    return value.astype(kinds[half]) if value.dtype.kind == "f" or value.dtype == NUMPY["bf16"] else value

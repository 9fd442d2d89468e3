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
from generated.evaluator import evaluated
from ogive.backends.onnx_model.export import Settings, exported
from ogive.backends.onnx_model.graph.elems import NUMPY
from ogive.backends.onnx_model.serialize.external_data import arrays
from ogive.backends.onnx_model.serialize.write import whole
from onnx_model.cases import CASES, stated
from onnx_model.harness import array, checked, difference, model_of, proto_of, session
from onnx_model.test_ops import NO_REFERENCE, by_torch, choices, fixed_sizes, operands
from ops.cases import Case

EXAMPLES = Path(__file__).parents[2] / "examples"
# Ours may be off by so many roundings: of the result, and of the operands, whose effect is measured in float64.
# A lowering of a few steps rounds each; that the steps are not many more is what this says.
ROUNDINGS = 4
UNIT = {torch.float16: 2.0**-11, torch.bfloat16: 2.0**-8, torch.float64: 2.0**-50}
TIMES = 2  # a model may be off by so many times what torch is in the same type, and by some roundings of the result


def half_run(proto: ModelProto, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
    """By ONNX Runtime where it has kernels and takes the type, else by the evaluator of the standard."""
    try:
        found: list[np.ndarray] = session(proto).run(None, feeds)
    except (runtime.NotImplemented, runtime.InvalidArgument, runtime.Fail, runtime.RuntimeException, RuntimeError):
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            found = evaluated(proto, feeds)
    return found


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64], ids=str)
@pytest.mark.parametrize("name", ["gpt2", "mlp", "resnet", "vit", "llama"])
def test_it_is_close_to_double_precision(name: str, dtype: torch.dtype) -> None:
    model = ogive.load(EXAMPLES / f"{name}.arch").models["Tiny"]
    torch.manual_seed(0)
    net = model.torch().eval()
    with torch.no_grad():
        for weight in net.parameters():  # a head of zeros would hide all
            weight.add_(0.05 * torch.randn_like(weight))
    net = net.to(dtype)
    exact = model.torch().eval().double()
    exact.load_state_dict(net.state_dict())
    shapes = {"mlp": (3, 4), "resnet": (1, 3, 32, 24), "vit": (1, 3, 16, 16)}
    x = torch.randn(shapes[name]).to(dtype) if name in shapes else torch.randint(1, 64, (2, 5))
    with torch.no_grad():
        wanted = array(exact(x.double() if x.is_floating_point() else x))
        own = difference(np.asarray(array(net(x)), np.float64), wanted)
    proto = whole(exported(model.ir, arrays(net), Settings()))
    checked(proto)
    feeds = {proto.graph.input[0].name: array(x)}
    (got,) = half_run(proto, feeds)
    assert np.abs(wanted).max() > 0.01
    unit = max(UNIT[dtype], 2.0**-24 if name == "llama" else 0.0)  # the source has its angles in f32
    assert difference(np.asarray(got, np.float64), wanted) <= TIMES * own + ROUNDINGS * unit


SLIGHTLY = 8  # how often the operands are moved by up to a rounding
HALVES = [case for case in CASES if case.reference is not None]


@pytest.mark.parametrize("kind", ["f16", "bf16"])
@pytest.mark.parametrize("case", HALVES, ids=str)
def test_an_operation_in_half_precision(case: Case, kind: str) -> None:
    if kind == "bf16" and case.op in NO_REFERENCE:
        pytest.skip(NO_REFERENCE[case.op])  # and ONNX Runtime has no kernels
    state = stated(case)
    values = next(choices(state))
    torch.manual_seed(0)
    half = {"f16": torch.float16, "bf16": torch.bfloat16}[kind]
    given = [x.to(half) if x.dtype == torch.float else x for x in operands(state, values)]
    wide = [x.double() if x.dtype == half else x.to(torch.complex128) if x.is_complex() else x for x in given]
    wanted = by_torch(state, values, wide)
    apart = [by_torch(state, values, [moved(x, UNIT[half]) for x in wide]) for _ in range(SLIGHTLY)]
    proto = proto_of(model_of(state.node, state.types, state.names.known), sizes=fixed_sizes(state, values), dtype=kind)
    feeds = {value.name: _half(array(x), half) for value, x in zip(proto.graph.input, given, strict=True)}
    for at, (y, z) in enumerate(zip(half_run(proto, feeds), wanted, strict=True)):
        allowed = ROUNDINGS * roundings(z, [each[at] for each in apart], UNIT[half], half)
        gap = off(np.asarray(y), z)
        assert np.all(gap <= allowed), (gap.max(), allowed.min())


def moved(x: torch.Tensor, unit: float) -> torch.Tensor:
    """Each number moved by up to a rounding."""
    if not (x.is_floating_point() or x.is_complex()):
        return x
    return x * (1 + unit * (2 * torch.rand(x.shape, dtype=torch.double) - 1))


def roundings(exact: np.ndarray, apart: list[np.ndarray], unit: float, type: torch.dtype) -> np.ndarray:
    """What one rounding of the result and one of the operands make, for each number; infinite where it overflows.

    Of what is no float: nothing, unless it changes with the operands (an order, a comparison, a whole number).
    """
    if exact.dtype.kind in "biu":
        return np.where(np.any([other != exact for other in apart], axis=0), np.inf, 0.0)
    kind = torch.finfo(type)
    spread = np.max([off(other, exact) for other in apart], axis=0)
    return np.where(np.abs(exact) > kind.max, np.inf, unit * np.abs(exact) + spread + kind.tiny)


def off(found: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """How far each number is off; equal infinities and what is not a number in both are not."""
    same: np.ndarray = found == exact
    if exact.dtype.kind not in "biu":
        same = same | (np.isnan(found.astype(np.float64)) & np.isnan(exact))
    with np.errstate(invalid="ignore"):
        gap = np.nan_to_num(np.abs(found.astype(np.float64) - exact), nan=np.inf)
    off: np.ndarray = np.where(same, 0.0, 1.0 if exact.dtype.kind in "biu" else gap)
    return off


def _half(value: np.ndarray, half: torch.dtype) -> np.ndarray:
    """Complex parts in the float type of the model."""
    kinds = {torch.float16: np.dtype(np.float16), torch.bfloat16: NUMPY["bf16"]}
    return value.astype(kinds[half]) if value.dtype.kind == "f" or value.dtype == NUMPY["bf16"] else value

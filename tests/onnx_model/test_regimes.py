"""Every operation on inputs far from 0, large, tiny and constant, at every opset: ONNX Runtime against float64.

A number may be off by some roundings of the result and of the operands, whose effect is measured in float64, or by some
times what torch is off in float32.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

import ogive
from ogive.backends.onnx_model.export import Settings, exported
from ogive.backends.onnx_model.serialize.write import whole
from ogive.compiler.ops import OPS
from onnx_model.cases import CASES, Stated, stated
from onnx_model.harness import array, model_of, proto_of, session
from onnx_model.test_ops import choices, fixed_sizes, operands, torch_of
from onnx_model.test_precision import ROUNDINGS, SLIGHTLY, moved, off, roundings
from ops.cases import Case

UNIT = 2.0**-24
TIMES = 4  # how many times what torch is off
OPSETS = (20, 21, 22, 23, 24, 25, 26)
REGIMES: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "centred": lambda x: x,
    "offset by 20": lambda x: x + 20,
    "offset by 300": lambda x: x + 300,
    "offset by -3000": lambda x: x - 3000,
    "offset by 1e5": lambda x: x + 1e5,
    "times 10": lambda x: x * 10,
    "times 1e4": lambda x: x * 1e4,
    "times 1e18": lambda x: x * 1e18,
    "times 1e-4": lambda x: x * 1e-4,
    "times 1e-20": lambda x: x * 1e-20,
    "below 0": lambda x: -5 * x.abs(),
    "all 0.7": lambda x: torch.full_like(x, 0.7),
    "all 300.1": lambda x: torch.full_like(x, 300.1),
    "all 0": lambda x: torch.zeros_like(x),
}
# sums of products of everything: off by some roundings of the largest number that they could be
WHOLE = frozenset(
    ("fft", "ifft", "rfft", "irfft", "conv", "conv_transpose", "einsum", "matmul", "linear", "interpolate")
)
# the kernels of ONNX Runtime are exact to a rounding of 1 and of |x|, not of the result, where that is near 0
ABSOLUTE = frozenset(("sigmoid", "silu", "gelu_tanh"))
TIED = frozenset(("topk", "sort", "argsort", "argmax", "argmin"))  # which of equal numbers comes first
FORMS = (
    "layer_norm", "rms_norm", "batch_norm", "batch_norm_train", "group_norm", "softmax", "log_softmax", "attention",
    "gelu", "softplus", "mish", "hardswish", "hardsigmoid", "elu", "sigmoid", "silu", "expm1", "log1p", "tanh", "erf",
    "logsumexp", "norm", "mean", "var", "std", "lgamma", "digamma", "solve", "inverse", "rfft",
)  # fmt: skip
TRIED = [case for case in CASES if case.reference is not None and not OPS[case.op].random]
FIRST = [next(case for case in TRIED if case.op == op) for op in FORMS]


def scaled(state: Stated, given: list[torch.Tensor], regime: str) -> list[torch.Tensor]:
    """The operands in a regime, and legal."""
    found = [REGIMES[regime](x) if x.is_floating_point() else x for x in given]
    return list(state.case.prepare(*found)) if state.case.prepare is not None else found


def exact(x: torch.Tensor) -> torch.Tensor:
    return x.double() if x.dtype == torch.float else x.to(torch.complex128) if x.is_complex() else x


def check(case: Case, opset: int, regimes: tuple[str, ...] = tuple(REGIMES)) -> None:
    state = stated(case)
    values = list(choices(state))[-1]
    sizes = fixed_sizes(state, values)
    proto = proto_of(model_of(state.node, state.types, state.names.known), sizes=sizes, opset=opset)
    run, function = session(proto), torch_of(state, values)
    for regime in regimes:
        torch.manual_seed(0)
        given = scaled(state, operands(state, values), regime)
        wide = [exact(x) for x in given]
        try:
            wanted, own = function(wide), function(given)
            apart = [function([moved(x, UNIT) for x in wide]) for _ in range(SLIGHTLY)]
        except RuntimeError:  # torch says that a matrix is singular here
            continue
        feeds = {value.name: array(x) for value, x in zip(proto.graph.input, given, strict=True)}
        for at, (got, y, z) in enumerate(zip(run.run(None, feeds), wanted, own, strict=True)):
            if case.op in TIED and y.dtype.kind == "i" and regime.startswith("all"):
                continue
            with np.errstate(all="ignore"):
                wrong = off(np.asarray(got), y) > bound(case.op, wide, y, z, [each[at] for each in apart])
            assert not wrong.any(), (regime, opset, np.asarray(got)[wrong][:3], y[wrong][:3], np.asarray(z)[wrong][:3])


def bound(op: str, wide: list[torch.Tensor], y: np.ndarray, own: np.ndarray, apart: list[np.ndarray]) -> np.ndarray:
    """How much each number may be off."""
    allowed = ROUNDINGS * roundings(y, apart, UNIT, torch.float) + TIMES * off(own.astype(y.dtype), y)
    if op in WHOLE:
        allowed = allowed + ROUNDINGS * ROUNDINGS * UNIT * np.abs(y).max(initial=0)
    if op in ABSOLUTE:
        allowed = allowed + ROUNDINGS * UNIT * np.maximum(1, np.abs(wide[0].numpy()))
    found: np.ndarray = allowed
    return found


@pytest.mark.parametrize("opset", [20, 23])
@pytest.mark.parametrize("case", FIRST, ids=str)
def test_a_form_stays_exact(case: Case, opset: int) -> None:
    check(case, opset)


@pytest.mark.slow
@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("case", TRIED, ids=str)
def test_an_operation_stays_exact(case: Case, opset: int) -> None:
    check(case, opset)


NORMS = {
    "group_norm[8](x)": (2, 16, 24, 24),
    "group_norm[1, eps=1e-6](x)": (1, 8, 32, 32),
    "group_norm[16](x)": (2, 16, 24, 24),
    "layer_norm(x)": (1, 2, 3, 4096),
    "layer_norm[axes=c](x)": (1, 16, 24, 24),
    "rms_norm(x)": (1, 2, 3, 4096),
    "softmax[-1](x)": (1, 2, 3, 4096),
    "x / sqrt(var(x) + 1e-5)": (1, 16, 24, 24),
    "x / norm[1, 2, 3](x)": (1, 16, 24, 24),
    "x - logsumexp[-1](x)": (1, 2, 1, 4096),
}


@pytest.mark.parametrize("opset", [20, 23, 26])
@pytest.mark.parametrize("form", NORMS)
def test_norms_of_many_numbers_stay_exact(form: str, opset: int) -> None:
    """At most twice as far off as torch, and never by more than some roundings of the largest number beyond that."""
    form_ = form.replace("norm[1, 2, 3](x)", 'rearrange["b -> b 1 1 1"](norm[1, 2, 3](x))')
    form_ = form_.replace("logsumexp[-1](x)", 'rearrange["b c h -> b c h 1"](logsumexp[-1](x))')
    source = f"block F(x: [b, c, h, w]) -> [b, c, h, w]:\n    return {form_}\nmodel M = F\n"
    model = ogive.source(source.replace("[b, c,", "[b, 16,") if "16" in form or "8" in form else source).models["M"]
    run, net = session(whole(exported(model.ir, {}, Settings(opset=opset)))), model.torch()
    torch.manual_seed(0)
    for offset, scale in ((0, 1), (300, 1), (-3000, 1), (1e5, 1), (0, 1e8), (1, 1e-8)):
        x = (torch.randn(NORMS[form]) + offset) * scale
        exact, own = net(x.double()).numpy(), net(x).numpy()
        got = run.run(None, {"x": array(x)})[0]
        unit = UNIT * np.abs(exact).max()
        assert np.abs(got - exact).max() <= 2 * np.abs(own - exact).max() + 64 * unit, (offset, scale)


@pytest.mark.parametrize("fixed", [False, True])
@pytest.mark.parametrize("length", [1, 2, 3, 7, 64, 100, 127, 1000, 1024, 2310])
def test_transforms_of_any_length(length: int, fixed: bool) -> None:
    model = ogive.source("""
block F(x: [b, n]) -> (re: [b, n//2 + 1], im: [b, n//2 + 1], back: [b, n], whole: [b, n]):
    z = rfft(x)
    return real(z), imag(z), irfft[sizes=[n]](z), real(ifft[norm="ortho"](fft[norm="ortho"](x) * 2))
model M = F
""").models["M"]
    run = session(whole(exported(model.ir, {}, Settings(sizes={"n": length} if fixed else {}))))
    torch.manual_seed(length)
    x = torch.randn(2, length) + 3
    found, wanted = run.run(None, {"x": array(x)}), [array(y) for y in model.torch()(x.double())]
    largest = max(np.abs(exact).max() for exact in wanted[:2])  # of the real and the imaginary parts
    scales = (largest, largest, *(np.abs(exact).max() for exact in wanted[2:]))
    for got, exact, scale in zip(found, wanted, scales, strict=True):
        assert np.abs(got - exact).max() <= 16 * UNIT * scale

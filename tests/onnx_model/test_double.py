"""float64 is float64 in ONNX Runtime with its default optimizations: no number on the way is rounded to float32."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from onnx import ModelProto
from onnxruntime.capi import onnxruntime_pybind11_state as runtime

import ogive
from generated.evaluator import evaluated
from ogive.backends.onnx_model.export import Settings, exported
from ogive.backends.onnx_model.serialize.external_data import arrays
from ogive.backends.onnx_model.serialize.write import whole
from onnx_model.harness import array, checked, difference, session

NEAR = 1e-13
# expressions of x: [b, t, 6], that have the same type
CODES = """gelu(x) gelu_tanh(x) leaky_relu[0.1](x) elu[0.7](x) hardsigmoid(x) hardswish(x) relu6(relu(x)) silu(x)
    hardtanh[-0.1,0.7](relu(x)) clamp[0.1,0.7](x) clamp[0.1,inf](relu(x)) clamp[-inf,0.1](x) softplus[0.3](x) mish(x)
    layer_norm[eps=1e-5](x) layer_norm[axes=1,eps=1e-3](x) rms_norm[eps=1e-6](x) group_norm[1,eps=1e-4](x) 0.1*x/0.3
    softmax[-1](0.1*x) log_softmax[-1](x) attention(x,x,x) attention[causal=true](x,x,x) attention[scale=0.3](x,x,x)
    attention(x[:,:1],x,x)+x lerp(x,2*x,0.1) x**0.3 (0.1*x)@w x@(w*s) (x@w)/12
    ((x*0.1)@w)*0.7 (x/s)@(w/s) x@w*(1/3) irfft[axes=[-1],sizes=[6]](rfft[axes=[-1]](x)/3)
    real(ifft[axes=[1]](fft[axes=[1]](x)*0.1)) real(ifft[axes=[1,2],norm="forward"](x))
    irfft[axes=[-2,-1],sizes=[5,6],norm="ortho"](rfft[axes=[-2,-1]](x))[:,:1]+x
    x@(w*mean(tanh(w))) (x@w)*mean(w) (x@w)*s*0.5*s (x*0.5*w[0,0])@w (x@w)/(0.1+t)
    x*sigmoid(1.702*x) x*0.5*(1+erf(x/sqrt(2.0))) x*minimum(maximum(x/6+0.5,0.0),1.0) x*tanh(log(1+exp(x)))""".split()
CODES += [
    'rearrange["t b c -> b t c"](rearrange["b t c -> t b c"](x @ w) * 0.3)',
    '(x - reduce["b t c -> b t 1", mean](x)) / '
    'sqrt(reduce["b t c -> b t 1", mean]((x - reduce["b t c -> b t 1", mean](x))**2) + 1e-7) * w[0] + w[1]',
    'x / sqrt(reduce["b t c -> b t 1", mean](x**2) + 1e-7) * w[0]',
]
LACKING = (
    "gelu(x)",
    "mish(x)",
    "softplus[0.3](x)",
    "x*0.5*(1+erf(x/sqrt(2.0)))",
)  # ONNX Runtime has no kernel in float64


@pytest.mark.parametrize("opset", [pytest.param(20, marks=pytest.mark.slow), 23])
@pytest.mark.parametrize("code", CODES)
def test_nothing_is_rounded_to_single_precision(code: str, opset: int) -> None:
    head = "block F(x: [b, t, 6]) -> [b, t, 6]\nwhere t == 5:\n    param w: [6, 6] = normal\n    param s: [] = normal\n"
    model = ogive.source(f"{head}    return {code}\nmodel M = F\n").models["M"]
    torch.manual_seed(0)
    net = model.torch().double().eval()
    for fixed in (False, True):
        proto = whole(exported(model.ir, arrays(net), Settings(opset=opset, sizes={"b": 2, "t": 5} if fixed else {})))
        checked(proto)
        for size in (1.0, 1e-3):  # small ones show what an epsilon is
            x = size * torch.randn(2, 5, 6, dtype=torch.float64)
            with torch.no_grad():
                exact = array(net(x))
            scale = float(np.abs(exact).max())
            assert difference(computed(code, proto, array(x)) / scale, exact / scale) <= NEAR


# blocks of x: [b, t, 6] and a number s: what multiplies and what is multiplied are on two sides of a call, or in one
HEAD = "(x: [b, t, 6]) -> [b, t, 6]:\n    "
WEIGHT = "param w: [6, 6] = normal\n    "
CALLS = {  # the body of the model, and a block that it calls
    "inside": ("return F(x)", f"block F{HEAD}{WEIGHT}return (0.1 * x) @ w * 0.7"),
    "factor before": ("return F(0.1 * x)", f"block F{HEAD}{WEIGHT}return x @ w"),
    "factor behind": ("return F(x) / 7", f"block F{HEAD}{WEIGHT}return x @ w"),
    "product before": (f"{WEIGHT}return F(x @ w)", f"block F{HEAD}param u: [6] = normal\n    return u + x * 0.1"),
    "product behind": (f"{WEIGHT}return F(x) @ w", f"block F{HEAD}param u: [6] = normal\n    return (u + x) / 0.3"),
    "factor given": (
        "return F(x, full[6, 6, v=0.1])",
        f"block F(x: [b, t, 6], u: [6, 6]) -> [b, t, 6]:\n    {WEIGHT}return x @ w * mean(u)",
    ),
    "iterations": (f"repeat 2:\n        {WEIGHT}    x = tanh(0.1 * x @ w)\n    return x", ""),
}


@pytest.mark.parametrize("name", CALLS)
def test_nothing_is_rounded_where_blocks_are_functions(name: str) -> None:
    body, block = CALLS[name]
    model = ogive.source(f"{block}\nblock N{HEAD}{body}\nmodel M = N\n").models["M"]
    torch.manual_seed(0)
    net = model.torch().double().eval()
    proto = whole(exported(model.ir, arrays(net), Settings(functions=True)))
    checked(proto)
    assert proto.functions
    x = torch.randn(2, 5, 6, dtype=torch.float64)
    with torch.no_grad():
        exact = array(net(x))
    found = session(proto).run(None, {"x": array(x)})[0]
    assert difference(found, exact) <= NEAR * float(np.abs(exact).max())


def computed(code: str, proto: ModelProto, x: np.ndarray) -> np.ndarray:
    """By ONNX Runtime, or by the evaluator of the standard where that has no kernel."""
    try:
        found: np.ndarray = session(proto).run(None, {"x": x})[0]
        assert code not in LACKING
    except runtime.NotImplemented:
        assert code in LACKING
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = evaluated(proto, {"x": x})[0]
    return found

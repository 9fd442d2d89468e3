"""Half precision: ONNX Runtime where the CPU provider has kernels, else the reference, against float64."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

import ogive
from ogive.backends.onnx_model.export import Settings, exported
from ogive.backends.onnx_model.sources import arrays
from ogive.backends.onnx_model.write import whole
from onnx_model.harness import array, by_reference, checked, difference, session

EXAMPLES = Path(__file__).parents[2] / "examples"
# relative to the largest number; a few roundings of the type
BOUNDS = {torch.float16: 2e-2, torch.bfloat16: 1.5e-1, torch.float64: 1e-6}


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
    try:
        got = session(proto).run(None, feeds)[0]
    except (onnxruntime.capi.onnxruntime_pybind11_state.NotImplemented, RuntimeError):
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            got = by_reference(proto, feeds)[0]
    assert difference(np.asarray(got, np.float64), wanted) <= BOUNDS[dtype]

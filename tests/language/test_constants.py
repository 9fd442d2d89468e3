"""What is made of constants alone has the model's float type, in all backends, and is as exact as that type."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import ogive
from language.constants import PROGRAMS, text
from ogive.api import Model
from ogive.backends.onnx_model.export import Settings, exported
from ogive.backends.onnx_model.serialize.write import whole as whole_proto
from onnx_model.harness import session
from reference.interpreter import Reference
from reference.store import Store

X, WHOLE = np.linspace(0.3, 1.1, 5), np.arange(5)
# what torch has no kernel for in the type
LACKING = {
    torch.float16: ("inverse", "complex", "fourier", "fourier_of_reals", "fourier_by_root"),
    torch.bfloat16: ("inverse", "complex", "fourier", "fourier_of_reals", "fourier_by_root"),
}
BOUNDS = {torch.float64: 1e-13, torch.float32: 1e-5, torch.float16: 2e-2, torch.bfloat16: 1e-1}
# those whose float64 kernels ONNX Runtime has not
NO_KERNEL = "NOT_IMPLEMENTED"


def given(dtype: torch.dtype, *, whole: bool) -> torch.Tensor:
    """The input."""
    return torch.tensor(WHOLE) if whole else torch.tensor(X).to(dtype)


def expected(model: Model, net: nn.Module, *, whole: bool) -> np.ndarray:
    """What the interpreter of the IR computes in float64."""
    weights = {name: value.detach().double().numpy() for name, value in net.state_dict().items()}
    (y,) = Reference(model.ir, Store.of(weights)).run([WHOLE if whole else X])
    assert y is not None
    return np.asarray(y.value)


@pytest.mark.parametrize("whole", [False, True], ids=["floats", "whole"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_constants_have_the_type_of_the_model(name: str, whole: bool) -> None:
    for known in (False, True) if "weights" not in name and "param" not in name and "state" not in name else (True,):
        model = ogive.source(text(PROGRAMS[name], whole=whole, known=known)).models["M"]
        want = expected(model, model.torch().double(), whole=whole)
        for dtype, bound in BOUNDS.items():
            if name in LACKING.get(dtype, ()):
                continue
            y = model.torch().to(dtype).eval()(given(dtype, whole=whole))
            assert y.dtype == dtype
            np.testing.assert_allclose(y.detach().double().numpy(), want, rtol=bound, atol=bound)
        y = model.torch().to("meta").eval()(given(torch.float32, whole=whole).to("meta"))
        assert y.device.type == "meta"


@pytest.mark.parametrize("name", PROGRAMS)
def test_constants_are_exact_in_onnx_and_after_passes(name: str) -> None:
    model = ogive.source(text(PROGRAMS[name], whole=False, known=True)).models["M"]
    net = model.torch().double().eval()
    want = expected(model, net, whole=False)
    arrays = {path: weight.detach().numpy() for path, weight in net.state_dict().items()}
    proto = whole_proto(exported(model.ir, arrays, Settings(dtype="f64")))
    try:
        runs = session(proto)
    except Exception as error:
        assert NO_KERNEL in str(error)
    else:
        (y,) = runs.run(None, {runs.get_inputs()[0].name: X})
        np.testing.assert_allclose(y, want, rtol=1e-13, atol=1e-13)
    if arrays:
        return  # a fold joins weights in the type in which they start
    y = model.deploy("fold").fresh().double().eval()(torch.tensor(X))
    np.testing.assert_allclose(y.detach().numpy(), want, rtol=1e-13, atol=1e-13)

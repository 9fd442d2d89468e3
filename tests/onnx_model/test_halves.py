"""What torch has no kernels of halves for."""

from __future__ import annotations

import pytest
import torch

import ogive
from generated.runtimes import session
from ogive.backends.onnx_model.export import Settings, exported
from ogive.backends.onnx_model.serialize.write import whole

SYSTEMS = ["det(a) * x", "solve(a, x)", "inverse(a) @ x", "cholesky(a) @ x", "solve_triangular(cholesky(a), x)"]


@pytest.mark.parametrize("kind", ["f16", "bf16"])
@pytest.mark.parametrize("own", [False, True])
def test_systems_of_halves_are_solved_in_float32(kind: str, own: bool) -> None:
    """In torch, whether the text or the module says the type, and in ONNX; rounded once for each operation."""
    dtype = {"f16": torch.half, "bf16": torch.bfloat16}[kind]
    elem = kind if own else ""
    x = (torch.randn(3, 3, generator=torch.Generator().manual_seed(1)) / 2).to(dtype)
    a = (x @ x.mT + 2 * torch.eye(3, dtype=dtype)).to(dtype)
    for code in SYSTEMS:
        text = f"block F(a: {elem}[3, 3], x: {elem}[3, 3]) -> {elem}[3, 3]:\n    return {code}\nmodel M = F\n"
        model = ogive.source(text).models["M"]
        wanted = ogive.source(text.replace(kind, "f64")).models["M"].torch().double()(a.double(), x.double())
        found = model.torch().to(dtype)(a, x)
        assert found.dtype == dtype
        bound = 16 * torch.finfo(dtype).eps * float(wanted.abs().max())
        assert float((found.double() - wanted).abs().max()) <= bound, code
        if kind == "f16":
            runs = session(whole(exported(model.ir, {}, Settings(dtype="f16"))))
            (other,) = runs.run(None, {"a": a.numpy(), "x": x.numpy()})
            assert float((torch.from_numpy(other).double() - wanted).abs().max()) <= bound, code

"""Element-wise operations on integers: in ONNX Runtime what torch gives, of either sign."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

import ogive
from onnx_model.harness import session

BODIES = [
    "relu(x)", "abs(x)", "-x", "sign(x)", "clamp[-2, 3](x)", "maximum(x, 1)", "minimum(x, -1)", "x * x - 3",
    "x // 3", "x % 3", "floor(x)", "select(x > 0, x, 2 * x)", "cast[float](x) / 2", "bitwise_and(x, 6)",
]  # fmt: skip


@pytest.mark.parametrize("body", BODIES)
def test_integers(body: str, tmp_path: Path) -> None:
    model = ogive.source(
        f"block Main(x: int[n]) -> {'' if 'float' in body else 'int'}[n]:\n    return {body}\n\nmodel M = Main\n"
    ).models["M"]
    x = torch.arange(-7, 8)
    model.onnx(tmp_path / "m.onnx")
    (y,) = session(onnx.load(tmp_path / "m.onnx")).run(None, {"x": x.numpy()})
    assert np.array_equal(y, model.torch()(x).numpy())

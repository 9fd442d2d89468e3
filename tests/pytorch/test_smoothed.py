"""Antialiased resampling to few rows and columns: what is given along one axis is that of the axes one by one."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import onnxruntime
import pytest
import torch
from torch import Tensor

import ogive

TEXT = """
block To[mode: str, h: nat, w: nat](x: [b, c, p, q]) -> [b, c, h, w]:
    return interpolate[size=[h, w], mode=mode, antialias=true](x)

block By[mode: str, r: float, s: float](x: [b, c, p, q]) -> [b, c, p', q']:
    return interpolate[scale=[r, s], mode=mode, antialias=true](x)
"""
SIZES = list(product(("bilinear", "bicubic"), (1, 2, 3), (1, 2, 3)))
SCALES = list(product(("bilinear", "bicubic"), (0.5, 0.25, 1.5), (0.5, 0.25, 1.5)))
MODELS = "".join(
    [f'model To{at} = To["{mode}", {h}, {w}]\n' for at, (mode, h, w) in enumerate(SIZES)]
    + [f'model By{at} = By["{mode}", {r}, {s}]\n' for at, (mode, r, s) in enumerate(SCALES)]
)


def row_by_row(x: Tensor, mode: str, h: dict[str, object], w: dict[str, object]) -> Tensor:
    """Each axis by itself, the other one repeated, so that torch never makes a single column."""

    def along_rows(x: Tensor, given: dict[str, object]) -> Tensor:
        lines = x.transpose(-1, -2).flatten(0, -2)[:, None, :, None].expand(-1, 1, -1, 4)
        two: dict[str, Any] = {key: (value, 4 if key == "size" else 1.0) for key, value in given.items()}
        y = torch.nn.functional.interpolate(lines.contiguous(), mode=mode, antialias=True, **two)[..., 0]
        return y.reshape(*x.shape[:-2], x.shape[-1], -1).transpose(-1, -2)

    return along_rows(along_rows(x, h).transpose(-1, -2), w).transpose(-1, -2)


@pytest.fixture(scope="module")
def program() -> ogive.Program:
    return ogive.source(TEXT + MODELS)


@pytest.mark.parametrize(("kind", "key", "cases"), [("To", "size", SIZES), ("By", "scale_factor", SCALES)])
def test_each_axis_is_resampled_as_by_itself(
    program: ogive.Program, kind: str, key: str, cases: list[tuple[str, float, float]], tmp_path: Path
) -> None:
    x = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    for at, (mode, h, w) in enumerate(cases):
        model = program[f"{kind}{at}"]
        found = model.torch()(x)
        torch.testing.assert_close(found, row_by_row(x, mode, {key: h}, {key: w}), msg=f"{mode} {h} {w}")
        if kind == "To" and w == 1:
            model.onnx(tmp_path / "model.onnx")
            (other,) = onnxruntime.InferenceSession(tmp_path / "model.onnx").run(None, {"x": x.numpy()})
            torch.testing.assert_close(found, torch.from_numpy(other), rtol=1e-5, atol=1e-5)

"""`select` of bools in ONNX Runtime, which has no `Where` of them."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import onnxruntime
import pytest
import torch

import ogive

SIDES = [("a", "b"), ("a", "false"), ("a", "true"), ("false", "b"), ("true", "b"), ("true", "false")]


@pytest.mark.parametrize(("a", "b"), SIDES)
def test_select_of_bools(a: str, b: str, tmp_path: Path) -> None:
    text = f"block F(c: bool[n], a: bool[n], b: bool[n]) -> bool[n]:\n    return select(c, {a}, {b})\n\nmodel M = F\n"
    model = ogive.source(text).models["M"]
    net = model.torch()
    model.onnx(tmp_path / "m.onnx", weights=net)
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx", providers=["CPUExecutionProvider"])
    columns = torch.tensor(list(product([False, True], repeat=3))).unbind(1)
    fed = dict(zip("cab", columns, strict=True))
    found = session.run(None, {each.name: fed[each.name].numpy() for each in session.get_inputs()})
    assert torch.equal(torch.from_numpy(found[0]), net(*columns))

"""A GPT-2 that decodes with a cache, where it is deployed: ONNX Runtime and torch.export, from the empty cache on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor, nn
from torch.export import Dim, export

import ogive
from ogive.api import Model

FILE = Path(__file__).parents[2] / "examples" / "gpt2_cache.arch"
STEPS = ((1,) * 9, (4, 1, 1, 3))


def made() -> tuple[Model, nn.Module, Tensor]:
    model = ogive.load(FILE)["Tiny"]
    assert isinstance(model, Model)
    torch.manual_seed(0)
    return model, model.torch().eval(), torch.randint(64, (2, 9))


def empty() -> Tensor:
    return torch.zeros(2, 2, 2, 2, 0, 8)


@pytest.mark.parametrize("functions", [False, True])
@pytest.mark.parametrize("steps", STEPS)
def test_onnx_runtime_decodes_from_an_empty_cache(steps: tuple[int, ...], functions: bool, tmp_path: Path) -> None:
    model, net, ids = made()
    model.onnx(tmp_path / "step.onnx", weights=net, optional=["cache"], functions=functions)
    session = onnxruntime.InferenceSession(tmp_path / "step.onnx", providers=["CPUExecutionProvider"])
    cache, logits = empty().numpy(), []
    for part in torch.tensor_split(ids, np.cumsum(steps)[:-1].tolist(), 1):
        more, cache = session.run(["logits", "present"], {"ids": part.numpy(), "cache": cache})
        logits.append(more)
    full, present = net(ids)
    np.testing.assert_allclose(np.concatenate(logits, 1), full.detach().numpy(), atol=2e-5)
    np.testing.assert_allclose(cache, present.detach().numpy(), atol=2e-5)


def test_an_exported_program_decodes_from_an_empty_cache() -> None:
    _, net, ids = made()
    shapes = {"ids": {1: Dim.AUTO}, "cache": {4: Dim.AUTO}}
    program = export(net, (ids[:, :2], torch.randn(2, 2, 2, 2, 3, 8)), dynamic_shapes=shapes).module()
    cache, logits = empty(), []
    for part in torch.tensor_split(ids, [4, 6], 1):
        more, cache = program(part, cache)
        logits.append(more)
    torch.testing.assert_close(torch.cat(logits, 1), net(ids)[0], atol=1e-5, rtol=1e-5)

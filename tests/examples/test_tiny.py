"""Every example checks without a word, and its `Tiny` trains for a step in about a second."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import torch
from torch import Tensor

import ogive
from ogive.api import Model

EXAMPLES = Path(__file__).parents[2] / "examples"
FILES = sorted(EXAMPLES.glob("*.arch"))


def inputs(name: str) -> tuple[Tensor, ...]:
    """Something that `Tiny` of this example takes."""
    generator = torch.Generator().manual_seed(0)
    if name in {"bert", "llama", "t5_encoder"}:
        return (torch.randint(1, 97, (2, 9), generator=generator),)
    shapes = {"vit": (2, 3, 16, 16), "mixer": (2, 3, 16, 16), "unet": (1, 1, 60, 44)}
    return (torch.randn(shapes.get(name, (2, 3, 32, 24)), generator=generator),)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_it_checks_without_a_word(path: Path) -> None:
    program = ogive.load(path)
    assert not program.diagnostics
    assert "Tiny" in program.models
    assert len(program.models) > 1


@pytest.mark.parametrize("path", [p for p in FILES if p.stem not in {"gpt2", "mlp"}], ids=lambda path: path.stem)
def test_tiny_trains_for_a_step(path: Path) -> None:
    model = ogive.load(path)["Tiny"]
    assert isinstance(model, Model)
    torch.manual_seed(0)
    net = model.torch()
    start = time.perf_counter()
    outputs = net(*inputs(path.stem))
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    loss = sum((y.square().mean() for y in outputs), start=torch.zeros(()))
    loss.backward()
    seconds = time.perf_counter() - start
    assert torch.isfinite(loss)
    without = [name for name, weight in net.named_parameters() if weight.grad is None]
    assert not without
    assert seconds < 3  # about one on an idle core; the others share the machine

"""Every example checks without a word, and its `Tiny` trains for a step in about a second."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import torch
from torch import Tensor

import ogive
from ogive.api import Model
from ogive.compiler.sizes import size
from sampled import sampled

EXAMPLES = Path(__file__).parents[2] / "examples"
FILES = sorted(EXAMPLES.glob("*.arch"))


# sizes of inputs where the usual ones do not fit, or say little
SIZES: dict[str, dict[str, int]] = {
    "vit": {"h": 16, "w": 16},
    "mixer": {"h": 16, "w": 16},
    "ewa_vit": {"h": 8, "w": 8},
    "unet": {"b": 1, "h": 60, "w": 44},
    "inception_v3": {"h": 75, "w": 75},
    "maxvit": {"h": 32, "w": 16},
    "wav2vec2": {"t": 50},
    "yolo": {"h": 32, "w": 64},
}
USUAL = {"b": 2, "n": 9, "h": 32, "w": 24}
OTHER = 6
ENTRIES = 4  # of tables, nodes, and whatever else whole numbers count


def inputs(model: Model, name: str) -> tuple[Tensor, ...]:
    """Something that `Tiny` of this example takes; optional inputs are left out."""
    generator = torch.Generator().manual_seed(0)
    known = {**USUAL, **SIZES.get(name, {})}
    definition = model.ir.definition
    mapping = {u: size(known.get(u.name, OTHER)) for u in definition.sizes} | {u: size(n) for u, n in model.ir.bindings}
    made = []
    for value, optional in zip(definition.graph.inputs, definition.optional, strict=True):
        shape = [axis.size.subs(mapping).number for axis in value.type.axes]
        if optional:
            break
        if value.type.elem == "int":
            made.append(torch.randint(ENTRIES, shape, generator=generator))
        else:
            made.append(torch.randn(shape, generator=generator))
    return tuple(made)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_it_checks_without_a_warning(path: Path) -> None:
    program = ogive.load(path)
    assert not [found for found in program.diagnostics if found.severity != "hint"]
    assert "Tiny" in program.models
    assert len(program.models) > 1


@pytest.mark.parametrize("path", sampled(p for p in FILES if p.stem not in {"gpt2", "mlp"}), ids=lambda path: path.stem)
def test_tiny_trains_for_a_step(path: Path) -> None:
    model = ogive.load(path)["Tiny"]
    assert isinstance(model, Model)
    torch.manual_seed(0)
    net = model.torch()
    start = time.thread_time()
    outputs = net(*inputs(model, path.stem))
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    loss = sum((y.square().mean() for y in outputs), start=torch.zeros(()))
    loss.backward()
    seconds = time.thread_time() - start
    assert torch.isfinite(loss)
    without = [name for name, weight in net.named_parameters() if weight.grad is None]
    assert not without
    assert seconds < 3  # about one; the machine is shared

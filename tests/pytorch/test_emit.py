"""Emitted files: the text of small models, their names of weights, and what they compute."""

from __future__ import annotations

import pytest
import torch

from ogive.backends.pytorch.module.file import emit
from ogive.backends.pytorch.module.module import build
from ogive.compiler.ir.model import Model
from pytorch import build as made

MODELS = {"mlp": made.mlp(), "own": made.mlp(own=True), "deep": made.deep()}


@pytest.fixture(params=sorted(MODELS))
def model(request: pytest.FixtureRequest) -> Model:
    return MODELS[request.param]


def test_a_layer_of_torch_is_written_as_such() -> None:
    text = emit(made.mlp())
    assert "self.up = nn.Linear(d, hidden)" in text
    assert "return x + self.down(F.gelu(self.up(x)))" in text


def test_weights_have_the_paths_of_the_source() -> None:
    names = list(build(made.deep()).state_dict())
    parts = [f"{layer}.{part}" for layer in ("up", "down") for part in ("weight", "bias")]
    assert names == [f"h.{iteration}.mlp.{part}" for iteration in range(3) for part in parts]


def test_a_model_runs_in_any_float_type_and_allocates_nothing_on_meta(model: Model) -> None:
    assert all(p.is_meta for p in build(model, device="meta").parameters())
    x = torch.randn(2, 8, dtype=torch.float64)
    assert build(model).double()(x).dtype == torch.float64


def test_both_forms_of_a_layer_compute_the_same() -> None:
    plain, own = build(made.mlp()), build(made.mlp(own=True))
    own.load_state_dict(plain.state_dict())
    x = torch.randn(3, 8)
    assert torch.equal(plain(x), own(x))

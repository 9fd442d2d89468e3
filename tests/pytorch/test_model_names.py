"""Models may have the names that the emitted file uses itself."""

from __future__ import annotations

import pytest
import torch

import ogive
from ogive.api import Model

TEXT = """
use std.nn (Linear)

block Net[d](x: [b, d]) -> [b, d]:
    return x |> Linear[d, d] as lin |> silu |> softmax[-1]

model NAME = Net[4]
"""


@pytest.mark.parametrize("name", ["F", "Tensor", "I", "Any"])
def test_a_model_hides_nothing_that_its_file_needs(name: str) -> None:
    model = ogive.source(TEXT.replace("NAME", name))[name]
    assert isinstance(model, Model)
    assert model.torch()(torch.randn(2, 4)).shape == (2, 4)


NAMED = """
block NAME[d](x: [b, d]) -> (y: [b, d], z: [b, d]):
    param w: [d] = ones
    return x * w, -x
block Around[d](x: [b, d]) -> (u: [b, d], v: [b, d]):
    repeat 2 as lay:
        y, z = x |> NAME[d] as it
        x = 2 * y + z
    return x, -x
model One = NAME[4]
model Two = Around[4]
"""


@pytest.mark.parametrize("name", ["_0", "__1", "_", "_a", "a_2", "A'", "_2'", "Output", "AroundOutput", "Module"])
def test_a_block_may_have_any_name(name: str) -> None:
    """Classes of the emitted file are made of it: that of the block, and that of its outputs."""
    models, x = ogive.source(NAMED.replace("NAME", name)).models, torch.randn(2, 4)
    for model in (models["One"], models["Two"]):
        y, z = model.torch()(x)
        assert torch.equal(y, x)
        assert torch.equal(z, -x)

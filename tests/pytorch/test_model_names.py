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

"""Folding where a weight is read in more than one way: values stay, and what is folded depends on the rest no more."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings

from deploy.folding import folded, image, model
from deploy.shared_weights import TYPES, bodies, pictures

TURNED = """
param w: [4, 4]
x = matmul(x |> LayerNorm, w)
return x + relu(w)[0]
"""
TWICE = """
param w: [4, 4]
y = x |> LayerNorm
return matmul(y, w) + einsum["b n i, i o -> b n o"](relu(x), relu(w)) + linear(x, w)
"""


@given(bodies())
@example(TURNED)
@example(TWICE)
@settings(max_examples=12, deadline=None)
def test_maps_that_are_read_in_several_forms(body: str) -> None:
    found = folded(model(body, TYPES))
    assert found.error(image(2, 3, 4)) < 1e-9


@given(pictures())
@settings(max_examples=8, deadline=None)
def test_kernels_that_are_read_in_several_forms(body: str) -> None:
    found = folded(model(body))
    assert found.error(image(2, 4, 63, 65)) < 1e-9  # of kernels that lie in each other six times, something is left


@pytest.mark.parametrize("rank", range(1, 8))
def test_scales_and_shifts_of_values_of_every_rank(rank: int) -> None:
    axes = ", ".join("abcdefg"[:rank])
    lines = "param w: [1]\nparam v: []\nreturn (x * 0.5 + w) * v / 3 - 0.25 * x"
    found = folded(model(lines, f"(x: [{axes}]) -> [{axes}]"))
    assert found.error(image(*[2] * rank)) < 1e-12

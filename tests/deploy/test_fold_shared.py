"""Folding where a weight is read in more than one way: values stay, and what is folded no longer hangs on the rest."""

from __future__ import annotations

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
    assert found.error(image(2, 4, 9, 11)) < 1e-9

"""Sizes are written in the names of the source where what is known allows it, and are the same numbers."""

from __future__ import annotations

import random

import pytest
import torch

import ogive
from ogive.backends.python_text.plain_sizes import _plain
from ogive.compiler.sizes import Facts, Size, Unknown, eq, size

D, H, K = (Unknown(name, 1) for name in ("d", "heads", "kv_heads"))
KNOWN = (eq(size(D) % size(H), 0), eq(size(H) % size(K), 0))
E = size(D) // size(H)
G = size(H) // size(K)


@pytest.mark.parametrize(
    ("found", "shown"),
    [
        (size(H) * E, "d"),
        (size(H) * E // (size(K) * G), "d//heads"),
        (size(K) * G, "heads"),
        (size(H) * E + 2 * size(K) * E, "2*kv_heads*(d//heads) + d"),
        (3 * size(H) * E, "3*d"),
        (E, "d//heads"),
        (size(K) * E, "kv_heads*(d//heads)"),
        (2 * size(D) // 3, "2*d//3"),
    ],
)
def test_products_of_quotients_are_names(found: Size, shown: str) -> None:
    assert str(_plain(Facts.of(KNOWN), found)) == shown


def test_a_plain_size_is_the_same_number() -> None:
    """Over sums of random products, at random sizes that meet what is known."""
    draw, facts, shorter = random.Random(0), Facts.of(KNOWN), 0
    parts = [size(D), size(H), size(K), E, G, size(3), size(D) // (size(K) * G), size(H) * E // 2]
    for _ in range(150):
        made = size(0)
        for _ in range(draw.randint(1, 3)):
            made = made + draw.choice(parts) * draw.choice(parts) * draw.randint(1, 3)
        made = made // draw.choice([size(1), size(2), size(H), size(K) * G])
        plain = _plain(facts, made)
        shorter += len(str(plain)) < len(str(made))
        for _ in range(5):
            kv, g, e = (draw.randint(1, 5) for _ in range(3))
            numbers = {D: kv * g * e, H: kv * g, K: kv}
            assert plain.at(numbers) == made.at(numbers)
    assert shorter >= 10


def test_emitted_modules_are_made_in_these_sizes() -> None:
    program = ogive.source("""
use std.nn (Linear)
block Net[d, heads, kv_heads](x: [b, n, d]) -> [b, n, d]
where d % heads == 0, heads % kv_heads == 0:
    e = d // heads
    y = x |> Linear[d, heads * e] as q |> Linear[heads * e, heads * e // (kv_heads * (heads // kv_heads))] as narrow
    return y |> Linear[e, d] as out
model M = Net[d=16, heads=4, kv_heads=2]
""")
    text = program["M"].torch_source()
    assert "self.q = nn.Linear(d, d)" in text
    assert "self.narrow = nn.Linear(d, d // heads)" in text
    assert program["M"].torch()(torch.ones(1, 2, 16)).shape == (1, 2, 16)

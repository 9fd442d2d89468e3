"""Sizes are written in the names of the source where what is known allows it, and are the same numbers."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
import torch

import ogive
from ogive.backends.python_text.functions import function as functions
from ogive.backends.python_text.plain_sizes import _plain
from ogive.backends.pytorch.module import classes
from ogive.compiler.sizes import Facts, Size, Unknown, eq, size

EXAMPLES = Path(__file__).parents[2] / "examples"
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
    assert "e = d // heads\n        self.narrow = nn.Linear(d, e)\n        self.out = nn.Linear(e, d)\n" in text
    assert program["M"].torch()(torch.ones(1, 2, 16)).shape == (1, 2, 16)


NAMED = """
use std.nn (Linear)
block Net[d, heads, depth: nat](x: [b, n, d], y: [b, m, d]) -> [b, n, d]
where d % heads == 0:
    e = d // heads
    wide = 4 * d // 3
    once = 5 * d
    repeat depth as layers:
        half = d // 2 + 1
        q = x |> Linear[d, d] as q |> rearrange["b n (h e) -> b h n e", e=e]
        k = y |> Linear[d, d] as k |> rearrange["b n (h e) -> b h n e", e=e]
        v = y |> Linear[d, d] as v |> rearrange["b n (h e) -> b h n e", e=e]
        x = x + (attention(q, k, v) |> rearrange["b h n e -> b n (h e)"])
        x = x + (x |> Linear[d, half] as up |> relu |> Linear[half, d] as down)
    y = x |> Linear[d, wide] as wide_up |> relu |> Linear[wide, d] as wide_down
    size = d + 1
    x = x |> Linear[d, size] as a |> Linear[size, size] as c
    size = d + 2
    return y + (x |> Linear[d + 1, size] as f |> Linear[size, once] as g |> Linear[once, d] as h)
model M = Net[d=12, heads=3, depth=2]
"""


def test_sizes_that_the_source_names_have_these_names(monkeypatch: pytest.MonkeyPatch) -> None:
    model = ogive.source(NAMED)["M"]
    text = model.torch_source()
    assert "wide = 4 * d // 3\n        self.wide_up = nn.Linear(d, wide)\n" in text
    assert "half = d // 2 + 1\n" in text
    assert re.search(r"\n        e = (self\.)?d // self\.heads\n", text)
    assert " size = d + " not in text.partition("def forward")[0]  # a name of two sizes
    nets = [model.torch()]
    monkeypatch.setattr(functions, "with_names", lambda function, _: function)
    monkeypatch.setattr(classes, "with_names", lambda function, _: function)
    assert model.torch_source() != text
    nets.append(model.torch())
    nets[1].load_state_dict(nets[0].state_dict())
    args = (torch.randn(2, 5, 12), torch.randn(2, 3, 12))
    assert torch.equal(nets[0](*args), nets[1](*args))


@pytest.mark.parametrize("example", ["gpt2", "dit", "maxvit", "vit"])
def test_shapes_are_told_without_products_of_quotients(example: str) -> None:
    """`heads*(d//heads)` is `d` in comments and docstrings too."""
    text = ogive.load(EXAMPLES / f"{example}.arch").models["Tiny"].torch_source(checks=False)
    assert re.findall(r"\b(\w+)\*\(\w+//\1\)", text) == []

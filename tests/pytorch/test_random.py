"""Random numbers from a generator that the caller hands over, through layers, taps and weights from outside."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import ogive
from ogive.api import Model
from ogive.backends.pytorch.ops.helpers import HELPERS

PROGRAM = ogive.source("""
use std.nn (Dropout, Linear)

block Noise[d](x: [b, d]) -> [b, d]:
    param s: [d] = ones
    return x + s * randn[b, d] + rand[b, d]

block coin(x: [b, d]) -> [b, d]:
    return x * bernoulli[b, d, p=0.5]

block Deep[d](x: [b, d]) -> [b, d]:
    repeat 2 as h:
        x = x |> Noise[d] as noise |> Linear[d, d] as lin
        tap p = x
    return x |> coin

block Handed[d](x: [b, d], theta: [n]) -> [b, d]
where n == count[Deep[d]]:
    f = Deep[d]
    order = permutation[b]
    return f(take[0](x, order), weights=theta) + cast[float](randint[b, d, n=9])

block Dropped[d](x: [b, n, d]) -> [b, n, d]:
    y = x |> Dropout[p=0.2] as drop |> dropout[0.5]
    w = softmax[-1](einsum["b q d, b k d -> b q k"](y, y) / sqrt(d)) |> dropout[0.5]
    return einsum["b q k, b k d -> b q d"](w, y)

block Both[d](x: [b, n, d]) -> [b, n, d]:
    return (x |> Dropped[d] as dropped) + 0 * randn[b, n, d]

model One = Noise[4]
model Many = Deep[4]
model All = Handed[4]
model Plain = Dropped[4]
model Seeded = Both[4]
""")


@pytest.mark.parametrize("name", ["One", "Many", "All"])
def test_the_same_generator_gives_the_same(name: str) -> None:
    model = PROGRAM[name]
    assert isinstance(model, Model)
    net = model.torch()
    given = [torch.randn(3, 4)] + ([torch.randn(48)] if name == "All" else [])

    def run(seed: int) -> Tensor:
        made = net(*given, generator=torch.Generator().manual_seed(seed))
        assert isinstance(made, Tensor)
        return made

    state = torch.get_rng_state()
    torch.testing.assert_close(run(3), run(3))
    assert not torch.equal(run(3), run(4))
    assert torch.equal(state, torch.get_rng_state())
    assert not torch.equal(net(*given), net(*given))


def test_probes_and_a_generator_go_together() -> None:
    model = PROGRAM["All"]
    assert isinstance(model, Model)
    net, given = model.torch(), (torch.randn(3, 4), torch.randn(48))
    plain = net(*given, generator=torch.Generator().manual_seed(1))
    y, taps = net(*given, taps=["f.h.*.p"], generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(y, plain)
    assert taps["f.h.*.p"].shape == (2, 3, 4)


def test_dropout_draws_from_the_generator_where_the_model_takes_one() -> None:
    plain, model = PROGRAM["Plain"], PROGRAM["Seeded"]
    assert isinstance(plain, Model)
    assert isinstance(model, Model)
    text = plain.torch_source()
    assert "generator" not in text
    assert "nn.Dropout(" in text
    net, x = model.torch(), torch.randn(2, 50, 4)

    def run(seed: int) -> Tensor:
        made = net(x, generator=torch.Generator().manual_seed(seed))
        assert isinstance(made, Tensor)
        return made

    state = torch.get_rng_state()
    torch.testing.assert_close(run(3), run(3))
    assert not torch.equal(run(3), run(4))
    assert torch.equal(state, torch.get_rng_state())
    assert not torch.equal(net(x), net(x))
    torch.testing.assert_close(net.eval()(x), plain.torch().eval()(x))
    torch.testing.assert_close(run(3), net(x))


@pytest.mark.parametrize("kind", ["plain", "causal", "bool", "float"])
def test_attention_by_a_generator_is_attention(kind: str) -> None:
    space: dict[str, Any] = {"torch": torch, "F": F, "Tensor": Tensor}
    for name in ("empty_rows", "masked_softmax", "seeded_dropout", "seeded_attention"):
        exec(HELPERS[name].text, space)
    q, k, v = torch.randn(3, 2, 5, 4, dtype=torch.float64)
    mask = {"bool": torch.ones(5, 5).tril().bool(), "float": torch.randn(5, 5, dtype=torch.float64)}.get(kind)
    rest = (mask, kind == "causal", 0.3)
    wanted = space["seeded_attention"](q, k, v, *rest, 0.0, None)
    seed = torch.Generator().manual_seed(0)
    torch.testing.assert_close(space["seeded_attention"](q, k, v, *rest, 1e-12, seed), wanted)
    draws = [space["seeded_attention"](q, k, v, *rest, 0.3, seed) for _ in range(2000)]
    torch.testing.assert_close(torch.stack(draws).mean(0), wanted, atol=0.15, rtol=0)
    assert not space["seeded_dropout"](q, 1.0, True, seed).any()

"""Random numbers from a generator that the caller hands over, through layers, taps and weights from outside."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

import ogive
from ogive.api import Model

PROGRAM = ogive.source("""
use std.nn (Linear)

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

model One = Noise[4]
model Many = Deep[4]
model All = Handed[4]
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

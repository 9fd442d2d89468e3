"""Inputs that may be left out: the sizes that only they have are read where they are given."""

from __future__ import annotations

import inspect

import pytest
import torch

import ogive

CROSS = """
block f(x: [b, n], memory: {type}?) -> [b, n]
where m >= n:
    if given(memory):
        y = x + m * sum(memory)
    else:
        y = x
    return y

model M = f
"""
SHAPES = [("[b, m]", (2, 3)), ("[b, 2 * m]", (2, 6)), ("[*s, 2 * m + 1, c]", (4, 7, 2)), ("[m, *s]", (3, 2, 2))]


@pytest.mark.parametrize(("type", "shape"), SHAPES)
def test_a_size_of_an_optional_input_is_read_from_it(type: str, shape: tuple[int, ...]) -> None:
    net = ogive.source(CROSS.format(type=type)).models["M"].torch()
    short, long = torch.zeros(2, 3), torch.zeros(2, 4)
    assert torch.equal(net(long), long)
    assert torch.equal(net(short, torch.ones(shape)), short + 3 * torch.ones(shape).sum())
    with pytest.raises(ValueError, match=r"^m >= n, but m is 3 and n is 4$"):
        net(long, torch.ones(shape))


def test_a_size_that_is_needed_all_the_same_is_an_argument() -> None:
    text = "block f(x: [b, n], y: [b, m]?) -> [b, m]:\n    return zeros[b, m]\n\nmodel M = f\n"
    net = ogive.source(text).models["M"].torch()
    assert list(inspect.signature(net.forward).parameters) == ["x", "y", "m"]
    assert net(torch.zeros(2, 3), m=5).shape == (2, 5)
    assert net(torch.zeros(2, 3), torch.zeros(2, 4)).shape == (2, 4)

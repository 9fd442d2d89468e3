"""A block that is called with its weights stores none: its constraints must not ask for them."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import ogive

KEEPS = {
    "own": ("param w: [b] = normal keep relu", "y = custom_grad[Inner[b], Back[e=b]](x * w)"),
    "below": ("keep v.lin.weight = relu", "v = Inner[b]\n    y = custom_grad[v, Back[e=b]](x)"),
    "loop": (
        "keep h.lin.weight = relu",
        "y = x\n    repeat 2 as h:\n        y = y |> Linear[b, b] as lin\n    y = custom_grad[Inner[b], Back[e=b]](y)",
    ),
    "both": (
        "param w: [b] = normal keep relu\n    keep v.lin.weight = relu",
        "v = Inner[b]\n    y = custom_grad[v, Back[e=b]](x) * w",
    ),
}
TEXT = """
use std.nn (Linear)

block Back[q, e](x: [q], y: [e]) -> [q]:
    return cos(x) * mean(y)

block Inner[b](x: [b]) -> [b]:
    lin = Linear[b, b, bias=false]
    return lin(sort[0](x))

block G[b](x: [b]) -> [b]:
    {keep}
    {body}
    if training:
        return y * 0.5
    return y

block Main[n](x: [n]) -> [n]:
    param theta: [count[G[b=n]]] = normal[std=0.4]
    f = G[b=n]
    {stored}v = f(x, weights=theta)
    return x + v

model M = Main[n=3]
"""


@pytest.mark.parametrize("stored", ["", "x = G[b=n](x)\n    "])
@pytest.mark.parametrize("name", KEEPS)
def test_constraints_hold_for_what_is_stored(name: str, stored: str) -> None:
    keep, body = KEEPS[name]
    if name != "own" and name != "both":
        body, keep = keep, body  # a constraint follows what it constrains
    model = ogive.source(TEXT.format(keep=keep, body=body, stored=stored))["M"]
    net: Any = model.torch()
    with torch.no_grad():
        for weight in net.parameters():
            weight.fill_(-1.0)
    theta = net.get_parameter("theta")
    before = theta.clone()
    net.after_step()
    assert torch.equal(theta, before)
    kept = [weight for path, weight in net.named_parameters() if path != "theta"]
    assert bool(kept) == bool(stored)
    assert not kept or any((weight >= 0).all() for weight in kept)
    net(torch.randn(3)).sum().backward()


PLACES = """
block Part[e](x: [*b, e]) -> [*b, e]:
    param w: [e] = normal
    state seen: [e] = zeros
    if training:
        return x * w * 0.5
    return x * w + seen

block Main[n](x: [n]) -> [n]:
    {head}
        param theta: [count[Part[e=n]]] = normal[std=0.4]
        f = Part[e=n]
        x = x + f(x, weights=theta)
    return x

model M = Main[n=3]
"""


@pytest.mark.parametrize("head", ["for i in range(2) as h:", "for i in range(2):", "repeat 2 as h:", "if n > 2:"])
def test_what_calls_supply_is_stored_nowhere(head: str) -> None:
    model = ogive.source(PLACES.format(head=head))["M"]
    net = model.torch()
    assert sorted(net.state_dict()) == sorted(model.weights)
    assert all(path.endswith(("theta", "seen")) for path in model.weights)

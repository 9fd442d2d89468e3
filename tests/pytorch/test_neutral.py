"""Sizes that are 0 or 1 in one form of a block and not in another: forms have one name until a model is lowered."""

from __future__ import annotations

import pytest
import torch

import ogive

# one form of `Body` uses `Map` with other numbers than both do
PROGRAM = """
block Map[cin, c, kernel, stride=1, pad=0, dilation=1](x: [b, cin, h, w]) -> [b, c, h', w']:
    param K: [c, cin, kernel, kernel] = xavier_uniform
    return conv[stride=stride, pad=pad, dilation=dilation](x, K)

block Body[cin, c, stride](x: [b, cin, h, w]) -> [b, c, h', w']:
    y = x |> Map[cin, c, 3, stride=stride, pad=1] as long
    if stride > 1 or cin != c:
        x = x |> Map[cin, c, SHORT] as short
    return x + y

block Net(x: [b, 2, h, w]) -> [b, OUT, h', w']:
    return x |> Body[FIRST] as first |> Body[SECOND] as second

model M = Net[]
"""
SHORTS = [
    "1, stride=stride",
    "3, stride=stride, pad=1",
    "5, stride=stride, pad=2",
    "3, stride=stride, pad=2, dilation=2",
]


@pytest.mark.parametrize("short", SHORTS)
@pytest.mark.parametrize("bodies", [("2, 2, 1", "2, 3, 2", 3), ("2, 3, 2", "3, 3, 1", 3), ("2, 2, 1", "2, 2, 1", 2)])
def test_what_only_one_form_uses_keeps_its_numbers(short: str, bodies: tuple[str, str, int]) -> None:
    first, second, out = bodies
    text = PROGRAM.replace("SHORT", short).replace("FIRST", first).replace("SECOND", second).replace("OUT", str(out))
    net = ogive.source(text).models["M"].torch(dtype="f64")
    x = torch.randn(2, 2, 9, 8, dtype=torch.float64)
    wanted = x
    weights = dict(net.named_parameters())
    for name, body in (("first", first), ("second", second)):
        stride = int(body[-1])
        y = torch.nn.functional.conv2d(wanted, weights[f"{name}.long.K"], stride=stride, padding=1)
        if f"{name}.short.K" in weights:
            kernel = weights[f"{name}.short.K"]
            dilation = 2 if "dilation" in short else 1
            side = dilation * (kernel.shape[-1] // 2)
            wanted = torch.nn.functional.conv2d(wanted, kernel, stride=stride, padding=side, dilation=dilation)
        wanted = wanted + y
    torch.testing.assert_close(net(x), wanted)

"""What folding leaves of a block is a block again: each weight once, values as they were, one class for all sizes."""

from __future__ import annotations

import re

import pytest
import torch

import ogive
from deploy.folding import randomized
from ogive.compiler.ir.weights import weights
from ogive.compiler.ir_tools.verify import verify

TEXT = """
use std.nn (BatchNorm, LayerNorm, Linear)
use std.vision (Conv)
block Pair[c, k=3](x: [b, c, h, w]) -> [b, c, h, w]:
    y = x |> Conv[c, 2*c, k, pad="same", bias=false] as up |> BatchNorm as norm |> relu
    return x + (y |> Conv[2*c, c, 1] as down |> BatchNorm as last)
block Three[c](x: [b, c, h, w]) -> [b, c, h, w]:
    y = x |> Pair[c] as first |> tanh
    z = y |> Conv[c, c, 1] as middle |> BatchNorm |> relu
    return z |> Pair[c] as second
block Padded[c](x: [b, c, h, w]) -> [b, c, h, w]:
    y = x |> pad[2, 1, 1] |> pad[3, 2, 2] |> Conv[c, c, [3, 5], bias=false] as a |> BatchNorm |> relu
    return y |> Conv[c, c, 1] as b
block Deep[c](x: [b, c, h, w]) -> [b, c, h, w]:
    repeat 2 as h:
        x = relu(x |> Three[c] as t)
    return x
block Head[d](x: [*b, d]) -> [*b, 3]:
    y = x |> LayerNorm[d] as norm |> Linear[d, 2*d] as up |> relu
    return y |> Linear[2*d, 3] as down |> tanh |> Linear[3, 3] as out
block Split[c](x: [b, c, h, w]) -> [b, c, h, w]:
    if h % 2 == 0 and c > 100:
        x = 2 * x
    y = x |> Conv[c, c, 3, pad=1] as a |> BatchNorm |> relu
    return (y |> Conv[c, c, 3, pad=1] as b |> BatchNorm) * h + c
"""
HEADER = "block Main(x: [b, 4, h, w]) -> [b, d, h', w']:\n"
BODIES = {
    "one": "return x |> Pair[4] as p",
    "two of one size": "return x |> Pair[4] as p |> Pair[4] as q",
    "two sizes": "return x |> Pair[4] as p |> Conv[4, 6, 1] as c |> relu |> Pair[6] as q",
    "two kernels": "return x |> Pair[4, 3] as p |> Pair[4, 5] as q",
    "blocks of blocks": "return x |> Three[4] as p |> Conv[4, 6, 1] as c |> relu |> Three[6] as q",
    "in a loop": "return x |> Deep[4] as p",
    "in a loop, two sizes": "return x |> Deep[4] as p |> Conv[4, 6, 1] as c |> relu |> Deep[6] as q",
    "what a pass changes": "return x |> Padded[4] as p |> Conv[4, 6, 1] as c |> relu |> Padded[6] as q",
    "of one that is used twice": "p = Pair[4]\n    return p(relu(p(x)))",
    "with a head": "y = x |> Pair[4] as p\n    z = y |> mean[h, w] |> Head[4] as head\n    return y + sum(z)",
    "with sizes in values": "return x |> Split[4] as p |> Conv[4, 6, 1] as c |> relu |> Split[6] as q",
}


CASES = [*((body, "fold") for body in BODIES), ("with sizes in values", "specialize[b=2, h=6, w=4], fold")]


@pytest.mark.parametrize(("body", "chain"), CASES)
def test_what_is_left_of_a_block_is_a_block(body: str, chain: str) -> None:
    text = f"{TEXT}{HEADER}    {BODIES[body]}\nmodel M = Main\n"
    model = ogive.source(text).models["M"]
    net = randomized(model.torch().double().eval())
    deployed = model.deploy(chain)
    verify(deployed.ir)
    paths = [info.path for info in weights(deployed.ir)]
    assert len(paths) == len(set(paths))
    made = deployed.torch().double().eval()
    made.load_state_dict(deployed.convert(net.state_dict(), dtype=None))
    x = torch.randn(2, 4, 6, 4, dtype=torch.double)
    with torch.no_grad():
        torch.testing.assert_close(made(x), net(x), rtol=1e-9, atol=1e-9)
    source = deployed.torch_source(checks=False)
    again = re.findall(r"^class ((?!MainLayer)[A-Za-z]+[0-9])\(nn\.Module\)", source, re.M)  # iterations aside
    assert not again or body in ("two kernels", "with sizes in values"), source
    assert all(path.split(".")[0] in ("p", "c", "q", "head") for path in paths)


@pytest.mark.parametrize("lead", ["*s", "*s, m", "m, *s", "m, n"])
@pytest.mark.parametrize("layer", ["Linear[4, 4]", "LayerNorm", "RMSNorm"])
def test_layers_behind_a_pack_are_layers(lead: str, layer: str) -> None:
    """Whatever number of axes a layer has before its last one."""
    head = f"use std.nn (Linear, LayerNorm, RMSNorm)\nblock F(x: [{lead}, 4]) -> [{lead}, 4]:\n"
    model = ogive.source(f"{head}    return x |> {layer} as a |> tanh |> {layer} as b\nmodel M = F\n").models["M"]
    net = randomized(model.torch().double().eval())
    deployed = model.deploy("fold")
    made = deployed.torch().double().eval()
    made.load_state_dict(deployed.convert(net.state_dict(), dtype=None))
    named = lead.count("m") + lead.count("n")
    for rank in range(3) if "*s" in lead else (0,):
        x = torch.randn(*(3,) * (rank + named), 4, dtype=torch.double)
        with torch.no_grad():
            torch.testing.assert_close(made(x), net(x), rtol=1e-9, atol=1e-9)

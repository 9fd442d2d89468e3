"""Rules for values of compile time, first values of blocks, and weights that are made from a block's own."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import ogive
from ogive.api import Model
from ogive.compiler.driver.workspace import check_text

TEXT = """
use std.nn (Linear, LayerNorm)
use std.vision (Conv)

const width = 3
const wide[k: nat, by: size = width] = [by * i for i in range(k)]
const twice[k] = wide[2 * k]

block MLP[d, k](x: [*b, d]) -> [*b, d]:
    init down.weight = constant[0.25]
    return x |> Linear[d, k] as up |> gelu |> LayerNorm as norm |> Linear[k, d] as down

block Flat[F: block](x: [*b]) -> [*c]:
    param theta: [count[F]] = initial[F]
    return F(x, weights=theta)

block Half[F: block](x: [*b]) -> [*c]:
    return F(x, weight = F.weight / 2)

block sizes(x: [b]) -> [b, m]:
    return x |> expand["b -> b m", m=sum(twice[2])]

block Symbolic[d](x: [b, d]) -> [b, d]:
    return x |> Half[Linear[d, d]] as halved

block Wrapped(x: [b, 6]) -> [b, 6]:
    return x |> Flat[MLP[6, 8]] as flat

block Line(x: [b, 4, n]) -> [b, c', n']:
    return x |> Half[Conv[4, 6, 3]] as halved

block Plane(x: [b, 4, h, w]) -> [b, c', h', w']:
    return x |> Half[Conv[4, 6, 3]] as halved

block Open(x: [b, 4]) -> [b, 5]:
    return x |> Half[Linear[dout=5]] as halved

model Sizes = sizes[]
model Own = Wrapped[]
model Lines = Line[]
model Planes = Plane[]
model Opened = Open[]
"""
PROGRAM = ogive.source(TEXT)


def net(name: str) -> nn.Module:
    found = PROGRAM[name]
    assert isinstance(found, Model)
    torch.manual_seed(0)
    return found.torch()


def test_a_rule_is_a_value_at_its_statics() -> None:
    assert net("Sizes")(torch.zeros(2)).shape == (2, 3 * (0 + 1 + 2 + 3))


def test_initial_is_how_the_weights_of_a_block_start() -> None:
    theta = net("Own").get_parameter("flat.theta")
    up, up_bias, norm, down, down_bias = torch.split(theta, [48, 8, 16, 48, 6])
    assert (down == 0.25).all()
    assert norm.tolist() == [1.0] * 8 + [0.0] * 8
    assert 0 < up.abs().max() <= 6**-0.5
    assert 0 < up_bias.abs().max() <= 6**-0.5
    assert 0 < down_bias.abs().max() <= 8**-0.5


@pytest.mark.parametrize(
    ("name", "function", "shape"),
    [
        ("Lines", nn.functional.conv1d, (2, 4, 9)),
        ("Planes", nn.functional.conv2d, (2, 4, 5, 6)),
        ("Opened", nn.functional.linear, (2, 4)),
    ],
)
def test_a_supplied_weight_may_read_the_blocks_own(
    name: str, function: Callable[..., Tensor], shape: tuple[int, ...]
) -> None:
    ours, x = net(name), torch.randn(shape)
    weight, bias = ours.get_parameter("halved.F.weight"), ours.get_parameter("halved.F.bias")
    torch.testing.assert_close(ours(x), function(x, weight / 2, bias))


def test_a_block_that_wraps_one_is_proved_for_all_sizes() -> None:
    (found,) = [block for block in check_text(TEXT).blocks if block.name == "Symbolic"]
    assert found.signature == "(x: [b, d]) -> [b, d]"


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("const a[k: nat] = a[k]\nblock f(x: [b]) -> [b, m]:\n    return x |> expand[\"b -> b m\", m=len(a[2])]\n",
         "E0203", "defined by itself"),
        ("const a[k: nat] = [k]\nblock f(x: [b]) -> [b, m]:\n    return x |> expand[\"b -> b m\", m=len(a[2, 3])]\n",
         "E0403", "takes 1 static"),
        ("const a[k: nat] = [k]\nblock f(x: [b]) -> [b, m]:\n    return x |> expand[\"b -> b m\", m=len(a[])]\n",
         "E0402", "is not given"),
        ("use std.nn (Linear)\nblock F[d](x: [b, d]) -> [b, d]:\n    f = Linear[d, d]\n"
         "    param w: [d, d] = f(ones[d, d])\n    return f(x) @ w\n", "E0411", "applies no block with weights"),
        ("use std.nn (Linear)\nblock F[d](x: [b, d]) -> [b, d]:\n    y = initial[Linear[d, d]]\n    return x\n",
         "E0411", "initializer"),
    ],
)  # fmt: skip
def test_mistakes(text: str, code: str, words: str) -> None:
    model = "model M = f[]\n" if "block f(" in text else ""
    found = [d for d in check_text(text + model).diagnostics if d.severity == "error"]
    assert found[0].code == code, found
    assert words in found[0].message

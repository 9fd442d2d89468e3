"""Blocks of every structure under `over` and `each`: equal to the block itself, index by index, in both targets."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import ogive
from ogive.backends.onnx_model.export import Settings, exported
from ogive.backends.onnx_model.serialize.external_data import arrays
from ogive.backends.onnx_model.serialize.write import whole
from ogive.compiler.ir_text.printer import text
from ogive.compiler.ir_text.reader import read
from ogive.compiler.ir_tools.verify import verify
from ogive.compiler.passes.pipelines.lowering import lowered
from onnx_model.harness import array, checked, difference, session
from sampled import sampled

COUNT = 3

# name -> (text of a block F[d] of x: [n, d], further uses)
BLOCKS = {
    "composition": "    return x |> Linear[d, 2*d] |> gelu |> Linear[2*d, d]",
    "a norm with weights": "    return x + (x |> LayerNorm |> Linear[d, d])",
    "a loop with weights": """    repeat 3 as layers:
        x = x + (x |> LayerNorm as norm |> Linear[d, d] as lin |> tanh)
    return x""",
    "a loop over iterations": """    param a: [3, d] = normal
    repeat 3 with a_t in a:
        x = tanh(x * a_t)
        yield y = sum[0](x)
    return x + mean[1](expand["t d -> n t d", n=n](y))""",
    "a loop in a loop": """    repeat 2 as outer:
        repeat 2 as inner:
            x = x + (x |> Linear[d, d] as lin)
    return x""",
    "a scan": """    param w: [d, d] = normal[std=0.3]
    scan x_t in x along n carry h = zeros[d]:
        h = tanh(x_t + h @ w)
        yield y = h
    return y""",
    "attention": """    q, k, v = x |> Linear[d, 3*d] as qkv |> split["n (t d) -> t n d", t=3]
    return softmax[-1](q @ rearrange["n d -> d n"](k) / sqrt(d)) @ v""",
    "heads": """    q, k, v = x |> Linear[d, 3*d] as qkv |> split["n (t h e) -> t h n e", t=3, h=2]
    p = softmax[-1](einsum["h q e, h k e -> h q k"](q, k) / sqrt(d // 2))
    return einsum["h q k, h k e -> h q e"](p, v) |> rearrange["h n e -> n (h e)"]""",
    "own weights": """    param scale: [d] = ones
    param table: [5, d] = normal
    return x * scale + take[0](table, argmax[1](x) % 5)""",
    "a convolution": """    y = x |> rearrange["n d -> 1 d n"] |> Conv[d, 2*d, 3, pad=1, groups=2] |> relu
    y = y |> Conv[2*d, d, 1]
    return y |> rearrange["1 d n -> n d"]""",
    "a batch norm": """    y = x |> rearrange["n d -> n d 1"] |> BatchNorm
    return y |> rearrange["n d 1 -> n d"]""",
    "a group norm": """    y = x |> rearrange["n d -> n d 1"] |> GroupNorm[1]
    return y |> rearrange["n d 1 -> n d"]""",
    "a gradient": """    f = Energy[d]
    return over[n, grad[f]](x)""",
    "a derivative of its own": """    f = Linear[d, d]
    return custom_grad[square, straight](f(x))""",
    "an axis inside": """    f = Linear[d, d]
    return over[n, f](x) + mean[0](each[m, Linear[d, d, ...]](expand["n d -> m n d", m=2](x)))""",
    "a block called twice": """    f = Linear[d, d]
    return f(tanh(f(x)))""",
    "a function": "    return swish(x) * swish(2 * x) + swish(x ** 2)",
    "ordered by data": """    best, place = topk[0, 1](x)
    return x + sum[0](best) + cast[float](sum[0](place)) + sort[0](x) + cumsum[0](x)""",
}
TEXT = """
use std.nn (Linear, LayerNorm, BatchNorm, GroupNorm)
use std.vision (Conv)

block swish(x: [*b]) -> [*b]:
    y = x * sigmoid(x) + tanh(x) - relu(x)
    return y * exp(-x * x) + sin(x)

block Energy[d](x: [d]) -> []:
    return sum(tanh(Linear[d, d](x)))

block square(x: [b, d]) -> [b, d]:
    return x * x

block straight(x: [b, d], g: [b, d]) -> [b, d]:
    return 3 * g * x

block F[d](x: [n, d]) -> [n, d]
where d % 2 == 0:
{body}

block Every[e, d](x: [e, n, d]) -> [e, n, d]
where d % 2 == 0:
    return x |> each[e, F[d, ...]] as f

block Shared[d](x: [n, e, d]) -> [n, e, d]
where d % 2 == 0:
    f = F[d]
    return over[e, f](x)

block Ensemble[e, d](x: [n, d]) -> [e, n, d]
where d % 2 == 0:
    return x |> each[e, F[d, ...]] as f

model One = F[d=4]
model Each = Every[e=3, d=4]
model Over = Shared[d=4]
model Many = Ensemble[e=3, d=4]
"""


def program(name: str) -> ogive.Program:
    return ogive.source(TEXT.replace("{body}", BLOCKS[name]))


def built(program: ogive.Program, name: str) -> Any:
    torch.manual_seed(0)
    net = program.models[name].torch().double()
    with torch.no_grad():
        for number, weight in enumerate(net.parameters()):  # no initializer hides an error
            weight.add_(0.1 * torch.randn(weight.shape, dtype=weight.dtype, generator=torch.manual_seed(number)))
    return net


def states(net: nn.Module, prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in net.state_dict(keep_vars=True).items()}


def by_hand(program: ogive.Program, x: Tensor, weights: dict[str, Tensor], stacked: bool, axis: int | None) -> Tensor:
    """The block at every index, with the weights of that index."""
    one = program.models["One"].torch().double().eval()
    rows = []
    for index in range(COUNT):
        mine = {name: value[index] if stacked else value for name, value in weights.items()}
        row = x if axis is None else x.select(axis, index)
        rows.append(torch.func.functional_call(one, mine, (row,)))
    return torch.stack(rows, axis or 0)


def agree(found: Tensor, wanted: Tensor, leaves: list[Tensor]) -> None:
    torch.testing.assert_close(found, wanted)
    mine, theirs = (torch.autograd.grad(y.square().sum(), leaves, allow_unused=True) for y in (found, wanted))
    for a, b in zip(mine, theirs, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            torch.testing.assert_close(a, b)


KINDS = {"Each": (0, (COUNT, 5, 4), True), "Over": (1, (5, COUNT, 4), False), "Many": (None, (5, 4), True)}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", sampled(BLOCKS, 2))
def test_it_is_the_block_at_every_index(name: str, kind: str) -> None:
    made = program(name)
    axis, shape, stacked = KINDS[kind]
    model = made.models[kind]
    best = lowered(model.ir)
    verify(best)
    assert text(read(text(best))) == text(best)
    assert "vmap" not in model.torch_source()
    net = built(made, kind).eval()
    x = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    weights = states(net, "f.")
    wanted = by_hand(made, x, weights, stacked, axis)
    agree(net(x), wanted, [x, *(w for w in weights.values() if w.requires_grad)])
    with torch.no_grad():
        single = net.float()
        proto = whole(exported(model.ir, arrays(single), Settings()))
        checked(proto)
        (found,) = session(proto).run(None, {"x": array(x.float())})
        assert difference(found, array(wanted.float())) <= 1e-4

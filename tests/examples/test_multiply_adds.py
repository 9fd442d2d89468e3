"""Multiply-adds and operations of loops, vectorized blocks and derivatives, against what torch counts while it runs."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest
import torch
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils.flop_counter import FlopCounterMode

import ogive
from ogive.compiler.analysis.cost.report import multiply_adds
from ogive.compiler.ir.model import Model
from ogive.compiler.sizes import Unknown, size
from ogive.summary import operations

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.arch"))
ELEMENTS = {"float": torch.float32, "int": torch.long, "bool": torch.bool, "complex": torch.complex64}


def sizes(ir: Model) -> Iterator[dict[Unknown, int]]:
    """Sizes of the inputs at which the model's conditions hold."""
    free = ir.definition.sizes
    for row in product((8, 16, 64, 2, 1, 128), repeat=len(free)):
        values = dict(zip(free, row, strict=True))
        if all(condition.at({**values, **dict(ir.bindings)}) for condition in ir.conditions):
            yield values


def counted(model: ogive.Model, values: dict[Unknown, int]) -> int:
    """The multiply-adds that torch counts on the meta device."""
    at = {**values, **dict(model.ir.bindings)}
    inputs = [
        torch.zeros([axis.size.at(at) for axis in value.type.axes], dtype=ELEMENTS[value.type.elem], device="meta")
        for value in model.ir.definition.graph.inputs
    ]
    net = model.torch(device="meta").eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad(), torch.device("meta"):
        net(*inputs)
    total: int = counter.get_total_flops()
    return total // 2


def ours(model: ogive.Model, values: dict[Unknown, int]) -> int:
    return multiply_adds(model.ir).subs({unknown: size(value) for unknown, value in values.items()}).number


PROGRAMS = {
    "experts": (
        "    ys = each[e, Linear[d, 4, ...]](x)\n    return mean[0](ys)\n",
        {"linear": 6, "mean": 1},
    ),
    "experts in a loop": (
        "    repeat 3 as layers:\n        x = mean[0](each[e, Linear[d, d, ...]](x))\n    return x |> Linear[d, 4]\n",
        {"linear": 19, "mean": 3},
    ),
    "a loop in experts": ("    return mean[0](each[e, Deep[d, ...]](x))\n", {"linear": 18, "mean": 1, "silu": 18}),
    "experts of experts": (
        "    return mean[0](each[e, Inner[d, ...]](x))\n",
        {"linear": 18, "mean": 7},
    ),
    "one block for all": (
        "    f = Linear[d, d]\n    h = expand[\"b d -> e b d\", e=e](x)\n    return mean[0](over[e, f](h)) + f(f(x))\n",
        {"linear": 8, "mean": 1, "expand": 1, "add": 1},
    ),
    "a scan": (
        '    scan t in expand["b d -> b n d", n=7](x) along 1 carry h = x:\n'
        "        h = (h + t) |> Linear[d, d] as r |> tanh\n    return h\n",
        {"linear": 7, "expand": 1, "add": 7, "tanh": 7},
    ),
    "two kinds of choices": (
        "    if training:\n        x = x |> Linear[d, d] as a |> Linear[d, d] as b\n"
        "    return x |> Linear[d, 4] as c\n",
        {"linear": 1},
    ),
}  # fmt: skip
HEAD = """
use std.nn (Linear)

block Deep[d](x: [b, d]) -> [b, d]:
    repeat 3 as layers:
        x = x |> Linear[d, d] |> silu
    return x

block Inner[d, q=3](x: [b, d]) -> [b, d]:
    return mean[0](each[q, Linear[d, d, ...]](x))

block Net[e, d](x: [b, d]) -> [b, k]:
"""


@pytest.mark.parametrize("name", PROGRAMS)
def test_loops_and_vectorized_blocks_count_all_that_runs(name: str) -> None:
    body, expected = PROGRAMS[name]
    model = ogive.source(f"{HEAD}{body}\nmodel M = Net[e=6, d=3]\n").models["M"]
    values = next(sizes(model.ir))
    assert ours(model, values) == counted(model, values)
    assert operations(model.ir) == expected


DERIVED = """
use std.nn (Linear)

block Potential[hidden](x: [d]) -> []:
    y = x |> Linear[d, hidden] as lift |> tanh
    repeat 3 as layers:
        y = softplus(y |> Linear[hidden, hidden] as mix)
    return sum(y |> Linear[hidden, 1] as last)

block Proximal[d](x: [b, d]) -> [b, d]:
    potential = Potential[8]
    return over[b, grad[potential]](x)

model M = Proximal[d=4]
"""


@pytest.mark.parametrize(
    "text", [DERIVED, EXAMPLES[[path.stem for path in EXAMPLES].index("input_convex")].read_text()]
)
def test_derivatives_cost_what_torch_counts(text: str) -> None:
    models = ogive.source(text).models
    model = models.get("M") or models["Tiny"]
    x = torch.randn(3, 4)
    traced = make_fx(model.torch().eval())(x)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        traced(x)
    (b,) = model.ir.definition.sizes
    assert 2 * ours(model, {b: 3}) == counter.get_total_flops()

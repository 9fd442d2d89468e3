"""Forms of a block of which one lacks a part of the other are one class, and compute what each form alone computes."""

from __future__ import annotations

from itertools import product
from random import Random

import pytest
import torch

import ogive

BLOCKS = {
    "activation": """
block B[d, on=true](x: [b, d]) -> [b, d]:
    y = x |> Linear[d, d] as fc
    return relu(y) if on else y
""",
    "shortcut": """
block B[d, on=true](x: [b, d]) -> [b, d]:
    y = x |> Linear[d, d] as fc
    if on:
        x = x |> Linear[d, d] as shortcut
    return silu(x + y)
""",
    "first": """
block B[d, on=true](x: [b, d]) -> [b, d]:
    y = x
    if on:
        y = tanh(y |> Linear[d, d] as widen)
    return silu(y |> LayerNorm as norm |> Linear[d, d] as fc)
""",
    "sum": """
block B[d, on=true](x: [b, d]) -> [b, d]:
    y = silu(x |> Linear[d, d] as fc) |> LayerNorm as norm
    if on:
        y = dropout[0.3](y)
        return x + y
    return y
""",
    "scale": """
block B[d, on=true](x: [b, d]) -> [b, d]:
    y = x |> Linear[d, d] as fc
    if on:
        param gain: [d] = normal[mean=1, std=0.3]
        y = y * gain
    return silu(y)
""",
    "two": """
block B[d, on=true, more=true](x: [b, d]) -> [b, d]:
    y = x
    if on:
        y = silu(y |> Linear[d, d] as widen)
    y = y |> Linear[d, d] as fc
    return x + y if more else y
""",
}
CHOICES = {name: ["on=true", "on=false"] for name in BLOCKS} | {
    "two": [f"on={a}, more={b}" for a, b in product(("true", "false"), repeat=2)]
}


def net(block: str, choices: list[str]) -> tuple[str, torch.nn.Module]:
    calls = "\n".join(f"    x = x |> B[4, {each}] as b{at}" for at, each in enumerate(choices))
    whole = f"block Net(x: [b, 4]) -> [b, 4]:\n{calls}\n    return x * 1.5\n\nmodel M = Net\n"
    text = f"use std.nn (Linear, LayerNorm)\n{block}\n{whole}"
    model = ogive.source(text).models["M"]
    return model.torch_source(checks=False), model.torch()


@pytest.mark.parametrize("kind", BLOCKS)
def test_forms_that_differ_in_a_part_are_one_class(kind: str) -> None:
    choices = [*CHOICES[kind], Random(kind).choice(CHOICES[kind])]
    text, whole = net(BLOCKS[kind], choices)
    if kind != "scale":
        assert text.count("class B") == 1, text
    given = x = torch.randn(3, 4, dtype=torch.float64)
    whole.double().eval()
    for at, each in enumerate(choices):  # each alone, in a file in which it has one form
        _, alone = net(BLOCKS[kind], [each])
        state = {k.replace(f"b{at}.", "b0."): v for k, v in whole.state_dict().items() if k.startswith(f"b{at}.")}
        alone.double().eval().load_state_dict(state, strict=True)
        x = alone(x) / 1.5
    torch.testing.assert_close(whole(given), x * 1.5)
    torch.manual_seed(0)
    torch.testing.assert_close(whole.train()(given).shape, given.shape)


def test_what_both_lack_in_part_stays_two_classes() -> None:
    block = """
block B[d, on=true](x: [b, d]) -> [b, d]:
    if on:
        y = relu(x |> Linear[d, d] as fc)
    else:
        y = x |> Linear[d, d] as fc |> LayerNorm as norm
    return y
"""
    text, _ = net(block, ["on=true", "on=false"])
    assert text.count("class B") == 2

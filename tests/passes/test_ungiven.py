"""Optional inputs that no call gives are no inputs of emitted blocks, and nothing else changes."""

from __future__ import annotations

import inspect

import pytest
import torch

import ogive
from ogive.api import Model

BLOCKS = """
use std.nn (Linear)

block Part[d](x: [b, d], scale: [d]?, memory: [b, m, d]?, mask: bool[b, m]?) -> [b, d]
where m >= 0:
    y = x |> Linear[d, d] as lin
    if given(memory):
        y = y + sum[1](memory)
    if given(scale):
        y = y * scale
    return y
"""
MODELS = {
    "nothing": ("f = Part[4]\nreturn f(x)", "", ["x"]),
    "one": ("f = Part[4]\nreturn f(x, scale=s)", ", s: [4]", ["x", "scale"]),
    "either": ("f = Part[4]\nreturn f(x) + f(x, scale=s)", ", s: [4]", ["x", "scale"]),
    "what is not read": ("f = Part[4]\nreturn f(x, mask=k)", ", k: bool[b, n]", ["x", "mask"]),
    "with a size of its own": ("f = Part[4]\nreturn f(x, memory=k)", ", k: [b, n, 4]", ["x", "memory"]),
    "in a loop": ("repeat 2 as h:\n    x = (x, s) |> Part[4] as part\nreturn x", ", s: [4]", ["x", "scale"]),
    "two instances": ("a = Part[4]\nc = Part[4]\nreturn a(x, scale=s) + c(x)", ", s: [4]", ["x", "scale"]),
    "given at run time": ("f = Part[4]\nreturn f(x, scale=s)", ", s: [4]?", ["x", "scale"]),
}


@pytest.mark.parametrize("name", MODELS)
def test_a_block_asks_for_what_it_is_given(name: str) -> None:
    body, more, wanted = MODELS[name]
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    model = ogive.source(f"{BLOCKS}\nblock M(x: [b, 4]{more}) -> [b, 4]:\n{lines}\nmodel Only = M[]\n")["Only"]
    assert isinstance(model, Model)
    torch.manual_seed(0)
    net = model.torch().eval()
    parts = [module for module in net.modules() if type(module).__name__.startswith("Part")]
    asked = max((list(inspect.signature(part.forward).parameters) for part in parts), key=len)
    assert asked == wanted
    assert all(set(inspect.signature(part.forward).parameters) <= set(wanted) for part in parts)
    x, s, k = torch.randn(3, 4), torch.randn(4), torch.randn(3, 5, 4)
    given = {"": [], ", s: [4]": [s], ", s: [4]?": [s], ", k: bool[b, n]": [k[..., 0] > 0], ", k: [b, n, 4]": [k]}
    found = net(x, *given[more])
    state = {key: value for key, value in net.state_dict().items()}

    def linear(y: torch.Tensor, at: str) -> torch.Tensor:
        return torch.nn.functional.linear(y, state[f"{at}.lin.weight"], state[f"{at}.lin.bias"])

    expected = {
        "nothing": lambda: linear(x, "f"),
        "one": lambda: linear(x, "f") * s,
        "either": lambda: linear(x, "f") * (1 + s),
        "what is not read": lambda: linear(x, "f"),
        "with a size of its own": lambda: linear(x, "f") + k.sum(1),
        "in a loop": lambda: linear(linear(x, "h.0.part") * s, "h.1.part") * s,
        "two instances": lambda: linear(x, "a") * s + linear(x, "c"),
        "given at run time": lambda: linear(x, "f") * s,
    }[name]()
    torch.testing.assert_close(found, expected)

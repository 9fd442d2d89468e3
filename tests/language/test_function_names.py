"""A block without weights is a function of the file: no variable of what calls it hides it."""

from __future__ import annotations

import pytest
import torch

import ogive

LONG = "sin(x) + cos(x) * tanh(x) + exp(-x * x) - x / (1 + x * x) + relu(x) * sigmoid(x) + gelu(x) * 3 + x"
# the name of a block, and a body of its caller in which a variable has the name of its function
CALLERS = {
    "Layer": "    repeat 2 as layers:\n        x = Layer(x |> Linear[k, k])\n    return x",
    "Part": "    part = x * 2\n    return Part(part) + Part(x) + part",
    "K": "    return K(x) + expand['k -> b k', b=b](cast[float](arange[k]))",
    "Part_2": "    part = x * 2\n    other = part + sin(x)\n    part = other * part\n    return Part_2(part) + other",
    "X": "    return X(x) + x",
    "B": "    return B(x) * b",
}


@pytest.mark.parametrize("name", CALLERS)
def test_a_variable_hides_no_function(name: str) -> None:
    body = CALLERS[name].replace("'", '"')
    text = (
        f"use std.nn (Linear)\n\nblock {name}(x: [p, q]) -> [p, q]:\n    return {LONG}\n\n"
        f"block Main[k](x: [b, k]) -> [b, k]:\n{body}\n\nmodel M = Main[k=3]\n"
    )
    model = ogive.source(text).models["M"]
    net = model.torch()
    scope: dict[str, object] = {"__name__": "emitted"}
    exec(model.torch_source(), scope)
    x = torch.randn(2, 3)
    made = scope["M"]()  # type: ignore[operator]
    made.load_state_dict(net.state_dict())
    torch.testing.assert_close(made(x), net(x))
    plain = (
        ogive.source(text.replace(f"block {name}(", "block Quite(").replace(f"{name}(", "Quite(")).models["M"].torch()
    )
    plain.load_state_dict(net.state_dict())
    torch.testing.assert_close(net(x), plain(x))

"""Packs of a block are those of its call, whatever they are called: one of the same name in the caller is another."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

import ogive
from onnx_model.harness import session
from sampled import sampled

INNER = {
    "sizes": "    return relu(y) + ones[*p]",
    "joined": '    z = rearrange["*p -> (*p) 1"](y)\n    return y * sum(z) + ones[*p]',
    "moved": '    return sum[-1](rearrange["a *p -> *p a"](stack[0](y, y)))',
    "reduced": "    return y / (1 + sum(abs(y)))",
    "twice": "    z = relu(y)\n    return tanh(z) + 0.5 * y",
    "weight": "    param w: []\n    return relu(y) * w + ones[*p]",
    "loop": "    repeat 2:\n        y = tanh(y) + ones[*p]\n    return y",
    "deeper": "    return Deeper(y) + ones[*p]",
    "given": "    return F(F(y)) + ones[*p]",
}
CALLS = {
    "plain": "    return Inner(x)",
    "loop": "    repeat 2:\n        x = Inner(x)\n    return x",
    "while training": "    if training:\n        x = Inner(x)\n    return Inner(x) + x",
    "over": "    return over[t, Row](x)",
    "derivative": "    return grad[Energy](x)",
}
BLOCKS = """block Deeper(y: [*q]) -> [*q]:
    z = relu(y)
    return ones[*q] * z + Deepest(z)

block Deepest(y: [*p]) -> [*p]:
    z = tanh(y) * ones[*p]
    return z * z
"""


def text(inner: str, call: str, caller: str) -> str:
    """A model whose block has the pack `*p`, and the caller `*p` of another input and one of `caller` for this one."""
    static = "[F: block = relu]" if inner == "given" else ""
    return (
        f"{BLOCKS}\nblock Inner{static}(y: [*p]) -> [*p]:\n{INNER[inner]}\n\n"
        f"block Energy(x: [*{caller}, t, 2]) -> []:\n    return sum(Inner(x) ** 2)\n\n"
        f"block Row(x: [*{caller}, 2]) -> [*{caller}, 2]:\n    return Inner(x)\n\n"
        f"block Main(other: [*p, 3], x: [*{caller}, t, 2]) -> [*{caller}, t, 2]:\n{CALLS[call]}\n\nmodel M = Main\n"
    )


CASES = [
    f"{inner}, {call}, {caller}"
    for inner in INNER
    for call in CALLS
    for caller in ("p", "q")
    if not (inner == "weight" and call in ("derivative", "over"))
]  # fmt: skip


@pytest.mark.parametrize("case", sampled(CASES))
def test_packs_are_told_apart(case: str, tmp_path: Path) -> None:
    inner, call, caller = case.split(", ")
    model = ogive.source(text(inner, call, caller)).models["M"]
    plain = ogive.source(text(inner, call, caller).replace(f"*{caller}, ", "u, ").replace("*p, 3", "v, w, 3"))
    x, other = torch.randn(2, 3, 2), torch.randn(*((2, 3) if caller == "p" else (5, 4, 3)))
    wanted = plain.models["M"].torch().eval()
    net = model.torch().eval()
    net.load_state_dict(wanted.state_dict())
    expected = wanted(other, x).detach()
    y = net(other, x).detach()
    assert torch.allclose(y, expected, atol=1e-6)
    path = tmp_path / "m.onnx"
    ranks = {"p": 1} if caller == "p" else {"p": 2, caller: 1}
    model.onnx(path, weights=net.state_dict(), ranks=ranks)
    ready = session(onnx.load(path))
    feeds = {"other": other.numpy(), "x": x.numpy()}
    (out,) = ready.run(None, {each.name: feeds[each.name] for each in ready.get_inputs()})
    assert np.allclose(out, expected.numpy(), atol=1e-5)

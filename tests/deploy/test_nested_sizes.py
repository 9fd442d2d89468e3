"""Blocks whose sizes are numbers in the model, inside of blocks whose sizes are not: folding keeps what fits."""

from __future__ import annotations

import itertools

import pytest
import torch

import ogive
from ogive.compiler.ir_tools.verify import verify

INNER = {
    "derived": "    g = F{w}\n    v = grad[g](x)\n",
    "called": "    v = x * F{w}(x)\n",
    "lifted": "    v = over[0, Row{n}](x)\n",
    "constant in a loop": (
        "    scan t in x along 0 carry h = x:\n        h = 0.5 * h + t\n"
        "        yield rows = Embedding[3, u](ones[u, type=int])\n    v = sum[1](rows) * x\n"
    ),
    "in a loop": "    v = x\n    repeat 2:\n        v = v + F{w}(v)\n",
}
OUTER = {
    "derived": "    g = Part[]\n    return grad[g](x)\n",
    "called": "    return x * Part(x)\n",
    "twice": "    return x * Part(x) * Part(x)\n",
}
CASES = [
    (*each, statics) for each in itertools.product(INNER, OUTER) for statics in ("[w=d, w2=u]", "[w=d]", "[w2=u]", "")
]


@pytest.mark.parametrize(("inner", "outer", "statics"), CASES)
def test_what_folding_leaves_holds_together(inner: str, outer: str, statics: str) -> None:
    names = ", ".join(part.partition("=")[0] for part in statics.strip("[]").split(", ") if part)
    sizes = "k=1, n=3" if "constant" in inner else "k=1"  # of a weight
    text = (
        "use std.nn (Embedding)\n"
        f"block F{f'[{names}]' if names else ''}(x: [w, w2]) -> []:\n    param a: [] = constant[0.7]\n"
        "    return sum(sin(a * x * x))\n"
        f"block Row{'[w2]' if 'w2' in names else ''}(x: [w2]) -> [w2]:\n    param a: [] = constant[0.7]\n"
        "    return cos(a * x)\n"
        f"block Part(x: [d, u]) -> []:\n{INNER[inner]}    return mean(v * v)\n"
        f"block Main(x: [k, n]) -> [k, n]:\n{OUTER[outer]}model M = Main[{sizes}]\n"
    )
    text = text.replace("{w}", statics or "[]").replace("{n}", "[w2=u]" if "w2" in names else "[]")
    model = ogive.source(text.replace("F[](", "F(")).models["M"]
    folded = model.deploy("fold")
    verify(folded.ir)
    x = torch.randn(1, 3, dtype=torch.float64)
    net = model.torch().double().eval()
    made = folded.torch().double().eval()
    made.load_state_dict(folded.convert(net.state_dict(), dtype=None))
    torch.testing.assert_close(made(x), net(x), rtol=1e-9, atol=1e-12)

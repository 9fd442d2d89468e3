"""`grad` through axes that are joined and cut: any of the parts, once and twice, in loops."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

import ogive
from onnx_model.harness import session

CUT = 'rearrange["(p + q) d -> p d, q d", p=1]'
BODIES = {
    "both parts": f"    a, c = {CUT}(x)\n    return sum(tanh(a)) + sum(sin(c))",
    "the first": f"    a, c = {CUT}(x)\n    return sum(sin(a))",
    "the second": f"    a, c = {CUT}(x)\n    return sum(sin(c))",
    "one that is a constant beside another": f"    a, c = {CUT}(sin(x))\n    return sum(a) * sum(sin(c))",
    "three, merged": '    a, c, e = rearrange["(p + q + 1) d -> (p d), d q, d", p=1](x)\n'
                     "    return sum(sin(a)) + sum(c * c) + sum(e**3)",
    "joined": '    a = rearrange["p d, q d -> (p + q) d"](x, x * x)\n    return sum(sin(a))',
    "joined and cut": '    a, c = rearrange["b p, b q -> b p, b q"](x, sin(x))\n'
                      '    return sum(a * c) + sum(rearrange["p d, q d -> d (p + q)"](a, c) ** 3)',
    "split": '    a, c = split["(p + q) d -> p d, q d", p=1](x)\n    return sum(sin(c)) + sum(a)',
    "in a loop": f"    scan t in x along 0 carry s = x:\n        s = sin(s) + t\n        a, c = {CUT}(s)\n"
                 "        yield ys = c\n    return sum(ys * ys)",
}  # fmt: skip


CASES = [(name, twice) for name in BODIES for twice in (False, True) if not (twice and "loop" in name)]


@pytest.mark.parametrize(("name", "twice"), CASES)
def test_it_is_the_derivative_that_torch_has(name: str, twice: bool, tmp_path: Path) -> None:
    outer = (
        "block Slope(x: [b, d]) -> []:\n    return sum(grad[Part](x) ** 2)\n\n"
        "block Main(x: [b, d]) -> [b, d]:\n    return grad[Slope](x)\n"
    )
    plain = "block Main(x: [b, d]) -> [b, d]:\n    return grad[Part](x)\n"
    text = f"block Part(x: [b, d]) -> []:\n{BODIES[name]}\n\n{outer if twice else plain}\nmodel M = Main\n"
    model = ogive.source(text).models["M"]
    torch.manual_seed(0)
    x = torch.randn(3, 2)
    model.onnx(tmp_path / "m.onnx")
    (y,) = session(onnx.load(tmp_path / "m.onnx")).run(None, {"x": x.numpy()})
    assert np.allclose(y, model.torch()(x).detach().numpy(), rtol=1e-4, atol=1e-5)

"""`minimum` and `maximum` of equal numbers share what flows back, in ONNX as in torch; a number lets it through."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from pathlib import Path

import onnxruntime
import pytest
import torch

import ogive

FORMS = {"both": "{op}(x, x * w)", "left": "{op}(x, w)", "right": "{op}(w, x)", "number": "{op}(x, 1.0)"}
CASES = list(product(("minimum", "maximum"), FORMS))
TEXT = "\n".join(
    f"block F{at}[n](x: [n], w: [n]) -> []:\n    return sum({FORMS[form].format(op=op)} * (w + 1))\n\n"
    f"block G{at}(x: [n], w: [n]) -> [n]:\n    return grad[F{at}[n]](x, w)\n\nmodel M{at} = G{at}\n"
    for at, (op, form) in enumerate(CASES)
)


@pytest.fixture(scope="module")
def program() -> ogive.Program:
    return ogive.source(TEXT)


@pytest.mark.parametrize("at", range(len(CASES)), ids=["-".join(case) for case in CASES])
def test_equal_numbers_share_what_flows_back(program: ogive.Program, at: int, tmp_path: Path) -> None:
    op, form = CASES[at]
    x = torch.tensor([1.0, 1.0, 0.0, 2.0, -1.0, 0.5, 2.0], requires_grad=True)
    w = torch.tensor([1.0, 2.0, 0.0, 2.0, 1.0, -0.5, 1.0])
    function = getattr(torch, op)
    made: dict[str, Callable[[], torch.Tensor]] = {
        "both": lambda: function(x, x * w), "left": lambda: function(x, w), "right": lambda: function(w, x),
        "number": lambda: x.clamp(max=1.0) if op == "minimum" else x.clamp(min=1.0),
    }  # fmt: skip
    y = made[form]()
    (wanted,) = torch.autograd.grad((y * (w + 1)).sum(), x)
    model = program[f"M{at}"]
    torch.testing.assert_close(model.torch()(x.detach(), w), wanted)
    model.onnx(tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    (found,) = session.run(None, {"x": x.detach().numpy(), "w": w.numpy()})
    torch.testing.assert_close(torch.from_numpy(found), wanted)

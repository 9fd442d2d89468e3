"""Numbers that a block is given in brackets, whole or not, as settings of operations that are derived in ONNX."""

from __future__ import annotations

from pathlib import Path

import onnxruntime
import pytest
import torch

import ogive

# s is a static of the block: a size where it is given as a whole number
FORMS = {
    "pad": "pad[-1, 1, 2, value=s](x)",
    "norm": "expand[\"-> n\", n=n](norm[p=s](x)) + x",
    "clamp": "clamp[lo=0, hi=s](x)",
    "softplus": "softplus[beta=s](x)",
    "elu": "elu[alpha=s](x)",
    "leaky_relu": "leaky_relu[slope=s](x)",
    "hardtanh": "hardtanh[lo=-s, hi=s](x)",
    "layer_norm": "layer_norm[eps=s](x)",
    "rms_norm": "rms_norm[eps=s](x)",
    "group_norm": "reduce[\"1 c n -> n\", sum](group_norm[1, eps=s](expand[\"n -> 1 2 n\"](x)))",
    "full": "x * full[n, v=s]",
    "linspace": "x * linspace[0.0, s, n]",
    "mul": "x * s",
    "pow": "(x * x + 1) ** s",
    "maximum": "maximum(x, s - 1.5)",
    "select": "select(x > s - 2, x * x, x)",
}  # fmt: skip
DECLARED = {"s": ("2", "3"), "s: float": ("3.0", "0.75")}


def title(name: str) -> str:
    return name.title().replace("_", "")


def text() -> str:
    pieces = []
    for name, form in FORMS.items():
        for at, (declared, numbers) in enumerate(DECLARED.items()):
            block = f"{title(name)}F{at}x"
            pieces += [
                f"block {block}[{declared}](x: [n]) -> []:\n    return sum(sin({form}))\n",
                f"block {block}G[{declared}](x: [n]) -> [n]:\n    f = {block}[s]\n    return grad[f](x)\n",
                *(f"model {title(name)}{at}x{number} = {block}G[{given}]" for number, given in enumerate(numbers)),
            ]
    return "\n".join(pieces) + "\n"


@pytest.fixture(scope="module")
def program() -> ogive.Program:
    return ogive.source(text())


@pytest.mark.parametrize("name", FORMS)
def test_a_derivative_takes_sizes_and_floats_alike(program: ogive.Program, name: str, tmp_path: Path) -> None:
    x = torch.tensor([0.3, -1.25, 2.5, 0.9])
    for at, numbers in enumerate(DECLARED.values()):
        for number, given in enumerate(numbers):
            model = program[f"{title(name)}{at}x{number}"]
            wanted = model.torch()(x)
            path = tmp_path / f"{at}{number}.onnx"
            model.onnx(path)
            (found,) = onnxruntime.InferenceSession(path).run(None, {"x": x.numpy()})
            torch.testing.assert_close(torch.from_numpy(found), wanted, rtol=1e-5, atol=1e-6, msg=f"{name} of {given}")

"""0.0 and -0.0 are equal and not the same number: each place keeps its own, whatever else the program holds."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from pathlib import Path
from typing import Any

import onnxruntime
import pytest
import torch
from torch import Tensor

import ogive
from ogive.compiler.ir.model import Const, Scalar
from ogive.compiler.ir.scalars import signs_of_zeros

BLOCKS = """
block Over[p: float](x: [2, d]) -> [2, d]:
    return x / p

block OverFirst[values: list](x: [2, d]) -> [2, d]:
    return x / values[0]

block Filled[p: float](x: [2, d]) -> [2, d]:
    return x / full[2, d, v=p]

block Weight[p: float](x: [2, d]) -> [2, d]:
    param w: [d] = constant[p]
    return x / w

block Row[p: float](x: [d]) -> [d]:
    return x / p

block Applied[F: block](x: [2, d]) -> [2, d]:
    return F(x)

block Summed[p: float](x: [2, d]) -> []:
    return sum(x / p)
"""

USES = (
    "x / {}",
    "x / full[2, d, v={}]",
    "x / ({} * 1.0)",
    "x / select(x > 0.0, {}, 1.0)",
    "x / clamp[{}, 5.0](full[2, d, v=-1.0])",
    "Over[{}](x)",
    "OverFirst[[{}, 1.0]](x)",
    "Filled[{}](x)",
    "Weight[{}](x)",
    "over[0, Row[{}]](x)",
    "Applied[Over[{}]](x)",
    "Applied[Over[{}] >> Over[1.0]](x)",
    "x * grad[Summed[{}]](x)",
)


def program(order: tuple[str, ...]) -> ogive.Model:
    """Every use with each number, those of one use in this order."""
    results = [use.replace("{}", number) for use in USES for number in order]
    types = ", ".join(["[2, d]"] * len(results))
    body = "".join(f"    y{at} = {result}\n" for at, result in enumerate(results))
    names = ", ".join(f"y{at}" for at in range(len(results)))
    text = f"{BLOCKS}\nblock Net[d](x: [2, d]) -> ({types}):\n{body}    return {names}\n\nmodel M = Net[d=3]\n"
    return ogive.source(text).models["M"]


WANTED: dict[str, Callable[[Tensor], Tensor]] = {
    "0.0": lambda x: torch.full_like(x, torch.inf),
    "-0.0": lambda x: torch.full_like(x, -torch.inf),
    "0.5": lambda x: 2.0 * x,
}


@pytest.mark.parametrize("order", list(permutations(("0.0", "-0.0", "0.5"))), ids=" ".join)
def test_zeros_keep_their_signs_whatever_stands_beside_them(order: tuple[str, ...], tmp_path: Path) -> None:
    x = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    model = program(order)
    model.onnx(tmp_path / "m.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx")
    exported: list[Any] = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    places = [(use, number) for use in USES for number in order]
    for runtime, results in (("torch", model.torch()(x)), ("onnx", map(torch.from_numpy, exported))):
        for (use, number), result in zip(places, results, strict=True):
            if runtime == "onnx" and "select" in use:
                continue  # the kernel of `Where` makes 0.0 of -0.0: a result that is zero has either sign
            assert torch.equal(result.detach(), WANTED[number](x)), (runtime, use, number)


@pytest.mark.parametrize(
    "bound",
    ["if training:\n        z = 0.0\n    else:\n        z = -0.0", "z = 0.0\n    if training:\n        z = -0.0"],
)
def test_a_zero_of_another_sign_is_another_number(bound: str) -> None:
    with pytest.raises(ogive.ArchError, match="`z` is not one value here"):
        ogive.source(f"block Net[d](x: [d]) -> [d]:\n    {bound}\n    return x / z\n")


def test_a_zero_of_another_sign_is_not_carried() -> None:
    with pytest.raises(ogive.ArchError, match="`z` is a number: it is not carried through a loop"):
        ogive.source(
            "block Net[d](x: [d]) -> [d]:\n    z = 0.0\n    repeat 2:\n        x = x / z\n        z = -0.0\n"
            "    return x\n"
        )


def test_signs_are_those_of_zeros_alone() -> None:
    nested = (Const(-0.0), (1.0, -2.0, 0.0, Const(Scalar("*", (-0.0, Scalar("neg", (0.0,)))))), 0, False, "0.0", None)
    assert list(signs_of_zeros(nested)) == [-1, 1, -1, 1]

"""`inductive_bias`: the distribution against samples of it, its fit, and bits that fall as the target rises."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import ogive
from analysis.measured import EXAMPLES
from ogive.backends.analysis.measured.bias import ScaledChiSquare, fitted


def drawn(found: ScaledChiSquare, count: int) -> torch.Tensor:
    """Numbers of the distribution: squares of normal ones, the first moved."""
    torch.manual_seed(0)
    normal = torch.randn(count, int(found.degrees), dtype=torch.float64)
    normal[:, 0] += found.offset**0.5
    return found.scale * normal.square().sum(1)


@pytest.mark.parametrize(
    "found", [ScaledChiSquare(3, 4.0, 0.1), ScaledChiSquare(5, 0.0, 2.0), ScaledChiSquare(2, 30.0, 1.0)]
)
def test_shares_are_those_of_samples_and_moments_give_it_back(found: ScaledChiSquare) -> None:
    x = drawn(found, 200_000)
    for share in (0.05, 0.3, 0.7, 0.99):
        assert found.below(float(x.quantile(share))) == pytest.approx(share, abs=0.005)
    again = fitted(x.tolist())
    for share in (0.1, 0.5, 0.9):
        assert again.below(float(x.quantile(share))) == pytest.approx(share, abs=0.02)


def test_bits_fall_as_the_target_rises() -> None:
    model = ogive.load(EXAMPLES[0].parent / "mlp.arch").models["Tiny"]
    torch.manual_seed(0)
    x = torch.randn(30, 4)
    data = {"x": x, "target": x[:, :3].sin()}
    bits = []
    for target in (0.01, 0.1, 0.5):
        call = f"inductive_bias[target={target}, samples=6, steps=40, fit=2.0]"
        found: Any = model.analyze(call, data=data, loss="mse")
        bits.append(found.totals["bits"])
    assert bits[0] > bits[1] > bits[2] >= 0
    assert found.totals["hypotheses"] == 6
    again: Any = model.analyze("inductive_bias[target=0.5, samples=6, steps=40, fit=2.0]", data=data, loss="mse")
    assert again.totals == found.totals


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("target=0.1, samples=3, steps=1, fit=1e-9", "0 of 3 hypotheses fit"),
        ("target=0", "`target` of `inductive_bias` is above 0"),
        ("target=0.1, held_out=1.0", "`held_out` of `inductive_bias` is a share"),
        ("target=0.1, samples=0", "`samples` of `inductive_bias` is a number from 1 on"),
    ],
)
def test_refusals(options: str, said: str) -> None:
    model = ogive.load(EXAMPLES[0].parent / "mlp.arch").models["Tiny"]
    data = {"x": torch.randn(8, 4), "target": torch.randn(8, 3)}
    with pytest.raises(ogive.ArchError, match=said):
        model.analyze(f"inductive_bias[{options}]", data=data, loss="mse")

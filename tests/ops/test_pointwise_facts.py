"""What operations say of themselves as functions of one number is what torch computes."""

from __future__ import annotations

from itertools import pairwise
from math import inf, isclose, pi, sqrt
from typing import Any

import pytest
import torch

from ogive.compiler.ops import OPS
from ogive.compiler.ops.gaussian import gaussian_mean, gaussian_moments
from ogive.compiler.ops.pointwise_facts import PointwiseFacts
from ops.harness import Names, function_of, node_of

SETTINGS: dict[str, list[dict[str, Any]]] = {
    "elu": [{"alpha": a} for a in (1.0, 0.3, 2.0)],
    "leaky_relu": [{"slope": a} for a in (0.01, 0.3, 2.0, 0.0, -0.5)],
    "softplus": [{"beta": a} for a in (1.0, 3.0)],
    "hardtanh": [{"lo": -1.0, "hi": 1.0}, {"lo": -0.5, "hi": 2.0}],
    "clamp": [{"lo": 0.0, "hi": inf}, {"lo": -inf, "hi": 0.0}, {"lo": -2.0, "hi": 2.0}],
    "cast": [{"type": "float"}, {"type": "int"}],
}
CASES = [
    pytest.param(name, settings, id="-".join(map(str, (name, *settings.values()))))
    for name, spec in OPS.items()
    if spec.pointwise is not None
    for settings in SETTINGS.get(name, [{}])
]


def facts_of(name: str, settings: dict[str, Any]) -> PointwiseFacts:
    made = OPS[name].pointwise
    assert made is not None
    return made(settings)


def points(facts: PointwiseFacts) -> torch.Tensor:
    """Numbers of the domain, none of them a kink."""
    low, high = max(facts.domain[0], -9.0), min(facts.domain[1], 9.0)
    return torch.linspace(low + 1e-3, high - 1.1e-3, 4001, dtype=torch.double)


def torchs(name: str, settings: dict[str, Any], x: torch.Tensor) -> torch.Tensor:
    types = [Names().operand("n")]
    found = function_of(node_of(name, types, settings), types, {})(x)
    assert isinstance(found, torch.Tensor)
    return found.double()


@pytest.mark.parametrize(("name", "settings"), CASES)
def test_facts_are_those_of_torch(name: str, settings: dict[str, Any]) -> None:
    facts = facts_of(name, settings)
    x = points(facts)
    y = torchs(name, settings, x)
    assert torch.allclose(y, torch.tensor([facts.value(at) for at in x.tolist()], dtype=x.dtype), rtol=1e-9, atol=1e-9)
    assert facts.range[0] - 1e-12 <= float(y.min())
    assert float(y.max()) <= facts.range[1] + 1e-12
    if facts.odd:
        assert torch.allclose(torchs(name, settings, -x), -y)
    folded = torchs(name, settings, y)
    inside = float(y.min()) >= facts.domain[0] and float(y.max()) <= facts.domain[1]
    assert facts.idempotent == (inside and torch.allclose(folded, y))
    homogeneous = facts.domain == (-inf, inf) and torch.allclose(torchs(name, settings, 3 * x), 3 * y, atol=1e-9)
    assert (facts.homogeneous is not None) == homogeneous
    if facts.homogeneous is not None:
        below, above = facts.homogeneous
        assert torch.allclose(y, torch.where(x < 0, below * x, above * x))


@pytest.mark.parametrize(("name", "settings"), CASES)
def test_slopes_turns_and_kinks_are_those_of_torch(name: str, settings: dict[str, Any]) -> None:
    facts = facts_of(name, settings)
    x = points(facts)
    if not facts.jumps:
        x.requires_grad_()
        (slope,) = torch.autograd.grad(torchs(name, settings, x).sum(), x)
        said = torch.tensor([facts.slope(at) for at in x.tolist()], dtype=x.dtype)
        assert torch.allclose(slope, said, rtol=1e-5 if name == "lgamma" else 1e-7, atol=1e-8)
        assert facts.slopes[0] - 1e-12 <= float(slope.detach().min())
        assert float(slope.max()) <= facts.slopes[1] + 1e-8  # torch's sixth is one of single floats
        for at, (bound, found) in enumerate(zip(facts.slopes, (slope.min(), slope.max()), strict=True)):
            far = facts.domain != (-inf, inf) or facts.period or abs(bound) > 1e3
            assert far or isclose(bound, float(found), abs_tol=0.12), ("slopes", at)  # they are reached, or nearly
    turned = {(int(a > 0), int(b > 0)) for a, b in pairwise(_rises(torchs(name, settings, points(facts))))}
    shifts = [k * facts.period for k in range(-2, 3)] if facts.period else [0.0]
    for turn in (turn + shift for turn in facts.turns for shift in shifts):
        if abs(turn) < 9:
            beside = torch.tensor([turn - 1e-4, turn, turn + 1e-4], dtype=torch.double)
            low, here, high = torchs(name, settings, beside)
            assert (here - low) * (here - high) >= 0
    assert bool(facts.turns) or facts.jumps or turned <= {(0, 0)} or turned <= {(1, 1)}
    if facts.monotone is not None:
        assert turned <= ({(1, 1)} if facts.monotone == "rising" else {(0, 0)})


def _rises(y: torch.Tensor) -> list[float]:
    """Its steps that are none of rounding."""
    return [float(step) for step in y.diff() if abs(step) > 1e-9]


@pytest.mark.parametrize(("name", "settings"), CASES)
@pytest.mark.parametrize("variance", [0.3, 4.0])
def test_moments_are_those_of_a_fine_sum(name: str, settings: dict[str, Any], variance: float) -> None:
    facts = facts_of(name, settings)
    found = gaussian_moments(facts, variance)
    if facts.domain != (-inf, inf):
        assert found is None
        return
    z = torch.linspace(-12, 12, 200001, dtype=torch.double) * sqrt(variance)
    weight = torch.exp(-(z**2) / (2 * variance)) / sqrt(2 * pi) * 24 / 200000
    y = torchs(name, settings, z)
    if found is None or name == "tan":  # which has no moments
        return
    rel, least = (1e-2, 1e-2) if facts.jumps else (1e-4, 1e-6)
    assert found.mean == pytest.approx(float((weight * y).sum()), rel=rel, abs=least)
    assert found.square == pytest.approx(float((weight * y**2).sum()), rel=rel, abs=least)
    growth = float((weight * y**2 * (z**2 - variance)).sum()) / (2 * variance**2)
    assert found.square_growth == pytest.approx(growth, rel=rel, abs=least)
    if not facts.jumps:  # Stein: ⟨z f⟩ = K ⟨f'⟩
        assert gaussian_mean(lambda at: at * facts.value(at), facts, variance) == pytest.approx(
            variance * found.slope, rel=1e-6, abs=1e-9
        )


def test_facts_at_zero() -> None:
    assert (facts_of("gelu", {}).at_zero, facts_of("gelu", {}).slope_at_zero) == (0.0, 0.5)
    assert (facts_of("sigmoid", {}).at_zero, facts_of("sigmoid", {}).slope_at_zero) == (0.5, 0.25)
    assert (facts_of("relu", {}).at_zero, facts_of("relu", {}).slope_at_zero) == (0.0, None)
    assert facts_of("log", {}).at_zero is None
    assert facts_of("sqrt", {}).at_zero == 0.0
    assert facts_of("gelu", {}).lipschitz == pytest.approx(1.129, abs=1e-3)
    assert facts_of("silu", {}).lipschitz == pytest.approx(1.100, abs=1e-3)
    assert facts_of("sign", {}).lipschitz == inf


@pytest.mark.parametrize(("name", "settings"), CASES)
def test_a_function_is_convex_or_concave_between_its_bends_and_kinks(name: str, settings: dict[str, Any]) -> None:
    facts = facts_of(name, settings)
    if facts.jumps:
        return
    low, high = max(facts.domain[0], -9.0) + 1e-3, min(facts.domain[1], 9.0) - 1e-3
    shifts = [k * facts.period for k in range(-2, 3)] if facts.period else [0.0]
    inside = sorted({at + shift for at in (*facts.bends, *facts.kinks) for shift in shifts if low < at + shift < high})
    for begin, end in pairwise((low, *inside, high)):
        x = torch.linspace(begin, end, 401, dtype=torch.double)
        bent = torchs(name, settings, x).diff().diff()
        assert bool((bent > -1e-9).all()) or bool((bent < 1e-9).all()), (begin, end)

"""Optimal activations: Hermite sums with the moments of the theory, and sectors of a circle that are learned."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from papers.frame import Case, Mutant, Paper, program
from papers.trial import Trial, trained

SECTORS, TRAIN, STEPS = 16, 200, 250


class HermiteReading(nn.Module):
    """Layers W x/√m with (h₁ + h₇)/√2 between them for d = 1, else 2^(-d/4)(h₁ + h₃) + √(1 - 2^(1 - d/2)) h₂."""

    def __init__(self, d: int, width: int, depth: int) -> None:
        super().__init__()
        self.first, self.last, self.d = self.table(width, d + 1), self.table(2, width), d
        self.layers = nn.ModuleList([nn.ModuleDict({"map": self.table(width, width)}) for _ in range(depth - 1)])

    def table(self, m: int, n: int) -> nn.Module:
        return nn.ParameterDict({"weight": torch.randn(m, n)})

    def hermite(self, x: Tensor, k: int) -> Tensor:
        values = [torch.ones_like(x), x]
        for n in range(1, k):
            values.append(x * values[n] - n * values[n - 1])
        return values[k] / math.sqrt(math.factorial(k))

    def phi(self, x: Tensor) -> Tensor:
        h1, h2, h3, h7 = (self.hermite(x, k) for k in (1, 2, 3, 7))
        if self.d == 1:
            return (h1 + h7) / math.sqrt(2)
        return 2 ** (-self.d / 4) * (h1 + h3) + math.sqrt(1 - 2 ** (1 - self.d / 2)) * h2

    def forward(self, x: Tensor) -> Tensor:
        tables = ["first", *(f"layers.{i}.map" for i in range(len(self.layers))), "last"]
        for i, name in enumerate(tables):
            weight = self.get_parameter(f"{name}.weight")
            x = (self.phi(x) if i else x) @ weight.T / math.sqrt(weight.shape[1])
        return x


class ReluNet(nn.Module):
    """The baseline: the same layers with √2 ReLU between them."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Parameter(torch.randn(64, 2)), nn.Parameter(torch.randn(2, 64))
        self.map = nn.Parameter(torch.randn(64, 64))

    def forward(self, x: Tensor) -> Tensor:
        for weight in (self.first, self.map):
            x = math.sqrt(2) * torch.relu(x @ weight.T / math.sqrt(weight.shape[1]))
        return x @ self.last.T / 8


def circle(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Points of length √2 in the plane, and the colour of their sectors, which alternates."""
    angle = torch.rand(count, generator=torch.Generator().manual_seed(seed)) * 2 * math.pi
    points = math.sqrt(2) * torch.stack([torch.cos(angle), torch.sin(angle)], 1)
    return points, (angle / (2 * math.pi) * SECTORS).long() % 2


def learn(net: nn.Module, rate: float, seed: int) -> float:
    """The share of wrong answers at points that were not seen."""
    x, kind = circle(TRAIN, 10 + seed)
    trained(net, lambda _: nn.functional.cross_entropy(net(x), kind), rate, STEPS, seed)
    x, kind = circle(2000, 7)
    with torch.no_grad():
        return float((net(x).argmax(1) != kind).float().mean())


PAPER = Paper(
    slug="optimal-activation",
    counts={"Circle": 66_560, "Sphere": 66_816},
    source="own reading: width 256, two hidden layers; the theory is of infinite width and depth",
    cases={
        "Tiny": Case(lambda: HermiteReading(2, 6, 2), lambda: (torch.randn(4, 3),)),
        "TinyCircle": Case(lambda: HermiteReading(1, 5, 1), lambda: (torch.randn(4, 2),)),
    },
    mutant=Mutant("h3 = (x**3 - 3*x) / 6**0.5", "h3 = (x**3 - 3.1*x) / 6**0.5"),
    folds="activations stay; the scale 1/√m goes into the weights by hand only",
    tries="The activation for d = 2 on a sphere: its third power grows less than the seventh.",
    trial=Trial(
        hypothesis="A small network with the activation for d = 1 learns sectors of a circle better than ReLU.",
        metric="share of wrong answers at 2000 points of 16 sectors that were not seen",
        budget="250 steps of Adam on all of 200 points, with a rate that falls to 0",
        baseline="the same layers of width 64 with √2 ReLU",
        ours=lambda: program("optimal-activation")["OptimalNet"](d=1, width=64, depth=2, classes=2).torch(),
        theirs=ReluNet,
        run=learn,
        rates=(3e-3, 1e-2, 3e-2),
    ),
)


@pytest.mark.parametrize("d", [1, 2, 3, 4, 6])
def test_moments_are_those_of_the_optimal_classifier(d: int) -> None:
    """Eφ = 0, Eφ² = 1, A = (Eφ')² = 2^(-d/2), B = Eφ'² with -2 ln A/ln B = d, by Gauss-Hermite quadrature."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    chance = torch.tensor(weights / weights.sum())
    x = torch.tensor(nodes).requires_grad_()
    phi = program("optimal-activation")["optimal"](d=d).torch(dtype="f64")(x)
    (slope,) = torch.autograd.grad(phi.sum(), x)
    mean, second, a, b = ((chance * y).sum().item() for y in (phi, phi**2, slope, slope**2))
    assert abs(mean) < 1e-10
    assert abs(second - 1) < 1e-10
    assert math.isclose(a**2, 0.5 if d == 1 else 2 ** (-d / 2), rel_tol=1e-10)
    assert math.isclose(b, 4 if d == 1 else 2, rel_tol=1e-10)
    assert math.isclose(-2 * math.log(a**2) / math.log(b), d, rel_tol=1e-10)

"""Orthogonal convolutions: the term against the whole matrix, the vectors of the sheet, and figures with the term."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import ogive
from papers.data import figures
from papers.frame import Case, Mutant, Paper, model
from papers.trial import Trial, trained

TRAIN, STEPS, BATCH, WEIGHT = 400, 100, 16, 0.1


class OrthoReading(nn.Module):
    """Convolutions with ReLU, and Σ |corr(K, K) - I|² - max(0, m - c s²) of each, shift by shift."""

    def __init__(self) -> None:
        super().__init__()
        convs = [nn.Conv2d(2, 3, 3, padding=1, bias=False), nn.Conv2d(3, 4, 3, stride=2, padding=1, bias=False)]
        self.stages = nn.ModuleList([nn.ModuleDict({"conv": conv}) for conv in convs])
        self.head = nn.Linear(4, 2)

    def term(self, w: Tensor, stride: int) -> Tensor:
        m, c, k, _ = w.shape
        reach = (k - 1) // stride * stride
        total = torch.zeros((), dtype=w.dtype)
        for dy in range(-reach, reach + 1, stride):
            for dx in range(-reach, reach + 1, stride):
                a = w[:, :, max(0, dy) : k + min(0, dy), max(0, dx) : k + min(0, dx)].flatten(1)
                b = w[:, :, max(0, -dy) : k - max(0, dy), max(0, -dx) : k - max(0, dx)].flatten(1)
                wanted = torch.eye(m, dtype=w.dtype) if dy == dx == 0 else 0
                total = total + (a @ b.T - wanted).square().sum()
        return total - max(0, m - c * stride**2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        penalty = torch.zeros((), dtype=x.dtype)
        for i in range(2):
            conv = self.get_submodule(f"stages.{i}.conv")
            x = torch.relu(conv(x))
            penalty = penalty + self.term(conv.get_parameter("weight"), i + 1)
        return self.head(x.mean((2, 3))), penalty


class Unpenalized(nn.Module):
    """The baseline: the same network, whose term is not in the loss."""

    def __init__(self) -> None:
        super().__init__()
        self.net = model("orthogonal-conv", "Figures").torch()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        found: tuple[Tensor, Tensor] = self.net(x)
        return found


def learn(net: nn.Module, rate: float, seed: int) -> float:
    """The share of wrong answers on figures that were not seen."""
    x, kind = figures(TRAIN, 10 + seed)
    weight = 0.0 if isinstance(net, Unpenalized) else WEIGHT

    def loss(draw: torch.Generator) -> Tensor:
        rows = torch.randint(TRAIN, (BATCH,), generator=draw)
        y, penalty = net(x[rows])
        total: Tensor = nn.functional.cross_entropy(y, kind[rows]) + weight * penalty
        return total

    trained(net, loss, rate, STEPS, seed)
    test, wanted = figures(500, 7)
    with torch.no_grad():
        return float((net(test)[0].argmax(1) != wanted).float().mean())


PAPER = Paper(
    slug="orthogonal-conv",
    counts={"Figures": 14_388},
    source="own reading: three convolutions and a head; the term has no weights",
    cases={"Tiny": Case(OrthoReading, lambda: (torch.randn(2, 2, 6, 6),))},
    mutant=Mutant("return sum(y**2) - 2 * sum(y", "return sum(y**2) - 2.1 * sum(y", "reparam"),
    folds="nothing is left to fold: the term is for training, and a model that is used leaves it out",
    tries="Kernels of 1 × 1, where the term is |W Wᵀ - I|².",
    trial=Trial(
        hypothesis="With the term in the loss the network makes fewer errors.",
        metric="share of wrong answers on 500 noisy figures of four kinds that were not seen",
        budget="100 steps of Adam on batches of 16 of 400 figures, with a rate that falls to 0 and a tenth of the term",
        baseline="the same network without the term",
        ours=lambda: model("orthogonal-conv", "Figures").torch(),
        theirs=Unpenalized,
        run=learn,
        rates=(3e-3, 1e-2, 3e-2),
    ),
)


def term(w: Tensor, stride: int) -> float:
    """The term of the library for these kernels."""
    text = f"use std.reparam (conv_orthogonality)\nmodel M = conv_orthogonality[stride={stride}]"
    return float(ogive.source(text).models["M"].torch(dtype="f64")(w))


def test_the_vectors_of_the_sheet() -> None:
    ninth = torch.full((1, 1, 3, 3), 1 / 3, dtype=torch.float64)
    assert abs(term(ninth, 1) - 280 / 81) < 1e-12
    apart = torch.zeros(2, 2, 3, 3, dtype=torch.float64)
    apart[0, 0, 1, 1] = apart[1, 1, 0, 2] = 1
    assert abs(term(apart, 1)) < 1e-12
    assert abs(term(torch.eye(4, dtype=torch.float64).view(4, 1, 2, 2), 2)) < 1e-12


@pytest.mark.parametrize(("m", "c", "stride"), [(2, 3, 1), (4, 2, 1), (5, 1, 2), (3, 2, 2)])
def test_it_is_the_error_of_the_whole_matrix(m: int, c: int, stride: int) -> None:
    """On a ring of N ≥ 2k - 1 places along each axis of the result, |A Aᵀ - I|² or |Aᵀ A - I|² is N² times the term."""
    torch.manual_seed(0)
    w, n = torch.randn(m, c, 3, 3, dtype=torch.float64), 5
    size = n * stride
    points = torch.eye(c * size * size, dtype=torch.float64).view(-1, c, size, size)
    ring = nn.functional.pad(points, (0, 2, 0, 2), mode="circular")
    matrix = nn.functional.conv2d(ring, w, stride=stride).flatten(1).T
    square = matrix @ matrix.T if m <= c * stride**2 else matrix.T @ matrix
    error = (square - torch.eye(len(square), dtype=torch.float64)).square().sum()
    assert abs(float(error) - n**2 * term(w, stride)) < 1e-8 * float(error)

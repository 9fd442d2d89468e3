"""LDLT Lipschitz networks: weights by Cholesky factors, the inequality that they meet, and a function of slope 1."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from papers.frame import Case, Mutant, Paper, model, program
from papers.trial import Trial, trained

STEPS = 300


class CertifiedReading(nn.Module):
    """W_k = c V_k R_k⁻¹ D_{k-1}, D_k = c √α S_k⁻¹, with R upper, RᵀR = VᵀV + α; S lower, SSᵀ = VVᵀ + α."""

    def __init__(self, widths: list[int], bound: float) -> None:
        super().__init__()
        self.net = nn.ModuleDict({"layers": nn.ModuleList()})
        for m, n in pairwise(widths):
            certified = nn.ParameterDict({"V": torch.zeros(n, m), "log_alpha": torch.zeros(())})
            layer = nn.ParameterDict({"bias": torch.zeros(n)})
            layer.certified = certified
            self.get_submodule("net.layers").append(layer)  # type: ignore[operator]
        self.bound = bound

    def weights(self) -> list[Tensor]:
        found, d = [], self.bound
        places = [name.removesuffix(".V") for name, _ in self.named_parameters() if name.endswith(".V")]
        before = d * torch.eye(self.get_parameter(f"{places[0]}.V").shape[1], dtype=torch.float64)
        for place in places:
            v, alpha = self.get_parameter(f"{place}.V"), self.get_parameter(f"{place}.log_alpha").exp()
            c = 1 if place == places[-1] else 2**0.5
            upper = torch.linalg.cholesky(v.T @ v + alpha * torch.eye(v.shape[1], dtype=v.dtype)).T
            lower = torch.linalg.cholesky(v @ v.T + alpha * torch.eye(v.shape[0], dtype=v.dtype))
            found.append(c * v @ torch.linalg.inv(upper) @ before)
            before = c * alpha.sqrt() * torch.linalg.inv(lower)
        return found

    def forward(self, x: Tensor) -> Tensor:
        weights = self.weights()
        for i, weight in enumerate(weights):
            x = x @ weight.T + self.get_parameter(f"net.layers.{i}.bias")
            x = x if i == len(weights) - 1 else torch.relu(x)
        return x


def spectral() -> nn.Module:
    """The baseline: layers whose weights are divided by their largest singular value."""
    maps = [nn.Linear(2, 32), nn.Linear(32, 32), nn.Linear(32, 1)]
    for each in maps:
        nn.utils.parametrizations.spectral_norm(each)
    return nn.Sequential(maps[0], nn.ReLU(), maps[1], nn.ReLU(), maps[2])


def distance(x: Tensor) -> Tensor:
    """How far the nearest of five points is: a function of slope 1."""
    points = torch.tensor([[0.0, 0.0], [1.5, 1.0], [-1.0, 1.5], [1.0, -1.5], [-1.5, -1.0]])
    return torch.cdist(x, points).amin(1, keepdim=True)


def learn(net: nn.Module, rate: float, seed: int) -> float:
    """The squared error over the variance, at places that were not seen."""

    def loss(draw: torch.Generator, count: int = 128) -> Tensor:
        x = 4 * torch.rand(count, 2, generator=draw) - 2
        y = distance(x)
        share: Tensor = (net(x) - y).square().mean() / y.var()
        return share

    trained(net, loss, rate, STEPS, seed)
    with torch.no_grad():
        return float(loss(torch.Generator().manual_seed(7), 4000))


PAPER = Paper(
    slug="ldlt-lipschitz",
    counts={"One": 1_188, "Three": 1_188},
    source="own reading: a chain 2-32-32-1, with one number more for each layer",
    cases={"Tiny": Case(lambda: CertifiedReading([3, 5, 4, 2], 2.0), lambda: (torch.randn(4, 3),))},
    mutant=Mutant("gain=1.0 if last else 2**0.5", "gain=1.0 if last else 1.4", "reparam"),
    folds={"linear": 3, "cholesky": 0},
    passes="fold[grow=true]",
    tries="A larger bound: `Three` may be three times as steep, with the same weights.",
    trial=Trial(
        hypothesis="A chain with one certificate fits a function of slope 1 better than layers that each keep to 1.",
        metric="squared error over the variance, at 4000 places that were not seen",
        budget="300 steps of Adam on 128 fresh places, with a rate that falls to 0",
        baseline="the same chain with spectral normalization of each layer",
        ours=lambda: model("ldlt-lipschitz", "One").torch(),
        theirs=spectral,
        run=learn,
        rates=(3e-3, 1e-2, 3e-2),
    ),
)


@pytest.mark.parametrize("bound", [1.0, 3.0])
def test_the_chain_meets_its_inequality(bound: float) -> None:
    """The block-tridiagonal matrix with L², 2, 2, 1 on its diagonal and -W below is positive; no slope is above L."""
    net = program("ldlt-lipschitz")["Certified"](din=3, widths=[6, 5, 2], bound=bound).torch(dtype="f64")
    plain = CertifiedReading([3, 6, 5, 2], bound).double()
    for seed in range(5):
        torch.manual_seed(seed)
        with torch.no_grad():
            for parameter in net.parameters():
                parameter.normal_(std=2.0)
        plain.load_state_dict(net.state_dict())
        with torch.no_grad():
            weights = plain.weights()
        sizes = [3, 6, 5, 2]
        diagonal = torch.repeat_interleave(torch.tensor([bound**2, 2, 2, 1.0]).double(), torch.tensor(sizes))
        matrix, at = torch.diag(diagonal), 0
        for weight, m in zip(weights, sizes, strict=False):
            n = len(weight)
            matrix[at + m : at + m + n, at : at + m] = -weight
            matrix[at : at + m, at + m : at + m + n] = -weight.T
            at += m
        assert torch.linalg.eigvalsh(matrix).min() > -1e-9
        slopes = torch.func.vmap(torch.func.jacrev(net))(torch.randn(50, 3, dtype=torch.float64))
        assert torch.linalg.matrix_norm(slopes, 2).max() <= bound + 1e-9

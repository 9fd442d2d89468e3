"""Neural network kernels: features that stay and weights that are trained, their limit, and a layer that they learn."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

import ogive
from papers.frame import Case, Mutant, Paper, program
from papers.trial import Trial, trained

DIN, OUT, STEPS = 16, 8, 300


class FeaturesReading(nn.Module):
    """Σ_m ψ_om relu(g_m·x)/√M."""

    def __init__(self, d: int, features: int, out: int) -> None:
        super().__init__()
        self.psi, self.G = nn.Parameter(torch.randn(out, features)), nn.Buffer(torch.randn(features, d))

    def forward(self, x: Tensor) -> Tensor:
        total = torch.zeros(len(x), len(self.psi), dtype=x.dtype)
        for g, column in zip(self.G, self.psi.T, strict=True):
            total = total + torch.relu(x @ g)[:, None] * column / math.sqrt(len(self.G))
        return total


class HeadReading(nn.Module):
    """The layer under the name of the example."""

    def __init__(self) -> None:
        super().__init__()
        self.head = FeaturesReading(5, 4, 3)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(x)
        return out


class AdapterReading(nn.Module):
    """x + layer(x) ⊙ μ."""

    def __init__(self) -> None:
        super().__init__()
        self.mu, self.layer = nn.Parameter(torch.zeros(5)), FeaturesReading(5, 4, 5)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.layer(x) * self.mu
        return out


def learn(net: nn.Module, rate: float, seed: int) -> float:
    """The squared error over the variance, for a random ReLU layer, at inputs that were not seen."""
    weight = torch.randn(OUT, DIN, generator=torch.Generator().manual_seed(50 + seed)) / math.sqrt(DIN)

    def loss(draw: torch.Generator, count: int = 64) -> Tensor:
        x = torch.randn(count, DIN, generator=draw)
        y = torch.relu(x @ weight.T)
        share: Tensor = (net(x) - y).square().mean() / y.var()
        return share

    trained(net, loss, rate, STEPS, seed)
    with torch.no_grad():
        return float(loss(torch.Generator().manual_seed(7), 4000))


PAPER = Paper(
    slug="snnk",
    counts={"Pooler": 24_576, "Adapter768": 13_056},
    source="out × features, and one number for each channel of an adapter; a dense layer of 768 has 590,592",
    cases={
        "Tiny": Case(HeadReading, lambda: (torch.randn(4, 5),)),
        "TinyAdapter": Case(AdapterReading, lambda: (torch.randn(4, 5),)),
    },
    mutant=Mutant("linear(relu(linear(x, G)) / sqrt(m), psi)", "linear(relu(linear(x, G)) / m, psi)", "layers"),
    folds="a frozen map and ReLU stand before the weights, which are deployed as they are",
    tries="More features: the error for a ReLU layer falls with them, and the weights need not know the inputs' width.",
    trial=Trial(
        hypothesis="A layer of random features learns a ReLU layer better than a linear layer with as many weights.",
        metric="squared error over the variance, at 4000 inputs that were not seen",
        budget="300 steps of Adam on 64 fresh inputs, with a rate that falls to 0",
        baseline="a linear map with a bias",
        ours=lambda: program("snnk")["Head"](d=DIN, features=17, classes=OUT).torch(),
        theirs=lambda: nn.Linear(DIN, OUT),
        run=learn,
        rates=(3e-3, 1e-2, 3e-2),
    ),
)


def test_many_features_are_the_arc_cosine_kernel() -> None:
    """With ψ = relu(G w)/√m, in the limit |x| |w| (sin θ + (π - θ) cos θ)/2π."""
    m = 200_000
    text = (
        "use std.layers (KernelLinear)\nblock N(x: [b, 3]) -> [b, 1]:\n    return x |> KernelLinear[3, 1, MANY] as k\n"
    )
    net = ogive.source(f"{text.replace('MANY', str(m))}model M = N[]").models["M"].torch(dtype="f64")
    torch.manual_seed(0)
    x, w = torch.tensor([[1.0, 2.0, -0.5]]).double(), torch.tensor([0.3, 1.0, 1.5]).double()
    directions = torch.randn(m, 3, dtype=torch.float64)
    with torch.no_grad():
        net.get_buffer("k.G").copy_(directions)
        net.get_parameter("k.psi").copy_((torch.relu(directions @ w) / math.sqrt(m))[None])
    theta = math.acos(float(x[0] @ w / (x.norm() * w.norm())))
    expected = float(x.norm() * w.norm()) * (math.sin(theta) + (math.pi - theta) * math.cos(theta)) / (2 * math.pi)
    assert abs(net(x).item() - expected) < 0.02 * expected


def test_an_adapter_starts_as_nothing() -> None:
    net, x = program("snnk").models["TinyAdapter"].torch(), torch.randn(4, 5)
    torch.testing.assert_close(net(x), x)

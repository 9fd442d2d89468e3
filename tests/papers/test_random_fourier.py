"""Random Fourier features: waves by their definition, their kernel, and a flow with fast waves."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

import ogive
from papers.frame import Case, Mutant, Paper, model
from papers.trial import Trial, trained

TRAIN, STEPS = 600, 250


class WavesReading(nn.Module):
    """[cos 2πBx, sin 2πBx] with a frozen B."""

    def __init__(self, din: int, d: int) -> None:
        super().__init__()
        self.B: Tensor
        self.register_buffer("B", torch.randn(d // 2, din))

    def forward(self, x: Tensor) -> Tensor:
        angle = 2 * math.pi * (x[:, None] * self.B).sum(2)
        return torch.cat([angle.cos(), angle.sin()], 1)


class FourierNetReading(nn.Module):
    """Waves, maps with tanh (or one, again and again), and a last map."""

    def __init__(self, depth: int, shared: bool) -> None:
        super().__init__()
        self.waves, self.last = WavesReading(2, 6), nn.Linear(6, 2)
        self.depth, self.shared = depth, shared
        if shared:
            self.hidden = nn.Linear(6, 6)
        else:
            self.layers = nn.ModuleList([nn.ModuleDict({"hidden": nn.Linear(6, 6)}) for _ in range(depth)])

    def forward(self, x: Tensor) -> Tensor:
        y = self.waves(x)
        for i in range(self.depth):
            y = torch.tanh(self.get_submodule("hidden" if self.shared else f"layers.{i}.hidden")(y))
        out: Tensor = self.last(y)
        return out


def plain_network() -> nn.Module:
    """The baseline: one more map with tanh in the place of the waves."""
    stages: list[nn.Module] = [nn.Linear(2, 64), nn.Tanh()]
    for _ in range(3):
        stages += [nn.Linear(64, 64), nn.Tanh()]
    return nn.Sequential(*stages, nn.Linear(64, 2))


def flow(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Places in the unit square, and a velocity without divergence of a slow and a fast wave."""
    x = torch.rand(count, 2, generator=torch.Generator().manual_seed(seed))
    a, b = 2 * math.pi * x[:, 0], 2 * math.pi * x[:, 1]
    u = torch.cos(b) * torch.sin(a) + 0.5 * torch.cos(5 * b) * torch.sin(4 * a)
    v = -torch.sin(b) * torch.cos(a) - 0.4 * torch.sin(5 * b) * torch.cos(4 * a)
    return x, torch.stack([u, v], 1)


def learn(net: nn.Module, rate: float, seed: int) -> float:
    """The relative squared error at places that were not seen."""
    x, u = flow(TRAIN, 10 + seed)

    def loss(draw: torch.Generator) -> Tensor:
        rows = torch.randint(TRAIN, (128,), generator=draw)
        return nn.functional.mse_loss(net(x[rows]), u[rows])

    trained(net, loss, rate, STEPS, seed)
    x, u = flow(4000, 7)
    with torch.no_grad():
        return float((net(x) - u).square().mean() / u.square().mean())


PAPER = Paper(
    slug="random-fourier",
    counts={"Flow": 12_610, "DeepFlow": 4_290},
    source="own reading: 64 waves; the code has other widths, of which the sheet gives none",
    cases={
        "Tiny": Case(lambda: FourierNetReading(2, shared=False), lambda: (torch.randn(4, 2),)),
        "TinyShared": Case(lambda: FourierNetReading(3, shared=True), lambda: (torch.randn(4, 2),)),
    },
    mutant=Mutant("angle = 2 * pi * linear(x, B)", "angle = 2.1 * pi * linear(x, B)", "layers"),
    folds="tanh stands between the maps",
    tries="Other scales of the frequencies: with `scale=0.3` the waves are slow, and little is gained.",
    trial=Trial(
        hypothesis="Behind random waves a network interpolates a flow with fast waves better than without them.",
        metric="relative squared error at 4000 places that were not seen",
        budget="250 steps of Adam on batches of 128 of 600 places, with a rate that falls to 0",
        baseline="the same network with a linear map and tanh in the place of the waves",
        ours=lambda: model("random-fourier", "Flow").torch(),
        theirs=plain_network,
        run=learn,
    ),
)


def test_products_of_features_are_a_gaussian_kernel_in_the_mean() -> None:
    """|γ|² = d/2 exactly, and γ·γ' 2/d → exp(-2π²σ²|x - x'|²) for many waves."""
    text = "use std.layers (FourierFeatures)\nblock N(x: [b, 2]) -> [b, 40000]:\n"
    net = ogive.source(f"{text}    return x |> FourierFeatures[2, 40000, scale=0.5]\nmodel M = N[]").models["M"]
    torch.manual_seed(0)
    found = net.torch(dtype="f64")(torch.tensor([[0.1, 0.2], [0.3, -0.1]], dtype=torch.float64))
    torch.testing.assert_close(found.square().sum(1), torch.full((2,), 20000.0).double())
    kernel = (found[0] * found[1]).sum().item() / 20000
    assert abs(kernel - math.exp(-2 * math.pi**2 * 0.25 * 0.13)) < 0.02

"""INSR: sine networks of a place and their slopes, the counts of the sheet, and a bump that is carried along."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from papers.frame import Case, Mutant, Paper, model
from papers.trial import Trial, trained

STEP, TIMES, SPEED = 0.1, 6, 1.0


class SineReading(nn.Module):
    """sin(3 (W x + b)) again and again, then a linear map."""

    def __init__(self, din: int, d: int, dout: int, depth: int) -> None:
        super().__init__()
        hidden = nn.ModuleList([nn.ModuleDict({"linear": nn.Linear(d, d)}) for _ in range(depth)])
        self.first, self.layers, self.last = nn.Linear(din, d), hidden, nn.Linear(d, dout)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.sin(3 * self.first(x))
        for layer in self.layers:
            x = torch.sin(3 * layer.get_submodule("linear")(x))
        out: Tensor = self.last(x)
        return out


class FieldReading(nn.Module):
    """The network under the name of the example."""

    def __init__(self) -> None:
        super().__init__()
        self.net = SineReading(2, 4, 2, 2)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.net(x)
        return out


class SlopeReading(nn.Module):
    """Values and slopes, these by autograd."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.ModuleDict({"net": SineReading(1, 4, 1, 1)})

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = x if x.requires_grad else x.clone().requires_grad_()
        u = self.net["net"](x[:, None])[:, 0]
        (slope,) = torch.autograd.grad(u.sum(), x, create_graph=True)
        return u, slope


class TanhField(nn.Module):
    """The baseline: layers of tanh, and their slopes by the chain rule."""

    def __init__(self) -> None:
        super().__init__()
        self.maps = nn.ModuleList([nn.Linear(1, 20), nn.Linear(20, 20), nn.Linear(20, 20), nn.Linear(20, 1)])

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y, slope = x[:, None], torch.ones_like(x)[:, None]
        for i, layer in enumerate(self.maps):
            y, slope = layer(y), slope @ layer.get_parameter("weight").T
            if i < 3:
                y = torch.tanh(y)
                slope = slope * (1 - y**2)
        return y[:, 0], slope[:, 0]


def bump(x: Tensor) -> Tensor:
    """The field at the start."""
    return torch.exp(-((x + 0.5) ** 2) / (2 * 0.15**2))


def learn(net: nn.Module, rate: float, seed: int) -> float:
    """The relative error in L2 after the bump was carried for 0.6, by midpoint steps that are optimizations."""

    def places(draw: torch.Generator) -> Tensor:
        return 3 * torch.rand(200, generator=draw) - 1.5

    def start(draw: torch.Generator) -> Tensor:
        x = places(draw)
        return nn.functional.mse_loss(net(x)[0], bump(x))

    trained(net, start, rate, 200, seed)
    for time in range(TIMES):
        old = copy.deepcopy(net)

        def residual(draw: torch.Generator, old: nn.Module = old) -> Tensor:
            x = places(draw)
            with torch.no_grad():
                u0, slope0 = old(x)
            u, slope = net(x)
            total: Tensor = ((u - u0) / STEP + SPEED * (slope + slope0) / 2).square().mean()
            return total

        trained(net, residual, rate / 3, 50, 100 * seed + time)
    x = torch.linspace(-1.2, 1.2, 400)
    exact = bump(x - SPEED * STEP * TIMES)
    with torch.no_grad():
        return float((net(x)[0] - exact).norm() / exact.norm())


PAPER = Paper(
    slug="insr",
    counts={"Wave": 12_673, "Flow": 12_802, "Advected": 901},
    source="of the first two, the sheet; of the last, counted here",
    cases={
        "Tiny": Case(FieldReading, lambda: (torch.randn(5, 2),)),
        "TinySlope": Case(SlopeReading, lambda: (torch.randn(5),)),
    },
    mutant=Mutant(
        "x = sin(omega * (x |> Linear[din, d] as first))",
        "x = sin(omega * (x |> Linear[din, d] as first) + 0.1)",
        "fields",
    ),
    folds="sines stand between the maps",
    tries="Larger frequencies for finer fields: `Slope[d=20, depth=2, omega=15.0]`.",
    trial=Trial(
        hypothesis="By the same steps a network of sines carries a bump along better than one of tanh.",
        metric="relative error in L2 at 400 places after six midpoint steps of 0.1",
        budget="200 steps of Adam for the start, 50 for each time step, at 200 random places",
        baseline="three layers of tanh of the same widths",
        ours=lambda: model("insr", "Advected").torch(),
        theirs=TanhField,
        run=learn,
        rates=(1e-3, 3e-3, 1e-2),
    ),
)


def test_the_slope_is_that_of_differences() -> None:
    net, x, h = model("insr", "Advected").torch(dtype="f64"), torch.randn(20, dtype=torch.float64), 1e-5
    differences = (net(x + h)[0] - net(x - h)[0]) / (2 * h)
    torch.testing.assert_close(net(x)[1], differences, atol=1e-7, rtol=1e-6)

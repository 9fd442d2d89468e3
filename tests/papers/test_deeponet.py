"""DeepONet: the inner product of two networks, the count of the authors' demo, and integrals of random functions."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from papers.frame import Case, Mutant, Paper, model
from papers.trial import Trial

GRID = torch.linspace(0, 1, 100, dtype=torch.float64)
STEPS, FUNCTIONS, PLACES = 500, 50, 20


class WidthsReading(nn.Module):
    """Linear maps with a ReLU between them, or behind all."""

    def __init__(self, widths: list[int], last: bool) -> None:
        super().__init__()
        maps = [nn.Linear(m, n) for m, n in pairwise(widths)]
        self.layers = nn.ModuleList([nn.ModuleDict({"linear": each}) for each in maps])
        self.last = last

    def forward(self, x: Tensor) -> Tensor:
        for i, layer in enumerate(self.layers):
            x = layer.get_submodule("linear")(x)
            if self.last or i + 1 < len(self.layers):
                x = torch.relu(x)
        return x


class ProductReading(nn.Module):
    """Σ_k branch_k(u) trunk_k(y) + b."""

    def __init__(self, branch: list[int], trunk: list[int]) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(()))
        self.trunk_net = WidthsReading(trunk, last=True)
        self.branch_net = WidthsReading(branch, last=False)

    def forward(self, u: Tensor, points: Tensor) -> Tensor:
        t, b = self.trunk_net(points), self.branch_net(u)
        return torch.stack([(b * row).sum(1) for row in t], 1) + self.bias


class OperatorReading(nn.Module):
    """The network under the name that it has in the example."""

    def __init__(self) -> None:
        super().__init__()
        self.net = ProductReading([7, 6, 5], [2, 4, 5])

    def forward(self, u: Tensor, points: Tensor) -> Tensor:
        found: Tensor = self.net(u, points)
        return found


class Concatenated(nn.Module):
    """The baseline: one MLP of u and y together."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(101, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 1)
        )

    def forward(self, u: Tensor, points: Tensor) -> Tensor:
        b, n = len(u), len(points)
        pairs = torch.cat([u[:, None].expand(b, n, 100), points.expand(b, n, 1)], 2)
        found: Tensor = self.net(pairs)[..., 0]
        return found


def integrals(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Smooth random functions at the sensors, of correlation length 0.2, and their integrals from 0."""
    draw = torch.Generator().manual_seed(seed)
    kernel = torch.exp(-0.5 * ((GRID[:, None] - GRID) / 0.2) ** 2) + 1e-8 * torch.eye(100, dtype=torch.float64)
    u = torch.randn(count, 100, generator=draw, dtype=torch.float64) @ torch.linalg.cholesky(kernel).T
    area = torch.cumulative_trapezoid(u, GRID, dim=1)
    return u.float(), torch.cat([torch.zeros(count, 1), area.float()], 1)


def learn(net: nn.Module, rate: float, seed: int) -> float:
    """The mean squared error on functions that were not seen."""
    u, g = integrals(500, 100 + seed)
    draw = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(net.parameters(), rate)
    for _ in range(STEPS):
        rows, places = torch.randint(500, (FUNCTIONS,), generator=draw), torch.randint(100, (PLACES,), generator=draw)
        loss = (net(u[rows], GRID[places, None].float()) - g[rows][:, places]).square().mean()
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
    u, g = integrals(200, 7)
    with torch.no_grad():
        return float((net(u, GRID[:, None].float()) - g).square().mean())


PAPER = Paper(
    slug="deeponet",
    counts={"Antiderivative": 7_401, "StackedAntiderivative": 164_961, "Velocity": 9_122},
    source="of the first, the authors' demo; of the others, counted here",
    cases={"Tiny": Case(OperatorReading, lambda: (torch.randn(3, 7), torch.randn(6, 2)))},
    mutant=Mutant(
        "x = act(x) if last or i < len(widths) - 1 else x", "x = act(x) if i < len(widths) - 1 else x", "operators"
    ),
    folds="the networks are not linear; on a fixed grid the trunk network is a constant basis",
    tries="Ask one function for many places at once: the branch network runs once, the trunk once for each place.",
    trial=Trial(
        hypothesis="A DeepONet integrates functions better than one network that reads function and place together.",
        metric="mean squared error at 100 places of 200 functions that were not seen",
        budget="500 steps of Adam, each on 50 of 500 functions at 20 places",
        baseline="an MLP 101-48-48-1 with ReLU",
        ours=lambda: model("deeponet", "Antiderivative").torch(),
        theirs=lambda: Concatenated(48),
        run=learn,
    ),
)


def test_a_trunk_of_single_places_gives_the_branch_vector() -> None:
    net = model("deeponet", "Tiny").torch(dtype="f64")
    with torch.no_grad():
        last = net.get_submodule("net.trunk_net.layers.1.linear")
        last.get_parameter("weight").zero_()
        net.get_parameter("net.bias").fill_(0.25)
    u, y = torch.randn(4, 7).double(), torch.zeros(1, 2).double()
    branch = net.get_submodule("net.branch_net")
    for k in range(5):
        with torch.no_grad():
            last.get_parameter("bias").copy_(torch.eye(5)[k])
        torch.testing.assert_close(net(u, y)[:, 0], branch(u)[:, k] + 0.25)


def test_the_data_are_integrals() -> None:
    u, g = integrals(20, 0)
    slope = (g[:, 2:] - g[:, :-2]) * 99 / 2
    assert (slope - u[:, 1:-1]).abs().max() < 0.02 * u.abs().max()

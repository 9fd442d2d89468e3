"""MgNO: multigrid cycles by their steps, the counts of released configurations, and Darcy flow by our own solver."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from papers.data import ground, pressure
from papers.frame import Case, Mutant, Paper, model
from papers.trial import Trial

STEPS, BATCH, TRAIN = 80, 8, 120


def conv(m: int, n: int, stride: int = 1) -> nn.Conv2d:
    """3 × 3 without bias, zeros around."""
    return nn.Conv2d(m, n, 3, stride=stride, padding=1, bias=False)


class SmootherReading(nn.Module):
    """S(f - A u)."""

    def __init__(self, cin: int, c: int) -> None:
        super().__init__()
        self.smoother = nn.ModuleDict({"A": conv(c, cin), "S": conv(cin, c)})

    def forward(self, f: Tensor, u: Tensor) -> Tensor:
        found: Tensor = self.smoother["S"](f - self.smoother["A"](u))
        return found


class CycleReading(nn.Module):
    """One cycle on two grids: 9 × 9 with one smoothing, 5 × 5 with two."""

    def __init__(self, cin: int, c: int) -> None:
        super().__init__()
        self.S = conv(cin, c)
        smooth = nn.ModuleList([SmootherReading(cin, c) for _ in range(2)])
        coarse = nn.ModuleDict({"R": conv(cin, cin, 2), "Pi": conv(c, c, 2), "smooth": smooth})
        self.down = nn.ModuleDict({"1": coarse})
        up = nn.ConvTranspose2d(c, c, 3, stride=2, padding=1, bias=False)
        self.up = nn.ModuleList([nn.ModuleDict({"RT": up})])

    def forward(self, f: Tensor) -> Tensor:
        fine = self.S(f)
        coarse: nn.ModuleDict = self.down["1"]  # type: ignore[assignment]
        f, u = coarse["R"](f), coarse["Pi"](fine)
        for step in coarse["smooth"]:  # type: ignore[attr-defined]
            u = u + step(f, u)
        found: Tensor = fine + self.up[0]["RT"](u)  # type: ignore[index]
        return found


class MgNOReading(nn.Module):
    """gelu(V u + B u) twice, and a map to one channel."""

    def __init__(self) -> None:
        super().__init__()
        sizes = [(1, 3), (3, 3)]
        layers = [nn.ModuleDict({"cycle": CycleReading(*s), "linear": nn.Conv2d(*s, 1)}) for s in sizes]
        last = nn.Conv2d(3, 1, 1, bias=False)
        self.net = nn.ModuleDict({"layers": nn.ModuleList(layers), "last": last})

    def forward(self, u: Tensor) -> Tensor:
        for layer in self.net["layers"]:  # type: ignore[attr-defined]
            u = nn.functional.gelu(layer["cycle"](u) + layer["linear"](u))
        found: Tensor = self.net["last"](u)
        return found


def plain_network(c: int) -> nn.Module:
    """The baseline: five convolutions of 3 × 3."""
    stages: list[nn.Module] = [nn.Conv2d(1, c, 3, padding=1)]
    for _ in range(3):
        stages += [nn.GELU(), nn.Conv2d(c, c, 3, padding=1)]
    return nn.Sequential(*stages, nn.GELU(), nn.Conv2d(c, 1, 3, padding=1))


def flow(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Coefficients and solutions, both about as large as 1."""
    a = ground(count, seed)
    return ((a - 7.5) / 4.5)[:, None].float(), (100 * pressure(a))[:, None].float()


def learn(net: nn.Module, rate: float, seed: int) -> float:
    """The relative error in L2 on coefficients that were not seen."""
    a, u = flow(TRAIN, 10 + seed)
    draw = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(net.parameters(), rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    for _ in range(STEPS):
        rows = torch.randint(TRAIN, (BATCH,), generator=draw)
        optimizer.zero_grad()
        torch.autograd.backward(relative(net(a[rows]), u[rows]))
        optimizer.step()
        schedule.step()
    a, u = flow(40, 7)
    with torch.no_grad():
        return float(relative(net(a), u))


def relative(y: Tensor, u: Tensor) -> Tensor:
    """The mean of |y - u| / |u| over examples."""
    error, size = (torch.linalg.vector_norm(x, dim=(1, 2, 3)) for x in (y - u, u))
    share: Tensor = error / size
    return share.mean()


PAPER = Paper(
    slug="mgno",
    counts={"Smooth": 678_093, "Rough": 572_661, "Darcy33": 6_451},
    source="of the first two, the reference code at its configurations; of the last, counted here",
    cases={"Tiny": Case(MgNOReading, lambda: (torch.randn(2, 1, 9, 9),))},
    mutant=Mutant("return (f - (u", "return (f - 0.9 * (u", "operators"),
    folds="the layers are not linear; one cycle alone is a linear map of the grid",
    tries="A side of 45: levels have 45, 23 and 12 points, and each way up has the kernel that fits.",
    trial=Trial(
        hypothesis="On Darcy flow at 33 × 33 a multigrid operator is nearer to the solution than plain convolutions.",
        metric="relative error in L2 on 40 coefficients that were not seen",
        budget="80 steps of Adam on batches of 8 of 120 coefficients, with a rate that falls to 0",
        baseline="five 3 × 3 convolutions of 15 channels with GELU",
        ours=lambda: model("mgno", "Darcy33").torch(),
        theirs=lambda: plain_network(15),
        run=learn,
    ),
)


def test_a_cycle_carries_a_point_over_the_whole_grid() -> None:
    """Five convolutions see 5 points far; a cycle of four grids sees all of 33 × 33."""
    a = torch.zeros(1, 1, 33, 33, requires_grad=True)
    torch.manual_seed(0)
    torch.autograd.backward(model("mgno", "Darcy33").torch()(a)[0, 0, 16, 16])
    assert a.grad is not None
    assert a.grad[0, 0, 0, 0] != 0


def test_the_solver_has_the_known_solution_of_constant_ground() -> None:
    """-Δu = 1 on the unit square: 0.0736713 at the middle."""
    u = pressure(torch.ones(1, 65, 65, dtype=torch.float64))
    assert abs(u[0, 32, 32].item() - 0.0736713) < 5e-5

"""DCLS: kernels summed place by place, the counts and vectors of the sheet, and a wide kernel that is learned."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import Tensor, nn

from papers.frame import Case, Mutant, Paper, model, program
from papers.trial import Trial, trained

STEPS = 200


class SpreadReading(nn.Module):
    """K[x] = Σ_j w_j I_j(x) / (Σ_x I_j(x) + 1e-7), I a product over axes; positions begin with the last."""

    def __init__(self, c: int, kernel: int, count: int, shape: str) -> None:
        super().__init__()
        sizes = {"weight": (c, 1, count), "positions": (2, c, 1, count), "bias": (c,)}
        if shape != "bilinear":
            sizes["widths"] = (2, c, 1, count)
        self.dcls = nn.ParameterDict({name: torch.zeros(size) for name, size in sizes.items()})
        self.kernel, self.shape = kernel, shape

    def spread(self, axis: int, place: int) -> Tensor:
        offset = place - (self.dcls["positions"][axis] + self.kernel // 2)
        if self.shape == "gauss":
            return torch.exp(-0.5 * (offset / (self.dcls["widths"][axis].abs() + 0.27)) ** 2)
        return torch.relu((1 + self.dcls["widths"][axis].abs() if self.shape == "max" else 1) - offset.abs())

    def forward(self, x: Tensor) -> Tensor:
        n, c = self.kernel, x.shape[1]
        cells = {(i, j): self.spread(1, i) * self.spread(0, j) for i, j in itertools.product(range(n), repeat=2)}
        share = self.dcls["weight"] / (sum(cells.values()) + 1e-7)
        rows = [torch.stack([(share * cells[i, j]).sum(2) for j in range(n)], 2) for i in range(n)]
        return nn.functional.conv2d(x, torch.stack(rows, 2), self.dcls["bias"], padding=n // 2, groups=c)


def target() -> Tensor:
    """A wide smooth kernel of 17 × 17: a bell that leans, minus a wider one."""
    y, x = torch.meshgrid(torch.arange(17.0) - 8, torch.arange(17.0) - 8, indexing="ij")
    near = torch.exp(-((x - 2) ** 2 + (y + 1) ** 2) / 8)
    far = torch.exp(-((x + 3) ** 2 + (y - 3) ** 2) / 18)
    return near / near.sum() - far / far.sum()


def learn(net: nn.Module, rate: float, seed: int) -> float:
    """The squared error over that of 0, for the convolution of white noise with the target."""
    kernel = target()[None, None]

    def loss(draw: torch.Generator) -> Tensor:
        x = torch.randn(8, 1, 32, 32, generator=draw)
        wanted = nn.functional.conv2d(x, kernel, padding=8)
        return nn.functional.mse_loss(net(x), wanted) / wanted.square().mean()

    trained(net, loss, rate, STEPS, seed)
    with torch.no_grad():
        return float(loss(torch.Generator().manual_seed(7)))


PAPER = Paper(
    slug="dcls",
    counts={"Triangles96": 9_888, "Bells96": 12_576, "Wide96": 16_416, "Bell": 26},
    source="the authors' layer, the first three; a dense kernel of this size has 27,840",
    cases={
        name: Case(lambda args=args: SpreadReading(2, 5, *args), lambda: (torch.randn(2, 2, 6, 7),))  # type: ignore[misc]
        for name, args in {"Tiny": (20, "bilinear"), "TinyBells": (8, "gauss"), "TinyWide": (8, "max")}.items()
    },
    mutant=Mutant("abs(widths[axis]) + 0.27", "abs(widths[axis]) + 0.29", "reparam", model="TinyBells"),
    folds={"conv": 1, "einsum": 0},
    tries="Sixteen taps far from one another as the target: places move only where triangles reach.",
    trial=Trial(
        hypothesis="Five bells of learned place and width learn a wide smooth kernel better than a dense 5 × 5.",
        metric="squared error over that of the zero map, on noise that was not seen",
        budget="200 steps of Adam on 8 images of 32 × 32, with a rate that falls to 0",
        baseline="a dense convolution of 5 × 5",
        ours=lambda: model("dcls", "Bell").torch(),
        theirs=lambda: nn.Conv2d(1, 1, 5, padding=2),
        run=learn,
        rates=(1e-2, 3e-2, 1e-1),
    ),
)


def kernel(shape: str, size: int, position: tuple[float, float]) -> Tensor:
    """The dense kernel of one weight of 1: what it makes of a single point, turned round."""
    net = program("dcls")["Depthwise"](c=1, kernel=size, count=1, shape=shape).torch(dtype="f64")
    with torch.no_grad():
        net.get_parameter("dcls.weight").fill_(1)
        net.get_parameter("dcls.bias").zero_()
        net.get_parameter("dcls.positions").copy_(torch.tensor(position).view(2, 1, 1, 1))
    point = torch.zeros(1, 1, size, size, dtype=torch.float64)
    point[0, 0, size // 2, size // 2] = 1
    found: Tensor = net(point)[0, 0].detach().flip(0, 1)
    return found


def test_a_weight_between_places_is_shared_by_them() -> None:
    found = kernel("bilinear", 7, (0.5, 0.25))
    expected = torch.zeros(7, 7, dtype=torch.float64)
    expected[3, 3], expected[3, 4], expected[4, 3], expected[4, 4] = 0.375, 0.375, 0.125, 0.125
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("shape", "row"),
    [("gauss", [0.0000320, 0.0350566, 0.7041308, 0.2590352, 0.0017454]), ("max", [0, 0, 0.75, 0.25, 0])],
)
def test_the_vectors_of_the_sheet(shape: str, row: list[float]) -> None:
    found = kernel(shape, 5, (0.25, 0.0)).sum(0)
    torch.testing.assert_close(found, torch.tensor(row, dtype=torch.float64), atol=1e-6, rtol=0)


@pytest.mark.parametrize("shape", ["bilinear", "gauss", "max"])
def test_a_kernel_sums_to_its_weights(shape: str) -> None:
    assert math.isclose(kernel(shape, 7, (1.3, -0.6)).sum().item(), 1, rel_tol=1e-6)

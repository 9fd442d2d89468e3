"""Butterflies: products of pair-mixing factors, the numbers of the paper's layer, and transforms that are instances."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from papers.frame import Case, Mutant, Paper, program
from papers.trial import Trial

N, STEPS = 32, 800


class ButterflyReading(nn.Module):
    """Factors as whole matrices: the one of stride s mixes entries i and i + s for each i whose digit s is 0."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.factors = nn.ParameterDict({"twiddle": torch.zeros(1, 1, int(math.log2(n)), n // 2, 2, 2)})

    def forward(self, x: Tensor) -> Tensor:
        n = x.shape[-1]
        for level, pairs in enumerate(self.factors["twiddle"][0, 0]):
            stride = 2**level
            low = [i for i in range(n) if i // stride % 2 == 0]
            matrix = torch.zeros(n, n, dtype=x.dtype)
            for (a, b), i in zip(pairs, low, strict=True):
                here, there = torch.eye(n, dtype=x.dtype)[[i, i + stride]]
                matrix = matrix + torch.outer(here, a[0] * here + a[1] * there)
                matrix = matrix + torch.outer(there, b[0] * here + b[1] * there)
            x = x @ matrix.T
        return x


class FourierReading(nn.Module):
    """The same of complex numbers, behind a reversal of bits."""

    def __init__(self, levels: int) -> None:
        super().__init__()
        self.twiddle = nn.Parameter(torch.zeros(levels, 2**levels // 2, 2, 2, 2))

    def forward(self, x: Tensor) -> Tensor:
        levels, n = len(self.twiddle), x.shape[-2]
        y = torch.view_as_complex(x.contiguous())[..., [int(f"{i:0{levels}b}"[::-1], 2) for i in range(n)]]
        for level, pairs in enumerate(torch.view_as_complex(self.twiddle)):
            columns = list(y.unbind(-1))
            low = [i for i in range(n) if i // 2**level % 2 == 0]
            for k, i in enumerate(low):
                a, b = columns[i], columns[i + 2**level]
                columns[i] = pairs[k, 0, 0] * a + pairs[k, 0, 1] * b
                columns[i + 2**level] = pairs[k, 1, 0] * a + pairs[k, 1, 1] * b
            y = torch.stack(columns, -1)
        return torch.view_as_real(y)


def hadamard(n: int) -> Tensor:
    """The matrix of signs with orthogonal rows."""
    matrix = torch.ones(1, 1, dtype=torch.float64)
    while len(matrix) < n:
        matrix = torch.kron(torch.tensor([[1.0, 1.0], [1.0, -1.0]], dtype=torch.float64), matrix)
    return matrix


def learn(net: nn.Module, rate: float, seed: int) -> float:
    """The squared error of the learned map over that of 0, for the Hadamard transform of length 1."""
    target = (hadamard(N) / math.sqrt(N)).float()
    optimizer = torch.optim.Adam(net.parameters(), rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    x = torch.eye(N)
    for _ in range(STEPS):
        loss = (net(x) - target).square().sum() / N
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        return float((net(x) - target).square().sum()) / N


PAPER = Paper(
    slug="butterfly",
    counts={"Layer1024": 20_480, "Fourier1024": 40_960},
    source="2 n log₂ n of the paper's layer, against 1,048,576 of a dense one; complex ones count twice",
    cases={
        "Tiny": Case(lambda: ButterflyReading(8), lambda: (torch.randn(3, 8),)),
        "TinyDense": Case(lambda: ButterflyReading(8), lambda: (torch.randn(3, 8),)),
        "TinyFourier": Case(lambda: FourierReading(3), lambda: (torch.randn(3, 8, 2),)),
    },
    mutant=Mutant("mix[..., 1])", "0.9 * mix[..., 1])", model="TinyFourier"),
    folds={"linear": 1, "einsum": 0},
    folding="TinyDense",
    passes="fold[grow=true]",
    drawn=("TinyFourier", 0),
    tries="Let the complex layer start elsewhere (`init ComplexButterfly.twiddle = normal[std=0.5**0.5]`) and train it "
    "toward the Fourier transform; `std.reparam.RelaxedPermutation` learns the reversal of bits too.",
    trial=Trial(
        hypothesis="A butterfly learns the Hadamard transform of 32 entries from any start, to an error below 1e-3.",
        metric="squared error over that of the zero map",
        budget="800 steps of Adam on the whole matrix, with a rate that falls to 0",
        baseline="a linear map of rank 5, which has as many weights",
        ours=lambda: program("butterfly")["Layer"](n=N).torch(),
        theirs=lambda: nn.Sequential(nn.Linear(N, 5, bias=False), nn.Linear(5, N, bias=False)),
        run=learn,
        rates=(1e-2, 3e-2, 1e-1),
        shown=lambda ours, _: ours < 1e-3,
    ),
)


@pytest.mark.parametrize("levels", [1, 3, 6])
def test_it_starts_as_the_fourier_transform(levels: int) -> None:
    net = program("butterfly")["ComplexButterfly"](levels=levels).torch(dtype="f64")
    x = torch.randn(2, 2**levels, 2, dtype=torch.float64)
    found = torch.view_as_complex(net(x).contiguous())
    torch.testing.assert_close(found, torch.fft.fft(torch.view_as_complex(x)))


def test_sums_and_differences_are_the_hadamard_transform() -> None:
    net = program("butterfly")["Layer"](n=16).torch(dtype="f64")
    with torch.no_grad():
        net.get_parameter("factors.twiddle").copy_(torch.tensor([[1.0, 1.0], [1.0, -1.0]]).expand(1, 1, 4, 8, 2, 2))
    torch.testing.assert_close(net(torch.eye(16).double()), hadamard(16))

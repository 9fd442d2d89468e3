"""Hypercomplex networks: sums of Kronecker products, the counts of the authors' code, and figures in colour."""

from __future__ import annotations

import torch
from torch import Tensor, nn

import ogive
from papers.frame import Case, Mutant, Paper
from papers.trial import Trial, told_apart

TRAIN, STEPS, BATCH = 400, 120, 16


class KroneckerReading(nn.Module):
    """A convolution with the kernels Σ_t A_t ⊗ F_t, by `torch.kron` at each place of the window."""

    def __init__(self, cin: int, c: int, n: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.A = nn.Parameter(torch.randn(n, n, n))
        self.F = nn.Parameter(torch.randn(n, c // n, cin // n, kernel, kernel))
        self.bias, self.stride = nn.Parameter(torch.randn(c)), stride

    def forward(self, x: Tensor) -> Tensor:
        size = self.F.shape[-1]
        rows = []
        for i in range(size):
            places = [sum(map(torch.kron, self.A, self.F[..., i, j])) for j in range(size)]
            rows.append(torch.stack(places, -1))  # type: ignore[arg-type]
        kernel = torch.stack(rows, -2)
        return nn.functional.conv2d(x, kernel, self.bias, self.stride, size // 2)


class PHBlockReading(nn.Module):
    """Two convolutions beside what was there, or beside a map of it."""

    def __init__(self, cin: int, c: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = KroneckerReading(cin, c, 2, 3, stride), nn.BatchNorm2d(c)
        self.conv2, self.bn2 = KroneckerReading(c, c, 2, 3), nn.BatchNorm2d(c)
        self.changes = stride > 1 or cin != c
        if self.changes:
            self.short, self.short_bn = KroneckerReading(cin, c, 2, 1, stride), nn.BatchNorm2d(c)

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        return torch.relu(y + (self.short_bn(self.short(x)) if self.changes else x))


class PHResNetReading(nn.Module):
    """Two stages of one block, n = 2."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.bn = KroneckerReading(4, 4, 2, 3), nn.BatchNorm2d(4)
        bodies = [PHBlockReading(4, 4, 1), PHBlockReading(4, 6, 2)]
        self.stages = nn.ModuleList(
            [nn.ModuleDict({"blocks": nn.ModuleList([nn.ModuleDict({"body": body})])}) for body in bodies]
        )
        self.head = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.bn(self.conv(nn.functional.pad(x, (0, 0, 0, 0, 0, 1)))))
        for i in range(2):
            x = self.get_submodule(f"stages.{i}.blocks.0.body")(x)
        out: Tensor = self.head(x.mean((2, 3)))
        return out


# three convolutions, in the algebra of n = 3 or of real numbers, with about as many weights
NETWORK = """
use std.nn (BatchNorm, Linear)
use std.reparam (PHConv)
use std.vision (Conv)

block Net[widths: list, n](x: [b, 3, h, w]) -> [b, 4]:
    cin = 3
    for i, c in enumerate(widths) as stages:
        stride = 1 if i == 0 else 2
        if n > 1:
            x = x |> PHConv[cin, c, 3, n, stride=stride, pad=1] as conv
        else:
            x = x |> Conv[cin, c, 3, stride=stride, pad=1] as conv
        x = x |> BatchNorm as norm |> relu
        cin = c
    return x |> reduce["b k h w -> b k", mean] |> Linear[cin, 4] as head

model Algebra = Net[widths=[18, 30, 30], n=3]
model Real = Net[widths=[10, 18, 17], n=1]
"""


def network(name: str) -> nn.Module:
    """One of the two."""
    return ogive.source(NETWORK).models[name].torch()


PAPER = Paper(
    slug="phnn",
    counts={"PHResNet18": 2_810_762, "PHResNet18n2": 5_599_594, "PHResNet18n3": 3_640_594},
    source="the authors' code, all three; the real network has 11,173,962",
    cases={"Tiny": Case(PHResNetReading, lambda: (torch.randn(2, 3, 7, 7),))},
    mutant=Mutant('weight = einsum["t a b, t c d ... -> a c b d ..."](A, F)',
                  'weight = einsum["t a b, t c d ... -> a c b d ..."](0.99 * A, F)', "reparam"),
    folds={"conv": 6, "einsum": 0},
    passes="fold[grow=true]",
    tries="Fix A at the quaternions: `init PHConv.A = ...` with four signed permutations, and `stop_gradient`.",
    trial=Trial(
        hypothesis="With as many weights, a wider network in an algebra of n = 3 makes fewer errors on colour images.",
        metric="share of wrong answers on 500 noisy figures of four kinds that were not seen",
        budget="120 steps of Adam on batches of 16 of 400 figures, with a rate that falls to 0",
        baseline="the same network of real convolutions of 10, 18 and 17 instead of 18, 30 and 30 channels",
        ours=lambda: network("Algebra"),
        theirs=lambda: network("Real"),
        run=told_apart(TRAIN, STEPS, BATCH, noise=0.5),
        rates=(3e-3, 1e-2, 3e-2),
    ),
)  # fmt: skip


def linear(n: int, out: int, width: int, **weights: object) -> Tensor:
    """The matrix of a linear layer with these weights."""
    text = f"use std.reparam (PHMLinear)\nmodel M = PHMLinear[{width}, {out}, {n}, bias=false]"
    net = ogive.source(text).models["M"].torch(dtype="f64")
    with torch.no_grad():
        for name, value in weights.items():
            net.get_parameter(name).copy_(torch.as_tensor(value))
    found: Tensor = net(torch.eye(width, dtype=torch.float64)).T
    return found


def test_two_by_two_is_multiplication_of_complex_numbers() -> None:
    found = linear(2, 2, 2, A=[[[1, 0], [0, 1]], [[0, -1], [1, 0]]], F=[[[1]], [[2]]])
    torch.testing.assert_close(found, torch.tensor([[1.0, -2.0], [2.0, 1.0]]).double())


def test_signed_permutations_make_quaternions() -> None:
    """w + xi + yj + zk times a quaternion, by Hamilton's rules."""
    i = torch.tensor([[0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 0, -1], [0, 0, 1, 0.0]])
    j = torch.tensor([[0, 0, -1, 0], [0, 0, 0, 1], [1, 0, 0, 0], [0, -1, 0, 0.0]])
    k = i @ j
    p = torch.tensor([0.3, -1.2, 0.5, 2.0])
    found = linear(4, 4, 4, A=torch.stack([torch.eye(4), i, j, k]), F=p.view(4, 1, 1))
    q = torch.tensor([1.0, 0.2, -0.7, 0.4]).double()
    product = found @ q
    assert abs(product.norm() - p.double().norm() * q.norm()) < 1e-6
    torch.testing.assert_close(found[:, 0], p.double())

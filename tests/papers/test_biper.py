"""BiPer: bits by the sign of a sine with the sine's derivative, the numbers of the sheet, and figures by bits."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

import ogive
from papers.frame import Case, Mutant, Paper, model
from papers.trial import Trial, told_apart

TRAIN, STEPS, BATCH = 400, 120, 16


class ActivationBit(torch.autograd.Function):
    """1 or -1, with the derivative max(2 - 2|x|, 0)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return torch.where(x >= 0, 1.0, -1.0).to(x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        found: Tensor = grads[0] * (2 - 2 * x.abs()).clamp(min=0)
        return found


class PeriodicReading(nn.Module):
    """α ⊙ conv(bit(x), sign(sin ωW)), with the derivative of the sine; or the sine itself."""

    def __init__(self, cin: int, c: int, binary: bool) -> None:
        super().__init__()
        self.weight, self.alpha = nn.Parameter(torch.randn(c, cin, 3, 3)), nn.Parameter(torch.rand(c))
        self.binary = binary

    def bits(self) -> Tensor:
        wave = torch.sin(20 * self.weight)
        return wave + (torch.where(wave >= 0, 1.0, -1.0) - wave).detach() if self.binary else wave

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            x = x / (x.var((1, 2, 3), correction=0, keepdim=True) + 1e-5).sqrt()
        bits = ActivationBit.apply(x)  # type: ignore[no-untyped-call]
        return self.alpha[:, None, None] * nn.functional.conv2d(bits, self.bits(), stride=2, padding=1)


class BitNetReading(nn.Module):
    """A real convolution, layers of bits with norm and hardtanh, and a linear map of the mean."""

    def __init__(self, widths: list[int], classes: int, binary: bool) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, widths[0], 3, padding=1, bias=False)
        self.stem_norm = nn.BatchNorm2d(widths[0])
        self.stages = nn.ModuleList()
        for m, n in pairwise(widths):
            self.stages.append(nn.ModuleDict({"conv": self.layer(m, n, binary), "norm": nn.BatchNorm2d(n)}))
        self.head = nn.Linear(widths[-1], classes)

    def layer(self, m: int, n: int, binary: bool) -> nn.Module:
        return PeriodicReading(m, n, binary)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem_norm(self.stem(x))
        for stage in self.stages:
            x = nn.functional.hardtanh(stage.get_submodule("norm")(stage.get_submodule("conv")(x)))
        out: Tensor = self.head(x.mean((2, 3)))
        return out


class SignConv(PeriodicReading):
    """The bits of the baseline: signs of the weights, whose derivative is passed on."""

    def bits(self) -> Tensor:
        return self.weight + (torch.where(self.weight >= 0, 1.0, -1.0) - self.weight).detach()


class SignNet(BitNetReading):
    """The baseline."""

    def layer(self, m: int, n: int, binary: bool) -> nn.Module:
        made = SignConv(m, n, binary)
        nn.init.kaiming_uniform_(made.weight, a=5**0.5)
        return made


PAPER = Paper(
    slug="biper",
    counts={"Figures": 14_612},
    source="own reading: a small network; each layer of bits has the weights of a real one and one scale a channel",
    cases={
        "Tiny": Case(lambda: BitNetReading([3, 4], 2, binary=True), lambda: (torch.randn(2, 3, 8, 8),)),
        "TinyWaves": Case(lambda: BitNetReading([3, 4], 2, binary=False), lambda: (torch.randn(2, 3, 8, 8),)),
    },
    mutant=Mutant("omega=20.0", "omega=20.5", "reparam", model="TinyWaves"),
    folds={"conv": 2, "sin": 0},
    tries="First train with `binary=false`, then load the weights into the model of bits: the two stages of the paper.",
    trial=Trial(
        hypothesis="Bits by the sign of a sine make fewer errors than bits by the sign of the weight.",
        metric="share of wrong answers on 500 noisy figures of four kinds that were not seen",
        budget="120 steps of Adam on batches of 16 of 400 figures, with a rate that falls to 0",
        baseline="the same network with signs of weights whose derivative is passed on",
        ours=lambda: model("biper", "Figures").torch(),
        theirs=lambda: SignNet([16, 32, 32], 4, binary=True),
        run=told_apart(TRAIN, STEPS, BATCH),
        rates=(3e-3, 1e-2, 3e-2),
    ),
)


def test_the_bits_of_the_sheet() -> None:
    """ω = 20, W = -.2 ... .2: sines .7568, -.9093, 0, .9093, -.7568; bits +, -, +, +, -, where a bit of 0 is +."""
    found = {}
    for binary in ("false", "true"):
        text = f"""
use std.reparam (BiPerConv)
block N(x: [b, 1, h, w]) -> [b, 5, h', w']:
    return x |> BiPerConv[1, 5, 1, binary={binary}] as c
model M = N[]
"""
        net = ogive.source(text).models["M"].torch(dtype="f64").eval()
        with torch.no_grad():
            net.get_parameter("c.weight").copy_(torch.tensor([-0.2, -0.1, 0, 0.1, 0.2]).view(5, 1, 1, 1))
            net.get_parameter("c.alpha").fill_(1)
        found[binary] = net(torch.ones(1, 1, 1, 1, dtype=torch.float64)).flatten().tolist()
    assert [round(y, 4) for y in found["false"]] == [0.7568, -0.9093, 0, 0.9093, -0.7568]
    assert found["true"] == [1, -1, 1, 1, -1]


def test_the_error_of_quantization_at_random_phases() -> None:
    """Mean (sign sin - sin)² over a period: 1.5 - 4/π."""
    wave = torch.sin(torch.linspace(0, 2 * math.pi, 100001, dtype=torch.float64))
    assert abs((wave.sign() - wave).square().mean().item() - (1.5 - 4 / math.pi)) < 1e-4

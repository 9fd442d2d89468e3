"""NTK-attention: sums over tokens with two terms more, what they stand for, and a long prefix that they learn."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

import ogive
from papers.frame import Case, Mutant, Paper, program
from papers.trial import Trial, trained

D, HEADS, LONG, STEPS = 14, 2, 64, 200


class PrefixedReading(nn.Module):
    """(Σ_j exp(q·k_j/√e) v_j + φ(q) Z) / (Σ_j exp(q·k_j/√e) + φ(q)·|z|), with φ(u) = elu(u/e^¼) + 1, head by head."""

    def __init__(self, d: int, heads: int) -> None:
        super().__init__()
        e = d // heads
        self.qkv, self.proj, self.heads = nn.Linear(d, 3 * d), nn.Linear(d, d), heads
        self.prefix = nn.ParameterDict({"Z": torch.zeros(heads, e, e), "z": torch.zeros(heads, e)})

    def forward(self, x: Tensor) -> Tensor:
        e = x.shape[2] // self.heads
        q, k, v = self.qkv(x).chunk(3, dim=2)
        found = []
        for h in range(self.heads):
            own = slice(h * e, (h + 1) * e)
            weight = torch.exp(q[..., own] @ k[..., own].mT / math.sqrt(e))
            phi = nn.functional.elu(q[..., own] / e**0.25) + 1
            above = weight @ v[..., own] + phi @ self.prefix["Z"][h]
            found.append(above / (weight.sum(2) + phi @ self.prefix["z"][h].abs())[..., None])
        out: Tensor = self.proj(torch.cat(found, 2))
        return out


class ExplicitPrefix(nn.Module):
    """The baseline: tokens in front, whose keys and values are trained; the maps of the model stay."""

    def __init__(self, tokens: int) -> None:
        super().__init__()
        self.base = base().requires_grad_(False)
        self.keys, self.values = nn.Parameter(torch.randn(tokens, D)), nn.Parameter(torch.randn(tokens, D))

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.base.get_submodule("qkv")(x).chunk(3, dim=2)
        k, v = (torch.cat([new.expand(len(x), -1, -1), old], 1) for new, old in ((self.keys, k), (self.values, v)))
        q, k, v = (each.unflatten(2, (HEADS, -1)).transpose(1, 2) for each in (q, k, v))
        y = nn.functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        out: Tensor = self.base.get_submodule("proj")(y)
        return out


def base() -> nn.Module:
    """A layer of attention, the same for all."""
    with torch.random.fork_rng():
        torch.manual_seed(5)
        return program("ntk-attention")["PrefixedAttention"](d=D, heads=HEADS).torch()


def adapted() -> nn.Module:
    """The layer with the matrix and the vector alone to be trained, which start a little off 0."""
    net = base().requires_grad_(False)
    for name in ("Z", "z"):
        nn.init.normal_(net.get_parameter(f"prefix.{name}").requires_grad_(), std=0.1)
    return net


def learn(net: nn.Module, rate: float, seed: int) -> float:
    """The squared error over what the long prefix changes, for sequences that were not seen."""
    with torch.random.fork_rng():
        torch.manual_seed(50 + seed)
        wanted = ExplicitPrefix(LONG).requires_grad_(False)

    def loss(draw: torch.Generator) -> Tensor:
        x = torch.randn(16, 10, D, generator=draw)
        change: Tensor = (wanted(x) - wanted.base(x)).square().mean()
        return nn.functional.mse_loss(net(x), wanted(x)) / change

    trained(net, loss, rate, STEPS, seed)
    with torch.no_grad():
        return float(loss(torch.Generator().manual_seed(7)))


PAPER = Paper(
    slug="ntk-attention",
    counts={"ViTB": 599_040},
    source="the sheet: 12 layers of 12 heads, of a matrix 64 × 64 and a vector each",
    cases={"Tiny": Case(lambda: PrefixedReading(6, 2), lambda: (torch.randn(2, 5, 6),))},
    mutant=Mutant("feature = (elu(q / e**0.25) + 1)", "feature = (elu(q / e**0.25) + 1.1)", "layers"),
    folds="attention depends on what flows",
    tries="Set Z = Σ φ(kᵢ) vᵢᵀ and z = Σ φ(kᵢ) for any tokens: they are a prefix under the kernel φ·φ.",
    trial=Trial(
        hypothesis="A matrix and a vector a head stand for a prefix of 64 tokens better than a trained prefix of 4.",
        metric="squared error over the square of what the long prefix changes, on sequences that were not seen",
        budget="200 steps of Adam on 16 sequences of 10 tokens, with a rate that falls to 0",
        baseline="a prefix of 4 tokens, which has as many weights",
        ours=adapted,
        theirs=lambda: ExplicitPrefix(4),
        run=learn,
        rates=(1e-2, 3e-2, 1e-1),
    ),
)


def test_the_vectors_of_the_sheet() -> None:
    text = "use std.layers (PrefixAttention)\nmodel M = PrefixAttention[1, 2]"
    net = ogive.source(text).models["M"].torch(dtype="f64")
    q, eye = torch.tensor([[[1.0, -1.0]]]).double(), torch.eye(2).double()[None]
    torch.testing.assert_close(net(q, eye, eye)[0, 0], torch.tensor([0.80442968, 0.19557032]).double())
    with torch.no_grad():
        net.get_parameter("Z").copy_(0.5 * eye)
        net.get_parameter("z").copy_(torch.tensor([[0.2, 0.3]]))
    found, expected = net(q, eye, eye)[0, 0], torch.tensor([0.97674645, 0.23477538]).double()
    torch.testing.assert_close(found, expected, atol=1e-7, rtol=0)


def test_it_starts_as_plain_attention() -> None:
    net, x = base(), torch.randn(3, 5, D)
    torch.testing.assert_close(net(x), ExplicitPrefix(0)(x))

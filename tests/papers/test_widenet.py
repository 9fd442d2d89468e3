"""WideNet: shared attention and experts, norms of each layer, the paper's counts, and figures beside plain layers."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from papers.frame import Case, Mutant, Paper, model, program
from papers.trial import Trial, told_apart

TRAIN, STEPS, BATCH = 400, 100, 16


class ExpertsReading(nn.Module):
    """The two best of four experts for each token, weighted by their renormalized chances; all are computed."""

    def __init__(self, d: int, ff: int) -> None:
        super().__init__()
        self.router = nn.ModuleDict({"gate": nn.Linear(d, 4, bias=False)})
        sizes = {"up": (4, ff, d), "down": (4, d, ff)}
        self.experts = nn.ModuleDict(
            {
                name: nn.ParameterDict({"weight": torch.zeros(size), "bias": torch.zeros(size[:2])})
                for name, size in sizes.items()
            }
        )

    def forward(self, x: Tensor) -> Tensor:
        p = self.router["gate"](x).softmax(-1)
        kept = torch.where(p >= p.sort(-1).values[..., 2:3], p, 0)
        share = kept / kept.sum(-1, keepdim=True)
        names = ("up.weight", "up.bias", "down.weight", "down.bias")
        total = torch.zeros_like(x)
        for e in range(4):
            w, a, v, b = (self.get_parameter(f"experts.{n}")[e] for n in names)
            total = total + share[..., e, None] * (nn.functional.gelu(x @ w.T + a) @ v.T + b)
        return total


class WideNetReading(nn.Module):
    """Two layers of the same attention and experts."""

    def __init__(self) -> None:
        super().__init__()
        self.positions = nn.Parameter(torch.zeros(4, 6))
        self.embed = nn.ModuleDict({"proj": nn.Conv2d(3, 6, 4, stride=4)})
        self.attend, self.mix = nn.MultiheadAttention(6, 2, batch_first=True), ExpertsReading(6, 8)
        norms = [nn.ModuleDict({"norm1": nn.LayerNorm(6), "norm2": nn.LayerNorm(6)}) for _ in range(2)]
        self.layers, self.norm, self.head = nn.ModuleList(norms), nn.LayerNorm(6), nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        z = self.embed["proj"](x).flatten(2).mT + self.positions
        for layer in self.layers:
            y = layer.get_submodule("norm1")(z)
            z = z + self.attend(y, y, y, need_weights=False)[0]
            z = z + self.mix(layer.get_submodule("norm2")(z))
        out: Tensor = self.head(self.norm(z).mean(1))
        return out


class DenseTransformer(nn.Module):
    """The baseline: layers of their own weights, of which two have as many."""

    def __init__(self, d: int, ff: int, depth: int) -> None:
        super().__init__()
        self.embed, self.positions = nn.Conv2d(3, d, 4, stride=4), nn.Parameter(0.02 * torch.randn(16, d))
        kind = {"batch_first": True, "norm_first": True}
        layers = [nn.TransformerEncoderLayer(d, 2, ff, 0.0, "gelu", **kind) for _ in range(depth)]
        self.layers, self.norm, self.head = nn.Sequential(*layers), nn.LayerNorm(d), nn.Linear(d, 4)

    def forward(self, x: Tensor) -> Tensor:
        z = self.layers(self.embed(x).flatten(2).mT + self.positions)
        out: Tensor = self.head(self.norm(z).mean(1))
        return out


PAPER = Paper(
    slug="widenet",
    counts={"WideNetB": 29_099_240, "WideNetL": 39_890_920, "Small": 14_092},
    source="of B and L, the reference code (29 and 40 M; the ff of B is inferred); of the last, counted here",
    cases={"Tiny": Case(WideNetReading, lambda: (torch.randn(2, 3, 8, 8),))},
    mutant=Mutant("return weights / expand", "return 1.01 * weights / expand", "experts"),
    folds="routing depends on what flows",
    tries="More steps: in 100 neither side learns much, so that the trial says little. `depth=24` adds norms alone.",
    drawn=("Tiny", 0),
    trial=Trial(
        hypothesis="Four shared layers with four experts make fewer errors than dense layers with as many weights.",
        metric="share of wrong answers on 500 noisy figures of four kinds that were not seen",
        budget="100 steps of Adam on batches of 16 of 400 figures, with a rate that falls to 0",
        baseline="two dense layers, with ff 74 instead of four times 48",
        ours=lambda: model("widenet", "Small").torch(),
        theirs=lambda: DenseTransformer(24, 74, 2),
        run=told_apart(TRAIN, STEPS, BATCH),
    ),
)


def test_layers_share_all_but_their_norms() -> None:
    """Twice as deep is two pairs of norms more: 4 d weights for each layer."""
    sizes = {"d": 6, "ff": 8, "heads": 2, "image": 8, "patch": 4, "classes": 3}
    two, four = (program("widenet")["WideNet"](depth=depth, **sizes) for depth in (2, 4))
    assert four.parameters - two.parameters == 2 * 4 * 6

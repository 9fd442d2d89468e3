"""RaftMLP: mixing along columns and rows by its definition, the published sizes, and figures beside a plain MLP."""

from __future__ import annotations

import torch
from torch import Tensor, nn

import ogive
from papers.frame import Case, Mutant, Paper, program
from papers.trial import Trial, told_apart, weights_of

TRAIN, STEPS, BATCH = 400, 120, 16


class RaftMixReading(nn.Module):
    """b (h w) (r co) -> b (co w) (r h), an MLP along the last axis, back, and what was there; `turned` for rows."""

    def __init__(self, c: int, size: int, turned: bool) -> None:
        super().__init__()
        self.norm, self.turned = nn.LayerNorm(c), turned
        self.fc1, self.fc2 = nn.Linear(2 * size, 4 * size), nn.Linear(4 * size, 2 * size)

    def forward(self, x: Tensor) -> Tensor:
        x = x.mT if self.turned else x
        b, c, h, w = x.shape
        y = self.norm(x.permute(0, 2, 3, 1)).reshape(b, h, w, 2, c // 2).permute(0, 4, 2, 3, 1)
        y = self.fc2(nn.functional.gelu(self.fc1(y.reshape(b, c // 2 * w, 2 * h))))
        y = x + y.reshape(b, c // 2, w, 2, h).permute(0, 3, 1, 4, 2).reshape(b, c, h, w)
        out: Tensor = y.mT if self.turned else y
        return out


class RaftLayerReading(nn.Module):
    """Columns, rows, then an MLP of the channels at each place."""

    def __init__(self, c: int, size: int) -> None:
        super().__init__()
        self.columns, self.rows = RaftMixReading(c, size, turned=False), RaftMixReading(c, size, turned=True)
        self.norm, self.fc1, self.fc2 = nn.LayerNorm(c), nn.Linear(c, 4 * c), nn.Linear(4 * c, c)

    def forward(self, x: Tensor) -> Tensor:
        x = self.rows(self.columns(x)).permute(0, 2, 3, 1)
        y: Tensor = x + self.fc2(nn.functional.gelu(self.fc1(self.norm(x))))
        return y.permute(0, 3, 1, 2)


class PatchesReading(nn.Module):
    """Windows of two sizes at the stride of the smaller, unfolded, beside one another, and mapped."""

    def __init__(self, m: int, c: int, k: int) -> None:
        super().__init__()
        self.patch, self.k = nn.Conv2d(m, c, k, stride=k), k
        wide = nn.Conv2d(m, c, 2 * k, stride=k, bias=False)
        self.wide = nn.ModuleList([nn.ModuleDict({"patch": wide})])

    def forward(self, x: Tensor) -> Tensor:
        small = nn.functional.unfold(x, self.k, stride=self.k)
        large = nn.functional.unfold(x, 2 * self.k, stride=self.k, padding=self.k // 2)
        weight = torch.cat([self.patch.weight.flatten(1), self.get_parameter("wide.0.patch.weight").flatten(1)], 1)
        y = weight @ torch.cat([small, large], 1) + self.get_parameter("patch.bias")[:, None]
        return y.reshape(*y.shape[:2], x.shape[2] // self.k, -1)


class RaftMLPReading(nn.Module):
    """Two levels of one block, for images of 16 × 16."""

    def __init__(self) -> None:
        super().__init__()
        self.levels = nn.ModuleList()
        for m, c, k, size in ((3, 4, 4, 4), (4, 6, 2, 2)):
            blocks = nn.ModuleList([nn.ModuleDict({"body": RaftLayerReading(c, size)})])
            self.levels.append(nn.ModuleDict({"embed": PatchesReading(m, c, k), "blocks": blocks}))
        self.norm, self.head = nn.LayerNorm(6), nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        for level in self.levels:
            x = level.get_submodule("blocks.0.body")(level.get_submodule("embed")(x))
        out: Tensor = self.head(self.norm(x.permute(0, 2, 3, 1)).mean((1, 2)))
        return out


def small() -> nn.Module:
    """A model for images of 16 × 16."""
    return program("raftmlp")["RaftMLP"](widths=[16, 24], depths=[1, 1], image=16, classes=4).torch()


def plain_network() -> nn.Module:
    """The baseline: one hidden layer over all pixels, with as many weights."""
    hidden = round((weights_of(small()) - 4) / (768 + 1 + 4))
    return nn.Sequential(nn.Flatten(), nn.Linear(768, hidden), nn.GELU(), nn.Linear(hidden, 4))


PAPER = Paper(
    slug="raftmlp",
    counts={"RaftMLPS": 9_868_768, "RaftMLPM": 21_413_632, "RaftMLPL": 36_184_672},
    source="the authors' code, all three (published as 9.9, 21.4 and 36.2 M)",
    cases={"Tiny": Case(RaftMLPReading, lambda: (torch.randn(2, 3, 16, 16),))},
    mutant=Mutant("k, stride=stride, pad=(k - stride) // 2", "k, stride=stride, pad=k // 2 - 1"),
    folds="GELU and norms stand between the maps",
    tries="An image of another size: maps along columns have the size of the grid, and the checker says so.",
    trial=Trial(
        hypothesis="Mixing by columns and rows in rafts makes fewer errors than one MLP of all pixels.",
        metric="share of wrong answers on 500 noisy figures of four kinds that were not seen",
        budget="120 steps of Adam on batches of 16 of 400 figures, with a rate that falls to 0",
        baseline="an MLP of one hidden layer over all pixels",
        ours=small,
        theirs=plain_network,
        run=told_apart(TRAIN, STEPS, BATCH),
    ),
)


def test_a_token_hears_of_its_column_alone() -> None:
    """Of the vertical half of a block: from other columns nothing comes through."""
    text = "use std.layers (RaftMixing)\nblock N(x: [b, 4, 5, 5]) -> [b, 4, 5, 5]:\n"
    net = (
        ogive.source(f"{text}    return x |> RaftMixing[4, 5] as columns\nmodel M = N[]").models["M"].torch(dtype="f64")
    )
    x = torch.randn(1, 4, 5, 5, dtype=torch.float64, requires_grad=True)
    torch.autograd.backward(net(x)[0, 0, 2, 3])
    assert x.grad is not None
    heard = x.grad[0].abs().amax(0) > 0
    assert heard[:, 3].all()
    assert not heard[:, [0, 1, 2, 4]].any()

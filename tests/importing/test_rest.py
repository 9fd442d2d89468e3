"""What fewer models use: scatter, windows, equations, transforms, distances, cells, weights that are computed."""
# mypy: disable-error-code="no-any-return,operator"
# torch says of a call of a module only that it gives anything; people write it so

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations

import ogive

Sizes = dict[str, list[str | int | None]]


class Of(nn.Module):
    """A function of tokens as a module."""

    def __init__(self, function: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.function = function
        self.scale = nn.Parameter(torch.rand(8))

    def forward(self, x: Tensor) -> Any:
        return self.function(x * self.scale)


def places(x: Tensor) -> Tensor:
    weights, index = x.softmax(-1).topk(2, -1)
    y = torch.zeros_like(x).scatter_(-1, index, weights) + x.scatter(-1, index, 0.5).scatter_add(-1, index, weights)
    low, where = x.min(1, keepdim=True)
    spread, middle = torch.var_mean(x, -1, keepdim=True)
    y = y + low + x.gather(1, where) + spread / (1 + middle**2) + x.cummax(1).values
    y[x > 1] = 0.25
    return y.index_add(-1, torch.tensor([1, 0]), x[..., :2], alpha=2.0)


def algebra(x: Tensor) -> Tensor:
    gram = x.mT @ x + 3 * torch.eye(8)
    y = (
        torch.linalg.solve(gram, x.mT).mT
        + x @ torch.linalg.inv(gram)
        + torch.linalg.cholesky(gram).diagonal(dim1=-2, dim2=-1)[:, None]
    )
    return y + torch.fft.rfft(x, norm="ortho").real.sum(-1, keepdim=True) + torch.fft.fft2(x).real + torch.erfc(x)


def distances(x: Tensor) -> Tensor:
    y, z = x.roll(1, 1), F.rms_norm(x, (8,), eps=1e-5)
    near = F.cosine_similarity(x, y, -1) + F.pairwise_distance(x, y) + torch.atan2(x, y).sum(-1)
    steps = torch.div(x, 0.25, rounding_mode="floor") + torch.div(x, 0.3, rounding_mode="trunc")
    return near[..., None] + z + torch.linspace(-1, 1, 8) + steps + torch.arange(8) / 3


class Cells(nn.Module):
    """A step of each kind of recurrent layer, a table of bags, a bilinear layer, weights that are computed."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.gru, self.rnn = nn.LSTMCell(8, 8), nn.GRUCell(8, 8), nn.RNNCell(8, 8, bias=False)
        self.two = nn.Bilinear(8, 8, 8)
        self.spectral = parametrizations.spectral_norm(nn.Linear(8, 8))
        self.whole = parametrizations.weight_norm(nn.Linear(8, 8), dim=None)  # type: ignore[arg-type]
        self.norm = nn.RMSNorm(8)

    def forward(self, x: Tensor) -> Tensor:
        h, c = self.lstm(x[:, 0], (x[:, 1], x[:, 1].sin()))
        h = self.norm(self.rnn(self.gru(h, c), c))
        return self.whole(self.spectral(self.two(h, c)))[:, None] + x


class Seen(nn.Module):
    """Images: windows, samples at a grid, pools of maxima, norms over batches of three axes."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv3d(1, 4, 3, padding=1), nn.BatchNorm3d(4)
        self.pool = nn.AdaptiveMaxPool2d(3)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.conv(x[:, None])).mean(1)
        flow = torch.tanh(y[:, :2]).permute(0, 2, 3, 1)
        y = F.grid_sample(y, flow, align_corners=True, padding_mode="border") + F.grid_sample(
            y, flow, "nearest", align_corners=False
        )
        wide = F.unfold(y, 3, padding=1).mean(1).reshape(y[:, 0].shape)[:, None]
        return self.pool(F.interpolate(y + wide, size=(9, 7), mode="bicubic", antialias=True))


CASES: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], Sizes]] = {
    "places": (lambda: Of(places), (2, 5, 8), {"x": ["b", "n", 8]}),
    "equations": (lambda: Of(algebra), (2, 12, 8), {"x": ["b", "n", 8]}),
    "distances": (lambda: Of(distances), (2, 5, 8), {"x": ["b", "n", 8]}),
    "cells": (Cells, (2, 5, 8), {"x": ["b", "n", 8]}),
    "images": (Seen, (2, 3, 8, 12), {"x": ["b", 3, "h", "w"]}),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_it_imports_whole(case: str) -> None:
    make, shape, sizes = CASES[case]
    torch.manual_seed(0)
    module = make().eval()
    found = ogive.from_torch(module, (torch.randn(shape),), sizes=sizes, strict=True)
    assert found.verified is not None
    assert found.verified.exact >= 3
    assert found.verified.gradients == len(list(module.parameters()))
    assert not [note for note in found.verified.notes if "statistics" in note]
    assert set(found.model.sizes) == {each for axes in sizes.values() for each in axes if isinstance(each, str)}


class Either(nn.Module):
    """A module that computes one of two things, with weights of each or of both."""

    def __init__(self, both: bool) -> None:
        super().__init__()
        self.one, self.two, self.both = nn.Linear(8, 8), nn.Linear(8, 8), both

    def forward(self, x: Tensor, first: bool) -> Tensor:
        y = self.one(x).tanh() if first else self.two(x).sin()
        return self.one(y) if self.both else y


class Again(nn.Module):
    """It is called with either flag."""

    def __init__(self, both: bool) -> None:
        super().__init__()
        self.part = Either(both)
        self.rest = nn.Sequential(*[nn.Sequential(nn.Linear(8, 8), nn.GELU(), nn.LayerNorm(8)) for _ in range(9)])

    def forward(self, x: Tensor) -> Tensor:
        return self.part(self.rest(self.part(x, True)), False)


def test_what_computes_another_thing_when_it_is_called_again_is_two_modules() -> None:
    module = Again(False).eval()
    found = ogive.from_torch(module, (torch.randn(2, 8),), sizes={"x": ["b", 8]}, strict=True)
    assert len(re.findall(r"^block Either", found.text, re.MULTILINE)) == 2
    assert found.verified is not None
    assert found.verified.gradients == len(list(module.parameters()))
    with pytest.raises(ogive.ArchError, match=r"`part`.*when it is called again|called again"):
        ogive.from_torch(Again(True).eval(), (torch.randn(2, 8),), sizes={"x": ["b", 8]}, strict=True)


def test_bags_of_one_length() -> None:
    class Bag(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.EmbeddingBag(23, 8, mode="mean")

        def forward(self, ids: Tensor) -> Tensor:
            return self.table(ids)

    found = ogive.from_torch(Bag().eval(), (torch.randint(0, 23, (2, 5)),), sizes={"ids": ["b", "n"]}, strict=True)
    assert "mean[-2]" in found.text


def test_a_source_without_gradients_is_compared_without_them() -> None:
    class Overwriting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lin = nn.Linear(8, 8)

        def forward(self, x: Tensor) -> Tensor:
            y = self.lin(x).exp_()
            y.mul_(2)
            return y

    found = ogive.from_torch(Overwriting().eval(), (torch.randn(2, 8),), sizes={"x": ["b", 8]})
    assert found.verified is not None
    assert found.verified.gradients == 0
    assert "the source has no gradients: one of the variables" in found.report["notes"][-1]


class Lines(nn.Module):
    """A module that fixes how wide its input is."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.rand(1, 1, 7, 1))

    def forward(self, x: Tensor) -> Tensor:
        torch._assert(x.shape[3] == 9, "wide")  # type: ignore[no-untyped-call]
        return x * self.table


def test_what_the_source_fixes_is_told_with_its_line() -> None:
    found = ogive.from_torch(Lines(), (torch.randn(2, 3, 7, 9),), sizes={"x": ["b", "c", "h", "w"]})
    told = {each["size"]: (each["value"], each["source_line"]) for each in found.report["fixed"]}
    assert {size: value for size, (value, _) in told.items()} == {"h": 7, "w": 9}
    lines = [place.rpartition(":") for _, place in told.values()]
    assert all(file == __file__ for file, _, _ in lines)
    with open(__file__) as file:
        text = file.read().splitlines()
    assert {text[int(line) - 1].strip() for _, _, line in lines} == {
        'torch._assert(x.shape[3] == 9, "wide")  # type: ignore[no-untyped-call]', "return x * self.table"}  # fmt: skip


class Telling(nn.Module):
    """It gives more than tensors, and at one size something else."""

    def __init__(self) -> None:
        super().__init__()
        self.lin = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> dict[str, Any]:
        y = self.lin(x)
        return {"y": y if x.shape[0] != 3 else y.view(3, 2, 2), "name": "telling", "count": 3}


def test_what_is_left_out_is_told_and_what_a_size_changes_is_a_difference() -> None:
    sizes: Sizes = {"x": ["b", 4]}
    with pytest.raises(ogive.ArchError, match=r"has the shape \[3, 4\], not \[3, 2, 2\]"):
        ogive.from_torch(Telling().eval(), (torch.randn(2, 4),), sizes=sizes)
    found = ogive.from_torch(Telling().eval(), (torch.randn(2, 4),), sizes=sizes, verify=False)
    assert "results that are no tensors are left out (2)" in found.report["notes"]

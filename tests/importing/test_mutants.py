"""A translation that is wrong by little is refused: the comparison sees what rounding in float32 would hide."""
# mypy: disable-error-code="no-any-return"
# torch says of a call of a module only that it gives anything; people write it so

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import ogive
from ogive.backends.from_torch.compare import SourceCompared
from ogive.backends.from_torch.program import program_text


class Fine(nn.Module):
    """Much that a small mistake changes by little."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(8, eps=1e-3, momentum=0.01)
        self.norm = nn.LayerNorm(8, eps=1e-6)
        self.up = nn.Linear(8, 16)
        self.down = nn.Linear(16, 8)
        self.drop = nn.Dropout(0.1)
        self.shift = nn.Parameter(1e-9 * torch.randn(8))
        self.scale = nn.Parameter(1e-7 * torch.randn(8))

    def forward(self, x: Tensor) -> Tensor:
        x = F.gelu(self.bn(self.conv(x)), approximate="tanh")
        x = F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=True)
        x = self.norm(x.flatten(2).mT)
        y = self.drop(self.down(F.gelu(self.up(x)))) + self.shift
        return torch.softmax(x + y + self.scale * torch.sin(x), -1) + F.leaky_relu(x, 0.01)


MUTANTS = {
    "the eps of a norm": ("eps=1e-06", "eps=1e-05"),
    "the eps of a norm over batches": ("eps=0.001", "eps=0.00101"),
    "the momentum of its statistics": ("momentum=0.01", "momentum=0.011"),
    "one gelu for the other": ("gelu_tanh", "gelu"),
    "the other for the one": ("|> gelu\n", "|> gelu_tanh\n"),
    "corners": (", align_corners=true", ""),
    "a bias of almost nothing": (" + shift", ""),
    "a branch of almost nothing": ("scale * ", "0.9999 * scale * "),
    "a slope": ("leaky_relu", "leaky_relu[0.0100001]"),
    "a rate of dropout": ("Dropout[0.1]", "Dropout[0.2]"),
}


def traced() -> ogive.Imported:
    torch.manual_seed(0)
    x = torch.randn(2, 3, 5, 6)
    return ogive.from_torch(Fine().eval(), (x,), sizes={"x": ["b", 3, "h", "w"]}, verify=False)


@pytest.mark.parametrize("what", MUTANTS)
def test_a_small_mistake_is_seen(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before, after = MUTANTS[what]

    def mutated(*args: Any) -> Any:
        found = program_text(*args)
        text = found.text.replace("|> gelu |>", "|> gelu\n        |>")
        assert before in text
        return replace(found, text=text.replace(before, after, 1))

    monkeypatch.setattr("ogive.imported.program_text", mutated)
    wrong = traced()
    with pytest.raises(ogive.ArchError, match="not what its source is"):
        wrong.verify()


def test_without_a_mistake_all_of_it_is_compared() -> None:
    found = traced().verify()
    assert found.equal
    assert found.exact >= 3
    assert found.trained == 4  # mean, variance, count, a rate
    assert found.notes == []
    assert set(found.apart) == {"float32", "float64"}


def test_rounding_excuses_nothing_where_float64_was_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """A source that float64 does not run has no second opinion: then the bound of float32 is all there is."""

    class Single(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lin = nn.Linear(4, 4)

        def forward(self, x: Tensor) -> Tensor:
            if x.dtype == torch.float64:
                raise RuntimeError("no kernel for double")
            return self.lin(x)

    found = ogive.from_torch(Single().eval(), (torch.randn(2, 4),), sizes={"x": ["b", 4]})
    verified: SourceCompared | None = found.verified
    assert verified is not None
    assert verified.exact == 0
    assert "does not run in float64 (no kernel for double)" in str(verified)
    assert found.report["verify"]["float64_refused"] == "no kernel for double"

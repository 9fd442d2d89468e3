"""Imports read as if written by hand, by count: beside the hand-written examples, and without the tracer's names."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import ogive
from importing import networks
from ogive.grammar.formatter import format_text

EXAMPLES = Path(__file__).parents[2] / "examples"
TIMES = 1.5  # as many lines as by hand, at most
Case = tuple[Callable[[], nn.Module], Any, dict[str, list[str | int | None]], str]


def bert() -> nn.Module:
    from transformers import BertConfig, BertModel

    made: nn.Module = BertModel(BertConfig(vocab_size=37, hidden_size=16, intermediate_size=24, num_hidden_layers=2,
                                num_attention_heads=4, max_position_embeddings=24))  # fmt: skip
    return made


IMAGES: dict[str, list[str | int | None]] = {"x": ["b", 3, "h", "w"]}
CASES: dict[str, Case] = {
    "resnet": (networks.Convolutional, torch.randn(2, 3, 8, 12), IMAGES, "resnet.arch"),
    "densenet": (networks.Dense, torch.randn(2, 8, 8, 12), {"x": ["b", 8, "h", "w"]}, "densenet.arch"),
    "efficientnet": (networks.Mobile, torch.randn(2, 3, 16, 24), IMAGES, "efficientnet.arch"),
    "gpt2": (networks.Decoder, torch.randint(0, 23, (2, 5)), {"ids": ["b", "n"]}, "gpt2.arch"),
}


def lines(text: str) -> list[str]:
    """What is written of blocks: no comments, no imports, no list of models."""
    rows = format_text(text).splitlines()
    return [row for row in rows if row.strip() and not re.match(r"\s*#|(use|model|ogive) ", row)]


def readable(text: str) -> None:
    """What no hand would write."""
    assert not re.search(r"_tensor_constant|\b(?:add|mul|view|linear|conv2d|getitem|slice|p_\w+)_?\d+\b", text)
    bodies = re.findall(r"^block \w+(.*?)(?=^block|^model|\Z)", text, re.MULTILINE | re.DOTALL)
    assert len(set(bodies)) == len(bodies)
    for body in bodies:
        # equal layers in a row are a loop
        calls = re.findall(r"\|> (\w+\[[^\]]*\]) as \w+", body)
        assert not [
            each for each, again, third in zip(calls, calls[1:], calls[2:], strict=False) if each == again == third
        ]


@pytest.mark.parametrize("case", CASES)
def test_an_import_has_few_more_lines_than_the_example(case: str) -> None:
    make, x, sizes, example = CASES[case]
    found = ogive.from_torch(make().eval(), (x,), sizes=sizes, verify=False)
    hand = (EXAMPLES / example).read_text()
    assert len(lines(found.text)) <= TIMES * len(lines(hand))
    readable(found.text)


@pytest.mark.slow
def test_bert_has_few_more_lines_than_the_example() -> None:
    words = {"input_ids": torch.randint(0, 37, (2, 5))}
    found = ogive.from_torch(bert().eval(), (), words, {"input_ids": ["b", "n"]}, verify=False)
    assert len(lines(found.text)) <= TIMES * len(lines((EXAMPLES / "bert.arch").read_text()))
    readable(found.text)


class Windows(nn.Module):
    """Attention within windows of a map, which every other layer shifts: its mask is written place by place."""

    def __init__(self, width: int, window: int, shift: int) -> None:
        super().__init__()
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.window, self.shift = window, shift

    def forward(self, x: Tensor) -> Tensor:
        b, h, w, c = x.shape
        k, s = self.window, self.shift
        if s:
            x = torch.roll(x, (-s, -s), (1, 2))
        x = x.view(b, h // k, k, w // k, k, c).permute(0, 1, 3, 2, 4, 5).reshape(-1, k * k, c)
        q, key, v = self.qkv(x).chunk(3, -1)
        scores = q @ key.mT
        if s:
            region = x.new_zeros((h, w))
            parts = (slice(0, -k), slice(-k, -s), slice(-s, None))
            for i, rows in enumerate(parts):
                for j, columns in enumerate(parts):
                    region[rows, columns] = 3 * i + j
            region = region.view(h // k, k, w // k, k).permute(0, 2, 1, 3).reshape(-1, k * k)
            apart = region[:, None] - region[:, :, None]
            mask = apart.masked_fill(apart != 0, -100.0).masked_fill(apart == 0, 0.0)
            scores = (scores.view(b, -1, k * k, k * k) + mask).view(-1, k * k, k * k)
        x = self.proj(scores.softmax(-1) @ v)
        x = x.view(b, h // k, w // k, k, k, c).permute(0, 1, 3, 2, 4, 5).reshape(b, h, w, c)
        return torch.roll(x, (s, s), (1, 2)) if s else x


class Shifting(nn.Module):
    """Layers that shift and layers that do not take turns."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(*[Windows(8, 3, i % 2) for i in range(4)])

    def forward(self, x: Tensor) -> Tensor:
        return F.gelu(self.layers(x))


def test_layers_that_take_turns_are_a_loop_and_their_mask_is_told() -> None:
    torch.manual_seed(0)
    module = Shifting().eval()
    found = ogive.from_torch(module, (torch.randn(2, 6, 9, 8),), sizes={"x": ["b", 6, 9, 8]}, strict=True)
    assert "shifted_windows[3, 6, 9, 1, 1]()" in found.text
    assert "repeat[depth, [Windows[d" in found.text
    assert "put[" not in found.text
    assert found.verified is not None
    assert found.verified.gradients == len(list(module.parameters()))
    readable(found.text)

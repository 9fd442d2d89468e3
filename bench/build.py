"""From text to a module on the meta device, in a warm process, against torch.export of the same model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch

import ogive
from bench.pairs import Result, compare

GPT2 = Path(__file__).parents[1] / "examples" / "gpt2.arch"


def results() -> Iterator[Result]:
    text = GPT2.read_text(encoding="utf-8")
    net = ogive.source(text).models["GPT2"].torch(device="meta").eval()
    ids = torch.zeros(2, 64, dtype=torch.long, device="meta")
    dims = ({0: torch.export.Dim("b", min=1, max=1024), 1: torch.export.Dim("n", min=1, max=1024)},)
    yield compare(
        "text to module / torch.export",
        lambda: ogive.source(text).models["GPT2"].torch(device="meta"),
        lambda: torch.export.export(net, (ids,), dynamic_shapes=dims),
        pairs=3,
    )

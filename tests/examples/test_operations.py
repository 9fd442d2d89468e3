"""What a forward pass runs: no more aten operations than the same network written by hand, and no more copies."""

from __future__ import annotations

from collections import Counter
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import nn

import ogive
from bench.calls import called
from bench.handwritten import ResNet50, ViTB16

EXAMPLES = Path(__file__).parents[2] / "examples"
COPIES = ("clone", "copy_", "_to_copy", "contiguous", "_unsafe_view")


@pytest.mark.parametrize(
    ("file", "name", "written"), [("vit", "ViTB16", ViTB16), ("resnet", "ResNet50", ResNet50)], ids=["vit", "resnet"]
)
def test_as_few_operations_as_by_hand(file: str, name: str, written: type[nn.Module]) -> None:
    with torch.device("meta"):
        ours, peer = ogive.load(EXAMPLES / f"{file}.arch").models[name].torch().eval(), written().eval()
    image = torch.empty(2, 3, 224, 224, device="meta")
    a, b = (Counter(name.split(".")[1] for name in called(partial(net, image))) for net in (ours, peer))
    assert a.total() <= b.total()
    assert {op: a[op] for op in COPIES if a[op] > b[op]} == {}

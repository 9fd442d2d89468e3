"""Examples whose peers continuous integration does not install, against the same models written by hand in torch.

The maps are those of the public files, so the names of what is written by hand are the public ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import ogive
from bench import handwritten_more as more
from bench import handwritten_vision as vision
from ogive.api import Model

EXAMPLES = Path(__file__).parents[2] / "examples"
# no file of YOLOv3 is published for torch
YOLO = """
[weights]
"{stem,up_large,up_medium}.unit.conv.*" = "{stem,up_large,up_medium}.0.*"
"{stem,up_large,up_medium}.unit.norm.*" = "{stem,up_large,up_medium}.1.*"
"stages.*.down.unit.{conv,norm}.*" = "stages.*.0.{0,1}.*"
"stages.*.blocks.*.narrow.unit.{conv,norm}.*" = "stages.*.{*+1}.narrow.{0,1}.*"
"stages.*.blocks.*.wide.unit.{conv,norm}.*" = "stages.*.{*+1}.wide.{0,1}.*"
"head_{large,medium,small}.views.*.unit.unit.conv.*" = "head_{large,medium,small}.views.*.0.*"
"head_{large,medium,small}.views.*.unit.unit.norm.*" = "head_{large,medium,small}.views.*.1.*"
"head_{large,medium,small}.unit.unit.conv.*" = "head_{large,medium,small}.unit.0.*"
"head_{large,medium,small}.unit.unit.norm.*" = "head_{large,medium,small}.unit.1.*"
"""
# the published B0 has seven stages, so its last unit another place
EFFICIENT = (EXAMPLES / "efficientnet.map.toml").read_text().replace("features.8.", "features.3.")


@dataclass(frozen=True)
class Reading:
    """A model of ours, the same by hand, and what both are asked."""

    file: str
    ours: str
    theirs: Callable[[], nn.Module]
    inputs: Callable[[], tuple[Tensor, ...]]
    map: str = ""


def image(height: int, width: int) -> Callable[[], tuple[Tensor, ...]]:
    return lambda: (torch.randn(2, 3, height, width).double(),)


READINGS = [
    Reading("densenet", "DenseNet[stem=8, growth=4, depths=[2, 3, 1], classes=10]",
            lambda: vision.DenseNet(8, 4, (2, 3, 1), 10), image(33, 40)),
    Reading("efficientnet", "EfficientNet[stem=8, stages=[[1, 8, 1, 3, 1], [4, 12, 2, 5, 2]], head=24, classes=10]",
            lambda: vision.EfficientNet(8, ((1, 8, 1, 3, 1), (4, 12, 2, 5, 2)), 24, 10), image(33, 40), EFFICIENT),
    Reading("maxvit", "MaxViT[stem=8, widths=[8, 16], depths=[1, 2], head=4, size=2, classes=10]",
            lambda: vision.MaxViT(8, (8, 16), (1, 2), 4, 2, 10), image(32, 16)),
    Reading("inception_v3", "InceptionV3[thin=16, classes=10]", lambda: more.InceptionV3(16, 10), image(80, 75)),
    Reading("fpn", "FPN[depths=[1, 1, 2, 1], widths=[4, 4, 6, 8], d=8]",
            lambda: more.FPN((1, 1, 2, 1), (4, 4, 6, 8), 8), image(64, 96)),
    Reading("dit", "DiT[image=8, patch=2, channels=3, d=16, heads=2, depth=2, classes=10]",
            lambda: more.DiT(8, 2, 3, 16, 2, 2, 10),
            lambda: (*image(8, 8)(), torch.tensor([1.0, 999.0]).double(), torch.tensor([3, 10]))),
    Reading("yolo", "YOLO[stem=4, depths=[1, 1, 2, 1, 1], classes=3]",
            lambda: vision.YOLO(4, (1, 1, 2, 1, 1), 3, 3), image(32, 64), YOLO),
]  # fmt: skip


@pytest.mark.parametrize("reading", READINGS, ids=lambda reading: reading.file)
def test_same_as_written_by_hand(reading: Reading, tmp_path: Path) -> None:
    torch.manual_seed(0)
    text = (EXAMPLES / f"{reading.file}.arch").read_text() + f"\nmodel Pair = {reading.ours}\n"
    model = ogive.source(text)["Pair"]
    assert isinstance(model, Model)
    theirs = reading.theirs().double().eval()
    with torch.no_grad():
        for name, tensor in theirs.state_dict().items():
            if tensor.is_floating_point() and name != "pos_embed":
                tensor.uniform_(0.5, 1.5) if name.endswith("running_var") else tensor.normal_(std=0.3)
    path = EXAMPLES / f"{reading.file}.map.toml"
    if reading.map:
        path = tmp_path / "m.toml"
        path.write_text(reading.map)
    ours = model.torch().double().eval()
    ours.load_state_dict(model.load_weights(theirs, path))
    xs = reading.inputs()
    with torch.no_grad():
        y, z = ours(*xs), theirs(*xs)
    for a, b in zip(y, z, strict=True) if isinstance(z, tuple) else [(y, z)]:
        assert a.shape == b.shape
        assert ((a - b).abs().max() / b.abs().max()).item() < 1e-10
    # what is left over is computed: the table of indices of a window
    theirs.load_state_dict({**theirs.state_dict(), **model.unload_weights(ours, path)}, strict=True)


def test_a_diffusion_transformer_starts_without_a_branch() -> None:
    """adaLN-Zero: what scales the branches is 0, as is what comes out; other maps are not."""
    model = ogive.load(EXAMPLES / "dit.arch")["Tiny"]
    assert isinstance(model, Model)
    state = model.torch().state_dict()
    silent = {name.rpartition(".")[0] for name, tensor in state.items() if not tensor.any() and name.endswith("weight")}
    assert silent == {"blocks.0.ada", "blocks.1.ada", "ada", "linear"}
    torch.testing.assert_close(state["pos_embed"], more.places(4, 16))

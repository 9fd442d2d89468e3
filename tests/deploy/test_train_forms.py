"""The examples and layers in the form that trains: deployed they compute the same, at several sizes, and at borders."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import ogive
from deploy.folding import image, randomized
from ogive.api import Model
from ogive.model import DeployedModel
from sampled import sampled

EXAMPLES = Path(__file__).parents[2] / "examples"
IMAGES = ((1, 3, 32, 32), (2, 3, 33, 47), (1, 3, 17, 64))
SIZES = {
    "repvgg": IMAGES, "mobileone": IMAGES, "diverse_branch": IMAGES, "acnet": IMAGES, "replknet": IMAGES,
    "fastvit": IMAGES, "repmlp": ((1, 3, 32, 32), (2, 3, 8, 24)), "lora_vit": ((1, 3, 32, 32), (2, 3, 12, 40)),
    "ewa_vit": ((2, 1, 8, 8), (1, 1, 4, 16)), "poset_cnn": ((1, 1, 16, 16), (2, 1, 9, 21)),
}  # fmt: skip


@cache
def forms(example: str) -> tuple[Model, DeployedModel, nn.Module, nn.Module]:
    """An example and its folded form, in float64, with weights none of which is where it starts."""
    source = ogive.load(EXAMPLES / f"{example}.arch").models["Tiny"]
    return both(source)


def both(source: Model) -> tuple[Model, DeployedModel, nn.Module, nn.Module]:
    """A model and its folded form, in float64."""
    folded = source.deploy("fold")
    net, used = randomized(source.torch().double().eval()), folded.torch().double().eval()
    used.load_state_dict(folded.convert(net, dtype=None))
    return source, folded, net, used


def gap(found: Tensor, wanted: Tensor) -> float:
    """The largest difference, relative to the largest value."""
    return float((found - wanted).abs().max() / wanted.abs().max())


@pytest.mark.parametrize(
    ("example", "shape"),
    [
        each if at % 3 == 0 else pytest.param(*each, marks=pytest.mark.slow)
        for at, each in enumerate((name, shape) for name, shapes in SIZES.items() for shape in shapes)
    ],
)
def test_train_and_deployed_form_agree(example: str, shape: tuple[int, ...]) -> None:
    _, _, net, used = forms(example)
    with torch.no_grad():
        assert gap(used(image(*shape)), net(image(*shape))) < 1e-10


@pytest.mark.parametrize("example", sampled(SIZES))
def test_float32_loses_at_most_twice_what_the_train_form_loses(example: str) -> None:
    source, folded, net, _ = forms(example)
    x = image(*SIZES[example][0])
    exact = net(x).detach()
    single, small = source.torch().eval(), folded.torch().eval()
    single.load_state_dict(net.state_dict())
    small.load_state_dict(folded.convert(single))
    with torch.no_grad():
        before, after = (gap(form(x.float()).double(), exact) for form in (single, small))
    assert after <= max(2 * before, 1e-6), (before, after)


LAYERS = {
    "RepConv[3, 3]": 1, "RepConv[3, 6, stride=2]": 1, "MobileOneBlock[3, 3, 3]": 1,
    "MobileOneBlock[3, 3, 5, groups=3]": 1,
    "DiverseBranch[3, 3]": 1, "DiverseBranch[3, 6, 5]": 2, "AsymmetricConv[3, 5]": 1, "AsymmetricConv[3, 3, 5]": 2,
    "LargeKernel[3, 13, 5]": 6, "RepMixer[3]": 1, "RepMixer[3, 5]": 2,
}  # fmt: skip


@pytest.mark.parametrize("layer", list(LAYERS))
@pytest.mark.parametrize("shape", [(2, 3, 15, 22), (1, 3, 16, 13), (1, 3, 3, 4)])
def test_borders_are_as_exact_as_the_inside(layer: str, shape: tuple[int, ...]) -> None:
    text = f"use std.reparam ({layer.partition('[')[0]})\n\nblock Net(x: [b, 3, h, w]) -> [b, c, h', w']:\n"
    source, folded, net, used = _layer(text + f"    return x |> {layer}\n\nmodel M = Net[]\n")
    assert sum(path.endswith("weight") for path in folded.weights) == 1, folded.report()
    with torch.no_grad():
        found, wanted = used(image(*shape)), net(image(*shape))
    side = LAYERS[layer]
    inside = torch.zeros(wanted.shape[2:], dtype=torch.bool)
    inside[side:-side, side:-side] = True
    for where in (inside, ~inside):
        if where.any():
            assert gap(found[..., where], wanted[..., where]) < 1e-12
    assert source.parameters > folded.parameters


@cache
def _layer(text: str) -> tuple[Model, DeployedModel, nn.Module, nn.Module]:
    return both(ogive.source(text).models["M"])

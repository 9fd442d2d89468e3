"""Architectures that transformers does not hold, against the same computation written by hand in torch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import ogive
from ogive.api import Model

EXAMPLES = Path(__file__).parents[2] / "examples"


class Weights:
    """The weights below a place in the tree."""

    def __init__(self, state: dict[str, Tensor], prefix: str = "") -> None:
        self.state, self.prefix = state, prefix

    def __call__(self, *places: str | int) -> Weights:
        return Weights(self.state, self.prefix + "".join(f"{place}." for place in places))

    def __getitem__(self, name: str) -> Tensor:
        return self.state[self.prefix + name]

    def linear(self, x: Tensor) -> Tensor:
        return F.linear(x, self["weight"], self["bias"])

    def conv(self, x: Tensor, stride: int = 1, pad: int = 0, groups: int = 1) -> Tensor:
        return F.conv2d(x, self["weight"], self.state.get(self.prefix + "bias"), stride, pad, 1, groups)

    def batch_norm(self, x: Tensor) -> Tensor:
        return F.batch_norm(x, self["running_mean"], self["running_var"], self["weight"], self["bias"])

    def layer_norm(self, x: Tensor) -> Tensor:
        return F.layer_norm(x, x.shape[-1:], self["weight"], self["bias"], 1e-6)


def mixer(w: Weights, x: Tensor) -> Tensor:
    x = w("stem", "proj").conv(x, stride=4).flatten(2).transpose(1, 2)
    for i in range(2):
        y = w("blocks", i, "norm1").layer_norm(x).transpose(1, 2)
        y = w("blocks", i, "mlp_tokens", "fc2").linear(F.gelu(w("blocks", i, "mlp_tokens", "fc1").linear(y)))
        x = x + y.transpose(1, 2)
        y = w("blocks", i, "norm2").layer_norm(x)
        x = x + w("blocks", i, "mlp_channels", "fc2").linear(F.gelu(w("blocks", i, "mlp_channels", "fc1").linear(y)))
    return w("head").linear(w("norm").layer_norm(x).mean(1))


def mobilenet_v2(w: Weights, x: Tensor) -> Tensor:
    def unit(w: Weights, x: Tensor, stride: int = 1, pad: int = 0, groups: int = 1) -> Tensor:
        return F.relu6(w("norm").batch_norm(w("conv").conv(x, stride, pad, groups)))

    x = unit(w("stem"), x, 2, 1)
    blocks = ((0, 0, 1, 8, True), (1, 0, 2, 24, False), (1, 1, 1, 36, True))  # stage, index, stride, width, residual
    for i, j, stride, wide, same in blocks:
        u = w("stages", i, "blocks", j, "body")
        y = unit(u("expand"), x) if wide != x.shape[1] else x
        y = unit(u("depthwise"), y, stride, 1, wide)
        y = u("norm").batch_norm(u("project").conv(y))
        x = x + y if same else y
    return w("classifier").linear(unit(w("head"), x).mean((2, 3)))


def repvgg(w: Weights, x: Tensor) -> Tensor:
    def unit(w: Weights, x: Tensor, stride: int, same: bool) -> Tensor:
        y = w("dense", "bn").batch_norm(w("dense", "conv").conv(x, stride, 1))
        y = y + w("pointwise", "bn").batch_norm(w("pointwise", "conv").conv(x, stride))
        return F.relu(y + w("identity").batch_norm(x) if same else y)

    x = unit(w("stem"), x, 2, False)
    for i in range(2):
        for j in range(2):
            x = unit(w("stages", i, "blocks", j, "body"), x, 1 if j else 2, j > 0)
    return w("head").linear(x.mean((2, 3)))


def unet(w: Weights, x: Tensor) -> Tensor:
    def double(w: Weights, x: Tensor) -> Tensor:
        return F.relu(w("conv2").conv(F.relu(w("conv1").conv(x))))

    skips, x = [], double(w("stem"), x)
    for i in range(2):
        skips.append(x)
        x = double(w("down", i, "pair"), F.max_pool2d(x, 2))
    for i, skip in enumerate(reversed(skips)):
        g = w("up", i, "grow")
        x = F.conv_transpose2d(x, g["weight"], g["bias"], 2)
        top, left = (skip.shape[2] - x.shape[2]) // 2, (skip.shape[3] - x.shape[3]) // 2
        middle = skip[:, :, top : top + x.shape[2], left : left + x.shape[3]]
        x = double(w("up", i, "pair"), torch.cat([middle, x], 1))
    return w("head").conv(x)


PEERS: list[tuple[Callable[[Weights, Tensor], Tensor], tuple[int, ...]]] = [
    (mixer, (2, 3, 16, 16)),
    (mobilenet_v2, (2, 3, 33, 40)),
    (repvgg, (2, 3, 33, 40)),
    (unet, (2, 1, 60, 52)),
]


@pytest.mark.parametrize(("peer", "shape"), PEERS, ids=[peer.__name__ for peer, _ in PEERS])
def test_same_as_written_by_hand(peer: Callable[[Weights, Tensor], Tensor], shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    model = ogive.load(EXAMPLES / f"{peer.__name__}.arch")["Tiny"]
    assert isinstance(model, Model)
    net = model.torch().double().eval()
    with torch.no_grad():
        for name, tensor in net.state_dict().items():
            if tensor.is_floating_point():
                tensor.uniform_(0.5, 1.5) if name.endswith("running_var") else tensor.normal_(std=0.4)
        x = torch.randn(shape).double()
        ours, theirs = net(x), peer(Weights(net.state_dict()), x)
    assert ours.shape == theirs.shape
    assert ((ours - theirs).abs().max() / theirs.abs().max()).item() < 1e-10
    assert theirs.abs().max() > 0


def test_the_unet_of_the_paper_maps_572_to_388() -> None:
    """The one size of the paper; the conditions of the model name all others."""
    program = ogive.load(EXAMPLES / "unet.arch")
    model = program["UNet572"]
    assert isinstance(model, Model)
    with torch.device("meta"):
        net = model.torch()
        assert net(torch.empty(1, 1, 572, 572)).shape == (1, 2, 388, 388)
    assert "(h + 4) % 16 == 0" in model.conditions or "h % 16 == 12" in model.conditions

"""Layers in the form that trains: what they start as, and what is left of them when they are used."""

from __future__ import annotations

import math
from collections import Counter

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import ogive
from deploy.folding import folded, image
from ogive.api import Model

USES = """
use std.nn (Linear)
use std.vision (Conv)
use std.reparam (RepConv, MobileOneBlock, DiverseBranch, AsymmetricConv, LargeKernel, RepMixer, LoRA, WeightNorm)
use std.experts (RandomPartitionExperts)

block MLP[d, k](x: [*b, d]) -> [*b, d]:
    return x |> Linear[d, k] as up |> gelu |> Linear[k, d] as down
"""


def model(stages: str, inputs: str = "x: [b, 4, h, w]", outputs: str = "[b, c', h', w']") -> Model:
    text = f"{USES}\nblock Net({inputs}) -> {outputs}:\n    return x |> {stages} as layer\n\nmodel M = Net[]\n"
    found = ogive.source(text)["M"]
    assert isinstance(found, Model)
    return found


TOWERS = [
    "RepConv[4, 4]",
    "RepConv[4, 6, kernel=5, stride=2, groups=2]",
    "MobileOneBlock[4, 4]",
    "MobileOneBlock[4, 8, kernel=1, branches=3]",
    "MobileOneBlock[4, 4, stride=2, groups=4, branches=1]",
    "DiverseBranch[4, 4]",
    "DiverseBranch[4, 6, stride=2, groups=2, inner=8]",
    "DiverseBranch[4, 4, groups=4]",
    "AsymmetricConv[4, 4, groups=2]",
    "LargeKernel[4, kernel=7, small=3]",
    "RepMixer[4]",
    "LoRA[Conv[4, 6, 3, groups=2], 2]",
    "WeightNorm[Conv[4, 6, 3]]",
]


@pytest.mark.parametrize("layer", TOWERS)
def test_a_tower_folds_to_one_convolution(layer: str) -> None:
    found = folded(model(layer).ir)
    assert found.ops == Counter({"conv": 1}), found.ops
    for shape in ((2, 4, 9, 8), (1, 4, 7, 12), (1, 4, 4, 4)):
        assert found.error(image(*shape)) < 1e-12


def test_a_low_rank_update_starts_as_nothing_and_is_a_matrix_product() -> None:
    net = model("LoRA[Linear[6, 8], 2, alpha=3.0]", "x: [*b, 6]", "[*b, 8]").torch().double()
    w = dict(net.named_parameters())
    assert {name: tuple(x.shape) for name, x in w.items()} == {
        "layer.F.weight": (8, 6), "layer.F.bias": (8,), "layer.lora.a": (2, 6), "layer.lora.b": (8, 2),
    }  # fmt: skip
    x = torch.randn(3, 5, 6, dtype=torch.float64)
    torch.testing.assert_close(net(x), F.linear(x, w["layer.F.weight"], w["layer.F.bias"]))
    with torch.no_grad():
        w["layer.lora.b"].normal_()
    weight = w["layer.F.weight"] + 3 / 2 * w["layer.lora.b"] @ w["layer.lora.a"]
    torch.testing.assert_close(net(x), F.linear(x, weight, w["layer.F.bias"]))


@pytest.mark.parametrize(
    ("ours", "theirs", "shape"),
    [
        ("Linear[6, 8]", nn.Linear(6, 8), (3, 6)),
        ("Conv[6, 8, 3, groups=2]", nn.Conv2d(6, 8, 3, groups=2), (2, 6, 7, 5)),
        ("Conv[6, 8, 3]", nn.Conv1d(6, 8, 3), (2, 6, 7)),
    ],
)
def test_weight_norm_is_torchs(ours: str, theirs: nn.Module, shape: tuple[int, ...]) -> None:
    dims = ", ".join(f"s{i}" for i in range(len(shape) - 2))
    inputs = f"x: [b, 6, {dims}]" if dims else "x: [b, 6]"
    net = model(f"WeightNorm[{ours}]", inputs, inputs[3:].replace("6", "c'").replace("s", "t")).torch()
    state = net.state_dict()
    torch.testing.assert_close(state["layer.norm.g"], state["layer.F.weight"].flatten(1).norm(dim=1))
    normed = nn.utils.parametrizations.weight_norm(theirs)
    with torch.no_grad():
        for parameter in normed.parameters():
            parameter.normal_()
    held = dict(normed.named_parameters())
    net.load_state_dict(
        {
            "layer.norm.g": held["parametrizations.weight.original0"].flatten(),
            "layer.F.weight": held["parametrizations.weight.original1"],
            "layer.F.bias": held["bias"],
        }
    )
    x = torch.randn(shape)
    torch.testing.assert_close(net(x), normed(x))


# --- averaged experts: Huang et al. 2023, arXiv:2308.06093 ------------------------------------------------------------


def experts(count: int = 4) -> tuple[nn.Module, nn.Parameter]:
    net = model(f"RandomPartitionExperts[MLP[6, 24], {count}]", "x: [b, n, 6]", "[b, n, 6]").torch().double()
    return net, net.get_parameter("layer.theta")


@pytest.mark.parametrize("shape", [(2, 9, 6), (1, 8, 6), (1, 3, 6), (1, 1, 6)])
def test_equal_experts_are_the_block_itself_for_every_partition(shape: tuple[int, ...]) -> None:
    net, theta = experts()
    assert torch.equal(theta[0], theta[3])
    x = torch.randn(shape, dtype=torch.float64)
    for _ in range(3):
        torch.testing.assert_close(net.train()(x), net.eval()(x))


def test_every_token_goes_to_one_expert_and_groups_are_equal() -> None:
    net, theta = experts()
    with torch.no_grad():  # expert i adds i to nothing
        theta.zero_()
        theta[:, -6:] = torch.arange(4.0, dtype=torch.float64)[:, None]  # the bias of `down` comes last
    for tokens in (8, 9, 11, 2):
        found = Counter(net.train()(torch.zeros(1, tokens, 6, dtype=torch.float64))[0, :, 0].tolist())
        assert sum(found.values()) == tokens
        assert max(found.values()) <= math.ceil(tokens / 4)
    assert net.eval()(torch.zeros(1, 2, 6, dtype=torch.float64)).unique().tolist() == [1.5]


def test_a_step_moves_experts_together_and_keeps_their_mean() -> None:
    net, theta = experts()
    with torch.no_grad():
        theta.normal_()
    before = theta.detach().clone()
    step = net.after_step
    assert callable(step)
    step()
    average = before.mean(0)
    torch.testing.assert_close(theta.mean(0), average)
    torch.testing.assert_close(theta - average, (1 - 0.3 * 4 / 3) * (before - average))


def test_the_gradients_of_equal_experts_sum_to_that_of_the_block() -> None:
    net, theta = experts()
    x = torch.randn(2, 7, 6, dtype=torch.float64)
    (split,) = torch.autograd.grad(net.train()(x).square().sum(), theta)
    (whole,) = torch.autograd.grad(net.eval()(x).square().sum(), theta)
    torch.testing.assert_close(split.sum(0), whole.sum(0))


def test_used_the_experts_fold_to_one_block() -> None:
    found = folded(model("RandomPartitionExperts[MLP[6, 24], 4]", "x: [b, n, 6]", "[b, n, 6]").ir)
    assert found.ops["linear"] == 2
    assert found.ops["mean"] == 0
    x: Tensor = torch.randn(2, 5, 6, dtype=torch.float64)
    assert found.error(x) < 1e-12

"""Adapters and quantized weights in the modules of every example: libraries find the layers and may replace them."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import Tensor, nn
from torchao.quantization import Int8WeightOnlyConfig, quantize_

import ogive
from examples.test_tiny import FILES, inputs

SAMPLE = {"llama", "vit", "resnet", "whisper"}
SUPPLIED = {"lora_vit"}  # computes the weights of its maps, and so reads them
ALL = [pytest.param(path, id=path.stem, marks=() if path.stem in SAMPLE else pytest.mark.slow) for path in FILES]


def example(path: Path) -> tuple[nn.Module, tuple[Tensor, ...]]:
    """A module in which no matrix is zeros, and something that it takes."""
    model = ogive.load(path).models["Tiny"]
    torch.manual_seed(0)
    net = model.torch().eval()
    for weight in net.parameters():
        if weight.ndim > 1 and not weight.any():
            nn.init.normal_(weight, std=0.1)
    return net, inputs(model, path.stem)


def run(net: nn.Module, given: tuple[Tensor, ...]) -> Tensor:
    """All that it gives, in one row; what is drawn is drawn alike."""
    torch.manual_seed(1)
    found = net(*given)
    return torch.cat([x.flatten() for x in (found if isinstance(found, tuple) else (found,)) if x.is_floating_point()])


def apart(found: Tensor, wanted: Tensor) -> float:
    return float((found - wanted).detach().norm() / wanted.detach().norm())


def maps(net: nn.Module) -> dict[str, nn.Module]:
    """The layers that an adapter can stand in for."""
    found: dict[str, Any] = {name: each for name, each in net.named_modules() if type(each) in (nn.Linear, nn.Conv2d)}
    return {name: each for name, each in found.items() if getattr(each, "groups", 1) == 1}


@pytest.mark.parametrize("path", ALL)
def test_adapters_are_used_everywhere_and_merge(path: Path) -> None:
    net, given = example(path)
    if not maps(net) or path.stem in SUPPLIED:
        return
    wanted = run(net, given)
    tuned: Any = get_peft_model(copy.deepcopy(net), LoraConfig(r=2, target_modules=list(maps(net)))).eval()
    added = {name: weight for name, weight in tuned.named_parameters() if "lora_" in name}
    assert len(added) == 2 * len(maps(net))
    for weight in added.values():
        nn.init.normal_(weight, std=0.1)
    found = run(tuned, given)
    found.square().sum().backward()  # type: ignore[no-untyped-call]
    assert [name for name, weight in added.items() if weight.grad is None] == []
    assert not torch.equal(found, wanted)
    merged = tuned.merge_and_unload()
    assert merged.state_dict().keys() == net.state_dict().keys()
    assert apart(run(merged, given), found) < 1e-4


@pytest.mark.parametrize("path", ALL)
def test_weights_of_eight_bits(path: Path) -> None:
    net, given = example(path)
    narrow = any(isinstance(each, nn.Linear) and each.in_features == 1 for each in net.modules())
    if narrow or path.stem in SUPPLIED:
        return  # torchao takes no map of one number
    wanted = run(net, given)
    quantize_(net, Int8WeightOnlyConfig())
    assert apart(run(net, given), wanted) < 0.1

"""Group norms of one value for each group: torch's own class refuses them, and is used wherever none can come."""

from __future__ import annotations

import pytest
import torch

import ogive

TEXT = """
use std.nn (GroupNorm, InstanceNorm, Linear)
block Net[c, groups](x: [b, c, h, w]) -> [b, c, h, w]:
    return x |> GroupNorm[groups, c] |> InstanceNorm
model Lone = Net[c=4, groups=4]
model Wide = Net[c=4, groups=2]
"""


@pytest.mark.parametrize("name", ["Lone", "Wide"])
@pytest.mark.parametrize("training", [True, False])
def test_one_value_for_each_group(name: str, training: bool) -> None:
    net = ogive.source(TEXT).models[name].torch().double().train(training)
    with torch.no_grad():
        for weight in net.parameters():
            weight.copy_(torch.randn_like(weight))
    x = torch.randn(1, 4, 1, 1, dtype=torch.double, requires_grad=True)
    assert torch.equal(net(x), torch.zeros_like(x))  # each channel is its own mean
    assert torch.autograd.gradcheck(net, (torch.randn(2, 4, 2, 3, dtype=torch.double, requires_grad=True),))


@pytest.mark.parametrize("name", ["Alone", "Wide"])
def test_the_values_are_those_of_the_formula(name: str) -> None:
    text = TEXT.replace(" |> InstanceNorm", "") + "model Alone = Net[c=4, groups=4]\n"
    net = ogive.source(text).models[name].torch().double()
    x = torch.randn(2, 4, 3, 2, dtype=torch.double)
    with torch.no_grad():
        weight, bias = (each.copy_(torch.randn_like(each)) for each in net.parameters())
    parts = x.reshape(2, 2 if name == "Wide" else 4, -1)
    y = (parts - parts.mean(-1, keepdim=True)) / (parts.var(-1, unbiased=False, keepdim=True) + 1e-5).sqrt()
    wanted = y.reshape(x.shape) * weight[:, None, None] + bias[:, None, None]
    torch.testing.assert_close(net(x), wanted, rtol=1e-12, atol=1e-12)


def test_the_layer_is_that_of_torch_where_groups_have_more() -> None:
    program = ogive.source(TEXT)
    assert "nn.GroupNorm(groups, c)" in program.models["Wide"].torch_source()
    lone = program.models["Lone"]
    assert "SmallGroupNorm(groups, c)" in lone.torch_source()
    assert lone.torch().state_dict().keys() == program.models["Wide"].torch().state_dict().keys()

"""Passes to smaller networks that lose something, or nothing: merged features, dropped layers, shrunk widths, and what
lies between two sets of weights.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

import ogive
from analysis.test_groups import model_of, small, stirred
from deploy.test_prune import LOOP
from ogive.compiler.ir_tools.verify import verify

NORMED = (
    "use std.nn (BatchNorm, Linear)\n\nblock Net(x: [b, 3]) -> [b, 2]:\n"
    "    return x |> Linear[3, 8] as up |> BatchNorm as norm |> tanh |> Linear[8, 2] as down\n\nmodel M = Net\n"
)


@torch.no_grad()
def planted(net: Any, pairs: list[tuple[int, int]]) -> None:
    """Channels of the layer between that are given as others are, and read as they were."""
    for a, b in pairs:
        for weight in (net.up.weight, net.up.bias, net.norm.weight, net.norm.bias):
            weight[b] = weight[a]
        for state in (net.norm.running_mean, net.norm.running_var):
            state[b] = state[a]


def test_equal_channels_vanish_and_nothing_changes() -> None:
    """Behind batch norm and tanh, where sums of what gives them would be off by √2 and more."""
    model = ogive.source(NORMED).models["M"]
    net: Any = stirred(model)
    planted(net, [(0, 3), (0, 5), (2, 6)])
    made = model.deploy("merge_features", weights=net)
    verify(made.ir)
    assert made.weights["up.weight"] == (5, 3)
    deviation = made.verify(net, b=4)
    assert deviation.exact
    assert not deviation.lossy
    found, state = made.convert(net.double(), dtype=None), net.state_dict()
    assert torch.allclose(found["down.weight"][:, 0], state["down.weight"][:, [0, 3, 5]].sum(1))
    assert torch.allclose(found["norm.running_var"], state["norm.running_var"][[0, 1, 2, 4, 7]])


def test_near_channels_merge_by_the_closest_and_the_loss_is_told() -> None:
    model = ogive.source(NORMED).models["M"]
    net: Any = stirred(model)
    planted(net, [(0, 3)])
    with torch.no_grad():
        net.up.weight[3] += 1e-3
    with pytest.raises(ogive.ArchError, match="nothing of M is merged"):
        model.deploy("merge_features", weights=net)
    made = model.deploy("merge_features[beta=1e-3, tolerance=0.01]", weights=net)
    assert made.weights["up.weight"] == (7, 3)
    deviation = made.verify(net, b=4)
    assert deviation.lossy == "merge_features"
    assert deviation.within
    assert 0 < deviation.relative < 0.01


def test_iterations_merge_as_many_each_its_own() -> None:
    model = small(LOOP)
    net: Any = stirred(model)
    with torch.no_grad():
        for turn, (a, b) in enumerate([(0, 1), (2, 7), (4, 5)]):
            net.h[turn].up.weight[b] = net.h[turn].up.weight[a]
            net.h[turn].up.bias[b] = net.h[turn].up.bias[a]
    made = model.deploy('merge_features[of="h.*.up.*"]', weights=net)
    assert made.weights["h.2.up.weight"] == (7, 4)
    assert made.verify(net.float(), b=4).exact


def test_fresh_transformers_have_no_equal_features_but_after_decoalesce() -> None:
    model = model_of("vit")
    net = stirred(model)
    large = model.deploy('decoalesce[of="*.mlp.fc1.*"]')
    assert large.parameters > model.parameters
    both = large.deploy('merge_features[of="*.mlp.fc1.*"]', weights=large.convert(net))
    assert both.parameters == model.parameters


def test_dropped_layers_are_gone() -> None:
    model = small(LOOP)
    net: Any = stirred(model)
    made = model.deploy("drop_layers[at=h, layers=[1]]")
    verify(made.ir)
    found, state = made.convert(net, dtype=None), net.state_dict()
    assert torch.equal(found["h.1.up.weight"], state["h.2.up.weight"].double())
    assert "h.2.up.weight" not in found
    x = torch.randn(4, 3, dtype=torch.double)
    module = made.torch(dtype="f64")
    module.load_state_dict(found)
    net = net.double()
    with torch.no_grad():
        y = net.stem(x)
        for turn in (0, 2):
            y = y + net.h[turn].down(torch.nn.functional.silu(net.h[turn].up(y)))
        assert torch.allclose(module(x), net.head(y))
    assert made.verify(net, b=2).lossy == "drop_layers"
    gpt2 = model_of("gpt2")
    assert gpt2.deploy("drop_layers[at=h, layers=[0]]").parameters < gpt2.parameters


@pytest.mark.parametrize("name", ["vit", "resnet", "gpt2"])
def test_shrunk_networks_have_the_first_channels(name: str) -> None:
    model = model_of(name)
    net = stirred(model)
    made = model.deploy("shrink[factor=0.5]")
    verify(made.ir)
    assert made.parameters < 0.5 * model.parameters
    state = made.convert(net)
    module = made.torch()
    module.load_state_dict(state)
    before = net.state_dict()
    for path, each in state.items():
        if before[path].dim() == 1 and each.is_floating_point() and "qkv" not in path and "c_attn" not in path:
            assert torch.equal(each, before[path][: len(each)].to(each.dtype)), path


def test_weights_between_two(tmp_path: Path) -> None:
    """As after a cycle down and up again: copies that were equal are no longer."""
    model = small(LOOP)
    before, net = stirred(model).float(), stirred(model).float()
    save_file(before.state_dict(), tmp_path / "before.safetensors")
    call = f'decoalesce, coalesce, interpolate[other="{tmp_path / "before.safetensors"}", alpha=0.25]'
    made = model.deploy(call, weights=net)
    found = made.convert(net, dtype=None)
    for path, each in net.state_dict().items():
        wanted = 0.25 * each.double() + 0.75 * before.state_dict()[path].double()
        assert torch.allclose(found[path], wanted, atol=1e-12), path


@pytest.mark.parametrize(
    ("call", "code", "said"),
    [
        ("merge_features[beta=2]", "E0810", "`beta` is a share"),
        ("shrink[factor=1]", "E0810", "`factor` of `shrink` is a share"),
        ("shrink[of=nothing]", "E0811", "no channels are those of `nothing`"),
        ("drop_layers[at=g, layers=[0]]", "E0810", "there are: h"),
        ("drop_layers[at=h, layers=[3]]", "E0810", "`layers` are some of 0 to 2"),
        ("drop_layers[at=h, layers=[-1]]", "E0810", "`layers` are some of 0 to 2"),
        ("drop_layers[at=h, layers=[0, 1, 2]]", "E0810", "one is left at least"),
        ('interpolate[other="nowhere"]', "E0810", "is no file of safetensors"),
        ('interpolate[other="nowhere", alpha=3]', "E0810", "`alpha` is a share"),
    ],
)
def test_refusals(call: str, code: str, said: str) -> None:
    model = small(LOOP)
    with pytest.raises(ogive.ArchError) as caught:
        model.deploy(call, weights=model.torch())
    assert caught.value.diagnostics[0].code == code
    assert said in str(caught.value)


def test_bodies_of_which_nothing_is_known_keep_their_weights() -> None:
    """What is read inside of a derivative stays as it is, and so does what it meets."""
    text = (
        "use std.nn (Linear)\n\nblock Inner(x: [b, 4], s: [b, 6]) -> []:\n"
        "    return sum((x |> Linear[4, 6] as map) * s)\n\n"
        "block Net(x: [b, 4]) -> [b, 4]:\n    s = x |> Linear[4, 6] as other\n    f = Inner\n"
        "    y = grad[f](x, s)\n    return y |> Linear[4, 8] as up |> relu |> Linear[8, 4] as down\n\nmodel M = Net\n"
    )
    model = ogive.source(text).models["M"]
    net = stirred(model).float()
    for call in ("shrink", "coalesce", "decoalesce", "prune", 'mask[pattern="channel"]'):
        made = model.deploy(call, weights=net)
        verify(made.ir)
        assert [shape for path, shape in made.weights.items() if path.endswith("map.weight")] == [(6, 4)], call
        deviation = made.verify(net, b=3)
        assert deviation.exact or deviation.lossy == "shrink", (call, str(deviation))


def test_places_that_are_equal_to_factors_are_no_factors() -> None:
    """Channels 0 and 1 are taken where others are multiplied by 0.0 and 1.0."""
    layers = "Linear[6, 8] as a |> relu |> Linear[8, 8] as c |> relu |> Linear[8, 3] as d"
    text = f"use std.nn (Linear)\n\nblock Net(x: [b, 6]) -> [b, 3]:\n    return x |> {layers}\n\nmodel M = Net\n"
    source = ogive.source(text).models["M"]
    for seed in range(12):
        torch.manual_seed(seed)
        made = source.deploy("merge_features[beta=0.5]", weights=source.torch())
        assert made.parameters < source.parameters

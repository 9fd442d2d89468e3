"""`groups`: coupled channels against zeros in their place, against Torch-Pruning, and by hand."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import ogive
from analysis.measured import EXAMPLES, drawn, sizes_of
from ogive.backends.pytorch.module.module import build
from ogive.backends.weight_conversion.run import convert
from ogive.compiler.analysis.frame.result import AnalysisResult
from ogive.compiler.analysis.groups.coupled import CoupledGroup, coupled
from ogive.compiler.analysis.provenance.domain import Provenance, provenance
from ogive.compiler.ir.weights import weights
from ogive.compiler.passes.cleanup.deploy_flatten import flattened
from ogive.compiler.passes.pruning.remove import Removal, masked, shortened
from sampled import sampled

FOLDER = EXAMPLES[0].parent
SIX = ("resnet", "mobilenet_v2", "vit", "convnext", "swin", "unet")


def model_of(name: str) -> ogive.Model:
    return ogive.load(FOLDER / f"{name}.arch").models["Tiny"]


def groups_of(model: ogive.Model) -> tuple[Provenance, tuple[CoupledGroup, ...]]:
    found = provenance(flattened(model.ir, trained=True)[0])
    return found, coupled(found)


def stirred(model: ogive.Model) -> nn.Module:
    """A module none of whose weights is 0, where fresh ones may be."""
    torch.manual_seed(0)
    net = model.torch().double().eval()
    for name, each in [*net.named_parameters(), *net.named_buffers()]:
        if each.is_floating_point():
            each.data.add_((torch.rand_like(each) if "var" in name else torch.randn_like(each)) * 0.1)
    return net


def inputs_of(model: ogive.Model) -> list[Tensor]:
    at = next(sizes_of(model.ir, (2, 8, 64, 16, 1, 128)))
    return [each.double() if each.is_floating_point() else each for each in drawn(model.ir, at)]


def run(net: nn.Module, inputs: list[Tensor]) -> Tensor:
    with torch.no_grad():
        found = net(*inputs)
    return found if isinstance(found, Tensor) else found[0]


def without(model: ogive.Model, found: Provenance, group: CoupledGroup) -> tuple[Removal, Any]:
    """One channel taken away: in each iteration of its loop another."""
    count = group.channels.number
    turns = next(info.count for info in weights(model.ir) if info.path == group.places[0].path) if group.loop else 1
    kept = tuple(tuple(at for at in range(count) if at != turn % count) for turn in range(turns))
    removal = Removal(found, {group.leaf.found: kept})
    return removal, removal.model(model.name)


def taken_away(name: str, some: slice) -> None:
    """With 0 in the place of one channel the outputs are those without it, to 1e-10; where something sees the zeros,
    they are not.
    """
    model = model_of(name)
    found, groups = groups_of(model)
    net, inputs = stirred(model), inputs_of(model)
    whole = run(net, inputs)
    tried = [group for group in groups if group.prunable != "no"][some]
    moved = 0
    for group in tried:
        removal, result = without(model, found, group)
        shorter = build(result).double().eval()
        shorter.load_state_dict(convert(shortened(model.ir, result, removal), net.state_dict(), None))
        zeroed = model.torch().double().eval()
        zeroed.load_state_dict(convert(masked(model.ir, removal), net.state_dict(), None))
        expected, got = run(zeroed, inputs), run(shorter, inputs)
        if group.prunable == "yes":
            torch.testing.assert_close(got, expected, rtol=1e-10, atol=1e-10)
        else:
            assert not torch.allclose(got, expected, rtol=1e-6, atol=1e-9), group.name
        moved += not torch.allclose(expected, whole, rtol=1e-6, atol=1e-9)
    assert moved > len(tried) / 2  # channels mean something


@pytest.mark.parametrize("name", SIX)
def test_zeros_may_be_taken_away(name: str) -> None:
    taken_away(name, slice(0, None, 5))


@pytest.mark.slow
@pytest.mark.parametrize("name", SIX)
def test_zeros_of_every_group_may_be_taken_away(name: str) -> None:
    taken_away(name, slice(None))


# where Torch-Pruning has no answer to compare with
HEADS = "it knows no heads: of `(t h e)` it takes one entry of each of the three"
WINDOWS = "it traces windows and patches as strides, and finds whole ranges"
NOT_COMPARED = {"vit": {"qkv": HEADS}, "swin": {"qkv": WINDOWS, "*": WINDOWS}}


@pytest.mark.parametrize("name", SIX)
def test_groups_are_those_of_torch_pruning(name: str) -> None:
    """Channel 0 of every layer: the same entries of the same axes of the same weights."""
    pruning = pytest.importorskip("torch_pruning")
    model = model_of(name)
    net = model.torch().eval()
    inputs = drawn(model.ir, next(sizes_of(model.ir, (2, 8, 64, 16, 1, 128))))
    graph = pruning.DependencyGraph().build_dependency(net, example_inputs=tuple(inputs))
    _, groups = groups_of(model)
    compared = 0
    for path, layer in net.named_modules():
        if not isinstance(layer, nn.Conv2d | nn.Linear | nn.ConvTranspose2d) or getattr(layer, "groups", 1) > 1:
            continue
        axis = 1 if isinstance(layer, nn.ConvTranspose2d) else 0
        mine = _ours(groups, f"{path}.weight", axis)
        whole = any("downsample" in other for other, _ in mine) or "attn" in path
        if path.rpartition(".")[2] in NOT_COMPARED.get(name, {}) or (name == "swin" and whole):
            continue
        function = (
            pruning.prune_linear_out_channels if isinstance(layer, nn.Linear) else pruning.prune_conv_out_channels
        )
        theirs = _theirs(graph.get_pruning_group(layer, function, idxs=[0]), net)
        assert {(_starred(p), a): i for (p, a), i in theirs.items()} == {
            (_starred(p), a): i for (p, a), i in mine.items()
        }
        compared += 1
    assert compared >= 4


def _starred(path: str) -> str:
    return re.sub(r"(?<=\.)\d+(?=\.|$)", "*", path)


def _ours(groups: tuple[CoupledGroup, ...], path: str, axis: int) -> dict[tuple[str, int], set[int]]:
    """The weights of the modules in the group of channel 0 of a layer, where it has one."""
    wanted = {path, _starred(path)}
    for group in groups:
        if any(p.path in wanted and p.axis == axis and 0 in p.index.indices(0) for p in group.places):
            found: dict[tuple[str, int], set[int]] = {}
            for place in group.places:
                if place.path.endswith(".weight"):
                    found.setdefault((place.path, place.axis), set()).update(place.index.indices(0))
            return found
    return {}


def _theirs(group: Any, net: nn.Module) -> dict[tuple[str, int], set[int]]:
    names = {module: path for path, module in net.named_modules()}
    found: dict[tuple[str, int], set[int]] = {}
    for item in group:
        target, into = item.dep.target.module, "in_channels" in item.dep.handler.__name__
        if isinstance(target, nn.Parameter) or target not in names:
            continue  # parameters that stand alone, which it is told the axes of
        axis = int(into and getattr(target, "groups", 1) == 1)
        axis = 1 - axis if isinstance(target, nn.ConvTranspose2d) else axis
        if isinstance(target, nn.Conv2d | nn.Linear | nn.ConvTranspose2d | nn.BatchNorm2d | nn.LayerNorm):
            found.setdefault((f"{names[target]}.weight", axis), set()).update(item.idxs)
    return found


PROGRAMS = {
    # a block of two maps beside the identity: the stream, and what is between
    "a residual block": (
        "    x = x |> Linear[3, 4] as stem\n"
        "    y = x |> Linear[4, 6] as up |> relu |> Linear[6, 4] as down\n"
        "    return (x + y) |> Linear[4, 2] as head\n",
        {"stem.weight[0]": {("stem.weight", 0), ("stem.bias", 0), ("up.weight", 1), ("down.weight", 0),
                            ("down.bias", 0), ("head.weight", 1)},
         "up.weight[0]": {("up.weight", 0), ("up.bias", 0), ("down.weight", 1)}},
    ),
    "one map twice": (
        "    f = Linear[4, 4]\n    x = x |> Linear[3, 4] as stem\n    return f(relu(f(x))) |> Linear[4, 2] as head\n",
        {"f.weight[0]": {("stem.weight", 0), ("stem.bias", 0), ("f.weight", 0), ("f.weight", 1), ("f.bias", 0),
                         ("head.weight", 1)}},
    ),
    "a sigmoid": (
        "    return x |> Linear[3, 4] as stem |> sigmoid |> Linear[4, 2] as head\n",
        {"stem.weight[0]": {("stem.weight", 0), ("stem.bias", 0), ("head.weight", 1)}},
    ),
    "a loop": (
        "    x = x |> Linear[3, 4] as stem\n    repeat 3 as h:\n"
        "        x = x + (x |> Linear[4, 6] as up |> silu |> Linear[6, 4] as down)\n"
        "    return x |> Linear[4, 2] as head\n",
        {"stem.weight[0]": {("stem.weight", 0), ("stem.bias", 0), ("h.*.up.weight", 1), ("h.*.down.weight", 0),
                            ("h.*.down.bias", 0), ("head.weight", 1)},
         "h.*.up.weight[0]": {("h.*.up.weight", 0), ("h.*.up.bias", 0), ("h.*.down.weight", 1)}},
    ),
}  # fmt: skip


def small(body: str) -> ogive.Model:
    return ogive.source(
        f"use std.nn (Linear, LayerNorm)\n\nblock Net(x: [b, 3]) -> [b, 2]:\n{body}\nmodel M = Net\n"
    ).models["M"]


@pytest.mark.parametrize("name", PROGRAMS)
def test_groups_by_hand(name: str) -> None:
    body, expected = PROGRAMS[name]
    _, groups = groups_of(small(body))
    found = {g.name: {(p.path, p.axis) for p in g.places} for g in groups if g.prunable == "yes"}
    assert found == expected


def test_each_iteration_of_a_loop_has_channels_of_its_own_unless_they_are_carried() -> None:
    _, groups = groups_of(small(PROGRAMS["a loop"][0]))
    assert {group.name: group.loop for group in groups if group.prunable == "yes"} == {
        "stem.weight[0]": "", "h.*.up.weight[0]": "h",
    }  # fmt: skip


REFUSED = {
    "softmax": ("    return x |> Linear[3, 4] as a |> softmax[-1] |> Linear[4, 2] as h\n", "changes", "`softmax` sees"),
    "a norm": ("    return x |> Linear[3, 4] as a |> LayerNorm as n |> Linear[4, 2] as h\n", "changes", "`layer_norm`"),
    "a mean": ("    y = x |> Linear[3, 4] as a\n    return (y - mean[-1, keepdim=true](y)) |> Linear[4, 2] as h\n",
               "changes", "sees all of its entries together"),
    "an order": ("    return cumsum[-1](x |> Linear[3, 4] as a) |> Linear[4, 2] as h\n", "no", "goes along it"),
    "a quotient": ("    y = x |> Linear[3, 4] as a\n    return (y / (y * y)) |> Linear[4, 2] as h\n", "changes",
                   "divides by what is 0 there"),
    "exponentials": ("    y = x |> Linear[3, 4] as a\n    return expand[\"b -> b c\", c=2](sum[-1](exp(y)))\n",
                     "changes", "sums over what is not 0 there"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_may_not_be_pruned_and_why(name: str) -> None:
    body, prunable, why = REFUSED[name]
    result = small(body).analyze("groups")
    assert isinstance(result, AnalysisResult)
    (row,) = [row for row in result.rows if row.path == "a.weight[0]"]
    assert row.fields["prunable"] == prunable
    assert why in str(row.fields["why"])


def test_flattening_makes_runs_of_entries() -> None:
    """Four channels at four positions: channel 1 is columns 4 to 7."""
    model = ogive.source(
        "use std.nn (Linear)\nuse std.vision (Conv)\n\nblock Net(x: [b, 3, 2, 2]) -> [b, 2]:\n"
        '    y = x |> Conv[3, 4, 1] as conv |> rearrange["b c h w -> b (c h w)"]\n'
        "    return y |> Linear[16, 2] as head\n\nmodel M = Net\n"
    ).models["M"]
    _, groups = groups_of(model)
    (group,) = [each for each in groups if each.prunable == "yes"]
    (place,) = [each for each in group.places if each.path == "head.weight"]
    assert place.index.indices(1) == [4, 5, 6, 7]


@pytest.mark.parametrize("path", sampled(p for p in EXAMPLES if p.stem not in SIX), ids=lambda path: path.stem)
def test_every_example_has_groups_or_says_what_it_does_not_know(path: Path) -> None:
    model = ogive.load(path).models["Tiny"]
    result = model.analyze("groups")
    assert isinstance(result, AnalysisResult)
    assert result.rows or result.unknown
    for row in result.rows:
        assert (row.fields["prunable"] == "yes") == (not row.fields["reasons"])

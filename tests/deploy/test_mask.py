"""`mask`: entries of weights are 0 in a pattern; the result is the source with zeros, and costs what is left."""

from __future__ import annotations

from math import prod
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import ogive
from analysis.measured import sizes_of
from analysis.test_groups import model_of, small, stirred
from deploy.test_quantize import square
from ogive.compiler.analysis.cost.report import multiply_adds
from ogive.compiler.analysis.frame.result import AnalysisResult
from ogive.compiler.ir_text.printer import text
from ogive.compiler.ir_tools.verify import verify
from ogive.compiler.passes.pruning.mask import erk
from ogive.model import DeployedModel
from sampled import sampled

EIGHT = "    return x |> Linear[3, 8] as up |> relu |> Linear[8, 8] as mid |> relu |> Linear[8, 4] as down\n"
LOOP = (
    "    x = x |> Linear[3, 8] as stem\n    repeat 3 as h:\n"
    "        x = x + (x |> Linear[8, 8] as up |> silu |> Linear[8, 8] as down)\n    return x |> Linear[8, 4] as head\n"
)


def masked(model: ogive.Model, net: nn.Module, call: str) -> DeployedModel:
    made = model.deploy(call)
    verify(made.ir)
    at = next(sizes_of(model.ir, (2, 8, 64, 16, 1, 128)))
    deviation = made.verify(net.float(), **{unknown.name: number for unknown, number in at.items()})
    assert deviation.exact, str(deviation)
    assert deviation.absolute <= 1e-10
    return made


@pytest.mark.parametrize("call", ["mask[density=0.3, distribution=erk]", "mask[pattern=channel, dynamic=true]"])
@pytest.mark.parametrize("name", sampled(["vit", "resnet", "gpt2", "mobilenet_v2", "swin", "unet", "moe"], 3))
def test_the_result_is_the_source_with_zeros(name: str, call: str) -> None:
    model = model_of(name)
    made = masked(model, stirred(model), call)
    ahead, before = (multiply_adds(each.ir) for each in (made, model))
    at = {**next(sizes_of(model.ir, (2, 8, 64, 16, 1, 128))), **dict(model.ir.bindings), **dict(made.ir.bindings)}
    assert ahead.at(at) < before.at(at)


@pytest.mark.parametrize("dynamic", ["false", "true"])
@pytest.mark.parametrize(
    ("pattern", "density"), [("unstructured", 0.3), ("n_m", 0.5), ("n_m", 0.25), ("block", 0.5), ("channel", 0.25)]
)
def test_patterns_keep_what_has_most(pattern: str, density: float, dynamic: str) -> None:
    """By numpy's order, of the weight between eight and eight."""
    model = square(EIGHT, 4)
    net: Any = stirred(model)
    made = masked(model, net, f'mask[pattern="{pattern}", density={density}, dynamic={dynamic}, keep=[up, down]]')
    w = net.double().mid.weight.detach()
    wanted = torch.zeros(8, 8, dtype=torch.bool)
    match pattern:
        case "unstructured":
            wanted.view(-1)[w.abs().flatten().topk(19).indices] = True
        case "n_m":
            runs = w.abs().reshape(16, 4)
            wanted = torch.zeros(16, 4).scatter(1, runs.topk(round(4 * density), 1).indices, 1.0).bool().reshape(8, 8)
        case "block":
            energy = w.square().reshape(2, 4, 2, 4).sum((1, 3)).flatten()
            kept = torch.zeros(4).index_fill(0, energy.topk(2).indices, 1.0).bool().reshape(2, 1, 2, 1)
            wanted = kept.expand(2, 4, 2, 4).reshape(8, 8)
        case "channel":
            wanted[w.norm(dim=1).topk(2).indices] = True
    module = made.torch(dtype="f64")
    module.load_state_dict(made.convert(net, dtype=None))
    if dynamic == "false":
        assert torch.equal(made.convert(net)["mid.weight_mask"].bool(), wanted)
    with torch.no_grad():
        net.mid.weight *= wanted
        x = torch.randn(6, 3, dtype=torch.double)
        assert torch.allclose(module(x), net(x), atol=1e-12)


def test_what_is_masked_gets_no_gradient_but_where_the_mask_is_dynamic() -> None:
    model = square(EIGHT.replace("relu", "tanh"), 4)
    net = model.torch()
    for dynamic in (False, True):
        made = model.deploy(f"mask[density=0.25, dynamic={str(dynamic).lower()}, keep=[up, down]]")
        module: Any = made.torch()
        module.load_state_dict(made.convert(net))
        torch.autograd.backward(module(torch.randn(40, 3)).square().sum())
        zero = float((module.mid.weight.grad == 0).float().mean())
        assert zero == (0 if dynamic else 0.75)


def test_dynamic_masks_follow_the_weights() -> None:
    model = square(EIGHT, 4)
    made = model.deploy("mask[density=0.125, dynamic=true, keep=[up, down]]")
    module: Any = made.torch()
    x = torch.randn(5, 3)
    with torch.no_grad():
        module.mid.weight.zero_()
        module.mid.weight[0, :] = 1.0
        first = module(x)
        module.mid.weight[:, 0] = 2.0
        assert not torch.allclose(first, module(x))


@pytest.mark.parametrize("distribution", ["uniform", "erk"])
@pytest.mark.parametrize("density", [0.1, 0.35, 0.9])
def test_shares_add_up_to_the_budget(distribution: str, density: float) -> None:
    """Σ density · entries is the share of all, to one entry; the cost counts those that are left."""
    model = square(LOOP, 4)
    made = model.deploy(f"mask[density={density}, distribution={distribution}]")
    state = made.convert(stirred(model).float())
    masks = {path: each for path, each in state.items() if path.endswith("_mask")}
    total, left = (sum(int(number) for number in each) for each in (
        [each.numel() for each in masks.values()], [each.sum() for each in masks.values()]
    ))  # fmt: skip
    assert total == 3 * 8 + 3 * 2 * 64 + 8 * 4
    assert abs(left - density * total) <= 3
    found = made.analyze("cost", sizes={"b": 1})
    assert isinstance(found, AnalysisResult)
    assert found.number(found.totals["multiply_adds"]) == left


def test_erk_is_in_proportion_to_the_axes_and_at_most_all() -> None:
    shapes = {"a": (64, 32, 3, 3), "b": (8, 16), "c": (4, 2)}
    shares = erk(shapes, {"a": 1, "b": 2, "c": 1}, 0.3)
    assert shares["c"] == 1.0
    ratio = (sum(shapes["a"]) / prod(shapes["a"])) / (sum(shapes["b"]) / prod(shapes["b"]))
    assert shares["b"] == 1.0 or shares["a"] / shares["b"] == pytest.approx(ratio)
    many = {"a": 1, "b": 2, "c": 1}
    sizes = {path: prod(shape) * many[path] for path, shape in shapes.items()}
    assert sum(shares[path] * sizes[path] for path in shapes) == pytest.approx(0.3 * sum(sizes.values()))


def test_each_iteration_has_a_mask_of_its_own() -> None:
    model = square(LOOP, 4)
    net = stirred(model)
    made = masked(model, net, "mask[density=0.5]")
    state: dict[str, Tensor] = made.convert(net)
    masks = [state[f"h.{turn}.up.weight_mask"] for turn in range(3)]
    assert all(int(each.sum()) == 32 for each in masks)
    assert not torch.equal(masks[0], masks[1])


def test_the_text_of_a_graph_says_how_many_entries_count() -> None:
    made = square(EIGHT, 4).deploy("mask[density=0.25]")
    assert "nonzero 16" in text(made.ir)


@pytest.mark.parametrize(
    ("call", "code", "said"),
    [
        ("mask[pattern=blocks]", "E0810", "did you mean `block`?"),
        ("mask[distribution=er]", "E0810", "did you mean `erk`?"),
        ("mask[density=0]", "E0810", "`density` is a share above 0"),
        ("mask[pattern=n_m, density=0.3]", "E0810", "a whole number is asked"),
        ("mask[pattern=n_m, distribution=erk]", "E0810", "`distribution=uniform`"),
        ('mask[pattern="block"]', "E0811", "3 inputs are no squares of 4"),
        ('mask[keep="*"]', "E0811", "`keep` names it"),
    ],
)
def test_refusals(call: str, code: str, said: str) -> None:
    model = small("    return x |> Linear[3, 8] as up |> relu |> Linear[8, 2] as down\n")
    with pytest.raises(ogive.ArchError) as caught:
        model.deploy(call)
    assert caught.value.diagnostics[0].code == code
    assert said in str(caught.value)

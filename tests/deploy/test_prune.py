"""`prune`: the weakest channels go, and what is left computes what the source does with 0 in their place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from torch import nn

import ogive
from analysis.measured import EXAMPLES, drawn, sizes_of
from analysis.test_groups import model_of, small, stirred
from ogive.cli import cli
from ogive.compiler.analysis.cost.report import multiply_adds
from ogive.compiler.analysis.frame.result import AnalysisResult
from ogive.compiler.ir_tools.open_sizes import open_sizes
from ogive.compiler.ir_tools.verify import verify
from ogive.model import DeployedModel

TWO = "    return x |> Linear[3, 8] as up |> relu |> Linear[8, 2] as down\n"
LOOP = (
    "    x = x |> Linear[3, 4] as stem\n    repeat 3 as h:\n"
    "        x = x + (x |> Linear[4, 8] as up |> silu |> Linear[8, 4] as down)\n    return x |> Linear[4, 2] as head\n"
)


def verified(model: ogive.Model, net: nn.Module, *passes: str) -> DeployedModel:
    """The model after passes, which computes what its reference does."""
    made = model.deploy(*passes, weights=net)
    verify(made.ir)
    at = next(sizes_of(model.ir, (2, 8, 64, 16, 1, 128)))
    deviation = made.verify(net.float(), **{unknown.name: number for unknown, number in at.items()})
    assert deviation.exact, str(deviation)
    assert deviation.absolute <= 1e-10
    return made


@pytest.mark.parametrize("name", ["resnet", "mobilenet_v2", "vit", "gpt2"])
@pytest.mark.parametrize("passes", [("prune[keep=0.5]",), ("prune[keep=0.6, scope=layer, round_to=2]", "fold")])
def test_what_is_left_computes_what_zeros_would(name: str, passes: tuple[str, ...]) -> None:
    model = model_of(name)
    net = stirred(model)
    made = verified(model, net, *passes)
    assert made.parameters < 0.85 * model.parameters
    at = next(sizes_of(model.ir, (2, 8, 64, 16, 1, 128)))
    sizes = {unknown.name: number for unknown, number in at.items()}
    before, after = (each.analyze("cost", sizes=sizes) for each in (model, made))
    assert isinstance(before, AnalysisResult)
    assert isinstance(after, AnalysisResult)
    name = "multiply_adds"
    assert (after.number(after.totals[name]) or 0) < (before.number(before.totals[name]) or 0)


@pytest.mark.parametrize("name", ["resnet", "vit"])
def test_what_is_left_trains_on(name: str) -> None:
    """The phase of training, its dropout and its statistics stay."""
    model = model_of(name)
    net = stirred(model).float()
    made = model.deploy("prune[keep=0.5]", weights=net)
    trained = made.torch()
    trained.load_state_dict(made.convert(net))
    inputs = drawn(model.ir, next(sizes_of(model.ir, (2, 8, 64, 16, 1, 128))))
    before = {key: each.clone() for key, each in trained.named_buffers()}
    trained.train()(*inputs).sum().backward()
    assert all(each.grad is not None for each in trained.parameters())
    if name == "resnet":
        assert not torch.equal(trained.state_dict()["bn1.running_mean"], before["bn1.running_mean"])


@pytest.mark.parametrize("name", ["resnet", "mobilenet_v2", "unet"])
def test_layers_are_as_wide_as_those_that_torch_pruning_leaves(name: str) -> None:
    """The same share of each layer: every weight has the shape that it finds."""
    pruning = pytest.importorskip("torch_pruning")
    model = model_of(name)
    net = model.torch().eval()
    made = model.deploy("prune[keep=0.5, scope=layer]", weights=net)
    inputs = drawn(model.ir, next(sizes_of(model.ir, (2, 8, 64, 16, 1, 128))))
    last = [layer for layer in net.modules() if isinstance(layer, nn.Conv2d | nn.Linear)][-1]
    importance = pruning.importance.GroupMagnitudeImportance(p=2)
    pruning.pruner.MetaPruner(net, inputs[0], importance=importance, pruning_ratio=0.5, ignored_layers=[last]).step()
    assert {key: tuple(each.shape) for key, each in net.named_parameters()} == {
        key: shape for key, shape in made.weights.items() if key in dict(net.named_parameters())
    }


def test_the_weakest_channels_go() -> None:
    model = small(TWO)
    net: Any = model.torch().double()
    with torch.no_grad():
        for each in net.parameters():
            each.fill_(1.0)
        for channel in (1, 4, 6):
            net.up.weight[channel] = 0.01
            net.down.weight[:, channel] = 0.01
    made = model.deploy("prune[keep=0.625]", weights=net)
    found, state = made.convert(net, dtype=None), net.state_dict()
    stays = [0, 2, 3, 5, 7]
    assert torch.equal(found["up.weight"], state["up.weight"][stays])
    assert torch.equal(found["up.bias"], state["up.bias"][stays])
    assert torch.equal(found["down.weight"], state["down.weight"][:, stays])
    assert torch.equal(found["down.bias"], state["down.bias"])


def test_scales_of_norms_choose() -> None:
    model = ogive.source(
        "use std.nn (Linear, BatchNorm)\n\nblock Net(x: [b, 3]) -> [b, 2]:\n"
        "    return x |> Linear[3, 6] as up |> BatchNorm as norm |> relu |> Linear[6, 2] as down\n\nmodel M = Net\n"
    ).models["M"]
    net: Any = model.torch().double().eval()
    with torch.no_grad():
        net.norm.weight.copy_(torch.tensor([3.0, -0.1, 2.0, 0.2, -4.0, 0.3]))
        net.up.weight[1] = 100.0
    made = verified(model, net, "prune[by=bn_scale, keep=0.5]")
    assert made.convert(net.double(), dtype=None)["norm.weight"].tolist() == pytest.approx([3.0, 2.0, -4.0])


@pytest.mark.parametrize(
    ("keep", "multiple", "count"), [(0.5, 1, 4), (0.3, 1, 3), (0.3, 4, 4), (0.6, 8, 8), (0.01, 1, 1)]
)
def test_layers_keep_their_share_rounded_up(keep: float, multiple: int, count: int) -> None:
    model = small(TWO)
    call = f"prune[keep={keep}, scope=layer, round_to={multiple}]"
    if count == 8:
        with pytest.raises(ogive.ArchError, match="nothing of M is pruned"):
            model.deploy(call, weights=model.torch())
        return
    made = model.deploy(call, weights=model.torch())
    assert made.weights["up.weight"] == (count, 3)


def test_iterations_of_a_loop_keep_channels_of_their_own() -> None:
    model = small(LOOP)
    net: Any = stirred(model)
    with torch.no_grad():
        for turn in range(3):
            for channel in range(8):
                if channel % 3 == turn:
                    net.h[turn].up.weight[channel] *= 0.01
                    net.h[turn].up.bias[channel] *= 0.01
                    net.h[turn].down.weight[:, channel] *= 0.01
    made = verified(model, net, "prune[keep=0.625, scope=layer]")
    found, state = made.convert(net.double(), dtype=None), net.state_dict()
    for turn in range(3):
        strong = [channel for channel in range(8) if channel % 3 != turn]
        kept, before = found[f"h.{turn}.up.bias"], state[f"h.{turn}.up.bias"]
        assert kept.shape == (5,)
        assert set(kept.tolist()) <= set(before[strong].tolist())


def test_the_emitted_conversion_is_that_of_convert(tmp_path: Path) -> None:
    model = small(LOOP)
    net = stirred(model)
    made = model.deploy("prune[keep=0.5]", weights=net)
    scope: dict[str, Any] = {"__name__": "converted"}
    exec(made.conversion_source(), scope)
    found = scope["convert"](net.state_dict())
    for key, each in made.convert(net, dtype=None).items():
        assert torch.equal(found[key], each), key


@pytest.mark.parametrize(
    ("call", "code", "said"),
    [
        ("prune[by=size]", "E0810", "`by` of `prune` is one of magnitude, bn_scale, taylor, hesso, fisher, not `size`"),
        ("prune[scope=all]", "E0810", "`scope` of `prune` is one of global, layer, scale, not `all`"),
        ("prune[by=taylor]", "E0810", "`prune` needs data: --data FILE with x, target"),
        ("prune[keep=0]", "E0810", "`keep` is a share above 0, up to 1, not 0"),
        ("prune[keep=1.5]", "E0810", "`keep` is a share above 0"),
        ("prune[round_to=0]", "E0810", "`round_to` is a number of channels from 1 on, not 0"),
        ("prune[kep=0.5]", "E0810", "did you mean `keep`?"),
        ("prune[keep=1.0]", "E0811", "8 -> 8 channels of up.weight"),
        ("prune[by=bn_scale]", "E0811", "no batch norm or group norm scales it"),
    ],
)
def test_refusals(call: str, code: str, said: str) -> None:
    model = small(TWO)
    with pytest.raises(ogive.ArchError) as caught:
        model.deploy(call, weights=model.torch())
    assert caught.value.diagnostics[0].code == code
    assert said in str(caught.value)


def test_without_weights_there_is_nothing_to_choose_by() -> None:
    with pytest.raises(ogive.ArchError, match="chooses by weights, and there are none"):
        small(TWO).deploy("prune")


def test_the_command_prunes_a_checkpoint(tmp_path: Path) -> None:
    model = model_of("resnet")
    weights = tmp_path / "tiny.safetensors"
    model.save_weights(weights, stirred(model).float())
    target, out = f"{EXAMPLES[0].parent / 'resnet.arch'}:Tiny", tmp_path / "pruned.py"
    args = ["deploy", target, "--weights", str(weights), "--pass", "prune[keep=0.5]", "--report", "-o", str(out)]
    result = CliRunner().invoke(cli, args, prog_name="ogive", catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert "-> " in result.output
    assert out.exists()
    assert out.with_suffix(".safetensors").exists()
    refused = CliRunner().invoke(cli, ["deploy", target, "--pass", "prune"], prog_name="ogive", catch_exceptions=False)
    assert refused.exit_code == 1
    assert "give them: `--weights FILE`" in refused.output


@pytest.mark.parametrize(
    ("body", "folded"),
    [
        ("    return x |> Linear[3, 8] as up |> sigmoid |> Linear[8, 2] as down\n", True),
        ("    return x |> Linear[3, 8] as up |> softplus |> cos |> Linear[8, 2] as down\n", True),
        (LOOP.replace("silu", "sigmoid"), True),
        ("    return x |> Linear[3, 8] as up |> sigmoid |> Linear[8, 2, bias=false] as down\n", False),
        ("    return x |> Linear[3, 8] as up |> tanh |> Linear[8, 2] as down\n", False),
    ],
)
def test_what_a_function_of_0_gives_goes_into_the_bias(body: str, folded: bool) -> None:
    """The source with channels whose producers alone are 0, but for readers without a bias."""
    model = small(body)
    net: Any = stirred(model)
    made = verified(model, net, "prune[keep=0.5, scope=layer]")
    assert ("channel that goes" in made.report()) == folded
    if "up" not in dict(net.named_children()) or not folded:
        return
    found, state = made.convert(net.double(), dtype=None), net.state_dict()
    kept = [int((state["up.bias"] == each).nonzero()) for each in found["up.bias"]]
    gone = [at for at in range(8) if at not in kept]
    with torch.no_grad():
        net.up.weight[gone], net.up.bias[gone] = 0.0, 0.0
        x = torch.randn(5, 3, dtype=torch.double)
        module = made.torch(dtype="f64")
        module.load_state_dict(found)
        assert torch.allclose(module(x), net(x), atol=1e-12)


@pytest.mark.parametrize("share", [0.5, 0.25])
@pytest.mark.parametrize("name", ["resnet", "vit"])
def test_multiply_adds_are_what_is_asked_and_no_fewer_than_needed(name: str, share: float) -> None:
    model = model_of(name)
    made = verified(model, stirred(model), f"prune[multiply_adds={share}]")
    at = dict.fromkeys(open_sizes(model.ir), 224) | dict(model.ir.bindings)
    part = multiply_adds(made.ir).at({**at, **dict(made.ir.bindings)}) / multiply_adds(model.ir).at(at)
    assert 0.6 * share < part <= share


def test_shares_that_cannot_be_met_are_refused() -> None:
    model = model_of("vit")
    net = stirred(model)
    with pytest.raises(ogive.ArchError, match="one channel in each group"):
        model.deploy("prune[multiply_adds=0.001]", weights=net)
    with pytest.raises(ogive.ArchError, match="not both"):
        model.deploy("prune[multiply_adds=0.5, keep=0.5]", weights=net)
    with pytest.raises(ogive.ArchError, match="above 0, up to 1"):
        model.deploy("prune[multiply_adds=0]", weights=net)


@pytest.mark.parametrize("passes", ["shrink", "prune", "coalesce", "mask", "widen", "deepen", "subspace[d=4]"])
def test_what_trains_on_keeps_its_probes(passes: str) -> None:
    """Each pass whose result is trained: taps stand where they stood."""
    model = small("    y = x |> Linear[3, 8] as up |> relu\n    tap hidden = y\n    return y |> Linear[8, 2] as down\n")
    made = model.deploy(passes, weights=model.torch())
    assert [node.path for node in made.ir.definition.graph.walk() if node.op == "tap"] == ["hidden"]

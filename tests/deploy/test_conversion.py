"""Conversions: passes after one another are one graph, which prints, is emitted, and says what it needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file, save_file
from torch import Tensor

import ogive
from deploy.folding import randomized
from ogive.api import Model
from ogive.cli import cli
from ogive.compiler.ir.attributes import WeightAttrs
from ogive.compiler.ir.model import Const, Graph, Node, Value
from ogive.compiler.ir.types import Axis, TensorType
from ogive.compiler.ir_tools.verify import verify
from ogive.compiler.passes.conversion.text import lines
from ogive.compiler.sizes import Unknown, size
from ogive.grammar.diagnostics import ArchError
from ogive.model import DeployedModel

TEXT = """use std.nn (LayerNorm, Linear)

block MLP[d](x: [*b, d]) -> [*b, d]:
    return x |> Linear[d, 2*d] as up |> relu |> Linear[2*d, d] as down

block Tower[d, depth](x: [b, n, d]) -> [b, n, d]:
    repeat depth as h:
        repeat 2 as inner:
            x = x + (x |> LayerNorm[d] as norm |> MLP[d] as mlp)
    return x |> LayerNorm as last |> Linear[d, d, bias=false] as head

model M = Tower[d=4, depth=3]

recipe train for M: expert_average[at=MLP, experts=2]
recipe deploy for M: specialize[b=2], simplify, fold
"""
TEXTS = {
    "expert_average[at=MLP, experts=2], fold": """\
einsum.2: [3, 8, 4], add.1: [3, 8], v.8: [3, 4, 8], v.9: [3, 4] = repeat 3 as h:
    expand.0: [2, 8, 4] = expand[a0 a1 -> e a0 a1](h.*.mlp.up.weight)
    expand.1: [2, 8] = expand[a0 -> e a0](h.*.mlp.up.bias)
    expand.2: [2, 4, 8] = expand[a0 a1 -> e a0 a1](h.*.mlp.down.weight)
    expand.3: [2, 4] = expand[a0 -> e a0](h.*.mlp.down.bias)
    v.1: [8, 4] = mean[axes=(0)](expand.0)
    v.3: [8] = mean[axes=(0)](expand.1)
    v.5: [4, 8] = mean[axes=(0)](expand.2)
    v.7: [4] = mean[axes=(0)](expand.3)
    rearrange.0: [1, 8, 4] = rearrange[(g o) i -> g o i](v.1)
    rearrange.1: [1, 4] = rearrange[(g i) -> g i](h.*.norm.bias)
    einsum.0: [1, 8] = einsum[g o i, g i -> g o](rearrange.0, rearrange.1)
    rearrange.2: [8] = rearrange[g o -> (g o)](einsum.0)
    add.0: [8] = add(v.3, rearrange.2)
    einsum.1: [8, 4] = einsum[o i, i -> o i](v.1, h.*.norm.weight)
    yield einsum.1, add.0, v.5, v.7
h.*.mlp.up.weight := einsum.2
h.*.mlp.up.bias := add.1
h.*.mlp.down.weight := v.8
h.*.mlp.down.bias := v.9""",
    "fold": """\
add.0: [4] = add(n.running_var, 1e-05)
rsqrt.0: [4] = rsqrt(add.0)
mul.0: [4] = mul(n.weight, rsqrt.0)
mul.1: [4] = mul(n.running_mean, mul.0)
neg.0: [4] = neg(mul.1)
add.1: [4] = add(n.bias, neg.0)
einsum.0: [4, 3, 3, 3] = einsum[o i k0 k1, o -> o i k0 k1](c.weight, mul.0)
mul.2: [4] = mul(c.bias, mul.0)
add.2: [4] = add(mul.2, add.1)
c.weight := einsum.0
c.bias := add.2
not needed: n.num_batches_tracked""",
}
PRINTED = """use std.nn (BatchNorm, LayerNorm, Linear)
use std.vision (Conv)

block MLP[d](x: [*b, d]) -> [*b, d]:
    return x |> Linear[d, 2*d] as up |> relu |> Linear[2*d, d] as down

block Tower[d, depth](x: [b, n, d]) -> [b, n, d]:
    repeat depth as h:
        x = x + (x |> LayerNorm[d] as norm |> MLP[d] as mlp)
    return x

block Image(x: [b, 3, 8, 8]) -> [b, 4, 8, 8]:
    return x |> Conv[3, 4, 3, pad=1] as c |> BatchNorm as n

model T = Tower[d=4, depth=3]
model I = Image
"""
CHAINS = ["fold", "expert_average[at=MLP, experts=2], fold", "fold, fold", "simplify, specialize[n=3], fuse", "deploy"]


def tower() -> Model:
    return ogive.source(TEXT).models["M"]


def exact(model: Model) -> dict[str, Tensor]:
    """Random weights in float64."""
    return dict(randomized(model.torch().double()).state_dict())


def step_by_step(model: DeployedModel, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Each conversion by itself."""
    from ogive.backends.weight_conversion.run import convert

    for step in model.passes.steps:
        state = convert(step.conversion, state, None)
    return state


@pytest.mark.parametrize("chain", TEXTS)
def test_a_conversion_prints_what_it_computes(chain: str) -> None:
    program = ogive.source(PRINTED)
    assert str(program.models["I" if chain == "fold" else "T"].deploy(chain).conversion) == TEXTS[chain]


def test_settings_print_as_they_are_written() -> None:
    axes = (Axis(size(2)), Axis(size(Unknown("n"))))
    settings = (("sizes", axes), ("lo", -0.5), ("items", ((1, 2), (3,))), ("before", size(3)), ("mode", "zeros"))
    made = Value("y.0", TensorType("float", axes))
    node = Node("op", (Const(0.5), None, "x", "w.0"), (made,), settings)
    weight = Node.of(WeightAttrs("a.w"), (), (Value("w.0", TensorType("float", ())),))
    x = Value("x", TensorType("bool", (Axis(size(4)),)))
    graph = Graph((x,), (weight, node), ("y.0", "w.0"))
    assert list(lines(graph, ["a.b", "c"])) == [
        "y.0: [2, n] = op[sizes=(2, n), lo=-0.5, items=((1, 2), (3)), before=3, mode=zeros](0.5, none, x, a.w)",
        "a.b := y.0",
        "c := a.w",
    ]


@pytest.mark.parametrize("chain", CHAINS)
def test_passes_compose_into_one_conversion(chain: str) -> None:
    model = tower().deploy(chain)
    verify(model.conversion.definition)
    state = exact(model.source)
    made, wanted = model.convert(state, dtype=None), step_by_step(model, state)
    assert made.keys() == wanted.keys() == model.weights.keys()
    for name in wanted:
        torch.testing.assert_close(made[name], wanted[name], rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("chain", CHAINS)
def test_a_conversion_is_a_python_module(chain: str) -> None:
    model = tower().deploy(chain)
    names: dict[str, Any] = {"__name__": "conversion"}
    exec(compile(model.conversion_source(), "conversion.py", "exec"), names)
    state = exact(model.source)
    made, wanted = names["convert"](state), model.convert(state, dtype=None)
    assert made.keys() == wanted.keys()
    for name in wanted:
        torch.testing.assert_close(made[name], wanted[name], rtol=0, atol=0)


def test_steps_on_the_way_are_not_stacked() -> None:
    whole = tower().deploy("expert_average[at=MLP, experts=2], fold").conversion
    (loop,) = [node for node in whole.definition.graph.nodes if node.regions]
    assert set(whole.targets) >= {"h.*.inner.*.mlp.up.weight"}
    assert len(loop.outputs) == len([path for path in whole.targets if path.startswith("h.")])


def test_a_conversion_says_what_it_needs() -> None:
    found = tower().deploy("fold").conversion
    norm, up = "h.*.inner.*.norm", "h.*.inner.*.mlp.up"
    assert found.origins[f"{up}.weight"] == (f"{norm}.weight", f"{up}.weight")
    assert f"{norm}.bias" in found.consumed
    assert (f"{up}.bias", f"{up}.bias") not in found.kept
    assert found.dropped == ()
    assert found.mains["head.bias"] == "head.weight"
    assert f"{up}.bias := " in str(found)
    assert "not needed" not in str(found)
    counted = ogive.load("examples/repvgg.arch").models["Tiny"].deploy("fold").conversion
    assert "num_batches_tracked" in str(counted).splitlines()[-1]


def test_new_weights_have_the_type_of_what_they_mainly_come_from() -> None:
    model = tower().deploy("fold")
    state = {
        name: tensor.to(torch.bfloat16 if name == "head.weight" else torch.float16)
        for name, tensor in model.source.torch().state_dict().items()
    }
    made = model.convert(state)
    types = {name: tensor.dtype for name, tensor in made.items()}
    assert types.pop("head.weight") == types.pop("head.bias") == torch.bfloat16
    assert set(types.values()) == {torch.float16}


MAP = """[weights]
"head.weight" = "lm_head.weight | transpose"

[ties]
"decoder.weight" = "lm_head.weight"
"""


@pytest.mark.parametrize("fault", ["", "other name", "untied", "missing", "extra"])
def test_a_renamed_and_tied_checkpoint(fault: str, tmp_path: Path) -> None:
    model, path = tower().deploy("fold"), tmp_path / "m.toml"
    path.write_text(MAP)
    state = exact(model.source)
    theirs = {name: tensor for name, tensor in state.items() if name != "head.weight"}
    theirs["lm_head.weight"] = state["head.weight"].T
    theirs["decoder.weight"] = theirs["lm_head.weight"].clone()
    if fault == "untied":
        theirs["decoder.weight"][0, 0] += 1
    elif fault in ("missing", "other name"):
        del theirs["lm_head.weight"]
        if fault == "missing":
            del theirs["decoder.weight"]
    elif fault == "extra":
        theirs["encoder.weight"] = torch.zeros(2)
    if fault not in ("", "other name"):
        with pytest.raises(ArchError) as caught:
            model.convert(theirs, path)
        assert {d.code for d in caught.value.diagnostics} == {"E0823" if fault == "untied" else "E0821"}
        return
    torch.testing.assert_close(model.convert(theirs, path), model.convert(state), rtol=0, atol=0)


def test_recipes_from_python() -> None:
    model = tower()
    x = torch.randn(2, 3, 4)
    trained = model.torch(recipe="train")
    assert {"h.0.inner.0.mlp.up.weight"} & trained.state_dict().keys()
    assert trained.state_dict()["h.0.inner.0.mlp.up.weight"].shape == (2, 8, 4)
    experts = trained.state_dict()["h.0.inner.0.mlp.up.weight"]
    assert torch.equal(experts[0], experts[1])
    folded = model.torch(recipe="deploy").eval()
    assert "last.weight" not in folded.state_dict()
    assert folded(x).shape == x.shape
    assert model.torch_source(recipe="deploy") == model.deploy("deploy").torch_source()
    with pytest.raises(ArchError, match="nothing"):
        model.torch(recipe="nothing")


@pytest.mark.parametrize("ending", ["py", "onnx"])
def test_build_takes_a_recipe(ending: str, tmp_path: Path) -> None:
    source, weights, out = tmp_path / "m.arch", tmp_path / "w.safetensors", tmp_path / f"out.{ending}"
    source.write_text(TEXT)
    model = tower()
    net = randomized(model.torch()).eval()
    save_file(dict(net.state_dict()), weights)
    found = CliRunner().invoke(
        cli, ["build", f"{source}:M", "-o", str(out), "--weights", str(weights), "--recipe", "deploy"]
    )
    assert found.exit_code == 0, found.output
    x = torch.randn(2, 3, 4)
    wanted = net(x).detach()
    if ending == "py":
        names: dict[str, Any] = {"__name__": "out"}
        exec(compile(out.read_text(), str(out), "exec"), names)
        made = names["M"]()
        made.load_state_dict(load_file(tmp_path / "out.safetensors"))
        torch.testing.assert_close(made(x).detach(), wanted, rtol=1e-4, atol=1e-4)
        return
    import onnxruntime

    session = onnxruntime.InferenceSession(out.read_bytes())
    (y,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    torch.testing.assert_close(torch.from_numpy(y), wanted, rtol=1e-4, atol=1e-4)


def test_onnx_of_a_recipe_converts_what_it_is_given(tmp_path: Path) -> None:
    import onnx

    model = tower()
    net = model.torch()
    model.onnx(tmp_path / "m.onnx", net, recipe="deploy")
    names = {initializer.name for initializer in onnx.load(tmp_path / "m.onnx").graph.initializer}
    assert "head.bias" in names
    assert not [name for name in names if "norm" in name]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_parts_of_flat_weights_are_tensors_of_their_own(dtype: torch.dtype) -> None:
    text = (
        "use std.nn (Linear)\nblock Mix[b](x: [h, b]) -> [h, 3]:\n    param w: [b] = ones\n"
        "    return (x * w) |> Linear[b, 3]\n"
        "block Main[k](x: [t, k]) -> [t, 3]:\n    param theta: [count[Mix[b=k]]] = normal\n    f = Mix[b=k]\n"
        "    return f(x, weights=theta)\nmodel M = Main[k=4]\n"
    )
    model = ogive.source(text).models["M"]
    net = model.torch().to(dtype)
    for name in ("fold", "simplify"):
        made = model.deploy(name).convert(net.state_dict(), dtype=None)
        assert not any(tensor.requires_grad for tensor in made.values())
        assert all(tensor.untyped_storage().nbytes() == tensor.nbytes for tensor in made.values())

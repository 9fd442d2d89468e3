"""`deepen`: more layers, the same function, and new layers that learn."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import ogive
from analysis.test_groups import model_of, small, stirred
from deploy.test_prune import LOOP, TWO, verified

ACTIVATED = "    return x |> Linear[3, 8] as up |> {} |> Linear[8, 2] as down\n"
SAME = ["relu", "relu6", "hardtanh", "clamp[-0.5, 0.5]", "abs", "leaky_relu[slope=0.0]"]
OTHERS = ["gelu", "tanh", "silu", "sigmoid", "leaky_relu", "elu", "softplus"]


@pytest.mark.parametrize("name", ["mlp", pytest.param("resnet", marks=pytest.mark.slow)])
def test_identities_behind_relu(name: str) -> None:
    model = model_of(name)
    assert verified(model, stirred(model), "deepen").parameters > model.parameters


@pytest.mark.parametrize("name", ["vit", "gpt2", pytest.param("convnext", marks=pytest.mark.slow)])
def test_branches_behind_anything(name: str) -> None:
    model = model_of(name)
    assert verified(model, stirred(model), "deepen[residual=true]").parameters > model.parameters


@pytest.mark.parametrize("function", SAME)
def test_what_is_its_own_image_needs_no_branch(function: str) -> None:
    model = small(ACTIVATED.format(function))
    made = verified(model, stirred(model), "deepen")
    assert {"up_deeper.weight", "up_deeper.bias"} == made.weights.keys() - model.weights.keys()
    found = made.convert(stirred(model), dtype=None)
    assert torch.equal(found["up_deeper.weight"], torch.eye(8, dtype=torch.float64))


@pytest.mark.parametrize("function", OTHERS)
def test_what_is_not_is_refused_without_a_branch(function: str) -> None:
    model = small(ACTIVATED.format(function))
    with pytest.raises(ogive.ArchError, match="residual=true"):
        model.deploy("deepen", weights=stirred(model))
    verified(model, stirred(model), "deepen[residual=true]")


def test_iterations_have_layers_of_their_own() -> None:
    model = small(LOOP)
    made = verified(model, stirred(model), "deepen[residual=true]")
    assert {f"h.{i}.up_deeper.weight" for i in range(3)} <= made.weights.keys()
    assert "stem_deeper.weight" not in made.weights


NETS = {
    "two activations of one layer": (
        "[b, 3]",
        "    y = x |> Linear[3, 8] as up\n    return (relu(y) + relu6(y)) |> Linear[8, 2] as down\n",
        2,
    ),
    "a layer that is applied twice": ("[b, 4]", "    f = Linear[4, 4]\n    return f(relu(f(relu(f(x)))))\n", 2),
    "groups turned around": ("[b, 4, h, w]", "    return x |> ConvTranspose[4, 6, 2, groups=2] as up |> relu\n", 1),
    "a phase between": (
        "[b, 4]",
        "    y = x |> Linear[4, 4] as up\n    if training:\n        y = dropout[0.5](y)\n    return relu(y)\n",
        1,
    ),
    "casts and signs": ("[b, 4]", "    y = x |> Linear[4, 4] as up\n    return cast[float](cast[int](y)) - y\n", 0),
    "a setting that depends on sizes": (
        "[b, n]",
        "    return x |> Linear[4, 4] as up |> clamp[-1.0 * b, 1.0 * b]\n",
        0,
    ),
}


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("calls", [("deepen",), ("deepen[residual=true]",), ("deepen", "deepen")])
def test_each_activation_has_a_layer_of_its_own(name: str, calls: tuple[str, ...]) -> None:
    shape, body, count = NETS[name]
    text = "use std.nn (Linear)\nuse std.vision (ConvTranspose)\n\n"
    text += f"block Net(x: {shape.replace('n', '4')}) -> [...]:\n{body}\nmodel M = Net\n"
    model = ogive.source(text)["M"]
    if not count:
        with pytest.raises(ogive.ArchError, match="no activated layer"):
            model.deploy(*calls, weights=stirred(model))
        return
    made = verified(model, stirred(model), *calls)
    new = {path.rpartition(".")[0] for path in made.weights.keys() - model.weights.keys()}
    assert len(new) == count * (3 if len(calls) == 2 else 2 if "residual" in calls[0] else 1)
    net = made.torch()
    assert net.state_dict().keys() == made.weights.keys()


def test_passes_compose() -> None:
    model = small(TWO)
    made = verified(model, stirred(model), "deepen", "widen[factor=1.5]", "fold")
    assert made.parameters > model.parameters


def test_a_branch_learns() -> None:
    model = small(ACTIVATED.format("tanh"))
    net = stirred(model).float()
    made = model.deploy("deepen[residual=true]", weights=net)
    deep: Any = made.torch()
    deep.load_state_dict(made.convert(net))
    x, y = torch.randn(16, 3), torch.randn(16, 2)
    optimizer = torch.optim.SGD(deep.parameters(), lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        (deep(x) - y).square().mean().backward()
        optimizer.step()
    assert deep.up_branch.weight.any()
    assert not torch.equal(deep.up_deeper.weight, torch.eye(8))


@pytest.mark.parametrize(
    ("text", "call", "said"),
    [
        (TWO, 'deepen[after="nothing"]', "no activated layer is `nothing`"),
        ("    return x |> Linear[3, 2] as only\n", "deepen", "no activated layer"),
    ],
)
def test_what_has_no_activated_layer_is_refused(text: str, call: str, said: str) -> None:
    model = small(text)
    with pytest.raises(ogive.ArchError, match="E0811") as caught:
        model.deploy(call, weights=stirred(model))
    assert said in str(caught.value)

"""`subspace`: a few learned numbers move all weights; at 0 the model computes what it did."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

import ogive
from sampled import sampled

EXAMPLES = Path(__file__).parents[2] / "examples"


def tiny(name: str) -> ogive.Model:
    return ogive.load(EXAMPLES / f"{name}.arch").models["Tiny"]


@pytest.mark.parametrize("kind", ["dense", "sparse"])
@pytest.mark.parametrize("name", sampled(["mlp", "gpt2", "vit", "resnet", "mobilenet_v2", "swin", "unet"]))
def test_at_zero_it_is_what_it_was(name: str, kind: str) -> None:
    model = tiny(name)
    made = model.deploy(f"subspace[d=5, kind={kind}]")
    assert made.parameters == 5
    assert made.verify(model.torch()).exact
    module = made.fresh()
    assert [path for path, _ in module.named_parameters()] == ["subspace"]


@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_directions_have_unit_length_and_go_with_no_other(kind: str) -> None:
    model = tiny("unet")
    state = model.deploy(f"subspace[d=6, kind={kind}]").convert(model.torch())
    rows = torch.cat([value.reshape(-1, 6) for name, value in state.items() if name.endswith("_directions")]).double()
    assert len(rows) == model.parameters
    gram = rows.T @ rows
    assert torch.allclose(gram, torch.eye(6, dtype=torch.double), atol=0.35 if kind == "sparse" else 0.1)
    density = float((rows != 0).double().mean())
    assert density == pytest.approx(1.0 if kind == "dense" else model.parameters**-0.5, rel=0.2)


def test_the_gradient_is_that_of_all_weights_along_the_directions() -> None:
    """Tied weights and those of loops too."""
    model = tiny("gpt2")
    made = model.deploy("subspace[d=4]")
    source = model.torch(dtype="f64")
    module = made.torch(dtype="f64")
    state = made.convert(source, dtype=None)
    module.load_state_dict(state)
    ids = torch.randint(0, 60, (2, 8))
    out, moved = source(ids), module(ids)
    assert torch.allclose(out, moved)
    seed = torch.randn_like(out)
    out.backward(seed)
    moved.backward(seed)
    wanted = sum(
        (parameter.grad.flatten() @ state[f"{name}_directions"].reshape(-1, 4).double()).double()
        for name, parameter in source.named_parameters()
        if parameter.grad is not None
    )
    assert torch.allclose(module.get_parameter("subspace").grad, wanted)  # type: ignore[arg-type]


def test_it_learns() -> None:
    model = tiny("mlp")
    torch.manual_seed(0)
    module = model.deploy("subspace[d=40]").fresh()
    x, y = torch.randn(32, 4), torch.arange(32) % 3
    made = torch.optim.Adam(module.parameters(), lr=0.3)
    losses = []
    for _ in range(60):
        made.zero_grad()
        loss = nn.functional.cross_entropy(module(x), y)
        loss.backward()  # type: ignore[no-untyped-call]
        made.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.8 * losses[0]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("d=0", "from 1 on"),
        ("d=4, kind=spase", "dense or sparse"),
        ("d=4, kind=fastfood", "FastSubspace"),
        ("d=1000000000", "choose a smaller `d`"),
    ],
)
def test_options_that_make_no_sense(options: str, said: str) -> None:
    with pytest.raises(ogive.ArchError, match=said):
        tiny("mlp").deploy(f"subspace[{options}]")


def test_weights_without_entries_are_none_that_move() -> None:
    text = (
        "block Net(x: [b, 4]) -> [b, 4]:\n    repeat 0 as turns:\n        param w: [4] = ones\n        x = x * w\n"
        "    return x\n\nmodel M = Net\n"
    )
    model = ogive.source(text).models["M"]
    with pytest.raises(ogive.ArchError, match="no learned weight that can move"):
        model.deploy("subspace[d=2]")

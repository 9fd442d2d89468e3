"""`widen`: more channels, the same function, and new channels that learn."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import ogive
from analysis.measured import drawn, sizes_of
from analysis.test_groups import model_of, small, stirred
from deploy.test_prune import LOOP, TWO, verified

NUMBERS = (2, 8, 64, 16, 1, 128)


@pytest.mark.parametrize(
    "name",
    ["vit", "gpt2", "moe", *(pytest.param(n, marks=pytest.mark.slow) for n in ("resnet", "unet", "swin", "convnext"))],
)
def test_a_wider_model_computes_the_same(name: str) -> None:
    model = model_of(name)
    made = verified(model, stirred(model), "widen[factor=1.5]")
    assert made.parameters > model.parameters


@pytest.mark.parametrize("text", [TWO, LOOP])
@pytest.mark.parametrize("factor", [1.3, 2.0, 5.0])
def test_new_channels_are_copies_that_nothing_reads_yet(text: str, factor: float) -> None:
    model = small(text)
    net = stirred(model)
    made = verified(model, net, f'widen[factor={factor}, of="*up.weight"]')
    found, state = made.convert(net.double(), dtype=None), net.double().state_dict()
    ups = [path for path in state if path.endswith("up.weight")]
    for path in ups:
        down = path.replace("up", "down")
        count = len(state[path])
        at = [i % count for i in range(len(found[path]))]
        assert torch.equal(found[path], state[path][at])
        assert torch.equal(found[down][:, :count], state[down])
        assert not found[down][:, count:].any()
    assert len(ups) == (3 if "repeat" in text else 1)


def test_new_channels_learn_and_part() -> None:
    """After a step their readers are no more 0, after two they differ from what they copied."""
    model = small(TWO)
    net = stirred(model).float()
    made = model.deploy("widen[factor=2]", weights=net)
    wide: Any = made.torch()
    wide.load_state_dict(made.convert(net))
    x, y = torch.randn(16, 3), torch.randn(16, 2)
    optimizer = torch.optim.SGD(wide.parameters(), lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        (wide(x) - y).square().mean().backward()
        optimizer.step()
    assert wide.down.weight[:, 8:].any()
    assert not torch.allclose(wide.up.weight[8:], wide.up.weight[:8])


def test_it_trains_in_batches_as_before() -> None:
    """Batch norms in training mode: statistics of copies are copies."""
    model = model_of("resnet")
    net = stirred(model).float().train()
    made = model.deploy("widen[factor=1.5, round_to=4]", weights=net)
    wide = made.torch().train()
    wide.load_state_dict(made.convert(net))
    inputs = drawn(model.ir, next(sizes_of(model.ir, NUMBERS)))
    torch.testing.assert_close(wide(*inputs), net(*inputs), rtol=1e-4, atol=1e-5)


def test_what_is_widened_can_be_pruned_back() -> None:
    model = small(TWO)
    net = stirred(model)
    wide = model.deploy("widen[factor=2]", weights=net)
    assert (
        model.deploy("widen[factor=2]", "prune[keep=0.5]", weights=net).parameters == model.parameters < wide.parameters
    )


@pytest.mark.parametrize(
    ("text", "call", "said"),
    [
        (TWO, "widen[factor=1]", "above 1"),
        (TWO, "widen[factor=1e9]", "up to 64"),
        (TWO, "widen[round_to=0]", "from 1 on"),
        (TWO, "widen[of=nothing]", "come from a weight `nothing`"),
        ("    return x |> Linear[3, 2] as only\n", "widen", "is widened"),
        ("    return x |> Linear[3, 8] as up |> softmax[-1] |> Linear[8, 2] as down\n", "widen", "softmax"),
    ],
)
def test_what_cannot_be_is_refused(text: str, call: str, said: str) -> None:
    model = small(text)
    with pytest.raises(ogive.ArchError, match="E081") as caught:
        model.deploy(call, weights=stirred(model))
    assert said in str(caught.value)

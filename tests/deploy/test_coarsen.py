"""`coalesce` and `decoalesce`: means and copies of channels, exact behind norms, and back."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import ogive
from analysis.measured import sizes_of
from analysis.test_groups import model_of, small, stirred
from ogive.compiler.ir_tools.verify import verify
from sampled import sampled

NORM = "    return x |> Linear[3, 8] as up |> LayerNorm[8] as norm |> gelu |> Linear[8, 2] as down\n"
NAMES = ["gpt2", "vit", "unet", "densenet", "resnet", "swin", "mobilenet_v2", "llama", "moe", "bert"]


@pytest.mark.parametrize("name", sampled(NAMES, 3))
def test_copies_compute_the_same_and_means_of_them_are_the_weights(name: str) -> None:
    """C(D(W)) = W; the coarse network is the source with means in equal copies."""
    model = model_of(name)
    net = stirred(model).float()
    at = {unknown.name: number for unknown, number in next(sizes_of(model.ir, (2, 8, 64, 16, 1, 128))).items()}
    large, small_ = (model.deploy(call) for call in ("decoalesce", "coalesce"))
    for made in (large, small_):
        verify(made.ir)
        deviation = made.verify(net, **at)
        assert deviation.exact, str(deviation)
        assert deviation.absolute <= 1e-9
    assert large.parameters > 1.1 * model.parameters
    assert small_.parameters < 0.95 * model.parameters
    found, state = model.deploy("decoalesce", "coalesce").convert(net, dtype=None), net.state_dict()
    assert found.keys() == state.keys()
    for key, each in state.items():
        assert torch.allclose(found[key].double(), each.double(), rtol=1e-14, atol=0), key


def test_means_give_and_sums_read() -> None:
    """W' = F_out W T_in of runs of two, by matrices."""
    model = small(NORM)
    net: Any = stirred(model)
    found = model.deploy("coalesce").convert(net, dtype=None)
    f = torch.kron(torch.eye(4), torch.full((1, 2), 0.5)).double()
    t = f.T * 2
    assert torch.allclose(f @ t, torch.eye(4, dtype=torch.double))
    assert torch.allclose((t @ f) @ (t @ f), t @ f)
    state = {key: each.double() for key, each in net.state_dict().items()}
    assert torch.allclose(found["up.weight"], f @ state["up.weight"])
    assert torch.allclose(found["norm.weight"], f @ state["norm.weight"])
    assert torch.allclose(found["down.weight"], state["down.weight"] @ t)
    large = model.deploy("decoalesce[factor=3]").convert(net, dtype=None)
    assert torch.allclose(large["up.weight"], state["up.weight"].repeat_interleave(3, 0))
    assert torch.allclose(large["down.weight"], state["down.weight"].repeat_interleave(3, 1) / 3)


def test_heads_go_whole_and_a_tied_head_is_scaled() -> None:
    model = model_of("gpt2")
    made = model.deploy("decoalesce")
    before, after = model.weights, made.weights
    assert after["wte.weight"][0] == before["wte.weight"][0]
    assert after["wte.weight"][1] == 2 * int(before["wte.weight"][1])
    notes = [note.text for note in made.passes.notes if not note.done]
    assert any("sums over it" in text for text in notes)  # the width of a head
    assert "0.5" in made.torch_source()


def test_of_some_channels_alone() -> None:
    model = model_of("vit")
    made = model.deploy('decoalesce[of="*.mlp.fc1.*"]')
    changed = [path for path, shape in made.weights.items() if shape != model.weights[path]]
    assert changed
    assert made.verify(stirred(model).float(), b=2).exact


@pytest.mark.parametrize(
    ("body", "call", "said"),
    [
        (NORM, "coalesce[factor=1]", "`factor` of `coalesce` is a whole number from 2"),
        (NORM, "coalesce[factor=3]", "8 channels are no runs of 3"),
        (NORM, 'decoalesce[of="nothing"]', "no channels of M come from a weight `nothing`"),
        (
            "    return x |> Linear[3, 8] as up |> softmax[-1] |> Linear[8, 2] as down\n",
            "decoalesce",
            "sees all of its",
        ),
    ],
)
def test_refusals(body: str, call: str, said: str) -> None:
    with pytest.raises(ogive.ArchError, match=said.replace("[", r"\[")):
        small(body).deploy(call)

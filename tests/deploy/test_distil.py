"""The pass `distil`: attention maps as taps, which are those of the formula and change nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

import ogive
from analysis.test_groups import model_of, stirred
from ogive.compiler.ir_tools.verify import verify
from onnx_model.harness import session

NET = """use std.nn (Linear)
use std.vision (Conv)

block Net(x: [b, 3, h, w]) -> [b, 2]:
    x = x |> Conv[3, 6, 3, pad=1] as a |> relu
    tap hidden = x
    repeat 2 as h:
        x = x + (x |> Conv[6, 6, 3, pad=1] as c |> tanh)
    return x |> mean[-1, -2] |> Linear[6, 2] as head

model M = Net
"""


def attention(x: Tensor, axis: int = 1) -> Tensor:
    return F.normalize(x.square().sum(axis).flatten(1), dim=1)


def test_maps_are_those_of_the_formula_and_onnx_has_them(tmp_path: Path) -> None:
    model = ogive.source(NET).models["M"]
    made = model.deploy('distil[at=["a", "hidden", "h.*.c"]]')
    verify(made.ir)
    net: Any = stirred(model).float()
    assert made.weights == model.weights
    assert made.verify(net).exact
    attending: Any = made.torch().eval()
    attending.load_state_dict(net.state_dict())
    x = torch.randn(2, 3, 5, 4)
    y, seen = attending(x, taps=["a.attention", "hidden.attention", "h.*.c.attention"])
    first = F.conv2d(x, net.a.weight, net.a.bias, padding=1)
    state, maps = first.relu(), []
    for each in net.h:
        maps.append(F.conv2d(state, each.c.weight, each.c.bias, padding=1))
        state = state + maps[-1].tanh()
    wanted = {"a.attention": attention(first), "hidden.attention": attention(first.relu())}
    for name, each in wanted.items():
        assert torch.allclose(seen[name], each, atol=1e-6), name
    for found, each in zip(seen["h.*.c.attention"], maps, strict=True):
        assert torch.allclose(found, attention(each), atol=1e-6)
    assert torch.equal(y, net(x))
    made.onnx(tmp_path / "m.onnx", weights=net.state_dict(), taps=True)
    ready = session(onnx.load(tmp_path / "m.onnx"))
    names = [each.name for each in ready.get_outputs()]
    found = dict(zip(names, ready.run(None, {"x": x.numpy()}), strict=True))
    assert np.allclose(found["taps/a.attention"], wanted["a.attention"].detach().numpy(), atol=1e-5)


def test_a_map_of_zeros_stays_one_and_has_a_gradient() -> None:
    model = ogive.source(NET).models["M"]
    net: Any = model.deploy('distil[at="a"]').fresh()
    torch.nn.init.zeros_(net.a.bias)
    _, seen = net(torch.zeros(1, 3, 4, 4), taps=["a.attention"])
    assert not seen["a.attention"].any()
    seen["a.attention"].sum().backward()
    assert net.a.weight.grad.isfinite().all()


@pytest.mark.parametrize(
    ("name", "at", "axis"), [("resnet", "stages.*", 1), ("vit", "*.attn.proj", -1), ("gpt2", "h.*.mlp.c_proj", -1)]
)
def test_examples_and_their_students_show_maps_of_one_size(name: str, at: str, axis: int) -> None:
    model = model_of(name)
    distil = f'distil[at="{at}", axis={axis}]'
    made = model.deploy(distil)
    assert made.verify(stirred(model).float()).exact
    student = model.deploy("shrink[factor=0.5]", distil)
    shown = [[note.text for note in each.passes.notes if "a map of" in note.text] for each in (made, student)]
    assert shown[0] == shown[1]
    assert shown[0]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ('distil[at="nowhere"]', "no layer and no tap of M is called `nowhere`"),
        ('distil[at=["a", "b*"]]', "is called `b*`"),
        ("distil", "needs `at`"),
        ("distil[at=[]]", "`at` of `distil` is empty"),
        ("distil[at=a, axis=0]", "not 0: examples"),
        ("distil[at=a, axis=9]", "is shown at axis 9"),
        ("distil[at=head]", "has no map beside its channels"),
    ],
)
def test_refusals(call: str, said: str) -> None:
    with pytest.raises(ogive.ArchError) as caught:
        ogive.source(NET).models["M"].deploy(call)
    assert said in str(caught.value)


def test_what_has_no_map_is_named() -> None:
    notes = ogive.source(NET).models["M"].deploy('distil[at="*"]').passes.notes
    assert [note.path for note in notes if not note.done] == ["head"]


def test_maps_of_zeros_stay_zeros_in_half_precision() -> None:
    body = "    return x |> Conv[3, 3, 3, pad=1, bias=false] as a |> mean[-1, -2]"
    text = f"use std.vision (Conv)\n\nblock Net(x: [b, 3, h, w]) -> [b, 3]:\n{body}\n\nmodel M = Net\n"
    net = ogive.source(text).models["M"].deploy('distil[at="*"]').fresh().half()
    _, seen = net(torch.zeros(1, 3, 4, 4).half(), taps=["a.attention"])
    assert all(not each.any() for maps in seen.values() for each in maps)

"""Loops whose iterations are of several kinds, in turn, against the same modules without a loop."""

from __future__ import annotations

import re

import pytest
import torch
from torch import Tensor, nn

import ogive
from ogive.api import Model
from ogive.backends.python_text.functions import function
from ogive.backends.pytorch.module import file

BLOCKS = """
use std.nn (Linear)

block Narrow[d](x: [b, d], c: [d]) -> [b, d]:
    return x + c * (x |> Linear[d, d] as fc |> silu)

block Wide[d, w](x: [b, d], c: [d]) -> [b, d]:
    return x + (x |> Linear[d, w] as up |> tanh |> Linear[w, d] as down)

block Drop[d](x: [b, d], c: [d]) -> [b, d]:
    return x + c * (x |> Linear[d, d] as fc |> dropout[0.5])

block Noise[d](x: [b, d], c: [d]) -> [b, d]:
    return x + c * (x |> Linear[d, d] as fc) * randn[b, d]

block Moving[d](x: [b, d], c: [d]) -> [b, d]:
    state m: [d] = zeros
    y = (x + m) |> Linear[d, d] as fc
    update m = mean[b](y)
    return x + y

block Tapped[d](x: [b, d], c: [d]) -> [b, d]:
    y = c * (x |> Linear[d, d] as fc)
    tap inner = y
    return x + y

block scaled[d](x: [b, d], c: [d]) -> [b, d]:
    return 0.5 * x + c
"""
KINDS = {name: f"{name}[d, ...]" for name in ("Narrow", "Drop", "Noise", "Moving", "Tapped", "scaled")}
KINDS["Wide"] = "Wide[d, 3*d, ...]"
CYCLES = [
    ("Narrow", "Wide"),
    ("Narrow", "Noise"),
    ("Tapped", "Narrow"),
    ("Tapped",),
    ("Tapped", "Noise"),
    ("Narrow", "Moving", "Drop"),
    ("Noise", "Drop", "Narrow", "Tapped"),
    ("Narrow", "Narrow", "Narrow", "Narrow", "Narrow", "Wide"),
    ("Narrow", "Wide", "Noise", "Narrow", "Wide"),
    ("Narrow", "scaled", "Wide"),
]
SIZES = {  # statements in a loop over `i`, and what stands in the list of modules
    "whole": ("Wide[d, d * (i + 1)]", "Wide(d, (i + 1) * d)"),
    "odd": ("Wide[d, d + 3 * i]", "Wide(d, d + i * 3)"),
    "steps": ("Wide[d, d + 3 * (i // 2)]", "Wide(d, d + i // 2 * 3)"),
    "numbers": ("Wide[d, 5 + 3 * (i // 2)]", "Wide(d, 5 + i // 2 * 3)"),
}


def model_of(lines: str) -> Model:
    body = "\n    ".join(lines.split("\n"))
    text = f"{BLOCKS}\nblock Net[d](x: [b, d], c: [d]) -> [b, d]:\n    {body}\n    return x\n"
    return ogive.source(f"{text}model M = Net[d=4]\n").models["M"]


def without_loops(model: str, patch: pytest.MonkeyPatch) -> nn.Module:
    """The module of a model whose statements and lists are written out."""
    with patch.context() as changed:
        changed.setattr(function, "rolled", lambda body, *_: tuple(body))
        changed.setattr(file, "with_short_lists", lambda statement, _: statement)
        return model_of(model).torch()


def body_of(text: str, owner: str) -> str:
    return re.split(r"\n\n\n", text[text.index(f"class {owner}(") :])[0]


def same(one: nn.Module, other: nn.Module, taps: list[str]) -> None:
    """Both have the same weights in the same order, and compute the same from the same draws."""
    assert list(one.state_dict()) == list(other.state_dict())
    other.load_state_dict(one.state_dict())
    args = torch.randn(5, 4), torch.randn(4)
    for training in (True, False):
        made = []
        for net in (one, other):
            torch.manual_seed(1)
            made.append(net.train(training)(*args, **({"taps": taps} if taps else {})))
        first, second = ([each[0], *each[1].values()] if taps else [each] for each in made)
        assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    for path, value in one.state_dict().items():
        assert torch.equal(value, other.state_dict()[path]), path


@pytest.mark.parametrize("cycle", CYCLES, ids="-".join)
@pytest.mark.parametrize("more", [0, 1])
def test_kinds_in_turn_are_a_loop_over_one_list(
    cycle: tuple[str, ...], more: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = 3 * len(cycle) + more + (3 if len(cycle) == 1 else 0)
    blocks = ", ".join(KINDS[kind] for kind in cycle)
    lines = f"x = (x, c) |> repeat[{count}, [{blocks}]] as layers"
    model = model_of(lines)
    text = body_of(model.torch_source(), "Net")
    if "scaled" not in cycle:
        assert re.search(r"for (i, layer in enumerate\(self.layers\)|layer in self.layers):", text)
        assert not re.search(r"self\.layers\[", text)
        assert f"range({count})" in text
    taps = [f"layers.{at}.inner" for at in range(count) if cycle[at % len(cycle)] == "Tapped"]
    same(model.torch(), without_loops(lines, monkeypatch), taps)


@pytest.mark.parametrize("name", SIZES)
def test_sizes_of_a_kind_grow(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made, item = SIZES[name]
    lines = "\n".join(
        [
            "for i in range(8) as layers:",
            "    if i % 2 == 0:",
            f"        x = (x, c) |> {made} as body",
            "    else:",
            "        x = (x, c) |> Narrow[d] as body",
        ]
    )
    model = model_of(lines)
    text = body_of(model.torch_source(), "Net")
    assert f"Group(body={item})" in text
    assert "for layer in self.layers:\n            x = layer.body(x, c)" in text
    same(model.torch(), without_loops(lines, monkeypatch), [])


def test_kinds_in_no_order_stay_as_they_are() -> None:
    lines = "for i in [1, 0, 0, 1, 0] as layers:\n    if i > 0:\n        x = (x, c) |> Noise[d] as body"
    text = body_of(model_of(lines).torch_source(), "Net")
    assert "enumerate" not in text


def test_a_compiled_module_unrolls_the_kinds() -> None:
    net = model_of(f"x = (x, c) |> repeat[6, [{KINDS['Narrow']}, {KINDS['Noise']}]] as layers").torch().eval()
    x, c = torch.randn(5, 4), torch.zeros(4)
    seen: list[Tensor] = []
    traced = torch.export.export(net, (x, c), strict=False)
    seen += [net(x, c), traced.module()(x, c)]
    torch.testing.assert_close(*seen)

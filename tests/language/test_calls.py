"""One instance, several calls: what only one of them needs is stored too, and what no one class can be is refused."""

from __future__ import annotations

from pathlib import Path

import onnxruntime
import pytest
import torch

import ogive
from ogive.api import Model

CROSS = """
use std.nn (Linear)

block F[d](x: [b, d], memory: [b, t, d]?) -> (y: [b, d], same: [b, t, d]?):
    y = x |> Linear[d, d] as own
    if given(memory):
        y = y + (memory |> Linear[d, d] as kv |> mean[t])
    return y, memory

block Twice[f: block](x: [b, d], memory: [b, t, d]?) -> [b, d]:
    y, _ = f(x)
    z, _ = f(tanh(y), memory)
    return z
"""
CHOICE = """
use std.nn (Linear)

block F[d](x: [n, d]) -> [n, d]:
    y = x |> Linear[d, d] as lin
    if n > 4:
        y = {more}
    return y

block G(x: [3, 4], y: [5, 4]) -> ([3, 4], [5, 4]):
    f = F[4]
    return f(x), f(y)

model M = G
"""


def model(text: str) -> Model:
    found = ogive.source(text)["M"]
    assert isinstance(found, Model)
    return found


def _applied(body: str, optional: str = "") -> str:
    head = f"block G(x: [2, 4], memory: [2, 3, 4]{optional}) -> [2, 4]:"
    return f"{CROSS}\n{head}\n    f = F[4]\n    {body}\n\nmodel M = G\n"


def test_a_weight_that_one_call_needs_is_stored_counted_and_initialized() -> None:
    body = "init f.kv.weight = zeros\n    y, _ = f(x)\n    z, _ = f(tanh(y), memory)\n    return z"
    made = model(_applied(body))
    net = made.torch()
    assert made.parameters == sum(weight.numel() for weight in net.parameters()) == 40
    assert not net.get_parameter("f.kv.weight").any()
    assert net.get_parameter("f.own.weight").any()


@pytest.mark.parametrize("body", [
    "y, _ = f(x)\n    z, _ = f(tanh(y), memory)",
    "z = Twice[f](x, memory)\n    left, _ = f(x)\n    z = z + left - left",
    "left, _ = f(x)\n    z = Twice[f](x, memory) + left - left",
    "y = x + 0 * sum(f.kv.weight)\n    y, _ = f(y)\n    z, _ = f(tanh(y), memory)",
])  # fmt: skip
def test_the_weights_stand_at_the_instance_whoever_applies_it(body: str) -> None:
    made = model(_applied(f"{body}\n    return z"))
    net = made.torch()
    x, memory = torch.randn(2, 4), torch.randn(2, 3, 4)
    own, kv = net.get_submodule("f.own"), net.get_submodule("f.kv")
    torch.testing.assert_close(net(x, memory), own(own(x).tanh()) + kv(memory).mean(1))
    assert [name.rpartition(".")[0] for name, _ in net.named_parameters()] == ["f.own", "f.own", "f.kv", "f.kv"]


def test_an_input_handed_through_is_there_where_it_was_given() -> None:
    body = (
        "y, _ = f(x)\n    z, perhaps = f(x, memory)\n"
        "    if given(perhaps):\n        z = z + sum[1](perhaps)\n    return y + z"
    )
    made = model(_applied(body, "?"))
    net = made.torch()
    x, memory = torch.randn(2, 4), torch.randn(2, 3, 4)
    own, kv = net.get_submodule("f.own"), net.get_submodule("f.kv")
    torch.testing.assert_close(net(x), 2 * own(x))
    torch.testing.assert_close(net(x, memory), 2 * own(x) + kv(memory).mean(1) + memory.sum(1))


@pytest.mark.parametrize("last", [False, True])
def test_a_block_may_leave_out_what_its_instance_is_given_elsewhere(last: bool) -> None:
    body = "w = x |> Twice[f]\n    z, _ = f(w, memory)\n    return z"
    if last:
        body = "z, _ = f(x, memory)\n    return z |> Twice[f]"
    alone = (
        _applied(body).replace("-> (y: [b, d], same: [b, t, d]?)", "-> [b, d]").replace("return y, memory", "return y")
    )
    net = model(alone.replace(", _ =", " =")).torch()
    x, memory = torch.randn(2, 4), torch.randn(2, 3, 4)
    own, kv = net.get_submodule("f.own"), net.get_submodule("f.kv")
    if last:
        wanted = own(own(own(x) + kv(memory).mean(1)).tanh())
    else:
        wanted = own(own(own(x).tanh())) + kv(memory).mean(1)
    torch.testing.assert_close(net(x, memory), wanted)


def test_choices_that_allocate_different_weights_are_refused_at_the_second_call() -> None:
    with pytest.raises(ogive.ArchError) as caught:
        model(CHOICE.format(more="y |> Linear[d, d] as extra"))
    (found,) = caught.value.diagnostics
    assert (found.code, found.span.text) == ("E0412", "f(y)")
    assert [label.span.text for label in found.labels] == ["f(x)"]


def test_choices_with_the_same_weights_run_in_onnx_and_are_refused_in_torch(tmp_path: Path) -> None:
    made = model(CHOICE.format(more="relu(y)"))
    with pytest.raises(ogive.ArchError, match=r"E0801.*two ways"):
        made.torch()
    same = model(CHOICE.format(more="y")).torch()
    made.onnx(tmp_path / "m.onnx", weights=same)
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx", providers=["CPUExecutionProvider"])
    x, y = torch.randn(3, 4), torch.randn(5, 4)
    found = session.run(None, {"x": x.numpy(), "y": y.numpy()})
    lin = same.get_submodule("f.lin")
    for have, wanted in zip(found, (lin(x), lin(y).relu()), strict=True):
        torch.testing.assert_close(torch.from_numpy(have), wanted.detach())

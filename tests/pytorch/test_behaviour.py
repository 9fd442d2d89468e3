"""What emitted modules do besides computing: guards, states, constraints, taps, pickles, phases."""

from __future__ import annotations

import copy
import pickle
import traceback

import pytest
import torch
from torch import Tensor, nn

from ogive.backends.pytorch.module.module import build
from ogive.compiler.driver.workspace import check_text
from pytorch.catalog import inputs, model


def net_of(name: str) -> nn.Module:
    torch.manual_seed(0)
    return build(model(name))


def test_a_condition_on_sizes_is_checked_at_the_entry() -> None:
    with pytest.raises(ValueError, match=r"^n <= 16, but n is 17$"):
        net_of("gpt2:Tiny")(torch.zeros(1, 17, dtype=torch.int64))


def test_a_guard_holds_in_a_compiled_and_in_an_exported_model() -> None:
    net = net_of("gpt2:Tiny")
    torch._dynamo.reset()
    fast = torch.compile(net, fullgraph=True, backend="eager")
    ids = torch.randint(64, (2, 8))
    torch.testing.assert_close(fast(ids), net(ids))
    with pytest.raises(Exception, match="n <= 16, but n is 17"):
        fast(torch.zeros(1, 17, dtype=torch.int64))
    batch, length = torch.export.Dim("batch", max=64), torch.export.Dim("length", max=16)
    exported = torch.export.export(net, (ids,), dynamic_shapes=({0: batch, 1: length},)).module()
    other = torch.randint(64, (3, 11))
    torch.testing.assert_close(exported(other), net(other))


def test_a_state_changes_in_training_only_and_gradients_survive() -> None:
    text = """
block Mean[d](x: [b, d]) -> [b, d]:
    state center: [d] = zeros
    param scale: [d] = ones
    y = (x - center) * (scale + center)
    update center = 0.5 * center + 0.5 * mean[0](x)
    return y
model M = Mean[d=4]
"""
    net = build(check_text(text).models["M"].ir)
    x = torch.randn(3, 4)
    center = net.get_buffer("center")
    net.eval()(x)
    assert center.eq(0).all()
    torch.autograd.backward(net.train()(x.requires_grad_()).sum())
    torch.testing.assert_close(center, 0.5 * x.detach().mean(0))
    assert net.get_parameter("scale").grad is not None


def test_batch_norm_is_that_of_torch_in_training_too() -> None:
    text = """
use std.nn (BatchNorm)
block B[c](x: [b, c, h, w]) -> [b, c, h, w]:
    return BatchNorm[c](x)
model M = B[c=3]
"""
    net, theirs = build(check_text(text).models["M"].ir), nn.BatchNorm2d(3)
    x = torch.randn(4, 3, 5, 5)
    torch.testing.assert_close(net(x), theirs(x))
    for name, value in theirs.state_dict().items():
        torch.testing.assert_close(net.state_dict()[f"batch_norm.{name}"], value)


def test_constraints_hold_from_the_start_and_after_each_step() -> None:
    net = net_of("state:K")
    optimizer = torch.optim.SGD(net.parameters(), lr=100.0)
    weight = net.get_parameter("w")
    assert weight.abs().max() <= 1
    torch.autograd.backward(net(torch.randn(8, 4)).square().sum())
    optimizer.step()
    assert weight.abs().max() > 1
    step = net.after_step
    assert callable(step)
    step()
    assert weight.abs().max() <= 1


def test_taps_are_handed_out_on_request() -> None:
    net = net_of("taps:Tt")
    x = torch.randn(3, 4)
    y, found = net(x, taps=["h", "inner.p", "layers.*.q", "layers.*.deep.*.g.p", "layers.1.f.p"])
    torch.testing.assert_close(y, net(x))
    shapes = {path: tuple(value.shape) for path, value in found.items()}
    assert shapes == {"h": (3, 4), "inner.p": (3, 4), "layers.*.q": (2, 3, 4), "layers.*.deep.*.g.p": (2, 2, 3, 4),
                      "layers.1.f.p": (3, 4)}  # fmt: skip
    with pytest.raises(ValueError, match=r"no tap `layers.0.nothing`; there are .*layers\.\*\.q"):
        net(x, taps=["layers.*.nothing"])


def test_an_optional_input_reaches_the_iterations_of_a_loop() -> None:
    net = net_of("repeat:Ma")
    x = torch.randn(2, 5, 4)
    mask = torch.zeros(2, 5, dtype=torch.bool)
    torch.testing.assert_close(net(x, mask), x)
    assert not torch.equal(net(x), x)


@pytest.mark.parametrize("name", ["gpt2:Tiny", "state:V", "misc:Stacked", "resnet:Tiny"])
def test_it_copies_pickles_and_runs_under_autocast(name: str) -> None:
    net, args = net_of(name).eval(), inputs(model(name))
    wanted: Tensor = net(*args)
    for other in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        torch.testing.assert_close(other(*args), wanted)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(net(*args).float(), wanted, atol=0.2, rtol=0.2)


def test_a_traceback_shows_the_emitted_line() -> None:
    try:
        build(model("mlp:Tiny"), checks=False)(torch.randn(2, 3))
    except RuntimeError as error:
        shown = "".join(traceback.format_exception(error))
        assert "self.linear" in shown or "F.gelu" in shown or "return" in shown
        assert "ogive_model_Tiny" in shown
    else:
        raise AssertionError("sizes do not fit")


@pytest.mark.parametrize("loop", ["repeat 3:", "scan i in arange[3] along 0 carry r = b:"])
def test_what_a_loop_carries_and_what_it_reads_may_start_as_one_tensor(loop: str) -> None:
    start = "    r = b\n" if loop.startswith("repeat") else ""
    more = "" if loop.startswith("repeat") else " + 0 * cast[float](i)"
    text = f"block f(b: [n]) -> [n]:\n{start}    {loop}\n        r = b - r / 2{more}\n    return r\n\nmodel M = f[]\n"
    b = torch.tensor([1.0, 2.0])
    expected = b
    for _ in range(3):
        expected = b - expected / 2
    torch.testing.assert_close(build(check_text(text).models["M"].ir)(b), expected)

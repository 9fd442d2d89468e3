"""Pools of posets that the source writes after a ReLU: averages, with the same values and gradients."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import ogive
from ogive.backends.pytorch.module.module import build
from ogive.compiler.driver.workspace import check_text
from ogive.compiler.ir.model import Model
from ogive.compiler.ir_tools.verify import verify
from ogive.compiler.passes.pipelines.calls import PassCall
from ogive.compiler.passes.pipelines.registry import run
from sampled import sampled

TEXT = """use std.nn (Linear)
use std.posets (PosetPool)

block act(x: [b, c, h, w]) -> [b, c, h, w]:
    return x |> {act}

block Net(x: [b, 3, h, w]) -> [b, 3, h', w']
where h > 5, w > 5:
    return x |> rearrange["b c h w -> b h w c"] |> Linear[3, 3] as mix |> rearrange["b h w c -> b c h w"] |> {steps}

model M = Net[]
"""
PASSES = ("simplify", "fold")
WINDOWS = ["2", "2, stride=1", "3, stride=2", "[2, 3], stride=[3, 1]", "2, stride=3", "1, stride=1"]


def net(steps: str, act: str = "relu") -> Model:
    """A linear map of channels, then these steps."""
    program = check_text(TEXT.format(act=act, steps=steps))
    assert program.ok, [d.message for d in program.diagnostics]
    return program.models["M"].ir


def image(*shape: int) -> Tensor:
    """Random numbers, and a corner of zeros."""
    found = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    found[..., :3, :3] = 0
    return found.requires_grad_()


def averaged(model: Model, name: str, pools: int = 1) -> Model:
    """The model after a pass that leaves so many averages and no pool of a poset."""
    passed = run(model, [PassCall(name)], verify)
    found = passed.model
    ops = [node.op for node in found.definition.graph.walk()]
    assert ops.count("avg_pool") == pools
    assert "maximum" not in ops
    assert not any(node.callee and "oset" in node.callee.block for node in found.definition.graph.walk())
    assert sum("became an average" in note.text for note in passed.notes if note.done) == pools
    assert passed.conversion.is_identity
    return found


def agree(source: Model, result: Model, *shapes: tuple[int, ...]) -> None:
    """Equal values, and equal gradients of the image and of all weights."""
    one, two = (build(model).double() for model in (source, result))
    two.load_state_dict(one.state_dict())
    for shape in shapes:
        x = image(*shape)
        y, z = one(x), two(x)
        torch.testing.assert_close(z, y, rtol=1e-12, atol=1e-12)
        back = torch.randn(y.shape, dtype=y.dtype, generator=torch.Generator().manual_seed(1))
        wanted = torch.autograd.grad(y, (x, *one.parameters()), back)
        found = torch.autograd.grad(z, (x, *two.parameters()), back)
        torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", PASSES)
@pytest.mark.parametrize("order", sampled(range(16)))
def test_every_order_of_four(order: int, name: str) -> None:
    source = net(f'relu |> poset_pool["#{order}"]')
    result = averaged(source, name)
    agree(source, result, (2, 3, 8, 8), (1, 3, 7, 9))
    x = image(1, 3, 8, 9)
    module = build(source).double()
    values = F.relu(module.get_submodule("mix")(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2))
    torch.testing.assert_close(module(x), 4 * F.avg_pool2d(F.pad(values, (0, 1)), 2), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("window", "block"), list(zip(WINDOWS, ("poset_pool", "PosetPool") * 3, strict=True)))
def test_every_window_and_stride(window: str, block: str) -> None:
    source = net(f'relu |> {block}["antichain", {window}]')
    agree(source, averaged(source, "simplify"), (2, 3, 8, 8), (1, 3, 7, 9))


@pytest.mark.parametrize("act", ["abs", "exp", "relu", "relu6", "sigmoid", "softmax[axis=1]", "softplus"])
def test_whatever_is_never_negative_and_flat_where_it_is_zero(act: str) -> None:
    source = net(f'{act} |> poset_pool["zigzag"]')
    agree(source, averaged(source, "fold"), (1, 3, 7, 8))


@pytest.mark.parametrize(
    ("steps", "pools"),
    [
        ('act |> max_pool[3, stride=1] |> poset_pool["diamond"]', 1),
        ('relu |> PosetPool["chain", stride=1] |> poset_pool["bowtie"]', 2),
        ('relu |> rearrange["b c h w -> b c w h"] |> dropout[p=0.0] |> poset_pool["chain"]', 1),
    ],
)
def test_through_what_keeps_signs_and_through_calls(steps: str, pools: int) -> None:
    source = net(steps)
    agree(source, averaged(source, "simplify", pools), (2, 3, 8, 9))


@pytest.mark.parametrize("steps", ['tanh |> poset_pool["chain"]', 'poset_pool["chain"]', 'gelu |> poset_pool["chain"]'])
def test_elsewhere_a_pool_stays(steps: str) -> None:
    for name in PASSES:
        passed = run(net(steps), [PassCall(name)], verify)
        assert not any(node.op == "avg_pool" for node in passed.model.definition.graph.walk())
        assert not any("average" in note.text for note in passed.notes)


def test_the_report_says_where() -> None:
    text = TEXT.format(act="relu", steps='relu |> poset_pool["chain"]')
    report = ogive.source(text).models["M"].deploy("simplify").report()
    assert "Net, line 9: the poset's pool became an average: after a ReLU the pool of every poset is 4 times" in report

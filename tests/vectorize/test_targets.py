"""What targets make of a vectorized block: fused attention, one exported program, one graph for the compiler."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import ogive
from ogive.backends.onnx_model.export import Settings, exported
from ogive.backends.onnx_model.serialize.external_data import arrays
from ogive.backends.onnx_model.serialize.write import whole
from pytorch.test_operations import Calls
from vectorize.test_blocks import program

EXAMPLES = Path(__file__).parents[2] / "examples"
ATTENTION = """
block Attend(x: [{axes}, n, d]) -> [{axes}, n, d]:
    p = softmax[-1](einsum["{axes_} q e, {axes_} k e -> {axes_} q k"](x, x) / 2)
    return einsum["{axes_} q k, {axes_} k e -> {axes_} q e"](p, x)
block A(x: [e, {axes}, n, d]) -> [e, {axes}, n, d]:
    return over[e, Attend](x)
model M = A[]
"""


@pytest.mark.parametrize("axes", ["h", "b, h"])
def test_attention_under_an_axis_is_the_fused_kernel(axes: str) -> None:
    text = ATTENTION.replace("{axes}", axes).replace("{axes_}", axes.replace(",", ""))
    net = ogive.source(text).models["M"].torch()
    x = torch.randn(3, *(2 for _ in axes.split(",")), 7, 4)
    with Calls() as calls, torch.no_grad():
        y = net(x)
    assert "_scaled_dot_product_flash_attention_for_cpu" in calls.counts
    assert not {"bmm", "_softmax", "_safe_softmax"} & set(calls.counts)
    torch.testing.assert_close(y, (x @ x.mT / 2).softmax(-1) @ x)


def test_one_head_under_an_axis_is_the_fused_kernel_too() -> None:
    net = (
        ogive.source("""
block Attend(x: [n, d]) -> [n, d]:
    return softmax[-1](x @ rearrange["n d -> d n"](x) / 2) @ x
block A(x: [e, n, d]) -> [e, n, d]:
    return over[e, Attend](x)
model M = A[]
""")
        .models["M"]
        .torch()
    )
    x = torch.randn(3, 7, 4)
    with Calls() as calls, torch.no_grad():
        y = net(x)
    assert "_scaled_dot_product_flash_attention_for_cpu" in calls.counts
    torch.testing.assert_close(y, (x @ x.mT / 2).softmax(-1) @ x)


INPUTS: dict[tuple[str, str], tuple[Tensor, ...]] = {
    ("moe", "Tiny"): (torch.randint(32, (2, 8), generator=torch.manual_seed(0)),),
    ("hypernetwork", "Tiny"): (torch.randn(3, 6, 2), torch.randn(3, 5)),
}


@pytest.mark.parametrize("example", INPUTS, ids=str)
def test_examples_are_exported_and_compiled_whole(example: tuple[str, str]) -> None:
    file, name = example
    net, inputs = ogive.load(EXAMPLES / f"{file}.arch").models[name].torch().eval(), INPUTS[example]
    y = net(*inputs)
    program = torch.export.export(net, inputs)
    torch.testing.assert_close(program.module()(*inputs), y)
    torch._dynamo.reset()
    compiled: Any = torch.compile(net, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(*inputs), y)


def test_a_gradient_is_compiled_whole() -> None:
    net, x = ogive.load(EXAMPLES / "input_convex.arch").models["Tiny"].torch().double(), torch.randn(3, 4).double()
    torch._dynamo.reset()
    compiled: Any = torch.compile(net, fullgraph=True, backend="eager")
    weights = tuple(net.parameters())
    ours, plain = (torch.autograd.grad(f(x).square().sum(), weights, allow_unused=True) for f in (compiled, net))
    torch.testing.assert_close(compiled(x), net(x))
    torch.testing.assert_close(ours, plain)


@pytest.mark.parametrize("name", ["attention", "a loop with weights", "a batch norm", "a scan", "a convolution"])
def test_blocks_under_an_axis_are_exported(name: str) -> None:
    net, x = program(name).models["Each"].torch().eval(), torch.randn(3, 5, 4)
    torch.testing.assert_close(torch.export.export(net, (x,)).module()(x), net(x))


EXPERTS = """
use std.nn (Linear)
block MLP[d](x: [n, d]) -> [n, d]:
    return x |> Linear[d, 2*d] as up |> gelu |> Linear[2*d, d] as down
block E[e, d](x: [e, n, d]) -> [e, n, d]:
    return x |> each[e, MLP[d, ...]] as f
model M = E[e={count}, d=4]
"""


def test_an_onnx_graph_does_not_grow_with_the_number_of_experts() -> None:
    sizes = set()
    for count in (2, 64):
        model = ogive.source(EXPERTS.replace("{count}", str(count))).models["M"]
        proto = whole(exported(model.ir, arrays(model.torch()), Settings()))
        sizes.add(tuple(node.op_type for node in proto.graph.node))
    assert len(sizes) == 1
    assert len(sizes.pop()) == 7  # two products, two sums with a bias beside rows, one gelu


def test_a_vectorized_definition_is_written_once_however_often_it_is_used() -> None:
    text = EXPERTS.replace("as f", "as f |> each[e, MLP[d, ...]] as g")
    source = ogive.source(text.replace("{count}", "3")).models["M"].torch_source()
    assert source.count("class ") == 3  # EachLinear, EachMLP, E

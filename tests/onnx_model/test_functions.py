"""Functions of a file whose sizes have the names of other sizes of the graph that they are put into."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from onnx import NodeProto, TensorShapeProto

import ogive
from ogive.backends.onnx_model.export import Settings, exported
from ogive.backends.onnx_model.serialize.external_data import arrays
from ogive.backends.onnx_model.serialize.write import whole
from onnx_model.harness import array, difference, session

# `a` and `b` are the other way around in the block, so equal names have other numbers where it is used
TEXT = """
block Inner(x: [b, a, d]) -> [a, b, d]:
    param w: [d] = ones
    h = zeros[b, d]
    scan x_t in x along a carry h = h:
        h = 0.5 * h + x_t * w + mean(full[b, 2, v=0.5])
        yield ys = h
    return rearrange["b a d -> a b d"](ys)
block Main(x: [a, b, d]) -> ([b, a, d], [a, 2], [b, 2]):
    y = x |> Inner as f
    u = full[a, 2, v=0.75] * mean(tanh(y))
    v = full[b, 2, v=0.5] * mean(sin(y))
    return y, u + mean(v), v + mean(u)
model M = Main[d=2]
"""


def dims(node: NodeProto) -> Iterator[TensorShapeProto.Dimension]:
    for attribute in node.attribute:
        for value in (*attribute.g.input, *attribute.g.output, *attribute.g.value_info):
            yield from value.type.tensor_type.shape.dim
        for inner in attribute.g.node:
            yield from dims(inner)


def test_equal_names_are_no_equal_sizes() -> None:
    model = ogive.source(TEXT).models["M"]
    net = model.torch().eval()
    proto = whole(exported(model.ir, arrays(net), Settings(functions=True)))
    inside = [dim for f in proto.functions for node in f.node for dim in dims(node)]
    assert inside
    assert not any(dim.dim_param for dim in inside)
    for a, b in ((3, 4), (4, 3), (1, 5), (2, 2)):
        x = torch.randn(a, b, 2)
        for got, wanted in zip(session(proto).run(None, {"x": x.numpy()}), net(x), strict=True):
            assert difference(got, array(wanted)) <= 1e-5

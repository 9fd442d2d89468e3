"""Operations that are written as steps where something flows back through them: attention, pools of one or two axes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

from ogive.backends.onnx_model.autodiff import reduce as derive_reduce
from ogive.backends.onnx_model.autodiff.steps import Steps, aligned
from ogive.backends.onnx_model.graph.errors import OnnxError
from ogive.backends.onnx_model.ops.context import Args
from ogive.backends.onnx_model.ops.operands import operand, optional
from ogive.compiler.ir.model import Const, Node, Scalar
from ogive.compiler.ir.types import Axis, TensorType
from ogive.compiler.ops.recipe import Atom, AxisGroup, AxisPattern
from ogive.compiler.sizes import size


def attention(s: Steps, node: Node, args: Args) -> str:
    """softmax(scale q kᵀ + mask) v; a row that sees nothing gives 0, as the softmax does."""
    q, k, v = (operand(args, at) for at in range(3))
    scale = node.attr("scale")
    if scale is None:
        scale = Scalar("/", (1.0, Scalar("sqrt", (s.type(q).sizes[-1],))))
    scores = _product(s, s.mul(q, Const(scale)), s.turned(k))
    mask = optional(args, 3)
    if mask is not None and s.type(mask).elem == "bool":
        scores = s.where(mask, scores, Const(-math.inf), scores)
    elif mask is not None:
        scores = s.both("add", scores, mask)
    if node.attr("causal"):
        scores = s.where(_causal(s, scores), scores, Const(-math.inf), scores)
    return _product(s, s.map("softmax", scores, axis=len(s.type(scores).axes) - 1), v)


def _product(s: Steps, a: str, b: str) -> str:
    left, right = s.type(a).axes, s.type(b).axes
    lead = aligned([left[:-2], right[:-2]])
    return s.apply("matmul", (a, b), s.type(a).with_axes(*lead, left[-2], right[-1]))


def _causal(s: Steps, scores: str) -> str:
    """True where a query sees a key, the last query seeing all."""
    queries, keys = s.type(scores).axes[-2:]
    rows, columns = (s.apply("arange", (), TensorType("int", (each,)), n=each.size) for each in (queries, keys))
    if keys.size != queries.size:
        rows = s.apply("add", (rows, Const(keys.size - queries.size)), s.type(rows))
    return s.apply("le", (columns, s.opened(rows, [1])), TensorType("bool", (queries, keys)))


def max_pool(s: Steps, node: Node, args: Args) -> str:
    """The largest of each window, the first of equals."""
    x = operand(args)
    for at, pad in enumerate(node.attr("pad"), 2):
        if pad != size(0):
            longer = [Axis(each.size + 2 * pad) if place == at else each for place, each in enumerate(s.type(x).axes)]
            attrs = {"axis": at, "before": pad, "after": pad, "mode": "constant", "value": -math.inf}
            x = s.apply("pad", (x,), s.type(x).with_axes(*longer), **attrs)
    windows = _windows(s, node, x, node.outputs[0].type, padded=True)
    last = len(s.type(windows).axes) - 1
    kept = s.type(windows).axes[:-1]
    place = s.opened(s.apply("argmax", (windows,), TensorType("int", kept), axis=last), [last])
    return s.closed(
        s.apply("gather", (windows, place), s.type(windows).with_axes(*kept, Axis(size(1))), axis=last), [last]
    )


def avg_pool(s: Steps, node: Node, args: Args) -> str:
    """The mean of each window; of what is inside of it, where padding does not count."""
    x = operand(args)
    windows = _windows(s, node, x, node.outputs[0].type, padded=False)
    last = len(s.type(windows).axes) - 1
    if node.attr("count_include_pad") or all(pad == size(0) for pad in node.attr("pad")):
        return s.mean(windows, [last])
    ones = _windows(s, node, s.filled(1.0, x), node.outputs[0].type, padded=False)
    return s.both("div", s.total(windows, [last]), s.total(ones, [last]))


def _windows(s: Steps, node: Node, x: str, result: TensorType, *, padded: bool) -> str:
    """The entries of each window of a pool on a last axis."""
    kernel, count = node.attr("kernel"), len(node.attr("kernel"))
    if node.attr("ceil"):
        raise OnnxError(f"`grad` through `{node.op}` with windows that overhang (`ceil`) is not supported in ONNX")
    if count > 2:
        raise OnnxError(f"`grad` through `{node.op}` of three axes is not supported in ONNX")
    attrs = {"kernel": kernel, "stride": node.attr("stride"), "dilation": node.attr("dilation", (size(1),) * count)}
    pads = (size(0),) * count if padded else node.attr("pad")
    steps = result.axes[2:]
    opened = s.type(x).with_axes(*s.type(x).axes[:2], *map(Axis, kernel), *steps)
    found = s.apply("unfold", (x,), opened, **attrs, pad=pads)
    places = [AxisGroup(((Atom(f"a{at}", axis.size),),)) for at, axis in enumerate(opened.axes)]
    inner = AxisGroup((tuple(atom for place in places[2 : 2 + count] for atom in place.atoms),))
    return s.moved(found, AxisPattern((tuple(places),), ((*places[:2], *places[2 + count :], inner),)))


Spelling = Callable[[Steps, Node, Args], str]
SPELLED: Mapping[str, Spelling] = MappingProxyType(
    {**derive_reduce.SPELLED, "attention": attention, "max_pool": max_pool, "avg_pool": avg_pool}
)

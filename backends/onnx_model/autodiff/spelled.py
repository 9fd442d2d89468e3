"""Operations that are written as steps where something flows back through them: attention, pools, resampling."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from ogive.backends.onnx_model.autodiff import reduce as derive_reduce
from ogive.backends.onnx_model.autodiff.sampled import grid_sample
from ogive.backends.onnx_model.autodiff.steps import Steps, aligned
from ogive.backends.onnx_model.ops.context import Args
from ogive.backends.onnx_model.ops.operands import operand, optional
from ogive.backends.onnx_model.ops.pools import inside
from ogive.compiler.ir.model import Const, Node, Scalar
from ogive.compiler.ir.types import Axis, TensorType
from ogive.compiler.ops.recipe import Atom, AxisGroup, AxisPattern
from ogive.compiler.sizes import Size, size


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
    if node.attr("ceil") or len(node.attr("kernel")) > 2:
        return by_axis(s, node, args)
    for at, pad in enumerate(node.attr("pad"), 2):
        if pad != size(0):
            longer = [Axis(each.size + 2 * pad) if place == at else each for place, each in enumerate(s.type(x).axes)]
            attrs = {"axis": at, "before": pad, "after": pad, "mode": "constant", "value": -math.inf}
            x = s.apply("pad", (x,), s.type(x).with_axes(*longer), **attrs)
    return _first_largest(s, _windows(s, node, x, node.outputs[0].type))


def by_axis(s: Steps, node: Node, args: Args) -> str:
    """The largest of each window along one axis after the other, the last one first: so equals give the same place."""
    x = operand(args)
    for at in reversed(range(2, len(s.type(x).axes))):
        type, made = s.type(x), node.outputs[0].type.sizes[at]
        pair = TensorType("bool", (Axis(made), type.axes[at]))
        there = (
            inside(s.graph, type.sizes[at], made) if node.op == "adaptive_max_pool" else _in_window(s, node, at, pair)
        )
        s.graph.types.setdefault(there, pair)
        places = [AxisGroup(((Atom(f"a{place}", axis.size),),)) for place, axis in enumerate(type.axes)]
        order = [*places[:at], *places[at + 1 :]]
        turned = s.opened(s.moved(x, AxisPattern((tuple(places),), ((*order, places[at]),))), [len(order)])
        whole = s.type(turned).with_axes(*s.type(turned).axes[:-2], *pair.axes)
        found = _first_largest(s, s.apply("select", (there, turned, Const(-math.inf)), whole))
        result = AxisGroup(((Atom("made", made),),))
        x = s.moved(found, AxisPattern(((*order, result),), ((*places[:at], result, *places[at + 1 :]),)))
    return x


def _in_window(s: Steps, node: Node, at: int, pair: TensorType) -> str:
    """Whether an entry of an axis is in a window: i stride - pad + j dilation for j = 0 ... kernel - 1."""
    kernel, stride, pad, step = (node.attr(name)[at - 2] for name in ("kernel", "stride", "pad", "dilation"))
    rows, columns = (s.apply("arange", (), TensorType("int", (axis,)), n=axis.size) for axis in pair.axes)
    first = s.both("sub", s.both("mul", rows, Const(stride)), Const(pad))
    behind = s.both("sub", columns, s.opened(first, [1]))
    found = s.both("logical_and", s.asked("ge", behind, Const(0)), s.asked("lt", behind, Const(step * kernel)))
    if step == size(1):
        return found
    return s.both("logical_and", found, s.asked("eq", s.both("mod", behind, Const(step)), Const(0)))


def _first_largest(s: Steps, windows: str) -> str:
    """The largest of the last axis, and to the first of equals flows what flows back."""
    last, kept = len(s.type(windows).axes) - 1, s.type(windows).axes[:-1]
    place = s.opened(s.apply("argmax", (windows,), TensorType("int", kept), axis=last), [last])
    found = s.apply("gather", (windows, place), s.type(windows).with_axes(*kept, Axis(size(1))), axis=last)
    return s.closed(found, [last])


def separable(s: Steps, node: Node, args: Args) -> str:
    """What is linear and works on each axis for itself: a product with a matrix for each, which is what it makes of the
    unit matrix.
    """
    y = operand(args)
    for at, length in enumerate(node.outputs[0].type.sizes[2:]):
        matrix = _matrix(s, node, at, s.type(y).sizes[2 + at], length, s.type(y).elem)
        places = [AxisGroup(((Atom(f"a{place}", each),),)) for place, each in enumerate(s.type(y).sizes)]
        made = AxisGroup(((Atom("made", length),),))
        after = (*places[: 2 + at], made, *places[3 + at :])
        y = s.contracted([y, matrix], AxisPattern((tuple(places), (places[2 + at], made)), (after,)))
    return y


def _matrix(s: Steps, node: Node, at: int, length: Size, made: Size, elem: str) -> str:
    """How much of each entry of an axis is in each that is made of them: the operation on rows of the unit matrix."""
    one = size(1)
    axis = Axis(length)
    unit = s.apply("eye", (), TensorType("float", (axis, axis)), n=length)  # of the type of the model
    if elem != "float":
        unit = s.apply("cast", (unit,), TensorType(elem, (axis, axis)), type=elem)
    unit = s.opened(unit, [1, 3])
    given = dict(node.attrs)
    attrs: dict[str, Any] = {
        key: (given[key][at], other) for key, other in BESIDE.items() if given.get(key) is not None
    }
    attrs |= {key: value for key, value in given.items() if key not in attrs}
    attrs |= {"mode": "bilinear"} if given.get("mode") in ("linear", "trilinear") else {}
    result = TensorType(elem, (axis, Axis(one), Axis(made), Axis(one)))
    return s.closed(s.apply(node.op, (unit,), result, **attrs), [1, 3])


BESIDE = {  # the settings of a second axis, which has one entry
    "kernel": size(1),
    "stride": size(1),
    "pad": size(0),
    "dilation": size(1),
    "size": size(1),
    "scale": 1.0,
}


def _windows(s: Steps, node: Node, x: str, result: TensorType) -> str:
    """The entries of each window of a pool, which has its padding, on a last axis."""
    kernel, count = node.attr("kernel"), len(node.attr("kernel"))
    attrs = {"kernel": kernel, "stride": node.attr("stride"), "dilation": node.attr("dilation", (size(1),) * count)}
    opened = s.type(x).with_axes(*s.type(x).axes[:2], *map(Axis, kernel), *result.axes[2:])
    found = s.apply("unfold", (x,), opened, **attrs, pad=(size(0),) * count)
    places = [AxisGroup(((Atom(f"a{at}", axis.size),),)) for at, axis in enumerate(opened.axes)]
    inner = AxisGroup((tuple(atom for place in places[2 : 2 + count] for atom in place.atoms),))
    return s.moved(found, AxisPattern((tuple(places),), ((*places[:2], *places[2 + count :], inner),)))


LINEAR = ("interpolate", "avg_pool", "adaptive_avg_pool")
Spelling = Callable[[Steps, Node, Args], str]
SPELLED: Mapping[str, Spelling] = MappingProxyType(
    {
        **derive_reduce.SPELLED,
        "attention": attention,
        "max_pool": max_pool,
        "adaptive_max_pool": by_axis,
        "grid_sample": grid_sample,
        **dict.fromkeys(LINEAR, separable),
    }
)

"""`grid_sample` as steps, where something flows back through it: entries beside each place, by how near they are."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from ogive.backends.onnx_model.autodiff.steps import Steps
from ogive.backends.onnx_model.ops.context import Args
from ogive.backends.onnx_model.ops.operands import operand
from ogive.compiler.ir.model import Const, Node
from ogive.compiler.ir.types import Axis
from ogive.compiler.ops.recipe import Atom, AxisGroup, AxisPattern
from ogive.compiler.sizes import Size, size


def grid_sample(s: Steps, node: Node, args: Args) -> str:
    """Σ over the corners around each place, or the nearest entry. Outside are 0, the border, or x reflected."""
    x, grid = operand(args), operand(args, 1)
    mode, beyond = node.attr("mode"), node.attr("pad_mode")
    sizes = s.type(x).sizes[2:]
    places = [
        _place(s, _coordinate(s, grid, len(sizes) - 1 - at), length, node)  # the last axis of x stands first
        for at, length in enumerate(sizes)
    ]
    if mode == "nearest":
        return _masked(s, x, [s.map("round", place) for place in places], sizes, beyond)
    lows = [s.map("floor", place) for place in places]
    total = ""
    for corner in product((0, 1), repeat=len(sizes)):
        at = [low if not side else s.both("add", low, 1.0) for low, side in zip(lows, corner, strict=True)]
        near = ""
        for place, low, side in zip(places, lows, corner, strict=True):
            gap = s.both("sub", place, low)
            share = gap if side else s.both("sub", 1.0, gap)
            near = share if not near else s.mul(near, share)
        found = s.mul(_masked(s, x, at, sizes, beyond), s.opened(near, [1]))
        total = found if not total else s.both("add", total, found)
    return total


def _coordinate(s: Steps, grid: str, number: int) -> str:
    """One coordinate of all places."""
    type = s.type(grid)
    items = (*(("all",) for _ in type.axes[:-1]), ("index", size(number)))
    return s.apply("slice", (grid,), type.with_axes(*type.axes[:-1]), items=items)


def _place(s: Steps, x: str, length: Size, node: Node) -> str:
    """Where -1 and 1 are the middles of the first and the last entry, or their outer ends."""
    half = s.mul(s.both("add", x, 1.0), 0.5)
    if node.attr("align_corners"):
        place = s.mul(half, Const(length - 1))
    else:
        place = s.both("sub", s.mul(half, Const(length)), 0.5)
    if node.attr("pad_mode") == "zeros":
        return place
    if node.attr("pad_mode") == "reflection":
        place = _reflected(s, place, length, 0.0 if node.attr("align_corners") else 0.5)
    above = s.apply("maximum", (place, Const(0.0)), s.type(place))
    return s.apply("minimum", (above, Const(length - 1)), s.type(place))


def _reflected(s: Steps, x: str, length: Size, beside: float) -> str:
    """Turned around at both ends, which lie so far beside the middles of the first and the last entry, until inside."""
    span = Const(length if beside else length - 1)
    far = s.map("abs", s.both("add", x, beside))
    turns = s.map("floor", s.both("div", far, span))
    rest = s.both("sub", far, s.mul(turns, span))
    odd = s.both("sub", turns, s.mul(s.map("floor", s.mul(turns, 0.5)), 2.0))
    back = s.both("sub", span, s.mul(rest, 2.0))
    return s.both("sub", s.both("add", rest, s.mul(odd, back)), beside)


def _masked(s: Steps, x: str, at: Sequence[str], sizes: Sequence[Size], beyond: str) -> str:
    """The entries of x at places, which are whole; 0 where one is outside."""
    type, places = s.type(x), s.type(at[0])
    inside, number = "", ""
    for place, length in zip(at, sizes, strict=True):
        for op, bound in (("ge", Const(0.0)), ("le", Const(length - 1))):
            here = s.asked(op, place, bound)
            inside = here if not inside else s.apply("logical_and", (inside, here), s.type(here))
        held = s.apply("minimum", (s.apply("maximum", (place, Const(0.0)), places), Const(length - 1)), places)
        whole = s.apply("cast", (held,), places.with_elem("int"), type="int")
        number = whole if not number else s.both("add", s.mul(number, Const(length)), whole)
    batch, channels = type.axes[:2]
    names = {"b": batch.size, "c": channels.size}
    b, c = (AxisGroup(((Atom(name, each),),)) for name, each in names.items())
    mine = [Atom(f"n{i}", each) for i, each in enumerate(sizes)]
    steps = [Atom(f"m{i}", axis.size) for i, axis in enumerate(places.axes[1:])]
    row, made = AxisGroup((tuple(mine),)), AxisGroup((tuple(steps),))
    apart, shown = [AxisGroup(((each,),)) for each in mine], [AxisGroup(((each,),)) for each in steps]
    flat = s.moved(x, AxisPattern(((b, c, *apart),), ((b, c, row),)))
    index = s.moved(number, AxisPattern(((b, *shown),), ((b, c, made),)), "expand")
    found = s.apply("gather", (flat, index), type.with_axes(batch, channels, Axis(made.size)), axis=2)
    y = s.moved(found, AxisPattern(((b, c, made),), ((b, c, *shown),)))
    return y if beyond != "zeros" else s.where(s.opened(inside, [1]), y, Const(0.0), y)

"""Batching rules of operations that go by data: an index of every row for itself counts through all rows."""

from __future__ import annotations

from ogive.compiler.ir.model import Const, Node, Operand
from ogive.compiler.ir.types import Axis, TensorType
from ogive.compiler.ops.recipe import Atom, AxisGroup, Side
from ogive.compiler.passes.vectorize.values import Values, merged, places
from ogive.compiler.sizes import Size, size


def take(values: Values, node: Node, inputs: tuple[Operand, ...]) -> None:
    """Rows of one table by indices of all; with a table for each index, rows of all tables end to end."""
    x, index = (str(operand) for operand in inputs)
    at: int = node.attr("axis")
    if not values.has(index):
        values.results(node, (x, index), (("axis", at + 1),))
        return
    table, picked = places(values.base(x)), places(values.base(index))
    rows = _renamed(picked)
    if not values.has(x):
        _taken(values, node, x, index, at, table, rows)
        return
    length = table[at].size
    x = _end_to_end(values, x, at)
    index = _counted_through(values, index, length)
    _taken(values, node, x, index, 0, (table[at], *table[:at], *table[at + 1 :]), rows, at)


def _taken(
    values: Values, node: Node, x: str, index: str, at: int, table: Side, rows: Side, place: int | None = None
) -> None:
    """Takes along axis `at` by indices that have the axis; the result has them at `place`, after the axis."""
    before, after = table[:at], table[at + 1 :]
    made = (*before, values.place, *rows, *after)
    type = TensorType(values.types[x].elem, tuple(_axis(p) for p in made))
    y = values.make("take", (x, index), type, attrs=(("axis", at),))
    rest = (*before, *after)
    split = at if place is None else place
    values.bind(node.outputs[0], values.moved(y, made, (values.place, *rest[:split], *rows, *rest[split:])))


def _renamed(side: Side) -> Side:
    return tuple(AxisGroup(((Atom(f"r{i}", p.size, p.parts[0][0].pack),),), p.pack) for i, p in enumerate(side))


def _axis(place: AxisGroup) -> Axis:
    return Axis(place.size, None, place.parts[0][0].pack if place.pack else None)


def _counted_through(values: Values, index: str, length: Size) -> str:
    """Indices into one row of many as indices into all rows end to end: index[n, ...] + n · length."""
    type = values.types[index]
    start = values.make("arange", (), TensorType("int", (values.axis,)), attrs=(("n", values.axis.size),))
    start = values.make("mul", (start, Const(length)), TensorType("int", (values.axis,)))
    if type.elem != "int":
        cast = (("type", type.elem),)
        start = values.make("cast", (start,), TensorType(type.elem, (values.axis,)), attrs=cast)
    return values.make("add", (index, str(values.padded(start, type.axes[1:]))), type)


def put(values: Values, node: Node, inputs: tuple[Operand, ...]) -> None:
    """At one place for all, along the axis that moves up by one; at a place of every index for itself, by selection."""
    x, y, *rest = inputs
    at, start = node.attr("axis"), node.attr("start")
    if not rest or not values.has(rest[0]):
        values.results(node, (values.full(x), values.full(y), *rest), (("axis", at + 1), ("start", start)))
        return
    _selected(values, node, values.full(x), values.full(y), str(rest[0]), at, start)


def _selected(values: Values, node: Node, x: str, y: str, place: str, at: int, start: Size) -> None:
    """y[n, j - place[n]] where that is inside of y, else x[n, j]."""
    type, elem = node.outputs[0].type, values.types[place].elem
    room, length = type.axes[at], values.base(y).axes[at].size
    ints = TensorType("int", (room,))
    steps = values.make("arange", (), ints, mapped=False, attrs=(("n", room.size),))
    if elem != "int":
        place = values.make("cast", (place,), TensorType("int", (values.axis,)), attrs=(("type", "int"),))
    offsets = TensorType("int", (values.axis, room))
    offset = values.make("sub", (steps, values.padded(place, (room,))), offsets)
    if start != size(0):
        offset = values.make("sub", (offset, Const(start)), offsets)
    inside = values.make("ge", (offset, Const(0)), offsets.with_elem("bool"))
    below = values.make("lt", (offset, Const(length)), offsets.with_elem("bool"))
    inside = values.make("logical_and", (inside, below), offsets.with_elem("bool"))
    index = values.make("maximum", (offset, Const(0)), offsets)
    index = values.make("minimum", (index, Const(length - 1)), offsets)
    index, inside = (_beside(values, v, type, at) for v in (index, inside))
    rows = values.make("gather", (y, index), values.over(type), attrs=(("axis", at + 1),))
    values.results(node, (inside, rows, x), (), "select")


def _beside(values: Values, operand: str, type: TensorType, at: int) -> str:
    """A value [n, j] along axis `at` of a type, the same along all others."""
    own = places(type)
    before: Side = (values.place, own[at])
    return values.moved(operand, before, (values.place, *own), "expand")


def scattered(values: Values, node: Node, inputs: tuple[Operand, ...]) -> None:
    """Side by side along the axis that moves up by one; rows by an index of every table for itself, end to end."""
    x, index, src = (str(operand) for operand in inputs)
    at: int = node.attr("axis")
    moved = tuple((key, at + 1 if key == "axis" else value) for key, value in node.attrs)
    if not node.attr("along"):
        values.results(node, [values.full(operand) for operand in (x, index, src)], moved)
        return
    if not values.has(index):
        values.results(node, (values.full(x), index, values.full(src)), moved)
        return
    table = places(values.base(x))
    x, src = (_end_to_end(values, values.full(operand), at) for operand in (x, src))
    index = values.folded(_counted_through(values, index, table[at].size))
    attrs = tuple((key, {"axis": 0, "along": len(table) > 1}.get(key, value)) for key, value in node.attrs)
    y = values.make(node.op, (x, index, src), values.types[x], mapped=False, attrs=attrs)
    rest = (*table[:at], *table[at + 1 :])
    whole = (merged(values.place, table[at]), *rest)
    values.bind(node.outputs[0], values.moved(y, whole, (values.place, *table)))


def _end_to_end(values: Values, operand: str, at: int) -> str:
    """All rows of all tables: `n a l b -> (n l) a b`."""
    axes = places(values.base(operand))
    rows = merged(values.place, axes[at])
    return values.moved(operand, (values.place, *axes), (rows, *axes[:at], *axes[at + 1 :]), mapped=False)


def permutation(values: Values, node: Node, inputs: tuple[Operand, ...]) -> None:
    """The order of random numbers is a random order, for each index its own."""
    del inputs
    type = values.over(node.outputs[0].type)
    drawn = values.make("rand", (), type.with_elem("float"))
    values.results(node, (drawn,), (("axis", 1), ("descending", False)), "argsort")

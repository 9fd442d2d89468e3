"""Derivatives of operations that choose, move, join and order entries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from ogive.backends.onnx_model.autodiff import writing as derive_writing
from ogive.backends.onnx_model.autodiff.steps import Flow, Many, Rule, Steps
from ogive.backends.onnx_model.autodiff.tape import Noted
from ogive.backends.onnx_model.graph.errors import OnnxError
from ogive.backends.onnx_model.ops.operands import operand
from ogive.compiler.ir.model import Const
from ogive.compiler.ir.types import Axis, TensorType
from ogive.compiler.ops.recipe import Atom, AxisGroup, AxisPattern
from ogive.compiler.sizes import Size, size


def concat(s: Steps, noted: Noted, g: str) -> Sequence[Flow]:
    """To each operand its part."""
    axis, start = noted.node.attr("axis"), size(0)
    found: list[Flow] = []
    for at in range(len(noted.args)):
        part = operand(noted.args, at)
        stop = start + s.type(part).sizes[axis]
        found.append(_cut(s, g, part, axis, start, stop))
        start = stop
    return found


def _cut(s: Steps, g: str, like: str, axis: int, start: Size, stop: Size) -> str:
    items = tuple(("slice", start, stop, size(1)) if at == axis else ("all",) for at in range(len(s.type(g).axes)))
    return s.apply("slice", (g,), s.type(like), items=items)


def stack(s: Steps, noted: Noted, g: str) -> Sequence[Flow]:
    """To each operand its entry of the new axis."""
    axis, rank = noted.node.attr("axis"), len(s.type(g).axes)
    found: list[Flow] = []
    for at in range(len(noted.args)):
        items = tuple(("index", size(at)) if place == axis else ("all",) for place in range(rank))
        found.append(s.apply("slice", (g,), s.type(operand(noted.args, at)), items=items))
    return found


def flip(s: Steps, noted: Noted, g: str) -> Sequence[Flow]:
    """Turned around again."""
    return [s.map("flip", g, axis=noted.node.attr("axis"))]


def roll(s: Steps, noted: Noted, g: str) -> Sequence[Flow]:
    """Rolled back."""
    return [s.map("roll", g, axis=noted.node.attr("axis"), by=size(0) - noted.node.attr("by"))]


def cumsum(s: Steps, noted: Noted, g: str) -> Sequence[Flow]:
    """The sums from the other end."""
    axis = noted.node.attr("axis")
    return [s.map("flip", s.map("cumsum", s.map("flip", g, axis=axis), axis=axis), axis=axis)]


def triangle(s: Steps, noted: Noted, g: str) -> Sequence[Flow]:
    """The same entries."""
    return [s.map(noted.node.op, g, diagonal=noted.node.attr("diagonal"))]


def diag(s: Steps, noted: Noted, g: str) -> Sequence[Flow]:
    """On the diagonal, between zeros."""
    kind = s.type(operand(noted.args))
    n, rank = kind.axes[-1], len(kind.axes)
    count = s.apply("arange", (), TensorType("int", (n,)), n=n.size)
    met = s.asked("eq", s.opened(count, [1]), count)
    wide = s.spread(g, [rank - 2], kind.sizes)
    return [s.where(met, wide, Const(0.0), operand(noted.args))]


def take(s: Steps, noted: Noted, g: str) -> Sequence[Flow]:
    """Added where the entries were taken; the axes of the index are one for this."""
    x, index = operand(noted.args), operand(noted.args, 1)
    axis, many = noted.node.attr("axis"), len(s.type(index).axes)
    places = tuple(AxisGroup(((Atom(f"a{at}", item),),)) for at, item in enumerate(s.type(g).sizes))
    lead, mine, rest = places[:axis], places[axis : axis + many], places[axis + many :]
    one = AxisGroup((tuple(atom for place in mine for atom in place.atoms),))
    flow = s.moved(g, AxisPattern((places,), ((*lead, one, *rest),)))
    flat = s.moved(index, AxisPattern((mine,), ((one,),)))
    alone = len(s.type(x).axes) == 1
    return [s.apply("scatter_add", (s.filled(0.0, x), flat, flow), s.type(x), axis=axis, along=not alone), None]


def gather(s: Steps, noted: Noted, g: str) -> Sequence[Flow]:
    """Added where the entries were taken."""
    x, index = operand(noted.args), operand(noted.args, 1)
    axis = noted.node.attr("axis")
    return [s.apply("scatter_add", (s.filled(0.0, x), index, g), s.type(x), axis=axis, along=False), None]


def put(s: Steps, noted: Noted, g: str) -> Sequence[Flow]:
    """To x but for what was written over; to y that."""
    y, axis, start = operand(noted.args, 1), noted.node.attr("axis"), noted.node.attr("start")
    if len(noted.args) > 2 and noted.args[2] is not None:
        raise OnnxError("`grad` through `put` at a place that is known when it runs is not supported in ONNX")
    rest = s.apply("put", (g, s.filled(0.0, y)), s.type(g), axis=axis, start=start)
    return [rest, _cut(s, g, y, axis, start, start + s.type(y).sizes[axis]), *[None] * (len(noted.args) - 2)]


def split(s: Steps, noted: Noted, flows: Sequence[Flow]) -> Sequence[Flow]:
    """The parts together again, zeros for those from which nothing flows."""
    recipe: AxisPattern = noted.node.attr("recipe")
    given = [flow or s.filled(0.0, result) for flow, result in zip(flows, noted.results, strict=True)]
    if len(recipe.outputs) > 1:
        return rearrange(s, noted, flows)
    side = recipe.outputs[0]
    axes = (Axis(size(len(given))), *s.type(given[0]).axes)
    whole = s.apply("stack", given, s.type(given[0]).with_axes(*axes), axis=0)
    return [s.moved(whole, AxisPattern((side,), recipe.inputs))]


def rearrange(s: Steps, noted: Noted, flows: Sequence[Flow]) -> Sequence[Flow]:
    """The other way round: what was joined is cut, and what was cut joined, with zeros where nothing flows from."""
    recipe: AxisPattern = noted.node.attr("recipe")
    given = [flow or s.filled(0.0, result) for flow, result in zip(flows, noted.results, strict=True)]
    back = AxisPattern(recipe.outputs, recipe.inputs)
    if len(given) == len(noted.args) == 1:
        return [s.moved(given[0], back)]
    types = [s.type(x).with_elem(s.type(given[0]).elem) for x in map(str, noted.args)]
    return s.applied("rearrange", given, types, recipe=back)


def unfold(s: Steps, noted: Noted, g: str) -> Sequence[Flow]:
    """Added up where they were taken."""
    x = operand(noted.args)
    return [s.apply("fold", (g,), s.type(x), size=s.type(x).sizes[2:], **dict(noted.node.attrs))]


def fold(s: Steps, noted: Noted, g: str) -> Sequence[Flow]:
    """The windows of what flows back."""
    settings = {key: value for key, value in noted.node.attrs if key != "size"}
    return [s.apply("unfold", (g,), s.type(operand(noted.args)), **settings)]


def running(s: Steps, noted: Noted, g: str) -> Sequence[Flow]:
    """To the last place so far whose entry was the largest or smallest."""
    x, axis = operand(noted.args), noted.node.attr("axis")
    kind = s.type(x).with_elem("int")
    side = tuple(AxisGroup(((Atom(f"a{at}", item),),)) for at, item in enumerate(kind.sizes))
    count = s.apply("arange", (), kind.with_axes(kind.axes[axis]), n=kind.axes[axis].size)
    places = s.moved(count, AxisPattern(((side[axis],),), (side,)), "expand")
    here = s.apply("logical_or", (s.asked("eq", x, noted.results[0]), s.asked("ne", x, x)), kind.with_elem("bool"))
    latest = s.apply("cummax", (s.apply("select", (here, places, Const(0)), kind),), kind, axis=axis)
    return [s.apply("scatter_add", (s.filled(0.0, x), latest, g), s.type(x), axis=axis, along=False)]


def topk(s: Steps, noted: Noted, flows: Sequence[Flow]) -> Sequence[Flow]:
    """Of the values, to the places where they were."""
    x, axis = operand(noted.args), noted.node.attr("axis")
    if flows[0] is None:
        return [None]
    return [s.apply("scatter_add", (s.filled(0.0, x), noted.results[1], flows[0]), s.type(x), axis=axis, along=False)]


def sort(s: Steps, noted: Noted, g: str) -> Sequence[Flow]:
    """To the places where the entries were."""
    x, axis = operand(noted.args), noted.node.attr("axis")
    places = s.apply("argsort", (x,), s.type(x).with_elem("int"), **dict(noted.node.attrs))
    return [s.apply("scatter_add", (s.filled(0.0, x), places, g), s.type(x), axis=axis, along=False)]


RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "concat": concat,
        "stack": stack,
        "flip": flip,
        "roll": roll,
        "cumsum": cumsum,
        "diag": diag,
        "tril": triangle,
        "triu": triangle,
        "take": take,
        "gather": gather,
        "unfold": unfold,
        "fold": fold,
        "cummax": running,
        "cummin": running,
        **derive_writing.RULES,
        "put": put,
        "sort": sort,
    }
)
MANY: Mapping[str, Many] = MappingProxyType({"split": split, "topk": topk, "rearrange": rearrange})

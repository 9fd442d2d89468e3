"""`over`, `each` and `custom_grad`: a region at every index of an axis, and a value whose derivative is another's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ogive.backends.onnx_model.errors import OnnxError
from ogive.backends.onnx_model.loops import tensor, typed
from ogive.backends.onnx_model.operands import unsqueezed
from ogive.backends.onnx_model.specialize import real
from ogive.compiler.ir import Node
from ogive.compiler.sizes import Size, size
from ogive.compiler.types import TensorType

if TYPE_CHECKING:
    from ogive.backends.onnx_model.walk import Bound, Frame, Walker

MANY = 64  # indices that are counted out; more of them run in a loop


def lower(walker: Walker, frame: Frame, node: Node) -> None:
    """The region at every index: counted out where their number is known and small, else by `Scan`."""
    count = size(node.attr("size")).subs(frame.sizes.unknowns)
    weighted = node.op == "each"
    if weighted and not count.is_number:
        raise OnnxError(f"`each` over `{count}` needs a number; give the size with `sizes`", node.span)
    if count.is_number and (weighted or count.number <= MANY):
        _counted_out(walker, frame, node, count)
    else:
        _scan(walker, frame, node)


def custom(walker: Walker, frame: Frame, node: Node) -> None:
    """The value alone: no derivative is taken of a deployed model."""
    region, captured = node.regions[0], int(node.attr("captured"))
    _enter(walker, frame, node, [walker.bound(frame, x) for x in node.inputs[: 1 + captured]])
    for value, result in zip(node.outputs, walker.graph(frame, region), strict=True):
        frame.values[value.name] = result


def _enter(walker: Walker, frame: Frame, node: Node, values: Sequence[Bound]) -> None:
    for value, bound in zip(node.regions[0].inputs, values, strict=True):
        frame.values[value.name] = bound


def _places(frame: Frame, node: Node) -> list[int]:
    """Where the axis stands in the mapped operands, packs taken apart."""
    pairs = zip(node.inputs, node.attr("in_axes"), strict=False)
    return [frame.sizes.at(frame.types[str(x)], place) for x, place in pairs]


def _counted_out(walker: Walker, frame: Frame, node: Node, count: Size) -> None:
    builder, mapped, places = walker.builder, int(node.attr("mapped")), _places(frame, node)
    sources = [tensor(walker, walker.bound(frame, x), "float") for x in node.inputs[:mapped]]
    captured = [walker.bound(frame, x) for x in node.inputs[mapped:]]
    rows: list[list[str]] = [[] for _ in node.outputs]
    outer = frame.lifts
    for index in range(count.number):
        items: list[Bound] = []
        for source, place in zip(sources, places, strict=True):
            item = builder.node("Gather", source, builder.number(index, "int"), axis=place)
            whole = builder.types[source]
            typed(walker, item, whole.with_axes(*whole.axes[:place], *whole.axes[place + 1 :]), source)
            items.append(item)
        frame.lifts = (*outer, (index, count)) if node.op == "each" else outer
        _enter(walker, frame, node, [*items, *captured])
        for row, result, value in zip(rows, walker.graph(frame, node.regions[0]), node.outputs, strict=True):
            row.append(tensor(walker, result, value.type.elem))
    frame.lifts = outer
    for row, value, place in zip(rows, node.outputs, node.attr("out_axes"), strict=True):
        at = frame.sizes.at(value.type, place)
        builder.hints = (value.hint,)
        name = builder.node("Concat", *(unsqueezed(builder, each, [at]) for each in row), axis=at)
        walker.note(name, value, frame)
        frame.values[value.name] = name


def _scan(walker: Walker, frame: Frame, node: Node) -> None:
    builder, mapped, region = walker.builder, int(node.attr("mapped")), node.regions[0]
    sources = [tensor(walker, walker.bound(frame, x), "float") for x in node.inputs[:mapped]]
    inner = [(value.hint or value.name, real(frame.sizes.type(value.type))) for value in region.inputs[:mapped]]
    pairs = zip(node.outputs, node.attr("out_axes"), strict=True)
    places = [frame.sizes.at(value.type, place) for value, place in pairs]

    def step(names: Sequence[str]) -> list[tuple[str, TensorType]]:
        for name, value in zip(names, region.inputs, strict=False):
            if value.type.elem == "complex":
                builder.complex.add(name)
        _enter(walker, frame, node, [*names, *(walker.bound(frame, x) for x in node.inputs[mapped:])])
        found = []
        for result, value, at in zip(walker.graph(frame, region), node.outputs, places, strict=True):
            whole = real(frame.sizes.type(value.type))
            inside = whole.with_axes(*whole.axes[:at], *whole.axes[at + 1 :])
            found.append((tensor(walker, result, value.type.elem), inside))
        return found

    names = builder.scan([], sources, inner, step, _places(frame, node), places, False)
    for value, name in zip(node.outputs, names, strict=True):
        walker.note(name, value, frame)
        frame.values[value.name] = name

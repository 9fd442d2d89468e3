"""Loops: `repeat` counted out, `scan` as `Scan` with a graph of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ogive.backends.onnx_model.errors import OnnxError
from ogive.backends.onnx_model.lower_values import counted
from ogive.backends.onnx_model.made import Body
from ogive.backends.onnx_model.specialize import real
from ogive.compiler.ir import Const, Node, Value
from ogive.compiler.sizes import Size, size
from ogive.compiler.types import TensorType

if TYPE_CHECKING:
    from ogive.backends.onnx_model.walk import Bound, Frame, Walker


def lower(walker: Walker, frame: Frame, node: Node) -> None:
    """A loop over turns whose number is known is counted out; any other becomes a `Scan`."""
    count = size(node.attr("count")).subs(frame.sizes.unknowns)
    if node.op == "repeat" and count.is_number:
        _counted_out(walker, frame, node, count.number)
    elif node.op == "repeat" and node.path and _has_members(frame, node):
        raise OnnxError(f"`repeat {count}` with weights of its own needs a number; give the size with `sizes`")
    else:
        _scan(walker, frame, node, count)


def _has_members(frame: Frame, node: Node) -> bool:
    return any(member.path.startswith(f"{node.path}.*") for member in frame.definition.members)


def _counts(node: Node) -> tuple[int, int, int]:
    carry, turn, number = (int(node.attr(name, 0)) for name in ("carry", "turn", "number"))
    return carry, turn, number


def _counted_out(walker: Walker, frame: Frame, node: Node, count: int) -> None:
    carry, turn, number = _counts(node)
    builder, region = walker.builder, node.regions[0]
    carried: Sequence[Bound] = [walker.bound(frame, x) for x in node.inputs[:carry]]
    sources = [walker.bound(frame, x) for x in node.inputs[carry : carry + turn]]
    captured = [walker.bound(frame, x) for x in node.inputs[carry + turn :]]
    yields: list[list[str]] = [[] for _ in node.outputs[carry:]]
    outer, place = frame.turns, frame.place
    for turn_number in range(count):
        frame.turns = (*outer, turn_number)
        frame.place = frame.path(f"{node.path}.*") if node.path else place
        items: list[Bound] = []
        for source in sources:
            assert isinstance(source, str), node
            item = builder.node("Gather", source, builder.number(turn_number, "int"), axis=0)
            typed(walker, item, _without(walker, source, 0), source)
            items.append(item)
        index: list[Bound] = []
        if number:
            name = builder.number(turn_number, "int")
            builder.types.setdefault(name, TensorType("int", ()))
            index = [name]
        for value, bound in zip(region.inputs, [*carried, *items, *index, *captured], strict=True):
            frame.values[value.name] = bound
        results = walker.graph(frame, region)
        carried = results[:carry]
        for collected, found in zip(yields, results[carry:], strict=True):
            collected.append(tensor(walker, found, "float"))
    frame.turns, frame.place = outer, place
    stacked = [_stacked(walker, rows) for rows in yields]
    for value, bound in zip(node.outputs, [*carried, *stacked], strict=True):
        frame.values[value.name] = bound
        if isinstance(bound, str) and bound not in builder.types:
            typed(walker, bound, real(frame.sizes.type(value.type)), None)


def _stacked(walker: Walker, rows: list[str]) -> str:
    builder = walker.builder
    y = builder.node("Concat", *(builder.node("Unsqueeze", row, builder.array([0])) for row in rows), axis=0)
    if builder.paired(rows[0]):
        builder.complex.add(y)
    return y


def _without(walker: Walker, source: str, axis: int) -> TensorType:
    type = walker.builder.types[source]
    return type.with_axes(*type.axes[:axis], *type.axes[axis + 1 :])


def typed(walker: Walker, name: str, type: TensorType, like: str | None) -> None:
    """Note the type of a value, complex where another one is."""
    walker.builder.types[name] = type
    if like is not None and walker.builder.paired(like):
        walker.builder.complex.add(name)


def tensor(walker: Walker, bound: Bound, elem: str) -> str:
    """A value as a tensor, literals too."""
    if isinstance(bound, Const):
        return walker.builder.literal(bound, elem)
    assert isinstance(bound, str), bound
    return bound


def _scan(walker: Walker, frame: Frame, node: Node, count: Size) -> None:
    """`Scan`: states first, then slices; captures are seen from inside."""
    carry, turn, number = _counts(node)
    builder, region = walker.builder, node.regions[0]
    axis = node.attr("axis", 0)
    sliced = node.inputs[carry : carry + turn]
    places = list(axis) if isinstance(axis, tuple) else [axis] * turn
    axes = [frame.sizes.at(frame.types[str(x)], place) for x, place in zip(sliced, places, strict=True)]
    out_axis = axes[0] if axes else 0
    reverse = int(bool(node.attr("reverse")))
    starts = [_start(walker, frame, node, i) for i in range(carry)]
    sources = [tensor(walker, walker.bound(frame, x), "float") for x in sliced]
    if number or not sources:
        sources.append(counted(builder, count))
        axes.append(0)
    body = Body(parent=builder.body)
    builder.body = body
    inner = [_input(walker, frame, value) for value in region.inputs[: carry + turn]]
    body.inputs = [(name, builder.types[name]) for name in inner]
    if number or not sliced:
        index = builder.name("turn")
        builder.types[index] = TensorType("int", ())
        body.inputs.append((index, builder.types[index]))
        inner += [index] if number else []
    captured = [walker.bound(frame, x) for x in node.inputs[carry + turn :]]
    for value, bound in zip(region.inputs, [*inner, *captured], strict=True):
        frame.values[value.name] = bound
    results = [tensor(walker, r, _elem(region.outputs[i], frame)) for i, r in enumerate(walker.graph(frame, region))]
    for i, (name, value) in enumerate(zip(results, node.outputs, strict=True)):
        body.outputs.append(_output(walker, frame, name, value, i < carry, out_axis))
    assert body.parent is not None
    builder.body = body.parent
    scans = len(sources)
    directions = [reverse] * scans
    yields = len(node.outputs) - carry
    attrs = {
        "num_scan_inputs": scans,
        "scan_input_axes": axes,
        "scan_input_directions": directions,
        "scan_output_axes": [out_axis] * yields,
        "scan_output_directions": [reverse] * yields,
        "body": body,
    }
    names = builder.add("Scan", [*starts, *sources], len(node.outputs), attrs)
    for value, name in zip(node.outputs, names, strict=True):
        frame.values[value.name] = name
        typed(walker, name, real(frame.sizes.type(value.type)), None)
        if value.type.elem == "complex":
            builder.complex.add(name)


def _start(walker: Walker, frame: Frame, node: Node, at: int) -> str:
    return tensor(walker, walker.bound(frame, node.inputs[at]), node.outputs[at].type.elem)


def _elem(operand: object, frame: Frame) -> str:
    return frame.types[operand].elem if isinstance(operand, str) else "float"


def _input(walker: Walker, frame: Frame, value: Value) -> str:
    builder = walker.builder
    name = builder.name(f"{builder.path}/{value.hint or value.name}" if builder.path else value.hint or value.name)
    builder.types[name] = real(frame.sizes.type(value.type))
    if value.type.elem == "complex":
        builder.complex.add(name)
    return name


def _output(
    walker: Walker, frame: Frame, name: str, value: Value, state: bool, axis: int
) -> tuple[str, TensorType]:
    """An output of the body has a name that its own nodes made."""
    builder = walker.builder
    type = real(frame.sizes.type(value.type))
    if not state:
        type = type.with_axes(*type.axes[:axis], *type.axes[axis + 1 :])
    own = builder.add("Identity", [name], 1, {})[0]
    return own, type


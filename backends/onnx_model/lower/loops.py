"""Loops: `repeat` unrolled, `scan` as `Scan` with a graph of its own; and the value of `custom_grad`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ogive.backends.onnx_model.autodiff.loops import LoweredLoop, backwards
from ogive.backends.onnx_model.autodiff.tape import Noted
from ogive.backends.onnx_model.graph.errors import OnnxError
from ogive.backends.onnx_model.lower.specialize import real
from ogive.backends.onnx_model.ops.operands import unsqueezed
from ogive.backends.onnx_model.ops.values import counted
from ogive.backends.onnx_model.taps import StepTap, Taps, steps_seen
from ogive.backends.onnx_model.walk_state import Bound, DefinitionFrame, Lowering
from ogive.compiler.ir.attributes import LoopAttrs, RepeatAttrs
from ogive.compiler.ir.model import Const, Node
from ogive.compiler.ir.types import TensorType
from ogive.compiler.ir_tools.maybe import deployed_outputs
from ogive.compiler.ops.empty import may_be_empty
from ogive.compiler.passes.cleanup.flat_absent import without_inputs, without_results
from ogive.compiler.sizes import Size, size


def lower(walker: Lowering, frame: DefinitionFrame, node: Node, loop: LoopAttrs) -> Sequence[Bound]:
    """A loop over iterations whose number is known is unrolled; any other becomes a `Scan`."""
    count = loop.count.subs(frame.sizes.unknowns)
    if isinstance(loop, RepeatAttrs) and count.is_number:
        return _counted_out(walker, frame, node, loop, count.number)
    if isinstance(loop, RepeatAttrs) and node.path and _has_members(frame, node):
        text = f"`repeat {count}` with weights of its own needs a number; give the size with `sizes`"
        raise OnnxError(text, node.span)
    if isinstance(loop, RepeatAttrs) and may_be_empty(count):
        text = f"`repeat {count}`, which may run no iteration, is not supported in ONNX; state `where {count} >= 1`"
        raise OnnxError(text, node.span)
    left = _of_what_is_there(walker, frame, node)
    assert left.loop is not None, left
    made = dict(zip((value.name for value in left.outputs), _scan(walker, frame, left, left.loop, count), strict=True))
    return [made.get(value.name) for value in node.outputs]


def _of_what_is_there(walker: Lowering, frame: DefinitionFrame, node: Node) -> Node:
    """A loop without what is absent: what it carries, captures and yields."""
    gone = [at for at, x in enumerate(node.inputs) if walker.read(frame, x) is None]
    node, nothing = without_inputs(node, gone)
    frame.values.update(dict.fromkeys(nothing))
    return without_results(node, deployed_outputs(node.regions[0], nothing))[0]


def _has_members(frame: DefinitionFrame, node: Node) -> bool:
    return any(member.path.startswith(f"{node.path}.*") for member in frame.definition.members)


def _counted_out(walker: Lowering, frame: DefinitionFrame, node: Node, loop: RepeatAttrs, count: int) -> list[Bound]:
    parts, made = loop.parts(node.inputs), loop.results(node.outputs)
    carried: Sequence[Bound] = [walker.read(frame, x) for x in parts.carried]
    sources = [tensor(walker, walker.read(frame, x), "float") for x in parts.sliced]
    captured = [walker.read(frame, x) for x in parts.captured]
    yields: list[list[str | None]] = [[] for _ in made.yielded]
    outer, place, sizes = frame.iterations, frame.place, frame.sizes
    for index in range(count):
        frame.iterations = (*outer, index)
        frame.place = frame.path(f"{node.path}.*") if node.path else place
        if loop.index is not None:
            frame.sizes = replace(sizes, unknowns={**sizes.unknowns, loop.index: size(index)})
        items = [_item(walker, source, index) for source in sources]
        results = loop.results(_iteration(walker, frame, node, [*carried, *items, *captured]))
        carried = results.carried
        for collected, found, value in zip(yields, results.yielded, made.yielded, strict=True):
            collected.append(None if found is None else tensor(walker, found, value.type.elem))
    frame.iterations, frame.place, frame.sizes = outer, place, sizes
    whole = [*carried, *(_stacked(walker, rows) for rows in yields)]
    for value, bound in zip(node.outputs, whole, strict=True):
        if isinstance(bound, str):
            walker.note(bound, value, frame)
    return whole


def _item(walker: Lowering, source: str, index: int) -> str:
    """The slice of one iteration, along the first axis."""
    item = walker.builder.node("Gather", source, walker.builder.number(index, "int"), axis=0)
    whole = walker.builder.types[source]
    typed(walker, item, whole.with_axes(*whole.axes[1:]), source)
    return item


def _iteration(walker: Lowering, frame: DefinitionFrame, node: Node, args: Sequence[Bound]) -> Sequence[Bound]:
    """The results of one iteration."""
    if walker.on_iteration is not None and walker.tape is None and not frame.supplied:
        return walker.on_iteration(walker, frame, node, args)
    return walker.region(frame, node.regions[0], args)


def _stacked(walker: Lowering, found: list[str | None]) -> str | None:
    builder, rows = walker.builder, [row for row in found if row is not None]
    if not rows and found:
        return None
    y = builder.node("Concat", *(builder.node("Unsqueeze", row, builder.array([0])) for row in rows), axis=0)
    if builder.paired(rows[0]):
        builder.complex.add(y)
    return y


def typed(walker: Lowering, name: str, type: TensorType, like: str | None) -> None:
    """Note the type of a value, complex where another one is."""
    walker.builder.types[name] = type
    if like is not None and walker.builder.paired(like):
        walker.builder.complex.add(name)


def tensor(walker: Lowering, bound: Bound, elem: str) -> str:
    """A value as a tensor, literals too."""
    if isinstance(bound, Const):
        return walker.builder.literal(bound, elem)
    assert isinstance(bound, str), bound
    return bound


def _scan(walker: Lowering, frame: DefinitionFrame, node: Node, loop: LoopAttrs, count: Size) -> tuple[str, ...]:
    """`Scan`: states first, then slices; captures are seen from inside. For `grad` the states before each step stay."""
    builder, region = walker.builder, node.regions[0]
    parts, made, number = loop.parts(node.inputs), loop.results(node.outputs), loop.index
    sliced = zip(parts.sliced, loop.slice_axes, strict=True)
    axes = [frame.sizes.at(frame.types[str(x)], place) for x, place in sliced]
    out_axis = axes[0] if axes else 0
    firsts = zip(parts.carried, made.carried, strict=True)
    starts = [tensor(walker, walker.read(frame, x), value.type.elem) for x, value in firsts]
    slices = [tensor(walker, walker.read(frame, x), "float") for x in parts.sliced]
    sources = list(slices)
    own = loop.parts(region.inputs).own
    inner = [(value.hint or value.name, real(frame.sizes.type(value.type))) for value in own]
    if number is not None or not sources:
        sources.append(counted(builder, count))
        axes.append(0)
        inner.append(("turn", TensorType("int", ())))

    def body(names: Sequence[str]) -> list[tuple[str, TensorType]]:
        """What a step gives, bound to these states and slices."""
        for name, value in zip(names, own, strict=False):
            if value.type.elem == "complex":
                builder.complex.add(name)
        if number is not None:
            builder.inner[number] = builder.body
            builder.given[number] = unsqueezed(builder, names[-1], [0])
        captured = [walker.read(frame, x) for x in parts.captured]
        found = []
        results = walker.region(frame, region, [*names[: len(own)], *captured])
        for at, (result, value) in enumerate(zip(results, node.outputs, strict=True)):
            type = real(frame.sizes.type(value.type))
            if not loop.carries(at):
                type = type.with_axes(*type.axes[:out_axis], *type.axes[out_axis + 1 :])
            found.append((tensor(walker, result, value.type.elem), type))
        return found

    def step(names: Sequence[str]) -> list[tuple[str, TensorType]]:
        before = [(name, type) for name, (_, type) in zip(names[: len(starts)], inner, strict=False)]
        walker.taps = None if taps is None else Taps()
        return [*body(names), *(before if tape is not None else ())]

    def seen() -> list[tuple[str, TensorType]]:
        noticed.extend([] if walker.taps is None else walker.taps.of_a_step(builder))
        return [(tap.value, tap.type) for tap in noticed]

    noticed: list[StepTap] = []
    taps, tape, walker.tape = walker.taps, walker.tape, None
    out_axes = [out_axis] * len(made.yielded) + [0] * (len(starts) if tape is not None else 0)
    names = builder.scan(starts, sources, inner, step, axes, out_axes, loop.reverse, seen)
    walker.tape, walker.taps = tape, taps
    if taps is not None:
        steps_seen(builder, taps, noticed, names[len(names) - len(noticed) :], count)
    results = names[: len(node.outputs)]
    for value, name in zip(node.outputs, results, strict=True):
        walker.note(name, value, frame)
    if tape is not None:
        captured = [x for x in (walker.read(frame, x) for x in parts.captured) if isinstance(x, str)]
        if number is not None:
            raise OnnxError(f"`grad` through `{node.op}` with a loop index is not supported in ONNX", node.span)
        entries = names[len(node.outputs) : len(names) - len(noticed)]
        taped = LoweredLoop(node, starts, slices, captured, results, entries, inner, axes, out_axis, loop.reverse, body)
        tape.append(Noted(node, [*starts, *slices, *captured], results, lambda f, h: backwards(walker, taped, f, h)))
    return results

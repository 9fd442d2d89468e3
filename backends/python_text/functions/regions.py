"""Regions: loops over layers, loops over an axis, phases, optional inputs, and changes of state."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from types import MappingProxyType

from ogive.backends.python_text.expr import (
    NONE,
    Argument,
    Code,
    applied,
    binary,
    call,
    conditional,
    cut,
    is_given,
    list_of,
    literal,
    name,
    prefix,
    subscript,
    tuple_of,
)
from ogive.backends.python_text.functions.flags import condition, is_flag, negated
from ogive.backends.python_text.functions.taps import under
from ogive.backends.python_text.functions.writer import Writer
from ogive.backends.python_text.liveness import WritingFrame
from ogive.backends.python_text.module_tree import Unit, find
from ogive.backends.python_text.names import identifier, singular
from ogive.backends.python_text.statements import Assign, Evaluate, For, If, Raise, Statement
from ogive.compiler.ir.attributes import AssumeAttrs, LoopAttrs
from ogive.compiler.ir.model import Graph, Node, Value
from ogive.compiler.ir.types import TensorType
from ogive.compiler.sizes.condition import Truth


def repeat(writer: Writer, node: Node) -> None:
    """`for layer in self.h: x = layer(x)`; without weights of its own, a loop over the number of the iteration."""
    unit, loop = writer.unit.iteration(node.path) if node.path else None, _loop_of(node)
    _settle(writer, node)
    carried = _carried(writer, node, loop)
    lists = _lists(writer, loop.results(node.outputs).yielded)
    sources = [_unbound(writer, operand, 0) for operand in loop.parts(node.inputs).sliced]
    region = node.regions[0]
    items = [writer.scope.claim(_hint(value)) for value in loop.parts(region.inputs).sliced]
    held = find(writer.unit.place, writer.unit.own(node.path) or "") if node.path and unit is None else None
    repeated = held is not None and held.repeated is not None
    tapped = any(map(writer.file.shows, region.walk())) if unit is None else writer.file.written[unit.name].taps
    sizes = None if unit is None else {unknown for unknown, _ in writer.file.written[unit.name].sizes}
    counted = tapped or (loop.index is not None and (sizes is None or loop.index in sizes))
    index = writer.scope.claim("i" if loop.index is None else loop.index.name) if counted else "_"
    if loop.index is not None:
        writer.scope.shapes.iteration(loop.index, index)
    if tapped:
        writer.iterations[node.path] = index
    if unit is not None or repeated:
        label = node.path.split(".")[-1]
        item = writer.scope.claim(singular(label))
        items, sources = [item, *items], [writer.path(node.path), *sources]
    if repeated:
        writer.repeated[f"{node.path}.*"] = items[0]
    with _over(writer, *_head(writer, loop, items, sources, index if counted else None)):
        if unit is not None:
            _call_iteration(writer, node, unit, items[0], [*carried, *items[1:]], lists)
        else:
            _body(writer, node, [*carried, *items[repeated:]], lists, carried)
    _finish(writer, node, carried, lists, loop)


def scan(writer: Writer, node: Node) -> None:
    """`for x_t in x.unbind(1): ...`."""
    loop = _loop_of(node)
    _settle(writer, node)
    carried = _carried(writer, node, loop)
    lists = _lists(writer, loop.results(node.outputs).yielded)
    inner = loop.parts(node.regions[0].inputs).sliced
    sliced = zip(loop.parts(node.inputs).sliced, loop.slice_axes, inner, strict=True)
    sources = [_unbound(writer, x, _counted(value.type, axis, len(value.type.axes) + 1)) for x, axis, value in sliced]
    if loop.reverse:
        sources = [call("reversed", source) for source in sources]
    items = [writer.scope.claim(_hint(value)) for value in inner]
    with _over(writer, *_head(writer, loop, items, sources, None)):
        _body(writer, node, [*carried, *items], lists, carried)
    _finish(writer, node, carried, lists, loop)


def _loop_of(node: Node) -> LoopAttrs:
    assert node.loop is not None, node
    return node.loop


@contextmanager
def _over(writer: Writer, target: Code, source: Code) -> Iterator[None]:
    """`for target in source:` and what is written in it; nothing where that is nothing."""
    with writer.scope.block() as body:
        yield
    if body:
        writer.scope.add(For(target, source, tuple(body)))


def _hint(value: Value) -> str:
    return value.hint or value.name


def _settle(writer: Writer, node: Node) -> None:
    """Bind what waits: a loop must not compute it at every iteration, nor a branch at one of them only."""
    scope = writer.scope
    if node.loop is not None:
        firsts = zip(node.loop.parts(node.inputs).carried, node.regions[0].inputs, strict=False)
        for operand, value in firsts:
            if operand in scope.waiting and isinstance(operand, str):
                scope.bind(scope.waiting[operand].value, scope.waiting[operand].code, hint=_hint(value))
    scope.flush()
    scope.frames[-1].now = False


def _counted(type: TensorType, axis: int, rank: int) -> int:
    """An axis among `rank` axes: from the left, or from the right where a pack stands before it."""
    return axis - rank if any(each.pack is not None for each in type.axes[:axis]) else axis


def _unbound(writer: Writer, operand: object, axis: int) -> Code:
    code = writer.scope.codes[str(operand)]
    return writer.file.idioms.rows(code, axis)


def _carried(writer: Writer, node: Node, loop: LoopAttrs) -> list[str]:
    """The variables of the carried values, holding their first values."""
    scope = writer.scope
    names: list[str] = []
    starts: list[Code] = []
    # what every iteration reads is not overwritten by what it carries, though both may start as one tensor
    parts = loop.parts(node.inputs)
    kept = (*parts.sliced, *parts.captured)
    held = {variable for x in kept if isinstance(x, str) and x in scope.codes for variable in scope.codes[x].names}
    for operand, inner in zip(parts.carried, node.regions[0].inputs, strict=False):
        start = writer.args(replace(node, inputs=(operand,)))[0]
        assert start is not None, node
        free = start.text.isidentifier() and not scope.live(start.text) and start.text not in {*names, *held}
        names.append(start.text if free else scope.unused(_hint(inner), {*names, *held}))
        starts.append(start)
    _assign(writer, zip(names, starts, strict=True))
    return names


def _assign(writer: Writer, pairs: Iterable[tuple[str, Code]]) -> None:
    """`a, b = x, y`, but for what is in its variable already."""
    left = [(name(variable), code) for variable, code in pairs if code.text != variable]
    if len(left) == 1:
        writer.scope.add(Assign(*left[0]))
    elif left:
        writer.scope.add(Assign(tuple_of([x for x, _ in left]), tuple_of([code for _, code in left])))


def _lists(writer: Writer, yielded: Sequence[Value]) -> list[str]:
    """The lists that collect what the iterations yield."""
    names = [writer.scope.claim(f"all_{value.hint}" if value.hint else "turns") for value in yielded]
    for each in names:
        writer.scope.add(Assign(name(each), list_of([])))
    return names


def _head(
    writer: Writer, loop: LoopAttrs, items: list[str], sources: list[Code], index: str | None
) -> tuple[Code, Code]:
    """`i, (layer, past)` and `enumerate(zip(self.h, cache))`."""
    if not sources:
        return name(index or "_"), call("range", writer.size(loop.count))
    item = name(items[0]) if len(items) == 1 else tuple_of(list(map(name, items)))
    source = sources[0] if len(sources) == 1 else call("zip", *sources)
    if index is None:
        return item, source
    return tuple_of([name(index), item]), call("enumerate", source)


def _call_iteration(writer: Writer, node: Node, unit: Unit, layer: str, args: list[str], lists: list[str]) -> None:
    """The call of the class of the iteration."""
    scope = writer.scope
    written = writer.file.written[unit.name]
    loop = _loop_of(node)
    captured = loop.parts(node.inputs).captured
    codes = [scope.codes[x] if isinstance(x, str) else writer._literal(x) or NONE for x in captured]
    inputs = [*map(name, args), *codes, *(writer.path(path) for path, _ in written.outside)]
    settings: list[tuple[str, Argument | None]] = [(size, scope.shapes.name(u)) for u, size in written.sizes]
    settings += [("generator", writer.generator(passed=True) or NONE)] if written.draws else []
    settings += [("taps", under(writer, unit.prefix))] if written.taps else []
    settings += [("like", writer.anchor())] if written.like else []
    yields = [scope.claim(f"{each.removeprefix('all_')}_i") for each in lists]
    targets = list(map(name, [*loop.parts(args).carried, *yields]))
    result = applied(name(layer), inputs, settings)
    left = targets[0] if len(targets) == 1 else tuple_of(targets)
    scope.add(Assign(left, result) if targets else Evaluate(result))
    for each, value in zip(lists, yields, strict=True):
        _append(writer, each, name(value))


def _append(writer: Writer, to: str, value: Code) -> None:
    writer.scope.add(Evaluate(call(f"{to}.append", value)))


def _body(writer: Writer, node: Node, inner: list[str], lists: list[str], carried: list[str]) -> None:
    """The region's statements inside the loop; at the end the carried variables hold the next values."""
    scope = writer.scope
    region, loop = node.regions[0], _loop_of(node)
    captures, outer = loop.parts(region.inputs).captured, loop.parts(node.inputs).captured
    _enter(writer, region, list(map(name, inner)), keep=[value.name for value in captures])
    for value, operand in zip(captures, outer, strict=True):
        code = scope.codes[operand] if isinstance(operand, str) else writer._literal(operand)
        assert code is not None, node
        scope.hold(value.name, code)
    _end(writer, region, carried, lists)


def _enter(writer: Writer, region: Graph, codes: Sequence[Code], keep: Sequence[str] = ()) -> WritingFrame:
    scope = writer.scope
    frame = scope.enter(region, function=False, keep=keep)
    for value, code in zip(region.inputs, codes, strict=False):
        scope.hold(value.name, code)
    return frame


def _end(
    writer: Writer, region: Graph, targets: Sequence[str], lists: Sequence[str], kept: Collection[int] = ()
) -> None:
    """Write a region that was entered; its outputs end in the variables of `targets`, but for those at the places of
    `kept`, which hold them already, and in lists.
    """
    scope = writer.scope
    outputs = region.outputs
    for output, target in zip(outputs, targets, strict=False):
        if isinstance(output, str):
            scope.wanted.setdefault(output, target)
    writer.run(region)
    codes = [scope.operand(output, writer._literal) or NONE for output in outputs]
    for each, code in zip(lists, codes[len(targets) :], strict=True):
        _append(writer, each, code)
    _assign(writer, (pair for at, pair in enumerate(zip(targets, codes, strict=False)) if at not in kept))
    for output in outputs:
        scope.waiting.pop(str(output), None)
    scope.flush()
    scope.leave()


def _finish(writer: Writer, node: Node, carried: list[str], lists: list[str], loop: LoopAttrs) -> None:
    """After the loop: the last carried values, and what was yielded, stacked."""
    scope = writer.scope
    frame = scope.frames[-1]
    for value, variable in zip(node.outputs, carried, strict=False):
        scope.hold(value.name, name(variable))
    for value, collected in zip(loop.results(node.outputs).yielded, lists, strict=True):
        if not writer.uses(value):
            continue
        rows = subscript(name(collected), cut(step=-1)) if loop.reverse else name(collected)
        code = writer.file.idioms.stack(rows, _counted(value.type, loop.yield_axis, len(value.type.axes)))
        if value.name in writer.unit.maybe:  # all of them are there, or none
            code = conditional(code, is_given(subscript(name(collected), 0)), NONE)
        if value.name in frame.graph.outputs and writer.uses(value) == 1 and frame.function:
            scope.wait(value, code, False)
        else:
            scope.bind(value, code, writer.comment(node, value))


def branches(writer: Writer, node: Node, test: Code, unless: Code, tested: str = "") -> None:
    """`if test: ... else: ...`, both ending in the same variables; `unless` holds in the second, `tested` is None."""
    scope = writer.scope
    _settle(writer, node)
    targets: list[str] = []
    codes = [c or NONE for c in writer.args(node)]
    for value in node.outputs:
        hints = [value.hint, *(_output_hint(region, len(targets)) for region in node.regions)]
        hint = next((hint for hint in hints if hint), "y")
        targets.append(_passed_on(writer, node, codes, targets, hint) or scope.unused(hint, targets))
    blocks: list[tuple[Statement, ...]] = []
    training, asked = scope.training, scope.asked
    for at, region in enumerate(node.regions):
        scope.training = training or (node.op == "phase" and at == 0)
        scope.asked = asked or (node.op == "tapped" and at == 0)
        with scope.block() as body:
            _enter(writer, region, codes)
            absent = {at for at, x in enumerate(region.outputs) if x is None and targets[at] == tested and blocks}
            _end(writer, region, targets, [], absent)
        blocks.append(tuple(body))
    scope.training, scope.asked = training, asked
    then, other = blocks
    if then or other:
        scope.add(If(test, then, other) if then else If(unless, other))
    for value, variable in zip(node.outputs, targets, strict=True):
        scope.hold(value.name, name(variable))


def _passed_on(writer: Writer, node: Node, codes: Sequence[Code], targets: Sequence[str], hint: str) -> str | None:
    """The variable of what one branch gives back as it came, where it is free and the name of the source is not."""
    scope, at = writer.scope, len(targets)
    if not scope.live(identifier(hint)):
        return None
    for region in node.regions:
        places = {value.name: place for place, value in enumerate(region.inputs)}
        code = codes[places[str(region.outputs[at])]] if region.outputs[at] in places else NONE
        if code.text.isidentifier() and code is not NONE and code.text not in targets and not scope.live(code.text):
            return code.text
    return None


def _output_hint(region: Graph, at: int) -> str:
    output = region.outputs[at]
    return region.values[output].hint if isinstance(output, str) else ""


def flag(writer: Writer, node: Node) -> None:
    """`found = a is not None and b is not None`, in its place where one choice asks for it."""
    scope = writer.scope
    scope.flush()
    scope.frames[-1].now = False
    (value,), code = node.outputs, condition(writer, node)
    writer.flags.add(value.name)
    if writer.uses(value) == 1 and len(code.text) <= scope.room():
        scope.wait(value, code, False)
    else:
        scope.bind(value, code)


def phase(writer: Writer, node: Node) -> None:
    """`if self.training:`."""
    if is_flag(writer.scope.frames[-1].graph, node):
        flag(writer, node)
        return
    training = writer.training()
    branches(writer, node, training, prefix("not", training))


def given(writer: Writer, node: Node) -> None:
    """`if mask is not None:`; where the condition has several parts, `if found:`."""
    if is_flag(writer.scope.frames[-1].graph, node):
        flag(writer, node)
        return
    first = str(node.inputs[0])
    if first in writer.flags:
        writer.scope.flush(keep=[first])
    (asked,) = writer.args(replace(node, inputs=node.inputs[:1]))
    assert asked is not None, node
    if first in writer.flags:
        writer.scope.waiting.pop(first, None)
        writer.scope.hold(first, asked)
        branches(writer, node, asked, negated(asked))
    else:
        branches(writer, node, is_given(asked), binary(asked, "is", NONE), asked.text)


def tapped(writer: Writer, node: Node) -> None:
    """`if taps is not None:`."""
    taps = writer.tapping()
    branches(writer, node, is_given(taps), binary(taps, "is", NONE))


def update(writer: Writer, node: Node) -> None:
    """A state takes a new value, in training only."""
    scope = writer.scope
    _settle(writer, node)
    (value,) = writer.args(node)
    test = None if scope.training else writer.training()
    copied = writer.file.idioms.update(writer.path(node.path), value or NONE)
    scope.add(copied if test is None else If(test, (copied,)))


def assume(writer: Writer, node: Node) -> None:
    """A condition that is checked at run time."""
    told = node.structure
    assert isinstance(told, AssumeAttrs), node
    condition = told.condition
    raised = Raise(call("ValueError", literal(f"assumed {told.text or condition}")))
    if isinstance(condition, Truth):  # decided by the numbers of a use
        if not condition.value:
            writer.scope.add(raised)
        return
    writer.scope.add(If(writer.condition(condition.negate()), (raised,)))


REGIONS: Mapping[str, Callable[[Writer, Node], None]] = MappingProxyType(
    {
        "repeat": repeat,
        "scan": scan,
        "phase": phase,
        "given": given,
        "tapped": tapped,
        "update": update,
        "assume": assume,
    }
)

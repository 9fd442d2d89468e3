"""Regions: loops over layers, loops over an axis, phases, optional inputs, and changes of state."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from types import MappingProxyType

from ogive.backends.python_text.expr import Code
from ogive.backends.python_text.liveness import WritingFrame
from ogive.backends.python_text.module_tree import Unit
from ogive.backends.python_text.names import RESERVED, identifier, singular
from ogive.backends.python_text.pretty import constant
from ogive.backends.pytorch.module.autograd import custom, gradient
from ogive.backends.pytorch.module.taps import under
from ogive.backends.pytorch.module.writer import Writer
from ogive.compiler.ir.attributes import AssumeAttrs, LoopAttrs
from ogive.compiler.ir.model import Graph, Node, Value
from ogive.compiler.sizes.condition import Truth


def repeat(writer: Writer, node: Node) -> None:
    """`for layer in self.h: x = layer(x)`; without weights of its own, a loop over the number of the iteration."""
    unit, loop = writer.unit.turn(node.path) if node.path else None, _loop_of(node)
    _settle(writer, node)
    carried = _carried(writer, node, loop)
    lists = _lists(writer, loop.results(node.outputs).yielded)
    sources = [_unbound(writer, operand, 0) for operand in loop.parts(node.inputs).sliced]
    region = node.regions[0]
    items = [writer.scope.claim(_hint(value)) for value in loop.parts(region.inputs).sliced]
    tapped = any(inner.op == "tap" for inner in region.walk()) if unit is None else writer.file.written[unit.name].taps
    counted = tapped or loop.index is not None
    index = writer.scope.claim("i" if loop.index is None else loop.index.name) if counted else "_"
    if loop.index is not None:
        writer.scope.shapes.turn(loop.index, index)
    if tapped:
        writer.turns[node.path] = index
    if unit is not None:
        label = node.path.split(".")[-1]
        item = writer.scope.claim(singular(label))
        items, sources = [item, *items], [writer.path(node.path).text, *sources]
    with _over(writer, _head(writer, loop, items, sources, index if counted else None)):
        if unit is not None:
            _call_turn(writer, node, unit, items[0], [*carried, *items[1:]], lists)
        else:
            _body(writer, node, [*carried, *items], lists, carried)
    _finish(writer, node, carried, lists, loop)


def scan(writer: Writer, node: Node) -> None:
    """`for x_t in x.unbind(1): ...`."""
    loop = _loop_of(node)
    _settle(writer, node)
    carried = _carried(writer, node, loop)
    lists = _lists(writer, loop.results(node.outputs).yielded)
    sliced = zip(loop.parts(node.inputs).sliced, loop.slice_axes, strict=True)
    sources = [_unbound(writer, x, axis) for x, axis in sliced]
    if loop.reverse:
        sources = [f"reversed({source})" for source in sources]
    items = [writer.scope.claim(_hint(value)) for value in loop.parts(node.regions[0].inputs).sliced]
    with _over(writer, _head(writer, loop, items, sources, None)):
        _body(writer, node, [*carried, *items], lists, carried)
    _finish(writer, node, carried, lists, loop)


def _loop_of(node: Node) -> LoopAttrs:
    assert node.loop is not None, node
    return node.loop


@contextmanager
def _over(writer: Writer, head: str) -> Iterator[None]:
    """`for head:` and what is written in it; nothing where that is nothing."""
    scope = writer.scope
    before = len(scope.lines)
    scope.line(f"for {head}:")
    start = len(scope.lines)
    scope.indent += 4
    yield
    scope.indent -= 4
    if len(scope.lines) == start:
        del scope.lines[before:]


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


def _unbound(writer: Writer, operand: object, axis: int) -> str:
    code = writer.scope.codes[str(operand)]
    return f"{code}" if axis == 0 else f"{code}.unbind({axis})"


def _carried(writer: Writer, node: Node, loop: LoopAttrs) -> list[str]:
    """The variables of the carried values, holding their first values."""
    scope = writer.scope
    names: list[str] = []
    starts: list[str] = []
    # what every iteration reads is not overwritten by what it carries, though both may start as one tensor
    parts = loop.parts(node.inputs)
    kept = (*parts.sliced, *parts.captured)
    held = {str(scope.codes[x]) for x in kept if isinstance(x, str) and x in scope.codes}
    for operand, inner in zip(parts.carried, node.regions[0].inputs, strict=False):
        start = writer.args(replace(node, inputs=(operand,)))[0]
        assert start is not None, node
        free = start.text.isidentifier() and not scope.live(start.text) and start.text not in {*names, *held}
        names.append(start.text if free else _new(writer, _hint(inner), names))
        starts.append(start.text)
    pairs = [(name, start) for name, start in zip(names, starts, strict=True) if name != start]
    if pairs:
        scope.line(f"{', '.join(n for n, _ in pairs)} = {', '.join(s for _, s in pairs)}")
    return names


def _new(writer: Writer, hint: str, others: Sequence[str]) -> str:
    """A variable that is not live, for the carried value or result of a region."""
    scope = writer.scope
    base = identifier(hint)
    name, number = base, 1
    while name in RESERVED or scope.live(name) or name in others:
        number += 1
        name = f"{base}_{number}"
    scope.taken.add(name)
    return name


def _lists(writer: Writer, yielded: Sequence[Value]) -> list[str]:
    """The lists that collect what the iterations yield."""
    names = [writer.scope.claim(f"all_{value.hint}" if value.hint else "turns") for value in yielded]
    for name in names:
        writer.scope.line(f"{name} = []")
    return names


def _head(writer: Writer, loop: LoopAttrs, items: list[str], sources: list[str], index: str | None) -> str:
    """`i, (layer, past) in enumerate(zip(self.h, cache))`."""
    if not sources:
        return f"{index or '_'} in range({writer.size(loop.count)})"
    item = items[0] if len(items) == 1 else ", ".join(items)
    source = sources[0] if len(sources) == 1 else f"zip({', '.join(sources)})"
    if index is None:
        return f"{item} in {source}"
    return f"{index}, {item if len(items) == 1 else f'({item})'} in enumerate({source})"


def _call_turn(writer: Writer, node: Node, unit: Unit, layer: str, args: list[str], lists: list[str]) -> None:
    """The call of the class of the iteration."""
    scope = writer.scope
    written = writer.file.written[unit.name]
    loop = _loop_of(node)
    captured = loop.parts(node.inputs).captured
    codes = [scope.codes[x] if isinstance(x, str) else writer._literal(x) for x in captured]
    inputs = [*args, *(str(code) for code in codes)]
    inputs += [str(writer.path(path)) for path, _ in written.outside]
    inputs += [f"{name}={writer.scope.shapes.name(unknown)}" for unknown, name in written.sizes]
    inputs += [f"generator={writer.generator(passed=True)}"] if written.draws else []
    inputs += [f"taps={under(writer, unit.prefix)}"] if written.taps else []
    inputs += [f"like={writer.anchor()}"] if written.like else []
    carried = loop.parts(args).carried
    yields = [scope.claim(f"{name.removeprefix('all_')}_i") for name in lists]
    targets = [*carried, *yields]
    text = f"{layer}({', '.join(inputs)})"
    scope.line(f"{', '.join(targets)} = {text}" if targets else text)
    for name, value in zip(lists, yields, strict=True):
        scope.line(f"{name}.append({value})")


def _body(writer: Writer, node: Node, inner: list[str], lists: list[str], carried: list[str]) -> None:
    """The region's statements inside the loop; at the end the carried variables hold the next values."""
    scope = writer.scope
    region, loop = node.regions[0], _loop_of(node)
    captures, outer = loop.parts(region.inputs).captured, loop.parts(node.inputs).captured
    _enter(writer, region, [Code(name) for name in inner], keep=[value.name for value in captures])
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
    for output, name in zip(outputs, targets, strict=False):
        if isinstance(output, str):
            scope.wanted.setdefault(output, name)
    writer.run(region)
    codes = [scope.operand(output, writer._literal) for output in outputs]
    for name, code in zip(lists, codes[len(targets) :], strict=True):
        scope.line(f"{name}.append({code})")
    ends = [(n, c) for at, (n, c) in enumerate(zip(targets, codes, strict=False)) if at not in kept]
    pairs = [(n, c) for n, c in ends if c is None or c.text != n]
    if pairs:
        scope.line(f"{', '.join(n for n, _ in pairs)} = {', '.join(str(c) for _, c in pairs)}")
    for output in outputs:
        scope.waiting.pop(str(output), None)
    scope.flush()
    scope.leave()


def _finish(writer: Writer, node: Node, carried: list[str], lists: list[str], loop: LoopAttrs) -> None:
    """After the loop: the last carried values, and what was yielded, stacked."""
    scope = writer.scope
    frame = scope.frames[-1]
    for value, name in zip(node.outputs, carried, strict=False):
        scope.hold(value.name, Code(name))
    for value, name in zip(loop.results(node.outputs).yielded, lists, strict=True):
        if not writer.uses(value):
            continue
        rows = f"{name}[::-1]" if loop.reverse else name
        dim = f", dim={loop.yield_axis}" if loop.yield_axis else ""
        code = Code(f"torch.stack({rows}{dim})")
        if value.name in writer.unit.maybe:  # all of them are there, or none
            code = Code(f"{code} if {name}[0] is not None else None")
        if value.name in frame.graph.outputs and writer.uses(value) == 1 and frame.function:
            scope.wait(value, code, False)
        else:
            scope.bind(value, code, writer.comment(node, value))


def branches(writer: Writer, node: Node, test: str, tested: str = "") -> None:
    """`if test: ... else: ...`, both ending in the same variables; `tested` is None in the second."""
    scope = writer.scope
    _settle(writer, node)
    targets: list[str] = []
    for value in node.outputs:
        hints = [value.hint, *(_output_hint(region, len(targets)) for region in node.regions)]
        targets.append(_new(writer, next((hint for hint in hints if hint), "y"), targets))
    codes = [c if c is not None else Code("None") for c in writer.args(node)]
    blocks: list[list[str]] = []
    training, asked = scope.training, scope.asked
    for at, region in enumerate(node.regions):
        lines, scope.lines = scope.lines, []
        scope.indent += 4
        scope.training = training or (node.op == "phase" and at == 0)
        scope.asked = asked or (node.op == "tapped" and at == 0)
        _enter(writer, region, codes)
        absent = {at for at, x in enumerate(region.outputs) if x is None and targets[at] == tested and blocks}
        _end(writer, region, targets, [], absent)
        scope.indent -= 4
        blocks.append(scope.lines)
        scope.lines = lines
    scope.training, scope.asked = training, asked
    then, other = blocks
    if then:
        scope.line(f"if {test}:")
        scope.lines += then
        if other:
            scope.lines += [" " * scope.indent + "else:", *other]
    elif other:
        scope.line(f"if not {test}:" if not test.endswith("is not None") else f"if {test.replace(' not', '')}:")
        scope.lines += other
    for value, name in zip(node.outputs, targets, strict=True):
        scope.hold(value.name, Code(name))


def _output_hint(region: Graph, at: int) -> str:
    output = region.outputs[at]
    return region.values[output].hint if isinstance(output, str) else ""


def phase(writer: Writer, node: Node) -> None:
    """`if self.training:`."""
    branches(writer, node, str(writer.training()))


def given(writer: Writer, node: Node) -> None:
    """`if mask is not None:`."""
    (asked,) = writer.args(replace(node, inputs=node.inputs[:1]))
    branches(writer, node, f"{asked} is not None", str(asked))


def tapped(writer: Writer, node: Node) -> None:
    """`if taps is not None:`."""
    branches(writer, node, f"{writer.tapping()} is not None")


def update(writer: Writer, node: Node) -> None:
    """A state takes a new value, in training only."""
    scope = writer.scope
    _settle(writer, node)
    (value,) = writer.args(node)
    inside = scope.training
    if not inside:
        scope.line(f"if {writer.training()}:")
        scope.indent += 4
    scope.line(f"{writer.path(node.path)}.copy_({value}.detach())")
    if not inside:
        scope.indent -= 4


def assume(writer: Writer, node: Node) -> None:
    """A condition that is checked at run time."""
    told = node.structure
    assert isinstance(told, AssumeAttrs), node
    condition = told.condition
    message = constant(f"assumed {told.text or condition}")
    raised = f"raise ValueError({message})"
    if isinstance(condition, Truth):  # decided by the numbers of a use
        if not condition.value:
            writer.scope.line(raised)
        return
    writer.scope.line(f"if {writer.condition(condition.negate())}:")
    writer.scope.indent += 4
    writer.scope.line(raised)
    writer.scope.indent -= 4


REGIONS: Mapping[str, Callable[[Writer, Node], None]] = MappingProxyType(
    {
        "repeat": repeat,
        "scan": scan,
        "phase": phase,
        "given": given,
        "tapped": tapped,
        "update": update,
        "assume": assume,
        "grad": gradient,
        "custom_grad": custom,
    }
)

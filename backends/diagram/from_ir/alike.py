"""Whether two operations, with all that is in them, do the same; and in which numbers they differ if they do."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ogive.backends.diagram.figure.figure import Op, Section
from ogive.backends.diagram.from_ir.steps import DrawnStep
from ogive.compiler.ir.model import Definition, Graph, Node

_NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?:e-?\d+)?")
SIGN = "#"  # stands for a number


def shape(step: DrawnStep) -> tuple[object, ...]:
    """What two steps have in common that differ in numbers alone: glyph, texts, links, the ranks of their tensors."""
    op = step.op
    names = {sid: f"i{k}.{i}" for k, w in enumerate(step.ins) for i, sid in enumerate(w.all)}
    names |= {sid: f"o{k}.{i}" for k, w in enumerate(step.outs) for i, sid in enumerate(w.all)}
    links = tuple((link.kind, _known(link.left, names), _known(link.right, names)) for link in op.links)
    types = tuple((w.type.elem, tuple(a.pack for a in w.type.axes)) for w in (*step.ins, *step.outs))
    texts = tuple(masked(text) for text in (op.text, op.above, _place(op)))
    told = tuple(pair for pair in op.attrs if pair[0].startswith("static "))  # structure, not numbers
    return op.glyph, op.source, op.learned, texts, links, types, told, tuple(_body(body) for body in op.bodies)


def numbers(step: DrawnStep) -> tuple[tuple[str, str], ...]:
    """The numbers in which steps of one shape may differ, each with a name."""
    op = step.op
    found = [("n", text) for part in (op.text, op.above) for text in _NUMBER.findall(part)]
    callee = step.callee
    if callee is not None:
        statics = [(s.name, s.value) for s in callee.statics if s.unknown is None]
        found += [(name, f"{value:.4g}") for name, value in statics if isinstance(value, float)]
    return tuple(found)


def masked(text: str) -> str:
    """The text without its numbers."""
    return _NUMBER.sub(SIGN, text)


def numbered(text: str, names: Iterator[str]) -> str:
    """The text with names in place of its numbers; an empty name keeps the number."""
    return _NUMBER.sub(lambda match: next(names) or match.group(), text)


def _place(op: Op) -> str:
    """The name of its place, whose number counts the copies."""
    return "" if op.glyph in ("repeat", "scan") else re.sub(r"\d+", SIGN, op.caption)


def _known(sids: tuple[str, ...], names: dict[str, str]) -> tuple[str, ...]:
    return tuple(names.get(sid, "") for sid in sids)


def _body(section: Section) -> tuple[object, ...]:
    """A body with its wires numbered in the order in which they are met."""
    order: dict[str, int] = {}

    def known(sids: tuple[str, ...]) -> tuple[int, ...]:
        return tuple(order.setdefault(sid, len(order)) for sid in sids)

    parts: list[object] = []
    for boundary in section.boundaries:
        parts.append(tuple((known((s.sid,)), s.size, s.role) for t in boundary for s in t.slots))
    for op in (op for column in section.columns for op in column.ops):
        links = tuple((link.kind, known(link.left), known(link.right)) for link in op.links)
        parts.append((op.glyph, op.source, op.text, op.above, op.caption, op.attr("block"), links))
        parts += [_body(body) for body in op.bodies]
    return tuple(parts)


def same_block(a: Definition | None, b: Definition | None) -> bool:
    """Whether two blocks are one, or come from one and differ in numbers alone."""
    if a is b or a is None or b is None:
        return a is b
    return a.block == b.block and _same_graph(a.graph, b.graph)


def _same_graph(a: Graph, b: Graph) -> bool:
    if len(a.nodes) != len(b.nodes) or a.outputs != b.outputs:
        return False
    return all(_same_node(x, y) for x, y in zip(a.nodes, b.nodes, strict=True))


def _same_node(a: Node, b: Node) -> bool:
    if (a.op, len(a.inputs), len(a.regions), [v.name for v in a.outputs]) != (
        b.op, len(b.inputs), len(b.regions), [v.name for v in b.outputs],
    ):  # fmt: skip
        return False
    wired = all(x == y for x, y in zip(a.inputs, b.inputs, strict=True) if isinstance(x, str) or isinstance(y, str))
    kinds = [[masked(str(value)) for _, value in node.settings] for node in (a, b)]
    types = [[masked(str(v.type)) for v in node.outputs] for node in (a, b)]
    regions = all(_same_graph(x, y) for x, y in zip(a.regions, b.regions, strict=True))
    return wired and kinds[0] == kinds[1] and types[0] == types[1] and regions and same_block(a.callee, b.callee)

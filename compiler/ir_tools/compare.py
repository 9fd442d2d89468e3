"""What changed between two definitions: nodes matched by place, then by what they do, then in their order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher
from typing import Literal

from ogive.compiler.ir.model import Const, Definition, Graph, Model, Node, Operand, Value

Change = Literal["added", "removed", "changed"]
OLD = "~"  # before the names of values that only the old graph has


@dataclass(frozen=True, slots=True)
class ChangedEntry:
    """One difference: where, and what stood and stands there."""

    change: Change
    where: str
    before: str = ""
    after: str = ""

    def __str__(self) -> str:
        if self.change == "added":
            return f"+ {self.where}: {self.after}"
        if self.change == "removed":
            return f"- {self.where}: {self.before}"
        return f"~ {self.where}: {self.before} -> {self.after}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Both graphs merged into one definition; `marks` has the change of a node, by `mark` of it, and what it was."""

    merged: Definition
    entries: tuple[ChangedEntry, ...]
    marks: Mapping[str, tuple[Change, str]]


def compare(old: Definition | Model, new: Definition | Model) -> Comparison:
    """The differences from `old` to `new`; none where both are the same."""
    entries: list[ChangedEntry] = []
    if isinstance(old, Model) and isinstance(new, Model):
        entries += _statics(old, new)
    a = old.definition if isinstance(old, Model) else old
    b = new.definition if isinstance(new, Model) else new
    work = _Work(entries)
    graph = work.graphs(a.graph, b.graph, {}, "", marked=True)
    return Comparison(replace(b, graph=graph), tuple(work.entries), work.marks)


def _statics(old: Model, new: Model) -> Iterator[ChangedEntry]:
    before, after = ({u.name: str(n) for u, n in model.bindings} for model in (old, new))
    for name in dict.fromkeys((*before, *after)):
        if before.get(name) != after.get(name):
            yield ChangedEntry("changed", name, before.get(name, "absent"), after.get(name, "absent"))


def mark(node: Node) -> str:
    """A name for a node of a merged graph."""
    return node.outputs[0].name if node.outputs else f"{node.op} {node.path} {' '.join(node.operands)}"


def shown(node: Node) -> str:
    """A node in a line."""
    name = node.callee.block.rsplit(".", 1)[-1] if node.callee is not None else node.op
    shape = () if node.loop is None else ("carried", "sliced")
    settings = [f"{key}={_text(value)}" for key, value in node.settings if key not in shape and value is not None]
    statics = {s.unknown for s in node.callee.statics} if node.callee is not None else set()
    settings += [f"{unknown.name}={size}" for unknown, size in node.bindings if unknown in statics]
    settings += [f"{_text(value)}" for value in node.inputs if isinstance(value, Const)]
    types = ", ".join(str(value.type) for value in node.outputs)
    return f"{name}{'[' + ', '.join(settings) + ']' if settings else ''}{' : ' + types if types else ''}"


def _text(value: object) -> str:
    if isinstance(value, Const):
        return str(value.value)
    if isinstance(value, tuple):
        return f"({', '.join(map(_text, value))})"
    return str(value)


def _exact(node: Node) -> tuple[object, ...]:
    """Equal for nodes that do the same in the same place, whatever they read."""
    inner = tuple(tuple(_exact(n) for n in region.nodes) for region in node.regions)
    callee = _structure(node.callee) if node.callee is not None else ()
    return (_loose(node), shown(node), inner, callee)


def _loose(node: Node) -> tuple[object, ...]:
    """Equal for nodes that may be the same one, changed."""
    kind = None if node.loop is None else (node.loop.carried, node.loop.sliced)
    return (node.op if not node.callee else "call", node.path, kind, len(node.regions), len(node.outputs))


def _structure(definition: Definition) -> tuple[object, ...]:
    """What a definition does, its wiring included, the names of values left out."""
    numbers: dict[str, int] = {}
    for value in definition.graph.inputs:
        numbers[value.name] = len(numbers)
    rows: list[object] = []
    for node in definition.graph.nodes:
        reads = tuple(numbers.get(x, -1) if isinstance(x, str) else _text(x) for x in node.inputs)
        rows.append((_exact(node), reads))
        for value in node.outputs:
            numbers[value.name] = len(numbers)
    ends = tuple(numbers.get(x, -1) if isinstance(x, str) else _text(x) for x in definition.graph.outputs)
    return (tuple(str(v.type) for v in definition.graph.inputs), tuple(rows), ends)


@dataclass(slots=True)
class _Work:
    entries: list[ChangedEntry]
    marks: dict[str, tuple[Change, str]] = field(default_factory=dict)
    fresh: set[str] = field(default_factory=set)  # values that only the new graph has

    def graphs(self, old: Graph, new: Graph, outer: dict[str, str], where: str, marked: bool) -> Graph:
        """The merged graph. `outer` renames inputs of the old one; further ones keep their names, as old ones."""
        names = dict(outer)
        for before, after in zip(old.inputs, new.inputs, strict=False):
            names.setdefault(before.name, after.name)
        extra = [value for value in old.inputs if value.name not in names]
        for value in extra:
            names[value.name] = OLD + value.name
        nodes = list(self._merged(old.nodes, new.nodes, names, where, marked))
        used = {x for node in nodes for x in node.operands}
        left = tuple(replace(v, name=OLD + v.name) for v in extra if OLD + v.name in used)
        if self._rewired([str(x) for x in _ends(old, names)], new.outputs):
            self.entries.append(ChangedEntry("changed", f"{where}output", *map(_named, (old, new))))
        return Graph((*new.inputs, *left), tuple(nodes), new.outputs)

    def _merged(
        self, old: tuple[Node, ...], new: tuple[Node, ...], names: dict[str, str], where: str, marked: bool
    ) -> Iterator[Node]:
        matcher = SequenceMatcher(None, [hash(_exact(n)) for n in old], [hash(_exact(n)) for n in new], autojunk=False)
        for tag, i, j, k, m in matcher.get_opcodes():
            pairs = list(zip(old[i:j], new[k:m], strict=True)) if tag == "equal" else _paired(old[i:j], new[k:m])
            for a, b in pairs:
                if a is None and b is not None:
                    yield self._alone(b, "added", where, marked)
                elif a is not None and b is None:
                    yield self._alone(_renamed(a, names), "removed", where, marked)
                elif a is not None and b is not None:
                    names.update(zip((v.name for v in a.outputs), (v.name for v in b.outputs), strict=True))
                    yield self._both(a, b, names, where, marked)

    def _alone(self, node: Node, change: Change, where: str, marked: bool) -> Node:
        text = {"added": ("", shown(node)), "removed": (shown(node), "")}[change]
        self.entries.append(ChangedEntry(change, where + (node.path or node.op), *text))
        self.fresh.update(value.name for value in node.outputs if change == "added")
        if marked:
            self.marks[mark(node)] = (change, "")
        return node

    def _both(self, a: Node, b: Node, names: dict[str, str], where: str, marked: bool) -> Node:
        place = where + (b.path or b.op)
        before = len(self.entries)
        if shown(a) != shown(b):
            self.entries.append(ChangedEntry("changed", place, shown(a), shown(b)))
        elif self._rewired([names.get(x, OLD + x) if isinstance(x, str) else "" for x in a.inputs], b.inputs):
            self.entries.append(
                ChangedEntry("changed", place, f"reads {_reads(a.inputs)}", f"reads {_reads(b.inputs)}")
            )
        if a.callee is not None and b.callee is not None and _structure(a.callee) != _structure(b.callee):
            self.graphs(a.callee.graph, b.callee.graph, {}, f"{place}.", marked=False)
        if len(self.entries) > before and marked:
            was, now = (shown(node).split(" : ")[0] for node in (a, b))
            self.marks[mark(b)] = ("changed", was if was != now else "")
        if b.regions:
            regions: list[Graph] = []
            extra: list[Operand] = []
            for region_a, region_b in zip(a.regions, b.regions, strict=True):
                merged = self.graphs(region_a, region_b, {}, where, marked)
                regions.append(merged)
                extra += _captured(a, region_a, merged, names)
            return replace(b, regions=tuple(regions), inputs=(*b.inputs, *extra))
        return b

    def _rewired(self, before: list[str], after: tuple[Operand, ...]) -> bool:
        """Whether the same node reads other values, of those that both graphs have."""
        pairs = zip(before, after, strict=False)
        return any(
            x != y and not x.startswith(OLD) and y not in self.fresh for x, y in pairs if x and isinstance(y, str)
        )


def _paired(old: tuple[Node, ...], new: tuple[Node, ...]) -> Iterator[tuple[Node | None, Node | None]]:
    """Nodes that were replaced: those in the same place are one that changed."""
    matcher = SequenceMatcher(None, [hash(_loose(n)) for n in old], [hash(_loose(n)) for n in new], autojunk=False)
    for tag, i, j, k, m in matcher.get_opcodes():
        if tag == "equal":
            yield from zip(old[i:j], new[k:m], strict=True)
        else:
            yield from ((node, None) for node in old[i:j])
            yield from ((None, node) for node in new[k:m])


def _renamed(node: Node, names: dict[str, str]) -> Node:
    """An old node in the merged graph."""

    def at(operand: Operand) -> Operand:
        return names.get(operand, OLD + operand) if isinstance(operand, str) else operand

    for value in node.outputs:
        names[value.name] = OLD + value.name
    outputs = tuple(replace(value, name=OLD + value.name) for value in node.outputs)
    return replace(node.reading(at), outputs=outputs, regions=tuple(_old(region) for region in node.regions))


def _old(graph: Graph) -> Graph:
    """A region that only the old graph has."""
    names = {value.name: OLD + value.name for value in graph.inputs}
    nodes = tuple(_renamed(node, names) for node in graph.nodes)
    inputs = tuple(Value(OLD + v.name, v.type, v.hint) for v in graph.inputs)
    return Graph(inputs, nodes, tuple(names.get(x, x) if isinstance(x, str) else x for x in graph.outputs))


def _captured(node: Node, region: Graph, merged: Graph, names: dict[str, str]) -> list[Operand]:
    """What the old region read and the new one does not: further captures."""
    found: list[Operand] = []
    for value in merged.inputs:
        if value.name.startswith(OLD):
            at = [v.name for v in region.inputs].index(value.name.removeprefix(OLD))
            operand = node.inputs[at]
            found.append(names.get(operand, OLD + operand) if isinstance(operand, str) else operand)
    return found


def _ends(graph: Graph, names: dict[str, str]) -> list[Operand]:
    return [names.get(x, x) if isinstance(x, str) else x for x in graph.outputs]


def _named(graph: Graph) -> str:
    return _reads(graph.outputs)


def _reads(operands: object) -> str:
    return ", ".join("nothing" if x is None else _text(x) for x in operands)  # type: ignore[attr-defined]

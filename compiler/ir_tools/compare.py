"""What changed between two definitions: nodes matched by place, then by what they do, then in their order."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher
from typing import Literal

from ogive.compiler.ir.model import Definition, Graph, Model, Node, Operand, Value
from ogive.compiler.ir_tools.compared_text import changed_settings, shown, text
from ogive.compiler.ir_tools.compared_turns import extra_turns, slid, starred, turns_at

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
        if not self.before:
            return f"~ {self.where} is now {self.after}"
        if self.where.rsplit(".", 1)[-1] == self.before:  # an operation that has no place
            return f"~ {self.where} -> {self.after}"
        return f"~ {self.where}: {self.before} -> {self.after}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Both graphs merged into one definition; `marks` has the change of a node, by `mark` of it, and what it was.

    `fewer` has nodes of turns that were left out, by `mark` of those of the last turn: how many turns more there were.
    """

    merged: Definition
    entries: tuple[ChangedEntry, ...]
    marks: Mapping[str, tuple[Change, str]]
    fewer: Mapping[str, int]


def compare(old: Definition | Model, new: Definition | Model) -> Comparison:
    """The differences from `old` to `new`; none where both are the same."""
    entries: list[ChangedEntry] = []
    if isinstance(old, Model) and isinstance(new, Model):
        entries += _statics(old, new)
    a = old.definition if isinstance(old, Model) else old
    b = new.definition if isinstance(new, Model) else new
    work = _Work(entries)
    graph = work.graphs(a.graph, b.graph, {}, "", marked=True)
    return Comparison(replace(b, graph=graph), tuple(_gathered(work.entries)), work.marks, work.fewer)


def _statics(old: Model, new: Model) -> Iterator[ChangedEntry]:
    before, after = ({u.name: str(n) for u, n in model.bindings} for model in (old, new))
    for name in dict.fromkeys((*before, *after)):
        if before.get(name) != after.get(name):
            yield ChangedEntry("changed", name, before.get(name, "absent"), after.get(name, "absent"))


def mark(node: Node) -> str:
    """A name for a node of a merged graph."""
    return node.outputs[0].name if node.outputs else f"{node.op} {node.path} {' '.join(node.operands)}"


def _exact(node: Node) -> tuple[object, ...]:
    """Equal for nodes that do the same in the same place, whatever they read."""
    inner = tuple(tuple(_exact(n) for n in region.nodes) for region in node.regions)
    callee = _structure(node.callee) if node.callee is not None else ()
    return (_loose(node), shown(node), inner, callee)


def _deed(node: Node) -> tuple[object, ...]:
    """Equal for nodes that do the same, wherever they stand and whatever they read."""
    inner = tuple(tuple(_deed(n) for n in region.nodes) for region in node.regions)
    callee = _structure(node.callee) if node.callee is not None else ()
    return (node.op, shown(node.at("")) if node.structure is not None else shown(node), inner, callee)


def _turn(node: Node) -> tuple[object, ...]:
    """Equal for the nodes of two turns of a loop that do the same."""
    return (_deed(node), starred(node.path))


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
        reads = tuple(numbers.get(x, -1) if isinstance(x, str) else text(x) for x in node.inputs)
        rows.append((_exact(node), reads))
        for value in node.outputs:
            numbers[value.name] = len(numbers)
    ends = tuple(numbers.get(x, -1) if isinstance(x, str) else text(x) for x in definition.graph.outputs)
    return (tuple(str(v.type) for v in definition.graph.inputs), tuple(rows), ends)


@dataclass(slots=True)
class _Work:
    entries: list[ChangedEntry]
    marks: dict[str, tuple[Change, str]] = field(default_factory=dict)
    fewer: dict[str, int] = field(default_factory=dict)
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
        for tag, i, j, k, m in slid(matcher.get_opcodes(), old, new, _turn):
            if tag == "turns":
                self._turns(old, new, (i, j, k, m), names, where, marked)
                yield from new[k:m]  # none where turns are left out
                continue
            pairs = list(zip(old[i:j], new[k:m], strict=True)) if tag == "equal" else _paired(old[i:j], new[k:m])
            for a, b in pairs:
                if a is None and b is not None:
                    yield self._alone(b, "added", where, marked)
                elif a is not None and b is None:
                    yield self._alone(_renamed(a, names), "removed", where, marked)
                elif a is not None and b is not None:
                    names.update(zip((v.name for v in a.outputs), (v.name for v in b.outputs), strict=True))
                    yield self._both(a, b, names, where, marked)

    def _turns(
        self, old: tuple[Node, ...], new: tuple[Node, ...], at: tuple[int, int, int, int], names: dict[str, str],
        where: str, marked: bool,
    ) -> None:  # fmt: skip
        """Further turns of a loop are one entry; what only the old graph has of them stands for its last one here."""
        i, j, k, m = at
        found = extra_turns(new, k, m, _turn) if m > k else extra_turns(old, i, j, _turn)
        assert found is not None
        before, after = (f"×{turns_at(nodes, found.place)}" for nodes in (old, new))
        self.entries.append(ChangedEntry("changed", where + found.place, before, after))
        self.fresh.update(value.name for node in new[k:m] for value in node.outputs)
        if marked:
            self.marks |= {mark(node): ("added", "") for node in new[k:m]}
            self.fewer |= {mark(node): found.count for node in new[k - found.length : k] if j > i}
        for a, b in zip(old[j - found.length : j], new[k - found.length : k], strict=True) if j > i else ():
            names.update(zip((v.name for v in a.outputs), (v.name for v in b.outputs), strict=True))

    def _alone(self, node: Node, change: Change, where: str, marked: bool) -> Node:
        text = {"added": ("", shown(node)), "removed": (shown(node), "")}[change]
        self.entries.append(ChangedEntry(change, where + (node.path or node.op), *text))
        self.fresh.update(value.name for value in node.outputs if change == "added")
        if marked:
            self.marks[mark(node)] = (change, "")
        return node

    def _both(self, a: Node, b: Node, names: dict[str, str], where: str, marked: bool) -> Node:
        place = where + (b.path or a.op)
        before = len(self.entries)
        if a.path != b.path:
            self.entries.append(ChangedEntry("changed", where + a.path, "", b.path))
        was, now = (
            changed_settings(a, b) if [str(v.type) for v in a.outputs] == [str(v.type) for v in b.outputs] else ("", "")
        )
        if shown(a.at("")) != shown(b.at("")):
            self.entries.append(ChangedEntry("changed", place, was or shown(a), now or shown(b)))
        elif self._rewired([names.get(x, OLD + x) if isinstance(x, str) else "" for x in a.inputs], b.inputs):
            self.entries.append(
                ChangedEntry("changed", place, f"reads {_reads(a.inputs)}", f"reads {_reads(b.inputs)}")
            )
        same = a.callee is not None and b.callee is not None and a.callee.block == b.callee.block
        if same and a.callee is not None and b.callee is not None and _structure(a.callee) != _structure(b.callee):
            self.graphs(a.callee.graph, b.callee.graph, {}, f"{place}.", marked=False)
        if len(self.entries) > before and marked:
            was, now = changed_settings(a, b)
            if was == now and a.path and b.path:
                was, now = (node.path.rsplit(".", 1)[-1] for node in (a, b))
            self.marks[mark(b)] = ("changed", f"{was} → {now}" if was != now else "")
        if b.regions:
            regions: list[Graph] = []
            extra: list[Operand] = []
            for region_a, region_b in zip(a.regions, b.regions, strict=True):
                region_a = _called(region_a, a.path, b.path)
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
    """Nodes that were replaced: those in the same place are one that changed, then those that do the same elsewhere.

    Where one is left of each side, and both make the same of as much, it is one that became another.
    """
    for a, b in _matched(old, new, _loose):
        if len(a) == len(b) == 1 and _alike(a[0], b[0]):
            yield a[0], b[0]
            continue
        for c, d in _matched(a, b, _deed) if a and b else [(a, b)]:
            if len(c) == len(d) == 1 and _alike(c[0], d[0]):
                yield c[0], d[0]
            else:
                yield from ((node, None) for node in c)
                yield from ((None, node) for node in d)


def _matched(
    old: tuple[Node, ...], new: tuple[Node, ...], key: Callable[[Node], object]
) -> Iterator[tuple[tuple[Node, ...], tuple[Node, ...]]]:
    """Nodes of one key in pairs, what is between them as it is."""
    matcher = SequenceMatcher(None, [hash(key(n)) for n in old], [hash(key(n)) for n in new], autojunk=False)
    for tag, i, j, k, m in matcher.get_opcodes():
        if tag == "equal":
            yield from (((a,), (b,)) for a, b in zip(old[i:j], new[k:m], strict=True))
        else:
            yield old[i:j], new[k:m]


def _alike(a: Node, b: Node) -> bool:
    """Whether one may be the other, changed: what they read and make is as much and of the same types."""
    if _loose(a) == _loose(b) or _deed(a) == _deed(b):
        return True
    plain = a.structure is None and b.structure is None
    if a.op == b.op and a.regions:  # a loop of another name
        return _loose(a.at("")) == _loose(b.at(""))
    types = [[str(value.type) for value in node.outputs] for node in (a, b)]
    return plain and len(a.operands) == len(b.operands) and types[0] == types[1]


def _gathered(entries: list[ChangedEntry]) -> Iterator[ChangedEntry]:
    """Entries that say the same of several places that differ in numbers alone are one."""
    alike: dict[tuple[str, ...], list[ChangedEntry]] = {}
    for entry in entries:
        before, after = (side.split(" : ")[0] for side in (entry.before, entry.after))
        if before == after:  # the types alone differ
            before, after = entry.before, entry.after
        key = (entry.change, starred(entry.where), before, after)
        alike.setdefault(key, []).append(entry)
    for (_, _, before, after), group in alike.items():
        if len(group) == 1:
            yield group[0]
        else:
            yield replace(group[0], where=_places([e.where for e in group]), before=before, after=after)


def _places(paths: list[str]) -> str:
    """`stages.{0,1}.blocks.{0..5}.act (16 times)`."""
    parts = zip(*(re.split(r"(\d+)", path) for path in paths), strict=True)
    told = (dict.fromkeys(each) for each in parts)
    text = "".join(next(iter(each)) if len(each) == 1 else _range([int(x) for x in each]) for each in told)
    return f"{text} ({len(paths)} times)"


def _range(numbers: list[int]) -> str:
    low, high = min(numbers), max(numbers)
    if len(numbers) > 2 and sorted(numbers) == list(range(low, high + 1)):
        return f"{{{low}..{high}}}"
    return f"{{{','.join(map(str, sorted(numbers)))}}}"


def _renamed(node: Node, names: dict[str, str]) -> Node:
    """An old node in the merged graph."""

    def at(operand: Operand) -> Operand:
        return names.get(operand, OLD + operand) if isinstance(operand, str) else operand

    for value in node.outputs:
        names[value.name] = OLD + value.name
    outputs = tuple(replace(value, name=OLD + value.name) for value in node.outputs)
    return replace(node.reading(at), outputs=outputs, regions=tuple(_old(region) for region in node.regions))


def _called(graph: Graph, old: str, new: str) -> Graph:
    """A region whose loop has another name."""
    if old == new or not old:
        return graph

    def turned(node: Node) -> Node:
        node = node.at(new + node.path.removeprefix(old)) if node.path.startswith(f"{old}.") else node
        return replace(node, regions=tuple(_called(region, old, new) for region in node.regions))

    return replace(graph, nodes=tuple(map(turned, graph.nodes)))


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
    return ", ".join("nothing" if x is None else text(x) for x in operands)  # type: ignore[attr-defined]

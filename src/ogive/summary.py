"""A model as a table: weights, shapes, parameters, operations."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from ogive.backends.weights.paths import WeightSlot
from ogive.compiler.analysis.cost.report import multiply_adds
from ogive.compiler.ir.attributes import ExternAttrs
from ogive.compiler.ir.model import Graph, Model, Node
from ogive.compiler.ir.weights import opaque
from ogive.compiler.ir_tools.entry import conditions_at_entry
from ogive.compiler.ir_tools.open_sizes import open_sizes, unfit_numbers
from ogive.compiler.sizes import FALSE, Size, Unknown, size


def summary(
    name: str,
    signature: str,
    conditions: tuple[str, ...],
    ir: Model,
    slots: Mapping[str, WeightSlot],
    sizes: Mapping[str, int],
) -> SummaryTable:
    """The whole table as text, with the count of multiply-adds at these sizes of the inputs."""
    learned = sum(slot.count for slot in slots.values() if slot.kind == "param")
    kept = sum(slot.count for slot in slots.values() if slot.kind == "state")
    lines = [f"{name} {signature}", *(f"  where {condition}" for condition in conditions), ""]
    rows = [(path, shape, f"{count:,}") for path, shape, count in _rows(slots)]
    lines += _table(rows + [(path, "opaque", "") for path in _together(opaque(ir))])
    lines += ["", f"{learned:,} parameters" + (f", {kept:,} numbers of state" if kept else "")]
    counts = operations(ir)
    lines.append("operations: " + ", ".join(f"{op} {count}" for op, count in counts.most_common()))
    lines.append(f"multiply-adds: {multiply_adds(ir)}")
    if sizes:
        lines.append(f"  at {', '.join(f'{name}={value}' for name, value in sizes.items())}: {_at(ir, sizes)}")
    return SummaryTable("\n".join(lines) + "\n", rows)


class SummaryTable(str):
    """A table as text, which a notebook shows as a table: `rows` are path, shape and count."""

    rows: Sequence[tuple[str, str, str]]

    def __new__(cls, text: str, rows: Sequence[tuple[str, str, str]] = ()) -> SummaryTable:
        made = super().__new__(cls, text)
        made.rows = tuple(rows)
        return made

    def _repr_html_(self) -> str:
        """What notebooks show."""
        from ogive.notebook.parts import card, table, text

        head, *_, foot = str(self).rstrip("\n").split("\n\n")
        return card(text(head), table([("path", "shape", "numbers"), *self.rows], 1), text(foot))


def misfit(ir: Model, sizes: Mapping[str, int]) -> str:
    """Why inputs have no such sizes, or nothing."""
    if said := unfit_numbers(ir, sizes):
        return said
    given = {unknown: sizes[unknown.name] for unknown in open_sizes(ir) if unknown.name in sizes}
    bound = dict(ir.bindings) | given
    at = {unknown: size(number) for unknown, number in bound.items()}
    broken = next((each for each in conditions_at_entry(ir) if each.subs(at) == FALSE), None)
    return f"these sizes break `{broken}`" if broken is not None else ""


def _at(ir: Model, sizes: Mapping[str, int]) -> str:
    given = {unknown: size(sizes[unknown.name]) for unknown in ir.definition.sizes if unknown.name in sizes}
    count = multiply_adds(ir).subs(given)
    return f"{count.number:,}" if count.is_number else str(count)


def operations(ir: Model, loops: Collection[str] | None = None) -> Counter[str]:
    """How often each primitive operation runs in one forward pass, as deployed and with every optional input: in all
    iterations of a loop and at all indices of `over` and `each`, where their number is known (else once).

    `loops` says which of them count, if not all.
    """
    return _graph(ir.definition.graph, dict(ir.bindings), loops, {})


def runs(node: Node) -> Size:
    """How often the body of a node runs: the iterations of a loop, the indices of `over` and `each`."""
    times = None if node.structure is None else node.structure.times
    return size(1) if times is None else times


def taken(node: Node) -> Sequence[Graph]:
    """The bodies that run: as deployed, and with every optional input."""
    return node.regions if node.structure is None else node.structure.used(node.regions)


Counted = dict[tuple[int, frozenset[tuple[Unknown, int]]], Counter[str]]  # bodies of blocks, each at its sizes once


def _graph(graph: Graph, sizes: Mapping[Unknown, int], loops: Collection[str] | None, counted: Counted) -> Counter[str]:
    total: Counter[str] = Counter()
    for node in graph.nodes:
        if node.structure is None or isinstance(node.structure, ExternAttrs):
            total[node.op] += 1
        inner: Counter[str] = Counter()
        if node.callee is not None:
            # sizes that the input alone decides stay open: no loop counts by them
            inside = {unknown: size.at(sizes) for unknown, size in node.bindings if size.unknowns <= sizes.keys()}
            key = id(node.callee.graph), frozenset(inside.items())
            if key not in counted:
                counted[key] = _graph(node.callee.graph, inside, loops, counted)
            inner += counted[key]
        for region in taken(node):
            inner += _graph(region, sizes, loops, counted)
        many = runs(node) if loops is None or node.op in loops else size(1)
        times = many.at(sizes) if many.unknowns <= sizes.keys() else 1
        for op, count in inner.items():
            total[op] += times * count
    return total


def _rows(slots: Mapping[str, WeightSlot]) -> list[tuple[str, str, int]]:
    """One row for the weights that differ in loop indices alone: `h.{0..11}.ln_1.weight`."""
    groups: dict[tuple[str, tuple[int, ...]], list[str]] = {}
    for path, slot in slots.items():
        groups.setdefault((re.sub(r"(?<=\.)\d+(?=\.|$)", "*", path), slot.shape), []).append(path)
    return [
        (_spread(pattern, paths), f"[{', '.join(map(str, shape))}]", sum(slots[path].count for path in paths))
        for (pattern, shape), paths in groups.items()
    ]


def _together(paths: tuple[str, ...]) -> list[str]:
    """Paths that differ in loop indices alone are one."""
    groups: dict[str, list[str]] = {}
    for path in paths:
        groups.setdefault(re.sub(r"(?<=\.)\d+(?=\.|$)", "*", path), []).append(path)
    return [_spread(pattern, found) for pattern, found in groups.items()]


def _spread(pattern: str, paths: list[str]) -> str:
    if len(paths) == 1:
        return paths[0]
    indices = zip(*(re.findall(r"(?<=\.)\d+(?=\.|$)", path) for path in paths), strict=True)
    pieces = pattern.split("*")
    text = pieces[0]
    for numbers, piece in zip(indices, pieces[1:], strict=True):
        seen = sorted({int(number) for number in numbers})
        text += (f"{{{seen[0]}..{seen[-1]}}}" if len(seen) > 1 else str(seen[0])) + piece
    return text


def _table(rows: list[tuple[str, str, str]]) -> list[str]:
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
    texts = (f"  {path:<{widths[0]}}  {shape:<{widths[1]}}  {count:>{widths[2]}}" for path, shape, count in rows)
    return [text.rstrip() for text in texts]

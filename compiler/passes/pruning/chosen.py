"""Arithmetic on tables of choices: what weights of a mixture are once each is 0 or 1, and what then falls away."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ogive.compiler.ir.attributes import ChoiceAttrs, LoopAttrs
from ogive.compiler.ir.model import Const, Graph, Node, Operand, Value
from ogive.compiler.ops.recipe import AxisPattern, atoms_of
from ogive.compiler.sizes import Size

Table = Any  # a number, or lists of them, axis by axis
TWO: Mapping[str, Callable[[float, float], float]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b if b else float("nan"),
}


@dataclass(slots=True)
class Chosen:
    """Rewrites a graph in which some values are known: `tables` are these by name, at first softmaxes of choices.

    What is multiplied by 0 is nothing, and adds nothing; what is multiplied by 1 is itself.
    """

    tables: dict[str, Table]
    same: dict[str, str] = field(default_factory=dict)  # a value that is another
    nothing: set[str] = field(default_factory=set)

    def graph(self, graph: Graph) -> Graph:
        """A graph and those in it."""
        nodes: list[Node] = []
        for node in graph.nodes:
            node = replace(node, inputs=tuple(map(self.at, node.inputs)))
            if not node.regions and len(node.outputs) == 1 and self.known(graph, node):
                continue
            for given, handed in (*_captured(node), *_arms(node)):
                self.hand(given, handed)
            nodes.append(replace(node, regions=tuple(map(self.graph, node.regions))))
        outputs = tuple(map(self.at, graph.outputs))
        return replace(graph, nodes=tuple(nodes), outputs=outputs)

    def hand(self, given: Sequence[Value], handed: Sequence[Operand]) -> None:
        """What a region is given of what is known."""
        pairs = zip(given, handed, strict=False)
        self.tables.update((v.name, self.tables[x]) for v, x in pairs if isinstance(x, str) and x in self.tables)

    def at(self, operand: Operand) -> Operand:
        """What a value is then."""
        while isinstance(operand, str) and operand in self.same:
            operand = self.same[operand]
        return operand

    def known(self, graph: Graph, node: Node) -> bool:
        """Whether a node need not run: its result is known, is nothing, or is another value."""
        name = node.outputs[0].name
        if name in self.tables:
            return False  # it falls away where nothing reads it any more
        tables = [self.table(x) for x in node.inputs]
        if node.inputs and all(table is not None for table in tables):
            table = _computed(node, tables)
            if table is not None:
                self.tables[name] = table
                return False
        if node.op == "mul":
            return self.product(graph, node, tables)
        if node.op == "add" and any(x in self.nothing for x in node.inputs if isinstance(x, str)):
            return self.sum(node)
        return node.op == "einsum" and self.picked(graph, node, tables)

    def table(self, operand: Operand) -> Table | None:
        """What is known of an operand."""
        if isinstance(operand, Const):
            number = getattr(operand.value, "number", None) if isinstance(operand.value, Size) else operand.value
            return number if isinstance(number, int | float) else None
        return self.tables.get(operand) if isinstance(operand, str) else None

    def product(self, graph: Graph, node: Node, tables: Sequence[Table | None]) -> bool:
        """0 x and 1 x."""
        name = node.outputs[0].name
        for factor, other in zip(tables, reversed(node.inputs), strict=True):
            if isinstance(factor, int | float) and isinstance(other, str):
                if factor == 0:
                    self.nothing.add(name)
                    return False  # it may be read by what is no sum; else it is dead
                if factor == 1 and graph.values[other].type == node.outputs[0].type:
                    self.same[name] = other
                    return True
        return False

    def sum(self, node: Node) -> bool:
        """X + nothing."""
        name = node.outputs[0].name
        a, b = node.inputs
        if isinstance(a, str) and isinstance(b, str):
            if a in self.nothing and b in self.nothing:
                self.nothing.add(name)
                return False
            self.same[name] = b if a in self.nothing else a
            return True
        return False

    def picked(self, graph: Graph, node: Node, tables: Sequence[Table | None]) -> bool:
        """Σ_k p[k] x[k] of what was stacked, where p is 1 at one place."""
        for at, table in enumerate(tables):
            other = node.inputs[1 - at] if len(node.inputs) == 2 else None
            maker = graph.producers.get(other) if isinstance(other, str) else None
            if not isinstance(table, list) or maker is None or maker.op != "stack":
                continue
            recipe: AxisPattern = node.attr("recipe")
            mine = [atom.name for atom in atoms_of(recipe.inputs[at])]
            theirs = [atom.name for atom in atoms_of(recipe.inputs[1 - at])]
            axis = maker.attr("axis")
            rest = theirs[:axis] + theirs[axis + 1 :]
            out = [atom.name for atom in atoms_of(recipe.outputs[0])]
            if mine == [theirs[axis]] and rest == out and sorted(table) == [0] * (len(table) - 1) + [1]:
                self.same[node.outputs[0].name] = str(self.at(maker.inputs[table.index(1)]))
                return True
        return False


Handed = tuple[Sequence[Value], Sequence[Operand]]


def _captured(node: Node) -> Iterator[Handed]:
    """What the body of a loop is given alike in each iteration."""
    if isinstance(node.structure, LoopAttrs):
        handed = node.structure.parts(node.inputs).captured
        inputs = node.regions[0].inputs
        yield inputs[len(inputs) - len(handed) :], handed


def _arms(node: Node) -> Iterator[Handed]:
    """What the arms of a choice are given."""
    if isinstance(node.structure, ChoiceAttrs):
        yield from ((region.inputs, node.inputs) for region in node.regions)


def _computed(node: Node, tables: Sequence[Table]) -> Table | None:
    """What a node gives of numbers; None where it is none of those that mixtures are made of."""
    if node.op in TWO and len(tables) == 2:
        return _both(TWO[node.op], *tables)
    (table,) = tables[:1]
    match node.op:
        case "slice":
            return _cut(table, list(node.attr("items")))
        case "max" if isinstance(table, list) and node.attr("axes") in ((), (0,)):
            return max(table) if all(isinstance(each, int | float) for each in table) else None
        case "cast" | "stop_gradient":
            return table
    return None


def _both(function: Callable[[float, float], float], a: Table, b: Table) -> Table | None:
    if isinstance(a, list) and isinstance(b, list):
        return [_both(function, x, y) for x, y in zip(a, b, strict=True)] if len(a) == len(b) else None
    if isinstance(a, list):
        return [_both(function, each, b) for each in a]
    if isinstance(b, list):
        return [_both(function, a, each) for each in b]
    return function(float(a), float(b))


def _cut(table: Table, items: list[Any]) -> Table | None:
    """An entry or a run of each axis."""
    if not items:
        return table
    first, *rest = items
    if first is None:
        inner = [_cut(each, rest) for each in table]
        return None if any(each is None for each in inner) else inner
    if isinstance(first, tuple) and first and first[0] == "slice":
        low, high, step = (_number(each) for each in first[1:4])
        inner = [_cut(each, rest) for each in table[low:high:step]]
        return None if any(each is None for each in inner) else inner
    number = _number(first[1] if isinstance(first, tuple) else first)
    return None if number is None else _cut(table[number], rest)


def _number(value: Any) -> int | None:
    if value is None or isinstance(value, int):
        return value
    return value.number if getattr(value, "is_number", False) else None

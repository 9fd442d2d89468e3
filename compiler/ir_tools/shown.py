"""What taps show, and where two of them at one path show tensors that cannot be stacked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from ogive.compiler.ir.attributes import ChoiceAttrs, TapAttrs, VectorizedAttrs
from ogive.compiler.ir.model import Definition, Graph, Node
from ogive.compiler.ir.types import Axis, TensorType
from ogive.grammar.source import Span


@dataclass(frozen=True, slots=True)
class Seen:
    """What a tap shows: the path below its definition, the type, and the statement that shows it there."""

    path: str
    type: TensorType
    span: Span | None


Before = dict[str, list[Seen]]  # by path, what may have been seen when a node runs


@dataclass(slots=True)
class Shown:
    """The taps of definitions with all that they hold and call. Answers are kept, by identity."""

    known: dict[int, tuple[Definition, tuple[Seen, ...]]] = field(default_factory=dict)

    def of_definition(self, definition: Definition) -> tuple[Seen, ...]:
        """All that a definition shows."""
        if id(definition) not in self.known:
            self.known[id(definition)] = definition, self._of_graph(definition.graph)
        return self.known[id(definition)][1]

    def _of_graph(self, graph: Graph) -> tuple[Seen, ...]:
        found = [seen for node in graph.nodes for seen in self._own(graph, node)]
        return (*found, *(seen for node in graph.nodes for region in self._regions(node) for seen in region))

    def _own(self, graph: Graph, node: Node) -> Sequence[Seen]:
        """What a node shows itself, or what it calls; not what its regions show."""
        if isinstance(node.structure, TapAttrs):
            shown = graph.values.get(str(node.inputs[0]))
            return [] if shown is None else [Seen(node.path or node.structure.name, shown.type, node.span)]
        if node.callee is None:
            return ()
        sizes = dict(node.bindings)

        def here(type: TensorType) -> TensorType:
            return type.with_axes(*(axis.at(sizes) for axis in type.axes))

        under = f"{node.path}." if node.path else ""
        return [Seen(under + seen.path, here(seen.type), node.span) for seen in self.of_definition(node.callee)]

    def _regions(self, node: Node) -> Iterator[tuple[Seen, ...]]:
        for region in node.regions:
            yield tuple(map(_outside(node), self._of_graph(region)))

    def apart(self, graph: Graph, same: Callable[[TensorType, TensorType], bool]) -> Iterator[tuple[Seen, Seen]]:
        """Pairs that one run shows at one path, and whose types are not the `same`; for each path the first."""
        found: dict[str, tuple[Seen, Seen]] = {}
        self._visit(graph, {}, lambda seen: seen, same, found)
        yield from found.values()

    def _visit(
        self,
        graph: Graph,
        before: Before,
        outside: Callable[[Seen], Seen],
        same: Callable[[TensorType, TensorType], bool],
        found: dict[str, tuple[Seen, Seen]],
    ) -> None:
        for node in graph.nodes:
            group = list(map(outside, self._own(graph, node)))
            for seen in group:
                other = next((one for one in before.get(seen.path, ()) if not same(one.type, seen.type)), None)
                if other is not None:
                    found.setdefault(seen.path, (other, seen))
            for seen in group:
                before.setdefault(seen.path, []).append(seen)
            widened = _outside(node)
            inside = [dict(before) for _ in node.regions] if isinstance(node.structure, ChoiceAttrs) else None
            for at, region in enumerate(node.regions):
                known = before if inside is None else {path: list(rows) for path, rows in before.items()}
                self._visit(region, known, lambda seen, w=widened: outside(w(seen)), same, found)  # type: ignore[misc]
                if inside is not None:
                    inside[at] = known
            for known in inside or ():  # one arm runs: they meet what follows, not one another
                for path, rows in known.items():
                    before[path] = list(dict.fromkeys((*before.get(path, ()), *rows)))


def _outside(node: Node) -> Callable[[Seen], Seen]:
    """What is seen in a region of a node as it is seen outside: of all indices at once where it is vectorized."""
    told = node.structure
    if not isinstance(told, VectorizedAttrs):
        return lambda seen: seen
    axis = Axis(told.size)
    return lambda seen: replace(seen, type=seen.type.with_axes(axis, *seen.type.axes))

"""Faulty blocks, as far as they are understood: a drawing shows what was built, and where it broke off."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ogive.compiler.driver.workspace import CheckedProgram
from ogive.compiler.elaborate.state.specialization import Specialization
from ogive.compiler.ir.attributes import FaultAttrs
from ogive.compiler.ir.model import Definition, Graph, Node
from ogive.grammar.diagnostics import Diagnostic
from ogive.grammar.source import Span


@dataclass(frozen=True, slots=True)
class Sketch:
    """A block with errors. Each error is a node `fault` that reads what it speaks of."""

    name: str
    definition: Definition
    faults: tuple[Diagnostic, ...]


def sketches(program: CheckedProgram) -> Iterator[Sketch]:
    """The blocks of the file that have errors of their own, each once, in source order."""
    seen: set[str] = set()
    specializations = [v for found in program._session.specializations.values() for v in found]
    order = {report.name: i for i, report in enumerate(program.blocks)}
    for specialization in sorted(specializations, key=lambda v: order.get(v.ref.name, -1)):
        if specialization.sketch is None or specialization.ref.name in seen or specialization.ref.name not in order:
            continue
        seen.add(specialization.ref.name)
        yield _sketch(specialization, specialization.sketch)


def _sketch(specialization: Specialization, graph: Graph) -> Sketch:
    errors = tuple(d for d in specialization.diagnostics if d.severity == "error")
    read = {name for node in graph.nodes for name in node.operands}
    loose = [name for name in graph.values if name not in read]
    nodes = list(graph.nodes)
    for k, error in enumerate(errors):
        spoken = [name for name in graph.values if _speaks(error, graph, name)]
        mine = [name for name in loose if k == len(errors) - 1 or name in spoken]
        loose = [name for name in loose if name not in mine]
        inputs = tuple(dict.fromkeys((*spoken, *mine)))
        nodes.append(Node.of(FaultAttrs(f"{error.code} {error.message}"), inputs, (), span=error.span))
    whole = Graph(graph.inputs, tuple(nodes), ())
    ref = specialization.ref
    definition = Definition(ref.name, ref.qualified, (), (), whole, (), (False,) * len(graph.inputs), (), (), (),
                            ref.tree.doc, ref.tree.name_span)  # fmt: skip
    return Sketch(ref.name, definition, errors)


def _speaks(error: Diagnostic, graph: Graph, name: str) -> bool:
    """Whether a label of the error stands at the operation that made the value, or names the value."""
    if graph.values[name].hint in {label.span.text for label in error.labels} - {""}:
        return True
    node = graph.producers.get(name)
    if node is None or node.span is None:
        return False
    return any(_inside(node.span, span) for span in [label.span for label in error.labels])


def _inside(span: Span, label: Span) -> bool:
    return span.chunk is label.chunk and label.start <= span.start and span.end <= label.end

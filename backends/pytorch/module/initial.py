"""Graphs that set weights: the values of initializers, and the steps of a definition."""

from __future__ import annotations

from ogive.backends.python_text.expr import Code, call, method
from ogive.backends.python_text.functions.file_state import EmittedFile
from ogive.backends.python_text.functions.function import scope_of
from ogive.backends.python_text.functions.writer import Writer
from ogive.backends.python_text.module_tree import Unit
from ogive.backends.python_text.size_exprs import Names
from ogive.backends.python_text.size_sources import Shapes
from ogive.backends.python_text.statements import Evaluate, Statement, Within
from ogive.backends.pytorch.module.nodes import write_node
from ogive.compiler.ir.model import Graph


def filled(unit: Unit, file: EmittedFile, target: Code, graph: Graph, sizes: Names) -> Within:
    """A tensor takes the value of a graph without inputs, or of one whose input it is itself."""
    writer = Writer(unit, file, scope_of(file, 4), write_node, target=target)
    scope = writer.scope
    scope.shapes = Shapes((), frozenset(), frozenset(), scope.claim, given=sizes)
    scope.enter(graph, function=True)
    for value in graph.inputs:
        scope.hold(value.name, target)
    writer.run(graph)
    (output,) = writer.operands(graph.outputs)
    scope.flush(keep=[str(x) for x in graph.outputs])
    scope.add(Evaluate(method(target, "copy_", output)))
    return Within(call("torch.no_grad"), tuple(scope.body))


def stepped(unit: Unit, file: EmittedFile, graph: Graph, sizes: Names) -> tuple[Statement, ...]:
    """The statements of a graph that reads weights and updates them."""
    writer = Writer(unit, file, scope_of(file, 8), write_node)
    scope = writer.scope
    scope.training = True
    scope.shapes = Shapes((), frozenset(), frozenset(), scope.claim, given=sizes)
    scope.enter(graph, function=True)
    writer.run(graph)
    return tuple(scope.body)

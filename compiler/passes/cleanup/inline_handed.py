"""Puts blocks that are handed their weights into the regions of `over` and `each` that call them, loops and all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ogive.compiler.ir.attributes import VectorizedAttrs
from ogive.compiler.ir.model import CallAttrs, Definition, Graph, Node, Operand
from ogive.compiler.ir.substitute import Fresh, with_operands
from ogive.compiler.ir_tools.maybe import maybe
from ogive.compiler.ir_tools.rewriter import LocalRewriter, Rewriting
from ogive.compiler.passes.cleanup.flatten import InlineContext, inlined, vectorized_instances


def inline_handed(definition: Definition) -> Definition:
    """A weight that is supplied is a value: its batching rule is that of the operation that reads it."""
    graph = _Outside(_inside(definition)).rewritten(definition.graph)
    return definition if graph is definition.graph else replace(definition, graph=graph)


def inline_all_handed(definition: Definition) -> Definition:
    """As `inline_handed`, everywhere in a definition that is itself vectorized."""
    if not any(node.supplied for node in definition.graph.walk()):
        return definition
    return replace(definition, graph=_inside(definition).rewritten(definition.graph))


def _inside(definition: Definition) -> _Inside:
    return _Inside(Fresh.of(definition.graph), frozenset(maybe(definition).open))


@dataclass(frozen=True, slots=True)
class _Outside(LocalRewriter[Rewriting]):
    """Looks for the regions of `over` and `each`."""

    inside: _Inside

    def start(self, graph: Graph) -> Rewriting:
        return Rewriting(graph.inputs)

    def visit_vectorized(self, frame: Rewriting, node: Node, told: VectorizedAttrs) -> Sequence[Operand]:
        return frame.add(self.inside.with_regions(node))


@dataclass(frozen=True, slots=True)
class _Inside(LocalRewriter[Rewriting]):
    """Puts the bodies of blocks that are handed weights in the place of their calls."""

    fresh: Fresh
    maybe: frozenset[str]  # values that may be absent

    def start(self, graph: Graph) -> Rewriting:
        return Rewriting(graph.inputs)

    def visit_call(self, frame: Rewriting, node: Node, told: CallAttrs) -> Sequence[Operand]:
        found, callee = with_operands(node, frame.names), node.callee
        assert callee is not None, node
        if not found.supplied:
            return frame.add(found)
        names: dict[str, Operand] = {v.name: x for v, x in zip(callee.graph.inputs, found.inputs, strict=True)}
        instances = vectorized_instances(callee)
        place = InlineContext(found.path, dict(found.bindings), dict(found.supplied), names, instances)
        nodes, outputs = inlined(callee.graph, place, self.fresh, frame.types, self.maybe)
        frame.nodes += nodes
        return outputs

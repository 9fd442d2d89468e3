"""Where a model computes something else while it trains, and what stays random when it is used."""

from __future__ import annotations

from collections.abc import Iterator

from ogive.compiler.ir.model import Definition, Graph, Model, Node
from ogive.compiler.ir_tools.effects import Effect, own_effect
from ogive.compiler.passes.cleanup.deploy_flatten import deployed


def training_paths(model: Model) -> tuple[str, ...]:
    """The paths of modules that drop out or have a phase of their own, "" for the whole; `*` stands for iterations."""
    known: dict[int, tuple[str, ...]] = {}  # definitions share names

    def below(definition: Definition) -> tuple[str, ...]:
        if id(definition) not in known:
            nodes = list(definition.graph.walk())
            plain = (node.callee for node in nodes if node.callee is not None and not node.path)
            own = any(map(_trains, nodes)) or any("" in below(callee) for callee in plain)
            inside = [
                f"{instance.path}.{path}".rstrip(".")
                for instance in definition.instances
                for path in below(instance.definition)
            ]
            known[id(definition)] = tuple(dict.fromkeys([*([""] if own else []), *inside]))
        return known[id(definition)]

    return below(model.definition)


def _trains(node: Node) -> bool:
    return node.op in ("phase", "dropout") or bool(node.attr("dropout"))


def live(model: Model) -> Node | None:
    """An operation that draws numbers in the deployed model too."""
    return next(_drawing(deployed(model).definition.graph), None)


def _drawing(graph: Graph) -> Iterator[Node]:
    for node in graph.walk():
        if own_effect(node) & Effect.DRAWS:
            yield node
        elif node.callee is not None:
            yield from _drawing(node.callee.graph)

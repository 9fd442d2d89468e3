"""Finds the large numbers that only hide: what is read by a softmax, a maximum or a minimum, which leave it out.

`select(mask, scores, -1e9)` before a softmax hides as -∞ does, and may be -∞ in a type that does not hold -1e9. The
attribute `fill` says so.
"""

from __future__ import annotations

from dataclasses import replace

from ogive.compiler.ir.attributes import ChoiceAttrs
from ogive.compiler.ir.model import Const, Definition, Graph, Model, Node, Operand
from ogive.compiler.ops import Trait, has
from ogive.compiler.ops.held import lost, number_of
from ogive.compiler.passes.infra.driver import map_nodes, named_apart, optimized
from ogive.compiler.sizes import Size

FILLING = frozenset(("select", "full", "pad"))
Flow = tuple[bool, frozenset[int]]  # whether it is left out wherever it is read here, and the results that it reaches


def mark_fills(model: Model) -> Model:
    """The model with `fill` at each large number that is only left out."""
    if not any(_large(node) for definition in _all(model.definition) for node in definition.graph.walk()):
        return model
    model = named_apart(model)  # what is found is kept by the names of definitions
    found = _Fills(model)

    def marked(definition: Definition) -> Definition:
        def mark(node: Node) -> Node:
            if not _large(node) or not found.only_hides(definition, node):
                return node
            return replace(node, attrs=(*node.attrs, ("fill", True)))

        graph = map_nodes(definition.graph, mark)
        return definition if graph is definition.graph else replace(definition, graph=graph)

    return optimized(model, (marked,))


def numbers(node: Node) -> list[float]:
    """The numbers of the text that a node may give as they are."""
    given = [number_of(x) for x in node.inputs if isinstance(x, Const)] if node.op == "select" else []
    given += [number_of(node.attr("v"))] if node.op == "full" else []
    given += [number_of(node.attr("value"))] if node.op == "pad" and node.attr("mode") == "constant" else []
    return [float(value) for value in given if value is not None]


def _large(node: Node) -> bool:
    """Whether some float type does not hold a number that the node fills with."""
    return node.op in FILLING and any(lost(value, "f16") == "infinite" for value in numbers(node))


def _all(root: Definition) -> list[Definition]:
    """A definition and all that it uses, users first."""
    found: dict[int, Definition] = {}

    def visit(definition: Definition) -> None:
        if id(definition) not in found:
            for callee in _callees(definition):
                visit(callee)
            found[id(definition)] = definition

    visit(root)
    return list(reversed(found.values()))


def _callees(definition: Definition) -> list[Definition]:
    return [node.callee for node in definition.graph.walk() if node.callee is not None]


class _Fills:
    def __init__(self, model: Model) -> None:
        self.inputs: dict[tuple[str, int, int], Flow] = {}  # by definition, input and sign
        self.outputs: dict[tuple[str, int, int], bool] = {}  # by definition, output and sign, at all its uses
        self.around: dict[int, tuple[Graph, Node]] = {}  # by region, the graph around it and the node that holds it
        for at in range(len(model.definition.graph.outputs)):
            for sign in (-1, 1):
                self.outputs[model.definition.name, at, sign] = False
        for definition in _all(model.definition):
            self._uses(definition, definition.graph)

    def _uses(self, definition: Definition, graph: Graph) -> None:
        """What becomes of the results of its callees."""
        for node in graph.nodes:
            for region in node.regions:
                self.around[id(region)] = graph, node
                self._uses(definition, region)
            if node.callee is None:
                continue
            for at, value in enumerate(node.outputs):
                for sign in (-1, 1):
                    key = (node.callee.name, at, sign)
                    hides = self._settled(definition, graph, value.name, sign)
                    self.outputs[key] = self.outputs.get(key, True) and hides

    def only_hides(self, definition: Definition, node: Node) -> bool:
        """Whether the large numbers of a node are left out wherever they go."""
        graph = _holder(definition.graph, node)
        signs = {-1 if value < 0 else 1 for value in numbers(node) if lost(value, "f16") == "infinite"}
        return all(self._settled(definition, graph, node.outputs[0].name, sign) for sign in signs)

    def _settled(self, definition: Definition, graph: Graph, name: str, sign: int) -> bool:
        """Whether a value is left out here, and where it is a result, by all who use the definition."""
        hides, reached = self._flow(graph, name, sign)
        if not hides or graph is definition.graph:
            return hides and all(self.outputs.get((definition.name, at, sign), False) for at in reached)
        outer, node = self.around[id(graph)]
        if reached and not isinstance(node.structure, ChoiceAttrs):
            return False
        return all(self._settled(definition, outer, node.outputs[at].name, sign) for at in reached)

    def _flow(self, graph: Graph, name: str, sign: int) -> Flow:
        reached = frozenset(at for at, output in enumerate(graph.outputs) if output == name)
        for node in graph.users[name]:
            hides, further = self._through(graph, node, name, sign)
            if not hides:
                return False, reached
            reached |= further
        return True, reached

    def _through(self, graph: Graph, node: Node, name: str, sign: int) -> Flow:
        """What a reader makes of it."""
        out = Trait.LOWEST_OUT if sign < 0 else Trait.HIGHEST_OUT
        if has(node.op, out) or (node.op == "reduce" and has(str(node.attr("op")), out)):
            return True, frozenset()
        if node.op == "attention":
            return sign < 0 and node.inputs[:3].count(name) == 0, frozenset()
        if node.callee is not None:
            key = (node.callee.name, node.callee.graph)
            return self._into(graph, node, name, sign, [key])
        if isinstance(node.structure, ChoiceAttrs):
            return self._into(graph, node, name, sign, [("", region) for region in node.regions])
        turned = _turned(node, name, sign)
        if turned is None:
            return False, frozenset()
        flows = [self._flow(graph, value.name, turned) for value in node.outputs]
        return all(hides for hides, _ in flows), frozenset().union(*(reached for _, reached in flows))

    def _into(self, graph: Graph, node: Node, name: str, sign: int, inner: list[tuple[str, Graph]]) -> Flow:
        """Into what a node calls, or the regions that it holds, and on from its results."""
        reached: frozenset[int] = frozenset()
        for callee, region in inner:
            for at in (i for i, operand in enumerate(node.inputs) if operand == name):
                key = (callee, at, sign)
                found = self.inputs.get(key) if callee else None
                if found is None:
                    found = self._flow(region, region.inputs[at].name, sign)
                if callee:
                    self.inputs[key] = found
                flows = [self._flow(graph, node.outputs[i].name, sign) for i in found[1]]
                if not found[0] or not all(hides for hides, _ in flows):
                    return False, frozenset()
                reached = reached.union(*(further for _, further in flows))
        return True, reached


def _turned(node: Node, name: str, sign: int) -> int | None:
    """Whether it is low or high behind a node that moves or scales numbers; None for all else."""
    if node.op in ("add", "cast", "select") or has(node.op, Trait.HANDS_ON):
        return None if node.op == "cast" and not node.outputs[0].type.floating else sign
    if node.op == "neg":
        return -sign
    if node.op == "sub":
        return sign if node.inputs[0] == name else -sign
    if node.op in ("mul", "div") and node.inputs[0 if node.op == "div" else node.inputs.index(name)] == name:
        factor = _positive(node.inputs[1 - node.inputs.index(name)])
        return None if factor is None else sign * factor
    return None


def _positive(operand: Operand) -> int | None:
    """1 or -1, where a literal is above or below 0."""
    number = number_of(operand) if isinstance(operand, Const) else None
    if number is not None:
        return None if number == 0 else 1 if number > 0 else -1
    value = operand.value if isinstance(operand, Const) else None
    low = value.range[0] if isinstance(value, Size) else None
    return 1 if low is not None and low > 0 else None


def _holder(graph: Graph, node: Node) -> Graph:
    """The graph or region in which a node stands."""
    if any(each is node for each in graph.nodes):
        return graph
    for outer in graph.nodes:
        for region in outer.regions:
            if any(each is node for each in region.walk()):
                return _holder(region, node)
    raise AssertionError(node)

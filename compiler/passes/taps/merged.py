"""Two forms of one graph, with its taps and without, as one graph that is either when it runs."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

from ogive.compiler.ir.attributes import TappedAttrs
from ogive.compiler.ir.model import Graph, Node, Operand, Value
from ogive.compiler.ir.substitute import Fresh, copied
from ogive.compiler.ir_tools.effects import Effects


@dataclass(slots=True)
class _Numbers:
    """Numbers the values of both forms: equal numbers, equal values."""

    shared: frozenset[str]  # names that both forms have: the second is made of the first, so they mean the same
    ids: dict[str, Hashable] = field(default_factory=dict)

    def key(self, node: Node) -> Hashable:
        """What equal nodes have in common."""
        names = tuple(value.name for value in node.outputs) if _alone(node) else ()
        inputs = tuple(self.ids[x] if isinstance(x, str) else x for x in node.inputs)
        supplied = tuple((path, self.ids[name]) for path, name in node.supplied)
        regions = tuple(map(id, node.regions))
        return node.op, inputs, node.settings, node.path, id(node.callee), node.bindings, supplied, regions, names

    def results(self, node: Node, key: Hashable) -> None:
        """Number what a node gives."""
        for at, value in enumerate(node.outputs):
            self.ids[value.name] = value.name if value.name in self.shared else (key, at)


def _alone(node: Node) -> bool:
    """Whether it changes something or draws numbers, so that two such nodes are never one."""
    return not node.outputs or bool(Effects().of(node)) or node.callee is not None


def merged(asked: Graph, plain: Graph, fresh: Fresh) -> Graph:
    """The graph: what taps alone need runs where they are asked for; else, where forms differ, both as a whole."""
    found = _more(asked, plain)
    return _choice(asked, plain, fresh) if found is None else _beside(asked, found, fresh)


def _more(asked: Graph, plain: Graph) -> list[Node] | None:
    """The nodes that the form with taps has beside all those of the other; None where these are not all there."""
    shared = frozenset(asked.values) & frozenset(plain.values)
    numbers = _Numbers(shared, {value.name: value.name for value in asked.inputs})
    keys: dict[Hashable, Node] = {}
    for node in asked.nodes:
        key = numbers.key(node)
        numbers.results(node, key)
        keys.setdefault((key, tuple(numbers.ids[value.name] for value in node.outputs)), node)
    for node in plain.nodes:
        key = numbers.key(node)
        numbers.results(node, key)
        if keys.pop((key, tuple(numbers.ids[value.name] for value in node.outputs)), None) is None:
            return None
    outputs = ([numbers.ids[x] if isinstance(x, str) else x for x in form.outputs] for form in (asked, plain))
    left = {id(node) for node in keys.values()} | {id(node) for node in asked.nodes if node.op == "tap"}
    same = next(outputs) == next(outputs)
    return [node for node in asked.nodes if id(node) in left] if same else None


def _beside(asked: Graph, more: Sequence[Node], fresh: Fresh) -> Graph:
    """What taps alone need stands in a branch of its own, with the last of them."""
    parts: list[list[Node]] = []  # what is computed from one another
    for node in more:
        read = [part for part in parts if any(value.name in node.operands for made in part for value in made.outputs)]
        parts = [part for part in parts if part not in read]
        parts.append([*(made for part in read for made in part), node])
    order = {id(node): at for at, node in enumerate(asked.nodes)}
    ends = {max(order[id(node)] for node in part): part for part in parts}
    inside = {id(node) for node in more}
    nodes: list[Node] = []
    for at, node in enumerate(asked.nodes):
        if id(node) not in inside:
            nodes.append(node)
        elif at in ends:
            nodes.append(_asked(sorted(ends[at], key=lambda each: order[id(each)]), asked.values, fresh))
    return Graph(asked.inputs, tuple(nodes), asked.outputs)


def _asked(part: list[Node], values: dict[str, Value], fresh: Fresh) -> Node:
    """The branch; a tap by itself is its own."""
    if len(part) == 1 and part[0].op == "tap":
        return part[0]
    outside = tuple(dict.fromkeys(_read(part)))
    empty = Graph(tuple(fresh.value(values[name].type, values[name].hint) for name in outside), (), ())
    regions = (_arm(part, outside, (), values, fresh), empty)
    return Node.of(TappedAttrs(), outside, (), regions, span=part[-1].span)


def _read(nodes: Sequence[Node]) -> list[str]:
    """The values that nodes read and do not make."""
    made = {value.name for node in nodes for value in node.outputs}
    return [name for node in nodes for name in node.operands if name not in made]


def _arm(
    nodes: Sequence[Node], outside: Sequence[str], outputs: Sequence[Operand], values: dict[str, Value], fresh: Fresh
) -> Graph:
    """A region with names of its own."""
    inputs = tuple(fresh.value(values[name].type, values[name].hint) for name in outside)
    names: dict[str, Operand] = {name: value.name for name, value in zip(outside, inputs, strict=True)}
    made, results = copied(Graph((), tuple(nodes), tuple(outputs)), {}, names, fresh, lambda path: path)
    return Graph(inputs, made, results)


def _choice(asked: Graph, plain: Graph, fresh: Fresh) -> Graph:
    """Both forms, as a whole, of the same inputs."""
    forms = (asked, plain)
    values = {**plain.values, **asked.values}
    given = [tuple(x for x in form.outputs if isinstance(x, str)) for form in forms]
    inputs = tuple(value.name for value in asked.inputs)
    regions = tuple(_arm(f.nodes, inputs, xs, values, fresh) for f, xs in zip(forms, given, strict=True))
    results = tuple(fresh.value(values[x].type, values[x].hint) for x in given[0])
    names = iter(results)
    node = Node.of(TappedAttrs(), inputs, results, regions, span=asked.nodes[-1].span)
    return Graph(asked.inputs, (node,), tuple(next(names).name if isinstance(x, str) else x for x in asked.outputs))


def whole_choice(graph: Graph) -> tuple[Graph, Graph] | None:
    """The form with taps and the one without, where a graph is a choice between both; outputs in the graph's places."""
    if len(graph.nodes) != 1 or graph.nodes[0].op != "tapped" or not graph.nodes[0].outputs:
        return None
    forms = []
    for region in graph.nodes[0].regions:
        names = iter(region.outputs)
        outputs = tuple(next(names) if isinstance(x, str) else x for x in graph.outputs)
        forms.append(Graph(region.inputs, region.nodes, outputs))
    return forms[0], forms[1]

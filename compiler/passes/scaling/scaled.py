"""A program under maximal update: its weights start otherwise, uses are multiplied, logits go by 1 / d."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import prod, sqrt

from ogive.compiler.analysis.initial.moments import entry_moments, settings_of
from ogive.compiler.ir.model import Const, Definition, Graph, Init, Member, Node, Operand, Value, Weight
from ogive.compiler.ir.substitute import Fresh, in_sizes
from ogive.compiler.passes.scaling.growth import WidthGrowth
from ogive.compiler.passes.scaling.roles import ScaledWeight
from ogive.compiler.passes.scaling.uses import LogitUse


@dataclass(slots=True)
class Multiplied:
    """Puts a factor before operands of some nodes, and behind some results."""

    operands: Mapping[tuple[str, int], float]  # by the first result of a node, which names it
    results: Mapping[str, float]
    fresh: Fresh
    made: dict[tuple[str, float], str] = field(default_factory=dict)

    def graph(self, graph: Graph) -> Graph:
        """The graph and its regions."""
        nodes: list[Node] = []
        renamed: dict[str, str] = {}
        made: dict[tuple[str, float], str] = {}
        for source in graph.nodes:
            node = replace(source, regions=tuple(map(self.graph, source.regions))) if source.regions else source
            node = node.reading(lambda x: renamed.get(x, x) if isinstance(x, str) else x)
            name = node.outputs[0].name if node.outputs else ""
            for at, operand in enumerate(node.inputs):
                factor = self.operands.get((name, at), 1.0)
                if factor != 1 and isinstance(operand, str):
                    if (operand, factor) not in made:
                        value = graph.values[operand]
                        nodes.append(self.times(operand, factor, value, source))
                        made[operand, factor] = nodes[-1].outputs[0].name
                    inputs: list[Operand] = list(node.inputs)
                    inputs[at] = made[operand, factor]
                    node = replace(node, inputs=tuple(inputs))
            nodes.append(node)
            if name in self.results:
                nodes.append(self.times(name, self.results[name], node.outputs[0], source))
                renamed[name] = nodes[-1].outputs[0].name
        outputs = tuple(renamed.get(x, x) if isinstance(x, str) else x for x in graph.outputs)
        return Graph(graph.inputs, tuple(nodes), outputs)

    def times(self, name: str, factor: float, value: Value, at: Node) -> Node:
        """A product with a number."""
        result = Value(self.fresh.name(value.hint or "v"), value.type)
        return Node("mul", (name, Const(factor)), (result,), span=at.span)


def scaled_definition(
    definition: Definition, growth: WidthGrowth, found: Mapping[str, ScaledWeight], logits: Mapping[str, float]
) -> Definition:
    """A flattened definition under maximal update, its growing statics as numbers still open."""
    operands = {
        (use.node.outputs[0].name, use.operand): factor
        for each in found.values()
        for use, factor in each.uses
        if factor != 1
    }
    results: dict[str, float] = {}
    for node in definition.graph.walk():
        name = node.outputs[0].name if node.outputs else ""
        if name in logits:
            if node.op == "attention":
                operands[name, 0] = logits[name]
            else:
                results[name] = logits[name]
    graph = Multiplied(operands, results, Fresh.of(definition.graph)).graph(definition.graph)
    members: list[Member] = []
    for member in definition.members:
        if isinstance(member, Weight) and member.path in found:
            init = scaled_init(growth, member, found[member.path].std)
            members.append(member if init is None else replace(member, init=init))
        else:
            members.append(member)
    return replace(definition, graph=graph, members=tuple(members))


def scaled_init(growth: WidthGrowth, weight: Weight, factor: float) -> Init | None:
    """As it starts at the base width, its entries times a factor; None where an expression makes it."""
    init = Init(weight.init.name, tuple((key, in_sizes(value, growth.base)) for key, value in weight.init.attrs))
    settings = settings_of(init)
    base = [growth.at_base(axis.size) for axis in weight.type.axes]
    shape = [growth.number(axis.size) for axis in weight.type.axes]
    if settings is None or None in base or None in shape:
        return None
    sides, now = [each or 0 for each in base], [each or 0 for each in shape]
    moments = entry_moments(init, sides)
    seed = tuple((key, value) for key, value in weight.init.attrs if key == "seed")
    if moments is None or init.name in ("zeros", "eye"):
        return None
    mean, variance = moments
    std = sqrt(variance) * factor
    match init.name:
        case "ones" | "constant":
            return None if factor == 1 else Init("constant", (("v", mean * factor),))
        case "normal":
            return Init("normal", (("mean", mean * factor), ("std", std), *seed))
        case "trunc_normal":
            return Init("trunc_normal", (("std", settings.get("std", 1.0) * factor), *seed))
        case "uniform":
            low, high = settings.get("lo", 0.0), settings.get("hi", 1.0)
            return Init("uniform", (("lo", low * factor), ("hi", high * factor), *seed))
        case "kaiming_uniform" | "xavier_uniform":
            return Init("uniform", (("lo", -std * sqrt(3)), ("hi", std * sqrt(3)), *seed))
        case "orthogonal":
            return Init("orthogonal", (("gain", std * sqrt(max(now[0], prod(now[1:])))), *seed))
        case _:
            return Init("normal", (("mean", 0.0), ("std", std), *seed))


def logit_factors(growth: WidthGrowth, uses: list[LogitUse]) -> dict[str, float]:
    """For each product of queries and keys whose depth grows, what makes 1/√d of it 1/d, equal at the base width."""
    found = {}
    for use in uses:
        factor = prod((1 / sqrt(growth.ratio(each)) for each in use.summed), start=1.0)
        if factor != 1:
            found[use.node.outputs[0].name] = factor
    return found

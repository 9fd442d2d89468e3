"""Norms of channels moved back to the maps that give these: through what only moves numbers, or takes means of them.

norm(concat(a, b)) = concat(norm(a), norm(b)), norm(upsample(x)) = upsample(norm(x)), and so with pools whose shares sum
to 1, with shuffles of pixels and with transpositions. And the scale and shift of a group norm apart from it, before
convolutions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ogive.compiler.ir.attributes import WeightAttrs
from ogive.compiler.ir.model import Graph, Node, Operand, Value
from ogive.compiler.ir_tools.unchecked_rules import Trusting
from ogive.compiler.ops import OPS
from ogive.compiler.ops.recipe import AxisGroup, AxisPattern
from ogive.compiler.ops.spec import Pattern
from ogive.compiler.passes.conversion.scope import ConversionScope
from ogive.compiler.passes.weight_folding import affine_kernels as kernels
from ogive.compiler.passes.weight_folding.binding_time import BindingTimes, count, key
from ogive.compiler.passes.weight_folding.context import TransferContext
from ogive.compiler.passes.weight_folding.rules import map_of
from ogive.compiler.sizes import Size, size

BLIND = ("interpolate", "adaptive_avg_pool")  # each number of a result is a mean of its channel, shares sum to 1
CONVS = ("conv", "conv_transpose")


@dataclass(frozen=True, slots=True)
class Scale:
    """y = s x + t of channels at an axis, both static."""

    s: str
    t: str
    axis: int


def moved_back(graph: Graph, scope: ConversionScope, static: BindingTimes) -> Graph:
    """Batch norms where a map by weights can take them, if that is all their way back."""
    found = _Backwards(graph, scope, static)
    for node in graph.nodes:
        if node.op == "batch_norm":
            found.norm(node)
        elif node.op == "group_norm":
            found.groups(node)
    return found.rewritten() if found.behind or found.apart else graph


@dataclass(slots=True)
class _Backwards:
    graph: Graph
    scope: ConversionScope
    static: BindingTimes
    behind: dict[str, Scale] = field(default_factory=dict)  # a value -> what it is multiplied by, added to
    gone: dict[str, str] = field(default_factory=dict)  # the result of a norm -> what it is then
    apart: dict[str, tuple[Node, ...]] = field(default_factory=dict)  # a group norm: the nodes in its place
    owners: dict[str, str] = field(default_factory=dict)  # a value of `behind` -> the norm that was moved
    mark: int = 0

    def __post_init__(self) -> None:
        self.mark = len(self.scope.nodes)

    def context(self) -> TransferContext:
        """What rules ask of the graph."""
        return TransferContext(self.graph, self.scope, lambda _: None)

    def norm(self, node: Node) -> None:
        """Move a batch norm, where every way back ends at a map and at least one leads through something."""
        x, weights = node.inputs[0], node.inputs[1:]
        if not isinstance(x, str) or x in self.scope.types or key(node) in self.behind:
            return
        if any(isinstance(w, str) and w not in self.scope.types for w in weights):
            return
        maker = self.graph.producers.get(x)
        if maker is None or self.ends(maker, 1):
            return
        mean, variance = str(weights[0]), str(weights[1])
        scope, start = self.scope, len(self.scope.nodes)
        s = scope.op("rsqrt", scope.op("add", variance, float(node.attr("eps"))))
        s = scope.op("mul", str(weights[2]), s) if len(weights) > 2 and weights[2] is not None else s
        t = scope.op("neg", scope.op("mul", mean, s))
        t = scope.op("add", str(weights[3]), t) if len(weights) > 3 and weights[3] is not None else t
        ways = self.back(x, Scale(s, t, 1))
        if ways is None:
            del scope.nodes[start:]
            return
        self.behind.update(ways)
        self.gone[key(node)] = x
        self.owners.update(dict.fromkeys(ways, key(node)))
        paths = {path for w in (s, t) for path in self.static.below_of(scope, w)}
        for path in paths:
            readers = self.static.readers.get(path, set())
            self.static.readers[path] = (readers - {key(node)}) | {f"{name} scaled" for name in ways}
            whole = count(self.static.weights[path].type)
            shares = {
                f"{name} scaled": whole * scope.shape(way.s)[0] // scope.shape(s)[0] for name, way in ways.items()
            }
            self.static.shares[path] = shares if len(ways) > 1 else {}

    def ends(self, maker: Node, axis: int) -> bool:
        """Whether a map by weights that nothing else reads gives the channels of an axis."""
        rank, held = len(maker.outputs[0].type.axes), [x for x in maker.operands if x in self.scope.types]
        below = {path for each in held for path in self.static.below_of(self.scope, each)}
        if not below or not all(self.static.released(path, {key(maker)}) for path in below):
            return False
        if maker.op in CONVS:
            return axis == 1 and isinstance(maker.inputs[1], str) and maker.inputs[1] in self.scope.types
        start = len(self.scope.nodes)
        found = axis == rank - 1 and map_of(maker, self.context()) is not None
        del self.scope.nodes[start:]
        return found

    def back(self, name: str, way: Scale) -> dict[str, Scale] | None:
        """The values of maps at which the same is done, None where there is another way in."""
        if name in self.behind or len(self.graph.users.get(name, ())) + self.graph.outputs.count(name) != 1:
            return None
        maker = self.graph.producers.get(name)
        if maker is None or len(maker.outputs) != 1:
            return None
        if self.ends(maker, way.axis):
            return {name: way}
        if maker.op in BLIND and way.axis == 1:
            return self.back(str(maker.inputs[0]), way)
        if maker.op == "avg_pool" and way.axis == 1 and _whole(maker):
            return self.back(str(maker.inputs[0]), way)
        if maker.op == "concat":
            return self.parts(maker, way)
        if maker.op == "rearrange" or (maker.op == "reduce" and maker.attr("op") == "mean"):
            return self.arranged(maker, way)
        return None

    def parts(self, maker: Node, way: Scale) -> dict[str, Scale] | None:
        """What is laid beside each other, each with its part; along another axis each with the whole."""
        found: dict[str, Scale] = {}
        start = 0
        for operand in maker.inputs:
            if not isinstance(operand, str) or operand in self.scope.types:
                return None
            axis = self.graph.values[operand].type.axes[way.axis].size
            own: Scale = way
            if maker.attr("axis") == way.axis:
                if not axis.is_number:
                    return None
                item = ("slice", start, start + axis.number, None)
                s, t = (self.scope.op("slice", each, items=(item,)) for each in (way.s, way.t))
                own, start = Scale(s, t, way.axis), start + axis.number
            more = self.back(operand, own)
            if more is None or more.keys() & found.keys():
                return None
            found |= more
        return found

    def arranged(self, maker: Node, way: Scale) -> dict[str, Scale] | None:
        """Channels that are a part of an axis before, each as often as it stands there."""
        recipe: AxisPattern = maker.attr("recipe")
        if len(recipe.inputs) != 1 or len(recipe.outputs) != 1 or way.axis >= len(recipe.outputs[0]):
            return None
        out = _atoms(recipe.outputs[0][way.axis])
        sides = list(enumerate(map(_atoms, recipe.inputs[0])))
        places = [at for at, atoms in sides if atoms is not None and out and set(out) <= set(atoms)]
        if out is None or len(places) != 1 or any(group.pack for group in recipe.inputs[0]):
            return None
        before = _atoms(recipe.inputs[0][places[0]])
        assert before is not None
        if not all(each.is_number for each in before.values()):
            return None
        s, t = (self.spread(each, out, before) for each in (way.s, way.t))
        return self.back(str(maker.inputs[0]), Scale(s, t, places[0]))

    def spread(self, vector: str, out: Mapping[str, Size], before: Mapping[str, Size]) -> str:
        """A vector of some atoms for an axis of more."""
        numbers = {name: each.number for name, each in before.items()}
        if len(out) > 1:
            vector = self.scope.shaped(vector, f"({' '.join(out)}) -> {' '.join(out)}", **{n: numbers[n] for n in out})
        if list(out) != list(before):
            pattern = Pattern(f"{' '.join(out)} -> {' '.join(before)}", {n: before[n] for n in before})
            vector = self.scope.op("expand", vector, pattern=pattern)
        return self.scope.shaped(vector, f"{' '.join(before)} -> ({' '.join(before)})") if len(before) > 1 else vector

    def groups(self, node: Node) -> None:
        """A group norm without scale and shift, and these before each convolution that reads it and can take them."""
        weights = node.inputs[1:]
        if not weights or any(not isinstance(w, str) or w not in self.scope.types for w in weights):
            return
        users = self.graph.users.get(key(node), ())
        if not users or key(node) in self.graph.outputs or not all(self.takes(each, key(node)) for each in users):
            return
        bias = str(weights[1]) if len(weights) > 1 else None
        value = node.outputs[0]
        plain = replace(node, inputs=(node.inputs[0],))
        nodes: list[Node] = [plain]
        for each in users:
            more = replace(value, name=self.scope.fresh.name("scaled"))
            t = bias or kernels.filled(self.scope, self.scope.shape(str(weights[0])), 0.0)
            nodes.append(self.scaled(value.name, more, Scale(str(weights[0]), t, 1)))
            self.gone[f"{key(each)} {value.name}"] = more.name
            for path in {path for w in weights for path in self.static.below_of(self.scope, str(w))}:
                readers = self.static.readers.get(path, set())
                self.static.readers[path] = (readers - {key(node)}) | {key(nodes[-1])}
        self.apart[key(node)] = tuple(nodes)

    def takes(self, reader: Node, name: str) -> bool:
        """Whether a convolution can have a scale and a shift of what it reads in its weights: no border of zeros."""
        if reader.op != "conv" or reader.inputs[0] != name or not self.ends(reader, 1):
            return False
        pad = reader.attr("pad")
        return pad != "same" and (reader.attr("pad_mode") != "zeros" or not _some(pad))

    def scaled(self, name: str, value: Value, way: Scale) -> Node:
        """The same as a batch norm of mean 0 and variance 1."""
        shape = self.scope.shape(way.s)
        zero, one = kernels.filled(self.scope, shape, 0.0), kernels.filled(self.scope, shape, 1.0)
        types = [value.type, *(self.scope.types[each] for each in (zero, one, way.s, way.t))]
        return apply_open("batch_norm", (name, zero, one, way.s, way.t), types, value)

    def rewritten(self) -> Graph:
        """The graph with what was found."""
        nodes: list[Node] = []
        for node in self.graph.nodes:
            if key(node) in self.apart:
                nodes += self.apart[key(node)]
                continue
            if key(node) in self.gone:
                continue
            read = tuple(self.read(node, x) for x in node.inputs)
            way = self.behind.get(key(node)) if node.outputs else None
            node = replace(node, inputs=read)
            if way is None:
                nodes.append(node)
                continue
            value = node.outputs[0]
            raw = replace(value, name=self.scope.fresh.name("raw"))
            nodes.append(replace(node, outputs=(raw,)))
            nodes += self.after(raw, replace(value, name=value.name), way)
        outputs = tuple(self.gone.get(x, x) if isinstance(x, str) else x for x in self.graph.outputs)
        made = [node for node in self.scope.nodes[self.mark :] if not isinstance(node.structure, WeightAttrs)]
        return Graph(self.graph.inputs, tuple(_ordered([*made, *nodes], self.graph.inputs)), outputs)

    def read(self, node: Node, operand: Operand) -> Operand:
        """What a node reads then."""
        if not isinstance(operand, str):
            return operand
        found = self.gone.get(f"{key(node)} {operand}", operand)
        while found in self.gone:
            found = self.gone[found]
        return found

    def after(self, raw: Value, value: Value, way: Scale) -> Iterator[Node]:
        """The scale and shift of a value, whose result has its name."""
        rank = len(value.type.axes)
        mine = f"{value.name} scaled"
        for shares in self.static.shares.values():
            if mine in shares:
                shares[value.name] = shares.pop(mine)
        for path, readers in self.static.readers.items():
            if mine in readers:
                self.static.readers[path] = (readers - {mine}) | {value.name}
        if way.axis == 1:
            yield self.scaled(raw.name, value, way)
            return
        assert way.axis == rank - 1, way
        product = replace(value, name=self.scope.fresh.name("scaled"))
        yield Node("mul", (raw.name, way.s), (product,))
        yield Node("add", (product.name, way.t), (value,))


def apply_open(op: str, inputs: Sequence[Operand], types: Sequence[object], value: Value) -> Node:
    """A node whose sizes may be open, with a result that is there."""
    spec = OPS[op]
    given = {static.name: static.default for static in spec.statics} | {"eps": 0.0}
    _, attrs = spec.rule(Trusting(), given, types)
    return Node(op, tuple(inputs), (value,), tuple(attrs.items()))


def _whole(pool: Node) -> bool:
    """Whether the shares of each window sum to 1: no zeros count."""
    return not _some(pool.attr("pad")) or not pool.attr("count_include_pad")


def _some(pad: Sequence[Size]) -> bool:
    """Whether anything is padded."""
    return any(each != size(0) for each in pad)


def _atoms(group: AxisGroup) -> dict[str, Size] | None:
    """The factors of an axis by name, those of one entry left out; None where it is laid together."""
    return None if group.joined or group.pack else {atom.name: atom.size for atom in group.atoms}


def _ordered(nodes: Sequence[Node], inputs: Sequence[Value]) -> Iterator[Node]:
    """The nodes in an order in which they can run, as near to theirs as may be."""
    makers = {value.name: node for node in nodes for value in node.outputs}
    done: set[int] = set()

    def visit(node: Node) -> Iterator[Node]:
        if id(node) in done:
            return
        done.add(id(node))
        for name in node.operands:
            if name in makers:
                yield from visit(makers[name])
        yield node

    for node in nodes:
        yield from visit(node)

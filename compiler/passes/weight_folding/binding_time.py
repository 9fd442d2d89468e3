"""Binding times: what depends on weights alone is computed once, in the conversion."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from math import prod

from ogive.compiler.ir.attributes import RepeatAttrs, WeightAttrs
from ogive.compiler.ir.model import Graph, Init, Node, Operand, Value, Weight
from ogive.compiler.ir.substitute import Fresh
from ogive.compiler.ir.types import TensorType
from ogive.compiler.ir_tools.effects import Effect, own_effect
from ogive.compiler.ir_tools.mentions import determined
from ogive.compiler.ops import OPS
from ogive.compiler.passes.conversion.result import Note
from ogive.compiler.passes.conversion.scope import ConversionScope
from ogive.compiler.passes.infra.driver import map_nodes
from ogive.compiler.sizes import size

# what rearranges memory and does no arithmetic stays with its reader: storing it twice saves nothing
STAYING = ("layout", "value")


@dataclass(slots=True)
class BindingTimes:
    """The static values of a model: their conversions by scope, the weights below each, and who reads a weight."""

    root: ConversionScope
    weights: dict[str, Weight]
    grow: bool = False  # whether the result may store more numbers than the source
    below: dict[str, tuple[str, ...]] = field(default_factory=dict)  # value -> paths of the weights it depends on
    readers: dict[str, set[str]] = field(default_factory=dict)  # path of a weight -> nodes at run time that need it
    claimed: set[str] = field(default_factory=set)  # paths of weights of the result
    # of a weight whose parts several nodes read, each its own: how many numbers
    shares: dict[str, dict[str, int]] = field(default_factory=dict)
    # values that read computed weights, and where
    made: dict[str, tuple[ConversionScope, str]] = field(default_factory=dict)

    def scan(self, graph: Graph, scope: ConversionScope) -> None:
        """Find the static nodes of a graph and of its regions."""
        for node in graph.nodes:
            if self.is_static(node, scope):
                scope.add(node)
                paths = [node.path] if node.op == "weight" else [p for x in node.operands for p in self.below[x]]
                self.below.update({value.name: tuple(dict.fromkeys(paths)) for value in node.outputs})
                continue
            for operand in node.operands:
                self.read(operand, key(node))
            for region in node.regions:
                self.scan(region, inner(node, scope))
            if node.op == "weight":
                self.readers.setdefault(node.path, set()).add(f"{node.path} in another loop")
        for name in graph.outputs:
            if isinstance(name, str):
                self.read(name, "output")

    def read(self, name: str, reader: str) -> None:
        """A node at run time reads a value."""
        for path in self.below.get(name, ()):
            self.readers.setdefault(path, set()).add(reader)

    def is_static(self, node: Node, scope: ConversionScope) -> bool:
        """Whether a node depends on weights of this scope alone, and on no size that is known at run time."""
        if not all(_fixed(value.type) for value in node.outputs):
            return False
        if node.op == "weight":
            return node.path in self.weights and owned(node.path, scope)
        if node.op not in OPS or own_effect(node) & Effect.DRAWS or node.regions or node.callee is not None:
            return False
        inputs = all(x in scope.types if isinstance(x, str) else determined(x) for x in node.inputs)
        return inputs and all(determined(value) for _, value in node.attrs)

    def released(self, path: str, readers: set[str]) -> bool:
        """Whether no node but these needs a weight."""
        return self.readers.get(path, set()) <= readers

    def elements(self, paths: tuple[str, ...]) -> int:
        """How many numbers these weights hold."""
        return sum(count(self.weights[path].type) for path in paths)

    def store(self, scope: ConversionScope, value: str, path: str) -> Node:
        """A new weight of the result that holds a static value; the node that reads it at run time."""
        maker = scope.makers[value]
        if maker.op == "weight":
            self.claimed.add(maker.path)
            return maker
        path = self.free(path)
        self.claimed.add(path)
        known = self.weights.get(path)
        type = scope.types[value]
        kinds = {self.weights[p].kind for p in self.below_of(scope, value)}
        init = known.init if known is not None and known.type == type else Init("zeros")
        weight = Weight(path, type, "param" if "param" in kinds else "state", init, span=known.span if known else None)
        scope.targets[path] = (value, weight)
        hint = path.split(".")[-1]
        read = Value(scope.fresh.name(hint), type, hint)
        self.made[read.name] = (scope, path)
        return Node.of(WeightAttrs(path), (), (read,))

    def settled(self, graph: Graph) -> Graph:
        """The graph with other paths for computed weights that stand where one of the source is still read."""
        names = self.made
        kept = {n.path for n in graph.walk() if n.op == "weight" and n.outputs[0].name not in names}
        moved: dict[tuple[str, str], str] = {}
        for scope, path in names.values():
            if path in kept and (scope.path, path) not in moved:
                fresh = self.free(f"{path}_folded")
                self.claimed.add(fresh)
                value, weight = scope.targets.pop(path)
                scope.targets[fresh] = (value, replace(weight, path=fresh))
                moved[scope.path, path] = fresh

        def change(node: Node) -> Node:
            if node.op != "weight" or node.outputs[0].name not in names:
                return node
            scope, path = names[node.outputs[0].name]
            return node.at(moved.get((scope.path, path), path))

        return map_nodes(graph, change)

    def below_of(self, scope: ConversionScope, value: str) -> tuple[str, ...]:
        """The weights that a value of a conversion depends on."""
        if value not in self.below:
            maker = scope.makers[value]
            paths = [maker.path] if maker.op == "weight" else []
            paths += [path for name in maker.operands for path in self.below_of(scope, name)]
            self.below[value] = tuple(dict.fromkeys(paths))
        return self.below[value]

    def free(self, path: str) -> str:
        """The path itself, or one beside it where another weight has it."""
        found, number = path, 2
        while found in self.claimed or (found in self.weights and found != path):
            found, number = f"{path}_{number}", number + 1
        return found


def key(node: Node) -> str:
    """What a node is known by."""
    return node.outputs[0].name if node.outputs else node.op


def inner(node: Node, scope: ConversionScope) -> ConversionScope:
    """The scope of a node's regions: each iteration of `repeat` has weights of its own."""
    return scope.loop(node.path, node.structure.count) if isinstance(node.structure, RepeatAttrs) else scope


def owned(path: str, scope: ConversionScope) -> bool:
    """Whether a weight belongs to each iteration of a scope."""
    if not scope.path:
        return "*" not in path
    below = scope.path + ".*."
    return path.startswith(below) and "*" not in path[len(below) :]


def count(type: TensorType) -> int:
    """The elements of a tensor whose sizes are numbers."""
    return prod(axis.size.number for axis in type.axes)


def _fixed(type: TensorType) -> bool:
    return all(axis.pack is None and axis.size.is_number for axis in type.axes)


def stored(graph: Graph, scope: ConversionScope, static: BindingTimes, notes: list[Note]) -> Graph:
    """The graph with the static values that it reads stored as weights, or left where that saves nothing."""
    wanted: dict[str, set[str]] = {}
    for node in graph.nodes:
        if not _in(node, scope):
            for name in node.operands:
                wanted.setdefault(name, set()).add(key(node))
    for output in graph.outputs:
        if isinstance(output, str):
            wanted.setdefault(output, set()).add("output")
    for node in reversed([node for node in graph.nodes if _in(node, scope)]):  # a reader of a part reads the whole
        readers = {reader for value in node.outputs for reader in wanted.get(value.name, ())}
        for name in node.operands:
            wanted.setdefault(name, set()).update(readers)
    read = [name for node in graph.nodes if not _in(node, scope) for name in node.operands]
    read += [name for name in graph.outputs if isinstance(name, str)]
    frontier = _Frontier(scope, static, wanted, notes)
    frontier.join([name for name in dict.fromkeys(read) if name in scope.types])
    nodes: list[Node] = []
    for node in graph.nodes:
        if _in(node, scope):
            continue
        nodes += [made for name in node.operands for made in frontier.reading(name)]
        nodes.append(_renamed(node, frontier.names))
    nodes += [made for name in graph.outputs if isinstance(name, str) for made in frontier.reading(name)]
    outputs = tuple(_at(output, frontier.names) for output in graph.outputs)
    return Graph(graph.inputs, tuple(nodes), outputs)


def _in(node: Node, scope: ConversionScope) -> bool:
    return bool(node.outputs) and node.outputs[0].name in scope.types


def _at(operand: Operand, names: dict[str, str]) -> Operand:
    return names.get(operand, operand) if isinstance(operand, str) else operand


def _renamed(node: Node, names: dict[str, str]) -> Node:
    return node.reading(lambda x: _at(x, names)) if any(name in names for name in node.operands) else node


@dataclass(slots=True)
class _Frontier:
    scope: ConversionScope
    static: BindingTimes
    wanted: dict[str, set[str]]
    notes: list[Note]
    names: dict[str, str] = field(default_factory=dict)  # static value -> value at run time
    done: set[str] = field(default_factory=set)
    joint: set[str] = field(default_factory=set)  # what is stored because all of its kin is

    def join(self, read: list[str]) -> None:
        """Values that share weights are stored together where that takes no more room than these weights."""
        groups: list[tuple[set[str], list[str]]] = []
        for name in (name for name in read if self.computed(self.scope.makers[name])):
            paths, names = set(self.static.below_of(self.scope, name)), [name]
            for kin in [group for group in groups if group[0] & paths]:
                paths, names = paths | kin[0], kin[1] + names
                groups.remove(kin)
            groups.append((paths, names))
        for paths, names in groups:
            readers = {reader for name in names for reader in self.wanted.get(name, ())}
            freed = tuple(path for path in paths if self.static.released(path, readers))
            if sum(count(self.scope.types[name]) for name in names) <= self.static.elements(freed):
                self.joint.update(names)

    def reading(self, name: str) -> Iterator[Node]:
        """The nodes that give a static value at run time, the first time it is read."""
        if name not in self.scope.types or name in self.done:
            return
        maker = self.scope.makers[name]
        self.done.update(value.name for value in maker.outputs)
        if maker.op == "weight":
            self.static.claimed.add(maker.path)
            yield maker
        elif self.pays(maker, name):
            paths = self.static.below_of(self.scope, name)
            node = self.static.store(self.scope, name, self.place(paths[0], name))
            self.names[name] = node.outputs[0].name
            self.notes.append(
                Note(True, node.path, f"computed once: {', '.join(self.steps(name))} of {', '.join(paths)}")
            )
            yield node
        else:
            for operand in maker.operands:
                yield from self.reading(operand)
            yield _renamed(maker, self.names)

    def steps(self, name: str) -> list[str]:
        """The operations that compute a value from weights, the first one first."""
        found: dict[str, str] = {}
        pending = [name]
        while pending:
            value = pending.pop()
            maker = self.scope.makers[value]
            if maker.op != "weight" and value not in found:
                found[value] = maker.op
                pending += maker.operands
        return list(dict.fromkeys(reversed(found.values())))

    def place(self, path: str, name: str) -> str:
        """The path of the first weight; that of the bias beside it, for a vector where the matrix has it."""
        stem, dot, last = path.rpartition(".")
        vector = len(self.scope.types[name].axes) == 1 and last == "weight" and path in self.static.claimed
        return f"{stem}{dot}bias" if vector else path

    def pays(self, maker: Node, name: str) -> bool:
        """Whether storing a value takes no more room than what it is computed from, and saves arithmetic."""
        paths = self.static.below_of(self.scope, name)
        if not paths or not self.computed(maker):
            return False
        if len(maker.outputs) > 1 or not maker.outputs[0].type.floating:
            return False
        if name in self.joint:
            return True
        readers = self.wanted.get(name, set())
        freed = tuple(path for path in paths if self.static.released(path, readers))
        return self.static.grow or count(maker.outputs[0].type) <= self.static.elements(freed)

    def computed(self, maker: Node) -> bool:
        """Whether a node does arithmetic, or rearranges what does and makes it no larger."""
        if maker.op == "weight":
            return False
        if OPS[maker.op].kind not in STAYING and maker.op not in ("cast", "stop_gradient"):
            return True
        if maker.op not in ("rearrange", "slice") or len(maker.operands) != 1:
            return False
        return self.computed(self.scope.makers[maker.operands[0]]) if maker.operands else False


def scope_of_model() -> ConversionScope:
    """An empty scope outside of loops."""
    return ConversionScope("", size(1), Fresh(set()))

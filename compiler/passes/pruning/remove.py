"""Channels taken away, or there several times: a model whose axes have what is then there, and how its weights come
from those before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod

from ogive.compiler.analysis.provenance.dims import Dim
from ogive.compiler.analysis.provenance.domain import Provenance
from ogive.compiler.ir.attributes import WeightAttrs
from ogive.compiler.ir.model import Graph, Init, Member, Model, Node, Value, Weight
from ogive.compiler.ir.substitute import Fresh
from ogive.compiler.ir.types import Axis, TensorType
from ogive.compiler.ir.weights import WeightInfo, weights
from ogive.compiler.ops.recipe import Atom, AxisGroup, AxisPattern, Side
from ogive.compiler.ops.spec import Pattern
from ogive.compiler.passes.conversion.graph import Conversion, conversion
from ogive.compiler.passes.conversion.scope import ConversionScope
from ogive.compiler.passes.pruning.constants import LeftOver
from ogive.compiler.sizes import Size, size

Kept = tuple[tuple[int, ...], ...]  # which entries are then there, for each iteration of the loop around, else once
Factors = Callable[[str, Dim], Sequence[float] | None]  # path, dimension -> by what its new entries are multiplied
FILLED = ("zeros", "ones", "full")


@dataclass(slots=True)
class Removal:
    """What stays of each leaf; all other leaves stay whole."""

    found: Provenance
    kept: Mapping[Dim, Kept]
    changed: dict[Dim, bool] = field(default_factory=dict)

    def changes(self, dim: Dim) -> bool:
        """Whether a dimension loses entries."""
        here = dim.found
        if here not in self.changed:
            self.changed[here] = any(leaf in self.kept for leaf in here.leaves())
        return self.changed[here]

    def size(self, dim: Dim) -> Size:
        """How long a dimension is then."""
        here = dim.found
        if not self.changes(here):
            return here.size
        if not here.kind:
            return size(len(self.kept[here][0]))
        parts = [self.size(part) for part in here.parts]
        return sum(parts, size(0)) if here.kind == "joined" else prod(parts, start=size(1))

    def places(self, dim: Dim, turn: int) -> list[int]:
        """Which entries of a dimension stay, in an iteration."""
        here = dim.found
        if not self.changes(here):
            return list(range(here.size.number))
        if not here.kind:
            turns = self.kept[here]
            return list(turns[turn % len(turns)])
        lists = [self.places(part, turn) for part in here.parts]
        lengths = [part.found.size.number for part in here.parts]
        if here.kind == "joined":
            starts = [sum(lengths[:at]) for at in range(len(lengths))]
            return [start + each for start, part in zip(starts, lists, strict=True) for each in part]
        found = [0]
        for length, part in zip(lengths, lists, strict=True):
            found = [outer * length + each for outer in found for each in part]
        return found

    def before(self, dim: Dim, low: Size) -> Size:
        """How many of the first entries of a dimension stay."""
        if not self.changes(dim) or not low.is_number:
            return low
        return size(sum(place < low.number for place in self.places(dim, 0)))

    # graphs

    def model(self, name: str) -> Model:
        """The flat model with shorter axes."""
        model = self.found.model
        definition = model.definition
        shorter = replace(
            definition,
            graph=self.graph(definition.graph),
            members=tuple(self.member(member) for member in definition.members),
        )
        return replace(model, name=name, definition=shorter)

    def graph(self, graph: Graph) -> Graph:
        """A graph, with those in it."""
        return Graph(tuple(map(self.value, graph.inputs)), tuple(map(self.node, graph.nodes)), graph.outputs)

    def value(self, value: Value) -> Value:
        """A value with its new type."""
        dims = self.found.values.get(value.name)
        if dims is None or not any(map(self.changes, dims)):
            return value
        return replace(value, type=self.typed(value.type, dims))

    def typed(self, type: TensorType, dims: Sequence[Dim]) -> TensorType:
        """A type whose axes are these dimensions."""
        pairs = zip(type.axes, dims, strict=True)
        return type.with_axes(*(self.axis(axis, dim) for axis, dim in pairs))

    def axis(self, axis: Axis, dim: Dim) -> Axis:
        """An axis as long as its dimension is then; the name of its old size is no label of it."""
        if not self.changes(dim):
            return axis
        return Axis(self.size(dim), axis.label)

    def member(self, member: Member) -> Member:
        """A weight with its new type."""
        if not isinstance(member, Weight):
            return member
        dims = self.found.weights[member.path]
        if not any(map(self.changes, dims)):
            return member
        init = Init("zeros") if member.init.graph is not None else member.init
        return replace(member, type=self.typed(member.type, dims), init=init)

    def node(self, node: Node) -> Node:
        """A node, its attributes and its regions."""
        made = replace(node, outputs=tuple(map(self.value, node.outputs)), regions=tuple(map(self.graph, node.regions)))
        names = [*(x for x in node.inputs if isinstance(x, str)), *(value.name for value in node.outputs)]
        if node.structure is not None or any(name not in self.found.values for name in names):
            return made  # in a body of which nothing is known, and so frozen
        attrs = tuple((key, self.attr(node, key, value)) for key, value in node.attrs)
        return replace(made, attrs=attrs)

    def attr(self, node: Node, key: str, value: object) -> object:
        """What an attribute says of axes that are shorter now."""
        named = self.found.named.get(node.outputs[0].name, {})
        dims = [self.found.values[x] for x in node.inputs if isinstance(x, str)]
        if isinstance(value, AxisPattern):
            return self.pattern(value, named)
        if key == "groups" and "groups" in named:
            return self.size(named["groups"]) if self.changes(named["groups"]) else value
        if node.op in FILLED and key == "sizes" and isinstance(value, tuple):
            own = self.found.values[node.outputs[0].name]
            return tuple(self.size(dim) if self.changes(dim) else old for old, dim in zip(value, own, strict=True))
        if node.op == "slice" and key == "items" and isinstance(value, tuple):
            return tuple(self.item(item, dim) for item, dim in zip(value, dims[0], strict=False))
        if node.op == "attention" and key == "scale" and value is None and self.changes(dims[0][-1]):
            return dims[0][-1].found.size.number ** -0.5  # that of the width before
        return value

    def item(self, item: tuple[object, ...], dim: Dim) -> tuple[object, ...]:
        """The run of a slice."""
        if item[0] != "slice" or not self.changes(dim):
            return item
        low, high = (size(each) for each in item[1:3])  # type: ignore[arg-type]
        return (item[0], self.before(dim, low), self.before(dim, high), *item[3:])

    def pattern(self, recipe: AxisPattern, named: Mapping[str, Dim]) -> AxisPattern:
        """A pattern with the new sizes of its atoms."""
        if not any(map(self.changes, named.values())):
            return recipe

        def atom(old: Atom) -> Atom:
            return Atom(old.name, self.size(named[old.name]), old.pack) if self.changes(named[old.name]) else old

        def sides(old: tuple[Side, ...]) -> tuple[Side, ...]:
            return tuple(
                tuple(AxisGroup(tuple(tuple(map(atom, part)) for part in group.parts), group.pack) for group in side)
                for side in old
            )

        return AxisPattern(sides(recipe.inputs), sides(recipe.outputs))


@dataclass(slots=True)
class ConstantLists:
    """Lists of numbers in a conversion, each there once: all weights of a group lose the same entries."""

    names: dict[str, str] = field(default_factory=dict)

    def name(self, root: ConversionScope, numbers: tuple[object, ...]) -> str:
        """The value that holds a list."""
        key = repr(numbers)  # places 0 and 1 are no factors 0.0 and 1.0, though they are equal
        if key not in self.names:
            self.names[key] = root.op("constant", list=numbers)
        return self.names[key]


def shortened(
    source: Model, result: Model, removal: Removal, factors: Factors = lambda path, dim: None,
    more: Sequence[LeftOver] = (),
) -> Conversion:  # fmt: skip
    """The weights of the result: of those before, the entries that stay, times factors.

    Biases get what channels that are gone would still give (`more`).
    """
    root, lists = ConversionScope("", size(1), Fresh(set())), ConstantLists()
    infos = {info.path: info for info in weights(source)}
    for info in infos.values():
        dims = removal.found.weights.get(info.path)
        given = [each for each in more if each.bias == info.path]
        if dims is None or not (given or any(map(removal.changes, dims))):
            continue
        name = whole_weight(root, info)
        for each in given:
            name = root.op("add", name, _gone(root, lists, infos[each.weight], removal, each))
        for axis, dim in enumerate(dims):
            if removal.changes(dim):
                turns = [removal.places(dim, turn) for turn in range(info.count)]
                name = taken(root, lists, name, axis, turns, info.iterations)
                by = factors(info.path, dim)
                if by is not None:
                    name = times(root, lists, name, axis, [by] * info.count, info.iterations)
        root.targets[info.path] = (name, Weight(info.path, root.types[name], info.weight.kind, Init("zeros")))
    graph, targets = root.close()
    return conversion(source, result, graph, targets)


def masked(source: Model, removal: Removal, more: Sequence[LeftOver] = ()) -> Conversion:
    """The weights of the source with 0 in the place of what goes, but for what readers have in their biases."""
    root, lists = ConversionScope("", size(1), Fresh(set())), ConstantLists()
    for info in weights(source):
        dims = removal.found.weights.get(info.path)
        read = {each.leaf for each in more if each.weight == info.path}
        here = Removal(removal.found, {leaf: kept for leaf, kept in removal.kept.items() if leaf not in read})
        if dims is None or not any(map(here.changes, dims)):
            continue
        name = whole_weight(root, info)
        for axis, dim in enumerate(dims):
            if here.changes(dim):
                turns = [here.places(dim, turn) for turn in range(info.count)]
                length = dim.found.size.number
                marks = [[float(at in set(kept)) for at in range(length)] for kept in turns]
                name = times(root, lists, name, axis, marks, info.iterations)
        root.targets[info.path] = (name, Weight(info.path, root.types[name], info.weight.kind, Init("zeros")))
    graph, targets = root.close()
    return conversion(source, source, graph, targets)


def _gone(root: ConversionScope, lists: ConstantLists, info: WeightInfo, removal: Removal, over: LeftOver) -> str:
    """What the channels that go give to each entry of a map."""
    dim, loops = removal.found.weights[info.path][1], len(info.iterations)
    turns = [set(removal.places(dim, turn)) for turn in range(info.count)]
    marks = [[0.0 if at in kept else over.constant for at in range(info.shape[1])] for kept in turns]
    lost = times(root, lists, whole_weight(root, info), 1, marks, info.iterations)
    return root.op("sum", lost, axes=tuple(range(loops + 1, loops + len(info.shape))))


def whole_weight(root: ConversionScope, info: WeightInfo) -> str:
    """A weight of the source, those of all iterations stacked."""
    axes = tuple(Axis(size(number)) for number in (*info.iterations, *info.shape))
    name = root.fresh.name("weight")
    told = WeightAttrs(info.path, len(info.iterations))
    root.add(Node.of(told, (), (Value(name, TensorType(info.elem, axes)),)))
    return name


def times(
    root: ConversionScope, lists: ConstantLists, name: str, axis: int, factors: Sequence[Sequence[float]],
    iterations: Sequence[int],
) -> str:  # fmt: skip
    """Entries of an axis times factors, in each iteration its own."""
    loops = len(iterations)
    names = [f"a{at}" for at in range(len(root.shape(name)))]
    left = [*names[:loops], names[loops + axis]]
    right = [each if each in left else "1" for each in names]
    spread = root.op("expand", lists.name(root, _nested(factors, iterations)), pattern=_pattern(left, right))
    return root.op("mul", name, spread)


def taken(
    root: ConversionScope, lists: ConstantLists, name: str, axis: int, turns: Sequence[Sequence[int]],
    iterations: Sequence[int],
) -> str:  # fmt: skip
    """Entries of an axis, in each iteration its own."""
    loops = len(iterations)
    if all(turn == turns[0] for turn in turns):
        return root.op("take", name, lists.name(root, tuple(turns[0])), axis=loops + axis)
    shape = root.shape(name)
    names = [f"a{at}" for at in range(len(shape))]
    left = [*names[:loops], "k"]
    right = [*names[:loops], *names[loops : loops + axis], "k", *names[loops + axis + 1 :]]
    others = {each: size(shape[names.index(each)]) for each in right if each not in left}
    index = lists.name(root, _nested(turns, iterations))
    spread = root.op("expand", index, pattern=_pattern(left, right, others)) if left != right else index
    return root.op("gather", name, spread, axis=loops + axis)


def _pattern(left: Sequence[str], right: Sequence[str], sizes: Mapping[str, Size] | None = None) -> Pattern:
    return Pattern(f"{' '.join(left)} -> {' '.join(right)}", sizes or {})


def _nested(turns: Sequence[Sequence[int | float]], iterations: Sequence[int]) -> tuple[object, ...]:
    """Lists for the iterations of nested loops, the outer ones outside."""
    found: list[object] = [tuple(turn) for turn in turns]
    for count in reversed(iterations[1:]):
        found = [tuple(found[at : at + count]) for at in range(0, len(found), count)]
    return tuple(found) if iterations else found[0]  # type: ignore[return-value]

"""Values that are vectorized over an axis: which of them have it, always as their first, and moves of their axes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

from ogive.compiler.ir.attributes import GivenAttrs
from ogive.compiler.ir.model import Attrs, Graph, Node, Operand, Value
from ogive.compiler.ir.substitute import Fresh
from ogive.compiler.ir.types import Axis, TensorType
from ogive.compiler.ops.recipe import Atom, AxisGroup, AxisPattern, Side

UNIT = AxisGroup(((),))  # an axis of size 1 in a recipe


def one(axis: Axis) -> bool:
    """Whether an axis is of size 1, which broadcasts."""
    return axis.size.is_number and axis.size.number == 1


def places(type: TensorType) -> Side:
    """The axes of a type under names of their own."""
    return tuple(
        AxisGroup(((Atom(f"i{at}", axis.size, axis.pack),),), axis.pack is not None)
        for at, axis in enumerate(type.axes)
    )


def lacking(axis: Axis) -> AxisGroup:
    """What a value that broadcasts along an axis has there: size 1; for a pack, which may be any number, the pack."""
    return UNIT if axis.pack is None else AxisGroup(((Atom("between", axis.size, axis.pack),),), True)


def merged(*sides: AxisGroup) -> AxisGroup:
    """Axes as one, row-major."""
    return AxisGroup((tuple(atom for place in sides for atom in place.parts[0]),))


@dataclass(slots=True)
class Values:
    """The nodes of a graph that is being vectorized, and what is known of their values."""

    axis: Axis
    fresh: Fresh
    nodes: list[Node] = field(default_factory=list)
    names: dict[str, Operand] = field(default_factory=dict)  # values of the old graph -> of the new one
    types: dict[str, TensorType] = field(default_factory=dict)  # of the values of the new graph
    mapped: set[str] = field(default_factory=set)  # those that have the axis
    spread: dict[str, str] = field(default_factory=dict)  # values that lack the axis -> repeated along it
    maybe: set[str] = field(default_factory=set)  # values of both graphs that may be absent where they stand

    @property
    def place(self) -> AxisGroup:
        """The axis in a recipe in which the other names are those of `places`."""
        return self.named(())

    def named(self, taken: Collection[str]) -> AxisGroup:
        """The axis in a recipe that has these names."""
        name = f"@{self.axis.label or self.axis.size}"
        while name in taken:
            name += "'"
        return AxisGroup(((Atom(name, self.axis.size),),))

    def has(self, operand: Operand) -> bool:
        """Whether a value of the new graph has the axis."""
        return isinstance(operand, str) and operand in self.mapped

    def base(self, operand: Operand) -> TensorType:
        """The type of a value of the new graph at one index."""
        assert isinstance(operand, str), operand
        type = self.types[operand]
        return type.with_axes(*type.axes[1:]) if operand in self.mapped else type

    def over(self, type: TensorType) -> TensorType:
        """A type with the axis before it."""
        return type.with_axes(self.axis, *type.axes)

    def input(self, value: Value, mapped: bool) -> Value:
        """An input of the new graph, in the place of one of the old graph."""
        made = replace(value, type=self.over(value.type)) if mapped else value
        self.names[value.name] = made.name
        self._know(made, mapped)
        return made

    def _know(self, value: Value, mapped: bool) -> None:
        self.types[value.name] = value.type
        if mapped:
            self.mapped.add(value.name)

    def add(self, node: Node, mapped: bool | Sequence[bool]) -> tuple[str, ...]:
        """Append a node of the new graph, whose results have the axis or not; its values."""
        self.nodes.append(node)
        for at, value in enumerate(node.outputs):
            self._know(value, mapped if isinstance(mapped, bool) else mapped[at])
        return tuple(value.name for value in node.outputs)

    def results(self, node: Node, inputs: Sequence[Operand], attrs: Attrs | None = None, op: str | None = None) -> None:
        """The old node on new operands, all its results with the axis."""
        outputs = tuple(replace(value, type=self.over(value.type)) for value in node.outputs)
        attrs = node.attrs if attrs is None else attrs
        self.add(replace(node, op=op or node.op, inputs=tuple(inputs), outputs=outputs, attrs=attrs), True)
        self.names.update((value.name, value.name) for value in node.outputs)

    def make(
        self,
        op: str,
        inputs: Sequence[Operand],
        type: TensorType,
        *,
        mapped: bool = True,
        attrs: Attrs = (),
        hint: str = "",
    ) -> str:
        """A new operation with one result of that type; what is made of a value that may be absent may be so too."""
        value = self.fresh.value(type, hint)
        node = Node(op, tuple(inputs), (value,), attrs)
        if inputs and inputs[0] in self.maybe:
            node = self.where_given(node)
            self.maybe.add(value.name)
        return self.add(node, mapped)[0]

    def where_given(self, node: Node) -> Node:
        """A move of a value that may be absent."""
        (operand,), (value,) = node.inputs, node.outputs
        there, absent = (self.fresh.value(self.types[str(operand)]) for _ in range(2))
        result = self.fresh.value(value.type)
        moved = replace(node, inputs=(there.name,), outputs=(result,))
        regions = (Graph((there,), (moved,), (result.name,)), Graph((absent,), (), (None,)))
        return Node.of(GivenAttrs(), (operand,), (value,), regions)

    def bind(self, value: Value, name: str) -> None:
        """A result of the old graph is this value of the new one, which takes its name in the source."""
        self.names[value.name] = name
        for at in range(len(self.nodes) - 1, -1, -1):
            outputs = self.nodes[at].outputs
            if any(made.name == name for made in outputs):
                named = (replace(m, hint=m.hint or value.hint) if m.name == name else m for m in outputs)
                self.nodes[at] = replace(self.nodes[at], outputs=tuple(named))
                return

    # moves

    def moved(self, operand: str, before: Side, after: Side, op: str = "rearrange", *, mapped: bool = True) -> str:
        """A value whose axes are those of `before`, with those of `after`."""
        if before == after:
            return operand
        axes = tuple(Axis(p.size, None, p.parts[0][0].pack if p.pack else None) for p in after)
        type = TensorType(self.types[operand].elem, axes)
        attrs = (("recipe", AxisPattern((before,), (after,))),)
        return self.make(op, (operand,), type, mapped=mapped, attrs=attrs)

    def full(self, operand: Operand) -> str:
        """The value with the axis: one that lacks it is repeated along it."""
        assert isinstance(operand, str), operand
        if operand in self.mapped:
            return operand
        if operand not in self.spread:
            axes = places(self.types[operand])
            self.spread[operand] = self.moved(operand, axes, (self.place, *axes), "expand")
        return self.spread[operand]

    def padded(self, operand: Operand, like: Sequence[Axis]) -> Operand:
        """A value with the axis, and behind it an axis of size 1 for each that it lacks of those that it aligns with; a
        pack, which is any number of them, it gets itself. Others broadcast anyway.
        """
        if not isinstance(operand, str) or operand not in self.mapped:
            return operand
        axes = places(self.base(operand))
        between = tuple(lacking(axis) for axis in like[: max(0, len(like) - len(axes))])
        return self.opened(operand, (self.place, *axes), (self.place, *between, *axes))

    def opened(self, operand: str, before: Side, after: Side) -> str:
        """A value with axes of size 1 more, and packs."""
        grows = any(place.pack and place not in before for place in after)
        return self.moved(operand, before, after, "expand" if grows else "rearrange")

    def stretched(self, operand: str, at: int, axis: Axis) -> str:
        """The value with its axis of size 1 at that place as long as another."""
        type = self.types[operand]
        if not one(type.axes[at]) or one(axis):
            return operand
        axes = places(type)
        wide = AxisGroup(((Atom("wide", axis.size, axis.pack),),), axis.pack is not None)
        before, after = (*axes[:at], UNIT, *axes[at + 1 :]), (*axes[:at], wide, *axes[at + 1 :])
        return self.moved(operand, before, after, "expand", mapped=operand in self.mapped)

    def folded(self, operand: str, at: int = 0) -> str:
        """A value with the axis, merged into the axis that stands at that place at one index: `n b c -> b (n c)`."""
        axes = places(self.base(operand))
        after = (*axes[:at], merged(self.place, axes[at]), *axes[at + 1 :])
        return self.moved(operand, (self.place, *axes), after, mapped=False)

    def unfolded(self, operand: str, type: TensorType, at: int = 0) -> str:
        """The inverse of `folded`: a value of that type at each index."""
        axes = places(type)
        before = (*axes[:at], merged(self.place, axes[at]), *axes[at + 1 :])
        return self.moved(operand, before, (self.place, *axes))

    def leave(self, operand: str, at: int) -> str:
        """A value with or without the axis, as one that has it at that place."""
        axes = places(self.base(operand))
        after = (*axes[:at], self.place, *axes[at:])
        if operand in self.mapped:
            return self.moved(operand, (self.place, *axes), after)
        return self.moved(operand, axes, after, "expand")

    def enter(self, operand: str, at: int) -> str:
        """A value that has the axis at a place, with it as the first."""
        type, axes = self.types[operand], places(self.types[operand])
        rest = (*axes[:at], *axes[at + 1 :])
        recipe = AxisPattern(((*axes[:at], self.place, *axes[at + 1 :]),), ((self.place, *rest),))
        inside = self.over(type.with_axes(*type.axes[:at], *type.axes[at + 1 :]))
        return self.make("rearrange", (operand,), inside, attrs=(("recipe", recipe),))

    def graph(self, inputs: Sequence[Value], outputs: Sequence[Operand]) -> Graph:
        """The new graph."""
        return Graph(tuple(inputs), tuple(self.nodes), tuple(outputs))

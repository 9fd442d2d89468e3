"""A node at the sizes and ranks of one place of use: packs become axes, complex numbers pairs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ogive.compiler.ir.model import Node, Value
from ogive.compiler.ir.substitute import in_sizes
from ogive.compiler.ir.types import Axis, TensorType
from ogive.compiler.ops.recipe import Atom, AxisGroup, AxisPattern, Part, Side
from ogive.compiler.sizes import Size, Unknown, size

PAIR = Axis(size(2))
PAIR_PLACE = AxisGroup(((Atom("(complex)", size(2)),),))
BY_RESULT = frozenset(("stack", "linear_scan"))  # operations whose axis counts among those of the result


@dataclass(frozen=True, slots=True)
class Sizes:
    """The unknowns of a definition as sizes of the model's inputs, and its packs as axes."""

    unknowns: Mapping[Unknown, Size]
    packs: Mapping[str, tuple[Axis, ...]]

    def type(self, type: TensorType) -> TensorType:
        """The type at this place; a complex number stays one."""
        axes: list[Axis] = []
        for axis in type.axes:
            if axis.pack is None:
                axes.append(replace(axis, size=axis.size.subs(self.unknowns)))
            else:
                axes += self.packs[axis.pack]
        return TensorType(type.elem, tuple(axes))

    def at(self, type: TensorType, axis: int) -> int:
        """Where an axis stands once packs are taken apart."""
        return sum(len(self.packs[a.pack]) if a.pack is not None else 1 for a in type.axes[:axis])

    def spread(self, type: TensorType, axis: int) -> list[int]:
        """The axes that one entry stands for: several, or none, where it is a pack."""
        first, pack = self.at(type, axis), type.axes[axis].pack
        return list(range(first, first + (len(self.packs[pack]) if pack is not None else 1)))


def real(type: TensorType) -> TensorType:
    """The type of the tensor that holds it: a complex number is a pair of floats on a last axis."""
    return TensorType("float", (*type.axes, PAIR)) if type.elem == "complex" else type


def specialized(node: Node, sizes: Sizes, types: Mapping[str, TensorType]) -> Node:
    """The node with sizes in the place of unknowns. `types` are those of values in the definition, unspecialized."""
    first = next((types[x] for x in node.inputs if isinstance(x, str)), None)
    base = node.outputs[0].type if node.op in BY_RESULT else first
    paired = any(types[x].elem == "complex" for x in node.inputs if isinstance(x, str))
    attrs = tuple((key, _attr(key, value, base, sizes, paired)) for key, value in node.attrs)
    outputs = tuple(Value(v.name, real(sizes.type(v.type)), v.hint) for v in node.outputs)
    inputs = tuple(in_sizes(x, sizes.unknowns) if x is not None and not isinstance(x, str) else x for x in node.inputs)
    return replace(node, inputs=inputs, outputs=outputs, attrs=attrs)


def _attr(key: str, value: Any, base: TensorType | None, sizes: Sizes, paired: bool) -> Any:
    match value:
        case AxisPattern():
            return _recipe(value, sizes, paired)
        case int() if key == "axis" and base is not None:
            return sizes.at(base, value)
        case tuple() if key == "axes" and base is not None:
            return tuple(place for axis in value for place in sizes.spread(base, axis))
        case tuple() if key == "items" and base is not None:
            items = [item for axis, item in enumerate(value) for _ in sizes.spread(base, axis)]
            return (*in_sizes(tuple(items), sizes.unknowns), *((("all",),) if paired else ()))
        case _:
            return in_sizes(value, sizes.unknowns)


def _recipe(recipe: AxisPattern, sizes: Sizes, paired: bool) -> AxisPattern:
    def side(places: Side) -> Side:
        found: list[AxisGroup] = []
        for place in places:
            if place.pack:
                found += [AxisGroup(((atom,),)) for atom in taken_apart(place.parts[0])]
            else:
                found.append(AxisGroup(tuple(taken_apart(part) for part in place.parts)))
        return (*found, PAIR_PLACE) if paired else tuple(found)

    def taken_apart(part: Part) -> Part:
        atoms: list[Atom] = []
        for atom in part:
            if atom.pack is None:
                atoms.append(Atom(atom.name, atom.size.subs(sizes.unknowns)))
            else:
                axes = sizes.packs[atom.pack]
                atoms += [Atom(f"{atom.name}/{i}", axis.size) for i, axis in enumerate(axes)]
        return tuple(atoms)

    return AxisPattern(tuple(map(side, recipe.inputs)), tuple(map(side, recipe.outputs)))

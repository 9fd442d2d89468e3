"""Recipes of rearrangements, one after another."""

from __future__ import annotations

from collections.abc import Mapping

from ogive.compiler.ops.recipe import Atom, AxisGroup, AxisPattern, Part, Side, atoms_of
from ogive.compiler.sizes import Size


def is_identity(recipe: AxisPattern) -> bool:
    """Whether a recipe of one tensor leaves it as it is."""
    return len(recipe.inputs) == len(recipe.outputs) == 1 and recipe.inputs == recipe.outputs


def simple(side: Side) -> bool:
    """Whether an axis is neither joined nor of unknown number."""
    return not any(place.joined or place.pack for place in side) and all(atom.pack is None for atom in atoms_of(side))


def after(first: AxisPattern, second: AxisPattern) -> AxisPattern | None:
    """The recipe of `second` after `first`, or None where their axes cut the middle at different places."""
    middle, other = first.outputs[0], second.inputs[0]
    sides = (first.inputs[0], middle, other, *second.outputs)
    if len(middle) != len(other) or not all(map(simple, sides)):
        return None
    renamed = {
        atom.name: Atom(f"{atom.name}~", atom.size) for side in (other, *second.outputs) for atom in atoms_of(side)
    }
    left: dict[str, Part] = {}
    right: dict[str, Part] = {}
    for a, b in zip(middle, other, strict=True):
        common = _refined(list(a.parts[0]), [renamed[atom.name] for atom in b.parts[0]], left, right)
        if not common:
            return None
    source = _replaced(first.inputs[0], left)
    outputs = tuple(_replaced(_renamed(side, renamed), right) for side in second.outputs)
    return _tidy(AxisPattern((source,), outputs))


def _refined(a: list[Atom], b: list[Atom], left: dict[str, Part], right: dict[str, Part]) -> bool:
    """Match two factorizations of one axis; where one atom is several of the other, it becomes these."""
    while a and b:
        x, y = a.pop(0), b.pop(0)
        if x.size == y.size:
            left[x.name], right[y.name] = (x,), (x,)
        elif (taken := _prefix(x.size, y, b)) is not None:
            left[x.name] = tuple(taken)
            right.update({atom.name: (atom,) for atom in taken})
        elif (taken := _prefix(y.size, x, a)) is not None:
            right[y.name] = tuple(taken)
            left.update({atom.name: (atom,) for atom in taken})
        else:
            return False
    return all(atom.size.is_number and atom.size.number == 1 for atom in (*a, *b)) and not (a or b)


def _prefix(size: Size, first: Atom, rest: list[Atom]) -> list[Atom] | None:
    """The shortest run of atoms, from `first` on, whose product is `size`; takes them out of `rest`."""
    product, taken = first.size, [first]
    for atom in rest:
        product, taken = product * atom.size, [*taken, atom]
        if product == size:
            del rest[: len(taken) - 1]
            return taken
    return None


def _renamed(side: Side, names: Mapping[str, Atom]) -> Side:
    return tuple(AxisGroup(tuple(tuple(names[atom.name] for atom in part) for part in place.parts)) for place in side)


def _replaced(side: Side, names: Mapping[str, Part]) -> Side:
    return tuple(
        AxisGroup((tuple(new for atom in place.parts[0] for new in names.get(atom.name, (atom,))),)) for place in side
    )


def _tidy(recipe: AxisPattern) -> AxisPattern:
    """Atoms that stay side by side in the same order everywhere are one atom again."""
    sides = (*recipe.inputs, *recipe.outputs)
    followers: dict[str, set[str | None]] = {}
    leaders: dict[str, set[str | None]] = {}
    sizes = {atom.name: atom for side in sides for atom in atoms_of(side)}
    for side in sides:
        for place in side:
            part = place.parts[0]
            for at, atom in enumerate(part):
                followers.setdefault(atom.name, set()).add(part[at + 1].name if at + 1 < len(part) else None)
                leaders.setdefault(atom.name, set()).add(part[at - 1].name if at else None)
    for name, after_it in followers.items():
        (only, *others) = after_it
        if not others and only is not None and leaders[only] == {name}:
            whole = Atom(name, sizes[name].size * sizes[only].size)
            merged = {name: whole, only: None}
            return _tidy(
                AxisPattern(*(tuple(_merge(side, merged) for side in half) for half in (recipe.inputs, recipe.outputs)))
            )
    return recipe


def _merge(side: Side, merged: Mapping[str, Atom | None]) -> Side:
    return tuple(
        AxisGroup((tuple(new for atom in place.parts[0] if (new := merged.get(atom.name, atom)) is not None),))
        for place in side
    )

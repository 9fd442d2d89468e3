"""From one layout of axes to another: reshape, transpose, reshape, each only where needed.

A layout is a group of elementary axes for each axis of the tensor, row-major; an empty group is an axis of size 1.
"""

from __future__ import annotations

from collections.abc import Sequence

from ogive.backends.onnx_model.ops.context import Context
from ogive.backends.onnx_model.ops.operands import permuted, squeezed, unsqueezed
from ogive.compiler.ops.recipe import Atom, Side, product
from ogive.compiler.sizes import Size, size

Group = tuple[Atom, ...]
Layout = tuple[Group, ...]


def layout(side: Side) -> Layout:
    """The groups of a tensor without joined axes."""
    return tuple(place.atoms for place in side)


def single(atoms: Sequence[Atom]) -> Layout:
    """Each elementary axis on an axis of its own."""
    return tuple((atom,) for atom in atoms)


def atoms_of(groups: Sequence[Group]) -> list[Atom]:
    """All elementary axes, left to right."""
    return [atom for group in groups for atom in group]


def sizes_of(groups: Layout) -> list[Size]:
    """The sizes of the axes."""
    return [product(group) for group in groups]


def arranged(ctx: Context, x: str, have: Layout, want: Layout) -> str:
    """The same elements in another layout."""
    have, want = _without_units(have), _without_units(want)
    if have == want:
        return x
    before, after = atoms_of(have), atoms_of(want)
    assert sorted(a.name for a in before) == sorted(a.name for a in after), (have, want)
    if before == after:
        return regrouped(ctx, x, have, want)
    pieces = _pieces(have, want)
    places = {atom.name: at for at, atom in enumerate(after)}
    order = sorted(range(len(pieces)), key=lambda i: places[pieces[i][0].name])
    x = permuted(ctx, regrouped(ctx, x, have, pieces), order)
    return regrouped(ctx, x, tuple(pieces[i] for i in order), want)


def regrouped(ctx: Context, x: str, have: Layout, want: Layout) -> str:
    """Other groups, in the same order of elementary axes."""
    if have == want:
        return x
    if tuple(filter(None, have)) == tuple(filter(None, want)):
        if len(have) > len(want) and (extra := _units_beyond(have, want)) is not None:
            return squeezed(ctx, x, extra)
        if len(have) < len(want) and (extra := _units_beyond(want, have)) is not None:
            return unsqueezed(ctx, x, extra)
    return ctx.reshape(x, sizes_of(have), sizes_of(want))


def _units_beyond(longer: Layout, shorter: Layout) -> list[int] | None:
    """The axes of size 1 that the longer layout has more, None where the shorter one has others."""
    extra, at = [], 0
    for i, group in enumerate(longer):
        if at < len(shorter) and shorter[at] == group:
            at += 1
        elif not group:
            extra.append(i)
        else:
            return None
    return extra if at == len(shorter) else None


def _without_units(groups: Layout) -> Layout:
    one = size(1)
    return tuple(tuple(atom for atom in group if atom.size != one) for group in groups)


def _pieces(have: Layout, want: Layout) -> Layout:
    """The axes that are permuted: of the ways to keep neighbours together, one with the fewest nodes."""
    choices = []
    for glue in ((have, want), (have,), (want,), ()):
        pieces = _glued(have, want, glue)
        places = {atom.name: at for at, atom in enumerate(atoms_of(want))}
        turned = tuple(sorted(pieces, key=lambda piece: places[piece[0].name]))
        nodes = (pieces != have) + (turned != want)  # and one that permutes them
        choices.append((nodes, len(pieces), pieces))
    return min(choices, key=lambda choice: choice[:2])[2]


def _glued(have: Layout, want: Layout, glue: Sequence[Layout]) -> Layout:
    after = [atom.name for atom in atoms_of(want)]
    pieces: list[list[Atom]] = []
    for atom in atoms_of(have):
        last = pieces[-1][-1] if pieces else None
        follows = last is not None and after.index(atom.name) == after.index(last.name) + 1
        if follows and any(last in group and atom in group for groups in glue for group in groups):
            pieces[-1].append(atom)
        else:
            pieces.append([atom])
    return tuple(map(tuple, pieces))

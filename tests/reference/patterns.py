"""rearrange, expand, split, reduce and einsum: every axis is taken apart into its names, and put together again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from string import ascii_letters
from typing import Any

from ogive.compiler.ops.recipe import Atom, AxisPattern, Side
from reference.arrays import Array, broadcast, concat, contract, grid, pick, reshape, transpose
from reference.reductions import REDUCERS
from reference.world import Op


class Names:
    """The numbers of the names of a pattern, at one place."""

    def __init__(self, op: Op) -> None:
        self.op = op

    def size(self, atom: Atom) -> int:
        """How long its axis is; of a pack the product of all of them."""
        return prod(self.op.packs[atom.pack]) if atom.pack is not None else int(atom.size.at(self.op.env))

    def length(self, atoms: Sequence[Atom]) -> int:
        return prod(self.size(atom) for atom in atoms)

    def shape(self, side: Side) -> tuple[int, ...]:
        """The shape of a tensor of the pattern."""
        found: list[int] = []
        for place in side:
            if place.pack:
                pack = place.atoms[0].pack
                assert pack is not None
                found += self.op.packs[pack]
            else:
                found.append(sum(self.length(part) for part in place.parts))
        return tuple(found)


Piece = tuple[tuple[str, ...], Array]  # the names of its axes, and the numbers


def taken_apart(names: Names, side: Side, x: Array) -> list[Piece]:
    """A tensor as pieces with one axis for each name: one piece, or one for each part of a joined axis."""
    flat = reshape(x, tuple(sum(names.length(part) for part in place.parts) for place in side))
    joined = next((i for i, place in enumerate(side) if place.joined), None)
    choices = [None] if joined is None else list(range(len(side[joined].parts)))
    found: list[Piece] = []
    start = 0
    for choice in choices:
        parts = [place.parts[choice if i == joined and choice is not None else 0] for i, place in enumerate(side)]
        piece = flat
        if joined is not None:
            stop = start + names.length(parts[joined])
            piece, start = pick(flat, grid(flat.shape).take(range(start, stop), joined)), stop
        atoms = [atom for part in parts for atom in part]
        found.append((tuple(a.name for a in atoms), reshape(piece, [names.size(a) for a in atoms])))
    return found


def put_together(names: Names, side: Side, pieces: list[Piece]) -> Array:
    """A tensor of the pattern from pieces; each is used once."""
    joined = next((i for i, place in enumerate(side) if place.joined), None)
    choices = [None] if joined is None else list(range(len(side[joined].parts)))
    made = []
    for choice in choices:
        parts = [place.parts[choice if i == joined and choice is not None else 0] for i, place in enumerate(side)]
        order = [atom.name for part in parts for atom in part]
        at = next(i for i, (found, _) in enumerate(pieces) if sorted(found) == sorted(order))
        found, piece = pieces.pop(at)
        piece = transpose(piece, [found.index(name) for name in order])
        made.append(reshape(piece, [names.length(part) for part in parts]))
    whole = made[0] if joined is None else concat(made, joined)
    return reshape(whole, names.shape(side))


def moved(op: Op, recipe: AxisPattern, xs: Sequence[Array]) -> list[Array]:
    """The results of a pattern that only moves axes."""
    names = Names(op)
    pieces = [piece for side, x in zip(recipe.inputs, xs, strict=True) for piece in taken_apart(names, side, x)]
    return [put_together(names, side, pieces) for side in recipe.outputs]


def rearrange(op: Op, *xs: Array) -> tuple[Array, ...]:
    return tuple(moved(op, op.attr("recipe"), xs))


def split(op: Op, x: Array) -> tuple[Array, ...]:
    """Several results; or one, whose first axis is unpacked."""
    recipe: AxisPattern = op.attr("recipe")
    results = moved(op, recipe, [x])
    if len(recipe.outputs) > 1:
        return tuple(results)
    (whole,) = results
    rows = grid(whole.shape)
    return tuple(pick(whole, rows[i]) for i in range(whole.shape[0]))


def expand(op: Op, x: Array) -> Array:
    """Names that are new on the right repeat what there is."""
    recipe, names = op.attr("recipe"), Names(op)
    (found, piece) = taken_apart(names, recipe.inputs[0], x)[0]
    atoms = [atom for place in recipe.outputs[0] for part in place.parts for atom in part]
    order = [atom.name for atom in atoms if atom.name in found]
    piece = transpose(piece, [found.index(name) for name in order])
    piece = reshape(piece, [names.size(atom) if atom.name in found else 1 for atom in atoms])
    return reshape(broadcast(piece, [names.size(atom) for atom in atoms]), names.shape(recipe.outputs[0]))


def reduce(op: Op, x: Array) -> Array:
    """Names that the right lacks are reduced away."""
    recipe, names = op.attr("recipe"), Names(op)
    (found, piece) = taken_apart(names, recipe.inputs[0], x)[0]
    kept = [atom.name for place in recipe.outputs[0] for part in place.parts for atom in part]
    gone = tuple(i for i, name in enumerate(found) if name not in kept)
    piece = REDUCERS[op.attr("op")](op, piece, gone)
    found = tuple(name for name in found if name in kept)
    return put_together(names, recipe.outputs[0], [(found, piece)])


def einsum(op: Op, *xs: Array) -> Array:
    """The sum of products over every name that the result lacks."""
    recipe, names = op.attr("recipe"), Names(op)
    pieces = [taken_apart(names, side, x)[0] for side, x in zip(recipe.inputs, xs, strict=True)]
    known = dict.fromkeys(name for found, _ in pieces for name in found)
    letters = dict(zip(known, ascii_letters, strict=False))
    kept = [atom.name for place in recipe.outputs[0] for part in place.parts for atom in part]
    terms = ["".join(letters[name] for name in found) for found, _ in pieces]
    result = contract(terms, "".join(letters[name] for name in kept), [piece for _, piece in pieces])
    return put_together(names, recipe.outputs[0], [(tuple(kept), result)])


OPS: dict[str, Callable[..., Any]] = {
    "rearrange": rearrange,
    "split": split,
    "expand": expand,
    "reduce": reduce,
    "einsum": einsum,
}

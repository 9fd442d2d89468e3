"""Weights of every index for itself, stacked on a first axis: how they start and stay."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ogive.compiler.ir.model import Definition, Graph, Init, Instance, Member, Weight
from ogive.compiler.ir.types import Axis
from ogive.compiler.sizes import Size

Inits = tuple[tuple[str, Init], ...]


def stacked_member(member: Member, axis: Size, vectorized: Callable[[Graph], Graph]) -> Member:
    """A weight of every index for itself: each entry starts, and stays, as it would alone."""

    def started(init: Init) -> Init:
        """An expression of other weights reads them at every index."""
        return replace(init, graph=vectorized(init.graph)) if init.graph is not None and init.reads_weights else init

    if isinstance(member, Instance):
        inits = tuple((path, started(init)) for path, init in member.inits)
        return replace(member, inits=inits, keeps=tuple((path, vectorized(keep)) for path, keep in member.keeps))
    if not isinstance(member, Weight):
        return member
    type = member.type.with_axes(Axis(axis), *member.type.axes)
    keep = None if member.keep is None else vectorized(member.keep)
    return replace(member, type=type, init=_deeper(started(member.init), 1), keep=keep)


def _deeper(init: Init, count: int) -> Init:
    """An initializer of a weight that is stacked on more axes."""
    attrs = dict(init.attrs)
    attrs["stack"] = attrs.get("stack", 0) + count
    return replace(init, attrs=tuple(attrs.items()))


def stacked_inits(definition: Definition, inits: Inits) -> Inits:
    """Initializers of weights below a definition, which know on how many axes these are stacked."""

    def at(path: str, init: Init) -> Init:
        weight = _weight(definition, path)
        depth = dict(weight.init.attrs).get("stack", 0) if weight is not None else 0
        have = dict(init.attrs).get("stack", 0)
        return _deeper(init, depth - have) if depth != have else init

    return tuple((path, at(path, init)) for path, init in inits)


def _weight(definition: Definition, path: str) -> Weight | None:
    for member in definition.members:
        if isinstance(member, Weight) and member.path == path:
            return member
        if isinstance(member, Instance) and path.startswith(f"{member.path}."):
            found = _weight(member.definition, path[len(member.path) + 1 :])
            if found is not None:
                return found
    return None

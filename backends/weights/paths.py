"""Every weight of a model by its path, with loops counted out and sizes as numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Literal

from ogive.compiler.ir import Definition, Instance, Model, Weight
from ogive.compiler.sizes import Unknown


@dataclass(frozen=True, slots=True)
class Slot:
    """A place for one tensor."""

    shape: tuple[int, ...]
    kind: Literal["param", "state"]
    elem: str

    @property
    def count(self) -> int:
        """The number of its elements."""
        return prod(self.shape)


def slots(model: Model) -> dict[str, Slot]:
    """The weights and states of the model by path, those of one place together."""
    found = dict(_definition(model.definition, dict(model.bindings)))
    return {path: found[path] for path in _grouped(found)}


def _definition(definition: Definition, sizes: Mapping[Unknown, int]) -> Iterator[tuple[str, Slot]]:
    loops = {path: loop.count.at(sizes) for path, loop in definition.loops.items()}
    for member in definition.members:
        if isinstance(member, Weight):
            shape = tuple(size.at(sizes) for size in member.type.sizes)
            inner = [("", Slot(shape, member.kind, member.type.elem))]
        elif isinstance(member, Instance):
            inner = list(_instance(member, sizes))
        else:
            continue
        for place in _turns(member.path, loops):
            for path, slot in inner:
                yield f"{place}.{path}" if path else place, slot


def _instance(instance: Instance, sizes: Mapping[Unknown, int]) -> Iterator[tuple[str, Slot]]:
    inside = {unknown: size.at(sizes) for unknown, size in instance.bindings}
    lift = () if instance.lift is None else (instance.lift.at(sizes),)
    for path, slot in _definition(instance.definition, inside):
        yield path, Slot((*lift, *slot.shape), slot.kind, slot.elem)


def _turns(path: str, loops: Mapping[str, int]) -> list[str]:
    """`h.*.ln` for each turn of the loop `h`: `h.0.ln`, `h.1.ln`, ..."""
    places, pattern = [""], ""
    for part in path.split("."):
        steps = [str(turn) for turn in range(loops[pattern])] if part == "*" else [part]
        places = [f"{place}.{step}" if place else step for place in places for step in steps]
        pattern = f"{pattern}.{part}" if pattern else part
    return places


def _grouped(paths: Mapping[str, Slot]) -> list[str]:
    """Paths below one place stand together, places in the order of their first path."""
    first: dict[tuple[str, ...], int] = {}
    for number, path in enumerate(paths):
        parts = path.split(".")
        for length in range(1, len(parts) + 1):
            first.setdefault(tuple(parts[:length]), number)
    return sorted(paths, key=lambda path: _place(path.split("."), first))


def _place(parts: list[str], first: Mapping[tuple[str, ...], int]) -> tuple[tuple[int, int], ...]:
    # turns of one loop begin with the same member: their numbers decide
    return tuple(
        (first[tuple(parts[:length])], int(parts[length - 1]) if parts[length - 1].isdecimal() else -1)
        for length in range(1, len(parts) + 1)
    )

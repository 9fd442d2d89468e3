"""Which inputs and outputs of a definition are entries of one list in its source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class TensorList:
    """So many entries of a graph's inputs, or of its outputs, from `start` on."""

    name: str
    start: int
    count: int


@dataclass(frozen=True, slots=True)
class SignatureLists:
    """The lists of a signature, in its order."""

    inputs: tuple[TensorList, ...] = ()
    outputs: tuple[TensorList, ...] = ()


def as_declared(values: Sequence[T], lists: Sequence[TensorList]) -> list[T | list[T]]:
    """One by one, but the entries of a list as one."""
    found: list[T | list[T]] = []
    at = 0
    for each in lists:
        end = each.start + each.count
        found += [*values[at : each.start], list(values[each.start : end])]
        at = end
    return [*found, *values[at:]]


def one_by_one(values: Sequence[T | Sequence[T]]) -> list[T]:
    """The entries of lists among other values."""
    return [x for each in values for x in (each if isinstance(each, list | tuple) else (each,))]

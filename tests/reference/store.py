"""The weights and states of a model by path, as the reference reads and writes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from reference.arrays import Array, Numbers, grid, pick

Key = tuple[str, tuple[int, ...]]  # the path of a state, and the indices of `each` at which it is


def rows_of(x: Array, index: int) -> Array:
    """One entry along the first axis."""
    return pick(x, grid(x.shape)[index])


@dataclass
class Layer:
    """What one index of `over` or `each` writes. `settled` is what all indices together made of the first writes."""

    settled: Sequence[Mapping[Key, Numbers]] = ()
    events: list[tuple[Key, Numbers]] = field(default_factory=list)
    values: dict[Key, Numbers] = field(default_factory=dict)
    read: bool = False  # whether a state was read after it was written

    def write(self, key: Key, value: Numbers) -> None:
        number = len(self.events)
        self.events.append((key, value))
        self.values[key] = self.settled[number][key] if number < len(self.settled) else value


@dataclass
class Store:
    """Weights by path, iterations filled in; those of `each` are stacked on first axes."""

    held: dict[str, Array]
    layers: list[Layer] = field(default_factory=list)

    @staticmethod
    def of(numbers: Mapping[str, Any]) -> Store:
        """Constants."""
        return Store({path: Array(np.array(value)) for path, value in numbers.items()})

    def numbers(self) -> dict[str, Numbers]:
        """What is held now."""
        return {path: array.value for path, array in self.held.items()}

    def read(self, path: str, lanes: Sequence[int]) -> Array:
        """A weight, or that of some indices of `each`."""
        key = (path, tuple(lanes))
        for layer in reversed(self.layers):
            if key in layer.values:
                layer.read = True
                return Array(layer.values[key])
        found = self.held[path]
        for index in lanes:
            found = rows_of(found, index)
        return found

    def write(self, path: str, lanes: Sequence[int], value: Numbers) -> None:
        """A state changes."""
        if self.layers:
            self.layers[-1].write((path, tuple(lanes)), value)
            return
        whole = self.held[path].value.copy()
        whole[tuple(lanes)] = value
        self.held[path] = Array(whole)


def together(layers: Sequence[Layer]) -> list[dict[Key, Numbers]]:
    """What the indices make of each write, in order: the mean where they share the state; of integers the last."""
    found: list[dict[Key, Numbers]] = []
    for events in zip(*(layer.events for layer in layers), strict=True):
        values: dict[Key, list[Numbers]] = {}
        for key, value in events:
            values.setdefault(key, []).append(value)
        found.append({key: _mean(each) for key, each in values.items()})
    return found


def _mean(values: Sequence[Numbers]) -> Numbers:
    if values[0].dtype.kind in "ib" or len(values) == 1:
        return values[-1]
    return np.asarray(np.mean(np.stack(values), 0))

"""Every weight of a model by its path, with turns counted out: the keys of its state dict."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod

from ogive.compiler.ir import Model
from ogive.compiler.weights import weights


@dataclass(frozen=True, slots=True)
class Slot:
    """A place for one tensor. `kind` is "param" where it is learned, else "state"."""

    shape: tuple[int, ...]
    kind: str
    elem: str

    @property
    def count(self) -> int:
        """The number of its elements."""
        return prod(self.shape)


def slots(model: Model) -> dict[str, Slot]:
    """The weights and states of the model by path, those of one place together."""
    found = {path: Slot(info.shape, info.kind, info.elem) for info in weights(model) for path in info.paths()}
    return {path: found[path] for path in _grouped(found)}


def _grouped(paths: Iterable[str]) -> list[str]:
    """Paths below one place stand together: places in the order of their first path, turns by number."""
    order: dict[tuple[str, ...], int] = {}
    ranked = []
    for number, path in enumerate(paths):
        parts = tuple(path.split("."))
        firsts = (order.setdefault(parts[:length], number) for length in range(1, len(parts) + 1))
        turns = (int(part) if part.isdecimal() else -1 for part in parts)
        ranked.append((tuple(zip(turns, firsts, strict=True)), path))
    return [path for _, path in sorted(ranked)]

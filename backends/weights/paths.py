"""Every weight of a model by its path, with iterations unrolled: the keys of its state dict."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from ogive.compiler.ir.model import Model
from ogive.compiler.ir.weights import stored, weights


@dataclass(frozen=True, slots=True)
class WeightSlot:
    """A place for one tensor. `kind` is "param" where it is learned, else "state"."""

    shape: tuple[int, ...]
    kind: str
    elem: str

    @property
    def count(self) -> int:
        """The number of its elements."""
        return prod(self.shape)


def slots(model: Model) -> dict[str, WeightSlot]:
    """The weights and states of the model by path, in the order of its state dict."""
    found = {path: WeightSlot(info.shape, info.kind, info.elem) for info in weights(model) for path in info.paths()}
    return {path: found[path] for path, kind in stored(model) if kind != "opaque"}

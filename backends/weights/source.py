"""Tensors by name, whose shapes and kinds are known before one of them is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from ogive.backends.weights.kinds import Found

Tensor = TypeVar("Tensor")


@dataclass(frozen=True, slots=True, eq=False)
class Source(Mapping[str, Tensor], Generic[Tensor]):
    """A file, a module or a state dict; `read` gives a tensor."""

    found: Mapping[str, Found]
    read: Callable[[str], Tensor]

    def __getitem__(self, name: str) -> Tensor:
        return self.read(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.found)

    def __len__(self) -> int:
        return len(self.found)

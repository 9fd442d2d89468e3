"""Tensors by name, whose shapes and kinds are known before one of them is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from ogive.backends.weights.kinds import Found

Tensor = TypeVar("Tensor")


@dataclass(frozen=True, slots=True, eq=False)
class Source(Mapping[str, Tensor], Generic[Tensor]):
    """A file, a module or a state dict; `read` gives a tensor. `same` has other names of tensors that are held once."""

    found: Mapping[str, Found]
    read: Callable[[str], Tensor]
    same: Mapping[str, str] = field(default_factory=dict)

    def renamed(self, names: Mapping[str, str]) -> Source[Tensor]:
        """The same tensors under other names: by each new name the one that it has here."""
        back = {old: new for new, old in names.items()}
        same = {back[alias]: back[kept] for alias, kept in self.same.items()}
        return Source({new: self.found[old] for new, old in names.items()}, lambda name: self[names[name]], same)

    def __getitem__(self, name: str) -> Tensor:
        return self.read(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.found)

    def __len__(self) -> int:
        return len(self.found)

"""Weights that are written as one file, or as shards with an index, in the layout of Hugging Face."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ogive.backends.weights.checkpoint import INDEX
from ogive.backends.weights.files import dump, stored

if TYPE_CHECKING:
    from torch import Tensor

    from ogive.backends.weights.whole import Files

ENDING = ".safetensors"


@dataclass(frozen=True, slots=True)
class Shards:
    """What goes into which file: the names of tensors that each holds, with the other names of these."""

    path: Path
    parts: tuple[tuple[str, ...], ...]
    ties: Mapping[str, str]
    size: int
    count: int

    @staticmethod
    def of(path: Path, tensors: Mapping[str, Tensor], limit: int | None = None) -> Shards:
        """Shards of at most so many bytes, in order; a tensor that is larger has one for itself."""
        kept, ties = stored(tensors)
        sizes = {name: tensors[name].numel() * tensors[name].element_size() for name in kept}
        parts: list[list[str]] = [[]]
        room = limit
        for name in kept:
            if room is not None and limit is not None:
                if sizes[name] > room and parts[-1]:
                    parts.append([])
                    room = limit
                room -= sizes[name]
            parts[-1].append(name)
        total, count = sum(sizes.values()), sum(tensors[name].numel() for name in kept)
        return Shards(path, tuple(map(tuple, parts)), ties, total, count)

    @property
    def index(self) -> Path | None:
        """The index beside several files."""
        return None if len(self.parts) == 1 else self.path.with_name(self.path.name + INDEX)

    @property
    def files(self) -> tuple[Path, ...]:
        """The files with tensors."""
        if self.index is None:
            return (self.path,)
        stem, number = self.path.name.removesuffix(ENDING), len(self.parts)
        return tuple(self.path.with_name(f"{stem}-{i:05d}-of-{number:05d}{ENDING}") for i in range(1, number + 1))

    @property
    def other(self) -> Path:
        """What stands for the same weights in the other form: one file, or an index."""
        return self.path if self.index is not None else self.path.with_name(self.path.name + INDEX)

    def write(self, files: Files, tensors: Mapping[str, Tensor], about: Mapping[str, str]) -> None:
        """Write all of them into open files. `about` goes into the metadata of each."""
        for path, names in zip(self.files, self.parts, strict=True):
            held = [*names, *(alias for alias, kept in self.ties.items() if kept in names)]
            dump(files[path], {name: tensors[name] for name in held}, about)
        if self.index is not None:
            places = {name: path.name for path, names in zip(self.files, self.parts, strict=True) for name in names}
            metadata = {"total_parameters": self.count, "total_size": self.size, **about}
            found = {"metadata": metadata, "weight_map": dict(sorted(places.items()))}
            files[self.index].write(json.dumps(found, indent=2, ensure_ascii=False).encode() + b"\n")


def place_of(path: Path) -> Path:
    """The file that a path to write to stands for: in a folder `model.safetensors`, as transformers names it."""
    if os.path.isdir(path):
        return path / f"model{ENDING}"
    return path.with_name(path.name.removesuffix(INDEX)) if path.name.endswith(f"{ENDING}{INDEX}") else path

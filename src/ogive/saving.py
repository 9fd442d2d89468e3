"""Weights as files: one or shards, with what belongs to them, all written or none."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ogive.arguments import Unwanted, whole
from ogive.extras import needs
from ogive.grammar.diagnostics import ArchError, Diagnostic
from ogive.grammar.render import render
from ogive.grammar.source import Chunk, Span
from ogive.outputs import OutputFile, opened
from ogive.stamp import Stamp

if TYPE_CHECKING:
    from torch import Tensor

UNITS = {"B": 0, "KB": 1, "MB": 2, "GB": 3, "TB": 4}


def size_of(text: str) -> int | None:
    """The bytes of `5GB` or `200MiB`: thousands, or with an i 1024. None where it is no size."""
    found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,6})?) ?([KMGT]?)(i?)B", text, re.ASCII | re.IGNORECASE)
    if found is None or (found[3] and not found[2]):
        return None
    return int(float(found[1]) * (1024 if found[3] else 1000) ** UNITS[f"{found[2].upper()}B"])


def shard_size(value: Any) -> int | None:
    """Bytes of a shard: a number, or a text such as "5GB". None for one file."""
    if value is None:
        return None
    try:
        size = size_of(value) if isinstance(value, str) else whole(1)(value)
    except Unwanted:
        size = None
    if not size:
        raise Unwanted('a size of files such as "5GB", or a number of bytes')
    return size


def save(
    path: Path, tensors: Mapping[str, Tensor], stamp: Stamp, inputs: Sequence[Path], *,
    force: bool = False, limit: int | None = None, beside: Mapping[OutputFile, bytes] | None = None,
) -> tuple[Path, ...]:  # fmt: skip
    """Write tensors, and the files beside them; what was written. A folder holds `model.safetensors` then.

    Above `limit` bytes there are shards and an index. Raises `ArchError` where a file may not be replaced.
    """
    with needs("torch"):
        from ogive.backends.weights.shards import Shards, place_of

    shards = Shards.of(place_of(path), tensors, limit)
    _refuse_both(shards.other, shards.index or shards.path)
    outputs = [OutputFile(each, stamp, "safetensors") for each in shards.files]
    if shards.index is not None:
        outputs.append(OutputFile(shards.index, stamp, "index"))
    texts = beside or {}
    with opened([*texts, *outputs], inputs, force) as files:
        for output, data in texts.items():
            files[output.path].write(data)
        shards.write(files, tensors, stamp.metadata)
    return tuple(output.path for output in (*texts, *outputs))


def _refuse_both(other: Path, made: Path) -> None:
    """One file and an index for the same weights: who reads the folder would not know which is meant."""
    if os.path.lexists(other):
        text = f"`{made}` cannot be written: `{other.name}` is there, which stands for the same weights in another form"
        help_ = "remove it first, or give another name"
        found = (Diagnostic("E0825", text, Span(Chunk("", str(made)), 0, 0), help=help_),)
        raise ArchError(found, render(found))

"""Weights on disk: safetensors only, since a pickle can run code. A tied weight is stored once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor

from ogive.backends.weights.whole import write_whole
from ogive.grammar.diagnostics import ArchError, Diagnostic
from ogive.grammar.source import Chunk, Span

TIES = "ogive.ties"  # a JSON object in the metadata of a file: name -> the name it is stored under


def read(path: Path | str) -> dict[str, Tensor]:
    """All tensors of a file, tied names included."""
    try:
        tensors: dict[str, Tensor] = load_file(path)
        with safe_open(path, framework="pt") as file:
            ties = json.loads((file.metadata() or {}).get(TIES, "{}"))
    except (SafetensorError, ValueError) as error:
        raise ArchError((_unreadable(str(path), str(error)),)) from None
    if not isinstance(ties, dict) or any(not isinstance(kept, str) or kept not in tensors for kept in ties.values()):
        raise ArchError((_unreadable(str(path), f"`{TIES}` names tensors that are not there"),))
    return tensors | {name: tensors[kept] for name, kept in ties.items()}


def write(path: Path | str, tensors: Mapping[str, Tensor]) -> None:
    """Write a file whole or not at all; names that share one tensor are stored once."""
    write_whole(Path(path), dump(tensors))


def dump(tensors: Mapping[str, Tensor]) -> bytes:
    """The bytes of a file."""
    kept: dict[object, str] = {}
    ties: dict[str, str] = {}
    for name, tensor in tensors.items():
        first = kept.setdefault(_identity(name, tensor), name)
        if first != name:
            ties[name] = first
    # views of one storage would be refused, or stored with all of it
    stored = {name: tensors[name].detach().clone().contiguous() for name in kept.values()}
    metadata = {"format": "pt"} | ({TIES: json.dumps(ties, sort_keys=True)} if ties else {})
    data: bytes = save(stored, metadata=metadata)
    return data


def _identity(name: str, tensor: Tensor) -> object:
    if not tensor.numel() or tensor.is_meta:
        return name
    return tensor.data_ptr(), tensor.dtype, tuple(tensor.shape), tensor.stride()


def _unreadable(path: str, reason: str) -> Diagnostic:
    return Diagnostic(
        "E0822",
        f"not a safetensors file: {reason}",
        Span(Chunk("", path), 0, 0),
        help="convert a pickled checkpoint where you trust it, with safetensors.torch.save_file",
    )

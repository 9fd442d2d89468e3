"""Weights on disk. What is written is safetensors; a tied weight is stored once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import torch
from safetensors.torch import save
from torch import Tensor

from ogive.backends.weights.header import PAIRS, TIES
from ogive.backends.weights.torch_source import of_file


def read(path: Path | str) -> dict[str, Tensor]:
    """All tensors of a file, tied names included."""
    return dict(of_file(path))


def stored(tensors: Mapping[str, Tensor]) -> tuple[tuple[str, ...], dict[str, str]]:
    """The names under which tensors are stored, and for each other name of one of them that one."""
    kept: dict[object, str] = {}
    ties: dict[str, str] = {}
    for name, tensor in tensors.items():
        first = kept.setdefault(_identity(name, tensor), name)
        if first != name:
            ties[name] = first
    return tuple(kept.values()), ties


def dump(file: BinaryIO, tensors: Mapping[str, Tensor], about: Mapping[str, str] | None = None) -> None:
    """Write a file; names that share one tensor are stored once. `about` goes into its metadata."""
    kept, ties = stored(tensors)
    # views of one storage would be refused, or stored with all of it
    plain = {name: tensors[name].detach().cpu().resolve_conj().resolve_neg() for name in kept}
    # the format has no complex numbers of 128 bits
    pairs = [name for name, tensor in plain.items() if tensor.dtype == torch.complex128]
    plain |= {name: torch.view_as_real(plain[name]) for name in pairs}
    metadata = {"format": "pt", **(about or {})}
    metadata |= {TIES: json.dumps(ties, sort_keys=True)} if ties else {}
    metadata |= {PAIRS: json.dumps(pairs)} if pairs else {}
    data: bytes = save({name: tensor.clone().contiguous() for name, tensor in plain.items()}, metadata=metadata)
    length = int.from_bytes(data[:8], "little")
    file.write(_ordered(data[8 : 8 + length]))
    file.write(memoryview(data)[8 + length :])


def _ordered(head: bytes) -> bytes:
    """The head of a file with its metadata in order: the library has them in another one each time."""
    found = json.loads(head)
    found["__metadata__"] = dict(sorted(found["__metadata__"].items()))
    text = json.dumps(found, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def _identity(name: str, tensor: Tensor) -> object:
    if not tensor.numel() or tensor.is_meta:
        return name
    return tensor.device, tensor.data_ptr(), tensor.dtype, tuple(tensor.shape), tensor.stride(), tensor.is_conj()

"""Tensors of torch from a file, a module or a state dict."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from torch import Tensor
from torch.nn.parameter import is_lazy

from ogive.backends.weights.checkpoint import checkpoint, headed
from ogive.backends.weights.kinds import OF_TORCH, Found
from ogive.backends.weights.pickles import unpickled
from ogive.backends.weights.source import Source


def of_file(path: Path | str) -> Source[Tensor]:
    """The tensors of a file or of shards, tied names included; each is mapped when it is asked for."""
    found = checkpoint(path)
    if found.pickled:
        return of_state(unpickled(found))
    head = headed(found)
    opened: dict[Path, Any] = {}
    read: dict[str, Tensor] = {}

    def get(name: str) -> Tensor:
        kept = head.ties.get(name, name)
        if kept not in read:
            file = head.entries[kept].file
            if file not in opened:
                opened[file] = safe_open(file, framework="pt")
            tensor: Tensor = opened[file].get_tensor(kept)
            read[kept] = torch.view_as_complex(tensor) if kept in head.pairs else tensor
        return read[kept]

    return Source({name: Found(entry.shape, entry.kind) for name, entry in head.entries.items()}, get, head.ties)


def of_state(state: Mapping[str, Any], meta: bool = False) -> Source[Tensor]:
    """The tensors of a state dict; those without numbers are faults, unless `meta` takes them, and all are so."""
    meta = meta and all(isinstance(value, Tensor) and value.is_meta for value in state.values())
    return Source({name: _found(value, meta) for name, value in state.items()}, lambda name: _tensor(state[name]))


def _found(value: Any, meta: bool) -> Found:
    if isinstance(value, np.ndarray):
        return Found(value.shape, OF_TORCH.get(value.dtype.name, value.dtype.name))
    if not isinstance(value, Tensor):
        return Found((), "", f"is {type(value).__name__}, not a tensor")
    if is_lazy(value):
        return Found((), "", "has no shape yet: run the module once")
    kind = str(value.dtype).removeprefix("torch.")
    if value.is_nested:  # which may have no shape to ask for
        return Found((), OF_TORCH.get(kind, kind), _problem(value, meta))
    return Found(tuple(value.shape), OF_TORCH.get(kind, kind), _problem(value, meta))


def _problem(value: Tensor, meta: bool) -> str:
    if value.is_nested or value.layout != torch.strided:
        return "is sparse or nested: make it an ordinary tensor first (`.to_dense()`)"
    if value.is_quantized:
        return "is quantized: give its numbers (`.dequantize()`)"
    if hasattr(value, "full_tensor"):
        return "is one shard of a tensor: gather it first (`.full_tensor()`)"
    return "holds no numbers: it is on the meta device" if value.is_meta and not meta else ""


def _tensor(value: Any) -> Tensor:
    if not isinstance(value, np.ndarray):
        tensor: Tensor = value
        return tensor
    if value.dtype.name == "bfloat16":  # which torch does not take from numpy
        return torch.from_numpy(value.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(value)

"""Checkpoints that `torch.save` wrote: tensors and nothing else, since a pickle could run any code."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ogive.backends.weights.checkpoint import Checkpoint, agree
from ogive.backends.weights.header import unreadable
from ogive.grammar.diagnostics import ArchError

# under which name a file of a training keeps the weights, beside optimizers and numbers of steps
INSIDE = ("state_dict", "model_state_dict", "model", "module", "net", "weights")
CONVERT = (
    "a pickle may run any code: where you trust it, load it by `torch.load(path, weights_only=False)` yourself, "
    "and save its state dict by `safetensors.torch.save_file`"
)


def unpickled(found: Checkpoint) -> dict[str, Any]:
    """The tensors of all files, mapped where a file allows it. Raises `ArchError` where one holds more than data."""
    states = [_state(file, _loaded(file)) for file in found.files]
    agree(found, [state.keys() for state in states])
    return {name: tensor for state in states for name, tensor in state.items()}


def _loaded(path: Path) -> Any:
    """What a file holds. torch's own reader for weights makes tensors, containers and numbers, and calls nothing."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True, mmap=_mappable(path))
    except ArchError:
        raise
    except Exception as error:  # of damaged bytes it raises whatever its parts raise
        name = re.search(r"GLOBAL ([\w.]+)", str(error))
        if name is not None:
            raise unreadable(path, f"wants `{name[1]}` called when it is read, which is code", CONVERT) from None
        if "TorchScript" in str(error):
            raise unreadable(path, "is a TorchScript archive, which is code", CONVERT) from None
        if isinstance(error, OSError) and error.strerror:
            raise unreadable(path, f"cannot be read: {error.strerror.lower()}", "") from None
        said = str(error).partition("\n")[0][:200] or type(error).__name__
        raise unreadable(path, f"cannot be read as tensors and nothing else: {said}", CONVERT) from None


def _mappable(path: Path) -> bool:
    """Whether the tensors of a file lie in it as they are; those of old files do not. Raises where they are packed."""
    try:
        if not zipfile.is_zipfile(path):
            return False
        with zipfile.ZipFile(path) as archive:
            packed = [entry.filename for entry in archive.infolist() if entry.compress_type != zipfile.ZIP_STORED]
            if any(name.endswith("/constants.pkl") for name in archive.namelist()):
                return False  # a module of TorchScript, which torch refuses
    except (zipfile.BadZipFile, NotImplementedError, ValueError):
        raise unreadable(path, "is a damaged archive", "") from None
    if packed:  # torch writes none, and would map the packed bytes as numbers
        raise unreadable(path, f"is a compressed archive (`{packed[0][:80]}`)", "unpack it, or save it by `torch.save`")
    return True


def _state(path: Path, found: Any) -> Mapping[str, Any]:
    """The state dict of what was loaded: itself, or its one part that is one."""
    if _is_state(found):
        return found  # type: ignore[no-any-return]
    if isinstance(found, Mapping):
        parts = [name for name in INSIDE if _is_state(found.get(name))]
        if len(parts) == 1:
            return found[parts[0]]  # type: ignore[no-any-return]
        held = ", ".join(f"`{str(name)[:40]}`" for name in list(found)[:8]) or "nothing"
        text = "several state dicts" if parts else "no state dict"
        raise unreadable(path, f"holds {text}: it has {held}", "save the state dict alone, or hand it over in Python")
    raise unreadable(path, f"holds {type(found).__name__}, not a state dict", "save `net.state_dict()`")


def _is_state(found: object) -> bool:
    """Tensors by name; what else stands among them is refused by name, later."""
    if not isinstance(found, Mapping) or not all(isinstance(name, str) for name in found):
        return False
    return any(isinstance(value, Tensor) for value in found.values())

"""The weights of modules of the user's own (`extern`): those of the module that is made."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import nn

from ogive.backends.weights.kinds import COMPLEX, FLOATS, OF_TORCH
from ogive.backends.weights.paths import WeightSlot


def foreign_slots(paths: Sequence[str], make: Callable[[], nn.Module]) -> dict[str, WeightSlot]:
    """The tensors below these paths in a module that `make` gives. Random numbers that it draws are drawn again."""
    if not paths:
        return {}
    with torch.random.fork_rng(devices=[]):
        try:
            with torch.device("meta"):
                module = make()
        except (RuntimeError, NotImplementedError):  # a class that reads numbers while it is made: on the CPU then
            module = make()
    parameters = {name for name, _ in module.named_parameters(remove_duplicate=False)}
    found = {}
    for name, tensor in module.state_dict().items():
        if any(name.startswith(f"{path}.") for path in paths):
            kind = OF_TORCH.get(str(tensor.dtype).removeprefix("torch."), str(tensor.dtype))
            found[name] = WeightSlot(tuple(tensor.shape), "param" if name in parameters else "state", _elem(kind))
    return found


def _elem(kind: str) -> str:
    """The type of elements that a tensor of this kind may be replaced by: floats of any width for floats."""
    return "float" if kind in FLOATS else "complex" if kind in COMPLEX else "bool" if kind == "bool" else "int"

"""A model as a live module: the emitted file, executed. There is no second way."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from ogive.backends.pytorch.module.file import emit
from ogive.backends.pytorch.module.loaded import load
from ogive.backends.pytorch.names import fresh
from ogive.compiler.ir.model import Model

__all__ = ["build", "load"]


def build(model: Model, text: str = "", *, device: torch.device | str | None = None, checks: bool = True) -> nn.Module:
    """The module of a model, with fresh weights; on the meta device it allocates nothing. `text` is its file."""
    make: Any = getattr(load(text or emit(model, checks=checks), fresh(model.name)), fresh(model.name))
    if device is None:
        return _module(make())
    with torch.device(device):
        return _module(make())


def _module(made: object) -> nn.Module:
    assert isinstance(made, nn.Module), made
    return made

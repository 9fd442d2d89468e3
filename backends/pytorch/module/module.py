"""A model as a live module: the emitted file, executed. There is no second way."""

from __future__ import annotations

import itertools
import linecache
import sys
from types import ModuleType
from typing import Any

import torch
from torch import nn

from ogive.backends.pytorch.module.file import emit
from ogive.backends.pytorch.names import fresh
from ogive.compiler.ir.model import Model

_numbers = itertools.count()


def load(source: str, name: str) -> ModuleType:
    """A Python module of the text. Tracebacks show its lines; its classes can be pickled in this process."""
    full = f"ogive_model_{name}_{next(_numbers)}"
    path = f"<{full}>"
    module = ModuleType(full)
    module.__file__ = path
    linecache.cache[path] = (len(source), None, source.splitlines(keepends=True), path)
    sys.modules[full] = module
    exec(compile(source, path, "exec"), module.__dict__)
    return module


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

"""A model as a live module: the emitted file, executed. There is no second way."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from ogive.backends.pytorch.module.file import emit
from ogive.backends.pytorch.module.loaded import load
from ogive.backends.pytorch.module.training import VECTORS, declared_vectors
from ogive.backends.pytorch.module.whole import FILLS
from ogive.backends.pytorch.names import fresh
from ogive.compiler.ir.model import Model
from ogive.compiler.ir.weights import opaque_count

__all__ = ["build", "load"]


def build(
    model: Model,
    text: str = "",
    *,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
    checks: bool = True,
) -> nn.Module:
    """The module of a model, with fresh weights; on the meta device it allocates nothing. `text` is its file.

    With a `dtype` the weights are drawn in that type, as `init_weights` does: those of the user's own modules
    are converted.
    """
    make: Any = getattr(load(text or emit(model, checks=checks), fresh(model.name)), fresh(model.name))
    vectors = declared_vectors(model)
    if dtype is None or opaque_count(model):
        made = _made(make, device)
        made = made if dtype is None else made.to(dtype)
    else:
        made = _made(make, "meta").to(dtype)
        device = torch.get_default_device() if device is None else torch.device(device)
        if device.type != "meta":
            start: Any = made.to_empty(device=device)
            start.init_weights()
    vars(made)[VECTORS] = vectors
    return made


def _made(make: Any, device: torch.device | str | None) -> nn.Module:
    with ExitStack() as around:
        if device is not None:
            around.enter_context(torch.device(device))
        if torch.get_default_device().type == "meta":
            around.enter_context(Unfilled())
        made = make()
    assert isinstance(made, nn.Module), made
    return made


class Unfilled(TorchFunctionMode):
    """Nothing fills a tensor on meta, which has no numbers: torch takes long to find that out (`normal_` 1 ms)."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in FILLS:
            tensor = args[0] if args else kwargs["tensor"]
            if tensor.is_meta:
                return tensor
        return func(*args, **kwargs)

"""Fresh modules of a model, on a device and in a type of floats."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from ogive.afford import affordable, startable
from ogive.compiler.ir import model as typed
from ogive.extras import needs

if TYPE_CHECKING:
    from torch import nn


class ConvertedModel(Protocol):
    """A model after passes."""

    def fresh(self, device: Any, *, checks: bool) -> nn.Module:
        """A module whose weights are those of a fresh source, converted."""


class CheckedModel(Protocol):
    """A model that was checked."""

    ir: typed.Model

    def deploy(self, recipe: str, /) -> ConvertedModel:
        """The model after a recipe of its file."""

    def torch_source(self, *, checks: bool) -> str:
        """The text of its module."""


def fresh(model: CheckedModel, device: Any, dtype: Any, recipe: str | None, *, checks: bool) -> nn.Module:
    """The module of a model, or with a recipe that of the model after it, whose weights are converted."""
    if recipe is not None:
        made = model.deploy(recipe).fresh(device, checks=checks)
        return made if dtype is None else made.to(dtype)
    source = model.torch_source(checks=checks)
    with needs("torch"):
        from torch import get_default_device, get_default_dtype

        from ogive.backends.pytorch.module.module import build

    if str(get_default_device() if device is None else device) == "cpu":
        affordable(model.ir)
    startable(model.ir, str(get_default_dtype() if dtype is None else dtype))
    return build(model.ir, source, device=device, dtype=dtype)

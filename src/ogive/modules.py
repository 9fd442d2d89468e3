"""Fresh modules of a model, on a device and in a type of floats."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ogive.afford import affordable, startable
from ogive.extras import needs

if TYPE_CHECKING:
    from torch import nn

    from ogive.model import Model


def fresh(model: Model, device: Any, dtype: Any, recipe: str | None, *, checks: bool) -> nn.Module:
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

"""Modules of models: their text, and fresh ones on a device and in a type of floats."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from ogive.afford import affordable, startable
from ogive.backends.python_text.errors import LoweringError
from ogive.compiler.ir import model as typed
from ogive.extras import needs
from ogive.grammar.diagnostics import Diagnostic
from ogive.grammar.source import Chunk, Span
from ogive.origin import Origin
from ogive.refusals import refuse

if TYPE_CHECKING:
    from torch import nn


class ConvertedModel(Protocol):
    """A model after passes."""

    def fresh(self, device: Any, *, checks: bool) -> nn.Module:
        """A module whose weights are those of a fresh source, converted."""


class CheckedModel(Protocol):
    """A model that was checked."""

    ir: typed.Model
    name: str
    origin: Origin

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


def source_of(models: Sequence[CheckedModel], *, checks: bool) -> str:
    """A Python module that needs torch alone, with a function for each of these models; all are of one file."""
    from ogive.backends.pytorch.module.file import ModelsFile

    first, *others = models
    made = ModelsFile([each.ir for each in models], checks=checks)
    for each in models:
        with _lowering(each):
            made.add(each.ir)
    stamp = first.origin.stamp.together([each.origin.stamp for each in others]) if others else first.origin.stamp
    return stamp.signed(made.text().encode(), "py").decode()


@contextmanager
def _lowering(model: CheckedModel) -> Iterator[None]:
    """What a backend cannot say becomes a diagnostic at the block of the model."""
    try:
        yield
    except LoweringError as error:
        span = error.span or model.ir.definition.span or Span(Chunk(""), 0, 0)
        refuse((Diagnostic(error.code, f"{model.name}: {error.text}", span),))

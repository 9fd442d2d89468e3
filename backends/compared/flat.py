"""Modules whose inputs and outputs are lists of tensors, as functions of tensors one by one."""

from __future__ import annotations

from typing import Any

from torch import nn

from ogive.compiler.ir.model import Model
from ogive.compiler.ir.signature_lists import SignatureLists, as_declared, one_by_one


class FlatForward:
    """The forward of a module, without its lists."""

    def __init__(self, module: nn.Module, lists: SignatureLists) -> None:
        self.module = module
        self.lists = lists

    def __call__(self, *inputs: Any, **settings: Any) -> Any:
        found = type(self.module).forward(self.module, *as_declared(inputs, self.lists.inputs), **settings)
        if settings.get("taps"):
            return self._flat(found[0]), found[1]
        return self._flat(found)

    def _flat(self, outputs: Any) -> Any:
        return tuple(one_by_one(outputs)) if self.lists.outputs else outputs


def taking_flat(module: nn.Module, model: Model) -> nn.Module:
    """This module of a model, which from now on takes and gives tensors one by one, as the graph of the model does."""
    lists = model.definition.lists
    if lists != SignatureLists():
        setattr(module, "forward", FlatForward(module, lists))  # noqa: B010
    return module

"""What a model of Ogive offers to training, beside its text: activation checkpoints, and weights that decay."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ogive.compiler.ir.model import Model
from ogive.compiler.ir.weights import weights

VECTORS = "_declared_vectors"  # of a module: patterns of weights with more axes than the source declares


class Checkpointed:
    """The forward of a module, which runs again on the way back instead of keeping what is inside of it."""

    def __init__(self, module: nn.Module, settings: Mapping[str, Any]) -> None:
        self.module = module
        self.settings = dict(settings)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        module = self.module

        def run(*given: Any) -> Any:
            return type(module).forward(module, *given, **kwargs)

        return checkpoint(run, *args, **self.settings) if torch.is_grad_enabled() else run(*args)


def gradient_checkpointing_enable(
    self: nn.Module, gradient_checkpointing_kwargs: Mapping[str, Any] | None = None
) -> None:
    """Run each iteration of the loops (each block where there is none) again on the way back: less memory, more time.

    Gradients are the same, bit by bit. The settings are those of `torch.utils.checkpoint.checkpoint`, without
    reentrance unless they say so. Raises ValueError where the model has no blocks.
    """
    blocks = checkpointed(self)
    if not blocks:
        raise ValueError(f"{type(self).__name__} has neither iterations nor blocks with weights to run again")
    for block in blocks:
        settings = {"use_reentrant": False, **(gradient_checkpointing_kwargs or {})}
        setattr(block, "forward", Checkpointed(block, settings))  # noqa: B010


def gradient_checkpointing_disable(self: nn.Module) -> None:
    """Keep everything for the way back, as it is at the start."""
    for module in self.modules():
        if isinstance(vars(module).get("forward"), Checkpointed):
            delattr(module, "forward")


def checkpointed(model: nn.Module) -> list[nn.Module]:
    """The modules that are run again: iterations, the outermost ones; without any, the blocks that the model calls."""
    text = next(kind.__module__ for kind in type(model).__mro__ if "init_weights" in vars(kind))
    blocks = list(_blocks(model, text, False))
    return [block for block, iteration in blocks if iteration] or [block for block, _ in blocks]


def _blocks(model: nn.Module, text: str, numbered: bool) -> Iterator[tuple[nn.Module, bool]]:
    """The blocks below, and whether they are iterations: unrolled ones too, and those that something wraps."""
    numbered = isinstance(model, nn.ModuleList) or (numbered and not _is_block(model, text))
    for child in model.children():
        own = _is_block(child, text)
        below = list(_blocks(child, text, numbered)) if not (own and numbered) else []
        if own and not any(iteration for _, iteration in below):
            yield child, numbered
        else:
            yield from below


def _is_block(module: nn.Module, text: str) -> bool:
    """Whether it is of a class of the text that runs."""
    runs = type(module).forward is not nn.Module.forward
    return runs and any(kind.__module__ == text for kind in type(module).__mro__)


def decay_groups(self: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Two groups of parameters for an optimizer: matrices and kernels, which decay, and all others, which do not.

    A weight decays if its declaration has two axes or more whose sizes are not the number 1: so tables of embeddings
    do, and biases, scales of norms and single numbers do not, also where `each` stacks them. Each parameter is there
    once, whatever its names, and those without gradients are left out.
    """
    vectors = {tuple(path.split(".")) for path in getattr(self, VECTORS, ())}
    groups: tuple[list[Tensor], list[Tensor]] = [], []
    for name, weight in self.named_parameters():
        path = tuple("*" if part.isdecimal() else part for part in name.split("."))
        flat = weight.ndim < 2 or path in vectors
        if weight.requires_grad:
            groups[flat].append(weight)
    return [
        {"params": params, "weight_decay": decay} for params, decay in zip(groups, (weight_decay, 0.0), strict=True)
    ]


def declared_vectors(of: Model) -> tuple[str, ...]:
    """The weights of two axes or more that are declared with fewer, by path; `*` for all numbers in it."""
    found: dict[str, None] = {}
    for info in weights(of):
        axes = sum(not (axis.size.is_number and axis.size.number == 1) for axis in info.weight.type.axes)
        if axes < 2 <= len(info.shape):
            found[".".join("*" if part.isdecimal() else part for part in info.path.split("."))] = None
    return tuple(found)


METHODS = (gradient_checkpointing_enable, gradient_checkpointing_disable, decay_groups)

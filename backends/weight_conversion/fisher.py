"""Gradients of a loss by examples, and products with the inverse of their second moment, without the matrix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import torch
from torch import Tensor, nn

from ogive.backends.analysis.measured.runs import first_output, loss_of
from ogive.compiler.passes.conversion.result import PassError

PARTS = 64  # gradients of which the second moment is made
LARGEST = 1 << 30  # numbers of them


@dataclass(frozen=True)
class LossSlopes:
    """Gradients of a loss in the weights of a module, by path: the mean, and those of parts of the examples."""

    module: nn.Module
    inputs: Sequence[Tensor | None]
    target: Tensor
    loss: str

    @cached_property
    def mean(self) -> dict[str, Tensor]:
        """That of all examples."""
        return self._of(slice(None))

    @cached_property
    def parts(self) -> dict[str, Tensor]:
        """[parts, numbers], parts being examples, or runs of them where there are many."""
        count = min(PARTS, len(self.target))
        numbers = sum(p.numel() for p in self.module.parameters())
        if count * numbers > LARGEST:
            text = f"{count} gradients of {numbers:,} numbers are more than `prune[by=fisher]` keeps"
            raise PassError("E0811", text, "give fewer examples, or choose by taylor")
        bounds = [len(self.target) * at // count for at in range(count + 1)]
        found = [self._of(slice(low, high)) for low, high in pairwise(bounds)]
        return {name: torch.stack([each[name].flatten() for each in found]) for name in found[0]}

    def _of(self, some: slice) -> dict[str, Tensor]:
        parameters = dict(self.module.named_parameters())
        out = first_output(self.module(*(None if x is None else x[some] for x in self.inputs)))
        value = loss_of(self.loss, out, self.target[some])
        grads = torch.autograd.grad(value, list(parameters.values()), allow_unused=True)
        return {
            name: torch.zeros_like(p) if g is None else g
            for (name, p), g in zip(parameters.items(), grads, strict=True)
        }


def slopes_of(module: nn.Module, inputs: Sequence[Tensor | None], target: Tensor, loss: str) -> LossSlopes:
    """The gradients of a loss. Raises PassError where the target has not an entry for each example."""
    for x in inputs:
        if x is not None and (not target.dim() or not x.dim() or len(x) != len(target)):
            shape = list(target.shape)
            raise PassError("E0810", f"the target is {shape}: it has an entry for each of {len(x)} examples")
    if target.is_floating_point():
        target = target.double()
    return LossSlopes(module, inputs, target, loss)


class InverseFisher:
    """(damping I + (1/m) Σ gᵢ gᵢᵀ)⁻¹ by the formula of Sherman and Morrison, one gradient after another.

    vᵢ = gᵢ/λ - Σ_{j<i} (vⱼᵀgᵢ / (m + gⱼᵀvⱼ)) vⱼ, as M-FAC has it (Frantar et al. 2021, arXiv:2107.03356). `gradients`
    are [m, numbers].
    """

    def __init__(self, gradients: Tensor, damping: float) -> None:
        self.damping, count = damping, len(gradients)
        self.vectors = gradients / damping
        self.weights = torch.empty(count, dtype=gradients.dtype, device=gradients.device)
        for at, g in enumerate(gradients):
            before = self.vectors[:at]
            self.vectors[at] -= (before @ g * self.weights[:at]) @ before
            self.weights[at] = 1 / (count + g @ self.vectors[at])

    def product(self, x: Tensor) -> Tensor:
        """F⁻¹ x = x/λ - Σ vⱼ (vⱼᵀx) / (m + gⱼᵀvⱼ)."""
        return x / self.damping - (self.vectors @ x * self.weights) @ self.vectors

    @cached_property
    def diagonal(self) -> Tensor:
        """The diagonal of F⁻¹."""
        return 1 / self.damping - self.weights @ self.vectors.square()

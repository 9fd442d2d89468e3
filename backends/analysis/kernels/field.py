"""What a value means at infinite width: covariances of its entries between examples and positions."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

CHANNEL = -1  # in the place of an axis: the one that is infinitely wide


@dataclass(frozen=True, eq=False)
class KernelField:
    """K and Θ as [*kept, *kept]; `axes` says for each axis of the value which kept ones it holds, merged row-major.

    `normal`: the entries of a channel are normal. `made` are the weights that draw it: of fields that share some,
    kernels do not add. A value that is known has only `value`: an input before the first product.
    """

    axes: tuple[tuple[int, ...], ...] = ()
    k: Tensor | None = None
    theta: Tensor | None = None
    normal: bool = False
    made: frozenset[str] = frozenset()
    value: Tensor | None = None
    path: str = ""  # of a weight

    @property
    def kept(self) -> int:
        """How many axes are kept, on each side."""
        return 0 if self.k is None else self.k.dim() // 2

    def with_kernels(self, k: Tensor, theta: Tensor, normal: bool) -> KernelField:
        """The same axes with other kernels."""
        return replace(self, k=k, theta=theta, normal=normal)


def diagonals(k: Tensor) -> tuple[Tensor, Tensor]:
    """K(x, x) and K(x', x') beside every K(x, x')."""
    half = k.dim() // 2
    shape = k.shape[:half]
    flat = k.reshape(shape.numel(), shape.numel()).diagonal()
    p = flat.reshape((*shape, *[1] * half)).expand(k.shape)
    q = flat.reshape((*[1] * half, *shape)).expand(k.shape)
    return p, q


def averaged(k: Tensor, axis: int, *, pairs: bool) -> Tensor:
    """The mean over a kept axis: over all pairs of positions, or over matching ones."""
    half = k.dim() // 2
    if pairs:
        return k.mean((axis, half + axis))
    return k.diagonal(dim1=axis, dim2=half + axis).mean(-1)


def gram(x: Tensor, axis: int) -> Tensor:
    """X xᵀ over an axis, divided by its size: [*kept, *kept]."""
    rows = x.movedim(axis, -1).to(torch.float64)
    shape = rows.shape[:-1]
    flat = rows.reshape(-1, rows.shape[-1])
    return (flat @ flat.T / rows.shape[-1]).reshape((*shape, *shape))

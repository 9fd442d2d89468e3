"""Faults of torch that random programs meet, mended one by one, so that what is compared is ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F


class _Whole(torch.autograd.Function):
    """The identity, to which gradients flow back without gaps and in the order of their axes."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, g: torch.Tensor) -> torch.Tensor:
        return g.clone(memory_format=torch.contiguous_format)


class _Still(torch.autograd.Function):
    """The identity, to which no gradient flows back."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, g: torch.Tensor) -> torch.Tensor:
        return torch.zeros_like(g)


def _group_norm(plain: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    """The slope of a group of one entry is 0; torch's (2.13) is what rounding leaves of terms that are as large as the
    gradient that comes, times the weight, over the root of epsilon.
    """

    def group_norm(x: torch.Tensor, num_groups: int, *args: Any, **more: Any) -> torch.Tensor:
        single = x.shape[1:].numel() == num_groups
        return plain(_Still.apply(x) if single else x, num_groups, *args, **more)  # type: ignore[no-untyped-call]

    return group_norm


def _batch_norm(plain: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    """On the CPU torch (2.13) takes the gradient of a tensor with an axis of one entry for one whose channels stand
    last, by its strides alone, and reads it in another order: shape (2, 2, 2, 1), strides (4, 1, 2, 4).
    """
    return lambda *args, **more: _Whole.apply(plain(*args, **more))  # type: ignore[no-untyped-call]


@contextmanager
def mended_torch() -> Iterator[None]:
    """Gradients without these faults."""
    batched, grouped = F.batch_norm, torch.group_norm
    F.batch_norm, torch.group_norm = _batch_norm(batched), _group_norm(grouped)
    try:
        yield
    finally:
        F.batch_norm, torch.group_norm = batched, grouped

"""Faults of torch that random programs meet, mended one by one, so that what is compared is ours."""

from __future__ import annotations

from collections.abc import Iterator
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


@contextmanager
def whole_flows() -> Iterator[None]:
    """On the CPU `batch_norm` (2.13) takes the gradient of a tensor with an axis of one entry for one whose channels
    stand last, by its strides alone, and reads it in another order: shape (2, 2, 2, 1), strides (4, 1, 2, 4).
    """
    plain = F.batch_norm
    F.batch_norm = lambda *args, **more: _Whole.apply(plain(*args, **more))  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        F.batch_norm = plain

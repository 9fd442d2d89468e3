"""Torch gives the places of equal numbers in any order; where forms are compared, in that of ONNX: first the first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

aten = torch.ops.aten


class FirstFirst(TorchDispatchMode):
    """Sorts keep the order of equal numbers, and of equal numbers `topk` takes the first."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: Sequence[type], args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """The operation, or what stands for it."""
        kwargs = kwargs or {}
        if func is aten.sort.default:
            return _sorted(*args, **kwargs)
        if func is aten.topk.default:
            return _topk(*args, **kwargs)
        return func(*args, **kwargs)


def _sorted(x: Tensor, dim: int = -1, descending: bool = False) -> tuple[Tensor, Tensor]:
    values, places = torch.sort(x, stable=True, dim=dim, descending=descending)
    return values, places


def _topk(x: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> tuple[Tensor, Tensor]:
    values, places = torch.sort(x, stable=True, dim=dim, descending=largest)
    return values.narrow(dim, 0, k), places.narrow(dim, 0, k)

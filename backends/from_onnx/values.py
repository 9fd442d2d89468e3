"""What flows between operators of ONNX that are run in PyTorch: tensors, and shapes as lists of whole numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ogive.backends.from_onnx.read import OnnxRefused

Attributes = dict[str, Any]
Operator = Callable[..., Any]
TYPES = {1: torch.float32, 10: torch.float16, 11: torch.float64, 16: torch.bfloat16, 6: torch.int32, 7: torch.int64,
         9: torch.bool, 2: torch.uint8, 3: torch.int8, 5: torch.int16}  # fmt: skip


def tensor(value: Any) -> Tensor:
    """A tensor of what may be a list of sizes."""
    return value if isinstance(value, Tensor) else torch.tensor(value)


def listed(value: Any) -> list[Any]:
    """The whole numbers of what may be a tensor."""
    if isinstance(value, Tensor):
        raise OnnxRefused("a shape that depends on numbers of the inputs")
    return list(value) if isinstance(value, list | tuple) else [value]

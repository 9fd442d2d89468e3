"""Computing what a file of anybody's says, in bounded memory: the size of a result is asked for before it is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from ogive.backends.from_onnx.read import OnnxRefused

ENTRIES = 2**28  # of one tensor


class BoundedMemory(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """While it is on, what would make a tensor of more entries than `ENTRIES` raises `OnnxRefused`."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        named = dict(kwargs or {})
        try:
            told = func(*tree_map(_meta, args), **(tree_map(_meta, named) | _placed(func)))
        except (NotImplementedError, RuntimeError, TypeError):
            told = None  # its result depends on numbers, or it fails: then it does below, too
        largest = max((each.numel() for each in tree_leaves(told) if isinstance(each, Tensor)), default=0)
        if largest > ENTRIES:
            raise OnnxRefused(f"`{func}` would make a tensor of {largest:,} numbers; at most {ENTRIES:,} are made here")
        return func(*args, **named)


def _meta(value: Any) -> Any:
    return value.to("meta") if isinstance(value, Tensor) else value


def _placed(func: Any) -> dict[str, Any]:
    """For what makes tensors of nothing: where."""
    return {"device": torch.device("meta")} if "device" in {each.name for each in func._schema.arguments} else {}

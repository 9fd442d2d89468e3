"""Operations of single entries, computed on typical ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ogive.compiler.ir.model import Node
from ogive.compiler.ir.types import FLOATS

Computed = Callable[..., Tensor]
OWN: Mapping[str, Callable[[Node], Computed]] = {
    "gelu": lambda node: F.gelu,
    "gelu_tanh": lambda node: lambda x: F.gelu(x, approximate="tanh"),
    "silu": lambda node: F.silu,
    "softplus": lambda node: lambda x: F.softplus(x, beta=node.attr("beta")),
    "elu": lambda node: lambda x: F.elu(x, alpha=node.attr("alpha")),
    "leaky_relu": lambda node: lambda x: F.leaky_relu(x, negative_slope=node.attr("slope")),
    "hardswish": lambda node: F.hardswish,
    "hardsigmoid": lambda node: F.hardsigmoid,
    "hardtanh": lambda node: lambda x: torch.clamp(x, node.attr("lo"), node.attr("hi")),
    "clamp": lambda node: lambda x: torch.clamp(x, node.attr("lo"), node.attr("hi")),
    "mish": lambda node: F.mish,
    "relu6": lambda node: F.relu6,
    "cast": lambda node: lambda x: x if node.attr("type") in FLOATS else x.trunc(),
    "stop_gradient": lambda node: lambda x: x.detach(),
    "floordiv": lambda node: lambda a, b: torch.floor(a / b),
    "mod": lambda node: torch.remainder,
    "lerp": lambda node: lambda a, b, t: a + t * (b - a),
}
PLAIN = (
    "add sub mul div pow minimum maximum atan2 neg exp expm1 log log1p log2 log10 sqrt rsqrt sin cos tan asin acos "
    "atan sinh cosh tanh asinh acosh atanh erf lgamma digamma abs sign floor ceil trunc round relu sigmoid"
).split()
NAMES = (*OWN, *PLAIN)


def computed(node: Node) -> Computed:
    """What an operation computes of tensors, entry by entry."""
    made = OWN.get(node.op)
    found: Any = getattr(torch, node.op) if made is None else made(node)
    return found  # type: ignore[no-any-return]

"""The operations of the reference by name: one visible table made of the families' own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from reference import algebra, elementwise, kernels, layout, patterns, reductions, sampling, values, windows

FAMILIES: tuple[Mapping[str, Callable[..., Any]], ...] = (
    elementwise.OPS,
    patterns.OPS,
    reductions.OPS,
    layout.OPS,
    kernels.OPS,
    windows.OPS,
    sampling.OPS,
    algebra.OPS,
    values.OPS,
)
OPS: dict[str, Callable[..., Any]] = {name: run for family in FAMILIES for name, run in family.items()}
# what moves numbers and rounds none: the result is exactly some of the operands
EXACT = frozenset((
    *("rearrange", "split", "expand", "concat", "stack", "flip", "roll", "pad", "slice", "take", "gather", "put"),
    *("unfold", "one_hot", "topk", "sort", "argsort", "argmax", "argmin", "cummax", "cummin"),
    *("diag", "tril", "triu", "max", "min", "max_pool", "adaptive_max_pool"),
    *("neg", "abs", "sign", "floor", "ceil", "trunc", "round", "minimum", "maximum", "select", "clamp", "hardtanh"),
    *("relu", "relu6"),
    *("zeros", "ones", "full", "arange", "eye", "constant", "real", "imag", "conj", "complex", "stop_gradient"),
    *("bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_not", "shift_left", "shift_right", "isnan", "isinf"),
    *("grad_as", "cast", "eq", "ne", "lt", "le", "gt", "ge", "randn", "rand", "bernoulli", "dropout"),
))  # fmt: skip

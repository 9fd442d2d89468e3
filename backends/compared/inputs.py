"""Inputs on which two forms of a model are compared: centred, far from 0, large, small, at boundaries, constant."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ogive.compiler.ir.model import Model
from ogive.compiler.ir.types import INTS, TensorType
from ogive.compiler.passes.analysis.ranges import Range, index_ranges, of_elem
from ogive.compiler.sizes import Size, Unknown

KINDS = ("centred", "boundary", "offset", "constant", "small", "large")
EDGES = (0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, 16.0, -16.0, 2.0**-7, -(2.0**-7), 2.0**-14)
FAR, FAR_NARROW = 300.0, 30.0  # how far from 0, and how large; less where halves would overflow
SMALL = 1e-3
FIXED = {"f16": torch.float16, "bf16": torch.bfloat16, "f32": torch.float32, "f64": torch.float64}
NEAR = 8  # of integers that may be any, some lie as near to 0


@dataclass(frozen=True, slots=True)
class Spec:
    """A tensor that is asked for; integers lie in a range, both ends included."""

    shape: tuple[int, ...]
    elem: str
    range: Range | None = None


def specs(
    model: Model, types: Sequence[TensorType], values: Mapping[Unknown, int], sizes: Mapping[Unknown, Size]
) -> list[Spec]:
    """What the inputs of a model must be: of these types at these sizes; `sizes` are those of its own unknowns."""
    ranges = index_ranges(model, sizes)
    return [
        Spec(tuple(axis.size.at(values) for axis in type.axes), type.elem, range_)
        for type, range_ in zip(types, ranges, strict=True)
    ]


def drawn(spec: Spec, kind: str, generator: torch.Generator, *, narrow: bool = False) -> Tensor:
    """A tensor of a kind: floats in float64. With `narrow` they stay where halves do not overflow."""
    if spec.elem == "bool":
        return _truths(spec, kind, generator)
    if spec.elem in INTS:
        return _whole(spec, kind, generator)
    if spec.elem == "complex":
        parts = (_floats(spec.shape, kind, generator, narrow) for _ in range(2))
        return torch.complex(*parts)
    return _floats(spec.shape, kind, generator, narrow)


def _floats(shape: tuple[int, ...], kind: str, generator: torch.Generator, narrow: bool) -> Tensor:
    far = FAR_NARROW if narrow else FAR
    x = torch.randn(shape, generator=generator, dtype=torch.float64)
    if kind == "boundary":
        at = torch.randint(len(EDGES), shape, generator=generator)
        return torch.tensor(EDGES, dtype=torch.float64)[at]
    if kind == "constant":
        return torch.full_like(x, float(torch.randn((), generator=generator)))
    return {"offset": x + far, "small": x * SMALL, "large": x * far}.get(kind, x)


def _whole(spec: Spec, kind: str, generator: torch.Generator) -> Tensor:
    low, high = spec.range or of_elem(spec.elem)
    dtype = torch.int32 if spec.elem == "i32" else torch.int64
    ends = [each for each in (low, high, 0, 1, -1, low + 1, high - 1) if low <= each <= high]
    if kind == "boundary":
        return torch.tensor(ends)[torch.randint(len(ends), spec.shape, generator=generator)].to(dtype)
    if kind == "constant":
        return torch.full(spec.shape, ends[int(torch.randint(len(ends), (), generator=generator))], dtype=dtype)
    wide = high - low >= 2**31 and low <= 0 and high >= 1000 + NEAR
    if wide and kind in ("centred", "small", "offset"):
        middle = 1000 if kind == "offset" else 0
        low, high = max(low, middle - NEAR), min(high, middle + NEAR)
    # the whole range of 64 bits is more than torch draws from at once
    half = torch.randint(low // 2, high // 2 + 1, spec.shape, generator=generator) if high - low >= 2**63 else None
    if half is None:
        return torch.randint(low, high + 1, spec.shape, generator=generator).to(dtype)
    return (2 * half + torch.randint(0, 2, spec.shape, generator=generator)).clamp(low, high).to(dtype)


def _truths(spec: Spec, kind: str, generator: torch.Generator) -> Tensor:
    """Masks: some rows of a boundary are empty, and those that are constant are empty as a whole."""
    share = {"offset": 0.9, "small": 0.1, "large": 1.0, "constant": 0.0}.get(kind, 0.5)
    found = torch.rand(spec.shape, generator=generator) < share
    if kind == "boundary" and spec.shape:
        found &= torch.rand((*spec.shape[:-1], 1), generator=generator) < 0.5
    return found


def in_type(x: Tensor, dtype: torch.dtype, elem: str = "float") -> Tensor:
    """The tensor where a model has this float type: complex numbers of two such floats, integers as they are.

    `elem` is how an input is declared: `f32[n]` is that in models of every type.
    """
    if elem in FIXED:
        return x.to(FIXED[elem])
    if x.is_complex():
        return x.to(torch.complex128 if dtype is torch.float64 else torch.complex64)
    return x.to(dtype) if x.is_floating_point() else x


def module_in(module: torch.nn.Module, dtype: torch.dtype) -> torch.nn.Module:
    """A copy of the module, not in training, with all its floats of a type; weights that have it are shared.

    `.to` would drop the imaginary parts of complex weights.
    """
    there: dict[int, Tensor] = {}
    for weight in module.parameters():
        there[id(weight)] = torch.nn.Parameter(in_type(weight.data, dtype), weight.requires_grad)
    for state in module.buffers():
        there[id(state)] = in_type(state, dtype).detach()
    return copy.deepcopy(module, there).eval()


def moved(x: Tensor, unit: float, generator: torch.Generator) -> Tensor:
    """Each float up to a rounding away, where its type holds such."""
    if not (x.is_floating_point() or x.is_complex()):
        return x
    return (x * (1 + unit * (2 * torch.rand(x.shape, generator=generator, dtype=torch.float64) - 1))).to(x.dtype)

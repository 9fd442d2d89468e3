"""Algebra of convolution kernels [o, i, *k] as conversion nodes: scaled, embedded, regrouped, one after another.

A linear map over the last axis is a kernel without spatial axes; a scale by channel is one with as many groups as
channels. So each rule is written once.
"""

from __future__ import annotations

from math import gcd

from ogive.compiler.ir.types import Axis
from ogive.compiler.passes.conversion.scope import ConversionScope
from ogive.compiler.sizes import size

Pads = tuple[tuple[int, int], ...]


def letters(count: int) -> str:
    """Names of the spatial axes in patterns: " k0 k1"."""
    return "".join(f" k{number}" for number in range(count))


def filled(scope: ConversionScope, shape: tuple[int, ...], value: float) -> str:
    """A constant tensor."""
    return scope.op("full", sizes=tuple(Axis(size(n)) for n in shape), v=value)


def scaled_rows(scope: ConversionScope, kernel: str, scale: str) -> str:
    """K[o, i, k] s[o]."""
    k = letters(len(scope.shape(kernel)) - 2)
    return scope.einsum(f"o i{k}, o -> o i{k}", kernel, scale)


def scaled_border(scope: ConversionScope, border: str, scale: str) -> str:
    """E[o, k] s[o]."""
    k = letters(len(scope.shape(border)) - 1)
    return scope.einsum(f"o{k}, o -> o{k}", border, scale)


def scaled_transposed(scope: ConversionScope, kernel: str, scale: str, groups: int) -> str:
    """K[(g i), o, k] s[(g o)], the layout of transposed convolutions."""
    k = letters(len(scope.shape(kernel)) - 2)
    split = scope.shaped(kernel, f"(g i) o{k} -> g i o{k}", g=groups)
    scaled = scope.einsum(f"g i o{k}, g o -> g i o{k}", split, scope.shaped(scale, "(g o) -> g o", g=groups))
    return scope.shaped(scaled, f"g i o{k} -> (g i) o{k}")


def regrouped(scope: ConversionScope, kernel: str, groups: int, fewer: int) -> str:
    """The same map with fewer groups: zeros between those that are joined."""
    if groups == fewer:
        return kernel
    k = letters(len(scope.shape(kernel)) - 2)
    ratio = groups // fewer
    split = scope.shaped(kernel, f"(g a o) i{k} -> g a o i{k}", g=fewer, a=ratio)
    spread = scope.einsum(f"g a o i{k}, a c -> g a o c i{k}", split, scope.op("eye", n=size(ratio)))
    return scope.shaped(spread, f"g a o c i{k} -> (g a o) (c i){k}")


def embedded(scope: ConversionScope, kernel: str, before: tuple[int, ...], after: tuple[int, ...]) -> str:
    """Zero taps around a kernel (or a border, whose spatial axes are its last ones too)."""
    first = len(scope.shape(kernel)) - len(before)
    for at, (low, high) in enumerate(zip(before, after, strict=True)):
        if low or high:
            kernel = scope.op("pad", kernel, axis=first + at, before=size(low), after=size(high))
    return kernel


def common_groups(first: int, second: int) -> int:
    """The most groups in which two maps, one after the other, keep apart."""
    return gcd(first, second)


def product(scope: ConversionScope, second: str, first: str, groups: int) -> str:
    """K[o, i] = Σ_m k₂[o, m] k₁[m, i], within each group; one of the two has a window of one tap."""
    count = len(scope.shape(first)) - 2
    k = letters(count)
    points = (1,) * count
    wide_second = scope.shape(second)[2:] != points
    a = scope.shaped(second, f"(g o) m{k} -> g o m{k}", g=groups)
    b = scope.shaped(first, f"(g m) i{k} -> g m i{k}", g=groups)
    ones = " 1" * count
    if wide_second:
        b = scope.shaped(b, f"g m i{ones} -> g m i") if count else b
        made = scope.einsum(f"g o m{k}, g m i -> g o i{k}", a, b)
    else:
        a = scope.shaped(a, f"g o m{ones} -> g o m") if count else a
        made = scope.einsum(f"g o m, g m i{k} -> g o i{k}", a, b)
    return scope.shaped(made, f"g o i{k} -> (g o) i{k}")


def through(scope: ConversionScope, kernel: str, groups: int, vector: str) -> str:
    """E[o, k] = Σ_i K[o, i, k] t[i]: what a constant input becomes, tap by tap."""
    k = letters(len(scope.shape(kernel)) - 2)
    split = scope.shaped(kernel, f"(g o) i{k} -> g o i{k}", g=groups)
    made = scope.einsum(f"g o i{k}, g i -> g o{k}", split, scope.shaped(vector, "(g i) -> g i", g=groups))
    return scope.shaped(made, f"g o{k} -> (g o){k}")


def summed(scope: ConversionScope, border: str) -> str:
    """Σ_k E[o, k]: the bias of a border that is nowhere cut off."""
    count = len(scope.shape(border)) - 1
    return scope.op("sum", border, axes=tuple(range(1, count + 1))) if count else border


def spread(scope: ConversionScope, kernel: str, steps: tuple[int, ...]) -> str:
    """The taps of a dilated kernel in a dense one, zeros between them."""
    for at, step in enumerate(steps, len(scope.shape(kernel)) - len(steps)):
        taps = scope.shape(kernel)[at]
        if step == 1 or taps == 1:
            continue
        rank = len(scope.shape(kernel))
        names = [f"a{i}" for i in range(rank)]
        apart = [*names[:at], f"({names[at]} z)", *names[at + 1 :]]
        wide = [*names[: at + 1], "1", *names[at + 1 :]]
        kernel = scope.shaped(kernel, f"{' '.join(names)} -> {' '.join(wide)}")
        kernel = scope.op("pad", kernel, axis=at + 1, before=size(0), after=size(step - 1))
        whole = [*names[: at + 1], "z", *names[at + 1 :]]
        kernel = scope.shaped(kernel, f"{' '.join(whole)} -> {' '.join(apart)}")
        items = [None] * at + [("slice", None, (taps - 1) * step + 1, None)]
        kernel = scope.op("slice", kernel, items=tuple(items))
    return kernel


def correlated(scope: ConversionScope, second: str, first: str, groups: int, step: tuple[int, ...]) -> str:
    """K[o, i, u + step·v] = Σ_m k₂[o, m, v] k₁[m, i, u]: dense kernels, the second without padding."""
    taps, size_of = scope.shape(second)[2:], scope.shape(first)[2:]
    whole = tuple(n + d * (m - 1) for n, m, d in zip(size_of, taps, step, strict=True))
    total: str | None = None
    for place in _places(taps):
        tap = _tap(scope, second, place)
        low = tuple(d * v for d, v in zip(step, place, strict=True))
        high = tuple(w - n - b for w, n, b in zip(whole, size_of, low, strict=True))
        part = embedded(scope, product(scope, tap, first, groups), low, high)
        total = part if total is None else scope.op("add", total, part)
    assert total is not None
    return total


def _places(taps: tuple[int, ...]) -> list[tuple[int, ...]]:
    places: list[tuple[int, ...]] = [()]
    for count in taps:
        places = [(*place, at) for place in places for at in range(count)]
    return places


def _tap(scope: ConversionScope, kernel: str, place: tuple[int, ...]) -> str:
    return scope.op("slice", kernel, items=("...", *(("slice", at, at + 1, None) for at in place)))

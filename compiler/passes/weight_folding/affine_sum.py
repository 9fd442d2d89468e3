"""Sums of affine values: convolutions of one source become one, where that costs no more."""

from __future__ import annotations

from dataclasses import replace
from math import prod

from ogive.compiler.passes.conversion.scope import ConversionScope
from ogive.compiler.passes.weight_folding import affine_kernels as kernels
from ogive.compiler.passes.weight_folding.affine import Affine, ConvTerm, Pads, made, plus


def work(term: ConvTerm) -> int:
    """Multiply-adds for one element of the result (one addition, for the identity)."""
    return term.channels // term.groups * prod(term.window)


def added(scope: ConversionScope, a: Affine, b: Affine) -> Affine | None:
    """The sum of two; None where their channels are not the same axis."""
    if (a.axis, a.rank) != (b.axis, b.rank):
        return None
    terms = list(a.terms)
    for term in b.terms:
        _add(scope, terms, term)
    return Affine(tuple(terms), plus(scope, a.bias, b.bias), a.axis, a.rank)


def _add(scope: ConversionScope, terms: list[ConvTerm], term: ConvTerm) -> None:
    for at, other in enumerate(terms):
        merged = merge(scope, other, term)
        if merged is not None:
            del terms[at]
            _add(scope, terms, merged)
            return
    terms.append(term)


def merge(scope: ConversionScope, a: ConvTerm, b: ConvTerm) -> ConvTerm | None:
    """One convolution that is the sum of two, or None where there is none or it would cost more."""
    if a.source != b.source or a.out != b.out or a.stride != b.stride or a.leaf is not None or b.leaf is not None:
        return None
    if a.padded and b.padded and a.mode != b.mode:
        return None
    dilation = _dilation(a, b)
    placed = None if dilation is None else _placed(a, b, dilation)
    if dilation is None or placed is None:
        return None
    window, pads, offsets = placed
    groups = kernels.common_groups(a.groups, b.groups)
    shell = replace(
        a, groups=groups, window=window, pads=pads, dilation=dilation, mode=a.mode if a.padded else b.mode,
        path=a.path or b.path,
    )  # fmt: skip
    if work(shell) > work(a) + work(b):
        return None
    parts, borders = [], []
    for term, low in zip((a, b), offsets, strict=True):
        high = tuple(n - k - o for n, k, o in zip(window, term.window, low, strict=True))
        kernel = kernels.regrouped(scope, made(scope, term), term.groups, groups)
        parts.append(kernels.embedded(scope, kernel, low, high))
        borders.append(None if term.border is None else kernels.embedded(scope, term.border, low, high))
    return replace(shell, kernel=scope.op("add", *parts), border=plus(scope, *borders))


def _dilation(a: ConvTerm, b: ConvTerm) -> tuple[int, ...] | None:
    found = []
    for n, d, m, e in zip(a.window, a.dilation, b.window, b.dilation, strict=True):
        if n != 1 and m != 1 and d != e:
            return None
        found.append(e if n == 1 else d)
    return tuple(found)


def _placed(
    a: ConvTerm, b: ConvTerm, dilation: tuple[int, ...]
) -> tuple[tuple[int, ...], Pads, tuple[tuple[int, ...], tuple[int, ...]]] | None:
    """The window and padding that hold both kernels, and where each begins in it.

    Both give the same sizes, so the last padding of the wider window follows from either; the even one is taken.
    """
    window, pads = [], []
    starts: tuple[list[int], list[int]] = ([], [])
    for at, step in enumerate(dilation):
        begin = max(a.pads[at][0], b.pads[at][0])
        gaps = [begin - term.pads[at][0] for term in (a, b)]
        if any(gap % step for gap in gaps):
            return None
        offsets = [gap // step for gap in gaps]
        taps = max(term.window[at] + offset for term, offset in zip((a, b), offsets, strict=True))
        ends = [
            term.pads[at][1] + step * (taps - term.window[at] - offset)
            for term, offset in zip((a, b), offsets, strict=True)
        ]
        window.append(taps)
        pads.append((begin, begin if begin in ends else min(ends)))
        for found, offset in zip(starts, offsets, strict=True):
            found.append(offset)
    return tuple(window), tuple(pads), (tuple(starts[0]), tuple(starts[1]))

"""Patterns of entries that go or stay together, and the mask of those that stay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from ogive.compiler.ops.spec import Pattern
from ogive.compiler.passes.conversion.scope import ConversionScope
from ogive.compiler.sizes import size

PATTERNS = ("unstructured", "n_m", "block", "channel")


@dataclass(frozen=True, slots=True)
class Units:
    """How a weight of this shape falls apart: `count` units of so many `entries` each."""

    pattern: str
    shape: tuple[int, ...]
    count: int
    entries: int
    size: int = 1  # of a run, or of the side of a square


def units_of(pattern: str, shape: tuple[int, ...], m: int, side: int) -> Units | str:
    """The units of a weight [outputs, inputs, ...]; or why it has none."""
    total = prod(shape)
    match pattern:
        case "n_m":
            if shape[1] % m:
                return f"{shape[1]} inputs are no runs of {m}"
            return Units(pattern, shape, total, 1, m)
        case "block":
            if shape[0] % side or shape[1] % side:
                return f"{shape[0]} outputs and {shape[1]} inputs are no squares of {side}"
            entries = side * side * prod(shape[2:])
            return Units(pattern, shape, total // entries, entries, side)
        case "channel":
            return Units(pattern, shape, shape[0], total // shape[0])
    return Units(pattern, shape, total, 1)


def mask_of(scope: ConversionScope, name: str, units: Units, count: int, loops: int) -> str:
    """1 where an entry stays, 0 elsewhere: `count` units of the most energy; each iteration for itself."""
    shape = units.shape
    outer = [f"l{at}" for at in range(loops)]
    names = [f"a{at}" for at in range(len(shape))]
    sizes = dict(zip(names, shape, strict=True))
    rest = names[2:]
    square = scope.op("mul", name, name)
    match units.pattern:
        case "n_m":
            inner = {"g": shape[1] // units.size, "m": units.size}
            runs = scope.shaped(
                square, _arrow([*outer, "a0", "(g m)", *rest], [*outer, "a0", "g", *rest, "m"]), **inner
            )
            kept = _largest(scope, runs, count * units.size // units.count)
            return scope.shaped(kept, _arrow([*outer, "a0", "g", *rest, "m"], [*outer, "a0", "(g m)", *rest]))
        case "block":
            parts = {"p": units.size, "q": units.size}
            split = [*outer, "(o p)", "(i q)", *rest]
            whole = [*outer, "o", "i", "p", "q", *rest]
            sums = scope.op(
                "sum", scope.shaped(square, _arrow(split, whole), **parts), axes=_last(loops + 2, len(rest) + 2)
            )
            kept = _chosen(scope, sums, outer, ["o", "i"], (shape[0] // units.size, shape[1] // units.size), count)
            spread = _spread(scope, kept, [*outer, "o", "i"], whole, {**parts, **{each: sizes[each] for each in rest}})
            return scope.shaped(spread, _arrow(whole, split))
        case "channel":
            sums = scope.op("sum", square, axes=_last(loops + 1, len(shape) - 1)) if len(shape) > 1 else square
            kept = _largest(scope, sums, count)
            return _spread(scope, kept, [*outer, "a0"], [*outer, *names], {each: sizes[each] for each in names[1:]})
    return _chosen(scope, square, outer, names, shape, count)


def _chosen(
    scope: ConversionScope, sums: str, outer: Sequence[str], names: Sequence[str], shape: Sequence[int], count: int
) -> str:
    """The largest of all entries of some axes."""
    if len(names) == 1:
        return _largest(scope, sums, count)
    merged = f"({' '.join(names)})"
    flat = scope.shaped(sums, _arrow([*outer, *names], [*outer, merged]))
    kept = _largest(scope, flat, count)
    return scope.shaped(kept, _arrow([*outer, merged], [*outer, *names]), **dict(zip(names, shape, strict=True)))


def _largest(scope: ConversionScope, sums: str, count: int) -> str:
    """1 at the largest along the last axis: by places in the order, so that of equals no more stay than are asked."""
    axis = len(scope.shape(sums)) - 1
    order = scope.op("argsort", scope.op("neg", sums), axis=axis)
    place = scope.op("argsort", order, axis=axis)
    return scope.op("cast", scope.op("lt", place, count), type="float")


def _spread(scope: ConversionScope, name: str, left: Sequence[str], right: Sequence[str], sizes: dict[str, int]) -> str:
    if list(left) == list(right):
        return name
    return scope.op("expand", name, pattern=Pattern(_arrow(left, right), {k: size(v) for k, v in sizes.items()}))


def _last(start: int, count: int) -> tuple[int, ...]:
    return tuple(range(start, start + count))


def _arrow(left: Sequence[str], right: Sequence[str]) -> str:
    return f"{' '.join(left)} -> {' '.join(right)}"

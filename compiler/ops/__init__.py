"""The primitive operations by name: one visible table, made of the families' own."""

from __future__ import annotations

from itertools import chain

from ogive.compiler.ops import (
    algebra,
    elementwise,
    fourier,
    index,
    kernels,
    layout,
    linear,
    norms,
    pools,
    random,
    reduce,
    short,
    values,
)
from ogive.compiler.ops.spec import OpSpec, Trait

FAMILIES: tuple[tuple[OpSpec, ...], ...] = (
    layout.OPS,
    linear.OPS,
    reduce.OPS,
    index.OPS,
    elementwise.OPS,
    kernels.OPS,
    pools.OPS,
    norms.OPS,
    values.OPS,
    random.OPS,
    fourier.OPS,
    algebra.OPS,
)


def _by_name(families: tuple[tuple[OpSpec, ...], ...]) -> dict[str, OpSpec]:
    found: dict[str, OpSpec] = {}
    for spec in chain.from_iterable(families):
        assert spec.name not in found, f"operation {spec.name} is declared twice"
        found[spec.name] = spec
    return found


OPS: dict[str, OpSpec] = _by_name(FAMILIES)
TOLD: tuple[tuple[OpSpec, ...], ...] = ((*layout.OPS, *short.OPS), *FAMILIES[1:])  # the families as users know them
NAMED: dict[str, OpSpec] = _by_name(TOLD)  # what a program may call; `OPS` are those that its graph has


def has(op: str, trait: Trait) -> bool:
    """Whether an operation of this name declares a trait; structural operations declare none."""
    return op in OPS and trait in OPS[op].traits


__all__ = ["FAMILIES", "NAMED", "OPS", "TOLD", "Trait", "has"]

"""The sizes that the inputs of a model choose, and why others cannot be given. Who takes numbers for them asks here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ogive.compiler.ir.model import Model
from ogive.compiler.sizes import Unknown


def open_sizes(model: Model) -> tuple[Unknown, ...]:
    """The sizes of the inputs in their order, without those that a static of the model has fixed."""
    fixed = {unknown for unknown, _ in model.bindings}
    return tuple(unknown for unknown in model.definition.sizes if unknown not in fixed)


def unfit_names(model: Model, names: Iterable[str], known: Iterable[str] | None = None) -> str:
    """Why inputs of a model have no sizes of these names, or nothing. `known`: what its open sizes are called."""
    known = [unknown.name for unknown in open_sizes(model)] if known is None else list(known)
    other = sorted(set(names) - set(known))
    if not other:
        return ""
    fixed = {unknown.name: number for unknown, number in model.bindings}
    if other[0] in fixed:
        return f"`{other[0]}` is {fixed[other[0]]} in {model.name}, a static that has its number: leave it out"
    return f"{model.name} has no size {', '.join(other)}; it has {', '.join(known) or 'none'}"


def unfit_numbers(model: Model, sizes: Mapping[str, int]) -> str:
    """Why sizes of inputs cannot be these numbers, each alone, or nothing."""
    for unknown in open_sizes(model):
        number = sizes.get(unknown.name, unknown.low or 0)
        if isinstance(number, bool) or not isinstance(number, int) or number < (unknown.low or 0):
            return f"`{unknown.name}` is a size of at least {unknown.low or 0}, not {number}"
    return ""

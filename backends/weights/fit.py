"""Whether a checkpoint fits a model: names and shapes by `plan`, kinds of numbers here; and what is no number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from ogive.backends.weights.kinds import advice, fits, name_of, wanted
from ogive.backends.weights.maps import WeightMap
from ogive.backends.weights.paths import WeightSlot
from ogive.backends.weights.plan import Move, plan
from ogive.backends.weights.source import Source
from ogive.backends.weights.wrappers import plain_names
from ogive.grammar.diagnostics import Diagnostic
from ogive.grammar.source import Chunk, Span

Tensor = TypeVar("Tensor")
SHOWN = 8  # names of weights that a warning lists


def unwrapped(
    mapping: WeightMap, slots: Mapping[str, WeightSlot], source: Source[Tensor]
) -> tuple[Source[Tensor], tuple[Diagnostic, ...]]:
    """A checkpoint without what wrappers put before its names, and a warning that says so, unless the map does."""
    names, left_out = plain_names(mapping, {name: slot.shape for name, slot in slots.items()}, tuple(source))
    if not left_out:
        return source, ()
    told: tuple[Diagnostic, ...] = ()
    if left_out not in mapping.strip:
        text = f"the names of this checkpoint have `{left_out}` before them, which is left out"
        help_ = f'`strip = "{left_out}"` in a map says that it is meant'
        told = (Diagnostic("W0909", text, Span(Chunk("", mapping.chunk.path), 0, 0), help=help_),)
    return source.renamed(names), told


def moves(mapping: WeightMap, slots: Mapping[str, WeightSlot], source: Source[Tensor]) -> tuple[Move, ...]:
    """The moves from a checkpoint. Raises `ArchError` naming all that is missing, left over, misshapen or no number."""
    found = source.found

    def wrong(ours: str, theirs: str) -> str:
        tensor, elem = found[theirs], slots[ours].elem
        if tensor.problem:
            return f"`{theirs}` {tensor.problem}"
        if not tensor.kind or fits(elem, tensor.kind):
            return ""
        return f"`{theirs}` holds {name_of(tensor.kind)}, not {wanted(elem)}: {advice(tensor.kind)}"

    shapes = {name: slot.shape for name, slot in slots.items()}
    return plan(mapping, shapes, {name: tensor.shape for name, tensor in found.items()}, wrong, source.same)


def not_finite(names: Sequence[str], path: str = "<weights>") -> tuple[Diagnostic, ...]:
    """A warning that names the weights in which some number is NaN or infinite."""
    if not names:
        return ()
    listed = ", ".join(f"`{name}`" for name in names[:SHOWN])
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    text = f"NaN or infinite numbers in {listed}{more}"
    help_ = "a run that diverged was saved, or a type was too small for its numbers"
    return (Diagnostic("W0908", text, Span(Chunk("", path), 0, 0), help=help_),)

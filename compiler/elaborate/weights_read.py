"""Weights of instances, read by name: `wte.weight`, `enc.h.lin.weight`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ogive.compiler.elaborate.frame import Frame
from ogive.compiler.elaborate.values import BROKEN, WeightRef
from ogive.compiler.weights import turns_in, weight_types
from ogive.grammar.source import Span


def weight_of(frame: Frame, ref: WeightRef, span: Span) -> Any:
    """`wte.weight`: the weight as a tensor, or the reference where the path is not at a weight yet."""
    instance = ref.instance
    variant = frame.session.variant_of(frame, instance, span)
    if variant is None:
        return BROKEN
    kinds = dict(weight_types(variant.definition, dict(variant.bindings)))
    path = _found(kinds, ref.path)
    if path is not None:
        instance.used = True
        where = f"{instance.path}.{path}"
        frame.read.add(where)
        instance.stored.add(path)
        return frame.builder.weight(where, kinds[path], span, turns_in(path))
    if any(_named(each)[: len(ref.path)] == ref.path for each in kinds):
        return ref
    known = ", ".join(f"`{w.path}`" for w in variant.definition.weights)
    raise frame.fail(
        "E0201",
        f"`{instance.block.name}` has no weight `{'.'.join(ref.path)}`",
        span,
        help=f"its weights: {known}" if known else "it has no weights of its own",
    )


def _found(paths: Iterable[str], wanted: tuple[str, ...]) -> str | None:
    """The path that a name means: turns are left out, or the numbers of unrolled ones written."""
    exact = next((path for path in paths if _named(path) == wanted), None)
    if exact is not None:
        return exact
    loose = [path for path in paths if tuple(part for part in _named(path) if not part.isdigit()) == wanted]
    return loose[0] if len(loose) == 1 else None


def _named(path: str) -> tuple[str, ...]:
    return tuple(part for part in path.split(".") if part != "*")

"""Faults inside blocks that were handed something: said in the sizes of the user, and of a library block at its use."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from ogive.compiler.elaborate.rules.statics import input_sizes
from ogive.compiler.elaborate.state.blocks import BlockRef
from ogive.compiler.elaborate.state.frame import Frame
from ogive.compiler.elaborate.state.specialization import Specialization
from ogive.compiler.sizes import Size, Unknown
from ogive.grammar.diagnostics import Diagnostic, Label
from ogive.grammar.source import Span

_SUM = re.compile(r"[ /%]")


def speaking(ref: BlockRef, holes: Sequence[Unknown], sizes: Sequence[Size]) -> tuple[Unknown, ...]:
    """Unknowns for an elaboration that is only read: those without a name in the source are called what the user calls
    them, and so are all of a library block, whose source the user does not read.
    """
    own = set() if ref.standard else {decl.name for decl in ref.tree.statics} | set(input_sizes(ref.tree))
    return tuple(
        hole if hole.name in own else Unknown(_words(behind), hole.low, hole.kind, hole.introduced)
        for hole, behind in zip(holes, sizes, strict=True)
    )


def _words(of: Size) -> str:
    text = str(of)
    return f"({text})" if _SUM.search(text) and not text.startswith("(") else text


def at_use(frame: Frame, specialization: Specialization, span: Span) -> bool:
    """Whether a library block fails at a use of the user's: then this is the place to say so."""
    inside = frame.block is not None and frame.block.standard
    if specialization.ok or specialization.running or inside or not specialization.ref.standard:
        return False
    for found in _errors(specialization, set()):
        where = f"in `{specialization.ref.name}`, at `{found.span.text}`"
        details = (*found.details, where)
        frame.diagnostics.append(replace(found, span=span, note="", labels=(), details=details, edits=()))
        break
    return True


def of_handed(frame: Frame, specialization: Specialization, span: Span) -> bool:
    """Say at a use what is wrong with what the block was handed; its user may have been handed it too."""
    for axis, found in specialization.handed:
        labels = (Label(found.span, f"looked for in `{specialization.ref.name}`"), *found.labels)
        frame.report(found.code, found.message, span, labels=labels, help=found.help)
        frame.missing_axis(axis)
    return bool(specialization.handed)


def _errors(specialization: Specialization, seen: set[Specialization]) -> Iterator[Diagnostic]:
    seen.add(specialization)
    if not specialization.ref.standard:
        return  # said there
    yield from (found for found in specialization.diagnostics if found.severity == "error")
    for each in specialization.uses:
        if each not in seen:
            yield from _errors(each, seen)

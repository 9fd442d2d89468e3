"""An instance is one block: all its calls use one specialization, whatever optional inputs each of them gives.

An input that one call gives and another leaves out is known only when the model runs. That is seen at the second of
the calls: the block that makes them is then elaborated once more, with what is known of all.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ogive.compiler.elaborate.calls.generic import open_match
from ogive.compiler.elaborate.calls.unify import InputMatch
from ogive.compiler.elaborate.state.allocation import CallSignature, InputPresence
from ogive.compiler.elaborate.state.control import CallSignatureConflict
from ogive.compiler.elaborate.state.frame import Frame
from ogive.compiler.elaborate.state.values import InstanceValue
from ogive.compiler.sizes import Size
from ogive.grammar.source import Span


def agree(frame: Frame, path: str, presence: InputPresence, sizes: dict[str, Size], span: Span) -> None:
    """Note a call. Raises CallSignatureConflict where those before it were elaborated with another presence."""
    known = frame.alloc.calls.get(path)
    if known is None:
        frame.alloc.calls[path] = CallSignature(presence, sizes, span)
        return
    wider = known.joined(presence)
    if wider != known.presence:
        frame.alloc.calls[path] = replace(known, presence=wider, sizes={**sizes, **known.sizes})
        raise CallSignatureConflict(frame.alloc)


def open_to_all(frame: Frame, instance: InstanceValue, given: dict[str, Any], span: Span) -> InputMatch | None:
    """A use of an instance that may give any optional input.

    Raises CallSignatureConflict where its calls did not allow it.
    """
    match = open_match(frame, instance.block, given, span)
    if match is not None and instance.member >= 0:
        agree(frame, instance.path, tuple(each.type.optional for each in instance.block.tree.inputs), match.sizes, span)
    return match

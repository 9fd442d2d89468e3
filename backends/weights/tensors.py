"""Moves carried out on torch tensors, in both directions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from ogive.backends.weights.plan import Move, Piece, Range
from ogive.backends.weights.steps import View
from ogive.grammar.diagnostics import ArchError, Diagnostic
from ogive.grammar.source import Chunk, Span


def forward(moves: Iterable[Move], theirs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Our weights from theirs; a copy is made where axes are merged or parts joined alone."""
    ours = {}
    for move in moves:
        parts = []
        for piece in move.pieces:
            tensor = viewed(theirs[piece.name], piece.before)
            if piece.cut is not None:
                axis, start, stop, _ = piece.cut
                tensor = tensor.narrow(axis, start, stop - start)
            parts.append(viewed(tensor, piece.after))
        ours[move.ours] = viewed(parts[0] if len(parts) == 1 else torch.cat(parts, move.axis), move.after)
    return ours


def viewed(tensor: Tensor, views: Sequence[View]) -> Tensor:
    """A tensor after steps; itself where there is none."""
    for view in views:
        tensor = tensor.reshape(view.before).permute(view.order).reshape(view.after)
    return tensor


def _back(tensor: Tensor, views: Sequence[View]) -> Tensor:
    return viewed(tensor, [view.inverse for view in reversed(views)])


def equal(a: Tensor, b: Tensor) -> bool:
    """Whether two names stand for one tensor."""
    return a is b or (a.shape == b.shape and a.dtype == b.dtype and torch.equal(a, b))


def backward(moves: Iterable[Move], ours: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Their weights from ours: the inverse of `forward`. A tensor that several of ours share must be equal in all."""
    found: dict[str, dict[Range | None, tuple[Piece, Tensor]]] = {}
    for move in moves:
        whole = _back(ours[move.ours], move.after)
        values = torch.split(whole, list(move.sizes), move.axis) if len(move.pieces) > 1 else (whole,)
        for piece, part in zip(move.pieces, values, strict=True):
            value, held = _back(part, piece.after), found.setdefault(piece.name, {})
            if piece.cut in held and not torch.equal(held[piece.cut][1], value):
                text = f"`{piece.name}` is one tensor there, but differs here from `{move.ours}`"
                raise ArchError((Diagnostic("E0823", text, Span(Chunk("", "<weights>"), 0, 0)),))
            held.setdefault(piece.cut, (piece, value))
    return {name: _joined(held) for name, held in found.items()}


def _joined(held: Mapping[Range | None, tuple[Piece, Tensor]]) -> Tensor:
    """A tensor of theirs from its parts, which lie side by side."""
    cuts = sorted(cut for cut in held if cut is not None)
    piece, value = held[cuts[0] if cuts else None]
    whole = torch.cat([held[cut][1] for cut in cuts], cuts[0][0]) if cuts else value
    return _back(whole, piece.before)


def strange(tensors: Mapping[str, Tensor]) -> list[str]:
    """The names of tensors in which some number is NaN or infinite."""
    return [name for name, tensor in tensors.items() if not _finite(tensor)]


def _finite(tensor: Tensor) -> bool:
    if tensor.is_meta or not (tensor.is_floating_point() or tensor.is_complex()):
        return True
    # the sum is quick, and finite unless a number is not, or many are large
    return bool(torch.isfinite(tensor.detach().sum())) or bool(torch.isfinite(tensor.detach()).all())

"""Moves carried out on torch tensors, in both directions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from ogive.backends.weights.plan import Move
from ogive.grammar.diagnostics import ArchError, Diagnostic
from ogive.grammar.source import Chunk, Span


def forward(moves: Iterable[Move], theirs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Our weights from theirs."""
    ours = {}
    for move in moves:
        parts = [theirs[p.name].transpose(-2, -1) if p.transpose else theirs[p.name] for p in move.parts]
        ours[move.ours] = parts[0] if len(parts) == 1 else torch.cat(parts, move.axis)
    return ours


def equal(a: Tensor, b: Tensor) -> bool:
    """Whether two names stand for one tensor."""
    return a is b or (a.shape == b.shape and a.dtype == b.dtype and torch.equal(a, b))


def backward(moves: Iterable[Move], ours: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Their weights from ours: the inverse of `forward`. A tensor that several of ours share must be equal in all."""
    theirs: dict[str, Tensor] = {}
    for move in moves:
        whole = ours[move.ours]
        pieces = torch.split(whole, list(move.sizes), move.axis) if len(move.parts) > 1 else (whole,)
        for part, piece in zip(move.parts, pieces, strict=True):
            value = piece.transpose(-2, -1) if part.transpose else piece
            if part.name in theirs and not torch.equal(theirs[part.name], value):
                text = f"`{part.name}` is one tensor there, but differs here from `{move.ours}`"
                raise ArchError((Diagnostic("E0823", text, Span(Chunk("", "<weights>"), 0, 0)),))
            theirs.setdefault(part.name, value)
    return theirs


def strange(tensors: Mapping[str, Tensor]) -> list[str]:
    """The names of tensors in which some number is NaN or infinite."""
    return [name for name, tensor in tensors.items() if not _finite(tensor)]


def _finite(tensor: Tensor) -> bool:
    if tensor.is_meta or not (tensor.is_floating_point() or tensor.is_complex()):
        return True
    # the sum is quick, and finite unless a number is not, or many are large
    return bool(torch.isfinite(tensor.detach().sum())) or bool(torch.isfinite(tensor.detach()).all())

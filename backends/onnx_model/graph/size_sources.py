"""Which axis of which input tells a size."""

from __future__ import annotations

from ogive.backends.onnx_model.graph.builder import OnnxBuilder
from ogive.compiler.sizes import Size, size


def note_source(builder: OnnxBuilder, name: str, at: int, length: Size) -> None:
    """Note that an axis of a value has this size: a size alone is best, else a multiple of it plus a number."""
    if len(length.unknowns) != 1:
        return
    (unknown,) = length.unknowns
    known = builder.sources.get(unknown)
    if length == size(unknown):
        if known is None or known[2] != length:
            builder.sources[unknown] = (name, at, length)
        return
    linear = all(not m or (len(m) == 1 and m[0][0] is unknown and m[0][1] == 1) for m in length.terms)
    if linear and known is None:
        builder.sources[unknown] = (name, at, length)

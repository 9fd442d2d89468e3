"""What a node may do besides giving values. Who declares it: structures, and the operations of `compiler.ops`."""

from __future__ import annotations

from enum import Flag, auto


class Effect(Flag):
    """Effects of a node; several are joined by `|`."""

    NONE = 0
    DRAWS = auto()  # takes random numbers: always, or while it trains
    WRITES = auto()  # changes a state
    CHECKS = auto()  # may refuse its inputs
    SHOWS = auto()  # hands a value to whoever asks for it by name


ORDERED = Effect.DRAWS | Effect.WRITES  # keep their places among each other
NEEDED = Effect.WRITES | Effect.CHECKS | Effect.SHOWS  # stay where nothing reads a result

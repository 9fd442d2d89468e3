"""Turns that one of two graphs has more of than the other: what a `for` has made, run after run of the same nodes."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass

from ogive.compiler.ir.model import Node

NUMBER = re.compile(r"\d+")
LEAST = 2  # turns that both graphs have, so that the others are more of the same


@dataclass(frozen=True, slots=True)
class ExtraTurns:
    """So many turns of `length` nodes at a place, `stages.2.blocks`."""

    place: str
    length: int
    count: int


def extra_turns(nodes: Sequence[Node], start: int, end: int, key: Callable[[Node], Hashable]) -> ExtraTurns | None:
    """Whether the nodes from `start` to `end` repeat what stands before them, by turns of a loop at one place.

    `key` is equal for nodes that do the same, wherever they stand.
    """
    keys = [key(node) for node in nodes[:end]]
    for length in range(1, end - start + 1):
        if (end - start) % length or start < LEAST * length:
            continue
        if all(keys[at] == keys[at - length] for at in range(start - (LEAST - 1) * length, end)):
            places = {place for node in nodes[start:end] if (place := _place(node.path))}
            own = {place.rsplit(".", 1)[0] for place in places}
            if len(own) == 1 and len(places) == (end - start) // length:
                return ExtraTurns(own.pop(), length, (end - start) // length)
    return None


def slid(
    opcodes: Sequence[tuple[str, int, int, int, int]], old: Sequence[Node], new: Sequence[Node],
    key: Callable[[Node], Hashable],
) -> Iterator[tuple[str, int, int, int, int]]:  # fmt: skip
    """The opcodes; further turns are `turns`, moved so far that they begin behind a whole turn.

    Where a run is inserted, it may as well begin one node later if the node behind it is as the first of it.
    """
    ahead = 0  # how much of what is equal here has been taken already
    for at, (tag, i, j, k, m) in enumerate(opcodes):
        i, k = i + ahead, k + ahead
        ahead = 0
        if tag in ("insert", "delete"):
            nodes, start, end = (new, k, m) if tag == "insert" else (old, i, j)
            room = opcodes[at + 1][2] - opcodes[at + 1][1] if at + 1 < len(opcodes) else 0
            for shift in range(min(room, end - start) + 1):
                if shift and key(nodes[start + shift - 1]) != key(nodes[end + shift - 1]):
                    break
                if extra_turns(nodes, start + shift, end + shift, key) is not None:
                    ahead = shift
                    yield "equal", i, i + shift, k, k + shift
                    yield "turns", i + shift, j + shift, k + shift, m + shift
                    break
            else:
                yield tag, i, j, k, m
                continue
            if ahead or extra_turns(nodes, start, end, key) is not None:
                continue
        yield tag, i, j, k, m


def turns_at(nodes: Sequence[Node], place: str) -> int:
    """How many turns of a loop at a place there are."""
    found = (re.match(rf"{re.escape(place)}\.(\d+)(?=\.|$)", node.path) for node in nodes)
    return len({match[1] for match in found if match})


def starred(path: str) -> str:
    """A place, whatever its numbers are."""
    return NUMBER.sub("#", path)


def _place(path: str) -> str:
    """`stages.2.blocks.6` of `stages.2.blocks.6.body.conv1`: as far as its last number."""
    numbers = list(re.finditer(r"(?<=\.)\d+(?=\.|$)", path))
    return path[: numbers[-1].end()] if numbers else ""

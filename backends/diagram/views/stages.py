"""Stages: what the source has made by one turn of a `for`, by the numbers in the places of its weights.

An operation without weights belongs to the turn it stands in: the source has it once for each turn, so it comes again
and again from one spot, behind or before the operations of its turn that have a place.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ogive.backends.diagram.figure.figure import Op, Section

KEY = re.compile(r"((?:[^.\d*][^.*]*\.)*?[^.*]*)\.(\d+)(?=\.)")


@dataclass(frozen=True, slots=True)
class LoopTurn:
    """A turn of a loop: `stages.2`, and how many blocks are in it."""

    key: str
    blocks: int = 0
    of: str = ""

    @property
    def title(self) -> str:
        """Its place, and the number of its blocks."""
        return f"{self.key}: {self.blocks} {self.of}" if self.blocks > 1 else self.key


def stages(section: Section, prefix: str) -> dict[str, LoopTurn]:
    """The stage of each operation that is in one, where a loop has made two at least."""
    ops = sorted((op for c in section.columns for op in c.ops if op.glyph not in ("copy", "drop")), key=_order)
    keys = [_key(op, prefix) for op in ops]
    roots = Counter(key.rsplit(".", 1)[0] for key in dict.fromkeys(keys) if key)
    keys = [key if key and roots[key.rsplit(".", 1)[0]] > 1 else "" for key in keys]
    if not any(keys):
        return {}
    spots = [op.attr("spot") for op in ops]
    again = Counter(zip(spots, (op.source for op in ops), strict=True))
    placed = [k for k, op in enumerate(ops) if _paths(op)]
    found = list(keys)
    for k, op in enumerate(ops):
        if not _paths(op) and op.bodies == ():
            found[k] = _around(k, keys, spots, placed, again[spots[k], op.source] > 1)
    for k, op in enumerate(ops):
        if op.bodies and not _paths(op):
            found[k] = found[k - 1] if k and found[k - 1] == (found[k + 1] if k + 1 < len(ops) else "") else ""
    inside = {key: _told(key, ops, found, prefix) for key in dict.fromkeys(found) if key}
    return {op.oid: inside[key] for op, key in zip(ops, found, strict=True) if key}


def _around(k: int, keys: Sequence[str], spots: Sequence[str], placed: Sequence[int], again: bool) -> str:
    """The stage of an operation without a place, by those before and behind it that have one."""
    before = max((i for i in placed if i < k), default=None)
    behind = min((i for i in placed if i > k), default=None)
    a = keys[before] if before is not None else ""
    b = keys[behind] if behind is not None else ""
    if a == b:
        return a
    if not again:
        return ""
    if before is not None and a and (spots[before] <= spots[k] or not b):
        return a
    return b


def _told(key: str, ops: Sequence[Op], found: Sequence[str], prefix: str) -> LoopTurn:
    """A stage with the number of blocks in it, where a loop inside of it made them."""
    numbers: dict[str, set[str]] = {}
    for op, stage in zip(ops, found, strict=True):
        for path in _paths(op) if stage == key else ():
            rest = path.removeprefix(f"{prefix}{key}.")
            match = KEY.match(f"{rest}.")
            if match:
                numbers.setdefault(match[1], set()).add(match[2])
    of, count = max(((name, len(each)) for name, each in numbers.items()), key=lambda x: x[1], default=("", 0))
    return LoopTurn(key, count, of)


def _key(op: Op, prefix: str) -> str:
    """`stages.2` of `stages.2.blocks.1.body`; none where its copies are in several stages."""
    keys = {match[0] if (match := KEY.match(path.removeprefix(prefix))) else "" for path in _paths(op)}
    return keys.pop() if len(keys) == 1 else ""


def _paths(op: Op) -> list[str]:
    """The places of the weights of an operation, and of all copies that it stands for."""
    inner = (each for body in op.bodies for each in body.walk())
    return [path for each in (op, *inner) for path in _own_paths(each)]


def _own_paths(op: Op) -> Iterator[str]:
    own = [value for key, value in op.attrs if key == "own"]
    path = op.attr("path")
    if own or path:
        yield from own or [path]
    yield from (value for key, value in op.attrs if key == "weight")


def _order(op: Op) -> int:
    """Where it stands in the source: operations are numbered in that order, loops that were found later by what is in
    them.
    """
    inner = [int(each.oid[1:]) for body in op.bodies for each in body.walk() if each.source]
    return min([int(op.oid[1:]), *inner])

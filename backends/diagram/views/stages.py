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
    before: int | None = None  # how many they were, where that changed

    @property
    def title(self) -> str:
        """Its place, and the number of its blocks."""
        if self.before is not None:
            return f"{self.key}: ×{self.before} → ×{self.blocks} {self.of}"
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
    before: dict[str, set[str]] = {}
    now: dict[str, set[str]] = {}
    gone: Counter[str] = Counter()
    inside = [op for op, stage in zip(ops, found, strict=True) if stage == key]
    for fewer, op in ((int(first.attr("fewer", "0")), each) for first in inside for each in _within(first)):
        came = {change: {v for k, v in op.attrs if k == change} for change in ("added", "removed")}
        for path in _own_paths(op):
            match = KEY.match(f"{path.removeprefix(f'{prefix}{key}.')}.")
            if match:
                gone[match[1]] = max(gone[match[1]], fewer)
                before.setdefault(match[1], set()).update(
                    [match[2]] * (op.change != "added" and path not in came["added"])
                )
                now.setdefault(match[1], set()).update(
                    [match[2]] * (op.change != "removed" and path not in came["removed"])
                )
    of = max(now, key=lambda name: len(now[name]), default="")
    were, are = len(before.get(of, ())) + gone[of], len(now.get(of, ()))
    return LoopTurn(key, are, of, were if were != are else None)


def _key(op: Op, prefix: str) -> str:
    """`stages.2` of `stages.2.blocks.1.body`; none where its copies are in several stages."""
    keys = {match[0] if (match := KEY.match(path.removeprefix(prefix))) else "" for path in _paths(op)}
    return keys.pop() if len(keys) == 1 else ""


def _paths(op: Op) -> list[str]:
    """The places of the weights of an operation, and of all copies that it stands for."""
    return [path for each in _within(op) for path in _own_paths(each)]


def _within(op: Op) -> Iterator[Op]:
    """The operation and all that is in it."""
    yield op
    for body in op.bodies:
        yield from body.walk()


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

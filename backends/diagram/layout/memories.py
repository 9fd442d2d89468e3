"""What crosses the end of a row: one tensor goes on in the next row, others are kept under a name until they are read.

A name stands for a tensor and all its copies: it is kept once and read in as many rows as need it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from ogive.backends.diagram.figure.figure import Column, Link, Op, Section


@dataclass(frozen=True, slots=True)
class RowPart:
    """One row of a section; `kept` are tensors that end here under a name, `read` those that begin by it.

    Those `across` go on beside the row, at its end or from its start.
    """

    section: Section
    kept: Mapping[str, str] = field(default_factory=dict)
    read: Mapping[str, str] = field(default_factory=dict)
    across: frozenset[str] = frozenset()


@dataclass(slots=True)
class TensorLife:
    """The boundaries at which a tensor is alive, and the column that reads it: none where it is a result."""

    first: int
    last: int
    user: int | None = None


def lives_of(section: Section) -> dict[str, TensorLife]:
    """From where to where each tensor is alive."""
    found: dict[str, TensorLife] = {}
    for at, boundary in enumerate(section.boundaries):
        for tensor in boundary:
            found.setdefault(tensor.tid, TensorLife(at, at)).last = at
    for at, column in enumerate(section.columns):
        for op in column.ops:
            for tid in op.inputs:
                found[tid].user = at
    return found


def origins(section: Section) -> dict[str, str]:
    """For each copy, the tensor of which it is one; for others themselves."""
    found = {tensor.tid: tensor.tid for tensor in section.boundaries[0]}
    for column in section.columns:
        for op in column.ops:
            for tid in op.outputs:
                found[tid] = found.get(op.inputs[0], op.inputs[0]) if op.glyph == "copy" else tid
    return found


def parts(section: Section, cuts: Sequence[int], across: frozenset[str] = frozenset()) -> list[RowPart]:
    """The section, cut at boundaries; the first begins at 0 and the last cut is the end. Those `across` get no name."""
    copies = [op for column in section.columns for op in column.ops if op.glyph == "copy"]
    later = frozenset(tid for op in copies for tid in op.outputs[1:])
    made = _Cutting(section, lives_of(section), origins(section), later, {op.inputs[0]: op.outputs for op in copies},
                    across)  # fmt: skip
    after = {b: c for b, c in pairwise(cuts[1:])}
    return [made.row(a, b, after.get(b, b)) for a, b in pairwise(cuts)]


@dataclass(slots=True)
class _Cutting:
    section: Section
    lives: dict[str, TensorLife]
    origin: dict[str, str]
    later: frozenset[str]  # copies for which another copy stands in the place of the tensor
    copies: dict[str, tuple[str, ...]]
    across: frozenset[str]
    named: set[str] = field(default_factory=set)
    main: str = ""  # the tensor that goes on in the row that comes

    def row(self, a: int, b: int, c: int) -> RowPart:
        """The row from boundary to boundary; the next one ends at `c`."""
        ends = b == len(self.section.columns)
        entered, self.main = self.main, "" if ends else self._next(a, b, c)
        idle = self._idle(a, b, ends)
        kept: dict[str, str] = {}
        read: dict[str, str] = {}
        alive: dict[str, range] = {}
        direct = self._direct(a, b, entered)
        fresh = {tid for op in direct for tid in op.outputs}
        gone = {tid for op in idle for tid in op.outputs} - fresh
        early = {tid for op in direct for tid in op.inputs if self._early(tid, a, b)} - fresh
        waits = {tid for op in idle for tid in op.inputs} | early
        gone |= {tid for op in direct for tid in op.inputs} - early
        for tid, life in self.lives.items():
            if life.last < a or life.first > b or tid in gone:
                continue
            born = (life.first > a or a == 0) and tid not in fresh
            goes_on = not ends and (life.last >= b or tid in waits)
            here = born or tid == entered
            held = range(max(life.first, a), min(life.last, b) + 1)
            if tid in self.across:
                alive |= {tid: held} if born or not goes_on else {}
            elif here and (not goes_on or tid == self.main):
                alive[tid] = held
            elif here and born and self.origin[tid] in self.named and tid in self.later:
                gone.add(tid)
            elif here:
                self.named.add(self.origin[tid])
                kept[tid] = self.origin[tid]
                alive[tid] = range(held.start, held.start + 1)
            elif not goes_on:
                read[tid] = self.origin[tid]
                alive[tid] = range(held.stop - 1, held.stop)
        return RowPart(self._cut(a, b, alive, gone | fresh), kept, read, self.across)

    def _idle(self, a: int, b: int, ends: bool) -> list[Op]:
        """Copies that no operation of this row needs: the next row copies what it reads."""
        found: list[Op] = []
        waits: set[str] = set()
        for at in range(b - 1, a - 1, -1) if not ends else ():
            for op in self.section.columns[at].ops:
                later = all(self.lives[tid].last >= b or tid in waits for tid in op.outputs)
                if op.glyph == "copy" and later and self.main not in op.outputs:
                    found.append(op)
                    waits.update(op.inputs)
        return found

    def _direct(self, a: int, b: int, entered: str) -> list[Op]:
        """Copies of what is read by a name: each operation reads it by that name itself."""
        found: list[Op] = []
        fresh: set[str] = set()
        for at in range(a, b):
            for op in self.section.columns[at].ops:
                if op.glyph != "copy":
                    continue
                tid = op.inputs[0]
                read = self.lives[tid].first <= a and a and tid != entered
                if tid in fresh or read or self._early(tid, a, b):
                    found.append(op)
                    fresh.update(op.outputs)
        return found

    def _early(self, tid: str, a: int, b: int) -> bool:
        """Whether a copy that is born here is copied again, also for later rows: it gets its name at once."""
        born = self.lives[tid].first > a or a == 0
        return tid in self.later and born and self.lives[tid].last < b and self._crosses(tid, b)

    def _crosses(self, tid: str, b: int) -> bool:
        if self.lives[tid].last >= b:
            return b < len(self.section.columns)
        return any(self._crosses(copy, b) for copy in self.copies.get(tid, ()))

    def _next(self, a: int, b: int, c: int) -> str:
        """Of the tensors of this row that live on, the upper one that the next row reads, else the one read first."""
        here = [t.tid for t in self.section.boundaries[b] if t.tid not in self.across]
        fresh = {tid for op in self._direct(a, b, self.main) for tid in op.outputs}
        born = (tid for tid in here if self.lives[tid].first > a or a == 0 or tid == self.main)
        here = [tid for tid in born if tid not in fresh]
        end = len(self.section.columns)
        users = {tid: end if (user := self.lives[tid].user) is None else user for tid in here}
        return next((tid for tid in here if users[tid] < c), min(here, key=users.__getitem__, default=""))

    def _cut(self, a: int, b: int, alive: Mapping[str, range], gone: set[str]) -> Section:
        boundaries = tuple(
            tuple(t for t in self.section.boundaries[at] if t.tid in alive and at in alive[t.tid])
            for at in range(a, b + 1)
        )
        columns = self.section.columns[a:b]
        if gone:
            columns = tuple(Column(tuple(_without(op, gone) for op in c.ops if _stays(op, gone))) for c in columns)
        return replace(self.section, boundaries=boundaries, columns=columns)


def _stays(op: Op, gone: set[str]) -> bool:
    return op.glyph != "copy" or not gone.issuperset(op.outputs)


def _without(op: Op, gone: set[str]) -> Op:
    """A copy without those that are gone."""
    if not gone.intersection(op.outputs):
        return op
    outputs = tuple(tid for tid in op.outputs if tid not in gone)
    links = []
    for link in op.links:
        right = tuple(sid for sid in link.right if sid.rsplit(".", 1)[0] in outputs)
        links.append(Link("through" if len(right) == 1 else link.kind, link.left, right))
    return replace(op, outputs=outputs, links=tuple(links))

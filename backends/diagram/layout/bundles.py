"""Bundles: a copy that waits runs as one thick line, from dots on its wires to dots, or to wires in their order.

A tensor under a name (see `memories`) is one as well. What would change the order of the wires is no bundle.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise

from ogive.backends.diagram.figure.figure import DrawnTensor, Op, Section
from ogive.backends.diagram.figure.geometry import Dot, Path, line
from ogive.backends.diagram.layout.placement import Gap, OpDrawing, Placed, ThickBar

LEAST = 3  # wires of a bundle
NAME = 30.0  # room for the name of a memory
STUB = 12.0  # of the line before it
LEAD = 7.0  # from a bar to glyphs
TRACK = 5.5  # from bar to bar


def bundled(
    section: Section, pieces: Mapping[str, OpDrawing], kept: Collection[str], read: Collection[str]
) -> frozenset[str]:
    """The tensors of a section that are drawn as one line."""
    made = _Bundling(section, pieces, kept)
    found: set[str] = set()
    for at, boundary in enumerate(section.boundaries):
        for tensor in boundary:
            if tensor.tid not in found and made.first[tensor.tid] == at and _chosen(made, tensor, read, found):
                found.add(tensor.tid)
    return frozenset(found)


def _chosen(made: _Bundling, tensor: DrawnTensor, read: Collection[str], found: set[str]) -> bool:
    maker, tid = made.makers.get(tensor.tid), tensor.tid
    if tid in read and maker is None:
        return made.fits(tid)
    if maker is None or maker.glyph != "copy":
        return False
    if maker.inputs[0] in found:
        return True
    waits = made.last[tid] > made.first[tid] and len(tensor.slots) >= LEAST
    return tid != maker.outputs[0] and (waits or tid in made.kept) and made.fits(tid)


@dataclass(slots=True)
class _Bundling:
    section: Section
    pieces: Mapping[str, OpDrawing]
    kept: Collection[str]
    makers: dict[str, Op] = field(default_factory=dict)
    users: dict[str, Op] = field(default_factory=dict)
    tensors: dict[str, DrawnTensor] = field(default_factory=dict)
    first: dict[str, int] = field(default_factory=dict)
    last: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for at, boundary in enumerate(self.section.boundaries):
            for tensor in boundary:
                self.tensors[tensor.tid] = tensor
                self.first.setdefault(tensor.tid, at)
                self.last[tensor.tid] = at
        for column in self.section.columns:
            for op in column.ops:
                self.makers |= dict.fromkeys(op.outputs, op)
                self.users |= dict.fromkeys(op.inputs, op)

    def fits(self, tid: str) -> bool:
        """Whether its wires arrive in their order where it is read."""
        user = self.users.get(tid)
        if user is None:
            return tid in self.kept
        if user.glyph == "copy":
            return all(map(self.fits, user.outputs))
        ports = self.pieces[user.oid].left
        heights = [ports[slot.sid] for slot in self.tensors[tid].slots if slot.sid in ports]
        return len(heights) == len(self.tensors[tid].slots) and all(a < b for a, b in pairwise(heights))


def copied(op: Op, tensors: Mapping[str, DrawnTensor]) -> OpDrawing:
    """A dot where a bundle goes two ways."""
    made = OpDrawing(8, 0, {}, {})
    made.left |= {slot.sid: 0.0 for tid in op.inputs for slot in tensors[tid].slots}
    made.right |= {slot.sid: 0.0 for tid in op.outputs for slot in tensors[tid].slots}
    wide = max(len(tensors[tid].slots) for tid in op.inputs) > 1
    made.items.append(Path(line((0, 0), (8, 0)), "bundle" if wide else "wire"))
    if len(op.outputs) > 1:
        made.items.append(Dot(8, 0, 3.2 if wide else 2.6))
    return made


def bars(placed: Placed, at: int, after: bool) -> list[ThickBar]:
    """The bars of the bundles that come out of a column, or go into it, each on a track of its own where they meet."""
    boundary = placed.section.boundaries[at + 1 if after else at]
    bundles = {t.tid: t for t in boundary if t.tid in placed.bundles}
    found: list[ThickBar] = []
    for op in placed.section.columns[at].ops if bundles else ():
        made, top = placed.pieces[op.oid], placed.heights.ops[op.oid]
        ends = made.right if after else made.left
        meeting = {
            sid for link in op.links if link.kind in ("join", "split") for sid in (link.right if after else link.left)
        }
        for tid in op.outputs if after else op.inputs:
            if tid not in bundles:
                continue
            ports = [(top + ends[slot.sid], slot.sid in meeting) for slot in bundles[tid].slots]
            if ports[-1][0] - ports[0][0] > 1:
                dots = tuple(y for y, meets in ports if meets)
                found.append(ThickBar(tid, tuple(y for y, _ in ports), dots, placed.heights.tensors[tid]))
    return list(_tracked(found))


def _tracked(found: list[ThickBar]) -> Iterator[ThickBar]:
    taken: list[ThickBar] = []
    for bar in found:
        (low, high), track = bar.reach, 0
        while any(t.track == track and t.reach[0] <= high and low <= t.reach[1] and not _same(t, bar) for t in taken):
            track += 1
        taken.append(replace(bar, track=track))
        yield taken[-1]


def _same(a: ThickBar, b: ThickBar) -> bool:
    """Copies of one tensor come from the same dots."""
    return a.ports == b.ports == a.dots == b.dots


def room(found: list[ThickBar], after: bool) -> float:
    """What bars need beside the bends."""
    if not found:
        return 0.0
    lead = LEAD if not after and any(bar.dots != bar.ports for bar in found) else 0.0
    return lead + TRACK * max(bar.track for bar in found)


def reach(gap: Gap, bar: ThickBar, after: bool) -> float:
    """Where a bar stands."""
    if after:
        return gap.start + TRACK * bar.track
    lead = LEAD if any(each.dots != each.ports for each in gap.closed) else 0.0
    return gap.end - lead - TRACK * bar.track


def named_width(placed: Placed, tensor: DrawnTensor) -> float:
    """Room for the name of a memory and the line that leads to it."""
    return NAME + STUB + LEAD if tensor.tid in placed.kept or tensor.tid in placed.read else 0.0

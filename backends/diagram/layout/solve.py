"""Heights: every tensor and every operation gets one, so that nothing overlaps and most wires run straight.

An operation, its first operand and its first result form a thread and move as one. Threads stand in one order from top
to bottom; a longest path gives their heights.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

from ogive.backends.diagram.figure.figure import DrawnTensor, Op, Section
from ogive.backends.diagram.figure.theme import Theme
from ogive.backends.diagram.layout.placement import Heights, OpDrawing

SWEEPS = 4


@dataclass(slots=True)
class _LayoutSolver:
    section: Section
    pieces: dict[str, OpDrawing]
    theme: Theme
    above: dict[str, float]  # room that a tensor needs over its first wire
    bundles: frozenset[str]  # tensors that are one line
    thread: dict[str, int] = field(default_factory=dict)
    offset: dict[str, float] = field(default_factory=dict)
    order: list[int] = field(default_factory=list)
    count: int = 0

    def new(self, name: str, offset: float = 0.0) -> int:
        """A thread that begins with this tensor or operation."""
        self.count += 1
        self.thread[name], self.offset[name] = self.count, offset
        return self.count

    def pitch(self, tensor: DrawnTensor) -> float:
        """From wire to wire."""
        return 0.0 if tensor.tid in self.bundles else self.theme.pitch

    def shift(self, tensor: DrawnTensor, ports: dict[str, float]) -> float:
        """How far above a tensor the operation stands so that most of the tensor's wires are straight."""
        pitch = self.pitch(tensor)
        shifts = [i * pitch - ports[slot.sid] for i, slot in enumerate(tensor.slots) if slot.sid in ports]
        if not shifts or tensor.tid in self.bundles:
            return min(shifts, default=0.0)  # a bundle stands where its last wire arrives
        counted = Counter(round(s, 3) for s in shifts)
        best = max(counted.values())
        return next(s for s in shifts if counted[round(s, 3)] == best)


def heights(
    section: Section, pieces: dict[str, OpDrawing], theme: Theme, above: dict[str, float] | None = None,
    bundles: frozenset[str] = frozenset(),
) -> Heights:  # fmt: skip
    """Heights from 0 downwards."""
    solver = _LayoutSolver(section, pieces, theme, above or {}, bundles)
    _threads(solver)
    at = _solve(solver, _slices(solver))
    tensors = {t.tid: at[solver.thread[t.tid]] + solver.offset[t.tid] for b in section.boundaries for t in b}
    ops = {op.oid: at[solver.thread[op.oid]] + solver.offset[op.oid] for c in section.columns for op in c.ops}
    return Heights(tensors, ops)


def _threads(solver: _LayoutSolver) -> None:
    for tensor in solver.section.boundaries[0]:
        solver.order.append(solver.new(tensor.tid))
    for at, column in enumerate(solver.section.columns):
        left = {t.tid: t for t in solver.section.boundaries[at]}
        rank = {tid: i for i, tid in enumerate(left)}
        right = {t.tid: t for t in solver.section.boundaries[at + 1]}
        for op in column.ops:
            _op(solver, op, left, rank, right)
        for tid in right:
            if tid not in solver.thread:  # read from a name in this row
                solver.new(tid)
        _insert(solver, solver.section.boundaries[at + 1], column.ops)


def _op(
    solver: _LayoutSolver, op: Op, left: dict[str, DrawnTensor], rank: dict[str, int], right: dict[str, DrawnTensor]
) -> None:
    piece = solver.pieces[op.oid]
    if op.inputs:
        first = left[min(op.inputs, key=rank.__getitem__)]
        shift = solver.shift(first, piece.left)
        solver.thread[op.oid] = solver.thread[first.tid]
        solver.offset[op.oid] = solver.offset[first.tid] + shift
    else:
        solver.new(op.oid)
    for k, tid in enumerate(op.outputs):
        shift = solver.shift(right[tid], piece.right)
        if k == 0:
            solver.thread[tid], solver.offset[tid] = solver.thread[op.oid], solver.offset[op.oid] - shift
        else:
            solver.new(tid)


def _insert(solver: _LayoutSolver, boundary: tuple[DrawnTensor, ...], ops: tuple[Op, ...]) -> None:
    """New threads come under what stands over them."""
    known = set(solver.order)
    before: int | None = None
    for tensor in boundary:
        thread = solver.thread[tensor.tid]
        if thread not in known:
            known.add(thread)
            solver.order.insert(0 if before is None else solver.order.index(before) + 1, thread)
        before = thread
    for op in ops:
        if solver.thread[op.oid] not in known:
            solver.order.append(solver.thread[op.oid])


Kind = Literal["tensor", "operation", "bundle"]
Slice = list[tuple[int, float, float, Kind]]  # thread, top, bottom (from the thread's height), what it is
APART: dict[tuple[Kind, Kind], float] = {  # from what is above to what is below, but for two tensors
    ("tensor", "operation"): 10.0, ("operation", "tensor"): 28.0, ("operation", "operation"): 8.0,
    ("tensor", "bundle"): 18.0, ("bundle", "bundle"): 16.0, ("operation", "bundle"): 12.0,
    ("bundle", "operation"): 10.0,
}  # fmt: skip


def _slices(solver: _LayoutSolver) -> list[Slice]:
    """What stands over what, in each boundary and in each column."""
    found: list[Slice] = []

    def lane(tensor: DrawnTensor) -> tuple[int, float, float, Kind]:
        top = solver.offset[tensor.tid]
        bottom = top + max(len(tensor.slots) - 1, 0) * solver.pitch(tensor)
        kind: Kind = "bundle" if tensor.tid in solver.bundles else "tensor"
        return solver.thread[tensor.tid], top - solver.above.get(tensor.tid, 0), bottom, kind

    for at, boundary in enumerate(solver.section.boundaries):
        found.append([lane(t) for t in boundary])
        if at == len(solver.section.columns):
            break
        ops = solver.section.columns[at].ops
        taken = {tid for op in ops for tid in op.inputs}
        items = [lane(t) for t in boundary if t.tid not in taken]
        for op in ops:
            top = solver.offset[op.oid]
            items.append((solver.thread[op.oid], top, top + solver.pieces[op.oid].height, "operation"))
        found.append(items)
    rank = {thread: i for i, thread in enumerate(solver.order)}
    for items in found:
        items.sort(key=lambda item: rank[item[0]])
    return found


def _solve(solver: _LayoutSolver, slices: list[Slice]) -> dict[int, float]:
    theme = solver.theme
    least: dict[int, dict[int, float]] = {}
    at: dict[int, float] = dict.fromkeys(solver.order, 0.0)
    for items in slices:
        for thread, top, _, kind in items[:1]:
            at[thread] = max(at[thread], -top if kind == "operation" else 16.0 - top)
        for (a, _, bottom, one), (b, top, _, other) in pairwise(items):
            need = bottom + APART.get((one, other), theme.between) - top
            before = least.setdefault(b, {})
            before[a] = max(before.get(a, need), need)
    for thread in solver.order:
        for upper, room in least.get(thread, {}).items():
            at[thread] = max(at[thread], at[upper] + room)
    _settle(solver, slices, least, at)
    return at


def _settle(
    solver: _LayoutSolver, slices: list[Slice], least: dict[int, dict[int, float]], at: dict[int, float]
) -> None:
    """Let threads sink to where their wires go, as far as what stands under them leaves room."""
    under: dict[int, list[tuple[int, float]]] = {}
    for thread, uppers in least.items():
        for upper, room in uppers.items():
            under.setdefault(upper, []).append((thread, room))
    deep: dict[int, float] = {}
    for items in slices:
        for thread, _, bottom, _ in items:
            deep[thread] = max(deep.get(thread, bottom), bottom)
    floor = max((at[thread] + bottom for thread, bottom in deep.items()), default=0.0)
    wishes = _wishes(solver)
    for _ in range(SWEEPS):
        for thread in reversed(solver.order):
            pulls = sorted(at[other] + shift for other, shift in wishes.get(thread, ()))
            if not pulls:
                continue
            most = min((at[lower] - room for lower, room in under.get(thread, ())), default=floor - deep.get(thread, 0))
            at[thread] = max(at[thread], min(pulls[(len(pulls) - 1) // 2], most))


def _wishes(solver: _LayoutSolver) -> dict[int, list[tuple[int, float]]]:
    """For each thread, others and how far under them it would stand so that the wires between them are straight."""
    found: dict[int, list[tuple[int, float]]] = {}
    for at, column in enumerate(solver.section.columns):
        for op in column.ops:
            piece = solver.pieces[op.oid]
            for tids, ports, side in ((op.inputs, piece.left, at), (op.outputs, piece.right, at + 1)):
                tensors = {t.tid: t for t in solver.section.boundaries[side]}
                for tid in tids:
                    a, b = solver.thread[tid], solver.thread[op.oid]
                    if a == b or not tensors[tid].slots:
                        continue
                    shift = solver.offset[op.oid] - solver.shift(tensors[tid], ports)
                    shift -= solver.offset[tid]
                    found.setdefault(a, []).append((b, shift))
                    found.setdefault(b, []).append((a, -shift))
    return found

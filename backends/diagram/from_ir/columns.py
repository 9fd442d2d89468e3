"""Steps in columns: levels, copies, and one order of tensors from top to bottom that never changes.

What an operation makes takes the place of its first operand, so tensors that live on never cross. A copy that is kept
for later runs below the one that is used now.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from ogive.backends.diagram.figure.figure import Column, DrawnTensor, Link, Op, Section, WireSlot
from ogive.backends.diagram.figure.labels import lowered
from ogive.backends.diagram.from_ir.steps import DrawnStep
from ogive.backends.diagram.from_ir.wires import Classes, Wires


class OperationNames(Protocol):
    """Gives names to the diagram's own operations."""

    def number(self) -> str:
        """A new name."""


@dataclass(slots=True)
class _Lane:
    """A tensor that is alive, and who will read it: (step, operand); the step past the last is the end."""

    wires: Wires
    uses: list[tuple[int, int]]


def arrange(
    inputs: Sequence[Wires],
    steps: Sequence[DrawnStep],
    outputs: Sequence[str],
    classes: Classes,
    numbers: OperationNames,
) -> Section:
    """The steps in columns, between the inputs and the outputs."""
    return _Arrangement(list(steps), list(outputs), classes, numbers, inputs).section()


def levels(steps: Sequence[DrawnStep]) -> list[int]:
    """As early as possible; what depends on no input as late as possible."""
    maker = {w.tid: i for i, step in enumerate(steps) for w in step.outs}
    level = [0] * len(steps)
    rooted = [False] * len(steps)
    for i, step in enumerate(steps):
        before = [maker[r] for r in step.reads if r in maker]
        rooted[i] = any(r not in maker for r in step.reads) or any(rooted[b] for b in before)
        level[i] = max((level[b] + 1 for b in before), default=0)
        if any(rooted[b] for b in before):
            level[i] = max(level[b] + 1 for b in before)
    _late(steps, maker, level, rooted)
    least = min(level, default=0)
    return [n - least for n in level]


def _late(steps: Sequence[DrawnStep], maker: dict[str, int], level: list[int], rooted: list[bool]) -> None:
    first: dict[int, int] = {}
    for i in reversed(range(len(steps))):
        if not rooted[i] and i in first:
            level[i] = first[i] - 1
        for read in steps[i].reads:
            if read in maker:
                first[maker[read]] = min(first.get(maker[read], level[i]), level[i])


@dataclass(slots=True)
class _Arrangement:
    steps: list[DrawnStep]
    outputs: list[str]
    classes: Classes
    numbers: OperationNames
    inputs: Sequence[Wires]
    copies: int = 0

    def section(self) -> Section:
        level = levels(self.steps)
        end = max(level, default=-1) + 1
        level.append(end)
        uses = self._uses()
        lanes = [_Lane(w, uses.get(w.tid, [])) for w in self.inputs]
        boundaries, columns = [_boundary(lanes)], []
        for at in range(end + 1):
            lanes, copied = self._copy(lanes, at, level)
            here = [i for i, n in enumerate(level[:-1]) if n == at]
            lanes_after, made = self._run(lanes, here, uses, level)
            for ops, after in ((copied, lanes), (made, lanes_after)):
                if ops:
                    columns.append(Column(tuple(ops)))
                    boundaries.append(_boundary(after))
            lanes = lanes_after
        ends = {k: lane.wires.tid for lane in lanes for i, k in lane.uses if i == len(self.steps)}
        return Section(tuple(boundaries), tuple(columns), outputs=tuple(ends[k] for k in sorted(ends)))

    def _uses(self) -> dict[str, list[tuple[int, int]]]:
        found: dict[str, list[tuple[int, int]]] = {}
        for i, step in enumerate(self.steps):
            for k, value in enumerate(step.reads):
                found.setdefault(value, []).append((i, k))
        for k, value in enumerate(self.outputs):
            found.setdefault(value, []).append((len(self.steps), k))
        return found

    def _copy(self, lanes: list[_Lane], at: int, level: list[int]) -> tuple[list[_Lane], list[Op]]:
        """Copies for the operations of a level that share a tensor, or leave it to others; dots for unread tensors."""
        after: list[_Lane] = []
        ops: list[Op] = []
        for lane in lanes:
            now = [u for u in lane.uses if level[u[0]] == at]
            later = [u for u in lane.uses if level[u[0]] > at]
            parts = [[u] for u in now] + ([later] if later else [])
            if not lane.uses:
                ops.append(self._drop(lane.wires))
            elif now and len(parts) > 1:
                made = [self._twin(lane.wires, part) for part in parts]
                after += made
                ops.append(self._copied(lane.wires, [m.wires for m in made]))
            else:
                after.append(lane)
        return after, ops

    def _twin(self, wires: Wires, uses: list[tuple[int, int]]) -> _Lane:
        self.copies += 1
        twin = replace(wires, tid=f"{wires.tid}'{self.copies}")
        for a, b in zip(wires.all, twin.all, strict=True):
            self.classes.unite(a, b)
        return _Lane(twin, uses)

    def _copied(self, wires: Wires, twins: list[Wires]) -> Op:
        rows = zip(wires.all, zip(*(t.all for t in twins), strict=True), strict=True)
        links = tuple(Link("split", (sid,), ends) for sid, ends in rows)
        return Op(self.numbers.number(), "copy", "", (wires.tid,), tuple(t.tid for t in twins), links)

    def _drop(self, wires: Wires) -> Op:
        links = tuple(Link("drop", (sid,), ()) for sid in wires.all)
        return Op(self.numbers.number(), "drop", "", (wires.tid,), (), links)

    def _run(
        self, lanes: list[_Lane], here: list[int], uses: dict[str, list[tuple[int, int]]], level: list[int]
    ) -> tuple[list[_Lane], list[Op]]:
        """The operations of one level, top to bottom by their first operand."""
        place = {use: at for at, lane in enumerate(lanes) for use in lane.uses if level[use[0]] == level[here[0]]} \
            if here else {}  # fmt: skip
        slots: list[list[_Lane]] = [[lane] for lane in lanes]
        below: dict[int, list[_Lane]] = {}
        ops: list[tuple[float, Op]] = []
        for i in here:
            step = self.steps[i]
            taken = [place[(i, k)] for k in range(len(step.reads))]
            made = [_Lane(w, uses.get(w.tid, [])) for w in step.outs]
            at = min(taken) if taken else self._beside(i, lanes)
            for each in taken:
                slots[each] = []
            if taken:
                slots[at] = made
            else:
                below.setdefault(at, []).extend(made)
            names = {w.tid: lanes[t].wires.tid for w, t in zip(step.ins, taken, strict=True)}
            ops.append((at + (0 if taken else 0.5), _told(_renamed(step.op, names), taken)))
        after: list[_Lane] = list(below.get(-1, []))
        for at, slot in enumerate(slots):
            after += slot + below.get(at, [])
        return after, [op for _, op in sorted(ops, key=lambda entry: entry[0])]

    def _beside(self, i: int, lanes: list[_Lane]) -> int:
        """A tensor from nothing is introduced under the one that it will meet."""
        alive = {use: at for at, lane in enumerate(lanes) for use in lane.uses}
        maker = {w.tid: s for s, step in enumerate(self.steps) for w in step.outs}
        seen, value = set(), self.steps[i].outs[0].tid if self.steps[i].outs else ""
        while value and value not in seen:
            seen.add(value)
            user = next((s for s, step in enumerate(self.steps) if value in step.reads), None)
            if user is None:
                break
            for k, other in enumerate(self.steps[user].reads):
                if other != value and (found := self._alive(user, k, alive, maker)) is not None:
                    # what a loop carries stands before what it steps through
                    first = self.steps[user].op.bodies and self.steps[user].reads.index(value) < k
                    return found - 1 if first else found
            value = self.steps[user].outs[0].tid if self.steps[user].outs else ""
        return len(lanes) - 1

    def _alive(self, user: int, k: int, alive: dict[tuple[int, int], int], maker: dict[str, int]) -> int | None:
        seen: set[tuple[int, int]] = set()
        use = (user, k)
        while use not in alive:
            made_by = maker.get(self.steps[use[0]].reads[use[1]])
            if made_by is None or not self.steps[made_by].reads or use in seen:
                return None
            seen.add(use)
            use = (made_by, 0)
        return alive[use]


def _renamed(op: Op, names: dict[str, str]) -> Op:
    """The operation with the wires of the tensors that stand before it, instead of those of its readings."""

    def at(sid: str) -> str:
        tid, place = sid.rsplit(".", 1)
        return f"{names[tid]}.{place}" if tid in names else sid

    links = tuple(replace(link, left=tuple(map(at, link.left))) for link in op.links)
    enter = tuple((at(a), b) for a, b in op.enter)
    return replace(op, inputs=tuple(names[t] for t in op.inputs), links=links, enter=enter)


def _told(op: Op, places: Sequence[int]) -> Op:
    """Operands are read from top to bottom; where they come in another order, the operation says in which."""
    if not op.operands or list(places) == sorted(places):
        return op
    order = sorted(places)
    parts = (f"{part}·{lowered(order.index(at) + 1)}" for part, at in zip(op.operands, places, strict=False))
    text = "".join(parts) + "".join(op.operands[len(places) :])
    return replace(op, above=text) if op.above or op.glyph == "wires" else replace(op, text=text)


def _boundary(lanes: Iterable[_Lane]) -> tuple[DrawnTensor, ...]:
    return tuple(_tensor(lane.wires) for lane in lanes)


def _tensor(wires: Wires) -> DrawnTensor:
    """Labels are raw here: the label of the axis, or its size; the finished figure chooses among them."""
    slots = []
    for sid, axis in zip(wires.axes, wires.type.axes, strict=True):
        role = "pack" if axis.pack is not None else "axis"
        label = axis.label if axis.label and "." not in axis.label else ""  # not those of the axes in a pack
        slots.append(WireSlot(sid, sid, label, str(axis), role))  # type: ignore[arg-type]
    if wires.dtype:
        elem = "" if wires.type.elem == "float" else wires.type.elem
        slots.append(WireSlot(wires.dtype, wires.dtype, elem, "", "dtype"))
    return DrawnTensor(wires.tid, tuple(slots), wires.name, wires.type.elem)

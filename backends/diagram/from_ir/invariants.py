"""What must hold of a figure: every wire in exactly one link, lifetimes without gaps, bodies that fit their place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from ogive.backends.diagram.figure.figure import ARITY, DrawnTensor, Figure, Op, Section


def violations(figure: Figure) -> list[str]:
    """What breaks the law, in words; nothing where it holds."""
    found = [text for section in figure.sections for text in section_violations(section)]
    for before, after in zip(figure.sections, figure.sections[1:], strict=False):
        if not after.title and [t.tid for t in before.boundaries[-1]] != [t.tid for t in after.boundaries[0]]:
            found.append(f"{figure.name}: a wrapped row does not go on where the last one ended")
    return found


def section_violations(section: Section) -> list[str]:
    """The violations of one section and of the bodies in it."""
    found: list[str] = []
    if len(section.boundaries) != len(section.columns) + 1:
        found.append("a column without its two boundaries")
    for boundary in section.boundaries:
        found += _repeated("wire", (slot.sid for tensor in boundary for slot in tensor.slots))
    for at, column in enumerate(section.columns):
        found += list(_column(section.boundaries[at], column.ops, section.boundaries[at + 1]))
        for op in column.ops:
            for body in op.bodies:
                found += section_violations(body)
            found += _ports(op)
    return found + _gaps(section)


def _column(left: tuple[DrawnTensor, ...], ops: tuple[Op, ...], right: tuple[DrawnTensor, ...]) -> Iterator[str]:
    before, after = {t.tid: t for t in left}, {t.tid: t for t in right}
    consumed = [tid for op in ops for tid in op.inputs]
    made = [tid for op in ops for tid in op.outputs]
    yield from _repeated("consumed tensor", consumed)
    yield from _repeated("tensor", made)
    if set(consumed) - before.keys() or set(made) - after.keys():
        yield f"an operation reads or makes what is not there: {sorted(set(consumed) - before.keys())}"
    if (before.keys() - set(consumed)) != (after.keys() - set(made)):
        yield f"tensors appear or vanish: {sorted((before.keys() - set(consumed)) ^ (after.keys() - set(made)))}"
    for op in ops:
        yield from _op(op, before, after)


def _op(op: Op, before: dict[str, DrawnTensor], after: dict[str, DrawnTensor]) -> Iterator[str]:
    left = Counter(sid for link in op.links for sid in link.left)
    right = Counter(sid for link in op.links for sid in link.right)
    wanted = Counter(slot.sid for tid in op.inputs if tid in before for slot in before[tid].slots)
    if left != wanted:
        yield f"{op.oid} {op.source}: left wires {sorted((left - wanted) + (wanted - left))} are not in one link each"
    wanted = Counter(slot.sid for tid in op.outputs if tid in after for slot in after[tid].slots)
    if right != wanted:
        off = sorted((right - wanted) + (wanted - right))
        yield f"{op.oid} {op.source}: right wires {off} are not in one link each"
    axes = {s.sid: s.axis for t in (*before.values(), *after.values()) for s in t.slots}
    for link in op.links:
        for arity, sids in zip(ARITY[link.kind], (link.left, link.right), strict=True):
            if len(sids) < 1 if arity == "n" else len(sids) != int(arity):
                yield f"{op.oid}: {link.kind} of {len(link.left)} to {len(link.right)} wires"
        if link.kind == "through" and axes.get(link.left[0]) != axes.get(link.right[0]):
            yield f"{op.oid}: a wire changes its axis on its way through"


def _ports(op: Op) -> list[str]:
    if not op.bodies:
        return []
    left = {sid for link in op.links for sid in link.left}
    right = {sid for link in op.links for sid in link.right}
    inside = {s.sid for b in op.bodies for t in b.boundaries[0] for s in t.slots}
    ends = {s.sid for b in op.bodies for t in b.boundaries[-1] for s in t.slots}
    bad = [f"{op.oid}: enters by {o} at {i}" for o, i in op.enter if o not in left or i not in inside]
    return bad + [f"{op.oid}: leaves by {o} from {i}" for i, o in op.leave if o not in right or i not in ends]


def _gaps(section: Section) -> list[str]:
    seen: dict[str, int] = {}
    found = []
    for at, boundary in enumerate(section.boundaries):
        for tensor in boundary:
            if seen.get(tensor.tid, at - 1) != at - 1:
                found.append(f"{tensor.tid} is gone and comes back")
            seen[tensor.tid] = at
    return found


def _repeated(what: str, names: Iterable[str]) -> list[str]:
    return [f"the {what} {name} stands {count} times" for name, count in Counter(names).items() if count > 1]

"""The overview: blocks and data flow, sizes on the edges, as a graph that every format writes.

It is made from the circuit, so it folds what the circuit folds and opens what it opens. What runs between two blocks is
an edge; operations that are no block (arithmetic, reshapes) are small nodes; a loop, an open block and a stage are
boxes around their nodes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from ogive.backends.diagram.figure.figure import Change, Column, DrawnTensor, Figure, Op, Section
from ogive.backends.diagram.figure.legend import explained
from ogive.backends.diagram.views.stages import LoopTurn, stages
from ogive.backends.diagram.views.words import kind_of, place_of, words

HOLDERS = ("plate", "repeat", "scan", "phase")


@dataclass(frozen=True, slots=True)
class Box:
    """A node of the overview, or a box around the nodes whose `parent` it is."""

    id: str
    text: str
    kind: str  # input, output, block, op, weight, group
    parent: str = ""
    change: Change = ""
    block: str = ""  # the definition of a block, by its name in the program
    place: str = ""  # under the text: where it stands, and what tells it from others of its name
    then: tuple[str, ...] = ()  # what follows in the same box: a norm, an activation
    role: str = ""
    small: bool = False  # a function of each element, or another order of the axes: it may stand in another box
    path: str = ""
    where: str = ""
    was: str = ""  # what stood here before a change
    takes: tuple[str, ...] = ()  # named values from far away, and those that it makes
    sends: tuple[str, ...] = ()
    sizes: tuple[str, ...] = ()  # of the first tensor that it makes
    op: str = ""  # the operation of the circuit
    spots: tuple[tuple[str, str], ...] = ()  # on a page: the sizes of the text


@dataclass(frozen=True, slots=True)
class Edge:
    """Data from one node to another."""

    source: str
    target: str
    text: str
    change: Change = ""
    name: str = ""  # of the value, in the source
    spots: tuple[tuple[str, str], ...] = ()  # on a page: sizes of the text


@dataclass(slots=True)
class Overview:
    """Boxes and edges in source order; the rows of the legend."""

    title: str
    boxes: list[Box] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    legend: list[str] = field(default_factory=list)
    alt: str = ""


def overview_of(figure: Figure) -> Overview:
    """The overview of a circuit."""
    made = Overview(figure.title, alt=figure.alt)
    walk = _OverviewFlow(made, dict(row.split(" = ", 1) for row in figure.notes if " = " in row))
    for section in figure.sections:
        parent = walk.group(section.title, "") if len(figure.sections) > 1 and section.title else ""
        walk.whole(section, parent)
    _pruned(made)
    _merged(made)
    _quiet(made)
    drawn = [*(text for box in made.boxes for text in (box.text, box.place, *box.then)), *(e.text for e in made.edges)]
    made.legend = explained(figure, drawn)
    return made


def lone_blocks(figure: Figure) -> frozenset[str]:
    """Blocks that are all that a loop does: a figure of what a loop does has them open."""
    found = []
    for op in figure.walk():
        inner = [
            each for body in op.bodies for c in body.columns for each in c.ops if each.glyph not in ("copy", "drop")
        ]
        if op.glyph == "repeat" and len(inner) == 1 and inner[0].glyph == "slab":
            found.append(inner[0].attr("name"))
    return frozenset(found)


def with_closed_choices(figure: Figure) -> Figure:
    """The figure with each choice between arms as one operation, which says between what."""
    return replace(figure, sections=tuple(_closed(section) for section in figure.sections))


def _closed(section: Section) -> Section:
    columns = (Column(tuple(_closed_op(op) for op in column.ops)) for column in section.columns)
    return replace(section, columns=tuple(columns))


def _closed_op(op: Op) -> Op:
    if op.glyph != "phase" or op.text not in CHOSEN:
        return replace(op, bodies=tuple(map(_closed, op.bodies))) if op.bodies else op
    arms = [body.title for body in op.bodies]
    heads = [title.partition(": ")[0] for title in arms]
    of = next((f": {title.partition(': ')[2]}" for title in arms if ": " in title), "")
    return replace(op, glyph="box", text=" or ".join(heads) + of, bodies=(), enter=(), leave=())


CHOSEN = ("", "phase")  # the heads of choices between arms: by what is given, and by training

Sources = dict[str, tuple[str, ...]]  # a tensor: the boxes that it may come from


@dataclass(slots=True)
class _OverviewFlow:
    made: Overview
    numbers: dict[str, str]  # what the sizes of a model are
    count: int = 0

    def name(self) -> str:
        self.count += 1
        return f"n{self.count}"

    def add(self, box: Box) -> str:
        self.made.boxes.append(box)
        return box.id

    def group(self, text: str, parent: str, like: Op | None = None, place: str = "") -> str:
        box = Box(self.name(), text, "group", parent, place=place)
        if like is not None:
            path = like.attr("path")
            box = replace(box, change=like.change, block=like.attr("block"), path=path, was=like.attr("was"))
        return self.add(box)

    def whole(self, section: Section, parent: str) -> None:
        """A section that is a figure, with its inputs and outputs."""
        sources: Sources = {}
        for tensor in section.boundaries[0]:
            box = Box(self.name(), tensor.name or "input", "input", parent, sizes=_sizes(tensor))
            sources[tensor.tid] = (self.add(box),)
        self.section(section, parent, sources, "")
        tensors = _tensors(section)
        for k, tid in enumerate(section.outputs):
            text = (section.ends[k] if k < len(section.ends) else "") or "output"
            end = self.add(Box(self.name(), text, "output", parent))
            self.edges(sources.get(tid, ()), end, tensors[tid])

    def section(self, section: Section, parent: str, sources: Sources, prefix: str) -> None:
        """The operations of a section; `prefix` is the place that all of them stand in."""
        tensors = _tensors(section)
        inside = stages(section, prefix)
        groups: dict[LoopTurn, str] = {}
        for op in (op for column in section.columns for op in column.ops):
            if op.glyph == "copy":
                sources.update(dict.fromkeys(op.outputs, sources.get(op.inputs[0], ())))
                continue
            if op.glyph == "drop":
                continue
            stage, frame, around = inside.get(op.oid), parent, prefix
            if stage is not None:
                if stage not in groups:
                    groups[stage] = self.group(stage.title, parent)
                frame, around = groups[stage], f"{prefix}{stage.key}."
            if op.bodies and op.glyph in HOLDERS:
                self.holder(op, frame, sources, tensors, around)
            else:
                self.leaf(op, frame, sources, tensors, around)

    def leaf(self, op: Op, parent: str, sources: Sources, tensors: Mapping[str, DrawnTensor], prefix: str) -> None:
        box = Box(
            self.name(), words(op), kind_of(op), parent, op.change, op.attr("block"), place_of(op), (), op.attr("role"),
            op.glyph in ("float", "wires") and len(op.inputs) == 1, op.attr("path"), op.where, op.attr("was"),
            op=op.oid,
        )  # fmt: skip
        box = replace(box, sizes=_sizes(tensors[op.outputs[0]])) if op.outputs else box
        self.add(box)
        for tid in op.inputs:
            self.edges(sources.get(tid, ()), box.id, tensors[tid])
        sources.update(dict.fromkeys(op.outputs, (box.id,)))

    def holder(self, op: Op, parent: str, sources: Sources, tensors: Mapping[str, DrawnTensor], prefix: str) -> None:
        """An open block, a loop, the arms of a choice."""
        name, place = " ".join(x for x in (op.text, op.above) if x), op.caption.removeprefix(prefix)
        times = name[1:] if name.startswith("×") and self.numbers.get(name[1:]) else ""
        name = f"×{self.numbers[times]}" if times else name
        found: dict[str, list[str]] = {tid: [] for tid in op.outputs}
        path = op.attr("path")
        for body in op.bodies:
            title = body.title if body.title != op.text else ""
            group = self.group(" ".join(x for x in (name, title) if x), parent, op, place)
            if times:
                self.made.boxes[-1] = replace(self.made.boxes[-1], spots=((self.numbers[times], times),))
            inner = self._entered(op, body, sources, group)
            self.section(body, group, inner, f"{path}." if op.glyph == "plate" else f"{path}.*." if path else prefix)
            for tid, sid in _left(op, body):
                found[sid] += [each for each in inner.get(tid, ()) if each not in found[sid]]
            if not any(found.values()):
                found.update({tid: [group] for tid in op.outputs})
        if op.glyph == "phase" and op.text in CHOSEN:
            found = {tid: self._either(found[tid], tensors[tid], parent) for tid in found}
        sources.update({tid: tuple(each) for tid, each in found.items()})

    def _either(self, arms: list[str], tensor: DrawnTensor, parent: str) -> list[str]:
        """Where the arms of a choice meet: one of them gives the value, and no reader takes both."""
        if len(arms) < 2:
            return arms
        met = self.add(Box(self.name(), "either", "op", parent))
        self.edges(arms, met, tensor)
        return [met]

    def _entered(self, op: Op, body: Section, sources: Sources, group: str) -> Sources:
        """What the inputs of a body come from: the operands by their wires, else in their order."""
        begins = [t.tid for t in body.boundaries[0]]
        pairs = {_tid(inner): _tid(outer) for outer, inner in op.enter}
        aligned = dict(zip(begins, op.inputs, strict=False)) if len(begins) == len(op.inputs) else {}
        read = {tid for column in body.columns for each in column.ops if each.glyph != "drop" for tid in each.inputs}
        inner: Sources = {}
        for tid in begins:
            outer = pairs.get(tid, aligned.get(tid, ""))
            if sources.get(outer):
                inner[tid] = sources[outer]
            elif tid in read:
                inner[tid] = (self.add(Box(self.name(), "turn" if op.glyph != "plate" else "absent", "op", group)),)
        return inner

    def edges(self, sources: Iterable[str], target: str, tensor: DrawnTensor) -> None:
        """One edge for each tensor between two nodes."""
        for source in sources:
            spots = tuple((slot.label or slot.size, slot.measure) for slot in tensor.slots if slot.measure)
            edge = Edge(source, target, sized(tensor), name=tensor.name, spots=spots)
            if edge not in self.made.edges[-64:]:
                self.made.edges.append(edge)


def _tid(sid: str) -> str:
    return sid.rsplit(".", 1)[0]


def _tensors(section: Section) -> dict[str, DrawnTensor]:
    return {tensor.tid: tensor for boundary in section.boundaries for tensor in boundary}


def _left(op: Op, body: Section) -> Iterator[tuple[str, str]]:
    """(tensor at the end of the body, result outside): by their wires, else in their order."""
    ends = set(body.outputs)
    pairs = {_tid(outer): _tid(inner) for inner, outer in op.leave if _tid(inner) in ends}
    for k, tid in enumerate(op.outputs):
        inner = pairs.get(tid) or (body.outputs[k] if k < len(body.outputs) else "")
        if inner:
            yield inner, tid


def _sizes(tensor: DrawnTensor) -> tuple[str, ...]:
    return tuple(slot.label or slot.size for slot in tensor.slots if slot.role != "dtype")


def sized(tensor: DrawnTensor) -> str:
    """The sizes of a tensor: `int[b, n]`."""
    return f"{'' if tensor.elem == 'float' else tensor.elem}[{', '.join(_sizes(tensor))}]"


def _pruned(made: Overview) -> None:
    """An arm in which nothing is done needs no frame."""
    while True:
        used = {box.parent for box in made.boxes} | {x for edge in made.edges for x in (edge.source, edge.target)}
        left = [box for box in made.boxes if box.kind != "group" or box.id in used]
        if len(left) == len(made.boxes):
            return
        made.boxes[:] = left


def _merged(made: Overview) -> None:
    """A norm, an activation or a reshape that alone reads what stands before it becomes part of that box."""
    boxes = {box.id: box for box in made.boxes}
    reads: dict[str, set[str]] = {}
    readers: dict[str, set[str]] = {}
    for edge in made.edges:
        reads.setdefault(edge.target, set()).add(edge.source)
        readers.setdefault(edge.source, set()).add(edge.target)
    into: dict[str, str] = {}
    for box in made.boxes:
        if len(reads.get(box.id, ())) != 1:
            continue
        (before,) = reads[box.id]
        first = boxes[into.get(before, before)]
        if len(readers[before]) == 1 and _follows(first, box):
            boxes[first.id] = replace(first, then=(*first.then, box.text), sizes=box.sizes)
            into[box.id] = first.id
    made.boxes[:] = [boxes[box.id] for box in made.boxes if box.id not in into]
    kept = (edge for edge in made.edges if into.get(edge.target, "") != into.get(edge.source, edge.source))
    made.edges[:] = [replace(edge, source=into.get(edge.source, edge.source)) for edge in kept]


def _follows(first: Box, box: Box) -> bool:
    if first.parent != box.parent or first.change != box.change or first.kind not in ("block", "op"):
        return False
    if first.kind == "block" and first.role not in ("conv", "linear", "norm", "embedding"):
        return False
    small = box.small or (box.role == "norm" and first.role in ("conv", "linear"))
    return small and len(first.then) < 3 and len("".join((*first.then, box.text))) < 24


def _quiet(made: Overview) -> None:
    """Sizes stand where they change: not on what leaves a node with the sizes that went in."""
    given: dict[str, set[str]] = {}
    for edge in made.edges:
        given.setdefault(edge.target, set()).add(edge.text)
    ends = {box.id for box in made.boxes if box.kind == "output"}
    made.edges[:] = [
        replace(edge, text="") if edge.target not in ends and edge.text in given.get(edge.source, ()) else edge
        for edge in made.edges
    ]

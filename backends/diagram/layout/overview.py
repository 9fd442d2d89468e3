"""The overview: blocks and data flow, sizes on the edges, as a graph that DOT and Mermaid write.

What runs between two blocks is an edge; operations that are no block (arithmetic, reshapes) are small nodes; a loop or
an open block is a box around its nodes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ogive.backends.diagram.figure.figure import Change
from ogive.backends.diagram.figure.labels import size_label
from ogive.backends.diagram.from_ir.glyphs import LIBRARY
from ogive.backends.diagram.from_ir.make import SHORT, divisions
from ogive.compiler.ir.attributes import (
    AbstractCallAttrs,
    AssumeAttrs,
    ChoiceAttrs,
    CustomGradAttrs,
    ExternAttrs,
    FaultAttrs,
    GradAttrs,
    InitialAttrs,
    RepeatAttrs,
    ScanAttrs,
    TapAttrs,
    UpdateAttrs,
    VectorizedAttrs,
    WeightAttrs,
)
from ogive.compiler.ir.model import CallAttrs, Definition, Graph, Node, Operand, Value
from ogive.compiler.ir.substitute import type_in_sizes
from ogive.compiler.ir.types import Axis, TensorType
from ogive.compiler.ir_tools.interpreter import Interpreter
from ogive.compiler.sizes import Size, Unknown
from ogive.compiler.sizes import size as size_of


@dataclass(frozen=True, slots=True)
class Box:
    """A node of the overview, or a box around the nodes whose `parent` it is."""

    id: str
    text: str
    kind: str  # input, output, block, op, weight, group
    parent: str = ""
    change: Change = ""
    block: str = ""  # the definition of a block, by its name in the program


@dataclass(frozen=True, slots=True)
class Edge:
    """Data from one node to another."""

    source: str
    target: str
    text: str
    change: Change = ""


@dataclass(slots=True)
class Overview:
    """Boxes and edges in source order."""

    title: str
    boxes: list[Box] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)


def overview(
    definition: Definition, depth: int = 0, open: frozenset[str] = frozenset(), name: str = "",
    numbers: Mapping[Unknown, int] | None = None,
) -> Overview:  # fmt: skip
    """The overview of a definition, `depth` levels of blocks open, and those named in `open`."""
    made = Overview(name or definition.block.rsplit(".", 1)[-1])
    known = {unknown: size_of(number) for unknown, number in (numbers or {}).items()}
    walk = _OverviewWalk(made, list(divisions(definition)), open, known)
    frame = OverviewFrame(definition.graph, {}, "", depth)
    for value in definition.graph.inputs:
        made.boxes.append(Box(walk.name(), value.hint or value.name, "input"))
        walk.bind(frame, value, made.boxes[-1].id)
    walk.graph(frame, definition.graph)
    for k, output in enumerate(definition.graph.outputs):
        if isinstance(output, str):
            label = (definition.output_names[k] if k < len(definition.output_names) else None) or "output"
            made.boxes.append(Box(walk.name(), label, "output"))
            walk.edge(frame.ends[output], made.boxes[-1].id, definition.graph.values[output].type, {})
    return made


@dataclass(slots=True)
class OverviewFrame:
    """A graph in the sizes of the overview, the box around it, how many levels of calls in it are open, and the box
    that each of its values comes from.
    """

    graph: Graph
    sizes: Mapping[Unknown, Size]
    parent: str
    depth: int
    ends: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _OverviewWalk(Interpreter[OverviewFrame, str]):
    """A value means the box that it comes from; "" where it is absent."""

    made: Overview
    divides: list[tuple[str, str]]
    open: frozenset[str]
    numbers: Mapping[Unknown, Size]
    count: int = 0

    def name(self) -> str:
        self.count += 1
        return f"n{self.count}"

    def edge(self, source: str, target: str, type_: TensorType, sizes: Mapping[Unknown, Size]) -> None:
        """One edge for each tensor between two nodes."""
        shown = type_in_sizes(type_, sizes) if sizes else type_
        axes = ", ".join(self._size(axis) for axis in shown.axes)
        text = f"{'' if shown.elem == 'float' else shown.elem}[{axes}]"
        edge = Edge(source, target, text)
        if edge not in self.made.edges:
            self.made.edges.append(edge)

    def _size(self, axis: Axis) -> str:
        """In numbers where symbols would be long and the model has them."""
        text = size_label(str(axis), self.divides)
        long = len(text) > SHORT and axis.pack is None and not text.isidentifier()
        return size_label(axis.size.subs(self.numbers), self.divides) if self.numbers and long else text

    def read(self, frame: OverviewFrame, operand: Operand) -> str:
        return frame.ends[operand] if isinstance(operand, str) else ""

    def bind(self, frame: OverviewFrame, value: Value, meaning: str) -> None:
        if meaning:
            frame.ends[value.name] = meaning

    def box(self, frame: OverviewFrame, node: Node, text: str, kind: str, block: str = "") -> Sequence[str]:
        """A node of the overview with an edge from each operand."""
        box = Box(self.name(), text, kind, frame.parent, block=block)
        self.made.boxes.append(box)
        for name in node.operands:
            self.edge(frame.ends[name], box.id, frame.graph.values[name].type, frame.sizes)
        return [box.id] * len(node.outputs)

    def operation(self, frame: OverviewFrame, node: Node) -> Sequence[str]:
        return self.box(frame, node, str(node.attr("op") or node.op), "op")

    def visit_weight(self, frame: OverviewFrame, node: Node, told: WeightAttrs) -> Sequence[str]:
        return self.box(frame, node, node.path, "weight")

    def visit_update(self, frame: OverviewFrame, node: Node, told: UpdateAttrs) -> Sequence[str]:
        return self.box(frame, node, node.op, "op")

    def visit_tap(self, frame: OverviewFrame, node: Node, told: TapAttrs) -> Sequence[str]:
        return self.box(frame, node, node.op, "op")

    def visit_extern(self, frame: OverviewFrame, node: Node, told: ExternAttrs) -> Sequence[str]:
        return self.box(frame, node, node.op, "op")

    def visit_initial(self, frame: OverviewFrame, node: Node, told: InitialAttrs) -> Sequence[str]:
        return self.box(frame, node, node.op, "op")

    def visit_static(self, frame: OverviewFrame, node: Node, told: AbstractCallAttrs) -> Sequence[str]:
        return self.box(frame, node, node.op, "op")

    def visit_fault(self, frame: OverviewFrame, node: Node, told: FaultAttrs) -> Sequence[str]:
        return self.box(frame, node, node.op, "op")

    def visit_assume(self, frame: OverviewFrame, node: Node, told: AssumeAttrs) -> Sequence[str]:
        """It is no box: notes of figures say it."""
        return ()

    def visit_repeat(self, frame: OverviewFrame, node: Node, told: RepeatAttrs) -> Sequence[str]:
        return self._regions(frame, node, self._times(frame, told.count))

    def visit_scan(self, frame: OverviewFrame, node: Node, told: ScanAttrs) -> Sequence[str]:
        return self._regions(frame, node, f"scan {self._times(frame, told.count)}")

    def visit_vectorized(self, frame: OverviewFrame, node: Node, told: VectorizedAttrs) -> Sequence[str]:
        return self._regions(frame, node, node.op)

    def visit_choice(self, frame: OverviewFrame, node: Node, told: ChoiceAttrs) -> Sequence[str]:
        return self._regions(frame, node, node.op)

    def visit_grad(self, frame: OverviewFrame, node: Node, told: GradAttrs) -> Sequence[str]:
        return self._regions(frame, node, node.op)

    def visit_custom_grad(self, frame: OverviewFrame, node: Node, told: CustomGradAttrs) -> Sequence[str]:
        return self._regions(frame, node, node.op)

    def visit_call(self, frame: OverviewFrame, node: Node, told: CallAttrs) -> Sequence[str]:
        callee = node.callee
        assert callee is not None, node
        block, place = callee.block.rsplit(".", 1)[-1], node.path.rsplit(".", 1)[-1]
        text = f"{block} {place}" if place and place != block else block
        names = {callee.block, block, node.path, place}
        if not (names & self.open or (frame.depth > 0 and callee.block not in LIBRARY)):
            return self.box(frame, node, text, "block", callee.name)
        group = self._group(text, frame.parent)
        bound = {u: s.subs(frame.sizes) if frame.sizes else s for u, s in node.bindings}
        inside = OverviewFrame(callee.graph, bound, group, frame.depth - 1)
        return self.region(inside, callee.graph, self._given(frame, node, callee.graph, "absent", group))

    def _times(self, frame: OverviewFrame, count: Size) -> str:
        return f"×{size_label(count.subs(frame.sizes) if frame.sizes else count, self.divides)}"

    def _group(self, text: str, parent: str) -> str:
        box = Box(self.name(), text, "group", parent)
        self.made.boxes.append(box)
        return box.id

    def _given(self, frame: OverviewFrame, node: Node, graph: Graph, text: str, group: str) -> list[str]:
        """The boxes that the inputs of a graph come from; one of its own where the node gives nothing."""
        given = [node.inputs[k] if k < len(node.inputs) else None for k in range(len(graph.inputs))]
        return [frame.ends[x] if isinstance(x, str) else self._point(text, group) for x in given]

    def _regions(self, frame: OverviewFrame, node: Node, title: str) -> Sequence[str]:
        last = [""] * len(node.outputs)
        for region in node.regions:
            group = self._group(f"{title} {node.path}".strip(), frame.parent)
            inside = OverviewFrame(region, frame.sizes, group, frame.depth)
            found = self.region(inside, region, self._given(frame, node, region, "turn", group))
            last = [new or old for new, old in zip(found, last, strict=False)]
        return last

    def _point(self, text: str, parent: str) -> str:
        self.made.boxes.append(Box(self.name(), text, "op", parent))
        return self.made.boxes[-1].id


def dot(made: Overview) -> str:
    """Graphviz source."""
    lines = [f'digraph "{_quoted(made.title)}" {{', "  rankdir=TB; compound=true; nodesep=0.3; ranksep=0.35;",
             '  node [fontname="Helvetica", fontsize=11, shape=box, style="rounded,filled", fillcolor="#e8f0f8", '
             'color="#1a1a1a", height=0.3];',
             '  edge [fontname="Helvetica", fontsize=9, color="#1a1a1a", fontcolor="#5c6470", arrowsize=0.6];',
             '  fontname="Helvetica";']  # fmt: skip
    lines += _dot_boxes(made, "", "  ")
    for edge in made.edges:
        extra = {"added": ', color="#00795a"', "removed": ', color="#c24e00", style=dashed'}.get(edge.change, "")
        lines.append(f'  {edge.source} -> {edge.target} [label="{_quoted(edge.text)}"{extra}];')
    return "\n".join([*lines, "}"]) + "\n"


DOT_LOOKS = {
    "input": 'shape=plain, fillcolor="#ffffff"', "output": 'shape=plain, fillcolor="#ffffff"', "block": "",
    "op": 'fillcolor="#ffffff", fontsize=10, height=0.22', "weight": 'shape=cds, fillcolor="#ffffff", penwidth=2',
}  # fmt: skip
DOT_CHANGES = {
    "added": 'color="#00795a", fontcolor="#00795a", penwidth=2',
    "removed": 'color="#c24e00", fontcolor="#c24e00", style="rounded,dashed"', "changed": 'color="#0072b2", penwidth=2',
}  # fmt: skip


def _dot_boxes(made: Overview, parent: str, indent: str) -> Iterator[str]:
    for box in made.boxes:
        if box.parent != parent:
            continue
        if box.kind == "group":
            yield f"{indent}subgraph cluster_{box.id} {{"
            yield f'{indent}  label="{_quoted(box.text)}"; labeljust=l; fontsize=11; color="#5c6470";'
            yield from _dot_boxes(made, box.id, indent + "  ")
            yield f"{indent}}}"
        else:
            looks = ", ".join(x for x in (DOT_LOOKS[box.kind], DOT_CHANGES.get(box.change, "")) if x)
            yield f'{indent}{box.id} [label="{_quoted(box.text)}"{", " + looks if looks else ""}];'


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def mermaid(made: Overview) -> str:
    """Mermaid source, as READMEs show it."""
    lines = ["flowchart TB"]
    lines += _mermaid_boxes(made, "", "  ")
    lines += [f'  {e.source} -->|"{_entities(e.text)}"| {e.target}' for e in made.edges]
    for change, style in (("added", "stroke:#00795a,stroke-width:2px"), 
                          ("removed", "stroke:#c24e00,stroke-dasharray:5 3"),
                          ("changed", "stroke:#0072b2,stroke-width:2px")):  # fmt: skip
        ids = [box.id for box in made.boxes if box.change == change]
        if ids:
            lines += [f"  classDef {change} {style}", f"  class {','.join(ids)} {change}"]
    return "\n".join(lines) + "\n"


SHAPES = {"input": ("([", "])"), "output": ("([", "])"), "block": ("[", "]"), "op": ("(", ")"), "weight": (">", "]")}


def _mermaid_boxes(made: Overview, parent: str, indent: str) -> Iterator[str]:
    for box in made.boxes:
        if box.parent != parent:
            continue
        if box.kind == "group":
            yield f'{indent}subgraph {box.id}["{_entities(box.text)}"]'
            yield from _mermaid_boxes(made, box.id, indent + "  ")
            yield f"{indent}end"
        else:
            left, right = SHAPES[box.kind]
            yield f'{indent}{box.id}{left}"{_entities(box.text)}"{right}'


def _entities(text: str) -> str:
    """Mermaid's own escapes: `#quot;`, and no markup."""
    special = {"#": "#35;", '"': "#quot;", "<": "#lt;", ">": "#gt;", "&": "#amp;", "`": "#96;"}
    return "".join(special.get(char, char) for char in text)

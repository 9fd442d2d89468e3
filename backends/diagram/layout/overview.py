"""The overview: blocks and data flow, sizes on the edges, as a graph that DOT and Mermaid write.

What runs between two blocks is an edge; operations that are no block (arithmetic, reshapes) are small nodes; a loop or
an open block is a box around its nodes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ogive.backends.diagram.figure.figure import Change
from ogive.backends.diagram.figure.labels import size_label
from ogive.backends.diagram.from_ir.glyphs import LIBRARY
from ogive.backends.diagram.from_ir.make import SHORT, divisions
from ogive.compiler.ir.model import Definition, Graph, Node
from ogive.compiler.ir.substitute import type_in_sizes
from ogive.compiler.ir.types import Axis, TensorType
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
    ends = {}
    for value in definition.graph.inputs:
        made.boxes.append(Box(walk.name(), value.hint or value.name, "input"))
        ends[value.name] = made.boxes[-1].id
    ends = walk.graph(definition.graph, ends, {}, "", depth)
    for k, output in enumerate(definition.graph.outputs):
        if isinstance(output, str):
            label = (definition.output_names[k] if k < len(definition.output_names) else None) or "output"
            made.boxes.append(Box(walk.name(), label, "output"))
            walk.edge(ends[output], made.boxes[-1].id, definition.graph.values[output].type, {})
    return made


@dataclass(slots=True)
class _OverviewWalk:
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

    def graph(
        self, graph: Graph, ends: dict[str, str], sizes: Mapping[Unknown, Size], parent: str, depth: int
    ) -> dict[str, str]:
        """Draw the nodes of a graph; gives the node behind each of its values."""
        ends = dict(ends)
        for node in graph.nodes:
            if node.op == "assume":
                continue
            if node.regions:
                self._region(node, ends, sizes, parent, depth)
            elif node.op == "call" and node.callee is not None and self._opens(node, depth):
                self._open(node, node.callee, ends, sizes, parent, depth)
            else:
                self._box(graph, node, ends, sizes, parent)
        return ends

    def _opens(self, node: Node, depth: int) -> bool:
        assert node.callee is not None
        block = node.callee.block
        names = {block, block.rsplit(".", 1)[-1], node.path, node.path.rsplit(".", 1)[-1]}
        return bool(names & self.open) or (depth > 0 and block not in LIBRARY)

    def _box(self, graph: Graph, node: Node, ends: dict[str, str], sizes: Mapping[Unknown, Size], parent: str) -> None:
        block = node.callee.name if node.callee is not None else ""
        box = Box(self.name(), *_named(node), parent, block=block)
        self.made.boxes.append(box)
        for name in node.operands:
            self.edge(ends[name], box.id, graph.values[name].type, sizes)
        ends.update((value.name, box.id) for value in node.outputs)

    def _group(self, text: str, parent: str) -> str:
        box = Box(self.name(), text, "group", parent)
        self.made.boxes.append(box)
        return box.id

    def _region(self, node: Node, ends: dict[str, str], sizes: Mapping[Unknown, Size], parent: str, depth: int) -> None:
        count = node.loop.count if node.loop is not None else None
        title = f"×{size_label(count.subs(sizes) if sizes else count, self.divides)}" if count is not None else node.op
        title = f"scan {title}" if node.op == "scan" else title
        last: dict[int, str] = {}
        for region in node.regions:
            group = self._group(f"{title} {node.path}".strip(), parent)
            inner: dict[str, str] = {}
            for k, value in enumerate(region.inputs):
                given = node.inputs[k] if k < len(node.inputs) else None
                inner[value.name] = ends[given] if isinstance(given, str) else self._point("turn", group)
            found = self.graph(region, inner, sizes, group, depth)
            last.update((k, found[out]) for k, out in enumerate(region.outputs) if isinstance(out, str))
        ends.update((value.name, last[k]) for k, value in enumerate(node.outputs) if k in last)

    def _point(self, text: str, parent: str) -> str:
        self.made.boxes.append(Box(self.name(), text, "op", parent))
        return self.made.boxes[-1].id

    def _open(
        self, node: Node, callee: Definition, ends: dict[str, str], sizes: Mapping[Unknown, Size], parent: str,
        depth: int,
    ) -> None:  # fmt: skip
        group = self._group(_named(node)[0], parent)
        bound = {u: s.subs(sizes) if sizes else s for u, s in node.bindings}
        inner = {}
        for k, value in enumerate(callee.graph.inputs):
            given = node.inputs[k] if k < len(node.inputs) else None
            inner[value.name] = ends[given] if isinstance(given, str) else self._point("absent", group)
        found = self.graph(callee.graph, inner, bound, group, depth - 1)
        outputs = zip(node.outputs, callee.graph.outputs, strict=False)
        ends.update((value.name, found[out]) for value, out in outputs if isinstance(out, str))


def _named(node: Node) -> tuple[str, str]:
    if node.op == "call" and node.callee is not None:
        block = node.callee.block.rsplit(".", 1)[-1]
        place = node.path.rsplit(".", 1)[-1]
        return (f"{block} {place}" if place and place != block else block), "block"
    if node.op == "weight":
        return node.path, "weight"
    return str(node.attr("op") or node.op), "op"


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

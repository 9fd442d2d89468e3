"""From the typed IR to steps: each operation with its glyph and its links, blocks collapsed or open."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from ogive.backends.diagram.figure.figure import Link, Op, Section
from ogive.backends.diagram.figure.labels import printable, size_label
from ogive.backends.diagram.from_ir.broadcasts import Passing, entering, leaving, vectorized
from ogive.backends.diagram.from_ir.columns import arrange
from ogive.backends.diagram.from_ir.glyphs import LIBRARY, NORMS, Look, look, region_text, strided
from ogive.backends.diagram.from_ir.links import completed, links_of
from ogive.backends.diagram.from_ir.reroll import RepeatedRun, folded, gathered, iteration, place_of, runs
from ogive.backends.diagram.from_ir.steps import Step
from ogive.backends.diagram.from_ir.wires import Classes, Wires
from ogive.compiler.ir.attributes import FaultAttrs, TapAttrs, UpdateAttrs
from ogive.compiler.ir.model import Definition, Graph, Node, Value
from ogive.compiler.ir.substitute import in_sizes, type_in_sizes
from ogive.compiler.ir_tools.compare import Change, mark
from ogive.compiler.sizes import Size, Unknown

# operands that stand inside the glyph where a weight alone feeds them
INSIDE = {
    "linear": (1, 2), "conv": (1, 2), "conv_transpose": (1, 2), "layer_norm": (1, 2), "rms_norm": (1,),
    "batch_norm": (1, 2, 3, 4), "batch_norm_train": (1, 2), "group_norm": (1, 2),
}  # fmt: skip
SAME_AXIS = {"norm", "softmax", "mask", "float"}  # glyphs after which an axis is still the same one


@dataclass(frozen=True, slots=True)
class Options:
    """What of a block is drawn: `depth` levels of calls are open, and those named in `open`; weights as data or not."""

    depth: int = 0
    open: frozenset[str] = frozenset()
    weights: bool = False
    fold: bool = True  # runs that the source has unrolled are drawn once


@dataclass(slots=True)
class FigureBuilder:
    """Builds the sections of one figure."""

    options: Options
    divides: list[tuple[str, str]] = field(default_factory=list)
    classes: Classes = field(default_factory=Classes)
    passing: Passing = field(default_factory=Passing)
    count: int = 0
    marks: dict[str, tuple[Change, str]] = field(default_factory=dict)
    numbers: dict[Unknown, Size] = field(default_factory=dict)  # what the sizes of a model are
    sizes: dict[str, Size] = field(default_factory=dict)  # those that depend on them, by their text
    legend: list[str] = field(default_factory=list)  # what counters stand for

    def definition(self, definition: Definition) -> Section:
        """The body of a definition."""
        scope = _Scope(self, definition.graph, {}, "", "", self.options.depth)
        section = scope.section([Wires(v.name, v.type, v.hint or v.name) for v in definition.graph.inputs])
        drawn = zip(definition.graph.outputs, definition.output_names, strict=False)
        return replace(section, ends=tuple(name or "" for value, name in drawn if isinstance(value, str)))

    def number(self) -> str:
        """A name for an operation, in source order."""
        self.count += 1
        return f"o{self.count}"


@dataclass(slots=True)
class _Scope:
    """A graph in the sizes of the figure, under a prefix that makes its names unique."""

    builder: FigureBuilder
    graph: Graph
    sizes: dict[Unknown, Size]
    prefix: str
    path: str
    depth: int
    steps: list[Step] = field(default_factory=list)

    def section(self, inputs: Sequence[Wires], absent: Collection[str] = ()) -> Section:
        """The graph in columns; inputs that are `absent` and that nothing reads are left out."""
        inside = self._inside_glyphs()
        for node in self.graph.nodes:
            if node.op == "weight" and node.outputs[0].name in inside:
                continue
            if node.op == "assume":
                continue
            self._node(node, inside)
        outputs = [self.prefix + name for name in self.graph.outputs if isinstance(name, str)]
        steps = self._folded(outputs) if self.builder.options.fold and not self.builder.marks else self.steps
        read = {*outputs, *(value for step in steps for value in step.reads)}
        inputs = [w for w in inputs if w.tid in read or w.tid not in absent]
        return arrange(inputs, steps, outputs, self.builder.classes, self.builder)

    def _folded(self, outputs: Sequence[str]) -> list[Step]:
        """The steps with runs that the source has unrolled as loops."""
        steps = gathered(self.steps)
        found: list[Step] = []
        at = 0
        for run in runs(steps, outputs):
            found += [*steps[at : run.start], self._loop(steps, run)]
            at = run.end
        return [*found, *steps[at:]] if found else self.steps

    def _loop(self, steps: Sequence[Step], run: RepeatedRun) -> Step:
        oid, unite = self.builder.number(), self.builder.classes.unite
        body, inputs, values, counters = iteration(steps, run, oid)
        for name, each in counters.items():
            self.builder.legend.append(f"{name} = {', '.join(size_label(x, self.builder.divides) for x in each)}")
        for step in body:
            for wires, value in zip(step.ins, step.reads, strict=True):
                for a, b in zip(Wires(value, wires.type).all, wires.all, strict=True):
                    unite(a, b)
        ends = [body[k].outs[j].tid for k, j in run.carried]
        section = arrange(inputs, body, ends, self.builder.classes, self.builder)
        ins = tuple(replace(w, tid=f"{w.tid}@{oid}") for w in inputs)
        outs = tuple(steps[run.end - run.length + k].outs[j] for k, j in run.carried)
        op = folded(Op(oid, "repeat", "", (), (), (), bodies=(section,), caption=place_of(steps, run)), run)
        enter = tuple(p for a, b in zip(ins, inputs, strict=True) for p in zip(a.all, b.all, strict=True))
        leave = tuple(p for tid, w in zip(section.outputs, outs, strict=True)
                      for p in zip(replace(w, tid=tid).all, w.all, strict=True))  # fmt: skip
        for a, b in (*enter, *leave):
            unite(a, b)
        for w in ins:
            for a, b in zip(w.all, Wires(values[w.tid.split("@")[0]], w.type).all, strict=True):
                unite(a, b)
        op = replace(op, enter=enter, leave=leave, links=tuple(completed((), ins, outs)),
                     inputs=tuple(w.tid for w in ins), outputs=tuple(w.tid for w in outs))  # fmt: skip
        return Step(op, ins, tuple(values[w.tid] for w in inputs), outs)

    def wires(self, value: Value) -> Wires:
        """The wires of a value."""
        type_ = type_in_sizes(value.type, self.sizes) if self.sizes else value.type
        if self.builder.numbers:
            self.builder.sizes |= {str(axis): axis.size for axis in type_.axes if axis.pack is None}
        return Wires(self.prefix + value.name, type_, value.hint)

    def _inside_glyphs(self) -> set[str]:
        """Weights that only feed a glyph which stands for them."""
        if self.builder.options.weights:
            return set()
        weights = {n.outputs[0].name for n in self.graph.nodes if n.op == "weight"}
        return {name for name in weights if self._only_inside(name)} - set(map(str, self.graph.outputs))

    def _only_inside(self, name: str) -> bool:
        users = self.graph.users[name]
        for node in users:
            places = [i for i, x in enumerate(node.inputs) if x == name]
            if not places or any(i not in INSIDE.get(node.op, ()) for i in places):
                return False
        return bool(users)

    def _node(self, node: Node, inside: set[str]) -> None:
        oid = self.builder.number()
        reads: list[str | None] = [x if isinstance(x, str) and x not in inside else None for x in node.inputs]
        reads += [name for _, name in node.supplied]
        ins: list[Wires | None] = []
        for k, name in enumerate(reads):
            if name is None:
                ins.append(None)
                continue
            wires = self.wires(self.graph.values[name])
            ins.append(Wires(f"{wires.tid}@{oid}.{k}".replace(".", "_"), wires.type, wires.name))
        outs = [self.wires(v) for v in node.outputs]
        learned = any(isinstance(x, str) and x in inside for x in node.inputs)
        op = self._op(oid, node, ins, outs, learned)
        links = completed(op.links, ins, outs)
        self._same(op, links)
        given = [(w, self.prefix + r) for w, r in zip(ins, reads, strict=True) if w is not None and r is not None]
        for wires, value in given:
            for sid in wires.all:
                self.builder.classes.unite(f"{value}.{sid.rsplit('.', 1)[1]}", sid)
        kept = tuple(w for w, _ in given)
        op = replace(
            op,
            inputs=tuple(w.tid for w in kept),
            outputs=tuple(w.tid for w in outs),
            links=tuple(links),
            where=_where(node),
            wrong=node.structure.text if isinstance(node.structure, FaultAttrs) else "",
            attrs=(*op.attrs, *self._hidden(node, inside)),
        )
        if not self.prefix and mark(node) in self.builder.marks:
            change, was = self.builder.marks[mark(node)]
            op = replace(op, change=change, attrs=(*op.attrs, ("was", was)) if was else op.attrs)
        self.steps.append(Step(op, kept, tuple(v for _, v in given), tuple(outs), node.callee))

    def _hidden(self, node: Node, inside: set[str]) -> tuple[tuple[str, str], ...]:
        paths = {n.outputs[0].name: n.path for n in self.graph.nodes if n.op == "weight"} if inside else {}
        return tuple(("weight", paths[x]) for x in node.inputs if isinstance(x, str) and x in inside)

    def _same(self, op: Op, links: list[Link]) -> None:
        """Which wires are one axis."""
        unite = self.builder.classes.unite
        for link in links:
            if link.kind in ("through", "join", "split", "cup"):
                unite(*link.left, *link.right)
        if op.glyph in SAME_AXIS:
            left = [sid for link in links if link.kind == "in" for sid in link.left]
            right = [sid for link in links if link.kind == "out" for sid in link.right]
            if len(left) == len(right):
                for a, b in zip(left, right, strict=True):
                    unite(a, b)
        for a, b in (*op.enter, *op.leave):
            unite(a, b)

    def _op(self, oid: str, node: Node, ins: list[Wires | None], outs: list[Wires], learned: bool) -> Op:
        """The operation with its glyph, links and bodies; `_node` completes it."""
        base = Op(oid, "box", node.op, (), (), ())
        if node.op == "call" and node.callee is not None:
            return self._call(base, node, node.callee, ins, outs)
        if node.regions:
            return self._region(base, node, ins, outs)
        if node.op == "weight":
            return replace(base, glyph="weight", text=node.path.replace(".*.", "."), learned=True)
        match node.structure:
            case UpdateAttrs():
                return replace(base, glyph="sink", text=node.path)
            case TapAttrs(name=name):
                return replace(base, glyph="sink", text=name)
            case FaultAttrs(text=text):
                return replace(base, text=f"✗ {text.split()[0]}", caption=text)
        if self.sizes:
            node = node.map_settings(lambda value: in_sizes(value, self.sizes))
            node = replace(node, inputs=tuple(in_sizes(x, self.sizes) for x in node.inputs))
        node = self._windowed(node)
        links = tuple(links_of(node, ins, outs))
        found = _pointwise(look(node, self.builder.divides), links)
        plus = "₊" if node.op in ("linear", "conv") and len(node.inputs) > 2 and node.inputs[2] is not None else ""
        text = found.text + (plus if found.glyph == "linear" else "")
        attrs = (("bias", plus),) if found.glyph == "conv" and plus else ()
        return replace(base, glyph=found.glyph, text=text, above=found.above, learned=learned, links=links, attrs=attrs)

    def _windowed(self, node: Node) -> Node:
        """A convolution that says how large its window is: its weight does."""
        weight = node.inputs[1] if node.op in ("conv", "conv_transpose") else None
        if not isinstance(weight, str):
            return node
        sizes = self.wires(self.graph.values[weight]).type.sizes[2:]
        return replace(node, attrs=(("kernel", sizes), *node.attrs))

    def _call(self, base: Op, node: Node, callee: Definition, ins: list[Wires | None], outs: list[Wires]) -> Op:
        sizes = {u: s.subs(self.sizes) if self.sizes else s for u, s in node.bindings}
        name = callee.block.rsplit(".", 1)[-1]
        place = node.path.rsplit(".", 1)[-1]
        base = replace(base, text=name, caption=place if place != name else "", learned=not callee.stateless)
        base = replace(base, attrs=(("block", callee.name), ("path", self.path + node.path)))
        inner = LIBRARY.get(callee.block)
        if self._opens(callee, node.path, inner is not None):
            return self._open(base, node, callee, sizes, ins)
        if inner is not None and not node.supplied and len(outs) == 1 and ins and ins[0] is not None:
            return self._library(base, inner, callee, sizes, ins[0], outs[0])
        return replace(base, glyph="slab", links=tuple(self.builder.passing.links(callee, ins, outs)))

    def _opens(self, callee: Definition, path: str, library: bool) -> bool:
        options = self.builder.options
        full = self.path + path
        names = {callee.block, callee.block.rsplit(".", 1)[-1], callee.name, full, full.replace(".*", "")}
        names.add(path.rsplit(".", 1)[-1])
        return bool(names & options.open) or (self.depth > 0 and not library)

    def _open(
        self, base: Op, node: Node, callee: Definition, sizes: dict[Unknown, Size], ins: list[Wires | None]
    ) -> Op:
        prefix = f"{base.oid}/"
        scope = _Scope(self.builder, callee.graph, sizes, prefix, f"{self.path}{node.path}.", self.depth - 1)
        given = [k < len(ins) and ins[k] is not None for k in range(len(callee.graph.inputs))]
        inner = [scope.wires(v) for v in callee.graph.inputs]
        absent = [w.tid for w, there in zip(inner, given, strict=True) if not there]
        body = replace(scope.section(inner, absent), title=base.text)
        enter = [p for k, w in enumerate(ins) if w is not None and k < len(inner) and given[k]
                 for p in zip(w.all, inner[k].all, strict=False)]  # fmt: skip
        outs = [self.wires(v) for v in node.outputs]
        drawn = [w for name, w in zip(callee.graph.outputs, outs, strict=False) if isinstance(name, str)]
        leave = [p for tid, w in zip(body.outputs, drawn, strict=True)
                 for p in zip(replace(w, tid=tid).all, w.all, strict=True)]  # fmt: skip
        return replace(base, glyph="plate", bodies=(body,), enter=tuple(enter), leave=tuple(leave))

    def _library(
        self, base: Op, inner: str, callee: Definition, sizes: dict[Unknown, Size], x: Wires, out: Wires
    ) -> Op:
        """A block of the library, drawn as the operation that it holds."""
        statics = {s.name: sizes.get(s.unknown, s.value) if s.unknown else s.value for s in callee.statics}
        bias = any(weight.path == "bias" for weight in callee.weights)
        attrs = _library_attrs(inner, x, statics)
        node = Node(inner if inner not in ("embedding", "mask") else "", (x.tid,), (), attrs=attrs)
        links = tuple(links_of(node, (x,), (out,))) if node.op else ()
        found = _pointwise(_library_look(inner, bias, statics, self.builder.divides), links, "₊" if bias else "")
        if inner == "embedding":
            links = tuple(Link("through", (a,), (b,)) for a, b in zip(x.axes, out.axes, strict=False))
        elif inner == "mask":
            links = tuple(Link("through", (a,), (b,)) for a, b in zip(x.axes[:-2], out.axes[:-2], strict=True))
        told = base.attrs
        if inner.startswith("conv"):
            told = (*told, *((("bias", "₊"),) if bias else ()), ("groups", _groups(statics)))
        return replace(base, glyph=found.glyph, text=found.text, above=found.above, links=links, attrs=told)

    def _asked(self, node: Node) -> str:
        """The name of what a choice asks for."""
        name = str(node.inputs[0])
        return self.graph.values[name].hint or name

    def _region(self, base: Op, node: Node, ins: list[Wires | None], outs: list[Wires]) -> Op:
        """Loops, and choices of a phase or of an input that is given."""
        glyph = {"repeat": "repeat", "scan": "scan", "over": "repeat", "each": "repeat"}.get(node.op, "phase")
        titles = {
            "phase": ("training", "deployed"),
            "given": ("given", "absent"),
            "custom_grad": ("value", "its derivative"),
        }.get(node.op, ("",) * 9)
        bodies, enter, leave = [], [], []
        for k, region in enumerate(node.regions):
            scope = _Scope(self.builder, region, self.sizes, self.prefix, self.path, self.depth)
            title = f"{titles[k]}" + (f": {self._asked(node)}" if node.op == "given" else "")
            bodies.append(replace(scope.section([scope.wires(v) for v in region.inputs]), title=title))
            enter += entering(node, region, ins, self.prefix)
            leave += leaving(node, region, outs, bodies[-1].outputs)
        text = region_text(node, ins, self.sizes, self.builder.divides)
        attrs = (("carry", str(0 if node.loop is None else node.loop.carried)),)
        path = node.path if node.op == "repeat" else ""
        return replace(base, glyph=glyph, text=text, caption=path, bodies=tuple(bodies), enter=tuple(enter),
                       leave=tuple(leave), attrs=attrs, links=tuple(vectorized(node, ins, outs)))  # fmt: skip


def _library_attrs(inner: str, x: Wires, statics: dict[str, Any]) -> tuple[tuple[str, Any], ...]:
    """What the links of the operation depend on."""
    if inner in ("layer_norm", "rms_norm"):
        return (("axes", (len(x.axes) - 1,)),)
    return (("kernel", statics.get("kernel")), ("groups", statics.get("groups"))) if inner == "conv" else ()


def _pointwise(look: Look, links: Collection[Link], plus: str = "") -> Look:
    """A convolution past which the axes of space run is a linear map of the channels."""
    if look.glyph == "conv" and sum(link.kind == "through" for link in links) > 1:
        return Look("linear", f"L{plus}")
    return look


def _groups(statics: dict[str, Any]) -> str:
    groups = statics.get("groups")
    if groups is None or str(groups) == "1":
        return ""
    return "each" if str(groups) == str(statics.get("cin")) else str(groups)


def _library_look(inner: str, bias: bool, statics: dict[str, Any], divides: Collection[tuple[str, str]]) -> Look:
    plus = "₊" if bias else ""
    if inner == "linear":
        return Look("linear", f"L{plus}")
    if inner == "embedding":
        return Look("linear", "E")
    if inner == "mask":
        return Look("mask")
    if inner == "dropout":
        return Look("float", above="dropout")
    if inner.startswith("conv"):
        kernel, stride, dilation = (_number(statics.get(key), divides) for key in ("kernel", "stride", "dilation"))
        mark = "T" if inner == "conv_transpose" else ""
        return Look("conv", mark + strided(kernel, stride, dilation))
    return Look("norm", NORMS[inner])


def _number(value: Any, divides: Collection[tuple[str, str]]) -> str:
    if isinstance(value, tuple):
        texts = [_number(item, divides) for item in value]
        return texts[0] if len(set(texts)) == 1 else "×".join(texts)
    return size_label(value, divides) if value is not None else ""


def _where(node: Node) -> str:
    if node.span is None:
        return ""
    return f"{_name(node.span.path)}:{node.span.begin()[0]}"


@cache
def _name(path: str) -> str:
    """The name of a file, whatever path or link it was named by: where it lies is no part of what it draws."""
    return printable(os.path.basename(os.path.realpath(path)))

"""From the typed IR to steps: each operation with its glyph and its links, blocks collapsed or open."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ogive.backends.diagram.figure.figure import Link, Op, Section
from ogive.backends.diagram.figure.labels import size_label
from ogive.backends.diagram.from_ir.broadcasts import entering, leaving, vectorized
from ogive.backends.diagram.from_ir.builder import FigureBuilder
from ogive.backends.diagram.from_ir.columns import arrange
from ogive.backends.diagram.from_ir.drawn import INSIDE, SAME_AXIS, WINDOW, Drawn, changed, where
from ogive.backends.diagram.from_ir.glyphs import LIBRARY, Look, called, look
from ogive.backends.diagram.from_ir.library import groups, library_attrs, library_look, pointwise
from ogive.backends.diagram.from_ir.links import completed, links_of
from ogive.backends.diagram.from_ir.places import names_of, place_name
from ogive.backends.diagram.from_ir.reroll import RepeatedRun, folded, gathered, iteration, place_of, runs
from ogive.backends.diagram.from_ir.roles import identified, spot
from ogive.backends.diagram.from_ir.settings import quiet, quiet_statics
from ogive.backends.diagram.from_ir.shared import marked
from ogive.backends.diagram.from_ir.siblings import statics, told_apart
from ogive.backends.diagram.from_ir.signature import signed
from ogive.backends.diagram.from_ir.steps import DrawnStep
from ogive.backends.diagram.from_ir.wires import Wires
from ogive.compiler.ir.attributes import (
    AbstractCallAttrs,
    CustomGradAttrs,
    ExternAttrs,
    FaultAttrs,
    GivenAttrs,
    GradAttrs,
    InitialAttrs,
    PhaseAttrs,
    RepeatAttrs,
    ScanAttrs,
    TapAttrs,
    TappedAttrs,
    UpdateAttrs,
    VectorizedAttrs,
    WeightAttrs,
)
from ogive.compiler.ir.model import CallAttrs, Definition, Graph, Node, Value
from ogive.compiler.ir.substitute import in_sizes, type_in_sizes
from ogive.compiler.ir_tools.compare import mark
from ogive.compiler.ir_tools.interpreter import Visitor
from ogive.compiler.sizes import Size, Unknown


def section_of(builder: FigureBuilder, definition: Definition) -> Section:
    """The body of a definition."""
    inside = builder.numbers if builder.options.style == "numeric" and not builder.options.live else {}
    scope = _Scope(builder, definition.graph, inside, "", "", builder.options.depth)
    section = scope.section([replace(scope.wires(v), name=v.hint or v.name) for v in definition.graph.inputs])
    return told_apart(marked(signed(section, definition)))


@dataclass(slots=True)
class _Scope(Visitor[Drawn, Op]):
    """A graph in the sizes of the figure, under a prefix that makes its names unique."""

    builder: FigureBuilder
    graph: Graph
    sizes: dict[Unknown, Size]
    prefix: str
    path: str
    depth: int
    steps: list[DrawnStep] = field(default_factory=list)

    def section(self, inputs: Sequence[Wires], absent: Collection[str] = ()) -> Section:
        """The graph in columns; inputs that are `absent` and that nothing reads are left out."""
        inside = self._inside_glyphs()
        for node in self.graph.nodes:
            if node.op == "assume" or (node.op == "weight" and node.outputs[0].name in inside):
                continue
            self._node(node, inside)
        outputs = [self.prefix + name for name in self.graph.outputs if isinstance(name, str)]
        steps = self._folded(outputs) if self.builder.options.fold else self.steps
        read = {*outputs, *(value for step in steps for value in step.reads)}
        inputs = [w for w in inputs if w.tid in read or w.tid not in absent]
        return arrange(inputs, steps, outputs, self.builder.classes, self.builder)

    def _folded(self, outputs: Sequence[str]) -> list[DrawnStep]:
        """The steps with runs that the source has unrolled as loops."""
        steps = gathered(self.steps)
        found: list[DrawnStep] = []
        at = 0
        for run in runs(steps, outputs):
            found += [*steps[at : run.start], self._loop(steps, run)]
            at = run.end
        return [*found, *steps[at:]] if found else self.steps

    def _loop(self, steps: Sequence[DrawnStep], run: RepeatedRun) -> DrawnStep:
        oid, unite = self.builder.number(), self.builder.classes.unite
        body, inputs, values, counters = iteration(steps, run, oid)
        for k, first in enumerate(body):
            self.builder.turned(first.op, [steps[at].op for at in range(run.start + k, run.end, run.length)])
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
        op = folded(Op(oid, "repeat", "", (), (), (), bodies=(section,), caption=place_of(steps, run)), steps, run)
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
        return DrawnStep(op, ins, tuple(values[w.tid] for w in inputs), outs)

    def wires(self, value: Value) -> Wires:
        """The wires of a value."""
        type_ = type_in_sizes(value.type, self.sizes) if self.sizes else value.type
        if self.builder.numbers or self.builder.options.live:
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
        op = self.node(Drawn(Op(oid, "box", node.op, (), (), ()), ins, outs, learned), node)
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
            where=where(node),
            wrong=node.structure.text if isinstance(node.structure, FaultAttrs) else "",
            attrs=(*op.attrs, *spot(node), *self._hidden(node, inside)),
        )
        if not self.prefix and (self.builder.marks or self.builder.fewer):
            op = changed(op, mark(node), self.builder.marks, self.builder.fewer)
        self.steps.append(DrawnStep(op, kept, tuple(v for _, v in given), tuple(outs), node.callee))

    def _hidden(self, node: Node, inside: set[str]) -> tuple[tuple[str, str], ...]:
        paths = {n.outputs[0].name: n.path for n in self.graph.nodes if n.op == "weight"} if inside else {}
        return tuple(("weight", self.path + paths[x]) for x in node.inputs if isinstance(x, str) and x in inside)

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

    def operation(self, frame: Drawn, node: Node) -> Op:
        """The operation with its glyph and links; `_node` completes it."""
        base, ins, outs = frame.base, frame.ins, frame.outs
        self.builder.told(base.oid, (*(value for _, value in node.settings), *node.inputs))
        if self.sizes:
            node = node.map_settings(lambda value: in_sizes(value, self.sizes))
            node = replace(node, inputs=tuple(in_sizes(x, self.sizes) for x in node.inputs))
        node = self._windowed(node)
        if self.builder.numbers:
            node = replace(node, attrs=tuple((name, self._counted(name, value)) for name, value in node.attrs))
        links = tuple(links_of(node, ins, outs))
        found = pointwise(look(node, self.builder.divides), links)
        plus = "₊" if node.op in ("linear", "conv") and len(node.inputs) > 2 and node.inputs[2] is not None else ""
        text = self.builder.named(found.text, found.long) + (plus if found.glyph == "linear" else "")
        attrs = (("bias", plus),) if found.glyph == "conv" and plus else ()
        if found.glyph == "conv" and ins[0] is not None:
            statics = {"groups": node.attr("groups"), "cin": ins[0].type.axes[1].size}
            attrs = (*attrs, ("groups", groups(statics)))
        above, caption = self._settings(found, quiet(node, self.builder.divides))
        return replace(
            base, glyph=found.glyph, text=text, above=above, caption=caption, learned=frame.learned, links=links,
            attrs=attrs, operands=found.operands,
        )  # fmt: skip

    def _settings(self, found: Look, texts: Iterable[str]) -> tuple[str, str]:
        """What floats over the tensor and the caption, one of them with settings where they are asked for."""
        told = ", ".join(texts) if self.builder.options.settings else ""
        if found.glyph in ("float", "join"):
            return f"{found.above} ({told})" if told else found.above, found.caption
        return found.above, ", ".join(x for x in (found.caption, told) if x)

    def _windowed(self, node: Node) -> Node:
        """A convolution that says how large its window is: its weight does."""
        weight = node.inputs[1] if node.op in ("conv", "conv_transpose") else None
        if not isinstance(weight, str):
            return node
        sizes = self.wires(self.graph.values[weight]).type.sizes[2:]
        return replace(node, attrs=(("kernel", sizes), *node.attrs))

    def _counted(self, name: str, value: Any) -> Any:
        """A setting of a window in numbers, where these are known."""
        told = name in WINDOW and not self.builder.options.live
        return in_sizes(value, self.builder.numbers) if told else value

    def visit_call(self, frame: Drawn, node: Node, told: CallAttrs) -> Op:
        base, ins, outs, callee = frame.base, frame.ins, frame.outs, node.callee
        if callee is None:
            return replace(base, text=f"✗ {place_name(self.path + node.path)}", caption="has errors")
        sizes = {u: s.subs(self.sizes) if self.sizes else s for u, s in node.bindings}
        name = callee.block.rsplit(".", 1)[-1]
        place = place_name(self.path + node.path)
        base = replace(base, text=name, caption=place if place != name else "", learned=not callee.stateless)
        base = replace(base, attrs=identified(callee, self.path + node.path))
        inner = LIBRARY.get(callee.block)
        if self._opens(callee, node.path, inner is not None):
            return self._open(base, node, callee, sizes, ins)
        if inner is not None and not node.supplied and len(outs) == 1 and ins and ins[0] is not None:
            return self._library(base, inner, callee, sizes, ins[0], outs[0])
        given = [node.inputs[k] if k < len(node.inputs) else None for k in range(len(callee.graph.inputs))]
        operands = called(name, given) if sum(w is not None for w in ins) > 1 else ()
        links = tuple(self.builder.passing.links(callee, ins, outs))
        self.builder.uses[base.oid] = [sizes]
        attrs = (*base.attrs, *statics(callee, sizes, [*ins, *outs], self.builder.divides))
        return replace(base, glyph="slab", links=links, operands=operands, attrs=attrs)

    def _opens(self, callee: Definition, path: str, library: bool) -> bool:
        options = self.builder.options
        return bool(names_of(callee, path, self.path) & options.open) or (self.depth > 0 and not library)

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
        self.builder.told(base.oid, statics.values())
        statics = {name: self._counted(name, value) for name, value in statics.items()}
        bias = any(weight.path == "bias" for weight in callee.weights)
        attrs = library_attrs(inner, x, statics)
        node = Node(inner if inner not in ("embedding", "mask") else "", (x.tid,), (), attrs=attrs)
        links = tuple(links_of(node, (x,), (out,))) if node.op else ()
        found = pointwise(library_look(inner, bias, statics, self.builder.divides), links, "₊" if bias else "")
        if inner == "embedding":
            links = tuple(Link("through", (a,), (b,)) for a, b in zip(x.axes, out.axes, strict=False))
        elif inner == "mask":
            links = tuple(Link("through", (a,), (b,)) for a, b in zip(x.axes[:-2], out.axes[:-2], strict=True))
        found = replace(found, caption=base.caption)
        above, caption = self._settings(found, quiet_statics(inner, callee, self.builder.divides))
        base = replace(base, glyph=found.glyph, text=found.text, above=above, caption=caption)
        attrs = base.attrs
        if inner.startswith("conv"):
            attrs = (*attrs, *((("bias", "₊"),) if bias else ()), ("groups", groups(statics)))
        return replace(base, links=links, attrs=attrs)

    def visit_repeat(self, frame: Drawn, node: Node, told: RepeatAttrs) -> Op:
        count = told.count.subs(self.sizes) if self.sizes else told.count
        self.builder.told(frame.base.oid, (count,))
        self.builder.sizes |= {str(count): count} if self.builder.options.live else {}
        text = f"×{size_label(count, self.builder.divides)}"
        made = self._region(frame, node, "repeat", text)
        return replace(made, caption=node.path, attrs=(*made.attrs, ("path", self.path + node.path)))

    def visit_scan(self, frame: Drawn, node: Node, told: ScanAttrs) -> Op:
        first = told.parts(frame.ins).sliced[0]
        label = first.type.axes[told.axes[0]].label if first is not None else None
        return self._region(frame, node, "scan", f"scan {label or ''}".strip() + (" ←" if told.reverse else ""))

    def visit_vectorized(self, frame: Drawn, node: Node, told: VectorizedAttrs) -> Op:
        found = (w.type.axes[at] for w, at in zip(frame.ins, told.in_axes, strict=False) if w is not None)
        axis = next(found, None)
        text = axis.label if axis is not None and axis.label else size_label(told.size)
        return self._region(frame, node, "repeat", f"{node.op} {text}")

    def visit_phase(self, frame: Drawn, node: Node, told: PhaseAttrs) -> Op:
        return self._region(frame, node, "phase", node.op, ("training", "deployed"))

    def visit_given(self, frame: Drawn, node: Node, told: GivenAttrs) -> Op:
        name = str(node.inputs[0])
        asked = self.graph.values[name].hint or name
        return self._region(frame, node, "phase", "", (f"given: {asked}", f"absent: {asked}"))

    def visit_tapped(self, frame: Drawn, node: Node, told: TappedAttrs) -> Op:
        return self._region(frame, node, "phase", node.op)

    def visit_grad(self, frame: Drawn, node: Node, told: GradAttrs) -> Op:
        return self._region(frame, node, "phase", "∇")

    def visit_custom_grad(self, frame: Drawn, node: Node, told: CustomGradAttrs) -> Op:
        return self._region(frame, node, "phase", node.op, ("value", "its derivative"))

    def _region(self, frame: Drawn, node: Node, glyph: str, text: str, titles: Sequence[str] = ("", "")) -> Op:
        """A node that holds graphs, with what stands at their head and the title of each."""
        bodies, enter, leave = [], [], []
        for title, region in zip(titles, node.regions, strict=False):
            scope = _Scope(self.builder, region, self.sizes, self.prefix, self.path, self.depth)
            bodies.append(replace(scope.section([scope.wires(v) for v in region.inputs]), title=title))
            enter += entering(node, region, frame.ins, self.prefix)
            leave += leaving(node, region, frame.outs, bodies[-1].outputs)
        attrs = (("carry", str(0 if node.loop is None else node.loop.carried)),)
        return replace(frame.base, glyph=glyph, text=text, bodies=tuple(bodies), enter=tuple(enter),
                       leave=tuple(leave), attrs=attrs,
                       links=tuple(vectorized(node, frame.ins, frame.outs)))  # fmt: skip

    def visit_weight(self, frame: Drawn, node: Node, told: WeightAttrs) -> Op:
        attrs = (("path", self.path + node.path),)
        return replace(frame.base, glyph="weight", text=node.path.replace(".*.", "."), learned=True, attrs=attrs)

    def visit_update(self, frame: Drawn, node: Node, told: UpdateAttrs) -> Op:
        return replace(frame.base, glyph="sink", text=node.path)

    def visit_tap(self, frame: Drawn, node: Node, told: TapAttrs) -> Op:
        return replace(frame.base, glyph="sink", text=told.name)

    def visit_fault(self, frame: Drawn, node: Node, told: FaultAttrs) -> Op:
        return replace(frame.base, text=f"✗ {told.text.split()[0]}", caption=told.text)

    def visit_extern(self, frame: Drawn, node: Node, told: ExternAttrs) -> Op:
        return self.operation(frame, node)

    def visit_initial(self, frame: Drawn, node: Node, told: InitialAttrs) -> Op:
        return self.operation(frame, node)

    def visit_static(self, frame: Drawn, node: Node, told: AbstractCallAttrs) -> Op:
        return self.operation(frame, node)

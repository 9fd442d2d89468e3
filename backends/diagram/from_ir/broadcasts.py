"""Which axes a block hands on untouched: those run past its slab, as a broadcast over them does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ogive.backends.diagram.figure.figure import Link
from ogive.backends.diagram.from_ir.links import links_of
from ogive.backends.diagram.from_ir.wires import Classes, Wires
from ogive.compiler.ir.attributes import VectorizedAttrs
from ogive.compiler.ir.model import Definition, Graph, Node

Place = tuple[int, str]  # which input or output, which of its wires ("0", "1", ..., "e")
Group = tuple[tuple[Place, ...], tuple[Place, ...]]
KEPT = ("through", "join", "split")


@dataclass(slots=True)
class Passing:
    """Remembers what each definition hands on."""

    known: dict[int, tuple[Group, ...]] = field(default_factory=dict)

    def links(self, callee: Definition, ins: Sequence[Wires | None], outs: Sequence[Wires]) -> list[Link]:
        """The wires of a call that run past it."""
        found = []
        for left, right in self.groups(callee):
            a = tuple(f"{w.tid}.{place}" for k, place in left if k < len(ins) and (w := ins[k]) is not None)
            b = tuple(f"{outs[k].tid}.{place}" for k, place in right)
            if a and (len(a) == 1 or len(b) == 1):
                found.append(Link("join" if len(a) > 1 else "split" if len(b) > 1 else "through", a, b))
        return found

    def groups(self, callee: Definition) -> tuple[Group, ...]:
        """For each axis that passes, where it enters and where it leaves."""
        if id(callee) not in self.known:
            self.known[id(callee)] = self._found(callee.graph)
        return self.known[id(callee)]

    def _found(self, graph: Graph) -> tuple[Group, ...]:
        classes, touched = Classes(), set[str]()
        self._graph(graph, classes, touched)
        bad = {classes.find(sid) for sid in touched}
        groups: dict[str, tuple[list[Place], list[Place]]] = {}
        for half, names in ((0, [v.name for v in graph.inputs]), (1, list(graph.outputs))):
            for k, name in enumerate(names):
                if not isinstance(name, str):
                    continue
                for sid in Wires(name, graph.values[name].type).all:
                    root = classes.find(sid)
                    if root not in bad:
                        groups.setdefault(root, ([], []))[half].append((k, sid.rsplit(".", 1)[1]))
        return tuple((tuple(a), tuple(b)) for a, b in groups.values() if a and b)

    def _graph(self, graph: Graph, classes: Classes, touched: set[str]) -> None:
        for node in graph.nodes:
            values = graph.values
            ins = [Wires(x, values[x].type) if isinstance(x, str) else None for x in node.inputs]
            outs = [Wires(v.name, v.type) for v in node.outputs]
            if node.regions:
                self._region(node, ins, outs, classes, touched)
                continue
            links = self.links(node.callee, ins, outs) if node.callee is not None else links_of(node, ins, outs)
            named = {sid for link in links for sid in (*link.left, *link.right)}
            touched.update(sid for w in (*ins, *outs) if w for sid in w.all if sid not in named)
            for link in links:
                if link.kind in KEPT:
                    classes.unite(*link.left, *link.right)
                else:
                    touched.update((*link.left, *link.right))

    def _region(
        self, node: Node, ins: Sequence[Wires | None], outs: Sequence[Wires], classes: Classes, touched: set[str]
    ) -> None:
        for region in node.regions:
            self._graph(region, classes, touched)
            for pair in entering(node, region, ins):
                classes.unite(*pair)
            leaving_pairs = leaving(node, region, outs)
            for pair in leaving_pairs:
                classes.unite(*pair)
            starts = () if node.loop is None else node.loop.parts(region.inputs).carried
            for value, result in zip(starts, region.outputs, strict=False):
                if isinstance(result, str):
                    start, end = (Wires(name, region.values[name].type) for name in (value.name, result))
                    for a, b in zip(start.all, end.all, strict=False):
                        classes.unite(a, b)
            past = vectorized(node, ins, outs)
            for link in past:
                classes.unite(*link.left, *link.right)
            spoken = {sid for pair in (*entering(node, region, ins), *leaving_pairs) for sid in pair}
            spoken |= {sid for link in past for sid in (*link.left, *link.right)}
            touched.update(sid for w in (*ins, *outs) if w for sid in w.all if sid not in spoken)


def entering(node: Node, region: Graph, ins: Sequence[Wires | None], prefix: str = "") -> list[tuple[str, str]]:
    """(wire of an operand, wire of the region's input): sliced axes stay outside."""
    found: list[tuple[str, str]] = []
    if node.op == "custom_grad" and region is not node.regions[0]:
        return found  # it reads the incoming gradient, which no wire of this drawing carries
    for k, wires in enumerate(ins):
        if wires is None:
            continue
        if k >= len(region.inputs):
            continue
        inner = Wires(prefix + region.inputs[k].name, region.inputs[k].type)
        found += _pairs(wires, inner, None if node.structure is None else node.structure.input_axis(k))
    return found


def vectorized(node: Node, ins: Sequence[Wires | None], outs: Sequence[Wires]) -> list[Link]:
    """The axis that a block is vectorized over runs past it, from all operands that have it to all results."""
    if not isinstance(node.structure, VectorizedAttrs):
        return []
    told = node.structure
    a = [w.axes[at] for k, w in enumerate(ins) if w is not None and (at := told.input_axis(k)) is not None]
    b = [w.axes[at] for w, at in zip(outs, told.out_axes, strict=False)]
    if len(a) == len(b) == 1:
        return [Link("through", tuple(a), tuple(b))]
    if len(a) > 1 and len(b) > 1:  # a dot joins or parts, but not both: the results after the first start at the edge
        return [Link("join", tuple(dict.fromkeys(a)), (b[0],))]
    if not b:
        return []
    return [Link("join" if len(a) > 1 else "split" if a else "fresh", tuple(dict.fromkeys(a)), tuple(b))] if a else [
        Link("fresh", (), (sid,)) for sid in b]  # fmt: skip


def leaving(
    node: Node, region: Graph, outs: Sequence[Wires], ends: Sequence[str] | None = None
) -> list[tuple[str, str]]:
    """(wire of the region's output, wire of the result): a yield has the axis of the iterations beside.

    `ends` are the names of the tensors at the end of a drawn region, where they differ from those of the values.
    """
    names = iter(ends if ends is not None else [name for name in region.outputs if isinstance(name, str)])
    found: list[tuple[str, str]] = []
    for k, (name, wires) in enumerate(zip(region.outputs, outs, strict=False)):
        if isinstance(name, str):
            inner = Wires(next(names), region.values[name].type)
            cut = None if node.structure is None else node.structure.result_axis(k)
            found += [(a, b) for b, a in _pairs(wires, inner, cut)]
    return found


def _pairs(outer: Wires, inner: Wires, cut: int | None) -> Iterable[tuple[str, str]]:
    axes = [sid for i, sid in enumerate(outer.axes) if i != cut]
    pairs = list(zip(axes, inner.axes, strict=False))
    if outer.dtype and inner.dtype:
        pairs.append((outer.dtype, inner.dtype))
    return pairs

"""The pass `poset_pool`: chosen pools become pools of a poset, or such pools are added."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from math import prod
from operator import itemgetter
from statistics import mean, pstdev
from typing import Any

from ogive.compiler.ir.model import CallAttrs, Definition, Graph, Model, Node
from ogive.compiler.ir.substitute import Fresh, with_operands
from ogive.compiler.ir.types import TensorType
from ogive.compiler.ir_tools.graph_builder import Building
from ogive.compiler.passes.conversion.result import Note, Passed, PassError, unchanged
from ogive.compiler.passes.infra.driver import optimized
from ogive.compiler.passes.infra.instance_paths import named
from ogive.compiler.passes.infra.rewrite import Rule, rules_pass
from ogive.compiler.passes.posets.average import flat_origin, why
from ogive.compiler.passes.posets.nodes import FORMS, Window, averaged, pooled
from ogive.compiler.posets.closed_form import PLACES, closed_form
from ogive.compiler.posets.poset import Poset, PosetError
from ogive.compiler.posets.syntax import read
from ogive.compiler.sizes import maximum, size
from ogive.grammar.spelling import close

POOLS = {"max": ("max_pool",), "avg": ("avg_pool",), "any": ("max_pool", "avg_pool")}
KERNELS = 1024  # most upsets of which the form "vertices" makes kernels
MATCH = "match"


def poset_pool(
    model: Model, *, order: str | Poset = "diamond", pools: str = "max", at: str = "", after: str = "",
    kernel: int = 2, scale: float | str = 1.0, form: str = "auto",
) -> Passed:  # fmt: skip
    """Replace the pools of a kind ("max", "avg", "any") by that of a poset, or add one `after` blocks, by name or path.

    `at` names the blocks that hold the pools. A pool that is added has windows of `kernel` at every place, filled with
    zeros, and so keeps all sizes. `scale` multiplies the result, since other pools have other means and deviations:
    "match" gives it the deviation that the replaced pool has on normal numbers. `form` is "closed" (additions and
    maxima), "vertices" (one convolution), or what needs fewer operations. What follows a ReLU becomes an average, which
    is what every poset pool is on numbers that are not negative.
    """
    for name, value, known in (("pools", pools, tuple(POOLS)), ("form", form, FORMS)):
        if value not in known:
            raise PassError("E0810", f"`{name}` is one of {', '.join(known)}, not `{value}`", close(str(value), known))
    if isinstance(scale, str) and scale != MATCH:
        raise PassError("E0810", f'`scale` is a number or "{MATCH}", not `{scale}`')
    swap = _Swap(model.name, order, scale, form)
    if after:
        rule = swap.adding(after, kernel)
    else:
        rule = swap.replacing(at, POOLS[pools])
    result = optimized(model, (rule,))
    if not any(note.done for note in swap.notes):
        kind = "pool" if pools == "any" else f"{pools} pool"
        what = f"no block `{after}` that gives an image" if after else f"no {kind}{f' in `{at}`' if at else ''}"
        why = f": {swap.notes[0].text}" if swap.notes else ""
        raise PassError("E0811", f"{model.name} has {what} that fits a poset{why}", _meant(model, after or at))
    return Passed(result, unchanged(model, result), tuple(dict.fromkeys(swap.notes)), changing="poset_pool")


def _meant(model: Model, name: str) -> str:
    found: set[str] = set()

    def visit(definition: Definition) -> None:
        for instance in definition.instances:
            found.update((instance.definition.name, instance.path))
            visit(instance.definition)
        found.update(node.callee.name for node in definition.graph.walk() if node.callee is not None)

    visit(model.definition)
    return close(name, sorted(found)) if name else ""


@dataclass(slots=True)
class _Swap:
    model: str
    order: str | Poset
    scale: float | str
    form: str
    notes: list[Note] = field(default_factory=list)
    posets: dict[int, Poset] = field(default_factory=dict)
    averages: set[str] = field(default_factory=set)  # those that stand in the place of pools

    def replacing(self, at: str, ops: tuple[str, ...]) -> Any:
        """The pass over definitions that swaps their pools."""

        def swapped(definition: Definition) -> Definition:
            if at and not named(definition, at):
                return definition
            return rules_pass((self.rule(definition.name, ops),))(definition)

        return swapped

    def rule(self, place: str, ops: tuple[str, ...]) -> Rule:
        def swap(node: Node, graph: Graph, fresh: Fresh) -> list[Node] | None:
            path = f"{place}.{node.outputs[0].name}" if node.outputs else ""
            if node.op not in ops or path in self.averages or any(note.path == path for note in self.notes):
                return None
            window = _window(node, graph)
            if window is None:
                self.notes.append(Note(False, path, f"{node.op}: its window is no number of at most {PLACES} places"))
                return None
            made = self.nodes(node, graph, fresh, window, path, flat_origin(graph, node.inputs[0]))
            self.averages.update(f"{place}.{each.outputs[0].name}" for each in made if each.op == "avg_pool")
            return made

        return swap

    def nodes(self, node: Node, graph: Graph, fresh: Fresh, window: Window, path: str, positive: str) -> list[Node]:
        source = str(node.inputs[0])
        build = Building(fresh, {source: graph.values[source].type}, span=node.span)
        places = prod(window.kernel)
        poset = self.poset(places)
        factor = self.factor(poset, node.op)
        if positive and all(step == size(1) for step in window.dilation):
            self.notes.append(Note(True, path, f"{node.op} became an average: {why(positive, places)}"))
            averaged(build, source, window, places * factor)
        else:
            made = f"the pool of {poset}" + (f", times {factor:.3g}" if factor != 1 else "")
            self.notes.append(Note(True, path, f"{node.op} became {made}"))
            try:
                name = pooled(build, source, window, poset, self.form)
            except PosetError as error:
                raise PassError("E0810", f"order {self.order!r}: {error}") from None
            if factor != 1:
                build.op("mul", name, factor)
        return [*build.nodes[:-1], replace(build.nodes[-1], outputs=node.outputs)]

    def adding(self, after: str, kernel: int) -> Any:
        """The pass over definitions that adds a pool after calls of a block, by its name or its path there."""
        if isinstance(kernel, bool) or not isinstance(kernel, int) or not 2 <= kernel <= PLACES:
            raise PassError("E0810", f"`kernel` is a number of places on a side, from 2 on, not {kernel}")

        def added(definition: Definition) -> Definition:
            fresh = Fresh.of(definition.graph)
            graph = self.added(definition.name, definition.graph, fresh, after, kernel)
            return definition if graph is definition.graph else replace(definition, graph=graph)

        return added

    def added(self, place: str, graph: Graph, fresh: Fresh, after: str, kernel: int) -> Graph:
        nodes: list[Node] = []
        renamed: dict[str, Any] = {}
        changed = False
        for node in graph.nodes:
            regions = tuple(self.added(place, region, fresh, after, kernel) for region in node.regions)
            if any(a is not b for a, b in zip(regions, node.regions, strict=True)):
                node, changed = replace(node, regions=regions), True
            node = with_operands(node, renamed)
            nodes.append(node)
            if node.op != "call" or node.callee is None or not self.wanted(node, after, kernel):
                continue
            out = node.outputs[0]
            pool = Node.of(CallAttrs(), (out.name,), (fresh.value(out.type, out.hint),), span=node.span)
            window = _everywhere(out.type, kernel)
            beside = Graph((out,), (), (out.name,))
            nodes += self.nodes(pool, beside, fresh, window, f"{place}.{node.path or node.callee.name}", "")
            renamed[out.name] = pool.outputs[0].name
            changed = True
        if not changed:
            return graph
        outputs = tuple(renamed.get(x, x) if isinstance(x, str) else x for x in graph.outputs)
        return Graph(graph.inputs, tuple(nodes), outputs)

    def wanted(self, node: Node, after: str, kernel: int) -> bool:
        assert node.callee is not None
        if not (named(node.callee, after) or (node.path and fnmatchcase(node.path, after))):
            return False
        type = node.outputs[0].type
        axes = len(type.axes) - 2
        fits = len(node.outputs) == 1 and type.rank is not None and axes >= 1 and kernel**axes <= PLACES
        if not fits:
            text = f"it gives {type}, not [b, c, ...] with windows of at most {PLACES} places"
            self.notes.append(Note(False, node.path or node.callee.name, text))
        return fits

    def poset(self, places: int) -> Poset:
        """The order on a window of so many places."""
        if places not in self.posets:
            found = _poset(self.order, places)
            if self.form == "vertices" and found.has_more_upsets_than(KERNELS):
                text = f"`form` vertices would make more than {KERNELS} kernels, one for each upset of {found}"
                raise PassError("E0810", text, "`closed`, or `auto`, which chooses it here")
            self.posets[places] = found
        return self.posets[places]

    def factor(self, poset: Poset, op: str) -> float:
        return _matching(poset, op) if isinstance(self.scale, str) else float(self.scale)


def _poset(order: str | Poset, places: int) -> Poset:
    if isinstance(order, Poset):
        if order.size != places:
            raise PassError("E0810", f"the order has {order.size} elements, and the window {places}")
        return order
    try:
        return read(str(order), places)
    except PosetError as error:
        raise PassError("E0810", f"order {order!r}: {error}") from None


def _matching(poset: Poset, op: str) -> float:
    """What gives the pool the deviation of the replaced one, both on independent normal numbers."""
    draw = random.Random(0)
    x = [[draw.gauss(0, 1) for _ in range(poset.size)] for _ in range(4000)]
    usual: Mapping[str, Callable[[list[float]], float]] = {"max_pool": max, "avg_pool": mean}
    theirs, form = usual.get(op, itemgetter(0)), closed_form(poset)
    return round(pstdev([theirs(row) for row in x]) / pstdev([form.run(row, _computed) for row in x]), 3)


def _computed(op: str, values: list[float]) -> float:
    """A step of a closed form on numbers."""
    return sum(values) if op == "add" else max(*values, 0.0) if op == "relu" else max(values)


def _window(node: Node, graph: Graph) -> Window | None:
    """The windows of a pool; what overhangs is filled with zeros, as padding is."""
    kernel, stride, pad = (node.attr(key) for key in ("kernel", "stride", "pad"))
    if not all(side.is_number for side in kernel) or prod(side.number for side in kernel) > PLACES:
        return None
    result, source = node.outputs[0].type, graph.values[str(node.inputs[0])].type
    apart = node.attr("dilation") or (size(1),) * len(kernel)
    after = pad
    if node.attr("ceil"):
        ends = zip(source.axes[2:], result.axes[2:], kernel, stride, pad, apart, strict=True)
        after = tuple(
            maximum(near, (windows.size - 1) * step + gap * (side - 1) + 1 - axis.size - near)
            for axis, windows, side, step, near, gap in ends
        )
    return Window(tuple(side.number for side in kernel), stride, apart, pad, after, result)


def _everywhere(type: TensorType, kernel: int) -> Window:
    """A window at every place; one more zero after than before where its side is even."""
    axes = len(type.axes) - 2
    ones, near, far = (((size(n)),) * axes for n in (1, (kernel - 1) // 2, kernel // 2))
    return Window((kernel,) * axes, ones, ones, near, far, type)

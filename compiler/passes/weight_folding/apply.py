"""Writes affine regions in their cheapest form: folded, or as they stand."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ogive.compiler.ir.model import Graph, Node, Operand, Value
from ogive.compiler.ir.types import Axis, TensorType
from ogive.compiler.passes.conversion.result import Note
from ogive.compiler.passes.conversion.scope import ConversionScope, apply
from ogive.compiler.passes.weight_folding.affine import Affine, ConvTerm
from ogive.compiler.passes.weight_folding.affine_kernels import letters
from ogive.compiler.passes.weight_folding.binding_time import BindingTimes, key
from ogive.compiler.passes.weight_folding.border import border_map, known_sides
from ogive.compiler.passes.weight_folding.plan import AffineForm, Region, path_of
from ogive.compiler.sizes import Size, size


@dataclass(slots=True)
class Folding:
    """Writes the regions of one graph."""

    graph: Graph
    scope: ConversionScope
    static: BindingTimes
    notes: list[Note]
    regions: dict[str, Region]

    def run(self) -> Graph:
        """The graph with every region in its cheapest form."""
        inside = {key(part.node) for region in self.regions.values() for part in region.operands}
        nodes: list[Node] = []
        for node in self.graph.nodes:
            name = key(node)
            if name in inside:
                continue
            nodes += self.emit(self.regions[name]) if name in self.regions else [node]
        return Graph(self.graph.inputs, tuple(nodes), self.graph.outputs)

    def emit(self, region: Region) -> list[Node]:
        """The nodes of a region, the last of which gives its value."""
        widest, plan = region.forms[0], region.plan
        path = path_of(widest.affine)
        if plan.reason not in ("", "no fewer operations") and path:
            ops = ", ".join(node.op for node in widest.nodes)
            self.notes.append(Note(False, path, f"{ops}: {plan.reason}"))
        if plan.form is None:
            return [node for part in region.operands for node in self.emit(part)] + [region.node]
        return [node for part in plan.form.closed for node in self.emit(part)] + self.folded(plan.form)

    def folded(self, form: AffineForm) -> list[Node]:
        """The sum of the maps, named as the value was."""
        affine, last = form.affine, form.nodes[-1]
        nodes: list[Node] = []
        total: str | None = None
        bias = affine.bias
        type = last.outputs[0].type
        for term in sorted(affine.terms, key=lambda term: term.identity):
            takes = bias is not None and not term.identity and not term.diagonal
            value = self.mapped(term, bias if takes else None, type, nodes)
            bias = None if takes else bias
            total = value if total is None else self.sum(total, value, type, nodes)
        if bias is not None and total is not None:
            stored = self.weight(self.channelwise(bias, affine.rank), self.sibling(affine, "bias"), nodes)
            total = self.sum(total, stored, type, nodes)
        nodes[-1] = replace(nodes[-1], outputs=last.outputs, span=last.span)
        steps = [node for node in nodes if node.op != "weight"]
        before, after = (", ".join(node.op for node in found) for found in (form.nodes, steps))
        self.notes.append(Note(True, path_of(affine) or self.first(form), f"{before} became {after}"))
        return [*_weights(nodes), *steps]

    def first(self, form: AffineForm) -> str:
        """The first weight that a form of scales and shifts depends on."""
        static = (name for node in form.nodes for name in node.operands if name in self.scope.types)
        return next((path for name in static for path in self.static.below_of(self.scope, name)), "")

    def mapped(self, term: ConvTerm, bias: str | None, result: TensorType, nodes: list[Node]) -> str:
        """One term at run time."""
        if term.kernel is None and not term.padded:
            return term.source
        source = term.source
        kernel = term.kernel if term.kernel is not None else ""
        term = replace(term, path=term.path or self.sibling(None, "weight"))  # a pool has no weight to stand beside
        if term.diagonal:
            scale = self.scope.shaped(kernel, f"c 1{' 1' * len(term.window)} -> c{' 1' * len(term.window)}")
            stored = self.weight(scale, term.path, nodes)
            return self.add(nodes, "mul", (source, stored), result)
        weight = self.weight(kernel, term.path, nodes)
        sides = known_sides(term, self.graph)
        image = border_map(self.scope, term, sides, bias) if sides else None
        offset = None if bias is None or image is not None else self.weight(bias, _beside(term.path, "bias"), nodes)
        if term.leaf is not None:
            node = replace(term.leaf, inputs=(source, weight, offset), outputs=(self.value(result),))
            nodes.append(node)
            return key(node)
        if not term.window:
            return self.add(nodes, "linear", (source, weight, offset), result)
        source, pads = self.padded(term, nodes)
        attrs = (("stride", _sizes(term.stride)), ("pad", pads), ("dilation", _sizes(term.dilation)),
                 ("groups", size(term.groups)), ("pad_mode", term.mode))  # fmt: skip
        nodes.append(Node("conv", (source, weight, offset), (self.value(result),), attrs))
        value = key(nodes[-1])
        if image is not None:
            return self.sum(value, self.weight(image, f"{_place(term.path)}_border", nodes), result, nodes)
        return value if term.border is None else self.bordered(term, value, result, nodes)

    def padded(self, term: ConvTerm, nodes: list[Node]) -> tuple[str, tuple[Size, ...] | str]:
        """The source of a convolution, and the padding that it has itself."""
        source, type = term.source, self.type_of(term.source, nodes)
        if term.same and any(low != high for low, high in term.pads):
            return source, "same"
        for at in term.uneven:
            low, high = term.pads[at]
            node = apply("pad", (source,), (type,), self.scope.fresh.name("pad"),
                         {"axis": at + 2, "before": size(low), "after": size(high)})  # fmt: skip
            nodes.append(node)
            source, type = key(node), node.outputs[0].type
        return source, _sizes(tuple(0 if at in term.uneven else low for at, (low, _) in enumerate(term.pads)))

    def bordered(self, term: ConvTerm, value: str, result: TensorType, nodes: list[Node]) -> str:
        """The result plus E ∗ 1: what the constant part of the source becomes, less what its padding lacks."""
        assert term.border is not None
        type = self.type_of(term.source, nodes)
        one = Axis(size(1))
        ones_type = type.with_axes(one, one, *type.axes[2:])
        ones = Node("ones", (), (self.value(ones_type),), (("type", "float"), ("sizes", ones_type.axes)))
        nodes.append(ones)
        k = letters(len(term.window))
        weight = self.weight(self.scope.shaped(term.border, f"o{k} -> o 1{k}"), f"{_place(term.path)}_border", nodes)
        padded, even = self.padded(replace(term, source=key(ones)), nodes)
        attrs = (("stride", _sizes(term.stride)), ("pad", even), ("dilation", _sizes(term.dilation)),
                 ("groups", size(1)), ("pad_mode", "zeros"))  # fmt: skip
        border = result.with_axes(one, *result.axes[1:])
        nodes.append(Node("conv", (padded, weight, None), (self.value(border),), attrs))
        return self.sum(value, key(nodes[-1]), result, nodes)

    def type_of(self, name: str, nodes: list[Node]) -> TensorType:
        made = {value.name: value.type for node in nodes for value in node.outputs}
        return made[name] if name in made else self.graph.values[name].type

    def channelwise(self, vector: str, rank: int) -> str:
        """[c] as [c, 1, ...], to meet axis 1."""
        return self.scope.shaped(vector, f"c -> c{' 1' * rank}") if rank else vector

    def sibling(self, affine: Affine | None, name: str) -> str:
        path = path_of(affine) if affine is not None else ""
        return _beside(path, name) if path else f"folded_{name}"

    def weight(self, value: str, path: str, nodes: list[Node]) -> str:
        prefix = self.scope.path + ".*." if self.scope.path and not path.startswith(self.scope.path) else ""
        node = self.static.store(self.scope, value, prefix + path)
        if node.op == "weight" and all(key(other) != key(node) for other in nodes):
            nodes.append(node)
        return key(node)

    def sum(self, a: str, b: str, type: TensorType, nodes: list[Node]) -> str:
        return self.add(nodes, "add", (a, b), type)

    def add(self, nodes: list[Node], op: str, inputs: tuple[Operand, ...], type: TensorType) -> str:
        nodes.append(Node(op, inputs, (self.value(type),)))
        return key(nodes[-1])

    def value(self, type: TensorType) -> Value:
        return self.scope.fresh.value(type)


def _weights(nodes: list[Node]) -> list[Node]:
    return [node for node in nodes if node.op == "weight"]


def _beside(path: str, name: str) -> str:
    """The path of a weight next to another: `conv.bias` beside `conv.weight`, `kernel_bias` beside `kernel`."""
    stem, dot, last = path.rpartition(".")
    return stem + dot + name if last == "weight" else f"{path}_{name}"


def _place(path: str) -> str:
    """The path of what has a weight."""
    stem, _, last = path.rpartition(".")
    return stem if last == "weight" and stem else path


def _sizes(numbers: tuple[int, ...]) -> tuple[Size, ...]:
    return tuple(size(number) for number in numbers)

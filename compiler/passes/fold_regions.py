"""Regions of affine operations, and the cheapest way to compute each: folded, or as it stands."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import prod

from ogive.compiler.ir import Graph, Node, Operand, Value
from ogive.compiler.passes.affine import Affine, Term
from ogive.compiler.passes.affine_sum import work
from ogive.compiler.passes.conversion_scope import Scope, apply
from ogive.compiler.passes.deploy_passed import Note
from ogive.compiler.passes.fold_cost import Cost, cost, leaf_cost, node_cost
from ogive.compiler.passes.fold_rules import Context, transfer
from ogive.compiler.passes.fold_static import Static, count, key
from ogive.compiler.sizes import Size, size
from ogive.compiler.types import TensorType


@dataclass(frozen=True, slots=True)
class Region:
    """A node with an affine result, and the regions of those of its operands that nothing else reads."""

    node: Node
    affine: Affine
    inner: tuple[Region, ...]

    def nodes(self) -> list[Node]:
        """All nodes, in order."""
        return [node for region in self.inner for node in region.nodes()] + [self.node]


@dataclass(slots=True)
class Folding:
    """Folds the affine regions of one graph."""

    graph: Graph
    scope: Scope
    static: Static
    notes: list[Note]
    borders: bool = False  # whether a border may be computed at run time
    regions: dict[str, Region] = field(default_factory=dict)
    refusals: dict[str, str] = field(default_factory=dict)

    def run(self) -> Graph:
        """The graph with every region in its cheapest form."""
        for node in self.graph.nodes:
            if not (node.outputs and node.outputs[0].name in self.scope.types):
                self.grow(node)
        inside = {part.node.outputs[0].name for region in self.regions.values() for part in region.inner}
        nodes: list[Node] = []
        for node in self.graph.nodes:
            name = key(node)
            if name in inside:
                continue
            nodes += self.emit(self.regions[name]) if name in self.regions else [node]
        return Graph(self.graph.inputs, tuple(nodes), self.graph.outputs)

    def grow(self, node: Node) -> None:
        """Find the affine value of a node, over those of its operands where they compose."""
        found = transfer(node, Context(self.graph, self.scope, self.absorbed))
        if found is None:
            found = transfer(node, Context(self.graph, self.scope, lambda _: None))
            if found is not None:
                self.closed(node)
        if found is None:
            return
        sources = {term.source for term in found.terms}
        absorbed = [name for name in dict.fromkeys(node.operands) if name in self.regions and name not in sources]
        self.regions[key(node)] = Region(node, found, tuple(self.regions[name] for name in absorbed))

    def absorbed(self, name: str) -> Affine | None:
        """The affine value of an operand, where this is its one use."""
        if name not in self.regions or len(self.graph.users[name]) + self.graph.outputs.count(name) != 1:
            return None
        return self.regions[name].affine

    def closed(self, node: Node) -> None:
        for name in node.operands:
            found = self.absorbed(name)
            if found is not None:
                path = next((term.path for term in found.terms if term.path), "")
                self.notes.append(Note(False, path, f"{self.regions[name].node.op} before {node.op}: {_why(found)}"))

    def emit(self, region: Region) -> list[Node]:
        """The nodes of a region, the last of which gives its value."""
        if self.folds(region):
            return self.folded(region)
        if region.inner:
            self.explain(region)
        return [node for part in region.inner for node in self.emit(part)] + [region.node]

    # --- what pays

    def folds(self, region: Region) -> bool:
        """Whether the folded form is expressible, stores no more, and costs less."""
        name = key(region.node)
        if name not in self.refusals:
            self.refusals[name] = self.refusal(region)
        return self.refusals[name] == ""

    def refusal(self, region: Region) -> str:
        """Why a region is not folded, or "" where it is."""
        affine = region.affine
        if len(affine.terms) > len(region.nodes()) or not _expressible(affine):
            return "no operation computes it"
        if any(term.border is not None for term in affine.terms) and not self.borders:
            return "what is padded is not zero: its border would need a map of its own"
        if self.steps(affine) >= self.kept_steps(region):
            return "no fewer operations"
        if not self.static.grow and self.stored(affine) > self.freed(region):
            return self.full(region)
        return "" if self.cost(affine, region).at_most(self.kept(region)) else "one map costs more than the steps"

    def full(self, region: Region) -> str:
        """Why storing the folded weights would take more room."""
        names = {key(node) for node in region.nodes()}
        paths = dict.fromkeys(path for node in region.nodes() for x in node.operands for path in self.below(x))
        shared = [path for path in paths if not self.static.released(path, names)]
        return f"{', '.join(shared)} has other users" if shared else "the folded weights would be larger"

    def kept_steps(self, region: Region) -> int:
        """The operations of the region where each part is in its best form."""
        return 1 + sum(self.steps(part.affine) if self.folds(part) else self.kept_steps(part) for part in region.inner)

    def steps(self, affine: Affine) -> int:
        """The operations of the folded form."""
        maps = [term for term in affine.terms if not term.identity]
        uneven = sum(1 for term in maps if term.leaf is None for a, b in term.pads if a != b)
        borders = 3 * sum(1 for term in maps if term.border is not None)
        return len(maps) + len(affine.terms) - 1 + int(self.loose(affine)) + uneven + borders

    def loose(self, affine: Affine) -> bool:
        """Whether the bias needs an addition of its own."""
        return affine.bias is not None and all(term.identity or term.diagonal for term in affine.terms)

    def cost(self, affine: Affine, region: Region) -> Cost:
        """Operations of the folded form."""
        result = region.node.outputs[0].type
        total = cost(result, len(affine.terms) - 1 + int(self.loose(affine)))
        for term in affine.terms:
            if term.leaf is not None:
                total = total + leaf_cost(term.leaf, self.graph, self.scope)
            elif not term.identity:
                total = total + cost(result, work(term))
        return total

    def kept(self, region: Region) -> Cost:
        """Operations of the region where each part is in its best form."""
        total = node_cost(region.node, self.graph, self.scope)
        for part in region.inner:
            total = total + (self.cost(part.affine, part) if self.folds(part) else self.kept(part))
        return total

    def stored(self, affine: Affine) -> int:
        """The numbers that the folded form stores, without weights that stay as they are."""
        values = [name for term in affine.terms for name in (term.kernel, term.border)] + [affine.bias]
        fresh = {v for v in values if v is not None and self.scope.makers[v].op != "weight"}
        return sum(prod(self.scope.shape(value)) for value in fresh)

    def freed(self, region: Region) -> int:
        """The numbers that nothing needs any more once the region is folded."""
        names = {key(node) for node in region.nodes()}
        affine = region.affine
        kept = {v for term in affine.terms for v in (term.kernel, term.border, affine.bias) if v is not None}
        direct = {self.scope.makers[v].path for v in kept if self.scope.makers[v].op == "weight"}
        paths = {path for node in region.nodes() for x in node.operands for path in self.below(x)}
        return sum(count(self.static.weights[p].type) for p in paths - direct if self.static.released(p, names))

    def below(self, name: str) -> tuple[str, ...]:
        return self.static.below_of(self.scope, name) if name in self.scope.types else ()

    def explain(self, region: Region) -> None:
        path = next((term.path for term in region.affine.terms if term.path), "")
        reason = self.refusals[key(region.node)]
        if path and reason != "no fewer operations":
            ops = ", ".join(node.op for node in region.nodes())
            self.notes.append(Note(False, path, f"{ops}: {reason}"))

    # --- the folded form

    def folded(self, region: Region) -> list[Node]:
        """The sum of the maps, named as the value was."""
        affine, last = region.affine, region.node
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
        paths = dict.fromkeys(term.path for term in affine.terms if term.path)
        steps = [node for node in nodes if node.op != "weight"]
        before, after = (", ".join(node.op for node in found) for found in (region.nodes(), steps))
        self.notes.append(Note(True, next(iter(paths), ""), f"{before} became {after}"))
        return [*_weights(nodes), *steps]

    def mapped(self, term: Term, bias: str | None, result: TensorType, nodes: list[Node]) -> str:
        """One term at run time."""
        if term.kernel is None and not term.padded:
            return term.source
        source = term.source
        kernel = term.kernel if term.kernel is not None else ""
        if term.diagonal:
            scale = self.scope.shaped(kernel, f"c 1{' 1' * len(term.window)} -> c{' 1' * len(term.window)}")
            stored = self.weight(scale, term.path or self.sibling(None, "weight"), nodes)
            return self.add(nodes, "mul", (source, stored), result)
        weight = self.weight(kernel, term.path, nodes)
        offset = None if bias is None else self.weight(bias, _beside(term.path, "bias"), nodes)
        if term.leaf is not None:
            node = replace(term.leaf, inputs=(source, weight, offset), outputs=(self.value(result),))
            nodes.append(node)
            return key(node)
        if not term.window:
            return self.add(nodes, "linear", (source, weight, offset), result)
        source, pads = self.padded(term, nodes)
        attrs = (("stride", _sizes(term.stride)), ("pad", _sizes(pads)), ("dilation", _sizes(term.dilation)),
                 ("groups", size(term.groups)), ("pad_mode", term.mode))  # fmt: skip
        nodes.append(Node("conv", (source, weight, offset), (self.value(result),), attrs))
        value = key(nodes[-1])
        return value if term.border is None else self.bordered(term, pads, source, value, result, nodes)

    def padded(self, term: Term, nodes: list[Node]) -> tuple[str, tuple[int, ...]]:
        """The source of a convolution, and the padding that it has on both sides."""
        source = term.source
        even = tuple(a if a == b or term.mode != "zeros" else 0 for a, b in term.pads)
        type = self.type_of(source, nodes)
        for at, (low, high) in enumerate(term.pads):
            if low != high and term.mode == "zeros":
                node = apply("pad", (source,), (type,), self.scope.fresh.name("pad"),
                             {"axis": at + 2, "before": size(low), "after": size(high)})  # fmt: skip
                nodes.append(node)
                source, type = key(node), node.outputs[0].type
        return source, even

    def bordered(
        self, term: Term, pads: tuple[int, ...], source: str, value: str, result: TensorType, nodes: list[Node]
    ) -> str:
        """The result plus E ∗ 1: what the constant part of the source becomes, less what its padding lacks."""
        assert term.border is not None
        type = self.type_of(term.source, nodes)
        one = type.axes[0].__class__(size(1))
        ones_type = type.with_axes(one, one, *type.axes[2:])
        ones = Node("ones", (), (self.value(ones_type),), (("type", "float"), ("sizes", ones_type.axes)))
        nodes.append(ones)
        k = " p q r"[: 2 * len(term.window)]
        kernel = self.scope.shaped(term.border, f"o{k} -> o 1{k}")
        weight = self.weight(kernel, _beside(term.path, "border"), nodes)
        shell = replace(term, source=key(ones))
        padded, even = self.padded(shell, nodes)
        attrs = (("stride", _sizes(term.stride)), ("pad", _sizes(even)), ("dilation", _sizes(term.dilation)),
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
        path = next((term.path for term in affine.terms if term.path), "") if affine is not None else ""
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


def _sizes(numbers: tuple[int, ...]) -> tuple[Size, ...]:
    return tuple(size(number) for number in numbers)


def _expressible(affine: Affine) -> bool:
    for term in affine.terms:
        if not term.window and not term.identity and not term.diagonal and term.groups != 1:
            return False
        if term.mode != "zeros" and any(a != b for a, b in term.pads):
            return False
        if term.kernel is None and term.padded:
            return False
    return True


def _why(affine: Affine) -> str:
    if any(term.mode != "zeros" and term.padded for term in affine.terms):
        return "its padding is not zeros"
    if any(term.padded for term in affine.terms):
        return "both are padded"
    return "they do not compose"

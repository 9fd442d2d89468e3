"""Which operations fold together: for each value the ways to compute it, and the cheapest."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod

from ogive.compiler.ir.model import Graph, Node
from ogive.compiler.ir.types import Axis
from ogive.compiler.passes.conversion.result import Note
from ogive.compiler.passes.conversion.scope import ConversionScope
from ogive.compiler.passes.weight_folding.affine import Affine, ConvTerm
from ogive.compiler.passes.weight_folding.affine_sum import work
from ogive.compiler.passes.weight_folding.binding_time import BindingTimes, count, key
from ogive.compiler.passes.weight_folding.border import BORDER, bordered, map_shape
from ogive.compiler.passes.weight_folding.context import TransferContext
from ogive.compiler.passes.weight_folding.cost import Cost, cost, leaf_cost, node_cost
from ogive.compiler.passes.weight_folding.rules import transfer
from ogive.compiler.sizes import size

WIDEST = 3  # forms of an operand that its reader tries


@dataclass(frozen=True, slots=True)
class AffineForm:
    """A value as one affine map: the nodes that it stands for, and the regions whose values it still reads."""

    affine: Affine
    nodes: tuple[Node, ...]
    closed: tuple[Region, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """The cheapest way to a value: a form, or (None) the node as it stands; with all that it needs."""

    form: AffineForm | None
    cost: Cost
    steps: int
    reason: str  # why the widest form is not taken, or ""


@dataclass(frozen=True, slots=True)
class Region:
    """A node with an affine value, and the regions of those of its operands that nothing else reads."""

    node: Node
    forms: tuple[AffineForm, ...]  # the widest first
    operands: tuple[Region, ...]
    plan: Plan


@dataclass(slots=True)
class Planner:
    """Finds the regions of one graph."""

    graph: Graph
    scope: ConversionScope
    static: BindingTimes
    notes: list[Note]
    borders: bool = False  # whether borders were asked for: then they count for nothing
    regions: dict[str, Region] = field(default_factory=dict)

    def run(self) -> dict[str, Region]:
        """The regions by the value that they give; those inside of others too."""
        for node in self.graph.nodes:
            if not (node.outputs and node.outputs[0].name in self.scope.types):
                self.grow(node)
        return self.regions

    def grow(self, node: Node) -> None:
        """Find the affine forms of a node, over those of its operands."""
        names = [name for name in dict.fromkeys(node.operands) if self.alone(name)]
        operands = tuple(self.regions[name] for name in names)
        forms: list[AffineForm] = []
        for choice in _choices(operands):
            chosen = {name: form for name, form in zip(names, choice, strict=True) if form is not None}
            form = self.form(node, chosen, dict(zip(names, operands, strict=True)))
            if form is not None and all(form.nodes != other.nodes for other in forms):
                forms.append(form)
        if forms:
            self.regions[key(node)] = self.region(node, forms, operands)
            if operands and len(forms[0].nodes) == 1:
                self.apart(node, operands)

    def alone(self, name: str) -> bool:
        """Whether a value has a region and one reader."""
        return name in self.regions and len(self.graph.users[name]) + self.graph.outputs.count(name) == 1

    def form(self, node: Node, chosen: dict[str, AffineForm], operands: dict[str, Region]) -> AffineForm | None:
        """The form of a node over these forms of its operands."""
        affines = {name: form.affine for name, form in chosen.items()}
        found = transfer(node, TransferContext(self.graph, self.scope, affines.get))
        if found is None:
            return None
        sources = {term.source for term in found.terms}
        taken = [form for name, form in chosen.items() if name not in sources]
        nodes = tuple(inner for form in taken for inner in form.nodes)
        closed = [region for form in taken for region in form.closed]
        closed += [region for name, region in operands.items() if name in sources]
        return AffineForm(found, (*nodes, node), tuple(closed))

    def region(self, node: Node, forms: list[AffineForm], operands: tuple[Region, ...]) -> Region:
        """The cheapest plan; of the forms, those that a reader may want: the widest, the cheapest, the narrowest."""
        total, steps = node_cost(node, self.graph, self.scope), 1
        for operand in operands:
            total, steps = total + operand.plan.cost, steps + operand.plan.steps
        plan = Plan(None, total, steps, "")
        for form in forms:
            plan = self.better(form, plan, widest=form is forms[0])
        kept = [form for form in forms if form in (forms[0], plan.form, forms[-1])]
        return Region(node, tuple(kept), operands, plan)

    def better(self, form: AffineForm, plan: Plan, *, widest: bool) -> Plan:
        """The form, where it is expressible, stores no more, and costs less than the plan so far."""
        total, steps = self.cost(form), self.steps(form.affine)
        for region in form.closed:
            total, steps = total + region.plan.cost, steps + region.plan.steps
        reason = self.refusal(form)
        traded = bordered(form.affine) and not plan.cost.at_most(total)  # a map of the border for a norm
        if not reason and steps + (not traded) > plan.steps:
            reason = "no fewer operations"
        if not reason and not total.at_most(plan.cost):
            reason = BORDER if bordered(form.affine) else "one map costs more than the steps"
        if not reason:
            return Plan(form, total, steps, plan.reason)
        return Plan(plan.form, plan.cost, plan.steps, reason if widest and len(form.nodes) > 1 else plan.reason)

    def refusal(self, form: AffineForm) -> str:
        """Why a form cannot be taken at any cost, or ""."""
        affine = form.affine
        if not _expressible(affine):
            return "no operation computes it"
        if not self.static.grow and self.stored(affine) > self.freed(form):
            return BORDER if bordered(affine) else self.full(form)
        return ""

    def full(self, form: AffineForm) -> str:
        """Why storing the folded weights would take more room."""
        names = {key(node) for node in form.nodes}
        paths = dict.fromkeys(path for node in form.nodes for x in node.operands for path in self.below(x))
        shared = [path for path in paths if not self.static.released(path, names)]
        return f"{', '.join(shared)} has other users" if shared else "the folded weights would be larger"

    def steps(self, affine: Affine) -> int:
        """The operations of a folded form."""
        maps = [term for term in affine.terms if not term.identity]
        uneven = sum(len(term.uneven) for term in maps if term.leaf is None)
        borders = sum(1 if map_shape(term, self.graph) else 3 for term in maps if self.counted(term))
        return len(maps) + len(affine.terms) - 1 + int(loose(affine)) + uneven + borders

    def cost(self, form: AffineForm) -> Cost:
        """The arithmetic of a folded form."""
        affine, result = form.affine, form.nodes[-1].outputs[0].type
        total = cost(result, len(affine.terms) - 1 + int(loose(affine)))
        for term in affine.terms:
            if term.leaf is not None:
                total = total + leaf_cost(term.leaf, self.graph, self.scope)
            elif not term.identity:
                total = total + cost(result, work(term))
            if self.counted(term):
                total = total + cost(result, 1)
                if not map_shape(term, self.graph):
                    one = result.with_axes(Axis(size(1)), *result.axes[1:])
                    total = total + cost(one, prod(term.window))
        return total

    def stored(self, affine: Affine) -> int:
        """The numbers that the folded form stores, without weights that stay as they are."""
        maps = {term.border: map_shape(term, self.graph) for term in affine.terms if self.counted(term)}
        values = [term.kernel for term in affine.terms] + [border for border, shape in maps.items() if not shape]
        values += [] if any(maps.values()) else [affine.bias]
        fresh = {v for v in values if v is not None and self.scope.makers[v].op != "weight"}
        return sum(prod(self.scope.shape(value)) for value in fresh) + sum(map(prod, filter(None, maps.values())))

    def counted(self, term: ConvTerm) -> bool:
        """Whether a term has a border that must pay."""
        return term.border is not None and not self.borders

    def freed(self, form: AffineForm) -> int:
        """The numbers that nothing needs any more once the form is taken."""
        names = {key(node) for node in form.nodes}
        affine = form.affine
        kept = {v for term in affine.terms for v in (term.kernel, term.border, affine.bias) if v is not None}
        direct = {self.scope.makers[v].path for v in kept if self.scope.makers[v].op == "weight"}
        paths = {path for node in form.nodes for x in node.operands for path in self.below(x)}
        whole = sum(count(self.static.weights[p].type) for p in paths - direct if self.static.released(p, names))
        parts = (self.static.shares.get(p, {}) for p in paths - direct if not self.static.released(p, names))
        return whole + sum(numbers for part in parts for reader, numbers in part.items() if reader in names)

    def below(self, name: str) -> tuple[str, ...]:
        return self.static.below_of(self.scope, name) if name in self.scope.types else ()

    def apart(self, node: Node, operands: tuple[Region, ...]) -> None:
        """Say why a node does not compose with what it reads."""
        for operand in operands:
            affine = operand.forms[0].affine
            path = path_of(affine)
            if path:
                self.notes.append(Note(False, path, f"{operand.node.op} before {node.op}: {_why(affine, node)}"))


def _choices(operands: tuple[Region, ...]) -> list[tuple[AffineForm | None, ...]]:
    """Forms of the operands to try: alike for all of them, then with one operand closed; at last all closed."""
    if not operands:
        return [()]
    found = [tuple(region.forms[min(at, len(region.forms) - 1)] for region in operands) for at in range(WIDEST)]
    mixed = [
        tuple(None if i == at else form for i, form in enumerate(choice))
        for choice in found[:2] for at in range(len(operands)) if len(operands) > 1
    ]  # fmt: skip
    # forms of one region differ: by identity, since to compare or hash one is to walk all that it holds
    return list({tuple(map(id, choice)): choice for choice in [*found, *mixed, (None,) * len(operands)]}.values())


def loose(affine: Affine) -> bool:
    """Whether the bias needs an addition of its own."""
    return affine.bias is not None and all(term.identity or term.diagonal for term in affine.terms)


def path_of(affine: Affine) -> str:
    """The first weight of an affine value."""
    return next((term.path for term in affine.terms if term.path), "")


def _expressible(affine: Affine) -> bool:
    if affine.bias is None and all(term.identity for term in affine.terms) and len(affine.terms) == 1:
        return False  # the source itself has no operation
    for term in affine.terms:
        if not term.window and not term.identity and not term.diagonal and term.groups != 1:
            return False
        if term.mode != "zeros" and term.uneven:
            return False
        if term.kernel is None and term.padded:
            return False
    return True


def _why(affine: Affine, reader: Node) -> str:
    if reader.op not in ("conv", "avg_pool", "pad"):
        return "they do not compose"
    if any(term.mode != "zeros" and term.padded for term in affine.terms):
        return "its padding is not zeros"
    if any(term.padded for term in affine.terms):
        return "both are padded"
    return "they do not compose"

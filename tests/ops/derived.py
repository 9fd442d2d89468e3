"""An operation inside of `grad`, as a model that gives the derivative in every operand of floats."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ogive.compiler.ir.attributes import GradAttrs, OverAttrs
from ogive.compiler.ir.model import Definition, Graph, Model, Node, Static, Value
from ogive.compiler.ir.types import FLOATS, Axis, TensorType
from ogive.compiler.sizes import size
from ops.cases import Case
from ops.vectorized import LENGTH, VectorizedCase, vectorized_case

STEP = 1e-6


@dataclass(frozen=True)
class Derived:
    """Σ w y² of the results y of an operation, as a region of one operand and the others, and its derivatives."""

    case: VectorizedCase
    wrt: tuple[int, ...]  # the operands of floats

    @property
    def kinds(self) -> Sequence[TensorType]:
        return self.case.kinds

    def region(self, first: int) -> tuple[Graph, list[int]]:
        """The scalar, and the order of operands with one of them first."""
        order = [first, *(at for at in range(len(self.kinds)) if at != first)]
        prefix = f"d{first}_"
        inner = [Value(f"{prefix}i{at}", kind, f"x{at}") for at, kind in enumerate(self.kinds)]
        node, numbered = self.case.node, iter(range(len(inner)))
        inputs = tuple(inner[next(numbered)].name if isinstance(x, str) else x for x in node.inputs)
        results = tuple(Value(prefix + value.name, value.type) for value in node.outputs)
        nodes = [Node(node.op, inputs, results, node.attrs)]
        terms = [term for value in results for term in _squares(nodes, value)]
        total, scalar = terms[0], nodes[-1].outputs[0].type
        for number, term in enumerate(terms[1:]):
            nodes.append(Node("add", (total, term), (Value(f"{prefix}total{number}", scalar),)))
            total = f"{prefix}total{number}"
        return Graph(tuple(inner[at] for at in order), tuple(nodes), (total,)), order

    def model(self) -> Model:
        """One `grad` for each operand of floats."""
        outside = tuple(Value(f"x{at}", kind, f"x{at}") for at, kind in enumerate(self.kinds))
        nodes = []
        for at in self.wrt:
            region, order = self.region(at)
            result = Value(f"g{at}", self.kinds[at])
            nodes.append(Node.of(GradAttrs(len(order)), tuple(f"x{i}" for i in order), (result,), (region,)))
        return self.whole(Graph(outside, tuple(nodes), tuple(f"g{at}" for at in self.wrt)))

    def over(self) -> Model:
        """The same at every index of an axis that all operands have in front."""
        plain = self.model().definition.graph
        n = Axis(size(LENGTH))
        outside = tuple(Value(f"z{at}", kind.with_axes(n, *kind.axes)) for at, kind in enumerate(self.kinds))
        results = tuple(Value(f"r{at}", self.kinds[at].with_axes(n, *self.kinds[at].axes)) for at in self.wrt)
        many = len(outside)
        told = OverAttrs(n.size, many, (0,) * many, (0,) * len(results))
        node = Node.of(told, tuple(value.name for value in outside), results, (plain,))
        return self.whole(Graph(outside, (node,), tuple(value.name for value in results)))

    def whole(self, graph: Graph) -> Model:
        """A model of a graph at the numbers of the case."""
        values = self.case.values
        numbers = {unknown: number for unknown, number in values.items() if unknown.kind == "size"}
        statics = tuple(Static(unknown.name, "size", unknown) for unknown in numbers)
        sizes = tuple(unknown for unknown in values if unknown not in numbers)
        names = tuple(f"y{at}" for at in range(len(graph.outputs)))
        block = Definition("Op", "Op", statics, sizes, graph, names, (False,) * len(graph.inputs), (), ())
        return Model("Op", block, tuple(numbers.items()), ())

    def energy(self, operands: Sequence[Tensor]) -> Tensor:
        """The scalar, by the function of the operation alone."""
        made = self.case.function(*operands)
        results = (made,) if isinstance(made, Tensor) else made
        floats = [y for y in results if y.is_floating_point() or y.is_complex()]
        return torch.stack([(y.abs() ** 2).sum() for y in floats]).sum()


def derived(case: Case, depth: int = 0) -> Derived | None:
    """The derivatives of a case; None where no operand or no result is of floats."""
    found = vectorized_case(case, depth=depth)
    wrt = tuple(at for at, kind in enumerate(found.kinds) if kind.elem in FLOATS)
    there = any(value.type.elem in (*FLOATS, "complex") for value in found.node.outputs)
    return Derived(found, wrt) if wrt and there else None


def _squares(nodes: list[Node], value: Value) -> list[str]:
    """The sum of the squares of a result, of both parts where it is complex."""
    if value.type.elem == "complex":
        kind = value.type.with_elem("float")
        parts = [Value(f"{value.name}_{part}", kind) for part in ("real", "imag")]
        nodes += [Node(part.name.rpartition("_")[2], (value.name,), (part,)) for part in parts]
        return [term for part in parts for term in _squares(nodes, part)]
    if value.type.elem not in FLOATS:
        return []
    square = Value(f"{value.name}_square", value.type)
    total = Value(f"{value.name}_sum", TensorType(value.type.elem, ()))
    nodes.append(Node("mul", (value.name, value.name), (square,)))
    axes = (("axes", tuple(range(len(value.type.axes)))),)
    nodes.append(Node("sum", (square.name,), (total,), axes))
    return [total.name]


def slope(function: Callable[[Sequence[Tensor]], Tensor], operands: Sequence[Tensor], at: int, way: Tensor) -> Tensor:
    """The derivative of a number in one operand along a direction, by central differences."""

    def moved(step: float) -> list[Tensor]:
        return [x + step * way if i == at else x for i, x in enumerate(operands)]

    return (function(moved(STEP)) - function(moved(-STEP))) / (2 * STEP)

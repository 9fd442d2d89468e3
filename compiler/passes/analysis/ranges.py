"""Which whole numbers the inputs of a model may be: those with which every index stays inside, at given sizes."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import log, prod

from ogive.compiler.ir.model import Const, Definition, Graph, Model, Node, Operand
from ogive.compiler.ir.substitute import in_sizes, type_in_sizes
from ogive.compiler.ir.types import TensorType
from ogive.compiler.ops import Trait, has
from ogive.compiler.ops.held import BITS
from ogive.compiler.sizes import Size, Unknown, size

Range = tuple[int, int]  # both included
SMALL: Range = (0, 1)  # where the way to an index is not understood
EXACT = 2**53  # some kernels add, multiply and raise integers to powers in float64
# what lies between what it makes of the ends
ENDS: dict[str, Callable[[int, int], int]] = {
    "add": operator.add, "sub": operator.sub, "mul": operator.mul, "maximum": max, "minimum": min,
}  # fmt: skip


def of_elem(elem: str) -> Range:
    """All numbers of an integer type."""
    top: int = 2 ** (BITS[elem] - 1)
    return -top, top - 1


def index_ranges(model: Model, sizes: Mapping[Unknown, Size]) -> list[Range | None]:
    """For each input of integers the numbers it may hold; None for others. `sizes` are all numbers."""
    frame = _Frame(model.definition, model.definition.graph, sizes)
    found: list[Range | None] = []
    for value in model.definition.graph.inputs:
        whole = of_elem(value.type.elem) if value.type.elem in BITS else None
        found.append(None if whole is None else _met(whole, frame.wanted.get(value.name)))
    return found


def _met(a: Range, b: Range | None) -> Range:
    """Numbers in both; where there are none, the small ones."""
    if b is None:
        return a
    low, high = max(a[0], b[0]), min(a[1], b[1])
    return (low, high) if low <= high else (max(a[0], min(0, high)), max(a[0], min(0, high)))


@dataclass(slots=True)
class _Frame:
    """A graph at one place of use; `results` are what its users ask of its outputs."""

    definition: Definition
    graph: Graph
    sizes: Mapping[Unknown, Size]
    results: Sequence[Range | None] = ()
    wanted: dict[str, Range] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for output, wanted in zip(self.graph.outputs, self.results, strict=False):
            self.ask(output, wanted)
        for node in reversed(self.graph.nodes):
            self.node(node)

    def ask(self, operand: Operand, wanted: Range | None) -> None:
        """A reader asks that the numbers of a value lie in a range."""
        if wanted is None or not isinstance(operand, str):
            return
        self.wanted[operand] = _met(wanted, self.wanted.get(operand))

    def type(self, operand: Operand) -> TensorType:
        """The type of a value, all sizes numbers."""
        assert isinstance(operand, str), operand
        return type_in_sizes(self.graph.values[operand].type, self.sizes)

    def length(self, operand: Operand, axis: int) -> int:
        """The length of an axis."""
        return self.type(operand).axes[axis].size.number

    def node(self, node: Node) -> None:
        """What a node asks of its operands, by itself and because of its results."""
        wanted = [self.wanted.get(value.name) for value in node.outputs]
        if node.op in ("take", "gather", "scatter_add", "scatter"):
            self.ask(node.inputs[1], (0, self.length(node.inputs[0], node.attr("axis")) - 1))
            self.ask(node.inputs[0], wanted[0])
        elif node.op == "grouped_matmul":  # all groups together have no more rows than there are
            x, w, sizes = node.inputs
            self.ask(sizes, (0, self.length(x, 0) // max(1, self.length(w, 0))))
        elif node.op == "one_hot":
            self.ask(node.inputs[0], (0, self.number(node.attr("n")) - 1))
        elif node.op == "put":
            self.put(node, wanted[0])
        elif node.callee is not None or node.regions:
            self.inside(node, wanted)
        elif node.op in ("sum", "prod", "reduce", "pow") and node.outputs[0].type.elem in BITS:
            self.ask(node.inputs[-1], self.exact(node))
        elif node.op in ("shift_left", "shift_right"):
            self.ask(node.inputs[0], None if wanted[0] is None else SMALL)
            self.ask(node.inputs[1], (0, BITS[node.outputs[0].type.elem] - 1 if wanted[0] is None else 0))
        elif any(each is not None for each in wanted):
            for operand, range_ in zip(node.inputs, self.back(node, wanted), strict=True):
                self.ask(operand, range_)

    def number(self, value: Size | int) -> int:
        """A size as a number."""
        return int(in_sizes(size(value), self.sizes).number)

    def put(self, node: Node, wanted: Range | None) -> None:
        """The place must leave room for what is put there."""
        axis = node.attr("axis")
        room, length = self.length(node.inputs[0], axis), self.length(node.inputs[1], axis)
        if len(node.inputs) > 2:
            self.ask(node.inputs[2], (0, room - length - self.number(node.attr("start"))))
        self.ask(node.inputs[0], wanted)
        self.ask(node.inputs[1], wanted)

    def exact(self, node: Node) -> Range | None:
        """Operands of which the result is a number of float64: of a sum or product, or the exponents of a number."""
        operand = node.inputs[-1]
        if node.op == "pow":
            base = self.known(node.inputs[0])
            return None if base is None else (0, int(log(EXACT, max(2, *map(abs, base)))))
        if not isinstance(operand, str) or node.attr("op", node.op) not in ("sum", "prod"):
            return None
        inner, outer = (prod(axis.size.number for axis in self.type(x).axes) for x in (operand, node.outputs[0].name))
        count = max(1, inner // max(1, outer))
        most = EXACT // count if node.attr("op", node.op) == "sum" else int(EXACT ** (1 / count))
        return -most, most

    def inside(self, node: Node, wanted: Sequence[Range | None]) -> None:
        """Through calls and regions."""
        if node.callee is not None:
            sizes = {unknown: in_sizes(value, self.sizes) for unknown, value in node.bindings}
            frames = [_Frame(node.callee, node.callee.graph, sizes, wanted)]
        else:
            frames = [_Frame(self.definition, region, self.sizes, wanted) for region in node.regions]
        for frame in frames:
            for operand, value in zip(node.inputs, frame.graph.inputs, strict=False):
                self.ask(operand, frame.wanted.get(value.name))

    def back(self, node: Node, wanted: Sequence[Range | None]) -> list[Range | None]:
        """What it asks of its operands, so that its results lie in these ranges."""
        (low, high) = next(each for each in wanted if each is not None)
        if (
            node.op == "alias"
            or has(node.op, Trait.HANDS_ON)
            or (node.op == "cast" and self.type(node.inputs[0]).elem in BITS)
        ):
            return [(low, high)] * len(node.inputs)
        if node.op == "select":
            return [None, (low, high), (low, high)]
        if node.op in ("add", "sub", "mul", "floordiv", "maximum", "minimum"):
            return self.arithmetic(node, low, high)
        if node.op == "neg":
            return [(-high, -low)]
        if node.op == "mod" and low <= 0 and isinstance(node.inputs[1], Const):
            by = self.known(node.inputs[1])
            return [(max(low, 0), high) if by is not None and by[0] > high + 1 else None, None]
        if node.op == "clamp":
            inside = all(isinstance(node.attr(key), int | Size) for key in ("lo", "hi"))
            return [None if inside else (low, high)]
        if node.op in ("abs", "relu", "sign"):
            return [(low, high)]
        return [SMALL if isinstance(x, str) and self.type(x).elem in BITS else None for x in node.inputs]

    def arithmetic(self, node: Node, low: int, high: int) -> list[Range | None]:
        """One operand with what is known of the other; both small halves where nothing is."""
        a, b = (self.known(x) for x in node.inputs)
        if node.op in ("maximum", "minimum"):
            return [(low, high), (low, high)]
        if node.op == "mul":
            by = [self.known(x) for x in reversed(node.inputs)]
            return [_divided(low, high, other) for other in by]
        if node.op == "floordiv":
            known = b is not None and b[0] == b[1] > 0
            return [(low * b[0], high * b[0] + b[0] - 1) if b is not None and known else (0, 0), None]
        sign = 1 if node.op == "add" else -1
        if a is None and b is None:
            return [((low + 1) // 2, high // 2), (0, 0)] if sign > 0 else [(max(low, 0), high), (0, 0)]
        first = None if b is None else (low - min(sign * b[0], sign * b[1]), high - max(sign * b[0], sign * b[1]))
        second = None if a is None else (low - a[0], high - a[1])
        return [first, second if sign > 0 or second is None else (-second[1], -second[0])]

    def known(self, operand: Operand) -> Range | None:
        """The numbers that a value has whatever the inputs are."""
        if isinstance(operand, Const):
            value = in_sizes(operand.value, self.sizes)
            whole = value.number if isinstance(value, Size) else value
            return (whole, whole) if isinstance(whole, int) else None
        node = self.graph.producers.get(operand) if isinstance(operand, str) else None
        if node is None:
            return None
        if node.op == "arange":
            return 0, self.length(operand, 0) - 1
        if node.op in ("rearrange", "expand", "cast", "slice", "flip") and len(node.inputs) == 1:
            return self.known(node.inputs[0])
        if node.op in ENDS and len(node.inputs) == 2:
            a, b = (self.known(x) for x in node.inputs)
            if a is None or b is None:
                return None
            ends = [ENDS[node.op](x, y) for x in a for y in b]
            return min(ends), max(ends)
        return None


def _divided(low: int, high: int, by: Range | None) -> Range | None:
    """All x with low <= x · by <= high."""
    if by is None or by[0] <= 0:
        return SMALL
    return -(-low // by[0 if low > 0 else 1]), high // by[1 if high >= 0 else 0]

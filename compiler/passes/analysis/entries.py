"""What one entry of a tensor is, by its indices: a whole number, a truth, or a float that is not -∞.

Indices are sizes, over unknowns of their own; graphs are read from the result backwards, through calls and regions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from ogive.compiler.ir.attributes import (
    ChoiceAttrs,
    CustomGradAttrs,
    ExternAttrs,
    GradAttrs,
    InitialAttrs,
    LoopAttrs,
    VectorizedAttrs,
    WeightAttrs,
)
from ogive.compiler.ir.model import CallAttrs, Const, Definition, Node, Operand, Scalar
from ogive.compiler.ir.substitute import in_sizes
from ogive.compiler.ir_tools.interpreter import Visitor
from ogive.compiler.ops import OPS, Trait, has
from ogive.compiler.passes.analysis.frames import AnalysisFrame, Index, Source
from ogive.compiler.passes.analysis.permuted_entries import aligned, moved
from ogive.compiler.sizes import (
    FALSE,
    TRUE,
    Condition,
    Size,
    Unknown,
    all_of,
    any_of,
    compare,
    ge,
    lt,
    maximum,
    minimum,
    size,
)

Term = Size | tuple[object, ...]  # a number: in sizes, else by how it is made, so that equal ones are equal
Truth = tuple[Condition, Condition]  # where it surely holds, and where it surely does not

OPEN: Truth = (FALSE, FALSE)
LEAST = -65504.0  # what is below it is -∞ in halves
BUDGET = 4000  # entries that are looked at for one question
COMPARED = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
FILLED = {"zeros": 0.0, "ones": 1.0}


def whole_frame(definition: Definition, sizes: Mapping[Unknown, Size]) -> AnalysisFrame:
    """The definition as a model has it: its inputs are open."""
    return AnalysisFrame(definition, definition.graph, sizes, {})


def _called(frame: AnalysisFrame, node: Node) -> AnalysisFrame:
    callee = node.callee
    assert callee is not None, node
    sizes = {unknown: value.subs(frame.sizes) for unknown, value in node.bindings}
    inputs = zip(callee.graph.inputs, node.inputs, strict=True)
    return AnalysisFrame(
        callee, callee.graph, sizes, {value.name: (frame, operand, _same) for value, operand in inputs}
    )


def _same(index: Index) -> Index:
    return index


def _regions(frame: AnalysisFrame, node: Node) -> list[AnalysisFrame]:
    found = []
    for region in node.regions:
        plain = isinstance(node.structure, ChoiceAttrs) and len(region.inputs) == len(node.inputs)
        pairs = zip(region.inputs, node.inputs, strict=False) if plain else ()
        found.append(
            AnalysisFrame(frame.definition, region, frame.sizes, {v.name: (frame, x, _same) for v, x in pairs})
        )
    return found


def _loop(frame: AnalysisFrame, node: Node, loop: LoopAttrs) -> AnalysisFrame:
    (region,) = node.regions
    inside, outside = loop.parts(region.inputs), loop.parts(node.inputs)
    given: dict[str, Source] = {}
    carried: dict[str, tuple[Source, str]] = {}
    for value, operand, output in zip(inside.carried, outside.carried, region.outputs, strict=False):
        if isinstance(output, str):
            carried[value.name] = ((frame, operand, _same), output)
    for value, operand, axis in zip(inside.sliced, outside.sliced, loop.slice_axes, strict=True):
        given[value.name] = (frame, operand, _sliced(axis))
    for value, operand in zip(inside.captured, outside.captured, strict=True):
        given[value.name] = (frame, operand, _same)
    return AnalysisFrame(frame.definition, region, frame.sizes, given, carried)


def _sliced(axis: int) -> Callable[[Index], Index]:
    at = size(Unknown("turn", 0))
    return lambda index: (*index[:axis], at, *index[axis:])


class AskedEntry(NamedTuple):
    """An entry of a result of a node: of which value, at which indices."""

    frame: AnalysisFrame
    name: str
    at: Index


class Entries(Visitor[AskedEntry, Condition]):
    """Answers about entries. What takes more than a budget of steps is open. As a visitor it says of a node where the
    entry is surely not -∞; of what it does not know that is nowhere.
    """

    def __init__(self) -> None:
        self.left = BUDGET
        self.assumed: set[tuple[int, str]] = set()
        self.frames: dict[tuple[int, int], list[AnalysisFrame]] = {}  # by frame and node: one use is one frame

    def inside(self, frame: AnalysisFrame, node: Node) -> list[AnalysisFrame]:
        """What a node calls or the graphs that it holds, at their place."""
        key = (id(frame), id(node))
        if key not in self.frames:
            if node.callee is not None:
                self.frames[key] = [_called(frame, node)]
            else:
                self.frames[key] = _regions(frame, node) if node.loop is None else [_loop(frame, node, node.loop)]
        return self.frames[key]

    def fresh(self) -> None:
        """A new budget, for another question."""
        self.left = BUDGET

    def _spent(self) -> bool:
        self.left -= 1
        return self.left < 0

    # floats

    def finite(self, frame: AnalysisFrame, operand: Operand, index: Index) -> Condition:
        """Where the entry is surely not -∞."""
        if not isinstance(operand, str):
            return FALSE if isinstance(operand, Const) and _is_low(operand.value) else TRUE
        node = frame.graph.producers.get(operand)
        if self._spent():
            return FALSE
        return (
            self._finite_input(frame, operand, index)
            if node is None
            else self.node(AskedEntry(frame, operand, index), node)
        )

    def _finite_input(self, frame: AnalysisFrame, name: str, index: Index) -> Condition:
        if name in frame.given:
            outer, operand, at = frame.given[name]
            return self.finite(outer, operand, at(index))
        if name not in frame.carried:
            return FALSE if frame.graph.values[name].type.floating else TRUE
        key = (id(frame), name)
        if key in self.assumed:  # by induction: at first, and of the next where it does of this one
            return TRUE
        self.assumed.add(key)
        (outer, operand, at), after = frame.carried[name]
        both = all_of(self.finite(outer, operand, at(index)), self.finite(frame, after, index))
        self.assumed.discard(key)
        return both

    def operation(self, entry: AskedEntry, node: Node) -> Condition:
        (frame, name, index), op = entry, node.op
        if has(op, Trait.FINITE) or (op == "einsum" and len(node.inputs) > 1):
            return TRUE
        if has(op, Trait.POLE):
            return FALSE
        if op == "select":
            holds, fails = self.truth(frame, node.inputs[0], aligned(frame, node.inputs[0], index))
            a, b = (self.finite(frame, x, aligned(frame, x, index)) for x in node.inputs[1:])
            return any_of(all_of(a, b), all_of(holds, a), all_of(fails, b))
        if op in ("full", "constant", "linspace", "pad", "clamp", "maximum"):
            return self._bounded(frame, node, index)
        source = moved(frame, node, name, index)
        if source is not None:
            return all_of(*(any_of(out, self.finite(frame, x, at)) for x, at, out in source))
        if OPS[op].kind == "elementwise":
            return all_of(*(self.finite(frame, x, aligned(frame, x, index)) for x in node.inputs))
        if OPS[op].kind in ("reduction", "index", "layout", "value", "kernel", "random"):
            return all_of(*(self.finite(frame, x, self.anywhere(frame, x)) for x in node.inputs))
        return FALSE

    def visit_grad(self, entry: AskedEntry, node: Node, told: GradAttrs) -> Condition:
        return TRUE

    def visit_weight(self, entry: AskedEntry, node: Node, told: WeightAttrs) -> Condition:
        return TRUE if _learned(entry.frame.definition, node.path) else FALSE

    def visit_loop(self, entry: AskedEntry, node: Node, told: LoopAttrs) -> Condition:
        return self._inside(*entry, node)

    def visit_choice(self, entry: AskedEntry, node: Node, told: ChoiceAttrs) -> Condition:
        return self._inside(*entry, node)

    def visit_call(self, entry: AskedEntry, node: Node, told: CallAttrs) -> Condition:
        return self._inside(*entry, node)

    def visit_vectorized(self, entry: AskedEntry, node: Node, told: VectorizedAttrs) -> Condition:
        return FALSE

    def visit_custom_grad(self, entry: AskedEntry, node: Node, told: CustomGradAttrs) -> Condition:
        return FALSE

    def visit_extern(self, entry: AskedEntry, node: Node, told: ExternAttrs) -> Condition:
        return FALSE

    def visit_initial(self, entry: AskedEntry, node: Node, told: InitialAttrs) -> Condition:
        return FALSE

    def anywhere(self, frame: AnalysisFrame, operand: Operand) -> Index:
        """Some place of a tensor: indices of which nothing is known."""
        rank = len(frame.graph.values[operand].type.axes) if isinstance(operand, str) else 0
        return tuple(size(Unknown("anywhere", 0)) for _ in range(rank))

    def _bounded(self, frame: AnalysisFrame, node: Node, index: Index) -> Condition:
        if node.op == "pad" and node.attr("mode") == "constant":
            axis, length = node.attr("axis"), frame.type(str(node.inputs[0])).axes[node.attr("axis")].size
            at = index[axis] - size(node.attr("before")).subs(frame.sizes)
            inner = self.finite(frame, node.inputs[0], (*index[:axis], at, *index[axis + 1 :]))
            around = FALSE if _is_low(node.attr("value")) else TRUE
            return any_of(all_of(inner, around), all_of(inner, ge(at, 0), lt(at, length)))
        if node.op == "clamp" and not _is_low(node.attr("lo")):
            return TRUE
        if node.op == "maximum" and any(isinstance(x, Const) and not _is_low(x.value) for x in node.inputs):
            return TRUE
        numbers = [value for key, value in node.attrs if key in ("v", "list", "lo", "hi")]
        inputs = [self.finite(frame, x, aligned(frame, x, index)) for x in node.inputs if node.op != "pad"]
        inputs += [self.finite(frame, x, self.anywhere(frame, x)) for x in node.inputs if node.op == "pad"]
        return FALSE if node.op != "clamp" and any(map(_is_low, numbers)) else all_of(*inputs)

    def _inside(self, frame: AnalysisFrame, name: str, index: Index, node: Node) -> Condition:
        at = next(i for i, value in enumerate(node.outputs) if value.name == name)
        frames = self.inside(frame, node)
        if node.loop is not None and not node.loop.carries(at):
            axis = node.loop.yield_axis
            index = (*index[:axis], *index[axis + 1 :])
        found = [self.finite(inner, inner.graph.outputs[at], index) for inner in frames]
        if node.loop is not None and node.loop.carries(at):  # the first value, after no iteration
            found.append(self.finite(frame, node.inputs[at], index))
        return all_of(*found)

    # truths

    def truth(self, frame: AnalysisFrame, operand: Operand, index: Index) -> Truth:
        """Where the entry surely holds, and where it surely does not."""
        if not isinstance(operand, str):
            value = operand.value if isinstance(operand, Const) else None
            return OPEN if not isinstance(value, bool) else (TRUE, FALSE) if value else (FALSE, TRUE)
        node = frame.graph.producers.get(operand)
        if self._spent():
            return OPEN
        if node is None:
            source = frame.given.get(operand)
            return OPEN if source is None else self.truth(source[0], source[1], source[2](index))
        return self._truth(frame, node, operand, index)

    def _truth(self, frame: AnalysisFrame, node: Node, name: str, index: Index) -> Truth:
        if node.op in COMPARED:
            terms = (self.number(frame, x, aligned(frame, x, index)) for x in node.inputs)
            return _compared(COMPARED[node.op], *terms)
        if node.op in ("logical_and", "logical_or", "logical_not"):
            truths = [self.truth(frame, x, aligned(frame, x, index)) for x in node.inputs]
            holds, fails = tuple(t[0] for t in truths), tuple(t[1] for t in truths)
            if node.op == "logical_not":
                return fails[0], holds[0]
            return (all_of(*holds), any_of(*fails)) if node.op == "logical_and" else (any_of(*holds), all_of(*fails))
        if node.op in FILLED or (node.op == "full" and isinstance(node.attr("v"), bool | float | int)):
            return (TRUE, FALSE) if FILLED.get(node.op, node.attr("v")) else (FALSE, TRUE)
        if node.op in ("tril", "triu"):
            below = compare("<=", index[-1], index[-2] + size(node.attr("diagonal")).subs(frame.sizes))
            if node.op == "triu":
                below = compare(">=", index[-1], index[-2] + size(node.attr("diagonal")).subs(frame.sizes))
            holds_, fails_ = self.truth(frame, node.inputs[0], index)
            return all_of(holds_, below), any_of(fails_, below.negate())
        if node.op == "cast" and frame.graph.values[str(node.inputs[0])].type.elem != "bool":
            return _compared("!=", self.number(frame, node.inputs[0], index), size(0))
        if node.op == "call":
            (inner,) = self.inside(frame, node)
            at = next(i for i, value in enumerate(node.outputs) if value.name == name)
            return self.truth(inner, inner.graph.outputs[at], index)
        source = moved(frame, node, name, index)
        if source is None or len(source) != 1:
            return OPEN
        return self.truth(frame, source[0][0], source[0][1])

    # numbers

    def number(self, frame: AnalysisFrame, operand: Operand, index: Index) -> Term:
        """The entry as a size of indices, else by how it is made."""
        if not isinstance(operand, str):
            value = in_sizes(operand.value, frame.sizes) if isinstance(operand, Const) else None
            whole = isinstance(value, int | Size) and not isinstance(value, bool)
            return size(value) if whole else ("literal", value)  # type: ignore[arg-type]
        node = frame.graph.producers.get(operand)
        if self._spent():
            return ("open", object())
        if node is None:
            source = frame.given.get(operand)
            return (
                ("input", id(frame), operand, index)
                if source is None
                else self.number(source[0], source[1], source[2](index))
            )
        return self._number(frame, node, operand, index)

    def _number(self, frame: AnalysisFrame, node: Node, name: str, index: Index) -> Term:
        op = node.op
        if op == "arange":
            return index[0]
        if op in FILLED:
            return size(int(FILLED[op]))
        if op == "cast" and frame.graph.values[str(node.inputs[0])].type.elem == "bool":
            return ("truth", *self.truth(frame, node.inputs[0], index))
        if op == "cast" and not (
            frame.graph.values[str(node.inputs[0])].type.floating and node.attr("type") != "float"
        ):
            return self.number(frame, node.inputs[0], index)
        if op == "call":
            (inner,) = self.inside(frame, node)
            at = next(i for i, value in enumerate(node.outputs) if value.name == name)
            return self.number(inner, inner.graph.outputs[at], index)
        source = moved(frame, node, name, index)
        if source is not None and len(source) == 1:
            return self.number(frame, source[0][0], source[0][1])
        if op in OPS and OPS[op].kind == "elementwise":
            terms = [self.number(frame, x, aligned(frame, x, index)) for x in node.inputs]
            return _arithmetic(op, terms) or (op, node.attrs, *terms)
        return ("entry", id(frame), name, index)


def _compared(op: str, a: Term, b: Term) -> Truth:
    if isinstance(a, Size) and isinstance(b, Size):
        found = compare(op, a, b)
        return found, found.negate()
    if a == b:  # one and the same number, whatever it is, unless it is a NaN of floats
        return (TRUE, FALSE) if op in ("==", "<=", ">=") else (FALSE, TRUE)
    return OPEN


def _arithmetic(op: str, terms: list[Term]) -> Size | None:
    sizes = [term for term in terms if isinstance(term, Size)]
    if len(sizes) != len(terms):
        return None
    match op, sizes:
        case "add", [a, b]:
            return a + b
        case "sub", [a, b]:
            return a - b
        case "mul", [a, b]:
            return a * b
        case "neg", [a]:
            return -a
        case "abs", [a]:
            return maximum(a, -a)
        case "minimum", [a, b]:
            return minimum(a, b)
        case "maximum", [a, b]:
            return maximum(a, b)
        case (("floordiv" | "mod"), [a, b]) if b.range[0] is not None and b.range[0] >= 1:
            return a // b if op == "floordiv" else a % b
        case _:
            return None


def _is_low(value: object) -> bool:
    """Whether a number of the text, or one of a list, may be -∞ in some float type."""
    if isinstance(value, tuple | list):
        return any(map(_is_low, value))
    return isinstance(value, int | float) and not isinstance(value, bool | Scalar) and value < LEAST


def _learned(definition: Definition, path: str) -> bool:
    """Whether what is stored at a path is learned, and does not start at -∞."""
    for weight in definition.weights:
        if weight.path == path:
            start = dict(weight.init.attrs).get("v")
            graph = weight.init.graph
            low = graph is not None and any(
                isinstance(x, Const) and _is_low(x.value) for node in graph.walk() for x in node.inputs
            )
            return weight.kind == "param" and not _is_low(start) and not low
    for instance in definition.instances:
        if path.startswith(instance.path + "."):
            return _learned(instance.definition, path[len(instance.path) + 1 :])
    return False

"""Steps of a derivative: operations of the IR that are lowered and noted at once, so that they have derivatives too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ogive.backends.onnx_model.autodiff.tape import Noted
from ogive.backends.onnx_model.graph.builder import OnnxBuilder
from ogive.backends.onnx_model.graph.out_of_range import lowered
from ogive.backends.onnx_model.ops.operands import operand
from ogive.backends.onnx_model.ops.table import LOWER
from ogive.compiler.ir.model import Const, Node, Value
from ogive.compiler.ir.types import Axis, TensorType
from ogive.compiler.ops.recipe import Atom, AxisGroup, AxisPattern, Side
from ogive.compiler.sizes import Size, size

ONE = size(1)
UNIT = AxisGroup(((),))  # an axis of size 1

Operand = str | Const
Flow = str | None  # what flows back to an operand: nothing to a literal


@dataclass(frozen=True, slots=True)
class Steps:
    """Writes operations into a graph, and notes them."""

    graph: OnnxBuilder
    note: Callable[[Noted], None]

    def type(self, x: Operand) -> TensorType:
        """The type of a tensor."""
        return self.graph.type(x)

    def apply(self, op: str, inputs: Sequence[Operand], type: TensorType, /, **attrs: Any) -> str:
        """One operation with one result."""
        (found,) = self.applied(op, inputs, [type], **attrs)
        return found

    def applied(
        self, op: str, inputs: Sequence[Operand], types: Sequence[TensorType], /, **attrs: Any
    ) -> tuple[str, ...]:  # fmt: skip
        """One operation with results of these types."""
        elem = next((self.type(x).elem for x in reversed(inputs) if isinstance(x, str)), types[0].elem)
        node = Node(op, tuple(inputs), tuple(Value("", type) for type in types), tuple(attrs.items()))
        args, found = lowered(self.graph, LOWER[op], node, elem)
        for name, type in zip(found, types, strict=True):
            self.graph.types.setdefault(name, type)
        self.note(Noted(node, args, found))
        return found

    def map(self, op: str, x: str, **attrs: Any) -> str:
        """An element-wise operation of one operand."""
        return self.apply(op, (x,), self.type(x), **attrs)

    def both(self, op: str, a: Operand | float, b: Operand | float) -> str:
        """An element-wise operation of two operands, of which one may be a number."""
        inputs = [Const(x) if isinstance(x, float) else x for x in (a, b)]
        types = [self.type(x) for x in inputs if isinstance(x, str)]
        return self.apply(op, inputs, TensorType(types[0].elem, aligned([t.axes for t in types])))

    def mul(self, a: Operand | float, b: Operand | float) -> str:
        """`a * b`."""
        return self.both("mul", a, b)

    def asked(self, op: str, a: Operand, b: Operand) -> str:
        """A comparison."""
        types = [self.type(x) for x in (a, b) if isinstance(x, str)]
        return self.apply(op, (a, b), TensorType("bool", aligned([t.axes for t in types])))

    def filled(self, value: float, like: str) -> str:
        """A tensor of one number."""
        type = self.type(like)
        return self.apply("full", (), type, type=type.elem, sizes=type.axes, v=value)

    def ones_where(self, condition: str, like: str) -> str:
        """1 where a condition holds, else 0."""
        return self.apply("cast", (condition,), self.type(condition).with_elem(self.type(like).elem),
                          type=self.type(like).elem)  # fmt: skip

    def where(self, condition: str, a: Operand, b: Operand, like: str) -> str:
        """`select(condition, a, b)`."""
        return self.apply("select", (condition, a, b), self.type(like))

    # --- axes -----------------------------------------------------------------------------------------------------

    def moved(self, x: str, recipe: AxisPattern, op: str = "rearrange") -> str:
        """Axes brought into another order, dropped, added, merged: what a recipe with one side each says."""
        (side,) = recipe.outputs
        if recipe.inputs[0] == side:
            return x
        return self.apply(op, (x,), TensorType(self.type(x).elem, _axes(side)), recipe=recipe)

    def contracted(self, xs: Sequence[str], recipe: AxisPattern) -> str:
        """A product, summed over the axes that the result lacks."""
        return self.apply("einsum", xs, TensorType(self.type(xs[0]).elem, _axes(recipe.outputs[0])), recipe=recipe)

    def total(self, x: str, axes: Sequence[int]) -> str:
        """The sum over some axes."""
        kept = [axis for at, axis in enumerate(self.type(x).axes) if at not in axes]
        return self.apply("sum", (x,), TensorType(self.type(x).elem, tuple(kept)), axes=tuple(axes)) if axes else x

    def mean(self, x: str, axes: Sequence[int]) -> str:
        """The mean over some axes."""
        kept = [axis for at, axis in enumerate(self.type(x).axes) if at not in axes]
        return self.apply("mean", (x,), TensorType(self.type(x).elem, tuple(kept)), axes=tuple(axes)) if axes else x

    def opened(self, x: str, places: Sequence[int]) -> str:
        """With axes of size 1 at these places of the result."""
        rest = iter(side := _places(self.type(x).sizes))
        whole = tuple(UNIT if at in places else next(rest) for at in range(len(side) + len(places)))
        return self.moved(x, AxisPattern((side,), (whole,)))

    def closed(self, x: str, places: Sequence[int]) -> str:
        """Without the axes at these places, which are of size 1."""
        whole = tuple(UNIT if at in places else place for at, place in enumerate(_places(self.type(x).sizes)))
        return self.moved(x, AxisPattern((whole,), (tuple(place for place in whole if place is not UNIT),)))

    def spread(self, x: str, axes: Sequence[int], sizes: Sequence[Size]) -> str:
        """Repeated along axes of a result of these sizes."""
        whole = _places(sizes)
        kept = tuple(place for at, place in enumerate(whole) if at not in axes)
        return self.moved(x, AxisPattern((kept,), (whole,)), "expand")

    def padded(self, x: str, axis: int, before: Size, after: Size) -> str:
        """With zeros at both ends of an axis."""
        if before == after == size(0):
            return x
        type = self.type(x)
        axes = [Axis(each.size + before + after) if at == axis else each for at, each in enumerate(type.axes)]
        attrs = {"axis": axis, "before": before, "after": after, "mode": "constant", "value": 0.0}
        return self.apply("pad", (x,), type.with_axes(*axes), **attrs)

    def turned(self, x: str) -> str:
        """The last two axes in each other's place."""
        *lead, a, b = _places(self.type(x).sizes)
        return self.moved(x, AxisPattern(((*lead, a, b),), ((*lead, b, a),)))

    def fitted(self, flow: str, want: Sequence[Size]) -> str:
        """Summed over the axes along which an operand of these sizes was repeated."""
        have = self.type(flow).sizes
        lead = len(have) - len(want)
        ones = [i for i, (a, b) in enumerate(zip(have[lead:], want, strict=True)) if a != b and b == ONE]
        return self.opened(self.total(flow, [*range(lead), *(lead + i for i in ones)]), ones)


def fitted(s: Steps, noted: Noted, flows: Sequence[Flow]) -> list[Flow]:
    """Each flow in the sizes of its operand."""
    return [
        s.fitted(flow, s.type(x).sizes) if flow is not None and isinstance(x, str) else None
        for x, flow in zip(noted.node.inputs, flows, strict=True)
    ]


def sides(noted: Noted) -> tuple[Operand, Operand]:
    """Both operands; a literal as it stands."""
    a, b = (x if isinstance(x, Const) else operand([arg]) for x, arg in zip(noted.node.inputs, noted.args, strict=True))
    return a, b


Later = Callable[[], str]  # what flows back, written where the operand depends on a source alone
Rule = Callable[[Steps, Noted, str], Sequence[Flow | Later]]
Many = Callable[[Steps, Noted, Sequence[Flow]], Sequence[Flow]]  # of an operation with several results


def slope(make: Callable[[Steps, str, str, Noted], str]) -> Rule:
    """An element-wise function y of one operand x, by its derivative."""

    def rule(s: Steps, noted: Noted, g: str) -> Sequence[Flow]:
        return [s.mul(g, make(s, operand(noted.args), noted.results[0], noted))]

    return rule


def _places(sizes: Sequence[Size]) -> Side:
    """Each axis an elementary one."""
    return tuple(AxisGroup(((Atom(f"a{at}", item),),)) for at, item in enumerate(sizes))


def _axes(side: Side) -> tuple[Axis, ...]:
    return tuple(Axis(place.size) for place in side)


def aligned(types: Sequence[Sequence[Axis]]) -> tuple[Axis, ...]:
    """The axes of operands that meet from the right; one of size 1 gives way."""
    rank = max(map(len, types))
    found = [Axis(ONE)] * rank
    for axes in types:
        for at, axis in enumerate(axes, rank - len(axes)):
            if axis.size != ONE:
                found[at] = axis
    return tuple(found)

"""Derivatives of what is written by an index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from ogive.backends.onnx_model.autodiff.steps import Flow, Rule, Steps
from ogive.backends.onnx_model.autodiff.tape import Noted
from ogive.backends.onnx_model.ops.operands import operand
from ogive.compiler.ir.model import Const
from ogive.compiler.ir.types import TensorType


def scatter_add(s: Steps, noted: Noted, g: str) -> Sequence[Flow]:
    """As it is to x; to what was added, what flows back to its place."""
    return [g, None, _taken(s, noted, g)]


def _taken(s: Steps, noted: Noted, x: str) -> str:
    """The entries of a tensor like x at the places of the index."""
    index, src = operand(noted.args, 1), operand(noted.args, 2)
    type = s.type(src).with_elem(s.type(x).elem)
    return s.apply("take" if noted.node.attr("along") else "gather", (x, index), type, axis=noted.node.attr("axis"))


def _placed(s: Steps, noted: Noted, op: str, x: str, src: str) -> str:
    """Entries like those of src at the places of the index."""
    attrs = {key: noted.node.attr(key) for key in ("axis", "along")}
    attrs |= {"op": None, "include_self": True} if op == "scatter" else {}
    return s.apply(op, (x, operand(noted.args, 1), src), s.type(x), **attrs)


def scatter(s: Steps, noted: Noted, g: str) -> Sequence[Flow]:
    """To what stands in the result, shared by equals and by those of a mean."""
    op, own = noted.node.attr("op"), noted.node.attr("include_self")
    x, src = operand(noted.args), operand(noted.args, 2)
    rest = g if own and op is not None else _placed(s, noted, "scatter", g, s.filled(0.0, src))  # where nothing went
    if op == "prod":
        whole = {key: noted.node.attr(key) for key in ("axis", "along")} | {"op": "prod", "include_self": True}
        if own:
            given = (s.filled(1.0, x), operand(noted.args, 1), src)
            rest = s.mul(g, s.apply("scatter", given, s.type(x), **whole))
        flow = s.mul(_taken(s, noted, g), _others(s, noted, src))
        return [rest, None, s.mul(flow, _taken(s, noted, x)) if own else flow]
    if op in (None, "sum"):
        return [rest, None, _taken(s, noted, g)]
    if op == "mean":
        counts = s.filled(1.0, x) if own else _placed(s, noted, "scatter", s.filled(1.0, x), s.filled(0.0, src))
        share = s.both("div", g, _placed(s, noted, "scatter_add", counts, s.filled(1.0, src)))
        return [share if own else rest, None, _taken(s, noted, share)]
    y = noted.results[0]
    won = s.ones_where(s.asked("eq", src, _taken(s, noted, y)), src)
    kept = s.ones_where(s.asked("eq", x, y), x) if own else _placed(s, noted, "scatter", s.filled(1.0, x),
                                                                    s.filled(0.0, src))  # fmt: skip
    share = s.both("div", g, _placed(s, noted, "scatter_add", kept, won))
    return [s.mul(share, kept) if own else rest, None, s.mul(_taken(s, noted, share), won)]


def _others(s: Steps, noted: Noted, src: str) -> str:
    """For each entry of src the product of all others that go to its place: no quotient, since it may be 0."""
    axis, index, type = noted.node.attr("axis"), operand(noted.args, 1), s.type(src)
    count = type.axes[axis]
    at = 0 if noted.node.attr("along") else axis
    numbers = s.apply("arange", (), TensorType("int", (count,)), n=count.size)
    other = s.asked("ne", s.opened(numbers, [1]), s.opened(numbers, [0]))
    if at == axis:
        other = s.opened(other, [2 + i for i in range(len(s.type(index).axes) - at - 1)])
    same = s.asked("eq", s.opened(index, [at + 1]), s.opened(index, [at]))
    both = s.apply("logical_and", (same, other), s.type(same))
    if noted.node.attr("along"):
        both = s.opened(both, [2 + i for i in range(len(type.axes) - axis - 1)])
    pairs = type.with_axes(*type.axes[:axis], count, *type.axes[axis:])
    factors = s.apply("select", (both, s.opened(src, [axis]), Const(1.0)), pairs)
    return s.apply("prod", (factors,), type, axes=(axis + 1,))


RULES: Mapping[str, Rule] = MappingProxyType({"scatter_add": scatter_add, "scatter": scatter})

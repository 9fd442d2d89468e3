"""Derivatives of what is written by an index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from ogive.backends.onnx_model.autodiff.steps import Flow, Rule, Steps
from ogive.backends.onnx_model.autodiff.tape import Noted
from ogive.backends.onnx_model.graph.errors import OnnxError
from ogive.backends.onnx_model.ops.operands import operand


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
    if op == "prod":
        raise OnnxError("`grad` through `scatter` by prod is not supported in ONNX")
    x, src = operand(noted.args), operand(noted.args, 2)
    rest = g if own and op is not None else _placed(s, noted, "scatter", g, s.filled(0.0, src))  # where nothing went
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


RULES: Mapping[str, Rule] = MappingProxyType({"scatter_add": scatter_add, "scatter": scatter})

"""Numbers of the text that the float type of the model does not hold.

They are computed with in a wider type, infinite where they only hide others, and else refused at their line.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from ogive.backends.onnx_model.graph.elems import ONNX
from ogive.backends.onnx_model.graph.errors import Unheld
from ogive.backends.onnx_model.ops.context import Args, Context, Lowering
from ogive.compiler.ir.model import Const, Node, Operand, Scalar
from ogive.compiler.ir.scalars import value_of
from ogive.compiler.ir.types import FLOATS
from ogive.compiler.ops.held import lost, normal, number_of
from ogive.compiler.sizes import Size

# operations of numbers beside tensors, which a wider type computes; `minimum` and `maximum` may give the number itself
COMPUTED = frozenset("add sub mul div floordiv mod pow lerp eq ne lt le gt ge minimum maximum atan2".split())
SETTINGS = frozenset(("elu", "leaky_relu", "softplus"))  # those whose settings are factors
GIVEN = {"full": ("v",), "constant": ("list",), "linspace": ("lo", "hi"), "clamp": ("lo", "hi"),
         "hardtanh": ("lo", "hi"), "pad": ("value",), "select": ()}  # fmt: skip
WIDER = {"f16": "f32", "bf16": "f32", "f32": "f64"}


def lowered(ctx: Context, lower: Lowering, node: Node, elem: str) -> tuple[Args, tuple[str, ...]]:
    """The operands of a node as values, and its results; `elem` is the type of literal operands. Raises `Unheld`."""
    floating = ctx.elem(elem) if elem in FLOATS else ""
    literals = [x.value for x in node.inputs if isinstance(x, Const)] if node.op in COMPUTED else []
    literals += [value for _, value in node.attrs] if node.op in SETTINGS else []
    if floating and not all(_fits(value, floating) for value in literals):
        _may_result(node, floating)
        wide = _enough(literals, floating)
        args, results = _applied(ctx, lower, _in(ctx, node, wide), wide)
        if node.outputs[0].type.elem != "bool":
            results = tuple(ctx.node("Cast", x, to=ONNX[ctx.elem(node.outputs[0].type.elem)]) for x in results)
        return args, results
    if floating and node.op in GIVEN:
        node = _given(node, floating)
    return _applied(ctx, lower, node, elem)


def _applied(ctx: Context, lower: Lowering, node: Node, elem: str) -> tuple[Args, tuple[str, ...]]:
    args = [ctx.literal(x, elem) if isinstance(x, Const) else x for x in node.inputs]
    found = lower(ctx, node, args)
    return args, found if isinstance(found, tuple) else (found,)


def _in(ctx: Context, node: Node, wide: str) -> Node:
    """The node on operands of a wider type."""
    return replace(node, inputs=tuple(ctx.cast(x, wide) if isinstance(x, str) else x for x in node.inputs))


def _fits(value: object, elem: str) -> bool:
    """Whether a number is held to all its digits; one that inputs tell may be more than a half holds."""
    number = value_of(value) if isinstance(value, Scalar | Size) else number_of(value)
    if number is not None:
        return normal(float(number), elem)
    bounds = value.range if isinstance(value, Size) else (None, None)
    return elem != "f16" or (bounds[1] is not None and bounds[1] < 2048)


def _enough(values: Sequence[object], elem: str) -> str:
    """The narrowest type above that holds all of them."""
    wide = WIDER.get(elem, elem)
    return wide if wide == "f64" or all(_fits(value, wide) for value in values) else "f64"


def _may_result(node: Node, elem: str) -> None:
    """Refuse `maximum(x, 1e5)` in halves, which is never less than that; `maximum(x, -1e5)` is x. A sum with a number
    beyond twice the largest is infinite, whatever the other is.
    """
    for value in (number_of(x) for x in node.inputs if isinstance(x, Const) and node.op in ("add", "sub")):
        if value is not None and lost(float(value) / 2, elem) == "infinite":
            raise unheld(node, value, elem)
    side = {"maximum": 1, "minimum": -1}.get(node.op)
    for value in (number_of(x) for x in node.inputs if isinstance(x, Const)) if side else ():
        gone = lost(float(value), elem) if value is not None else None
        if value is not None and (gone == "0" or (gone and value * (side or 0) > 0)):
            raise unheld(node, value, elem)


def _given(node: Node, elem: str) -> Node:
    """What gives its numbers as they are: infinite ones where they only hide others, and bounds that bound nothing."""
    if node.op == "select":
        return replace(node, inputs=tuple(_operand(node, x, elem) for x in node.inputs))
    names = GIVEN[node.op]
    return replace(node, attrs=tuple((k, _number(node, k, v, elem) if k in names else v) for k, v in node.attrs))


def _operand(node: Node, operand: Operand, elem: str) -> Operand:
    number = number_of(operand) if isinstance(operand, Const) else None
    if number is None or not lost(float(number), elem):
        return operand
    return Const(_infinite(node, float(number), elem))


def _number(node: Node, key: str, value: object, elem: str) -> object:
    """A setting, or a list of numbers."""
    if isinstance(value, tuple):
        return tuple(_number(node, key, item, elem) for item in value)
    number = number_of(value)
    gone = lost(float(number), elem) if number is not None else None
    if number is None or gone is None:
        return value
    if gone == "infinite" and {"lo": -1, "hi": 1}.get(key, 0) * number > 0 and node.op in ("clamp", "hardtanh"):
        return math.copysign(math.inf, number)
    return _infinite(node, float(number), elem)


def _infinite(node: Node, number: float, elem: str) -> float:
    if node.attr("fill") and lost(number, elem) == "infinite":
        return math.copysign(math.inf, number)
    raise unheld(node, number, elem)


def unheld(node: Node, number: float, elem: str) -> Unheld:
    """`node` gives a number that its type does not hold."""
    return Unheld(f"`{node.op}` gives {number:g}, which is {lost(number, elem)} in {elem}", node.span)

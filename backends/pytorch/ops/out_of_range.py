"""Numbers of the text that a float type may not hold, in a module whose type is chosen after it was written.

torch computes sums and products of halves with such numbers in float32. What else meets one is computed in float32 at
least; one that would be a result is refused when the module runs in such a type, unless it only hides others.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from ogive.backends.python_text.expr import Code, attribute, call, literal, method
from ogive.backends.python_text.functions.context import Context, Lowering
from ogive.backends.pytorch.errors import Unheld
from ogive.compiler.ir.model import Const, Node, Operand
from ogive.compiler.ir.types import FLOATS
from ogive.compiler.ops.held import lost, number_of

Args = Sequence[Code | None]


def narrowest(elem: str) -> str:
    """The narrowest type that tensors of an element type may have: halves, where the model's type is open."""
    return "f16" if elem == "float" else elem


def _elem(ctx: Context, node: Node) -> str:
    types = (ctx.type(x) for x in node.inputs if isinstance(x, str))
    return next((type.elem for type in types if type is not None and type.elem != "bool"), node.outputs[0].type.elem)


def computed(lower: Lowering, *, halves: bool) -> Lowering:
    """The operation in a type that holds its literal operands; `halves` says that torch does so itself for halves."""

    def wider(ctx: Context, node: Node, args: Args) -> Code:
        elem = _elem(ctx, node)
        literals = [number_of(x) for x in node.inputs if isinstance(x, Const)]
        least = "f32" if halves and elem in ("float", "f16", "bf16") else narrowest(elem)
        if elem not in FLOATS or all(x is None or lost(float(x), least) is None for x in literals):
            return lower(ctx, node, args)
        double = any(x is not None and lost(float(x), "f32") for x in literals)
        return in_wider(ctx, node, args, lambda found: lower(ctx, node, found), double)

    return wider


def summed(lower: Lowering) -> Lowering:
    """A sum with a number that its type makes infinite: torch rounds the number first, and may lose a finite result.

    Beside a number beyond twice the largest nothing is finite: that is refused as a result is.
    """
    plain = computed(lower, halves=True)

    def wider(ctx: Context, node: Node, args: Args) -> Code:
        elem = _elem(ctx, node)
        numbers = [number_of(x) for x in node.inputs if isinstance(x, Const)]
        most = max((abs(float(x)) for x in numbers if x is not None), default=0.0)
        if elem not in FLOATS or lost(most, narrowest(elem)) != "infinite" or lost(most, "f32"):
            return plain(ctx, node, args)  # what float32 does not hold either is computed in float64
        if lost(most / 2, narrowest(elem)) != "infinite":
            return in_wider(ctx, node, args, lambda found: lower(ctx, node, found), double=False)
        found = list(args)
        at = next(i for i, x in enumerate(node.inputs) if isinstance(x, Const))
        like = found[1 - at] = ctx.once(given_code(found[1 - at]), "x")
        found[at] = _checked(ctx, node, found[at], like, elem)
        return lower(ctx, node, found)

    return wider


def given_code(code: Code | None) -> Code:
    """An operand that is there."""
    assert code is not None
    return code


def in_wider(ctx: Context, node: Node, args: Args, apply: Callable[[list[Code | None]], Code], double: bool) -> Code:
    """What is applied to tensors of float32 at least, or of float64; in the type that they had."""
    found: list[Code | None] = []
    like: Code | None = None
    for operand, arg in zip(node.inputs, args, strict=True):
        if not isinstance(operand, str) or arg is None:
            found.append(arg)
            continue
        arg = ctx.once(arg, "x")
        like = like or arg
        found.append(method(arg, "double") if double else call(ctx.helper("wide"), arg))
    result = apply(found)
    return (
        result
        if node.outputs[0].type.elem == "bool" or like is None
        else method(result, "to", attribute(like, "dtype"))
    )


def clamped(ctx: Context, node: Node, arg: Code, low: object, high: object, apply: Callable[..., Code]) -> Code:
    """`apply(x, low, high)`: a bound that a type does not hold bounds nothing in it, or is refused as a result."""
    elem = _elem(ctx, node)
    kinds = [_bound(low, elem, 1), _bound(high, elem, -1)]
    codes = [None if x is None else ctx.scalar(x) for x in (low, high)]  # type: ignore[arg-type]
    if "held" in kinds:
        arg = ctx.once(arg, "x")
    found = [
        _checked(ctx, node, code, arg, elem) if kind == "held" else code
        for kind, code in zip(kinds, codes, strict=True)
    ]
    if "wide" not in kinds:
        return apply(arg, *found)
    x = ctx.once(arg, "x")
    double = any(value is not None and lost(float(value), "f32") for value in map(number_of, (low, high)))
    wide = method(x, "double") if double else call(ctx.helper("wide"), x)
    return method(apply(wide, *found), "to", attribute(x, "dtype"))


def _checked(ctx: Context, node: Node, code: Code | None, like: Code, elem: str) -> Code:
    if elem != "float":
        raise Unheld(f"`{node.op}` gives {code}, which {elem} does not hold", node.span)
    return call(ctx.helper("held"), code, like)


def _bound(number: object, elem: str, side: int) -> str:
    """How a bound is written: "wide" where it bounds nothing in a narrow type, "held" where it is a result in it."""
    value = number_of(number)
    if value is None or elem not in FLOATS or not (gone := lost(float(value), narrowest(elem))):
        return ""
    return "wide" if gone == "infinite" and value * side < 0 else "held"


def held(ctx: Context, node: Node, number: object, code: Code | None) -> Code | None:
    """A number that is a result, where its type may not hold it: `held(1e-9, x)`; one that only hides is infinite."""
    value, elem = number_of(number), _elem(ctx, node)
    gone = lost(float(value), narrowest(elem)) if value is not None and elem in FLOATS else None
    if value is None or gone is None:
        return code
    hides = node.attr("fill") and gone == "infinite"
    if elem != "float" and not hides:
        raise Unheld(f"`{node.op}` gives {value:g}, which is {gone} in {elem}", node.span)
    return call(ctx.helper("filling" if hides else "held"), literal(float(value)), ctx.anchor())


def operand_held(ctx: Context, node: Node, operand: Operand, code: Code | None) -> Code | None:
    """A literal operand that is a result; one that hides is made infinite by `torch.where`, but refused in float32."""
    if not isinstance(operand, Const):
        return code
    value = number_of(operand)
    if value is None or not node.attr("fill") or lost(float(value), "f16") != "infinite":
        return held(ctx, node, operand, code)
    return code if lost(float(value), "f32") is None else literal(math.copysign(math.inf, value))


def epsilon(ctx: Context, node: Node, x: Code | None) -> Code:
    """The epsilon of a norm of x, which torch computes in float32."""
    value = number_of(node.attr("eps"))
    code = ctx.scalar(node.attr("eps"))
    if value is None or lost(float(value), "f32") is None:
        return code
    return call(ctx.helper("held"), code, x)

"""Derivatives for `grad`: the operations of a region are noted as they are lowered, and gone through backwards.

One rule for each operation: what flows back to its operands from what flows back to its result.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from ogive.backends.onnx_model.errors import OnnxError
from ogive.backends.onnx_model.lower_linear import contracted
from ogive.backends.onnx_model.lowering import Context
from ogive.backends.onnx_model.moves import arranged, layout
from ogive.backends.onnx_model.noted import Noted
from ogive.backends.onnx_model.operands import operand, squeezed, unsqueezed
from ogive.compiler.ir import Const, Node
from ogive.compiler.ops.recipe import Recipe
from ogive.compiler.sizes import Size, size

if TYPE_CHECKING:
    from ogive.backends.onnx_model.walk import Frame, Walker

Flow = str | None  # what flows back to an operand: nothing to a literal


# (graph, operation, what flows back to its result) -> what flows back to each operand
Rule = Callable[[Context, Noted, str], Sequence[Flow]]


def lower(walker: Walker, frame: Frame, node: Node) -> None:
    """The derivative of a scalar region in its first input."""
    if walker.tape is not None:
        raise OnnxError("`grad` of a `grad` has no form in ONNX", node.span)
    region, builder = node.regions[0], walker.builder
    values = [walker.bound(frame, x) for x in node.inputs]
    source = values[0]
    assert isinstance(source, str), node
    for value, bound in zip(region.inputs, values, strict=True):
        frame.values[value.name] = bound
    tape: list[Noted] = []
    walker.tape = tape
    (result,) = walker.graph(frame, region)
    walker.tape = None
    assert isinstance(result, str), node
    flows = {result: builder.number(1.0, "float")}
    _back(builder, tape, flows, source, node)
    found = flows.get(source)
    if found is None:
        found = builder.node("Mul", source, builder.number(0.0, "float"))
    frame.values[node.outputs[0].name] = found
    walker.note(found, node.outputs[0], frame)


def _back(ctx: Context, tape: Sequence[Noted], flows: dict[str, str], source: str, at: Node) -> None:
    hangs = {source}
    for noted in tape:
        if any(arg in hangs for arg in noted.args):
            hangs.update(noted.results)
    for noted in reversed(tape):
        meets = [name for name in noted.results if name in flows and name in hangs]
        if not meets or meets[0] in noted.args:  # no way back, or an operation that changes nothing here
            continue
        rule = RULES.get(noted.node.op)
        if rule is None or len(noted.results) > 1 or ctx.paired(meets[0]):
            raise OnnxError(f"`grad` through `{noted.node.op}` has no form in ONNX", at.span)
        # equal operations share their result: what has flowed back is taken out, so that it does so once
        for name, flow in zip(noted.args, rule(ctx, noted, flows.pop(meets[0])), strict=True):
            if name is None or name not in hangs:
                continue
            if flow is not None:
                flows[name] = ctx.node("Add", flows[name], flow) if name in flows else flow
            elif noted.node.op not in CUT:
                raise OnnxError(f"`grad` through this operand of `{noted.node.op}` has no form in ONNX", at.span)


def fitted(ctx: Context, flow: str, have: Sequence[Size], want: Sequence[Size]) -> str:
    """Summed over the axes along which an operand was repeated."""
    lead = len(have) - len(want)
    one = size(1)
    ones = [lead + i for i, (a, b) in enumerate(zip(have[lead:], want, strict=True)) if a != b and b == one]
    if ones:
        flow = ctx.node("ReduceSum", flow, ctx.array(ones), keepdims=1)
    return ctx.node("ReduceSum", flow, ctx.array(list(range(lead))), keepdims=0) if lead else flow


def _broadcast(ctx: Context, noted: Noted, flows: Sequence[Flow]) -> list[Flow]:
    out = noted.node.outputs[0].type.sizes
    return [
        fitted(ctx, flow, out, ctx.type(x).sizes) if flow is not None and isinstance(x, str) else None
        for x, flow in zip(noted.node.inputs, flows, strict=True)
    ]


def add(ctx: Context, noted: Noted, g: str) -> Sequence[Flow]:
    """As it is, to both."""
    return _broadcast(ctx, noted, [g, g])


def sub(ctx: Context, noted: Noted, g: str) -> Sequence[Flow]:
    """As it is, and turned around."""
    return _broadcast(ctx, noted, [g, ctx.node("Neg", g)])


def mul(ctx: Context, noted: Noted, g: str) -> Sequence[Flow]:
    """Times the other factor."""
    a, b = operand(noted.args), operand(noted.args, 1)
    return _broadcast(ctx, noted, [ctx.node("Mul", g, b), ctx.node("Mul", g, a)])


def div(ctx: Context, noted: Noted, g: str) -> Sequence[Flow]:
    """G / b, and -(a / b) g / b."""
    b = operand(noted.args, 1)
    top = ctx.node("Div", g, b)
    return _broadcast(ctx, noted, [top, ctx.node("Neg", ctx.node("Mul", top, noted.results[0]))])


def power(ctx: Context, noted: Noted, g: str) -> Sequence[Flow]:
    """N x^(n-1), for a literal n."""
    exponent = noted.node.inputs[1]
    value = exponent.value if isinstance(exponent, Const) else None
    n = value.number if isinstance(value, Size) and value.is_number else value
    if not isinstance(n, int | float):
        raise OnnxError("`grad` through `**` has a form in ONNX for literal exponents")
    x = operand(noted.args)
    less = x if n == 2 else ctx.node("Pow", x, _number(ctx, float(n - 1)))
    return [ctx.node("Mul", g, ctx.node("Mul", less, _number(ctx, float(n)))), None]


def slope(make: Callable[[Context, Noted], str]) -> Rule:
    """An element-wise function of one operand, by its derivative."""

    def rule(ctx: Context, noted: Noted, g: str) -> Sequence[Flow]:
        return [ctx.node("Mul", g, make(ctx, noted))]

    return rule


def _number(ctx: Context, value: float) -> str:
    return ctx.number(value, "float")


def _tanh(ctx: Context, noted: Noted) -> str:
    y = noted.results[0]
    return ctx.node("Sub", _number(ctx, 1.0), ctx.node("Mul", y, y))


def _sigmoid(ctx: Context, noted: Noted) -> str:
    y = noted.results[0]
    return ctx.node("Mul", y, ctx.node("Sub", _number(ctx, 1.0), y))


def _softplus(ctx: Context, noted: Noted) -> str:
    beta = _number(ctx, float(noted.node.attr("beta")))
    return ctx.node("Sigmoid", ctx.node("Mul", operand(noted.args), beta))


def _positive(ctx: Context, noted: Noted) -> str:
    above = ctx.node("Greater", operand(noted.args), _number(ctx, 0.0))
    return ctx.node("Where", above, _number(ctx, 1.0), _number(ctx, 0.0))


def _silu(ctx: Context, noted: Noted) -> str:
    """σ(x) + y (1 - σ(x))."""
    s = ctx.node("Sigmoid", operand(noted.args))
    return ctx.node("Add", s, ctx.node("Mul", noted.results[0], ctx.node("Sub", _number(ctx, 1.0), s)))


def _gelu(ctx: Context, noted: Noted) -> str:
    """Φ(x) + x φ(x)."""
    x = operand(noted.args)
    half = ctx.node("Mul", ctx.node("Erf", ctx.node("Mul", x, _number(ctx, math.sqrt(0.5)))), _number(ctx, 0.5))
    bell = ctx.node("Exp", ctx.node("Mul", ctx.node("Mul", x, x), _number(ctx, -0.5)))
    density = ctx.node("Mul", ctx.node("Mul", x, bell), _number(ctx, 1 / math.sqrt(2 * math.pi)))
    return ctx.node("Add", ctx.node("Add", half, _number(ctx, 0.5)), density)


def _bell(ctx: Context, noted: Noted) -> str:
    x = operand(noted.args)
    bell = ctx.node("Exp", ctx.node("Neg", ctx.node("Mul", x, x)))
    return ctx.node("Mul", bell, _number(ctx, 2 / math.sqrt(math.pi)))


def _half_inverse(ctx: Context, noted: Noted) -> str:
    return ctx.node("Div", _number(ctx, 0.5), noted.results[0])


def linear(ctx: Context, noted: Noted, g: str) -> Sequence[Flow]:
    """Back to x: g W. Weights that hang on x themselves are not derived."""
    flows: list[Flow] = [ctx.node("MatMul", g, operand(noted.args, 1)), None]
    return [*flows, *([None] if len(noted.args) > 2 else [])]


def matmul(ctx: Context, noted: Noted, g: str) -> Sequence[Flow]:
    """G bᵀ and aᵀ g; a vector is a matrix of one row or column."""
    a, b = operand(noted.args), operand(noted.args, 1)
    left, right = ([*ctx.type(x).sizes] for x in noted.node.inputs)
    out = [*noted.node.outputs[0].type.sizes]
    row, column = len(left) == 1, len(right) == 1
    if row:
        a, left, at = unsqueezed(ctx, a, [0]), [size(1), *left], len(out) - (0 if column else 1)
        g, out = unsqueezed(ctx, g, [at]), [*out[:at], size(1), *out[at:]]
    if column:
        b, right = unsqueezed(ctx, b, [1]), [*right, size(1)]
        g, out = unsqueezed(ctx, g, [len(out)]), [*out, size(1)]
    back = ctx.node("MatMul", g, _turned(ctx, b, len(right)))
    forth = ctx.node("MatMul", _turned(ctx, a, len(left)), g)
    x = fitted(ctx, back, [*out[:-2], *left[-2:]], left)
    y = fitted(ctx, forth, [*out[:-2], *right[-2:]], right)
    return [squeezed(ctx, x, [0] if row else []), squeezed(ctx, y, [1] if column else [])]


def _turned(ctx: Context, x: str, rank: int) -> str:
    return ctx.node("Transpose", x, perm=[*range(rank - 2), rank - 1, rank - 2])


def einsum(ctx: Context, noted: Noted, g: str) -> Sequence[Flow]:
    """The same product with the result in the place of the operand."""
    recipe: Recipe = noted.node.attr("recipe")
    found: list[Flow] = []
    for at, side in enumerate(recipe.inputs):
        others = [i for i in range(len(recipe.inputs)) if i != at]
        have = (recipe.outputs[0], *(recipe.inputs[i] for i in others))
        known = {atom.name for places in have for place in places for atom in place.atoms}
        if any(atom.name not in known for place in side for atom in place.atoms):
            raise OnnxError("`grad` through `einsum` has a form in ONNX where no axis is summed alone")
        xs = [g, *(operand(noted.args, i) for i in others)]
        found.append(contracted(ctx, xs, Recipe(have, (side,)), "float"))
    return found


def rearrange(ctx: Context, noted: Noted, g: str) -> Sequence[Flow]:
    """The other way round."""
    recipe: Recipe = noted.node.attr("recipe")
    sides = (*recipe.inputs, *recipe.outputs)
    if len(sides) != 2 or any(place.joined for side in sides for place in side):
        raise OnnxError("`grad` through joined axes has no form in ONNX")
    return [arranged(ctx, g, layout(recipe.outputs[0]), layout(recipe.inputs[0]))]


def total(ctx: Context, noted: Noted, g: str) -> Sequence[Flow]:
    """A sum or a mean: repeated along its axes, and divided for a mean."""
    type = ctx.type(noted.node.inputs[0])
    axes = list(noted.node.attr("axes"))
    flow = ctx.node("Expand", unsqueezed(ctx, g, axes), ctx.shape(type.sizes)) if axes else g
    if noted.node.op == "mean":
        count = size(1)
        for axis in axes:
            count = count * type.sizes[axis]
        flow = ctx.node("Div", flow, ctx.number(count, "float"))
    return [flow]


def softmax(ctx: Context, noted: Noted, g: str) -> Sequence[Flow]:
    """Y (g - Σ g y)."""
    y = noted.results[0]
    shared = ctx.node("ReduceSum", ctx.node("Mul", g, y), ctx.array([noted.node.attr("axis")]), keepdims=1)
    return [ctx.node("Mul", y, ctx.node("Sub", g, shared))]


def select(ctx: Context, noted: Noted, g: str) -> Sequence[Flow]:
    """To the operand that was taken."""
    condition, zero = operand(noted.args), _number(ctx, 0.0)
    return _broadcast(ctx, noted, [None, ctx.node("Where", condition, g, zero), ctx.node("Where", condition, zero, g)])


def nothing(ctx: Context, noted: Noted, g: str) -> Sequence[Flow]:
    """To no operand."""
    return [None] * len(noted.args)


CUT = frozenset(("stop_gradient", "grad_as", "select"))  # operations with operands to which nothing flows back
RULES: Mapping[str, Rule] = {
    "add": add,
    "sub": sub,
    "mul": mul,
    "div": div,
    "pow": power,
    "neg": lambda ctx, noted, g: [ctx.node("Neg", g)],
    "exp": slope(lambda ctx, noted: noted.results[0]),
    "log": slope(lambda ctx, noted: ctx.node("Reciprocal", operand(noted.args))),
    "sqrt": slope(_half_inverse),
    "sin": slope(lambda ctx, noted: ctx.node("Cos", operand(noted.args))),
    "cos": slope(lambda ctx, noted: ctx.node("Neg", ctx.node("Sin", operand(noted.args)))),
    "tanh": slope(_tanh),
    "erf": slope(_bell),
    "abs": slope(lambda ctx, noted: ctx.node("Sign", operand(noted.args))),
    "sigmoid": slope(_sigmoid),
    "softplus": slope(_softplus),
    "relu": slope(_positive),
    "silu": slope(_silu),
    "gelu": slope(_gelu),
    "linear": linear,
    "matmul": matmul,
    "einsum": einsum,
    "rearrange": rearrange,
    "sum": total,
    "mean": total,
    "softmax": softmax,
    "select": select,
    "stop_gradient": nothing,
    "grad_as": lambda ctx, noted, g: [None, g],
}

"""What each operation does to affine values: the transfer functions of folding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import prod

from ogive.compiler.ir.model import Const, Node, Operand
from ogive.compiler.passes.conversion.scope import ConversionScope
from ogive.compiler.passes.weight_folding import affine_kernels as kernels
from ogive.compiler.passes.weight_folding.affine import Affine, ConvTerm, Pads, after, scaled
from ogive.compiler.passes.weight_folding.affine_sum import added
from ogive.compiler.passes.weight_folding.context import TransferContext
from ogive.compiler.passes.weight_folding.dense import flattened
from ogive.compiler.passes.weight_folding.factors import layout_of, plus_known, times
from ogive.compiler.sizes import Size


def transfer(node: Node, context: TransferContext) -> Affine | None:
    """The affine value of a node's result, or None where it is none."""
    rule = RULES.get(node.op)
    if rule is None or len(node.outputs) != 1 or not node.outputs[0].type.floating:
        return None
    return rule(node, context)


def _numbers(sizes: object) -> tuple[int, ...] | None:
    if not isinstance(sizes, tuple) or not all(isinstance(x, Size) and x.is_number for x in sizes):
        return None
    return tuple(x.number for x in sizes)


def _path(scope: ConversionScope, kernel: str) -> str:
    """The first weight that a kernel is computed from."""
    pending = [kernel]
    while pending:
        node = scope.makers[pending.pop(0)]
        if node.op == "weight":
            return node.path
        pending += node.operands
    return ""


def _optional(node: Node, at: int) -> Operand:
    return node.inputs[at] if len(node.inputs) > at else None


def _conv(node: Node, context: TransferContext) -> Affine | None:
    scope, x, kernel, bias = context.scope, node.inputs[0], node.inputs[1], _optional(node, 2)
    if not context.static(kernel) or not (bias is None or context.static(bias)) or not isinstance(kernel, str):
        return None
    out, inner, *window = scope.shape(kernel)
    rank, groups = len(window), node.attr("groups")
    dilation, stride = _numbers(node.attr("dilation")), _numbers(node.attr("stride"))
    if dilation is None or stride is None or not groups.is_number:
        return None
    pads = _pads(node.attr("pad"), tuple(window), dilation)
    source = context.affine(x, (1, rank))
    if pads is None or source is None:
        return None
    term = ConvTerm(
        "", inner * groups.number, out, groups.number, tuple(window), stride, dilation, pads, kernel,
        mode=str(node.attr("pad_mode")), path=_path(scope, kernel),
    )  # fmt: skip
    return after(scope, term, bias if isinstance(bias, str) else None, source)


def _pads(pad: object, window: tuple[int, ...], dilation: tuple[int, ...]) -> Pads | None:
    if pad == "same":
        totals = [d * (n - 1) for d, n in zip(dilation, window, strict=True)]
        return tuple((total // 2, total - total // 2) for total in totals)
    numbers = _numbers(pad)
    return None if numbers is None else tuple((n, n) for n in numbers)


def _conv_transpose(node: Node, context: TransferContext) -> Affine | None:
    scope, x, kernel, bias = context.scope, node.inputs[0], node.inputs[1], _optional(node, 2)
    if not context.static(kernel) or not (bias is None or context.static(bias)) or not isinstance(kernel, str):
        return None
    channels, out, *window = scope.shape(kernel)
    groups, ones = node.attr("groups"), (1,) * len(window)
    if not isinstance(x, str) or not groups.is_number or context.source(x, (1, len(window))) is None:
        return None
    term = ConvTerm(
        x, channels, out * groups.number, groups.number, tuple(window), ones, ones, ((0, 0),) * len(window), kernel,
        leaf=node, path=_path(scope, kernel),
    )  # fmt: skip
    return Affine((term,), bias if isinstance(bias, str) else None, 1, len(window))


def _mapped(node: Node, context: TransferContext) -> Affine | None:
    """A matrix on the last axis."""
    found = map_of(node, context)
    if found is None:
        return None
    x, kernel, bias = found
    out, inner = context.scope.shape(kernel)
    source = context.affine(x, (len(context.type(x).axes) - 1, 0))
    if source is None:
        return None
    term = ConvTerm("", inner, out, 1, (), (), (), (), kernel, path=_path(context.scope, kernel))
    return after(context.scope, term, bias, source)


def map_of(node: Node, context: TransferContext) -> tuple[str, str, str | None] | None:
    """A node that is a map of the last axis by static weights: what it maps, its matrix [o, i], its bias."""
    if node.op == "einsum":
        return _einsum_map(node, context)
    if node.op not in ("linear", "matmul"):
        return None
    (x, kernel), bias = node.inputs[:2], _optional(node, 2)
    if not isinstance(x, str) or not isinstance(kernel, str) or context.static(x) or not context.static(kernel):
        return None
    if len(context.scope.shape(kernel)) != 2 or not (bias is None or context.static(bias)):
        return None
    turned = kernel if node.op == "linear" else context.scope.shaped(kernel, "i o -> o i")
    return x, turned, bias if isinstance(bias, str) else None


def _batch_norm(node: Node, context: TransferContext) -> Affine | None:
    x, mean, variance = node.inputs[:3]
    weight, bias = _optional(node, 3), _optional(node, 4)
    if not isinstance(x, str) or not all(v is None or context.static(v) for v in (mean, variance, weight, bias)):
        return None
    source = context.affine(x, (1, len(context.type(x).axes) - 2))
    if source is None or any(axis.pack is not None for axis in context.type(x).axes):
        return None
    scope = context.scope
    scale = scope.op("rsqrt", scope.op("add", str(variance), float(node.attr("eps"))))
    scale = scale if weight is None else scope.op("mul", str(weight), scale)
    shift = scope.op("neg", scope.op("mul", str(mean), scale))
    return scaled(scope, source, scale, shift if bias is None else scope.op("add", str(bias), shift))


def _mul(node: Node, context: TransferContext) -> Affine | None:
    a, b = node.inputs
    result = node.outputs[0].type
    return times(context, a, b, False, result) or times(context, b, a, False, result)


def _div(node: Node, context: TransferContext) -> Affine | None:
    if isinstance(node.inputs[1], Const) and node.inputs[1].value == 0:
        return None
    return times(context, node.inputs[0], node.inputs[1], True, node.outputs[0].type)


def _neg(node: Node, context: TransferContext) -> Affine | None:
    return times(context, node.inputs[0], Const(-1.0), False, node.outputs[0].type)


def _sum(node: Node, context: TransferContext, sign: float) -> Affine | None:
    a, b = node.inputs
    result = node.outputs[0].type
    if not (isinstance(a, str) and isinstance(b, str)) or context.static(a) or context.static(b):
        moved = plus_known(context, a, b, result, (1.0, sign))
        return moved or plus_known(context, b, a, result, (sign, 1.0))
    if context.type(a) != result or context.type(b) != result:
        return None
    known = [found for found in (context.absorbed(a), context.absorbed(b)) if found is not None]
    layout = (known[0].axis, known[0].rank) if known else layout_of(result)
    first = context.affine(a, layout) or context.source(a, layout)
    second = context.affine(b, layout) or context.source(b, layout)
    if first is None or second is None:
        return None
    if sign < 0:
        minus = kernels.filled(context.scope, (second.terms[0].out,), -1.0)
        second = scaled(context.scope, second, minus, None)
    return added(context.scope, first, second)


def _avg_pool(node: Node, context: TransferContext) -> Affine | None:
    window, stride, pad = (_numbers(node.attr(key)) for key in ("kernel", "stride", "pad"))
    if window is None or stride is None or pad is None or node.attr("ceil"):
        return None
    if any(pad) and not node.attr("count_include_pad"):
        return None
    source = context.affine(node.inputs[0], (1, len(window)))
    if source is None:
        return None
    channels = source.terms[0].out
    kernel = kernels.filled(context.scope, (channels, 1, *window), 1 / prod(window))
    ones, pads = (1,) * len(window), tuple((n, n) for n in pad)
    term = ConvTerm("", channels, channels, channels, window, stride, ones, pads, kernel)
    return after(context.scope, term, None, source)


def _pad(node: Node, context: TransferContext) -> Affine | None:
    before, after_ = node.attr("before"), node.attr("after")
    x = node.inputs[0]
    if node.attr("mode") != "constant" or node.attr("value") != 0 or not isinstance(x, str):
        return None
    rank = len(context.type(x).axes) - 2
    axis = node.attr("axis") - 2
    if axis < 0 or not (before.is_number and after_.is_number):
        return None
    source = context.affine(x, (1, rank))
    if source is None:
        return None
    channels, ones = source.terms[0].out, (1,) * rank
    pads = tuple((before.number, after_.number) if at == axis else (0, 0) for at in range(rank))
    term = ConvTerm("", channels, channels, channels, ones, ones, ones, pads)
    if len(source.terms) == 1 and source.bias is None and source.terms[0].identity and source.terms[0].padded:
        return None
    if len(source.terms) == 1 and all(n == 1 for n in (*source.terms[0].window, *source.terms[0].stride)):
        return _padded_again(source, pads) or after(context.scope, term, None, source)
    return after(context.scope, term, None, source)


def _padded_again(source: Affine, pads: Pads) -> Affine | None:
    """Padding of another axis after one: zeros around zeros."""
    (term,) = source.terms
    if not term.padded or source.bias is not None or term.mode != "zeros":
        return None
    both = tuple((a + c, b + d) for (a, b), (c, d) in zip(term.pads, pads, strict=True))
    return replace(source, terms=(replace(term, pads=both),))


def _names(node: Node, context: TransferContext) -> tuple[str, str, list[list[str]]] | None:
    """An einsum of a value and a static one: both, and the axes of the static one, the value, the result."""
    if len(node.inputs) != 2 or context.static(node.inputs[0]) == context.static(node.inputs[1]):
        return None
    at = 0 if context.static(node.inputs[0]) else 1
    recipe = node.attr("recipe")
    sides = (recipe.inputs[at], recipe.inputs[1 - at], recipe.outputs[0])
    names = [[atom.name for place in side for part in place.parts for atom in part] for side in sides]
    return str(node.inputs[at]), str(node.inputs[1 - at]), names


def _einsum_map(node: Node, context: TransferContext) -> tuple[str, str, str | None] | None:
    match _names(node, context):
        case (kernel, value, [[a, b], [*xs, x_last], [*ys, y_last]]) if xs == ys and {a, b} == {x_last, y_last}:
            if a == b:
                return None
            return value, kernel if a == y_last else context.scope.shaped(kernel, "i o -> o i"), None
        case _:
            return None


def _einsum(node: Node, context: TransferContext) -> Affine | None:
    """Scales by channel, and matrices on the last axis, in einsum notation."""
    match _names(node, context):
        case (kernel, value, [[name], xs, ys]) if xs == ys and name in xs and len(xs) == len(node.outputs[0].type.axes):
            axis = xs.index(name)
            layout = (axis, len(xs) - 2) if axis == 1 and len(xs) > 2 else (axis, 0)
            source = context.affine(value, layout) if layout[1] or axis == len(xs) - 1 else None
            return None if source is None else scaled(context.scope, source, kernel, None)
        case _:
            return _mapped(node, context)


def _flattened(node: Node, context: TransferContext) -> Affine | None:
    x = node.inputs[0] if len(node.inputs) == 1 else None
    value = context.absorbed(x) if isinstance(x, str) and not context.static(x) else None
    return flattened(node, context.graph, context.scope, value)


RULES: dict[str, Callable[[Node, TransferContext], Affine | None]] = {
    "add": lambda node, context: _sum(node, context, 1.0),
    "avg_pool": _avg_pool,
    "batch_norm": _batch_norm,
    "conv": _conv,
    "conv_transpose": _conv_transpose,
    "div": _div,
    "einsum": _einsum,
    "linear": _mapped,
    "matmul": _mapped,
    "mul": _mul,
    "neg": _neg,
    "pad": _pad,
    "rearrange": _flattened,
    "sub": lambda node, context: _sum(node, context, -1.0),
}

"""The derivative of each operation: what flows back to its operands from what flows back to its result."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from ogive.backends.onnx_model.autodiff import kernels as derive_kernels
from ogive.backends.onnx_model.autodiff import parts as derive_parts
from ogive.backends.onnx_model.autodiff import pointwise as derive_pointwise
from ogive.backends.onnx_model.autodiff import reduce as derive_reduce
from ogive.backends.onnx_model.autodiff import scans as derive_scans
from ogive.backends.onnx_model.autodiff.steps import Flow, Rule, Steps, aligned, fitted, sides, slope
from ogive.backends.onnx_model.autodiff.tape import Noted
from ogive.backends.onnx_model.graph.errors import OnnxError
from ogive.backends.onnx_model.ops.operands import operand
from ogive.compiler.ir.model import Const
from ogive.compiler.ir.types import TensorType
from ogive.compiler.ops import OPS, Trait
from ogive.compiler.ops.recipe import Atom, AxisGroup, AxisPattern
from ogive.compiler.sizes import size

ZERO = Const(0.0)


def add(s: Steps, noted: Noted, g: str) -> Sequence[Flow]:
    """As it is, to both."""
    return fitted(s, noted, [g, g])


def sub(s: Steps, noted: Noted, g: str) -> Sequence[Flow]:
    """As it is, and turned around."""
    return fitted(s, noted, [g, s.map("neg", g)])


def mul(s: Steps, noted: Noted, g: str) -> Sequence[Flow]:
    """Times the other factor."""
    a, b = sides(noted)
    return fitted(s, noted, [s.mul(g, b), s.mul(g, a)])


def div(s: Steps, noted: Noted, g: str) -> Sequence[Flow]:
    """G / b, and -(a / b) g / b."""
    top = s.both("div", g, sides(noted)[1])
    return fitted(s, noted, [top, s.map("neg", s.mul(top, noted.results[0]))])


def _softplus(s: Steps, x: str, y: str, noted: Noted) -> str:
    return s.map("sigmoid", s.mul(x, Const(noted.node.attr("beta"))))


def _silu(s: Steps, x: str, y: str, noted: Noted) -> str:
    """σ(x) + y (1 - σ(x))."""
    sigma = s.map("sigmoid", x)
    return s.both("add", sigma, s.mul(y, s.both("sub", 1.0, sigma)))


def _bell(s: Steps, x: str, scale: float) -> str:
    """Exp(-scale x²)."""
    return s.map("exp", s.mul(s.mul(x, x), -scale))


def _gelu(s: Steps, x: str, y: str, noted: Noted) -> str:
    """Φ(x) + x φ(x)."""
    phi = s.both("add", s.mul(s.map("erf", s.mul(x, math.sqrt(0.5))), 0.5), 0.5)
    return s.both("add", phi, s.mul(s.mul(x, _bell(s, x, 0.5)), 1 / math.sqrt(2 * math.pi)))


def relu(s: Steps, noted: Noted, g: str) -> Sequence[Flow]:
    """Where x is above 0."""
    x = operand(noted.args)
    above = s.apply("gt", (x, ZERO), s.type(x).with_elem("bool"))
    return [s.where(above, g, ZERO, g)]


def linear(s: Steps, noted: Noted, g: str) -> Sequence[Flow]:
    """Back to x: g W. Weights that depend on x themselves are not derived."""
    weight = operand(noted.args, 1)
    type = s.type(g).with_axes(*s.type(g).axes[:-1], s.type(weight).axes[1])
    return [s.apply("matmul", (g, weight), type), *([None] * (len(noted.args) - 1))]


def matmul(s: Steps, noted: Noted, g: str) -> Sequence[Flow]:
    """G bᵀ and aᵀ g; a vector is a matrix of one row or column."""
    a, b = operand(noted.args), operand(noted.args, 1)
    row, column = len(s.type(a).axes) == 1, len(s.type(b).axes) == 1
    rank = len(s.type(g).axes)
    if row:
        a, g, rank = s.opened(a, [0]), s.opened(g, [rank - (0 if column else 1)]), rank + 1
    if column:
        b, g = s.opened(b, [1]), s.opened(g, [rank])
    x = s.fitted(_product(s, g, s.turned(b)), s.type(a).sizes)
    y = s.fitted(_product(s, s.turned(a), g), s.type(b).sizes)
    return [s.closed(x, [0]) if row else x, s.closed(y, [1]) if column else y]


def _product(s: Steps, a: str, b: str) -> str:
    """Matrices, or batches of them."""
    left, right = s.type(a).axes, s.type(b).axes
    lead = aligned([left[:-2], right[:-2]])
    return s.apply("matmul", (a, b), s.type(a).with_axes(*lead, left[-2], right[-1]))


def grouped_matmul(s: Steps, noted: Noted, g: str) -> Sequence[Flow]:
    """Back to the rows by the matrices turned around; to each matrix the product of the rows of its group."""
    x, weight, sizes = (operand(noted.args, at) for at in range(3))
    rows, groups = s.type(x).axes[0], s.type(weight).axes[0]
    counts = sizes
    if s.type(sizes).elem != "int":
        counts = s.apply("cast", (sizes,), s.type(sizes).with_elem("int"), type="int")
    ends = s.map("cumsum", counts, axis=0)
    numbers = s.opened(s.apply("arange", (), TensorType("int", (rows,)), n=rows.size), [1])
    inside = TensorType("bool", (rows, groups))
    after = s.apply("ge", (numbers, s.both("sub", ends, counts)), inside)
    before = s.apply("lt", (numbers, ends), inside)
    mask = s.ones_where(s.apply("logical_and", (after, before), inside), x)
    n, e, k, m = (AxisGroup(((Atom(name, axis.size),),)) for name, axis in
                  zip("nekm", (rows, *s.type(weight).axes), strict=True))  # fmt: skip
    to_weight = s.contracted([mask, x, g], AxisPattern(((n, e), (n, k), (n, m)), ((e, k, m),)))
    return [s.apply("grouped_matmul", (g, s.turned(weight), sizes), s.type(x)), to_weight, None]


def einsum(s: Steps, noted: Noted, g: str) -> Sequence[Flow]:
    """The same product with the result in the place of the operand; repeated along an axis that was summed alone."""
    recipe: AxisPattern = noted.node.attr("recipe")
    found: list[Flow] = []
    for at, side in enumerate(recipe.inputs):
        others = [i for i in range(len(recipe.inputs)) if i != at]
        have = (recipe.outputs[0], *(recipe.inputs[i] for i in others))
        known = {atom.name for places in have for place in places for atom in place.atoms}
        kept = tuple(place for place in side if any(atom.name in known for atom in place.atoms) or not place.atoms)
        if any(atom.name not in known for place in kept for atom in place.atoms):
            raise OnnxError("`grad` through `einsum` is not supported in ONNX where part of an axis is summed alone")
        flow = s.contracted([g, *(operand(noted.args, i) for i in others)], AxisPattern(have, (kept,)))
        found.append(s.moved(flow, AxisPattern((kept,), (side,)), "expand"))
    return found


def expand(s: Steps, noted: Noted, g: str) -> Sequence[Flow]:
    """The sum over the new axes."""
    recipe: AxisPattern = noted.node.attr("recipe")
    return [s.contracted([g], AxisPattern(recipe.outputs, recipe.inputs))]


def total(s: Steps, noted: Noted, g: str) -> Sequence[Flow]:
    """A sum or a mean: repeated along its axes, and divided for a mean."""
    sizes, axes = s.type(operand(noted.args)).sizes, list(noted.node.attr("axes"))
    flow = s.spread(g, axes, sizes) if axes else g
    if noted.node.op == "mean":
        count = size(1)
        for axis in axes:
            count = count * sizes[axis]
        flow = s.both("div", flow, Const(count))
    return [flow]


def softmax(s: Steps, noted: Noted, g: str) -> Sequence[Flow]:
    """Y (g - Σ g y)."""
    y, axis = noted.results[0], noted.node.attr("axis")
    shared = s.opened(s.total(s.mul(g, y), [axis]), [axis])
    return [s.mul(y, s.both("sub", g, shared))]


def sliced(s: Steps, noted: Noted, g: str) -> Sequence[Flow]:
    """In its place, between zeros."""
    items, sizes = noted.node.attr("items"), s.type(operand(noted.args)).sizes
    flow = s.opened(g, [axis for axis, item in enumerate(items) if item[0] == "index"])
    for axis, (item, whole) in enumerate(zip(items, sizes, strict=True)):
        if item[0] == "all":
            continue
        start, stop, step = item[1:] if item[0] == "slice" else (item[1], item[1] + size(1), size(1))
        if step != size(1):
            raise OnnxError("`grad` through a slice has a form in ONNX for steps of 1")
        flow = s.padded(flow, axis, start, whole - stop)
    return [flow]


def padded(s: Steps, noted: Noted, g: str) -> Sequence[Flow]:
    """Without what was added."""
    attr, sizes = noted.node.attr, s.type(operand(noted.args)).sizes
    if attr("mode") != "constant":
        raise OnnxError(f"`grad` through `pad` of mode {attr('mode')} is not supported in ONNX")
    start, axis = size(attr("before")), attr("axis")
    cut = ("slice", start, start + sizes[axis], size(1))
    items = tuple(cut if at == axis else ("all",) for at in range(len(sizes)))
    return [s.apply("slice", (g,), s.type(operand(noted.args)), items=items)]


def select(s: Steps, noted: Noted, g: str) -> Sequence[Flow]:
    """To the operand that was taken."""
    condition = operand(noted.args)
    return fitted(s, noted, [None, s.where(condition, g, ZERO, g), s.where(condition, ZERO, g, g)])


def alias(s: Steps, noted: Noted, g: str) -> Sequence[Flow]:
    """The same value under another name."""
    return [g]


def nothing(s: Steps, noted: Noted, g: str) -> Sequence[Flow]:
    """To no operand."""
    return [None] * len(noted.args)


FLAT = frozenset(name for name, spec in OPS.items() if Trait.FLAT in spec.traits)
CUT = frozenset(("stop_gradient", "grad_as", *FLAT))  # operands of floats to which nothing flows back
RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "add": add,
        "sub": sub,
        "mul": mul,
        "div": div,
        "neg": lambda s, noted, g: [s.map("neg", g)],
        "exp": slope(lambda s, x, y, noted: y),
        "expm1": slope(lambda s, x, y, noted: s.both("add", y, 1.0)),
        "log": lambda s, noted, g: [s.both("div", g, operand(noted.args))],
        "log1p": lambda s, noted, g: [s.both("div", g, s.both("add", operand(noted.args), 1.0))],
        "sqrt": lambda s, noted, g: [s.both("div", s.mul(g, 0.5), noted.results[0])],
        "rsqrt": slope(lambda s, x, y, noted: s.mul(s.mul(y, s.mul(y, y)), -0.5)),
        "sin": slope(lambda s, x, y, noted: s.map("cos", x)),
        "cos": slope(lambda s, x, y, noted: s.map("neg", s.map("sin", x))),
        "tanh": slope(lambda s, x, y, noted: s.both("sub", 1.0, s.mul(y, y))),
        "erf": slope(lambda s, x, y, noted: s.mul(_bell(s, x, 1.0), 2 / math.sqrt(math.pi))),
        "abs": slope(lambda s, x, y, noted: s.map("sign", x)),
        "sigmoid": slope(lambda s, x, y, noted: s.mul(y, s.both("sub", 1.0, y))),
        "softplus": slope(_softplus),
        "relu": relu,
        "silu": slope(_silu),
        "gelu": slope(_gelu),
        "linear": linear,
        "matmul": matmul,
        "grouped_matmul": grouped_matmul,
        "einsum": einsum,
        "expand": expand,
        "sum": total,
        "mean": total,
        "slice": sliced,
        "pad": padded,
        "softmax": softmax,
        "select": select,
        "alias": alias,
        "stop_gradient": nothing,
        "grad_as": lambda s, noted, g: [None, g],
        **dict.fromkeys(FLAT, nothing),
        **derive_pointwise.RULES,
        **derive_parts.RULES,
        **derive_reduce.RULES,
        **derive_kernels.RULES,
        **derive_scans.RULES,
    }
)

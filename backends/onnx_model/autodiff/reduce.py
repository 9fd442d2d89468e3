"""Derivatives of reductions, and of norms and attention by the steps that they consist of."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from ogive.backends.onnx_model.autodiff.steps import Flow, Rule, Steps
from ogive.backends.onnx_model.autodiff.tape import Noted
from ogive.backends.onnx_model.graph.errors import OnnxError
from ogive.backends.onnx_model.ops.context import Args
from ogive.backends.onnx_model.ops.operands import operand, optional
from ogive.compiler.ir.model import Const, Node, Scalar
from ogive.compiler.ir.scalars import value_of
from ogive.compiler.ops.recipe import Atom, AxisGroup, AxisPattern
from ogive.compiler.sizes import Size, size

ZERO = Const(0.0)


def _spread(s: Steps, noted: Noted, y: str) -> str:
    """A value like the result along the axes that were reduced."""
    axes = list(noted.node.attr("axes"))
    return s.spread(y, axes, s.type(operand(noted.args)).sizes) if axes else y


def _count(s: Steps, x: str, axes: Sequence[int]) -> Size:
    found = size(1)
    for axis in axes:
        found = found * s.type(x).sizes[axis]
    return found


def extreme(s: Steps, noted: Noted, g: str) -> Sequence[Flow]:
    """To the entries that are the largest or smallest, in equal parts."""
    x, axes = operand(noted.args), list(noted.node.attr("axes"))
    there = s.ones_where(s.asked("eq", x, _spread(s, noted, noted.results[0])), x)
    share = s.both("div", g, s.total(there, axes))
    return [s.mul(there, _spread(s, noted, share))]


def variance(s: Steps, noted: Noted, g: str) -> Sequence[Flow]:
    """2 (x - mean x) / n; over n - 1 where it is unbiased."""
    return [s.mul(_gap(s, noted), _spread(s, noted, s.mul(g, 2.0)))]


def deviation(s: Steps, noted: Noted, g: str) -> Sequence[Flow]:
    """(x - mean x) / (n y), 0 where y is."""
    y = noted.results[0]
    share = s.where(s.asked("eq", y, ZERO), ZERO, s.both("div", g, y), g)
    return [s.mul(_gap(s, noted), _spread(s, noted, share))]


def _gap(s: Steps, noted: Noted) -> str:
    """(x - mean x) / n."""
    x, axes = operand(noted.args), list(noted.node.attr("axes"))
    count = _count(s, x, axes)
    gap = s.both("sub", x, s.opened(s.mean(x, axes), axes))
    return s.both("div", gap, Const(count - 1 if noted.node.attr("unbiased") else count))


def logsumexp(s: Steps, noted: Noted, g: str) -> Sequence[Flow]:
    """The softmax."""
    x = operand(noted.args)
    share = s.map("exp", s.both("sub", x, _spread(s, noted, noted.results[0])))
    return [s.mul(share, _spread(s, noted, g))]


def norm(s: Steps, noted: Noted, g: str) -> Sequence[Flow]:
    """Sign x |x|^(p-1) y^(1-p), 0 where y is; the largest entries in equal parts for p = ∞."""
    x, y, p = operand(noted.args), noted.results[0], value_of(noted.node.attr("p"))
    if p is None:
        raise OnnxError("`grad` through `norm` with a `p` that depends on sizes is not supported in ONNX")
    if p == 0:
        return [s.mul(x, 0.0)]
    if p == 1:
        return [s.mul(s.map("sign", x), _spread(s, noted, g))]
    if math.isinf(p):
        size_ = s.map("abs", x)
        there = s.ones_where(s.asked("eq", size_, _spread(s, noted, y)), x)
        share = s.both("div", g, s.total(there, list(noted.node.attr("axes"))))
        return [s.mul(s.mul(there, s.map("sign", x)), _spread(s, noted, share))]
    power = y if p == 2 else s.both("pow", y, float(p - 1))
    share = s.where(s.asked("eq", y, ZERO), ZERO, s.both("div", g, power), g)
    slope = x if p == 2 else s.mul(s.map("sign", x), s.both("pow", s.map("abs", x), float(p - 1)))
    return [s.mul(slope, _spread(s, noted, share))]


def by_pattern(s: Steps, noted: Noted, g: str) -> Sequence[Flow]:
    """A reduction by names: repeated along those that went, to the largest or smallest in equal parts."""
    recipe: AxisPattern = noted.node.attr("recipe")
    op, x = noted.node.attr("op"), operand(noted.args)
    back = AxisPattern(recipe.outputs, recipe.inputs)
    if op == "sum":
        return [s.moved(g, back, "expand")]
    if op == "mean":
        whole, left = (_product(side.sizes) for side in (s.type(x), s.type(g)))
        return [s.both("div", s.moved(s.mul(g, Const(left)), back, "expand"), Const(whole))]
    if op not in ("max", "min"):
        raise OnnxError(f"`grad` through `reduce` by `{op}` is not supported in ONNX")
    there = s.ones_where(s.asked("eq", x, s.moved(noted.results[0], back, "expand")), x)
    share = s.both("div", g, s.contracted([there], recipe))
    return [s.mul(there, s.moved(share, back, "expand"))]


def _product(sizes: Sequence[Size]) -> Size:
    found = size(1)
    for item in sizes:
        found = found * item
    return found


def log_softmax(s: Steps, noted: Noted, g: str) -> Sequence[Flow]:
    """G - e^y Σ g."""
    axis = noted.node.attr("axis")
    return [s.both("sub", g, s.mul(s.map("exp", noted.results[0]), s.opened(s.total(g, [axis]), [axis])))]


RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "max": extreme,
        "min": extreme,
        "var": variance,
        "std": deviation,
        "logsumexp": logsumexp,
        "norm": norm,
        "reduce": by_pattern,
        "log_softmax": log_softmax,
    }
)

# --- by their steps ---------------------------------------------------------------------------------------------------


def lerp(s: Steps, node: Node, args: Args) -> str:
    """A + t (b - a)."""
    a, b, t = (x if isinstance(x, Const) else operand(args, at) for at, x in enumerate(node.inputs))
    if isinstance(a, Const) and isinstance(b, Const):
        return s.both("add", s.mul(t, Const(Scalar("-", (b.value, a.value)))), a)
    return s.both("add", s.mul(t, s.both("sub", b, a)), a)


def layer_norm(s: Steps, node: Node, args: Args) -> str:
    """(x - mean x) / √(var x + eps) · weight + bias."""
    x, axes = operand(args), list(node.attr("axes"))
    gap = s.both("sub", x, s.opened(s.mean(x, axes), axes))
    return _scaled(s, args, _divided(s, gap, gap, axes, node), axes)


def rms_norm(s: Steps, node: Node, args: Args) -> str:
    """X / √(mean x² + eps) · weight."""
    x, axes = operand(args), list(node.attr("axes"))
    return _scaled(s, args, _divided(s, x, x, axes, node), axes)


def _divided(s: Steps, x: str, spread: str, axes: list[int], node: Node) -> str:
    root = s.map("rsqrt", s.both("add", s.mean(s.mul(spread, spread), axes), Const(node.attr("eps"))))
    return s.mul(x, s.opened(root, axes))


def _scaled(s: Steps, args: Args, y: str, axes: Sequence[int]) -> str:
    """Times the weight, plus the bias, which have these axes."""
    rank = len(s.type(y).axes)
    between = [at - axes[0] for at in range(axes[0], rank) if at not in axes]
    weight, bias = optional(args, 1), optional(args, 2)
    y = y if weight is None else s.mul(y, s.opened(weight, between))
    return y if bias is None else s.both("add", y, s.opened(bias, between))


def group_norm(s: Steps, node: Node, args: Args) -> str:
    """Layer norm of each group, then weight and bias by channel."""
    x = operand(args)
    atoms = [Atom(f"a{at}", item) for at, item in enumerate(s.type(x).sizes)]
    groups = Atom("groups", node.attr("groups"))
    inner = Atom("inner", atoms[1].size // groups.size)
    behind = tuple(AxisGroup(((atom,),)) for atom in atoms[2:])
    whole = (AxisGroup(((atoms[0],),)), AxisGroup(((groups, inner),)), *behind)
    apart = (AxisGroup(((atoms[0],),)), AxisGroup(((groups,),)), AxisGroup(((inner,),)), *behind)
    parts = s.moved(x, AxisPattern((whole,), (apart,)))
    axes = list(range(2, len(apart)))
    gap = s.both("sub", parts, s.opened(s.mean(parts, axes), axes))
    y = s.moved(_divided(s, gap, gap, axes, node), AxisPattern((apart,), (whole,)))
    return _scaled(s, args, y, [1])


def batch_norm(s: Steps, node: Node, args: Args) -> str:
    """By statistics that are given for each channel."""
    x, mean, spread = (operand(args, at) for at in range(3))
    behind = list(range(1, len(s.type(x).axes) - 1))
    root = s.map("rsqrt", s.both("add", spread, Const(node.attr("eps"))))
    y = s.mul(s.both("sub", x, s.opened(mean, behind)), s.opened(root, behind))
    return _scaled(s, [x, *args[3:]], y, [1])


SPELLED: Mapping[str, Callable[[Steps, Node, Args], str]] = MappingProxyType(
    {
        "lerp": lerp,
        "layer_norm": layer_norm,
        "rms_norm": rms_norm,
        "group_norm": group_norm,
        "batch_norm": batch_norm,
    }
)

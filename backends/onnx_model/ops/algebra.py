"""Fourier transforms, complex numbers, determinants, recurrences and gradients by hand in ONNX.

A complex tensor is a pair of floats on a last axis of 2, which is how `DFT` takes it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ogive.backends.onnx_model.graph.elems import ONNX
from ogive.backends.onnx_model.ops.complex_pairs import joined, part, times
from ogive.backends.onnx_model.ops.context import Args, Context, Lowering
from ogive.backends.onnx_model.ops.operands import given, operand, padded, squeezed, unsqueezed
from ogive.compiler.ir.model import Node, Scalar
from ogive.compiler.ir.types import TensorType
from ogive.compiler.sizes import Size, size


def fourier(inverse: bool) -> Lowering:
    """`DFT` along one axis after the other."""

    def lower(ctx: Context, node: Node, args: Args) -> str:
        x, sizes = _pairs(ctx, node, args)
        lengths = [sizes[axis] for axis in node.attr("axes")]
        x, elem = _exact(ctx, x, lengths)
        paired = ctx.paired(node.inputs[0])
        for axis in node.attr("axes"):
            x = _inverse(ctx, x, axis, elem, paired=paired) if inverse else _dft(ctx, x, axis)
            paired = True
        return _as_float(ctx, _normed(ctx, x, lengths, node.attr("norm"), inverse, elem), elem)

    return lower


def _pairs(ctx: Context, node: Node, args: Args) -> tuple[str, Sequence[Size]]:
    """The operand as pairs, and the sizes of its axes."""
    name = node.inputs[0]
    type = ctx.type(name)
    if ctx.paired(name):
        return operand(args), type.sizes[:-1]
    return unsqueezed(ctx, operand(args), [len(type.axes)]), type.sizes


def _exact(ctx: Context, x: str, lengths: Sequence[Size]) -> tuple[str, str]:
    """The operand, in float64 where a length may be no power of 2, and its element type there.

    In float32 the angles of such a transform are rounded in ONNX Runtime: 1e-4 are lost of 1,000 numbers.
    """
    elem = ctx.elem("float")
    if elem == "f64" or (elem == "f32" and all(_power_of_2(length) for length in lengths)):
        return x, elem
    return ctx.node("Cast", x, to=ONNX["f64"]), "f64"


def _power_of_2(length: Size) -> bool:
    return length.is_number and length.number.bit_count() == 1


def _as_float(ctx: Context, x: str, elem: str) -> str:
    found = ctx.elem("float")
    return x if found == elem else ctx.node("Cast", x, to=ONNX[found])


def _dft(ctx: Context, x: str, axis: int, *, inverse: bool = False, onesided: bool = False) -> str:
    """`DFT` of a tensor with one more axis in front, since the first axis may be no batch."""
    front = unsqueezed(ctx, x, [0])
    y = ctx.node("DFT", front, "", ctx.number(axis + 1, "int"), inverse=int(inverse), onesided=int(onesided))
    return squeezed(ctx, y, [0])


def _inverse(ctx: Context, x: str, axis: int, elem: str, *, paired: bool = True) -> str:
    """The inverse. In float64, where ONNX Runtime scales by 1/n in float32, the conjugate of that of the conjugate."""
    if elem != "f64":
        return _dft(ctx, x, axis, inverse=True)
    turned = ctx.array(np.array([1.0, -1.0]))
    return ctx.node("Mul", _dft(ctx, ctx.node("Mul", x, turned) if paired else x, axis), turned)


def _normed(ctx: Context, x: str, lengths: Sequence[Size], norm: str, inverse: bool, elem: str) -> str:
    """`DFT` scales the inverse by 1/n, as "backward" wants; `_inverse` in float64 scales nothing."""
    scaled = inverse and elem != "f64"
    if norm == "backward" and scaled == inverse:
        return x
    if norm == "forward" and inverse and not scaled:
        return x
    count = size(1)
    for length in lengths:
        count = count * length
    factor: Scalar | Size = count
    if norm == "ortho":
        factor = Scalar("sqrt", (count,))
    return ctx.node("Mul" if scaled else "Div", x, ctx.number(factor, elem))


def rfft(ctx: Context, node: Node, args: Args) -> str:
    """One-sided along the last of the axes, whole along the others."""
    x, sizes = _pairs(ctx, node, args)
    axes = node.attr("axes")
    lengths = [sizes[axis] for axis in axes]
    x, elem = _exact(ctx, x, lengths)
    x = _dft(ctx, x, axes[-1], onesided=True)
    for axis in axes[:-1]:
        x = _dft(ctx, x, axis)
    return _as_float(ctx, _normed(ctx, x, lengths, node.attr("norm"), False, elem), elem)


def irfft(ctx: Context, node: Node, args: Args) -> str:
    """The whole spectrum, made of its half by X[n - k] = conj X[k], transformed back."""
    axes, out, have = node.attr("axes"), node.outputs[0].type.sizes, ctx.type(node.inputs[0]).sizes
    lengths = [out[axis] for axis in axes]
    x, elem = _exact(ctx, operand(args), lengths)
    for axis in axes:
        x = _fitted(ctx, x, axis, len(have), have[axis], out[axis] // 2 + 1 if axis == axes[-1] else out[axis])
    for axis in axes[:-1]:
        x = _inverse(ctx, x, axis, elem)
    last, length = axes[-1], out[axes[-1]]
    bounds = (ctx.size((length - 1) // 2), ctx.array([0]), ctx.array([last]), ctx.array([-1]))
    mirrored = ctx.node("Slice", x, *bounds)
    turned = joined(ctx, part(ctx, mirrored, 0), ctx.node("Neg", part(ctx, mirrored, 1)))
    whole = ctx.node("Concat", x, turned, axis=last)
    y = part(ctx, _inverse(ctx, whole, last, elem), 0)
    return _as_float(ctx, _normed(ctx, y, lengths, node.attr("norm"), True, elem), elem)


def _fitted(ctx: Context, x: str, axis: int, rank: int, have: Size, want: Size) -> str:
    """Cut, or filled up with zeros."""
    if have == want:
        return x
    longer = padded(ctx, x, rank, {axis: (0, want)}, "constant")
    return ctx.node("Slice", longer, ctx.array([0]), ctx.size(want), ctx.array([axis]))


def complex_(ctx: Context, node: Node, args: Args) -> str:
    """Both parts side by side."""
    re, im = given(args)
    shape = node.outputs[0].type.axes[:-1]
    parts = []
    for x, name in ((re, node.inputs[0]), (im, node.inputs[1])):
        own = ctx.type(name).sizes if isinstance(name, str) else ()
        same = list(own) == [axis.size for axis in shape]
        parts.append(x if same else ctx.node("Expand", x, ctx.shape([axis.size for axis in shape])))
    return joined(ctx, *parts)


def real(ctx: Context, node: Node, args: Args) -> str:
    """The first of each pair."""
    return part(ctx, operand(args), 0)


def imag(ctx: Context, node: Node, args: Args) -> str:
    """The second of each pair."""
    return part(ctx, operand(args), 1)


def conj(ctx: Context, node: Node, args: Args) -> str:
    """The second of each pair turned around."""
    return joined(ctx, part(ctx, operand(args), 0), ctx.node("Neg", part(ctx, operand(args), 1)))


def det(ctx: Context, node: Node, args: Args) -> str:
    """`Det`."""
    return ctx.node("Det", operand(args))


def same(ctx: Context, node: Node, args: Args) -> str:
    """The first operand: no gradient is taken of a deployed model."""
    return operand(args)


def linear_scan(ctx: Context, node: Node, args: Args) -> str:
    """`Scan` of h = a h + b."""
    type, axis = node.outputs[0].type, node.attr("axis")
    state = type.with_axes(*type.axes[:axis], *type.axes[axis + 1 :])
    whole = [_spread(ctx, operand(args, i), ctx.type(node.inputs[i]).sizes, type.sizes) for i in range(2)]
    start = args[2] if len(args) > 2 else None
    if start is None:
        start = _spread(ctx, ctx.number(0.0, state.elem), (), state.sizes)
    else:
        start = _spread(ctx, start, ctx.type(node.inputs[2]).sizes, state.sizes)
    paired = ctx.paired(node.inputs[0])

    def step(names: Sequence[str]) -> list[tuple[str, TensorType]]:
        h, a, b = names
        found = ctx.node("Add", times(ctx, a, h) if paired else ctx.node("Mul", a, h), b)
        return [(found, state), (found, state)]

    inner = [("h", state), ("a", state), ("b", state)]
    return ctx.scan([start], whole, inner, step, [axis, axis], [axis], False)[1]


def _spread(ctx: Context, x: str, have: Sequence[Size], want: Sequence[Size]) -> str:
    """The tensor with all axes of the result."""
    return x if list(have) == list(want) else ctx.node("Expand", x, ctx.shape(want))


LOWER: dict[str, Lowering] = {
    "fft": fourier(inverse=False),
    "ifft": fourier(inverse=True),
    "rfft": rfft,
    "irfft": irfft,
    "complex": complex_,
    "real": real,
    "imag": imag,
    "conj": conj,
    "det": det,
    "linear_scan": linear_scan,
    "stop_gradient": same,
    "grad_as": same,
}

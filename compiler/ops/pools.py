"""Window pools."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ogive.compiler.ir.types import FLOATS, Axis, TensorType
from ogive.compiler.ops.align import require_elem
from ogive.compiler.ops.empty import some
from ogive.compiler.ops.spatial import per_axis, place, spatial
from ogive.compiler.ops.spec import Checker, OpSpec, Rule, StaticSpec, Told, Trait
from ogive.compiler.sizes import Size, ceil_div, le, minimum, size

Types = Sequence[TensorType | None]
Statics = Mapping[str, Any]
Result = tuple[tuple[TensorType, ...], Mapping[str, Any]]


def _windowed(name: str) -> Rule:
    """The rule of a pool with windows; pooling is by channel, over all spatial axes."""

    def rule(checker: Checker, statics: Statics, types: Types) -> Result:
        (x,) = types
        assert x is not None
        require_elem(name, x, FLOATS)
        batch, channels, axes = spatial(checker, name, x)
        kernel = per_axis(statics["kernel"], len(axes), "kernel", low=1)
        stride = kernel if statics["stride"] is None else per_axis(statics["stride"], len(axes), "stride", low=1)
        pad = per_axis(statics["pad"], len(axes), "pad", low=0)
        dilation = per_axis(statics.get("dilation", 1), len(axes), "dilation", low=1)
        out = []
        for i, axis in enumerate(axes):
            reach, where = dilation[i] * (kernel[i] - 1), place(axis, i + 2)
            if pad[i] != size(0):
                text = f"pads {where} by {pad[i]}, more than half of a window of {reach + 1}"
                checker.require(le(2 * pad[i], reach + 1), text, 0)
            length = _windows(checker, axis.size, reach, stride[i], pad[i], bool(statics["ceil"]))
            checker.positive(length, f"`{name}` leaves `{length}` of {where}")
            out.append(Axis(length, axis.label))
        attrs: dict[str, Any] = {"kernel": kernel, "stride": stride, "pad": pad}
        attrs |= {key: statics[key] for key in ("ceil", "count_include_pad") if key in statics}
        attrs |= {"dilation": dilation} if "dilation" in statics else {}
        return (x.with_axes(batch, channels, *out),), attrs

    return rule


def _windows(checker: Checker, length: Size, reach: Size, stride: Size, pad: Size, ceil: bool) -> Size:
    """How many windows fit; `ceil` adds one that overhangs, unless it would start in the padding on the right."""
    room = length + 2 * pad - reach - 1
    if not ceil:
        return room // stride + 1
    overhanging, starting = ceil_div(room, stride) + 1, ceil_div(length + pad, stride)
    if checker.proves(le(pad + stride, reach + 1)):
        return overhanging
    return minimum(overhanging, starting)


def _adaptive(name: str) -> Rule:
    """The rule of a pool to a given size."""

    def rule(checker: Checker, statics: Statics, types: Types) -> Result:
        (x,) = types
        assert x is not None
        require_elem(name, x, FLOATS)
        batch, channels, axes = spatial(checker, name, x)
        some(checker, batch, name)
        wanted = per_axis(statics["size"], len(axes), "size", low=1)
        out = [Axis(length, axis.label) for length, axis in zip(wanted, axes, strict=True)]
        return (x.with_axes(batch, channels, *out),), {"size": wanted}

    return rule


KERNEL = StaticSpec("kernel", "per_axis", low=1)
STRIDE = StaticSpec("stride", "per_axis", None, low=1)
PAD = StaticSpec("pad", "per_axis", 0, low=0)
DILATION = StaticSpec("dilation", "per_axis", 1, low=1)
CEIL = StaticSpec("ceil", "bool", False)
SIZE = StaticSpec("size", "per_axis", low=1)

OPS = (
    OpSpec(
        "max_pool",
        "x",
        (KERNEL, STRIDE, PAD, DILATION, CEIL),
        _windowed("max_pool"),
        "kernel",
        "the maximum of each window; the stride is the kernel unless given",
        "fold",
        traits=Trait.KEEPS_SIGN | Trait.LOWEST_OUT,
        told=Told(
            "The maximum of each window; the stride is the kernel unless given.",
            "(x: [b, c, *n]) -> [b, c, *m]",
            "(x: [b, c, 2*h, 2*w]) -> [b, c, h, w]",
            "max_pool[2](x)",
            "m = (n + 2*pad - dilation*(kernel - 1) - 1) // stride + 1 for each axis; `ceil` rounds up; "
            'pad="same" gives ceil_div(n, stride)',
        ),
    ),
    OpSpec(
        "avg_pool",
        "x",
        (KERNEL, STRIDE, PAD, CEIL, StaticSpec("count_include_pad", "bool", True)),
        _windowed("avg_pool"),
        "kernel",
        "the mean of each window; the stride is the kernel unless given",
        "fold",
        linear=(0,),
        traits=Trait.KEEPS_SIGN | Trait.FINITE,
        told=Told(
            "The mean of each window; the stride is the kernel unless given.",
            "(x: [b, c, *n]) -> [b, c, *m]",
            "(x: [b, c, 2*h, 2*w]) -> [b, c, h, w]",
            "avg_pool[2](x)",
            "m = (n + 2*pad - kernel) // stride + 1 for each axis; `ceil` rounds up; "
            'pad="same" gives ceil_div(n, stride)',
        ),
    ),
    OpSpec(
        "adaptive_avg_pool",
        "x",
        (SIZE,),
        _adaptive("adaptive_avg_pool"),
        "kernel",
        "the mean of each of `size` windows that cover the axis",
        "fold",
        linear=(0,),
        traits=Trait.FINITE,
        told=Told(
            "The mean of each of `size` windows that cover the axis.",
            "(x: [b, c, *n]) -> [b, c, *size]",
            "(x: [b, c, h, w]) -> [b, c, 1, 1]",
            "adaptive_avg_pool[1](x)",
        ),
    ),
    OpSpec(
        "adaptive_max_pool",
        "x",
        (SIZE,),
        _adaptive("adaptive_max_pool"),
        "kernel",
        "the maximum of each of `size` windows that cover the axis",
        "fold",
        traits=Trait.LOWEST_OUT,
        told=Told(
            "The maximum of each of `size` windows that cover the axis.",
            "(x: [b, c, *n]) -> [b, c, *size]",
            "(x: [b, c, h, w]) -> [b, c, 2, 2]",
            "adaptive_max_pool[2](x)",
        ),
    ),
)

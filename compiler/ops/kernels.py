"""Softmax, attention, convolutions, resampling: operations for which targets have kernels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from ogive.compiler.ir.model import Scalar
from ogive.compiler.ir.types import FLOATS, Axis, TensorType
from ogive.compiler.ops import sampling
from ogive.compiler.ops.align import align, common_elem, require_elem
from ogive.compiler.ops.axes import resolve
from ogive.compiler.ops.empty import inhabited, some
from ogive.compiler.ops.spatial import per_axis, place, spatial
from ogive.compiler.ops.spec import Checker, OpSpec, Rule, ShapeError, StaticSpec, Told, Trait
from ogive.compiler.sizes import Size, divides, eq, le, lt, maximum, size

Types = Sequence[TensorType | None]
Statics = Mapping[str, Any]
Result = tuple[tuple[TensorType, ...], Mapping[str, Any]]

PAD_MODES = ("zeros", "reflect", "replicate", "circular")
RESAMPLINGS = ("nearest", "nearest-exact", "area", "linear", "bilinear", "bicubic", "trilinear")
ALIGNABLE = {"linear": 1, "bilinear": 2, "bicubic": 2, "trilinear": 3}  # modes that know a number of spatial axes


def _floats(name: str, types: Types) -> list[TensorType]:
    """The operands that are given, all of one float type."""
    for operand, type in enumerate(types):
        require_elem(name, type, FLOATS, operand)
    common_elem(name, types)
    return [type for type in types if type is not None]


def _along_axis(name: str) -> Rule:
    def rule(checker: Checker, statics: Statics, types: Types) -> Result:
        (x,) = _floats(name, types)
        return (x,), {"axis": resolve(x, statics["axis"])}

    return rule


def _attention(checker: Checker, statics: Statics, types: Types) -> Result:
    q, k, v, mask = types
    require_elem("attention", mask, ("bool", *FLOATS), 3)
    given = _floats("attention", (q, k, v) if mask is None or mask.elem == "bool" else types)
    for operand, type in enumerate(given[:3]):
        if len(type.axes) < 2 or any(axis.pack is not None for axis in type.axes[-2:]):
            raise ShapeError(f"`attention` takes [..., n, d], not {type}", code="E0303", operand=operand)
    queries, width, keys = given[0].axes[-2], given[0].axes[-1], given[1].axes[-2]
    checker.meet(width, given[1].axes[-1], f"contracts `{width}` of queries with `{given[1].axes[-1]}` of keys", 1)
    checker.meet(keys, given[2].axes[-2], f"has `{keys}` keys and `{given[2].axes[-2]}` values", 2)
    batch = align(checker, [type.with_axes(*type.axes[:-2]) for type in given[:3]], "attends from {a} to {b}")
    inhabited(checker, "attention", given[:3])
    if mask is not None:
        _mask(checker, (*batch, queries, keys), mask)
    aligned = bool(checker.proves(eq(queries.size, keys.size)))
    causal = bool(statics["causal"]) and not _single(queries)  # one query, the last, sees every key
    attrs = {"causal": causal, "scale": statics["scale"], "aligned": aligned}
    return (given[0].with_axes(*batch, queries, given[2].axes[-1]),), attrs


def _single(axis: Axis) -> bool:
    return axis.size.is_number and axis.size.number == 1


def _mask(checker: Checker, scores: tuple[Axis, ...], mask: TensorType) -> None:
    """A mask broadcasts to the scores, and adds no axes to them."""
    full = TensorType("float", scores)
    if len(mask.axes) > len(scores):
        raise ShapeError(f"the mask {mask} has more axes than the scores {full}", code="E0303", operand=3)
    met = align(checker, (full, None, None, mask), "masks {a} by {b}")
    for axis, score in zip(met, scores, strict=True):
        checker.equal(axis.size, score.size, f"masks `{score}` by `{axis}`", 3)


def _kernel(checker: Checker, name: str, x: TensorType, w: TensorType) -> tuple[Size, ...]:
    """The kernel's sizes: the axes of the weight after its first two."""
    count = len(x.axes) - 2
    if w.rank is None or len(w.axes) != count + 2:
        text = f"the weight {w} of `{name}` needs {count + 2} axes, as {x} has"
        raise ShapeError(text, code="E0303", operand=1)
    inhabited(checker, name, (w,))
    return w.sizes[2:]


def _bias(checker: Checker, name: str, channels: Axis, bias: TensorType | None) -> None:
    if bias is None:
        return
    if len(bias.axes) != 1 or bias.rank is None:
        raise ShapeError(f"the bias of `{name}` has one axis, not {bias}", code="E0303", operand=2)
    checker.meet(channels, bias.axes[0], f"has `{channels}` channels and a bias of `{bias.axes[0]}`", 2)


def _conv(checker: Checker, statics: Statics, types: Types) -> Result:
    x, w = _floats("conv", types)[:2]
    batch, channels, axes = spatial(checker, "conv", x)
    kernel = _kernel(checker, "conv", x, w)
    stride, dilation = (per_axis(statics[key], len(axes), key, low=1) for key in ("stride", "dilation"))
    groups, pad, mode = size(statics["groups"]), _pad(statics["pad"], len(axes), stride), statics["pad_mode"]
    if mode not in PAD_MODES:
        raise ShapeError(_one_of("pad_mode", mode, PAD_MODES), code="E0408", static="pad_mode")
    if mode == "circular":
        some(checker, batch, "conv")
    text = f"contracts `{channels}` channels with `{w.axes[1] if groups == size(1) else groups * w.axes[1].size}`"
    if groups == size(1):
        checker.meet(channels, w.axes[1], text, 1)
    else:
        checker.equal(channels.size, groups * w.axes[1].size, text, 1)
        checker.require(divides(groups, w.axes[0].size), f"splits `{w.axes[0]}` channels into {groups} groups", 1)
    _bias(checker, "conv", w.axes[0], types[2])
    out = []
    for i, axis in enumerate(axes):
        reach = dilation[i] * (kernel[i] - 1)
        total = reach if pad == "same" else 2 * pad[i]
        side = (reach + 1) // 2 if pad == "same" else pad[i]
        _wraps(checker, mode, axis, side, place(axis, i + 2))
        out.append(_window(checker, "conv", axis, axis.size + total - reach - 1, stride[i], place(axis, i + 2)))
    attrs = {"stride": stride, "pad": pad, "dilation": dilation, "groups": groups, "pad_mode": mode}
    return (x.with_axes(batch, w.axes[0], *out),), attrs


def _pad(pad: Any, count: int, stride: tuple[Size, ...]) -> Any:
    """Padding on each side by axis, or "same": the output is as long as the input."""
    if not isinstance(pad, str):
        return per_axis(pad, count, "pad", low=0)
    if pad != "same":
        raise ShapeError(f'`pad` is a number, a list or "same", not "{pad}"', code="E0408", static="pad")
    wide = [step for step in stride if step != size(1)]
    if wide:
        raise ShapeError(f'`pad="same"` goes with stride 1, not {wide[0]}', code="E0408", static="pad")
    return pad


def _wraps(checker: Checker, mode: str, axis: Axis, pad: Size, where: str) -> None:
    """Reflection and wrapping take what they pad from the axis itself."""
    if pad == size(0):
        return
    if mode == "reflect":
        checker.inside(lt(pad, axis.size), f"`conv` reflects {pad} of {where}, which holds `{axis.size}`")
    elif mode == "circular":
        checker.inside(le(pad, axis.size), f"`conv` wraps {pad} of {where}, which holds `{axis.size}`")


def _window(checker: Checker, name: str, axis: Axis, room: Size, stride: Size, where: str) -> Axis:
    """The positions of a window with `room` steps to move."""
    out = room // stride + 1
    checker.positive(out, f"`{name}` leaves `{out}` of {where}")
    return Axis(out, axis.label)


def _conv_transpose(checker: Checker, statics: Statics, types: Types) -> Result:
    x, w = _floats("conv_transpose", types)[:2]
    batch, channels, axes = spatial(checker, "conv_transpose", x)
    kernel = _kernel(checker, "conv_transpose", x, w)
    stride, dilation = (per_axis(statics[key], len(axes), key, low=1) for key in ("stride", "dilation"))
    pad, extra = (per_axis(statics[key], len(axes), key, low=0) for key in ("pad", "out_pad"))
    groups = size(statics["groups"])
    checker.meet(channels, w.axes[0], f"contracts `{channels}` channels with `{w.axes[0]}`", 1)
    if groups != size(1):
        checker.require(divides(groups, channels.size), f"splits `{channels}` channels into {groups} groups", 0)
    made = w.axes[1] if groups == size(1) else Axis(groups * w.axes[1].size)
    _bias(checker, "conv_transpose", made, types[2])
    out = []
    for i, axis in enumerate(axes):
        if extra[i].is_number and stride[i].is_number and dilation[i].is_number:
            _extra(extra[i].number, stride[i].number, dilation[i].number)
        elif extra[i] is not size(0):
            room = maximum(stride[i], dilation[i]) - extra[i]
            checker.positive(room, f"`out_pad` {extra[i]} must be below the stride or the dilation")
        length = (axis.size - 1) * stride[i] - 2 * pad[i] + dilation[i] * (kernel[i] - 1) + extra[i] + 1
        checker.positive(length, f"`conv_transpose` leaves `{length}` of {place(axis, i + 2)}")
        out.append(Axis(length, axis.label))
    attrs = {"stride": stride, "pad": pad, "out_pad": extra, "dilation": dilation, "groups": groups}
    return (x.with_axes(batch, made, *out),), attrs


def _extra(extra: int, stride: int, dilation: int) -> None:
    if extra and extra >= max(stride, dilation):
        text = f"`out_pad` {extra} must be below the stride {stride} or the dilation {dilation}"
        raise ShapeError(text, code="E0408", static="out_pad")


def _interpolate(checker: Checker, statics: Statics, types: Types) -> Result:
    (x,) = _floats("interpolate", types)
    batch, channels, axes = spatial(checker, "interpolate", x)
    mode, scale, target = statics["mode"], statics["scale"], statics["size"]
    if mode not in RESAMPLINGS:
        raise ShapeError(_one_of("mode", mode, RESAMPLINGS), code="E0408", static="mode")
    if mode in ALIGNABLE and ALIGNABLE[mode] != len(axes):
        text = f"`{mode}` interpolates over {ALIGNABLE[mode]} spatial axes, and {x} has {len(axes)}"
        raise ShapeError(text, code="E0303", operand=0, static="mode")
    if statics["align_corners"] and mode not in ALIGNABLE:
        raise ShapeError(f"`align_corners` means nothing for `{mode}`", code="E0408", static="align_corners")
    if statics["antialias"] and (mode not in ("bilinear", "bicubic") or statics["align_corners"]):
        text = "`antialias` goes with `bilinear` and `bicubic`, without `align_corners`"
        raise ShapeError(text, code="E0408", static="antialias")
    if (scale is None) == (target is None):
        raise ShapeError("`interpolate` takes either `scale` or `size`", code="E0408", static="scale")
    attrs = {"mode": mode, "align_corners": bool(statics["align_corners"])}
    attrs |= {"antialias": True} if statics["antialias"] else {}
    if scale is None:
        wanted = per_axis(target, len(axes), "size", low=1)
        out = [Axis(length, axis.label) for length, axis in zip(wanted, axes, strict=True)]
        return (x.with_axes(batch, channels, *out),), {**attrs, "size": wanted, "scale": None}
    scales = tuple(scale) if isinstance(scale, tuple | list) else (scale,) * len(axes)
    if len(scales) != len(axes):
        raise ShapeError(f"`scale` lists {len(scales)} numbers for {len(axes)} axes", code="E0408", static="scale")
    out = []
    for i, (factor, axis) in enumerate(zip(scales, axes, strict=True)):
        above, below = _ratio(factor)
        length = axis.size * above // below
        checker.positive(length, f"`interpolate` leaves `{length}` of {place(axis, i + 2)}")
        out.append(Axis(length, axis.label))
    return (x.with_axes(batch, channels, *out),), {**attrs, "size": None, "scale": scales}


def _ratio(scale: Any) -> tuple[Size, Size]:
    """A scale as a quotient of sizes."""
    if isinstance(scale, Scalar) and scale.fn == "/" and all(isinstance(arg, int | Size) for arg in scale.args):
        return size(scale.args[0]), size(scale.args[1])
    if isinstance(scale, Scalar) or isinstance(scale, bool) or not isinstance(scale, int | float | Size):
        raise ShapeError(f"`scale` must be a known number or a quotient of sizes, not {scale}", code="E0404")
    if isinstance(scale, Size):
        return scale, size(1)
    if not 0 < scale < float("inf"):
        raise ShapeError(f"`scale` is above 0, not {scale}", code="E0408", static="scale")
    ratio = Fraction(scale).limit_denominator(1 << 16)
    return size(ratio.numerator), size(ratio.denominator)


def _one_of(static: str, value: Any, known: Sequence[str]) -> str:
    return f"`{static}` is one of {', '.join(known)}, not {value}"


AXIS = StaticSpec("axis", "axis")
STRIDE = StaticSpec("stride", "per_axis", 1, low=1)
PAD = StaticSpec("pad", "per_axis", 0, low=0)
DILATION = StaticSpec("dilation", "per_axis", 1, low=1)
GROUPS = StaticSpec("groups", "size", 1)

OPS = (
    OpSpec(
        "softmax",
        "x",
        (AXIS,),
        _along_axis("softmax"),
        "kernel",
        "e^x / Σ e^x along the axis",
        "shift",
        traits=Trait.NONNEGATIVE | Trait.FLAT_AT_ZERO | Trait.FINITE | Trait.LOWEST_OUT,
        told=Told(
            "Numbers above 0 along an axis that sum to 1.",
            "(x: [*b]) -> [*b]",
            "(x: [b, n]) -> [b, n]",
            "softmax[n](x)",
        ),
    ),
    OpSpec(
        "log_softmax",
        "x",
        (AXIS,),
        _along_axis("log_softmax"),
        "kernel",
        "x - ln Σ e^x along the axis",
        "shift",
        traits=Trait.SAME_POLES | Trait.LOWEST_OUT,
        told=Told(
            "The logarithm of softmax, computed at once.",
            "(x: [*b]) -> [*b]",
            "(x: [b, n]) -> [b, n]",
            "log_softmax[n](x)",
        ),
    ),
    OpSpec(
        "attention",
        "q, k, v, mask?",
        (StaticSpec("causal", "bool", False), StaticSpec("scale", "float", None)),
        _attention,
        "kernel",
        "softmax(scale q kᵀ + mask) v; scale is 1 / √d unless given",
        "own",
        linear=(2,),
        traits=Trait.FINITE,
        told=Told(
            "Scaled dot-product attention; a bool mask is true where a query may look, a float one is added.",
            "(q: [*b, n, d], k: [*b, m, d], v: [*b, m, e], mask: bool[*b, n, m]?) -> [*b, n, e]",
            "(q: [b, h, n, d], k: [b, h, n, d], v: [b, h, n, d]) -> [b, h, n, d]",
            "attention[causal=true](q, k, v)",
            "the axes before the last two align from the right",
            gradient="in `q`, `k`, `v` and in a `mask` of floats; linear in `v`",
        ),
    ),
    OpSpec(
        "conv",
        "x, w, b?",
        (STRIDE, PAD, DILATION, GROUPS, StaticSpec("pad_mode", "str", "zeros")),
        _conv,
        "kernel",
        "y[o, p] = Σ_{i, k} w[o, i, k] x[i, stride p + dilation k - pad] + b[o]",
        "own",
        linear=(0, 1),
        traits=Trait.FINITE,
        told=Told(
            "A convolution over any number of axes, by a weight that is given. `std.vision.Conv` is the layer.",
            "(x: [b, c, *n], w: [o, c // groups, *k], b: [o]?) -> [b, o, *m]",
            "(x: [b, 3, h, w], k: [8, 3, 3, 3]) -> [b, 8, h, w]",
            "conv[pad=1](x, k)",
            'm = (n + 2*pad - dilation*(k - 1) - 1) // stride + 1 for each axis; pad="same" gives ceil_div(n, stride)',
        ),
    ),
    OpSpec(
        "conv_transpose",
        "x, w, b?",
        (STRIDE, PAD, StaticSpec("out_pad", "per_axis", 0, low=0), DILATION, GROUPS),
        _conv_transpose,
        "kernel",
        "the transpose of the convolution with w, plus b",
        "own",
        linear=(0, 1),
        traits=Trait.FINITE,
        told=Told(
            "The transpose of a convolution, which makes axes longer. `std.vision.ConvTranspose` is the layer.",
            "(x: [b, c, *n], w: [c, o // groups, *k], b: [o]?) -> [b, o, *m]",
            "(x: [b, 8, n], k: [8, 3, 2]) -> [b, 3, 2*n]",
            "conv_transpose[stride=2](x, k)",
            "m = (n - 1)*stride - 2*pad + dilation*(k - 1) + out_pad + 1 for each axis",
        ),
    ),
    OpSpec(
        "interpolate",
        "x",
        (
            StaticSpec("scale", "any", None),
            StaticSpec("size", "per_axis", None, low=1),
            StaticSpec("mode", "str", "nearest"),
            StaticSpec("align_corners", "bool", False),
            StaticSpec("antialias", "bool", False),
        ),
        _interpolate,
        "kernel",
        "x resampled over its spatial axes",
        "fold",
        linear=(0,),
        traits=Trait.FINITE,
        told=Told(
            "Resamples the spatial axes by a `scale` or to a `size`.",
            "(x: [b, c, *n]) -> [b, c, *m]",
            "(x: [b, c, h, w]) -> [b, c, 2*h, 2*w]",
            'interpolate[scale=2, mode="bilinear"](x)',
            f"m = floor(scale*n), or `size`; `mode` is one of {', '.join(RESAMPLINGS)}; with `antialias` bilinear and "
            "bicubic (there with a = -1/2, else -3/4) see more entries where an axis shrinks",
        ),
    ),
    *sampling.OPS,
)

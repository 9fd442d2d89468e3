"""Normalizations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ogive.compiler.ir.types import FLOATS, Axis, TensorType
from ogive.compiler.ops.align import common_elem, require_elem
from ogive.compiler.ops.axes import resolve_all
from ogive.compiler.ops.empty import inhabited
from ogive.compiler.ops.spec import Checker, OpSpec, ShapeError, StaticSpec, Told, Trait
from ogive.compiler.sizes import divides, size

Types = Sequence[TensorType | None]
Statics = Mapping[str, Any]
Result = tuple[tuple[TensorType, ...], Mapping[str, Any]]

NAMES = ("x", "weight", "bias")


def _floats(name: str, types: Types) -> TensorType:
    """The first operand, all operands being of its float type."""
    x = types[0]
    assert x is not None
    for operand, type in enumerate(types):
        require_elem(name, type, FLOATS, operand)
    common_elem(name, types)
    return x


def _normalized(name: str, statics: Statics, types: Types) -> tuple[int, ...]:
    """The axes over which it normalizes: those named, else as many of the last as the weight has."""
    x = types[0]
    assert x is not None
    if statics.get("axes") is not None:
        return resolve_all(x, statics["axes"])
    affine = next((type for type in types[1:] if type is not None), None)
    count = 1 if affine is None else len(affine.axes)
    if count == 0 or count > len(x.axes):
        raise ShapeError(f"`{name}` scales {x} by {affine}", code="E0303", operand=1)
    return tuple(range(len(x.axes) - count, len(x.axes)))


def _affine(checker: Checker, name: str, x: TensorType, axes: tuple[int, ...], types: Types) -> None:
    """Weight and bias have exactly the normalized axes."""
    for index in axes:
        if x.axes[index].pack is not None:
            raise ShapeError(f"`{name}` normalizes over `{x.axes[index]}`, any number of axes", code="E0303")
    for operand, type in enumerate(types[1:], 1):
        if type is None:
            continue
        if len(type.axes) != len(axes):
            text = f"the {NAMES[operand]} of `{name}` has {len(type.axes)} axes, and it normalizes over {len(axes)}"
            raise ShapeError(text, code="E0303", operand=operand)
        for index, axis in zip(axes, type.axes, strict=True):
            text = f"normalizes `{x.axes[index]}` with a {NAMES[operand]} of `{axis}`"
            checker.meet(x.axes[index], axis, text, operand)


def _layer_norm(checker: Checker, statics: Statics, types: Types) -> Result:
    x = _floats("layer_norm", types)
    axes = _normalized("layer_norm", statics, types)
    _affine(checker, "layer_norm", x, axes, types)
    inhabited(checker, "layer_norm", (x.with_axes(*(x.axes[index] for index in axes)),))
    return (x,), {"eps": statics["eps"], "axes": axes}


def _rms_norm(checker: Checker, statics: Statics, types: Types) -> Result:
    x = _floats("rms_norm", types)
    axes = _normalized("rms_norm", statics, types)
    _affine(checker, "rms_norm", x, axes, types)
    inhabited(checker, "rms_norm", (x.with_axes(*(x.axes[index] for index in axes)),))
    return (x,), {"eps": statics["eps"], "axes": axes}


def _channels(name: str, x: TensorType) -> Axis:
    """The axis of channels, at position 1."""
    if len(x.axes) < 2 or any(axis.pack is not None for axis in x.axes[:2]):
        raise ShapeError(f"`{name}` takes [batch, channels, ...], not {x}", code="E0303", operand=0)
    return x.axes[1]


def _by_channel(checker: Checker, channels: Axis, types: Types, names: Sequence[str], first: int = 1) -> None:
    """The operands after x have one number for each channel."""
    for operand, (type, name) in enumerate(zip(types[first:], names, strict=True), first):
        if type is None:
            continue
        if len(type.axes) != 1 or type.rank is None:
            raise ShapeError(f"the {name} has one number for each channel, not {type}", code="E0303", operand=operand)
        checker.meet(channels, type.axes[0], f"has `{channels}` channels and a {name} of `{type.axes[0]}`", operand)


def _batch_norm(checker: Checker, statics: Statics, types: Types) -> Result:
    x = _floats("batch_norm", types)
    _by_channel(checker, _channels("batch_norm", x), types, ("mean", "variance", "weight", "bias"))
    return (x,), {"eps": statics["eps"]}


def _batch_norm_train(checker: Checker, statics: Statics, types: Types) -> Result:
    x = _floats("batch_norm_train", types)
    channels = _channels("batch_norm_train", x)
    _by_channel(checker, channels, types, ("weight", "bias"))
    inhabited(checker, "batch_norm_train", (x,))
    return (x, x.with_axes(channels), x.with_axes(channels)), {"eps": statics["eps"]}


def _group_norm(checker: Checker, statics: Statics, types: Types) -> Result:
    x = _floats("group_norm", types)
    channels, groups = _channels("group_norm", x), size(statics["groups"])
    checker.require(divides(groups, channels.size), f"splits `{channels}` channels into {groups} groups", 0)
    _by_channel(checker, channels, types, ("weight", "bias"))
    inhabited(checker, "group_norm", (x,))
    return (x,), {"groups": groups, "eps": statics["eps"]}


EPS = StaticSpec("eps", "float", 1e-5)
AXES = StaticSpec("axes", "axes", None)

OPS = (
    OpSpec(
        "layer_norm",
        "x, weight?, bias?",
        (EPS, AXES),
        _layer_norm,
        "kernel",
        "(x - mean x) / √(var x + eps) · weight + bias",
        "own",
        traits=Trait.FINITE,
        told=Told(
            "Mean 0 and variance 1 over the last axes, then a scale and a shift. `std.nn.LayerNorm` is the layer.",
            "(x: [*b, *n], weight: [*n]?, bias: [*n]?) -> [*b, *n]",
            "(x: [b, d], weight: [d], bias: [d]) -> [b, d]",
            "layer_norm(x, weight, bias)",
            "over `axes`; else those of the weight, else the last one",
        ),
    ),
    OpSpec(
        "rms_norm",
        "x, weight?",
        (StaticSpec("eps", "float", 1e-6), AXES),
        _rms_norm,
        "kernel",
        "x / √(mean x² + eps) · weight",
        "own",
        traits=Trait.FINITE,
        told=Told(
            "Mean square 1 over the last axes, then a scale. `std.nn.RMSNorm` is the layer.",
            "(x: [*b, *n], weight: [*n]?) -> [*b, *n]",
            "(x: [b, d], weight: [d]) -> [b, d]",
            "rms_norm(x, weight)",
            "over `axes`; else those of the weight, else the last one",
        ),
    ),
    OpSpec(
        "batch_norm",
        "x, mean, variance, weight?, bias?",
        (EPS,),
        _batch_norm,
        "kernel",
        "(x - mean) / √(variance + eps) · weight + bias, by channel",
        "own",
        traits=Trait.FINITE,
        told=Told(
            "Normalizes each channel by statistics that are given. `std.nn.BatchNorm` is the layer.",
            "(x: [b, c, *n], mean: [c], variance: [c], weight: [c]?, bias: [c]?) -> [b, c, *n]",
            "(x: [b, c, n], mean: [c], variance: [c]) -> [b, c, n]",
            "batch_norm(x, mean, variance)",
        ),
    ),
    OpSpec(
        "batch_norm_train",
        "x, weight?, bias?",
        (EPS,),
        _batch_norm_train,
        "kernel",
        "batch norm by the statistics of x itself; then its mean and unbiased variance by channel, without gradient",
        "own",
        outputs=3,
        traits=Trait.FINITE,
        told=Told(
            "Normalizes each channel by its own statistics, which it gives too: mean and unbiased variance.",
            "(x: [b, c, *n], weight: [c]?, bias: [c]?) -> (y: [b, c, *n], mean: [c], variance: [c])",
            "(x: [b, c, n]) -> (y: [b, c, n], mean: [c], variance: [c])",
            "batch_norm_train(x)",
            gradient="in `x`, `weight` and `bias`; none through the mean and the variance",
        ),
    ),
    OpSpec(
        "group_norm",
        "x, weight?, bias?",
        (StaticSpec("groups", "size"), EPS),
        _group_norm,
        "kernel",
        "as layer norm, over each group of channels and their positions; weight and bias by channel",
        "own",
        traits=Trait.FINITE,
        told=Told(
            "Mean 0 and variance 1 over each group of channels, then a scale and a shift by channel.",
            "(x: [b, c, *n], weight: [c]?, bias: [c]?) -> [b, c, *n]",
            "(x: [b, 8, h, w], weight: [8], bias: [8]) -> [b, 8, h, w]",
            "group_norm[4](x, weight, bias)",
            "groups divides c",
        ),
    ),
)

"""Windows laid side by side and added up again, and samples of a tensor between its entries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ogive.compiler.ir.types import FLOATS, Axis, TensorType
from ogive.compiler.ops.align import common_elem, require_elem
from ogive.compiler.ops.empty import inhabited
from ogive.compiler.ops.spatial import per_axis, place, spatial
from ogive.compiler.ops.spec import Checker, OpSpec, ShapeError, StaticSpec, Told, Trait
from ogive.compiler.sizes import Size, size

Types = Sequence[TensorType | None]
Statics = Mapping[str, Any]
Result = tuple[tuple[TensorType, ...], Mapping[str, Any]]

MODES = ("bilinear", "nearest")
BEYOND = ("zeros", "border", "reflection")
SETTINGS = ("kernel", "stride", "pad", "dilation")


def _settings(statics: Statics, count: int) -> dict[str, tuple[Size, ...]]:
    return {key: per_axis(statics[key], count, key, low=0 if key == "pad" else 1) for key in SETTINGS}


def _positions(length: Size, kernel: Size, stride: Size, pad: Size, dilation: Size) -> Size:
    """How many windows an axis has."""
    return (length + 2 * pad - dilation * (kernel - 1) - 1) // stride + 1


def _few(name: str, count: int, type: TensorType) -> None:
    if count > 2:
        text = f"`{name}` knows one or two spatial axes, and {type} has {count}"
        raise ShapeError(text, code="E0303", operand=0)


def _unfold(checker: Checker, statics: Statics, types: Types) -> Result:
    (x,) = types
    assert x is not None
    require_elem("unfold", x, FLOATS)
    batch, channels, axes = spatial(checker, "unfold", x)
    _few("unfold", len(axes), x)
    attrs = _settings(statics, len(axes))
    out = []
    for i, axis in enumerate(axes):
        length = _positions(axis.size, *(attrs[key][i] for key in SETTINGS))
        checker.positive(length, f"`unfold` leaves `{length}` of {place(axis, i + 2)}")
        out.append(Axis(length, axis.label))
    return (x.with_axes(batch, channels, *map(Axis, attrs["kernel"]), *out),), attrs


def _fold(checker: Checker, statics: Statics, types: Types) -> Result:
    (x,) = types
    assert x is not None
    require_elem("fold", x, FLOATS)
    if x.rank is None or len(x.axes) not in (4, 6):
        text = f"`fold` takes [batch, channels, *kernel, *positions] of one or two spatial axes, not {x}"
        raise ShapeError(text, code="E0303", operand=0)
    count = len(x.axes) // 2 - 1
    inhabited(checker, "fold", [x])
    wanted, attrs = per_axis(statics["size"], count, "size", low=1), _settings(statics, count)
    for i, (window, position) in enumerate(zip(x.axes[2 : 2 + count], x.axes[2 + count :], strict=True)):
        kernel = attrs["kernel"][i]
        checker.equal(window.size, kernel, f"`fold` takes windows of `{kernel}`, not of `{window.named}`", 0)
        length = _positions(wanted[i], *(attrs[key][i] for key in SETTINGS))
        text = f"`{wanted[i]}` entries have `{length}` windows, not `{position.named}`"
        checker.equal(position.size, length, text, 0)
    out = [Axis(each) for each in wanted]
    return (x.with_axes(*x.axes[:2], *out),), {"size": wanted, **attrs}


def _grid_sample(checker: Checker, statics: Statics, types: Types) -> Result:
    for operand, type in enumerate(types):
        require_elem("grid_sample", type, FLOATS, operand)
    common_elem("grid_sample", types)
    x, grid = types
    assert x is not None
    assert grid is not None
    batch, channels, axes = spatial(checker, "grid_sample", x)
    count = len(axes)
    if count not in (2, 3):
        raise ShapeError(f"`grid_sample` knows two or three spatial axes, and {x} has {count}", code="E0303", operand=0)
    if grid.rank is None or len(grid.axes) != count + 2:
        text = f"the grid {grid} has [batch, ..., {count}] axes: {count + 2}, as {x} has"
        raise ShapeError(text, code="E0303", operand=1)
    for name, known in (("mode", MODES), ("pad_mode", BEYOND)):
        if statics[name] not in known:
            text = f"`{name}` is one of {', '.join(known)}, not {statics[name]}"
            raise ShapeError(text, code="E0408", static=name)
    inhabited(checker, "grid_sample", [x, grid])
    met = checker.meet(batch, grid.axes[0], f"samples `{batch}` tensors by `{grid.axes[0]}` grids", 1)
    told = grid.axes[-1].size
    checker.equal(told, size(count), f"places among {count} axes have {count} coordinates, not `{told}`", 1)
    attrs = {name: statics[name] for name in ("mode", "pad_mode")}
    return (x.with_axes(met, channels, *grid.axes[1:-1]),), {**attrs, "align_corners": bool(statics["align_corners"])}


KERNEL = StaticSpec("kernel", "per_axis", low=1)
STRIDE = StaticSpec("stride", "per_axis", 1, low=1)
PAD = StaticSpec("pad", "per_axis", 0, low=0)
DILATION = StaticSpec("dilation", "per_axis", 1, low=1)

OPS = (
    OpSpec(
        "unfold",
        "x",
        (KERNEL, STRIDE, PAD, DILATION),
        _unfold,
        "kernel",
        "y[k, p] = x[stride p + dilation k - pad]",
        "fold",
        linear=(0,),
        traits=Trait.FINITE,
        told=Told(
            "The windows of a convolution, of one or two axes, side by side.",
            "(x: [b, c, *n]) -> [b, c, *kernel, *m]",
            "(x: [b, c, h, w]) -> [b, c, 3, 3, h, w]",
            "unfold[3, pad=1](x)",
            "m = (n + 2*pad - dilation*(kernel - 1) - 1) // stride + 1 for each axis; "
            '`rearrange["b c i j h w -> b (c i j) (h w)"]` makes of it what torch gives',
        ),
    ),
    OpSpec(
        "fold",
        "x",
        (StaticSpec("size", "per_axis", low=1), KERNEL, STRIDE, PAD, DILATION),
        _fold,
        "kernel",
        "y[q] = Σ x[k, p] where q = stride p + dilation k - pad",
        "fold",
        linear=(0,),
        traits=Trait.FINITE,
        told=Told(
            "Windows added up at the places that `unfold` takes them from.",
            "(x: [b, c, *kernel, *m]) -> [b, c, *size]",
            "(x: [b, c, 3, 3, h, w]) -> [b, c, h, w]",
            "fold[[h, w], 3, pad=1](x)",
            "m = (size + 2*pad - dilation*(kernel - 1) - 1) // stride + 1 for each axis",
        ),
    ),
    OpSpec(
        "grid_sample",
        "x, grid",
        (StaticSpec("mode", "str", "bilinear"), StaticSpec("pad_mode", "str", "zeros"),
         StaticSpec("align_corners", "bool", False)),
        _grid_sample,
        "kernel",
        "y[c, p] = x[c, grid[p]], between entries interpolated",
        "fold",
        linear=(0,),
        traits=Trait.FINITE,
        told=Told(
            "Samples of x at places of a grid, whose coordinates go from -1 to 1 along each axis, the last axis first.",
            "(x: [b, c, *n], grid: [b, *m, k]) -> [b, c, *m]",
            "(x: [b, c, h, w], grid: [b, n, 5, 2]) -> [b, c, n, 5]",
            "grid_sample(x, grid)",
            "k is the number of spatial axes, 2 or 3; `mode` is bilinear or nearest; beyond the ends `pad_mode` is "
            "zeros, border or reflection; -1 and 1 are the outer edges of x, with `align_corners` the centres of its "
            "outer entries",
            gradient="in `x` and `grid`; of `nearest` in `x` alone; where the grid is not finite any number",
        ),
    ),
)  # fmt: skip

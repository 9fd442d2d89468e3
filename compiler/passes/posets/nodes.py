"""The pool of a poset as operations: its closed form on the places of each window, or a convolution with its vertices.

The convolution is depthwise, its kernels are the indicators of all upsets; the largest of its results counts, a ReLU
stands for the empty one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ogive.compiler.ir.model import Node
from ogive.compiler.ir.types import Axis, TensorType
from ogive.compiler.ir_tools.graph_builder import Building
from ogive.compiler.ops.spec import Pattern
from ogive.compiler.posets.closed_form import closed_form
from ogive.compiler.posets.poset import Poset
from ogive.compiler.sizes import Size, size

FORMS = ("auto", "closed", "vertices")


@dataclass(frozen=True, slots=True)
class Window:
    """Windows over the last axes of [b, c, ...], which zeros `pad` before and `after` them fill."""

    kernel: tuple[int, ...]
    stride: tuple[Size, ...]
    dilation: tuple[Size, ...]
    pad: tuple[Size, ...]
    after: tuple[Size, ...]
    result: TensorType

    @property
    def tiles(self) -> bool:
        """Whether windows lie side by side."""
        sides = tuple(size(side) for side in self.kernel)
        return self.stride == sides and all(step == size(1) for step in self.dilation)

    def places(self) -> Iterator[tuple[int, ...]]:
        """The places of a window, row by row."""
        places: list[tuple[int, ...]] = [()]
        for side in self.kernel:
            places = [(*place, at) for place in places for at in range(side)]
        yield from places


def pooled(build: Building, source: str, window: Window, poset: Poset, form: str) -> str:
    """The pool of a source [b, c, ...]; the name of its result."""
    if form == "vertices" or (form == "auto" and not closed_is_less(poset)):
        return _vertices(build, source, window, poset)
    source = filled(build, source, window)
    places = _tiled(build, source, window) if window.tiles else _sliced(build, source, window)

    def apply(op: str, operands: list[str]) -> str:
        return build.op({"max": "maximum"}.get(op, op), *operands)

    return closed_form(poset).run(places, apply)


def filled(build: Building, source: str, window: Window) -> str:
    """Zeros around."""
    for axis, (before, after) in enumerate(zip(window.pad, window.after, strict=True), 2):
        if before != size(0) or after != size(0):
            source = build.op("pad", source, axis=axis, before=before, after=after)
    return source


def averaged(build: Building, source: str, window: Window, factor: float) -> str:
    """The average times a factor, over windows that zeros fill; the name of the result."""
    source = filled(build, source, window)
    sides = tuple(size(side) for side in window.kernel)
    mean = build.fresh.value(window.result)
    attrs = (("kernel", sides), ("stride", window.stride), ("pad", (size(0),) * len(sides)),
             ("ceil", False), ("count_include_pad", True))  # fmt: skip
    return build.op("mul", build.add(Node("avg_pool", (source,), (mean,), attrs, span=build.span)), factor)


def closed_is_less(poset: Poset) -> bool:
    """Whether the closed form is no longer than an addition and a maximum for each upset but the empty one."""
    return poset.has_more_upsets_than((closed_form(poset).cost + 1) // 2)


def _tiled(build: Building, source: str, window: Window) -> list[str]:
    """The entries at each place of windows side by side: a rearrangement, whose gradient is one too."""
    axes = window.result.axes[2:]
    whole = [axis.size * side for axis, side in zip(axes, window.kernel, strict=True)]
    if whole != [axis.size for axis in build.types[source].axes[2:]]:
        items = (("all",), ("all",), *(("slice", size(0), length, size(1)) for length in whole))
        type = build.types[source]
        cropped = build.fresh.value(type.with_axes(*type.axes[:2], *map(Axis, whole)))
        source = build.add(Node("slice", (source,), (cropped,), (("items", items),), span=build.span))
    outer, inner = ([f"{letter}{at}" for at in range(len(axes))] for letter in "sk")
    cut = " ".join(f"({s} {k})" for s, k in zip(outer, inner, strict=True))
    pattern = f"b c {cut} -> ({' '.join(inner)}) b c {' '.join(outer)}"
    sizes = {k: size(side) for k, side in zip(inner, window.kernel, strict=True)}
    return list(build.ops("split", source, pattern=Pattern(pattern, sizes)))


def _sliced(build: Building, source: str, window: Window) -> list[str]:
    """The entries at each place of any windows: every k-th entry."""
    found = []
    for place in window.places():
        items: list[tuple[object, ...]] = [("all",), ("all",)]
        for at, step, apart, axis in zip(place, window.stride, window.dilation, window.result.axes[2:], strict=True):
            items.append(("slice", apart * at, (axis.size - 1) * step + apart * at + 1, step))
        value = build.fresh.value(window.result)
        found.append(build.add(Node("slice", (source,), (value,), (("items", tuple(items)),), span=build.span)))
    return found


def _vertices(build: Building, source: str, window: Window, poset: Poset) -> str:
    """Max over the upsets U of Σ_{i in U} x_i, all sums by one convolution."""
    channels = build.types[source].axes[1].size
    spatial = [f"s{at}" for at in range(len(window.kernel))]
    table = [[_nested(vertex, window.kernel)] for vertex in poset.vertices if any(vertex)]
    members = build.op("constant", list=table)
    inside = f"m 1 {' '.join(spatial)}"
    kernel = build.op("expand", members, pattern=Pattern(f"{inside} -> c {inside}", {"c": channels}))
    kernel = build.shaped(kernel, f"c {inside} -> (c m) 1 {' '.join(spatial)}")
    source = filled(build, source, window)
    sums = build.op("conv", source, kernel, None, stride=window.stride, dilation=window.dilation, groups=channels)
    apart = build.shaped(sums, f"b (c m) {' '.join(spatial)} -> b c m {' '.join(spatial)}", c=channels)
    return build.op("relu", build.op("max", apart, axes=(2,)))


def _nested(vertex: tuple[int, ...], kernel: tuple[int, ...]) -> object:
    if not kernel:
        return float(vertex[0])
    step = len(vertex) // kernel[0]
    return [_nested(vertex[at * step : (at + 1) * step], kernel[1:]) for at in range(kernel[0])]

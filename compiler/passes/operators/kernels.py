"""Kernels of convolutions on a grid that is s times as fine: what they become, in nodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, pi, prod, sin

from ogive.compiler.ir_tools.graph_builder import Building
from ogive.compiler.ops.spec import Pattern
from ogive.compiler.sizes import Size, size

LINEAR = {1: "linear", 2: "bilinear", 3: "trilinear"}


@dataclass(frozen=True, slots=True)
class CentredKernel:
    """A convolution whose result has as many points as its operand, or each `stride`-th of them, along each axis.

    `kernel`: its entries, an odd number; `dilation`: the points between two of them; `points`: the length of the axis
    at the base; `refined`: s, how many times as many there are.
    """

    kernel: tuple[int, ...]
    dilation: tuple[int, ...]
    points: tuple[int, ...]
    refined: tuple[Size, ...]

    @property
    def middle(self) -> tuple[int, ...]:
        """The place of the entry in the middle."""
        return tuple(entries // 2 for entries in self.kernel)


@dataclass(frozen=True, slots=True)
class Refined:
    """The kernel of a finer grid, and what a convolution with it pads."""

    weight: str
    pad: tuple[Size, ...]
    pad_mode: str | None = None  # None: as before


def interpolated(build: Building, weight: str, window: CentredKernel) -> Refined:
    """A kernel of s (K - 1) + 1 entries between those of the kernel, scaled by how many there are: the corners stay
    where they are. Its sum is that of the kernel only where this is constant.
    """
    sizes = tuple(s * (entries - 1) + 1 for s, entries in zip(window.refined, window.kernel, strict=True))
    if sizes == tuple(map(size, window.kernel)):
        return Refined(weight, _pads(window, window.refined))
    finer = build.op("interpolate", weight, size=sizes, mode=LINEAR[len(sizes)], align_corners=True)
    scaled = build.op("div", build.op("mul", finer, float(prod(window.kernel))), prod(sizes, start=size(1)))
    return Refined(scaled, _pads(window, window.refined))


def integrated(build: Building, weight: str, window: CentredKernel) -> Refined:
    """The integral of the kernel as a function that is linear between its entries, and 0 a step behind the last ones:
    s (K + 1) - 1 entries, each over s. Its sum is that of the kernel, for any s.
    """
    rank = len(window.kernel)
    bordered = weight
    for axis in range(rank):
        bordered = build.op("pad", bordered, axis=axis - rank, before=size(1), after=size(1))
    sizes = tuple(s * (entries + 1) + 1 for s, entries in zip(window.refined, window.kernel, strict=True))
    finer = build.op("interpolate", bordered, size=sizes, mode=LINEAR[rank], align_corners=True)
    inner = ("...", *(("slice", size(1), length - 1, None) for length in sizes))
    scaled = build.op("div", build.op("slice", finer, items=inner), prod(window.refined, start=size(1)))
    halves = [s * ((entries + 1) // 2) - 1 for s, entries in zip(window.refined, window.kernel, strict=True)]
    return Refined(scaled, tuple(d * half for d, half in zip(window.dilation, halves, strict=True)))


def differential(build: Building, weight: str, window: CentredKernel) -> Refined:
    """(conv(x, w) - (Σ w) x) / h: the kernel less its sum in the middle, over the distance h of two points, which is
    1 / s where that at the base is 1. Its sum is 0. Points beyond the border are as those on it.
    """
    rank = len(window.kernel)
    total = build.op("sum", weight, axes=tuple(range(-rank, 0)))
    total = build.shaped(total, f"o i -> o i {' '.join('1' * rank)}")
    for axis, half in enumerate(window.middle):
        total = build.op("pad", total, axis=axis - rank, before=size(half), after=size(half))
    made = build.op("mul", build.op("sub", weight, total), window.refined[0])
    return Refined(made, _pads(window, [size(1)] * rank), "replicate")


def _pads(window: CentredKernel, times: Sequence[Size]) -> tuple[Size, ...]:
    triples = zip(window.dilation, window.middle, times, strict=True)
    return tuple(size(step * half) * s for step, half, s in triples)


def spectral(build: Building, x: str, weight: str, window: CentredKernel, groups: int) -> str:
    """The convolution on a grid without borders, as a product for each wave that the grid has at the base: those of
    frequencies below half its points. Finer waves become 0.
    """
    rank = len(window.kernel)
    axes = tuple(range(-rank, 0))
    sides = [(points - 1) // 2 for points in window.points]  # waves on either side of the constant one
    lengths = [build.types[x].axes[axis].size for axis in axes]
    waves = build.op("rfft", x, axes=axes, norm="forward")
    for axis, side in zip(axes[:-1], sides, strict=False):
        waves = build.op("roll", waves, axis=axis, by=size(side))
    kept = [2 * side + 1 for side in sides[:-1]] + [sides[-1] + 1]
    waves = build.op("slice", waves, items=("...", *(("slice", size(0), size(count), None) for count in kept)))
    factors = _spectrum(build, weight, window, sides)
    letters = " ".join(f"k{at}" for at in range(rank))
    if groups == 1:
        waves = build.op("einsum", waves, factors, pattern=Pattern(f"b i {letters}, o i {letters} -> b o {letters}"))
    else:
        waves = build.shaped(waves, f"b (g i) {letters} -> b g i {letters}", g=size(groups))
        factors = build.shaped(factors, f"(g o) i {letters} -> g o i {letters}", g=size(groups))
        product = Pattern(f"b g i {letters}, g o i {letters} -> b g o {letters}")
        waves = build.op("einsum", waves, factors, pattern=product)
        waves = build.shaped(waves, f"b g o {letters} -> b (g o) {letters}")
    whole = [*lengths[:-1], lengths[-1] // 2 + 1]
    for axis, have, want in zip(axes, kept, whole, strict=True):
        waves = build.op("pad", waves, axis=axis, before=size(0), after=want - have)
    for axis, side in zip(axes[:-1], sides, strict=False):
        waves = build.op("roll", waves, axis=axis, by=size(-side))
    return build.op("irfft", waves, axes=axes, sizes=tuple(lengths), norm="forward")


def _spectrum(build: Building, weight: str, window: CentredKernel, sides: Sequence[int]) -> str:
    """Σ_j w_j exp(2πi k d (j - middle) / n) for the waves k that are kept, of the last axis those from 0 on."""
    rank = len(window.kernel)
    found = build.op("complex", weight, build.op("mul", weight, 0.0))
    for axis in range(rank):
        first = 0 if axis == rank - 1 else -sides[axis]
        step = 2 * pi * window.dilation[axis] / window.points[axis]
        angles = [
            [step * k * (j - window.middle[axis]) for j in range(window.kernel[axis])]
            for k in range(first, sides[axis] + 1)
        ]
        parts = [build.op("constant", list=tuple(tuple(map(f, row)) for row in angles)) for f in (cos, sin)]
        have = [f"k{at}" if at < axis else f"j{at}" for at in range(rank)]
        made = [f"k{at}" if at <= axis else f"j{at}" for at in range(rank)]
        pattern = Pattern(f"o i {' '.join(have)}, k{axis} j{axis} -> o i {' '.join(made)}")
        found = build.op("einsum", found, build.op("complex", *parts), pattern=pattern)
    return found

"""Fourier transforms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ogive.compiler.ir.types import Axis, TensorType
from ogive.compiler.ops.align import require_elem
from ogive.compiler.ops.axes import resolve_all
from ogive.compiler.ops.empty import inhabited
from ogive.compiler.ops.spec import Checker, OpSpec, Rule, ShapeError, StaticSpec, Told
from ogive.compiler.sizes import Size, size

Types = Sequence[Any]
Statics = Mapping[str, Any]
Result = tuple[tuple[TensorType, ...], Mapping[str, Any]]
TAKES = {"rfft": ("float",), "irfft": ("complex",)}  # complex numbers are of the float type of the model
NORMS = ("backward", "ortho", "forward")


def _fourier(name: str) -> Rule:
    """The rule of a transform over named axes; `rfft` halves the last of them, `irfft` doubles it."""

    def rule(checker: Checker, statics: Statics, types: Types) -> Result:
        (x,) = types
        require_elem(name, x, TAKES.get(name, ("float", "complex")))
        inhabited(checker, name, types)
        axes = resolve_all(x, statics["axes"])
        for index in axes:
            if x.axes[index].pack is not None:
                raise ShapeError(f"`{name}` over `{x.axes[index]}`, any number of axes", code="E0303", operand=0)
        if statics["norm"] not in NORMS:
            text = f"`norm` is one of {', '.join(NORMS)}, not {statics['norm']}"
            raise ShapeError(text, code="E0408", static="norm")
        lengths = _lengths(checker, name, statics.get("sizes"), x, axes)
        out = list(x.axes)
        for index, length in zip(axes, lengths, strict=True):
            out[index] = Axis(length, x.axes[index].label)
        given = lengths if statics.get("sizes") is not None else None
        attrs = {"axes": axes, "norm": statics["norm"], **({"sizes": given} if name == "irfft" else {})}
        return (TensorType("float" if name == "irfft" else "complex", tuple(out)),), attrs

    return rule


def _lengths(checker: Checker, name: str, sizes: Any, x: TensorType, axes: tuple[int, ...]) -> tuple[Size, ...]:
    """The sizes of the transformed axes."""
    if sizes is not None:
        wanted = tuple(size(item) for item in (sizes if isinstance(sizes, tuple | list) else (sizes,)))
        if len(wanted) != len(axes):
            text = f"`sizes` lists {len(wanted)} numbers for {len(axes)} axes"
            raise ShapeError(text, code="E0408", static="sizes")
        return wanted
    found = [x.axes[index].size for index in axes]
    if name == "rfft":
        found[-1] = found[-1] // 2 + 1
    if name == "irfft":
        found[-1] = 2 * (found[-1] - 1)
        checker.positive(found[-1], f"`irfft` makes `{found[-1]}` of `{x.axes[axes[-1]]}`; `sizes` says how many")
    return tuple(found)


AXES = StaticSpec("axes", "axes", (-1,))
NORM = StaticSpec("norm", "str", "backward")
LENGTHS = StaticSpec("sizes", "list", None, low=1)


OPS = (
    OpSpec(
        "fft",
        "x",
        (AXES, NORM),
        _fourier("fft"),
        "kernel",
        "X[k] = Σ_n x[n] e^(-2πi k n / N)",
        "shift",
        linear=(0,),
        told=Told(
            "The discrete Fourier transform over `axes`.",
            "(x: [*b]) -> complex[*b]",
            "(x: [b, n]) -> complex[b, n]",
            "fft(x)",
            "`norm` is backward, ortho or forward",
        ),
    ),
    OpSpec(
        "ifft",
        "x",
        (AXES, NORM),
        _fourier("ifft"),
        "kernel",
        "x[n] = Σ_k X[k] e^(2πi k n / N) / N",
        "shift",
        linear=(0,),
        told=Told(
            "The inverse of fft.",
            "(x: complex[*b]) -> complex[*b]",
            "(x: complex[b, n]) -> complex[b, n]",
            "ifft(x)",
            "`norm` is backward, ortho or forward",
        ),
    ),
    OpSpec(
        "rfft",
        "x",
        (AXES, NORM),
        _fourier("rfft"),
        "kernel",
        "fft, the bins 0 ... N//2 of the last axis",
        "shift",
        linear=(0,),
        told=Told(
            "fft of real numbers, whose last axis holds half of the bins.",
            "(x: [*b, n]) -> complex[*b, n // 2 + 1]",
            "(x: [b, n]) -> complex[b, n // 2 + 1]",
            "rfft(x)",
            "`norm` is backward, ortho or forward",
        ),
    ),
    OpSpec(
        "irfft",
        "x",
        (AXES, LENGTHS, NORM),
        _fourier("irfft"),
        "kernel",
        "the real inverse of rfft",
        "shift",
        linear=(0,),
        told=Told(
            "The real inverse of rfft; `sizes` says how long the axes are.",
            "(x: complex[*b, m]) -> [*b, 2*(m - 1)]",
            "(x: complex[b, n // 2 + 1], like: [b, n]) -> [b, n]",
            "irfft[sizes=[n]](x)",
            "`norm` is backward, ortho or forward",
        ),
    ),
)

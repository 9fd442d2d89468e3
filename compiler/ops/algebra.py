"""Fourier transforms, complex numbers, linear systems, linear recurrences, and gradients by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ogive.compiler.ir.types import FLOATS, Axis, TensorType
from ogive.compiler.ops.align import align, common_elem, require_elem
from ogive.compiler.ops.axes import resolve, resolve_all
from ogive.compiler.ops.empty import inhabited
from ogive.compiler.ops.spec import Batching, Checker, OpSpec, Rule, ShapeError, StaticSpec, Trait
from ogive.compiler.sizes import Size, size

Types = Sequence[Any]  # TensorType, Const or None for each operand
Statics = Mapping[str, Any]
Result = tuple[tuple[TensorType, ...], Mapping[str, Any]]

SMOOTH = (*FLOATS, "complex")
NORMS = ("backward", "ortho", "forward")


def _fourier(name: str) -> Rule:
    """The rule of a transform over named axes; `rfft` halves the last of them, `irfft` doubles it."""

    def rule(checker: Checker, statics: Statics, types: Types) -> Result:
        (x,) = types
        require_elem(name, x, {"rfft": FLOATS, "irfft": ("complex",)}.get(name, SMOOTH))
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


def _complex(checker: Checker, statics: Statics, types: Types) -> Result:
    common_elem("complex", types)
    for operand, type in enumerate(types):
        require_elem("complex", type, FLOATS, operand)
    return (TensorType("complex", align(checker, types, "joins {a} with {b}")),), {}


def _part(name: str, elem: str) -> Rule:
    def rule(checker: Checker, statics: Statics, types: Types) -> Result:
        (x,) = types
        require_elem(name, x, ("complex",))
        return (x.with_elem(elem),), {}

    return rule


def _square(checker: Checker, name: str, a: TensorType) -> Axis:
    """The axis of a square matrix."""
    if len(a.axes) < 2 or any(axis.pack is not None for axis in a.axes[-2:]):
        raise ShapeError(f"`{name}` takes matrices [..., n, n], not {a}", code="E0303", operand=0)
    rows, columns = a.axes[-2:]
    checker.equal(rows.size, columns.size, f"`{name}` takes a square matrix, not `{rows}` by `{columns}`", 0)
    return rows


def _matrix(name: str, elems: Sequence[str], keep: int, turned: bool = False) -> Rule:
    """The rule of an operation on square matrices that keeps the first axes, or all, the last two perhaps turned."""

    def rule(checker: Checker, statics: Statics, types: Types) -> Result:
        (a,) = types
        require_elem(name, a, elems)
        _square(checker, name, a)
        inhabited(checker, name, types)
        axes = (*a.axes[:-2], a.axes[-1], a.axes[-2]) if turned else a.axes
        return (a.with_axes(*axes[: len(axes) - 2 + keep]),), {}

    return rule


def _solve(checker: Checker, statics: Statics, types: Types) -> Result:
    """A right side has one axis less than a (vectors), or at least as many (matrices of columns)."""
    a, b = types
    _systems("solve", types)
    side = _square(checker, "solve", a)
    vector = len(b.axes) == len(a.axes) - 1
    return _solved(checker, "solve", a, b, side, vector=vector), {"vector": vector}


def _solve_triangular(checker: Checker, statics: Statics, types: Types) -> Result:
    a, b = types
    _systems("solve_triangular", types)
    side = _square(checker, "solve_triangular", a)
    attrs = {"upper": bool(statics["upper"]), "unitriangular": bool(statics["unitriangular"])}
    return _solved(checker, "solve_triangular", a, b, side, vector=False), attrs


def _systems(name: str, types: Types) -> None:
    common_elem(name, types)
    for operand, type in enumerate(types):
        require_elem(name, type, SMOOTH, operand)


def _solved(
    checker: Checker, name: str, a: TensorType, b: TensorType, side: Axis, *, vector: bool
) -> tuple[TensorType, ...]:
    """The type of the solution: batch axes align, the rows of b are those of a."""
    own = 1 if vector else 2
    if len(b.axes) < own or any(axis.pack is not None for axis in b.axes[-own:]):
        raise ShapeError(f"`{name}` of {a} takes columns [..., n, k], not {b}", code="E0303", operand=1)
    rows = b.axes[-own]
    checker.meet(side, rows, f"solves `{side}` equations for `{rows}` right-hand sides", 1)
    batch = align(checker, (a.with_axes(*a.axes[:-2]), b.with_axes(*b.axes[:-own])), "solves {a} for {b}")
    inhabited(checker, name, (a, b))
    unknowns = rows.labelled(a.axes[-1].label or rows.label)  # one for each column of a
    return (b.with_axes(*batch, unknowns, *b.axes[len(b.axes) - own + 1 :]),)


def _linear_scan(checker: Checker, statics: Statics, types: Types) -> Result:
    a, b, start = types
    given = [type for type in types if type is not None]
    common_elem("linear_scan", given)
    for operand, type in enumerate(given):
        require_elem("linear_scan", type, SMOOTH, operand)
    inhabited(checker, "linear_scan", given)
    index = resolve(b, statics["axis"], operand=1)
    axes = align(checker, (a, b), "steps {a} along {b}")
    index += len(axes) - len(b.axes)
    if axes[index].pack is not None:
        raise ShapeError(f"`linear_scan` along `{axes[index]}`, any number of axes", code="E0303", operand=1)
    state = axes[:index] + axes[index + 1 :]
    if start is not None:
        found = align(checker, (b.with_axes(*state), start), "starts {a} at {b}")
        if len(found) != len(state):
            raise ShapeError(f"the start {start} has more axes than a step, {b.with_axes(*state)}", operand=2)
    return (b.with_axes(*axes),), {"axis": index}


def _stop_gradient(checker: Checker, statics: Statics, types: Types) -> Result:
    (x,) = types
    return (x,), {}


def _grad_as(checker: Checker, statics: Statics, types: Types) -> Result:
    common_elem("grad_as", types)
    for operand, type in enumerate(types):
        require_elem("grad_as", type, SMOOTH, operand)
    value, surrogate = types
    if len(value.axes) != len(surrogate.axes):
        raise ShapeError(f"gives {value} the gradient of {surrogate}", operand=1)
    text = "gives {a} the gradient of {b}"
    axes = []
    for a, b in zip(value.axes, surrogate.axes, strict=True):
        if a.pack is not None or b.pack is not None:
            axes.append(align(checker, (value.with_axes(a), surrogate.with_axes(b)), text)[0])
        else:
            axes.append(checker.meet(a, b, text.format(a=f"`{a}`", b=f"`{b}`"), 1))
    return (value.with_axes(*axes),), {}


def _op(
    name: str, inputs: str, rule: Rule, formula: str, batching: Batching, *statics: StaticSpec, **facts: Any
) -> OpSpec:
    kind = facts.pop("kind", "kernel")
    return OpSpec(name, inputs, statics, rule, kind, formula, batching, **facts)


AXES = StaticSpec("axes", "axes", (-1,))
NORM = StaticSpec("norm", "str", "backward")
LENGTHS = StaticSpec("sizes", "list", None, low=1)

OPS = (
    _op("fft", "x", _fourier("fft"), "X[k] = Σ_n x[n] e^(-2πi k n / N)", "shift", AXES, NORM, linear=(0,)),
    _op("ifft", "x", _fourier("ifft"), "x[n] = Σ_k X[k] e^(2πi k n / N) / N", "shift", AXES, NORM, linear=(0,)),
    _op("rfft", "x", _fourier("rfft"), "fft, the bins 0 ... N//2 of the last axis", "shift", AXES, NORM, linear=(0,)),
    _op("irfft", "x", _fourier("irfft"), "the real inverse of rfft", "shift", AXES, LENGTHS, NORM, linear=(0,)),
    _op("complex", "re, im", _complex, "re + i im", "align", kind="elementwise", literals=True),
    _op("real", "x", _part("real", "float"), "Re x", "align", kind="elementwise", linear=(0,)),
    _op("imag", "x", _part("imag", "float"), "Im x", "align", kind="elementwise", linear=(0,)),
    _op("conj", "x", _part("conj", "complex"), "Re x - i Im x", "align", kind="elementwise"),
    _op("solve", "a, b", _solve, "x with a x = b", "own", linear=(1,), traits=Trait.FINITE),
    _op(
        "solve_triangular", "a, b", _solve_triangular, "x with a x = b, a triangular", "own",
        StaticSpec("upper", "bool", False), StaticSpec("unitriangular", "bool", False), linear=(1,),
        traits=Trait.FINITE,
    ),
    _op("cholesky", "a", _matrix("cholesky", SMOOTH, 2), "the lower triangular l with l lᵀ = a", "each",
        traits=Trait.FINITE),
    _op("inverse", "a", _matrix("inverse", SMOOTH, 2, True), "a⁻¹", "each", traits=Trait.FINITE),
    _op("det", "a", _matrix("det", SMOOTH, 0), "det a", "each"),
    _op(
        "linear_scan", "a, b, h0?", _linear_scan, "h[t] = a[t] h[t-1] + b[t], in parallel; h[-1] = h0, or 0", "own",
        StaticSpec("axis", "axis"),
    ),
    _op("stop_gradient", "x", _stop_gradient, "x; no gradient flows", "align", kind="elementwise", linear=(0,),
        traits=Trait.HANDS_ON | Trait.SAME_POLES),
    _op("grad_as", "value, surrogate", _grad_as, "value, with the gradient of surrogate", "each", kind="elementwise"),
)  # fmt: skip

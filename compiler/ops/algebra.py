"""Complex numbers, linear systems, linear recurrences, and gradients by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ogive.compiler.ir.types import FLOATS, Axis, TensorType
from ogive.compiler.ops.align import align, common_elem, require_elem
from ogive.compiler.ops.axes import resolve
from ogive.compiler.ops.empty import inhabited
from ogive.compiler.ops.spec import Batching, Checker, OpSpec, Rule, ShapeError, StaticSpec, Told, Trait

Types = Sequence[Any]  # TensorType, Const or None for each operand
Statics = Mapping[str, Any]
Result = tuple[tuple[TensorType, ...], Mapping[str, Any]]

SMOOTH = (*FLOATS, "complex")


def _complex(checker: Checker, statics: Statics, types: Types) -> Result:
    common_elem("complex", types)
    for operand, type in enumerate(types):
        require_elem("complex", type, ("float",), operand)
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


OPS = (
    _op(
        "complex",
        "re, im",
        _complex,
        "re + i im",
        "align",
        kind="elementwise",
        literals=True,
        told=Told(
            "Complex numbers from their real and imaginary parts.",
            "(re: [*b], im: [*b]) -> complex[*b]",
            "(x: [b, n], y: [b, n]) -> complex[b, n]",
            "complex(x, y)",
        ),
    ),
    _op(
        "real",
        "x",
        _part("real", "float"),
        "Re x",
        "align",
        kind="elementwise",
        linear=(0,),
        told=Told("The real part.", "(x: complex[*b]) -> [*b]", "(x: complex[b, n]) -> [b, n]", "real(x)"),
    ),
    _op(
        "imag",
        "x",
        _part("imag", "float"),
        "Im x",
        "align",
        kind="elementwise",
        linear=(0,),
        told=Told("The imaginary part.", "(x: complex[*b]) -> [*b]", "(x: complex[b, n]) -> [b, n]", "imag(x)"),
    ),
    _op(
        "conj",
        "x",
        _part("conj", "complex"),
        "Re x - i Im x",
        "align",
        kind="elementwise",
        told=Told(
            "The complex conjugate.",
            "(x: complex[*b]) -> complex[*b]",
            "(x: complex[b, n]) -> complex[b, n]",
            "conj(x)",
        ),
    ),
    _op(
        "solve",
        "a, b",
        _solve,
        "x with a x = b",
        "own",
        linear=(1,),
        traits=Trait.FINITE,
        told=Told(
            "The solution of linear equations a x = b, of one right side or of several columns.",
            "(a: [*b, n, n], b: [*b, n, k]) -> [*b, n, k]",
            "(a: [b, n, n], y: [b, n, k]) -> [b, n, k]",
            "solve(a, y)",
            "b with one axis less than a is one vector for each matrix",
        ),
    ),
    _op(
        "solve_triangular",
        "a, b",
        _solve_triangular,
        "x with a x = b, a triangular",
        "own",
        StaticSpec("upper", "bool", False),
        StaticSpec("unitriangular", "bool", False),
        linear=(1,),
        traits=Trait.FINITE,
        told=Told(
            "The solution of a x = b, where a is triangular.",
            "(a: [*b, n, n], b: [*b, n, k]) -> [*b, n, k]",
            "(a: [b, n, n], y: [b, n, k]) -> [b, n, k]",
            "solve_triangular[upper=true](a, y)",
        ),
    ),
    _op(
        "cholesky",
        "a",
        _matrix("cholesky", SMOOTH, 2),
        "the lower triangular l with l lᵀ = a",
        "each",
        traits=Trait.FINITE,
        told=Told(
            "The lower triangular factor l of a positive definite a, l lᵀ = a.",
            "(a: [*b, n, n]) -> [*b, n, n]",
            "(a: [b, n, n]) -> [b, n, n]",
            "cholesky(a)",
        ),
    ),
    _op(
        "inverse",
        "a",
        _matrix("inverse", SMOOTH, 2, True),
        "a⁻¹",
        "each",
        traits=Trait.FINITE,
        told=Told(
            "The inverse of square matrices; `solve` is more exact where it serves.",
            "(a: [*b, n, n]) -> [*b, n, n]",
            "(a: [b, n, n]) -> [b, n, n]",
            "inverse(a)",
        ),
    ),
    _op(
        "det",
        "a",
        _matrix("det", SMOOTH, 0),
        "det a",
        "each",
        told=Told("The determinant of square matrices.", "(a: [*b, n, n]) -> [*b]", "(a: [b, n, n]) -> [b]", "det(a)"),
    ),
    _op(
        "linear_scan",
        "a, b, h0?",
        _linear_scan,
        "h[t] = a[t] h[t-1] + b[t], in parallel; h[-1] = h0, or 0",
        "own",
        StaticSpec("axis", "axis"),
        told=Told(
            "A linear recurrence along an axis, h[t] = a[t] h[t-1] + b[t], in parallel.",
            "(a: [*a, n, *c], b: [*a, n, *c], h0: [*a, *c]?) -> [*a, n, *c]",
            "(a: [b, n, d], x: [b, n, d]) -> [b, n, d]",
            "linear_scan[n](a, x)",
            "a and b align from the right",
        ),
    ),
    _op(
        "stop_gradient",
        "x",
        _stop_gradient,
        "x; no gradient flows",
        "align",
        kind="elementwise",
        linear=(0,),
        traits=Trait.HANDS_ON | Trait.SAME_POLES,
        told=Told(
            "The same numbers, through which no gradient flows.",
            "(x: [*b]) -> [*b]",
            "(x: [b, d]) -> [b, d]",
            "stop_gradient(x)",
            gradient="0",
        ),
    ),
    _op(
        "grad_as",
        "value, surrogate",
        _grad_as,
        "value, with the gradient of surrogate",
        "each",
        kind="elementwise",
        told=Told(
            "The numbers of `value` with the gradient of `surrogate` (a straight-through estimator).",
            "(value: [*b], surrogate: [*b]) -> [*b]",
            "(hard: [b, d], soft: [b, d]) -> [b, d]",
            "grad_as(hard, soft)",
            gradient="that of `surrogate`, in `surrogate` alone",
        ),
    ),
)

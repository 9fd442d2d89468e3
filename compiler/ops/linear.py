"""Contractions: einsum, matmul (also the operator `@`), and linear, which fusion makes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ogive.compiler.ir.types import FLOATS, INTS, Axis, TensorType
from ogive.compiler.ops.align import common_elem, require_elem
from ogive.compiler.ops.elems import shown, tensors
from ogive.compiler.ops.patterns import misfit, solve
from ogive.compiler.ops.spec import Checker, OpSpec, ShapeError, StaticSpec, Told, Trait

Result = tuple[tuple[TensorType, ...], Mapping[str, Any]]
NUMBERS = (*FLOATS, *INTS, "complex")


def einsum(checker: Checker, statics: Mapping[str, Any], types: Sequence[object]) -> Result:
    """y[out] = Σ of the products of the operands over every name that the result lacks."""
    operands = tensors(types)
    elem = common_elem("einsum", operands)
    require_elem("einsum", operands[0], NUMBERS)
    solved = solve(checker, statics["pattern"], operands)
    if len(solved.outputs) > 1:
        raise misfit("einsum has one result", solved.parsed.outputs[1].inside)
    for side in (*solved.parsed.inputs, *solved.parsed.outputs):
        for term in side.terms:
            if term.kind == "sum":
                raise misfit(f"`{term}`: axes are joined and cut by rearrange", term.inside)
        for leaf in side.leaves():
            if leaf.kind == "number" and leaf.text != "1":
                raise misfit(f"`{leaf}` does not say which axes meet: a name does", leaf.inside)
    known = {leaf.text for operand in solved.parsed.inputs for leaf in operand.leaves()}
    for leaf in solved.parsed.outputs[0].leaves():
        if leaf.text not in known and leaf.text != "1":
            raise misfit(f"`{leaf}` stands on the right alone", leaf.inside, help="expand makes new axes")
    return (TensorType(elem, solved.outputs[0]),), {"recipe": solved.recipe}


def matmul(checker: Checker, statics: Mapping[str, Any], types: Sequence[object]) -> Result:
    """y[..., m, n] = Σ_k a[..., m, k] b[..., k, n]; the axes before align from the right."""
    a, b = tensors(types)
    elem = common_elem("matmul", [a, b])
    require_elem("matmul", a, NUMBERS)
    for operand, type in enumerate((a, b)):
        if not type.axes or type.axes[-1].pack is not None or (len(type.axes) > 1 and type.axes[-2].pack is not None):
            raise ShapeError(f"`@` multiplies matrices, `{shown(type)}` is none", code="E0303", operand=operand)
    inner = b.axes[-1] if len(b.axes) == 1 else b.axes[-2]
    checker.meet(a.axes[-1], inner, f"contracts `{a.axes[-1].named}` with `{inner.named}`", 1)
    rows = a.axes[-2:-1]
    columns = b.axes[-1:] if len(b.axes) > 1 else ()
    batch = _batch(checker, a.axes[:-2], b.axes[:-2])
    return (TensorType(elem, (*batch, *rows, *columns)),), {}


def _batch(checker: Checker, left: tuple[Axis, ...], right: tuple[Axis, ...]) -> tuple[Axis, ...]:
    """Batch axes: a missing axis or a literal 1 broadcasts."""
    shared = min(len(left), len(right))
    longer = left if len(left) >= len(right) else right
    met = []
    for a, b in zip(left[len(left) - shared :], right[len(right) - shared :], strict=True):
        text = f"multiplies batches of `{a.named}` and `{b.named}`"
        if a.pack is not None or b.pack is not None:
            if a.pack is None or b.pack is None or a.size != b.size:
                raise ShapeError(f"{text}: a pack meets only itself", operand=1)
            met.append(a)
        elif _one(a) or _one(b):
            met.append(b if _one(a) else a)
        else:
            met.append(checker.meet(a, b, text, 1))
    return (*longer[: len(longer) - shared], *met)


def _one(axis: Axis) -> bool:
    return axis.size.is_number and axis.size.number == 1


def linear(checker: Checker, statics: Mapping[str, Any], types: Sequence[object]) -> Result:
    """y[..., o] = Σ_i x[..., i] weight[o, i] + bias[o]."""
    given = tensors([type for type in types if type is not None])
    x, weight = given[0], given[1]
    elem = common_elem("linear", given)
    require_elem("linear", x, (*FLOATS, "complex"))
    if len(weight.axes) != 2 or not x.axes or x.axes[-1].pack is not None:
        raise ShapeError(f"maps `{shown(x)}` by `{shown(weight)}`: no matrix fits", code="E0303", operand=1)
    out, inner = weight.axes
    checker.equal(x.axes[-1].size, inner.size, f"contracts `{x.axes[-1].named}` with `{inner.named}`", 1)
    if len(given) == 3:
        bias = given[2]
        if len(bias.axes) != 1:
            raise ShapeError(f"the bias has one axis, not `{shown(bias)}`", code="E0303", operand=2)
        checker.equal(out.size, bias.axes[0].size, f"adds `{bias.axes[0].named}` to `{out.named}`", 2)
    return (TensorType(elem, (*x.axes[:-1], Axis(out.size))),), {}


def grouped_matmul(checker: Checker, statics: Mapping[str, Any], types: Sequence[object]) -> Result:
    """y[i, o] = Σ_k x[i, k] w[g, k, o] for each row i of group g: the first sizes[0] rows are those of group 0."""
    x, weight, sizes = tensors(types)
    elem = common_elem("grouped_matmul", [x, weight])
    require_elem("grouped_matmul", x, FLOATS)
    require_elem("grouped_matmul", sizes, INTS, 2)
    for operand, (type, rank, what) in enumerate(((x, 2, "rows"), (weight, 3, "matrices"), (sizes, 1, "sizes"))):
        if len(type.axes) != rank or any(axis.pack is not None for axis in type.axes):
            text = f"takes {what} of {rank} ax{'i' if rank == 1 else 'e'}s, `{shown(type)}` has others"
            raise ShapeError(text, code="E0303", operand=operand)
    groups, inner, out = weight.axes
    checker.meet(x.axes[1], inner, f"contracts `{x.axes[1].named}` with `{inner.named}`", 1)
    checker.meet(groups, sizes.axes[0], f"has `{groups.named}` matrices and `{sizes.axes[0].named}` sizes", 2)
    return (TensorType(elem, (x.axes[0], out)),), {}


PATTERN = StaticSpec("pattern", "pattern")

OPS = (
    OpSpec(
        "einsum",
        "*xs",
        (PATTERN,),
        einsum,
        "contraction",
        "y = Σ a b",
        "pattern",
        linear=(0, 1),
        told=Told(
            "Multiplies tensors entry by entry and sums over the axes that the right of the pattern lacks.",
            "(*xs: [*a]) -> [*y]",
            "(q: [b, i, d], k: [b, j, d]) -> [b, i, j]",
            'einsum["b i d, b j d -> b i j"](q, k)',
            "as the right of the pattern says; axes of one name have one size",
        ),
    ),
    OpSpec(
        "matmul",
        "a, b",
        (),
        matmul,
        "contraction",
        "y[m, n] = Σ_k a[m, k] b[k, n]",
        "own",
        linear=(0, 1),
        traits=Trait.FINITE,
        told=Told(
            "`a @ b`: the product of matrices; a tensor of one axis is a vector.",
            "(a: [*b, m, k], b: [*b, k, n]) -> [*b, m, n]",
            "(a: [b, m, k], c: [k, n]) -> [b, m, n]",
            "a @ c",
            "the axes before the last two align from the right",
        ),
    ),
    OpSpec(
        "linear",
        "x, w, b?",
        (),
        linear,
        "contraction",
        "y[o] = Σ_i x[i] w[o, i] + b[o]",
        "own",
        linear=(0, 1),
        traits=Trait.FINITE,
        told=Told(
            "A linear map by a weight that is given: x wᵀ + b. `std.nn.Linear` is the layer.",
            "(x: [*b, n], w: [m, n], b: [m]?) -> [*b, m]",
            "(x: [b, n], w: [m, n]) -> [b, m]",
            "linear(x, w)",
        ),
    ),
    OpSpec(
        "grouped_matmul",
        "x, w, sizes",
        (),
        grouped_matmul,
        "contraction",
        "y[i, o] = Σ_k x[i, k] w[g(i), k, o]",
        "own",
        linear=(0, 1),
        traits=Trait.FINITE,
        told=Told(
            "The first `sizes[0]` rows by the first matrix, the next ones by the second...; rows that are left give 0.",
            "(x: [n, k], w: [g, k, m], sizes: int[g]) -> [n, m]",
            "(x: [n, k], w: [g, k, m], sizes: int[g]) -> [n, m]",
            "grouped_matmul(x, w, sizes)",
            "no size is below 0, and all of them are at most n",
        ),
    ),
)

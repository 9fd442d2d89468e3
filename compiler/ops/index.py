"""Operations that go by data or by order, from `take` to `triu`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ogive.compiler.ir.types import FLOATS, INTS, Axis, TensorType
from ogive.compiler.ops import writing
from ogive.compiler.ops.align import require_elem
from ogive.compiler.ops.axes import beside, resolve
from ogive.compiler.ops.elems import shown, tensors
from ogive.compiler.ops.empty import inhabited, some
from ogive.compiler.ops.spec import Checker, OpSpec, Rule, ShapeError, StaticSpec, Told, Trait
from ogive.compiler.sizes import le, size

Result = tuple[tuple[TensorType, ...], Mapping[str, Any]]
ORDERED = (*FLOATS, *INTS)
ADDED = (*FLOATS, *INTS, "complex")


def take(checker: Checker, statics: Mapping[str, Any], types: Sequence[object]) -> Result:
    """y[a, i, b] = x[a, index[i], b]: the axis gives way to those of the index."""
    x, index = tensors(types)
    require_elem("take", index, INTS, 1)
    at = resolve(x, statics["axis"])
    some(checker, x.axes[at], "take")
    return (x.with_axes(*x.axes[:at], *index.axes, *x.axes[at + 1 :]),), {"axis": at}


def gather(checker: Checker, statics: Mapping[str, Any], types: Sequence[object]) -> Result:
    """y[a, i, b] = x[a, index[a, i, b], b]."""
    x, index = tensors(types)
    require_elem("gather", index, INTS, 1)
    at = resolve(x, statics["axis"])
    axes = beside(checker, x, index, at, 1)
    some(checker, x.axes[at], "gather")
    return (x.with_axes(*axes),), {"axis": at}


def one_hot(checker: Checker, statics: Mapping[str, Any], types: Sequence[object]) -> Result:
    """y[..., j] = 1 where j == index[...], else 0."""
    index = tensors(types)[0]
    require_elem("one_hot", index, INTS)
    count = size(statics["n"])
    return (TensorType("int", (*index.axes, Axis(count))),), {"n": count}


def topk(checker: Checker, statics: Mapping[str, Any], types: Sequence[object]) -> Result:
    """The k largest along the axis, from the largest on, and where they are."""
    x = tensors(types)[0]
    require_elem("topk", x, ORDERED)
    at, k = resolve(x, statics["axis"]), size(statics["k"])
    axis = x.axes[at]
    checker.inside(le(k, axis.size), f"takes `{k}` of `{axis.named}`, which has `{axis.size}` entries")
    values = x.with_axes(*x.axes[:at], Axis(k, axis.label), *x.axes[at + 1 :])
    return (values, values.with_elem("int")), {"axis": at, "k": k}


def along(
    name: str, elems: Sequence[str], result: str | None = None, *, drops: bool = False, steps: bool = False
) -> Rule:
    """The rule of an operation along one axis, which keeps the shape or drops the axis; `steps`: no axis is empty."""

    def rule(checker: Checker, statics: Mapping[str, Any], types: Sequence[object]) -> Result:
        x = tensors(types)[0]
        require_elem(name, x, elems)
        at = resolve(x, statics["axis"])
        axes = (*x.axes[:at], *x.axes[at + 1 :]) if drops else x.axes
        if drops:
            some(checker, x.axes[at], name)
        if steps:
            inhabited(checker, name, [x])
        settings = {key: value for key, value in statics.items() if key != "axis"}
        return (TensorType(result or x.elem, axes),), {"axis": at, **settings}

    return rule


def diag(checker: Checker, statics: Mapping[str, Any], types: Sequence[object]) -> Result:
    """y[..., i] = x[..., i, i]."""
    x = tensors(types)[0]
    if len(x.axes) < 2 or any(axis.pack is not None for axis in x.axes[-2:]):
        raise ShapeError(f"takes matrices, `{shown(x)}` is none", code="E0303", operand=0)
    rows, columns = x.axes[-2:]
    checker.equal(rows.size, columns.size, f"takes the diagonal of `{rows.named}` by `{columns.named}`", 0)
    return (x.with_axes(*x.axes[:-2], rows),), {}


def triangle(name: str) -> Rule:
    """The rule of tril and triu, over the last two axes."""

    def rule(checker: Checker, statics: Mapping[str, Any], types: Sequence[object]) -> Result:
        x = tensors(types)[0]
        if len(x.axes) < 2 or any(axis.pack is not None for axis in x.axes[-2:]):
            raise ShapeError(f"takes matrices, `{shown(x)}` is none", code="E0303", operand=0)
        return (x,), {"diagonal": size(statics["diagonal"])}

    return rule


AXIS = StaticSpec("axis", "axis")
DESCENDING = StaticSpec("descending", "bool", False)
DIAGONAL = StaticSpec("diagonal", "int", 0)


def _running(name: str, which: str) -> OpSpec:
    """The largest or smallest entry so far."""
    return OpSpec(
        name,
        "x",
        (AXIS,),
        along(name, ORDERED, steps=True),
        "index",
        f"y[i] = {name[3:]}_{{j ≤ i}} x[j]",
        "shift",
        traits=Trait.HANDS_ON,
        told=Told(
            f"The {which} entry along an axis, from its start up to each entry; NaN from the first one on.",
            "(x: [*b]) -> [*b]",
            "(x: [b, n]) -> [b, n]",
            f"{name}[n](x)",
            "no axis is empty",
            gradient="in `x`: to the last of equals",
        ),
    )


OPS = (
    OpSpec(
        "take",
        "x, i",
        (AXIS,),
        take,
        "index",
        "y[i] = x[index[i]]",
        "own",
        linear=(0,),
        told=Told(
            "Entries of one axis by their numbers; the axis gives way to the axes of the index.",
            "(x: [*a, n, *c], i: int[*i]) -> [*a, *i, *c]",
            "(table: [v, d], ids: int[b, n]) -> [b, n, d]",
            "take[0](table, ids)",
        ),
    ),
    OpSpec(
        "gather",
        "x, i",
        (AXIS,),
        gather,
        "index",
        "y[i, j] = x[index[i, j], j]",
        "shift",
        linear=(0,),
        told=Told(
            "Entries along one axis, by an index that has all axes of x.",
            "(x: [*a, n, *c], i: int[*a, m, *c]) -> [*a, m, *c]",
            "(x: [b, n], i: int[b, m]) -> [b, m]",
            "gather[1](x, i)",
        ),
    ),
    *writing.OPS,
    OpSpec(
        "one_hot",
        "i",
        (StaticSpec("n", "size"),),
        one_hot,
        "index",
        "y[i, j] = (j = index[i])",
        "each",
        traits=Trait.FLAT | Trait.FINITE,
        told=Told(
            "A row with 1 at the place that the index names and 0 elsewhere; all 0 where it names none.",
            "(i: int[*b]) -> int[*b, n]",
            "(i: int[b]) -> [b, 10]",
            "cast[float](one_hot[10](i))",
            gradient="0",
        ),
    ),
    OpSpec(
        "topk",
        "x",
        (AXIS, StaticSpec("k", "size")),
        topk,
        "index",
        "the k largest of x",
        "shift",
        outputs=2,
        told=Told(
            "The k largest entries along an axis, the largest first, and their places.",
            "(x: [*a, n, *c]) -> (values: [*a, k, *c], places: int[*a, k, *c])",
            "(x: [b, n]) -> (values: [b, 2], places: int[b, 2])\nwhere n >= 2",
            "topk[n, 2](x)",
            "k <= n",
        ),
    ),
    OpSpec(
        "sort",
        "x",
        (AXIS, DESCENDING),
        along("sort", ORDERED),
        "index",
        "y = x in order",
        "shift",
        traits=Trait.HANDS_ON,
        told=Told(
            "The entries along an axis in rising order, or falling.",
            "(x: [*b]) -> [*b]",
            "(x: [b, n]) -> [b, n]",
            "sort[n, descending=true](x)",
        ),
    ),
    OpSpec(
        "argsort",
        "x",
        (AXIS, DESCENDING),
        along("argsort", ORDERED, "int"),
        "index",
        "x[y] = x in order",
        "shift",
        traits=Trait.FLAT,
        told=Told(
            "The places of the entries along an axis in rising order, or falling.",
            "(x: [*b]) -> int[*b]",
            "(x: [b, n]) -> int[b, n]",
            "argsort[n](x)",
        ),
    ),
    OpSpec(
        "argmax",
        "x",
        (AXIS,),
        along("argmax", ORDERED, "int", drops=True),
        "index",
        "x[y] = max x",
        "shift",
        traits=Trait.FLAT | Trait.LOWEST_OUT,
        told=Told(
            "The place of the largest entry along an axis, the first of equals.",
            "(x: [*a, n, *c]) -> int[*a, *c]",
            "(x: [b, n]) -> int[b]",
            "argmax[n](x)",
        ),
    ),
    OpSpec(
        "argmin",
        "x",
        (AXIS,),
        along("argmin", ORDERED, "int", drops=True),
        "index",
        "x[y] = min x",
        "shift",
        traits=Trait.FLAT | Trait.HIGHEST_OUT,
        told=Told(
            "The place of the smallest entry along an axis, the first of equals.",
            "(x: [*a, n, *c]) -> int[*a, *c]",
            "(x: [b, n]) -> int[b]",
            "argmin[n](x)",
        ),
    ),
    OpSpec(
        "cumsum",
        "x",
        (AXIS,),
        along("cumsum", ADDED),
        "index",
        "y[i] = Σ_{j ≤ i} x[j]",
        "shift",
        linear=(0,),
        told=Told(
            "Sums along an axis, from its start up to each entry.",
            "(x: [*b]) -> [*b]",
            "(x: [b, n]) -> [b, n]",
            "cumsum[n](x)",
        ),
    ),
    OpSpec(
        "cumprod",
        "x",
        (AXIS,),
        along("cumprod", ORDERED, steps=True),
        "index",
        "y[i] = Π_{j ≤ i} x[j]",
        "shift",
        told=Told(
            "Products along an axis, from its start up to each entry.",
            "(x: [*b]) -> [*b]",
            "(x: [b, n]) -> [b, n]",
            "cumprod[n](x)",
            "no axis is empty",
        ),
    ),
    _running("cummax", "largest"),
    _running("cummin", "smallest"),
    OpSpec(
        "diag",
        "x",
        (),
        diag,
        "index",
        "y[i] = x[i, i]",
        "each",
        linear=(0,),
        traits=Trait.HANDS_ON,
        told=Told(
            "The diagonal of square matrices; a label twice in an operand of `einsum` is one.",
            "(x: [*b, n, n]) -> [*b, n]",
            "(x: [b, n, n]) -> [b, n]",
            "diag(x)",
        ),
    ),
    OpSpec(
        "tril",
        "x",
        (DIAGONAL,),
        triangle("tril"),
        "index",
        "y[i, j] = x[i, j] if j ≤ i + k else 0",
        "each",
        linear=(0,),
        traits=Trait.HANDS_ON,
        told=Told(
            "Keeps the entries of matrices on and below a diagonal, and puts 0 above it.",
            "(x: [*b, m, n]) -> [*b, m, n]",
            "(x: [b, n, n]) -> [b, n, n]",
            "tril(x)",
        ),
    ),
    OpSpec(
        "triu",
        "x",
        (DIAGONAL,),
        triangle("triu"),
        "index",
        "y[i, j] = x[i, j] if j ≥ i + k else 0",
        "each",
        linear=(0,),
        traits=Trait.HANDS_ON,
        told=Told(
            "Keeps the entries of matrices on and above a diagonal, and puts 0 below it.",
            "(x: [*b, m, n]) -> [*b, m, n]",
            "(x: [b, n, n]) -> [b, n, n]",
            "triu[diagonal=1](x)",
        ),
    ),
)

"""Operations that write into a tensor: `put`, and `scatter_add` and `scatter` by an index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from ogive.compiler.ir.types import ELEMENTS, FLOATS, INTS, TensorType
from ogive.compiler.ops.align import common_elem, require_elem
from ogive.compiler.ops.axes import beside, resolve
from ogive.compiler.ops.elems import shown, tensors
from ogive.compiler.ops.empty import some
from ogive.compiler.ops.spec import Checker, OpSpec, ShapeError, StaticSpec, Told
from ogive.compiler.sizes import ge, le, size

Result = tuple[tuple[TensorType, ...], Mapping[str, Any]]
ADDED = (*FLOATS, *INTS, "complex")
# what joins entries at one place, and of which elements
JOINED: Mapping[str, Sequence[str]] = MappingProxyType(
    {"sum": ADDED, "mean": FLOATS, "max": (*FLOATS, *INTS), "min": (*FLOATS, *INTS), "prod": (*FLOATS, *INTS)}
)


def put(checker: Checker, statics: Mapping[str, Any], types: Sequence[object]) -> Result:
    """Write y into the entries start, start + 1, ... of x; `at`, an int[], moves on from there at run time."""
    given = tensors([type for type in types if type is not None])
    x, y = given[0], given[1]
    common_elem("put", [x, y])
    axis = resolve(x, statics["axis"])
    beside(checker, x, y, axis, 1)
    start, length, room = size(statics["start"]), y.axes[axis].size, x.axes[axis].size
    text = f"writes `{length}` entries from `{start}` into `{room}`"
    if not (start.is_number and start.number >= 0):
        checker.inside(ge(start, size(0)), text)
    checker.inside(le(start + length, room), text)
    if len(given) == 3:
        require_elem("put", given[2], INTS, 2)
        if given[2].axes:
            raise ShapeError(f"starts at one place, not at `{shown(given[2])}`", code="E0303", operand=2)
    return (x,), {"axis": axis, "start": start}


def scatter_add(checker: Checker, statics: Mapping[str, Any], types: Sequence[object]) -> Result:
    """Add src[a, i, b] to x[a, index[a, i, b], b]; an index of one axis serves all others: x[a, index[i], b]."""
    x, _, src = tensors(types)
    common_elem("scatter_add", [x, src])
    require_elem("scatter_add", x, ADDED)
    return (x,), _placed(checker, "scatter_add", statics, types)


def scatter(checker: Checker, statics: Mapping[str, Any], types: Sequence[object]) -> Result:
    """Write src there, or join it by a reduction with what stands there, or with what else is written there."""
    x, _, src = tensors(types)
    common_elem("scatter", [x, src])
    op, keeps = statics["op"], statics["include_self"]
    if op is not None and op not in JOINED:
        raise ShapeError(f"`scatter` joins by {' '.join(JOINED)}, not by `{op}`", code="E0408", static="op")
    if op is None and not keeps:
        text = "`include_self=false` is said of a reduction: without one what is written stands there alone"
        raise ShapeError(text, code="E0408", static="include_self")
    require_elem("scatter" if op is None else f"scatter by {op}", x, JOINED[op] if op else ELEMENTS)
    return (x,), {**_placed(checker, "scatter", statics, types), "op": op, "include_self": keeps}


def _placed(checker: Checker, name: str, statics: Mapping[str, Any], types: Sequence[object]) -> Mapping[str, Any]:
    """Where the index says that entries go."""
    x, index, src = tensors(types)
    require_elem(name, index, INTS, 1)
    at = resolve(x, statics["axis"])
    beside(checker, x, src, at, 2)
    some(checker, x.axes[at], name)
    along = len(index.axes) == 1 and len(x.axes) > 1
    pairs = [(index.axes[0], src.axes[at])] if along else list(zip(index.axes, src.axes, strict=False))
    if not along and len(index.axes) != len(src.axes):
        text = f"`{shown(index)}` has another number of axes than `{shown(src)}`"
        raise ShapeError(text, code="E0303", operand=1)
    for a, b in pairs:
        if a.pack is None and b.pack is None:
            checker.meet(b, a, f"lays `{a.named}` beside `{b.named}`", 1)
        elif a.size != b.size:
            raise ShapeError(f"lays `{a.named}` beside `{b.named}`", operand=1)
    return {"axis": at, "along": along}


AXIS = StaticSpec("axis", "axis")

OPS = (
    OpSpec(
        "put",
        "x, y, at?",
        (AXIS, StaticSpec("start", "int", 0)),
        put,
        "index",
        "x[start + i] ← y[i]",
        "own",
        told=Told(
            "Writes y over the entries start, start + 1, ... of an axis; `at` moves the start when the model runs.",
            "(x: [*a, n, *c], y: [*a, m, *c], at: int[]?) -> [*a, n, *c]",
            "(x: [b, 8, d], y: [b, 2, d]) -> [b, 8, d]",
            "put[1, start=3](x, y)",
            "start + m <= n",
        ),
    ),
    OpSpec(
        "scatter_add",
        "x, i, src",
        (AXIS,),
        scatter_add,
        "index",
        "x[index[i]] += src[i]",
        "own",
        told=Told(
            "Adds the entries of src to those of x that the index names; an index of one axis serves all others.",
            "(x: [*a, n, *c], i: int[*a, m, *c], src: [*a, m, *c]) -> [*a, n, *c]",
            "(x: [n, d], i: int[m], src: [m, d]) -> [n, d]",
            "scatter_add[0](x, i, src)",
        ),
    ),
    OpSpec(
        "scatter",
        "x, i, src",
        (AXIS, StaticSpec("op", "op", None), StaticSpec("include_self", "bool", True)),
        scatter,
        "index",
        "x[index[i]] ← op(x[index[i]], src[i])",
        "own",
        told=Told(
            "Writes the entries of src to places of x that the index names, or joins them there by sum, mean, max, min "
            "or prod; with `include_self=false` without what stood there.",
            "(x: [*a, n, *c], i: int[*a, m, *c], src: [*a, m, *c]) -> [*a, n, *c]",
            "(x: [n, d], i: int[m], src: [m, d]) -> [n, d]",
            "scatter[0, max](x, i, src)",
            "an index of one axis serves all others; without a reduction no place is named twice, or one of them stays",
            gradient="in `x` and `src`; equals at a maximum share it",
        ),
    ),
)

"""Operations that move, join and cut axes: rearrange expand split concat stack flip roll pad slice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ogive.compiler.ir.types import INTS, Axis, TensorType
from ogive.compiler.ops.align import common_elem
from ogive.compiler.ops.axes import resolve
from ogive.compiler.ops.elems import shown, tensors
from ogive.compiler.ops.empty import inhabited
from ogive.compiler.ops.held import whole
from ogive.compiler.ops.patterns import Solved, misfit, solve
from ogive.compiler.ops.recipe import components
from ogive.compiler.ops.slices import rule as slice_rule
from ogive.compiler.ops.spec import Checker, OpSpec, Pattern, ShapeError, StaticSpec, Told, Trait
from ogive.compiler.sizes import le, lt, size

Result = tuple[tuple[TensorType, ...], Mapping[str, Any]]


def rearrange(checker: Checker, statics: Mapping[str, Any], types: Sequence[object]) -> Result:
    """Every axis of the left stands on the right, in another order or grouping."""
    operands = tensors(types)
    pattern: Pattern = statics["pattern"]
    solved = solve(checker, pattern, operands)
    elem = common_elem("rearrange", operands)
    _check_kept(solved)
    return tuple(TensorType(elem, axes) for axes in solved.outputs), {"recipe": solved.recipe}


def _check_kept(solved: Solved) -> None:
    """Each tensor of one side, taken apart along its joined axis, is one of the other side."""
    recipe, parsed = solved.recipe, solved.parsed
    left, right = components(recipe.inputs), components(recipe.outputs)
    lone = left[0] if len(left) == len(right) == 1 else None
    if lone is not None:
        _check_same_names(solved, lone.names, right[0].names)
        return
    wanted = [component.names for component in left]
    for component in right:
        if component.names not in wanted:
            operand = parsed.outputs[component.tensor]
            text = f"no part of the left has exactly the axes of `{_side(component.names)}`"
            raise misfit(text, operand.inside)
        wanted.remove(component.names)
    if wanted:
        operand = parsed.inputs[next(c.tensor for c in left if c.names in wanted)]
        raise misfit(f"nothing on the right takes `{_side(wanted[0])}`", operand.inside)


def _side(names: frozenset[str]) -> str:
    return " ".join(sorted(names)) or "no axes"


def _check_same_names(solved: Solved, left: frozenset[str], right: frozenset[str]) -> None:
    parsed = solved.parsed
    for operand, other, text, help in (
        (parsed.inputs[0], right, "is lost on the right", "reduce drops axes"),
        (parsed.outputs[0], left, "stands on the right alone", "expand makes new axes"),
    ):
        for leaf in operand.leaves():
            atoms = _names_of(solved, leaf.kind, leaf.text)
            if atoms and not atoms <= other:
                raise misfit(f"`{leaf}` {text}", leaf.inside, help=help)
    if left != right:
        odd = sorted(left ^ right)[0].split(".")[0]
        raise misfit(f"`{odd}` stands on one side alone", parsed.inputs[0].inside)


def _names_of(solved: Solved, kind: str, text: str) -> frozenset[str]:
    """The elementary axes of a name or a pack."""
    if kind == "number":
        return frozenset()
    if kind == "name":
        return frozenset({text})
    prefix = "." if text == "..." else f"{text}."
    return frozenset(name for name in solved.recipe.sizes if name.startswith(prefix))


def expand(checker: Checker, statics: Mapping[str, Any], types: Sequence[object]) -> Result:
    """Axes that stand on the right alone are new: the tensor repeats along them."""
    operand = tensors(types)[0]
    solved = solve(checker, statics["pattern"], [operand], grows=True)
    _check_single(solved)
    right = components(solved.recipe.outputs)[0].names
    for leaf in solved.parsed.inputs[0].leaves():
        if not _names_of(solved, leaf.kind, leaf.text) <= right:
            raise misfit(f"`{leaf}` is lost on the right", leaf.inside, help="reduce drops axes")
    left = components(solved.recipe.inputs)[0].names
    if not left <= right:
        raise misfit(f"`{_side(left - right)}` is lost on the right", solved.parsed.inputs[0].inside)
    return (operand.with_axes(*solved.outputs[0]),), {"recipe": solved.recipe}


def _check_single(solved: Solved) -> None:
    """One tensor to one tensor, without joined axes."""
    for operands in (solved.parsed.inputs, solved.parsed.outputs):
        if len(operands) > 1:
            raise misfit("one tensor stands on each side", operands[1].inside)
        for term in operands[0].terms:
            if term.kind == "sum":
                raise misfit(f"`{term}`: axes are joined and cut by rearrange", term.inside)


def split(checker: Checker, statics: Mapping[str, Any], types: Sequence[object]) -> Result:
    """The first axis on the right is unpacked: as many results as it is long."""
    operand = tensors(types)[0]
    solved = solve(checker, statics["pattern"], [operand])
    _check_kept(solved)
    if len(solved.outputs) > 1:
        outputs = tuple(operand.with_axes(*axes) for axes in solved.outputs)
        return outputs, {"recipe": solved.recipe}
    result = solved.parsed.outputs[0]
    if not result.terms or result.terms[0].kind in ("pack", "sum"):
        inside = result.terms[0].inside if result.terms else result.inside
        raise misfit("the first axis on the right is unpacked: it must be one axis", inside)
    count = solved.recipe.outputs[0][0].size
    if not count.is_number:
        first = result.terms[0]
        text = f"`{first}` is unpacked, and its size `{count}` is not a number"
        raise misfit(text, first.inside, help=f"{first}=...")
    if count.number > MAX_PARTS:
        text = f"unpacks {count} tensors, more than {MAX_PARTS:,}"
        raise ShapeError(text, code="E0701", operand=0, help="keep them on one axis: `rearrange`, slices, `repeat`")
    rest = operand.with_axes(*solved.outputs[0][1:])
    return (rest,) * count.number, {"recipe": solved.recipe}


def concat(checker: Checker, statics: Mapping[str, Any], types: Sequence[object]) -> Result:
    """Tensors end to end along one axis; the others must agree."""
    operands = tensors(types)
    elem = common_elem("concat", operands)
    at = resolve(operands[0], statics["axis"])
    axes = list(operands[0].axes)
    along = axes[at].named
    for i, other in enumerate(operands[1:], start=1):
        _same_rank(operands[0], other, i)
        for j, (a, b) in enumerate(zip(axes, other.axes, strict=True)):
            if j == at:
                if b.pack is not None:
                    raise ShapeError(f"`{shown(other)}` is joined along `{b}`", code="E0303", operand=i)
                axes[j] = Axis(a.size + b.size, a.label if a.label == b.label else None)
            else:
                axes[j] = _meet(checker, a, b, f"beside `{along}`, `{b.named}` meets `{a.named}`", i)
    return (TensorType(elem, tuple(axes)),), {"axis": at}


def _same_rank(first: TensorType, other: TensorType, operand: int) -> None:
    if len(first.axes) != len(other.axes):
        text = f"`{shown(other)}` has another number of axes than `{shown(first)}`"
        raise ShapeError(text, code="E0301", operand=operand)


def _meet(checker: Checker, a: Axis, b: Axis, text: str, operand: int) -> Axis:
    """Two axes in one place; a pack meets only itself."""
    if (a.pack is not None or b.pack is not None) and not (a.pack is not None and a.size == b.size):
        raise ShapeError(f"{text}: a pack meets only itself", operand=operand)
    return a if a.pack is not None else checker.meet(a, b, text, operand)


def stack(checker: Checker, statics: Mapping[str, Any], types: Sequence[object]) -> Result:
    """Tensors of one shape side by side on a new axis."""
    operands = tensors(types)
    elem = common_elem("stack", operands)
    axes = list(operands[0].axes)
    for i, other in enumerate(operands[1:], start=1):
        _same_rank(operands[0], other, i)
        axes = [_meet(checker, a, b, f"stacks `{b}` on `{a}`", i) for a, b in zip(axes, other.axes, strict=True)]
    if isinstance(statics["axis"], str):
        text = f"`{statics['axis']}` is no position for the new axis"
        raise ShapeError(text, code="E0305", static="axis")
    place, new = size(statics["axis"]).number, Axis(size(len(operands)))
    # the place counts among the axes of the result
    at = resolve(TensorType(elem, (*axes, new) if place < 0 else (new, *axes)), place)
    axes.insert(at, new)
    return (TensorType(elem, tuple(axes)),), {"axis": at}


def flip(checker: Checker, statics: Mapping[str, Any], types: Sequence[object]) -> Result:
    """y[..., i, ...] = x[..., n - 1 - i, ...]."""
    operand = tensors(types)[0]
    return (operand,), {"axis": resolve(operand, statics["axis"])}


def roll(checker: Checker, statics: Mapping[str, Any], types: Sequence[object]) -> Result:
    """y[..., (i + by) % n, ...] = x[..., i, ...]."""
    operand = tensors(types)[0]
    return (operand,), {"axis": resolve(operand, statics["axis"]), "by": size(statics["by"])}


MAX_PARTS = 4096
MODES = ("constant", "reflect", "replicate", "circular")


def pad(checker: Checker, statics: Mapping[str, Any], types: Sequence[object]) -> Result:
    """`before` and `after` more entries along one axis."""
    operand = tensors(types)[0]
    at = resolve(operand, statics["axis"])
    before, after, mode = size(statics["before"]), size(statics["after"]), statics["mode"]
    if mode not in MODES:
        known = ", ".join(f'"{name}"' for name in MODES)
        raise ShapeError(f'no mode "{mode}": one of {known}', code="E0408", static="mode")
    axis = operand.axes[at]
    if mode != "constant":
        inhabited(checker, "pad", types)
    elif operand.elem in INTS or operand.elem == "bool":
        whole(statics["value"], operand.elem, f"`pad` fills `{operand.elem}` with", operand=0, static="value")
    for static, amount in (("before", before), ("after", after)):
        if amount.is_number and amount.number < 0:
            text = f"{amount} entries {static} `{axis.named}`: a slice crops"
            raise ShapeError(text, code="E0304", static=static)
        if static == "after" and amount == before:
            break
        if mode in ("reflect", "circular") and not (amount.is_number and amount.number == 0):
            limit = lt(amount, axis.size) if mode == "reflect" else le(amount, axis.size)
            checker.inside(limit, f'mode "{mode}" takes `{amount}` entries from `{axis.size}`')
    axes = (*operand.axes[:at], Axis(axis.size + before + after, axis.label), *operand.axes[at + 1 :])
    attrs = {"axis": at, "before": before, "after": after, "mode": mode, "value": statics["value"]}
    return (operand.with_axes(*axes),), attrs


PATTERN = StaticSpec("pattern", "pattern")
AXIS = StaticSpec("axis", "axis")

OPS = (
    OpSpec(
        "rearrange",
        "*xs",
        (PATTERN,),
        rearrange,
        "layout",
        "y[σ(i)] = x[i]",
        "pattern",
        linear=(0,),
        outputs=0,
        traits=Trait.KEEPS_SIGN | Trait.HANDS_ON,
        told=Told(
            "Reorders, joins and cuts axes; every axis of the left is on the right.",
            "(*xs: [*a]) -> [*y]",
            "(x: [b, n, 8*e]) -> [b, 8, n, e]",
            'rearrange["b n (h e) -> b h n e", h=8](x)',
            "as the right of the pattern says; a product in parentheses is cut or joined",
        ),
    ),
    OpSpec(
        "expand",
        "x",
        (PATTERN,),
        expand,
        "layout",
        "y[i, j] = x[i]",
        "pattern",
        linear=(0,),
        traits=Trait.HANDS_ON,
        told=Told(
            "Repeats a tensor along new axes, those that only the right of the pattern has.",
            "(x: [*a]) -> [*y]",
            "(x: [b, d]) -> [b, 4, d]",
            'expand["b d -> b r d", r=4](x)',
            "as the right of the pattern says; sizes of new axes are given in the brackets",
        ),
    ),
    OpSpec(
        "split",
        "x",
        (PATTERN,),
        split,
        "layout",
        "y_t[i] = x[t, i]",
        "pattern",
        linear=(0,),
        outputs=-1,
        instead=(AXIS, StaticSpec("sizes", "list")),
        traits=Trait.HANDS_ON,
        told=Told(
            "Unpacks the first axis on the right of the pattern, one result for each entry; `split[axis, [a, b]](x)` "
            "cuts an axis into parts of these sizes.",
            "(x: [*a]) -> (y_0: [*y], y_1: [*y], ...)",
            "(x: [b, 2*d]) -> (u: [b, d], v: [b, d])",
            'split["b (t d) -> t b d", t=2](x)',
            "the size of the unpacked axis is a number, and divides what it is cut from; sizes in a list make up "
            "their axis",
        ),
    ),
    OpSpec(
        "concat",
        "*xs",
        (AXIS,),
        concat,
        "layout",
        "y = [a | b]",
        "shift",
        traits=Trait.HANDS_ON,
        told=Told(
            "Joins tensors end to end along one axis.",
            "(*xs: [*a, n_i, *c]) -> [*a, n, *c]",
            "(x: [b, n], y: [b, m]) -> [b, n + m]",
            "concat[1](x, y)",
            "n is the sum of the n_i; all other axes are equal",
        ),
    ),
    OpSpec(
        "stack",
        "*xs",
        (AXIS,),
        stack,
        "layout",
        "y[t, i] = x_t[i]",
        "shift",
        traits=Trait.HANDS_ON,
        told=Told(
            "Puts tensors of one shape beside each other, along a new axis.",
            "(*xs: [*a, *c]) -> [*a, k, *c]",
            "(x: [b, d], y: [b, d]) -> [b, 2, d]",
            "stack[1](x, y)",
            "k is the number of tensors; the position counts among the axes of the result",
        ),
    ),
    OpSpec(
        "flip",
        "x",
        (AXIS,),
        flip,
        "layout",
        "y[i] = x[n - 1 - i]",
        "shift",
        linear=(0,),
        traits=Trait.HANDS_ON,
        told=Told("Reverses an axis.", "(x: [*b]) -> [*b]", "(x: [b, n]) -> [b, n]", "flip[n](x)"),
    ),
    OpSpec(
        "roll",
        "x",
        (AXIS, StaticSpec("by", "int")),
        roll,
        "layout",
        "y[(i + by) % n] = x[i]",
        "shift",
        linear=(0,),
        traits=Trait.HANDS_ON,
        told=Told(
            "Moves the entries of an axis by `by` places; those that leave it come in at the other end.",
            "(x: [*b]) -> [*b]",
            "(x: [b, n]) -> [b, n]",
            "roll[n, 1](x)",
        ),
    ),
    OpSpec(
        "pad",
        "x",
        (
            AXIS,
            StaticSpec("before", "nat"),
            StaticSpec("after", "nat"),
            StaticSpec("mode", "str", "constant"),
            StaticSpec("value", "float", 0.0),
        ),
        pad,
        "layout",
        "y[before + i] = x[i]",
        "shift",
        linear=(0,),
        traits=Trait.HANDS_ON,
        told=Told(
            "Adds `before` and `after` entries to an axis; `mode` is constant, reflect, replicate or circular.",
            "(x: [*a, n, *c]) -> [*a, before + n + after, *c]",
            "(x: [b, n]) -> [b, n + 3]",
            "pad[n, 1, 2](x)",
            "reflect takes fewer than n entries, circular at most n",
        ),
    ),
    OpSpec(
        "slice",
        "x",
        (StaticSpec("items", "any"),),
        slice_rule,
        "layout",
        "y[i] = x[start + step*i]",
        "shift",
        linear=(0,),
        traits=Trait.KEEPS_SIGN | Trait.HANDS_ON,
        told=Told(
            "`x[...]`: a part of each axis, by bounds that are sizes and provably lie inside; an index drops its axis.",
            "(x: [*a]) -> [*y]",
            "(x: [b, n, d]) -> [b, d]",
            "x[:, 0]",
            "start:stop:step leaves ceil_div(stop - start, step) entries",
        ),
    ),
)

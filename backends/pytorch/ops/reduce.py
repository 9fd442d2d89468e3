"""Reductions in torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ogive.backends.python_text.expr import Code, binary, call, method, name, tuple_of
from ogive.backends.python_text.functions.context import Context, Lowering
from ogive.backends.python_text.functions.operands import Args, operand, type_of
from ogive.backends.pytorch.ops.permute_reshape import Block, Group, Layout, LayoutView, blocks_of, groups, size_of
from ogive.compiler.ir.model import Node
from ogive.compiler.ir.types import TensorType
from ogive.compiler.ops.recipe import Atom, AxisPattern
from ogive.compiler.ops.reduce import ELEMENTS

METHODS = {"max": "amax", "min": "amin"}


def reduce(ctx: Context, node: Node, args: Args) -> Code:
    """`x.mean((2, 3))`, after the axes that are reduced have been cut out of their groups."""
    settings = {"whole": node.attr("whole")}
    return by_recipe(ctx, operand(args), node.attr("op"), node.attr("recipe"), node.outputs[0].type, settings)


def by_recipe(
    ctx: Context, code: Code, op: str, recipe: AxisPattern, result: TensorType, settings: Mapping[str, Any]
) -> Code:
    """One tensor to one tensor, without the axes that the result lacks."""
    have, want = groups(recipe.inputs[0], recipe.outputs[0])
    kept = set(blocks_of(want))
    apart = tuple(axis for group in have for axis in _apart(group, kept))
    view = LayoutView(ctx, code, have).to(apart)
    dropped = [i for i, group in enumerate(apart) if group and group[0] not in kept]
    left = tuple(() if i in dropped else group for i, group in enumerate(apart))
    if dropped and want == left and view.pack not in dropped and op not in ("logsumexp", "prod"):
        return _apply(view, op, dropped, result, settings, whole=False, keepdim=True)
    return reduced(view, op, dropped, result, settings).to(want).code


def _apart(group: Group, kept: set[Block]) -> Layout:
    """Stretches of kept and of dropped blocks on axes of their own."""
    if not group:
        return (group,)
    found: list[list[Block]] = []
    for i, block in enumerate(group):
        if i and (block in kept) == (group[i - 1] in kept):
            found[-1].append(block)
        else:
            found.append([block])
    return tuple(map(tuple, found))


def over_axes(ctx: Context, node: Node, args: Args) -> Code:
    """A reduction over axes of the tensor."""
    type = type_of(ctx, node.inputs[0])
    layout = tuple(((Atom(str(i), axis.size, axis.pack),),) for i, axis in enumerate(type.axes))
    view = LayoutView(ctx, operand(args), layout)
    return reduced(view, node.op, node.attr("axes"), node.outputs[0].type, dict(node.attrs)).code


def reduced(
    view: LayoutView, op: str, axes: Sequence[int], result: TensorType, settings: Mapping[str, Any]
) -> LayoutView:
    """The tensor without these axes."""
    rest = tuple(group for i, group in enumerate(view.layout) if i not in axes)
    if not axes:
        return replace(view, code=_alone(view.code, op))
    if view.pack is not None and view.pack in axes and (rest or op in ("logsumexp", "prod")):
        view = _solid(view)
    return LayoutView(view.ctx, _apply(view, op, axes, result, settings, whole=not rest), rest)


def _alone(code: Code, op: str) -> Code:
    """Each element reduced by itself: torch would take an empty tuple of axes for all of them."""
    if op in ("var", "std"):
        return binary(code, "*", 0)  # NaN of what is not finite
    return method(code, "abs") if op == "norm" else code


def _solid(view: LayoutView) -> LayoutView:
    """A pack that is reduced, as one axis: `x.reshape(-1, d)`."""
    pack = view.pack
    sizes = [
        view.joined_pack(view.layout, group) if i == pack else view.ctx.size(size_of(group))
        for i, group in enumerate(view.layout)
    ]
    joined: Layout = tuple(
        tuple(tuple(replace(atom, pack=None) for atom in block) for block in group) if i == pack else group
        for i, group in enumerate(view.layout)
    )
    return LayoutView(view.ctx, method(view.code, "reshape", *sizes), joined)


def _apply(
    view: LayoutView,
    op: str,
    axes: Sequence[int],
    result: TensorType,
    settings: Mapping[str, Any],
    *,
    whole: bool,
    keepdim: bool | None = None,
) -> Code:
    found = [view.dim(axis, last=len(axes) == 1) for axis in axes]
    where = None if whole else found[0] if len(found) == 1 else tuple_of(found)
    if op == "norm":
        p = settings.get("p", 2)
        power = None if p == 2 else view.ctx.scalar(p)
        return call("torch.linalg.vector_norm", view.code, power, dim=where, keepdim=keepdim)
    if op in ("var", "std"):
        return method(view.code, op, where, correction=1 if settings.get("unbiased") else 0, keepdim=keepdim)
    if op == "logsumexp":
        rows = found[0] if len(found) == 1 else tuple_of(found)
        if settings.get("whole"):
            return method(view.code, op, rows)
        return call(view.ctx.helper("masked_logsumexp"), view.code, rows)
    # torch widens small integers in sums and products; the type of the source says otherwise
    dtype = name("torch.int32") if result.elem == "i32" and op in ("sum", "prod") else None
    if op == "prod" and where is not None:
        code = view.code
        for at in _from_the_right(view, axes):
            code = method(code, op, at, dtype=dtype)
        return code
    return method(view.code, METHODS.get(op, op), where, keepdim=keepdim, dtype=dtype)


def _from_the_right(view: LayoutView, axes: Sequence[int]) -> list[int]:
    """The axes one by one, so that those that go first do not move the others."""
    pack, gone, found = view.pack, 0, []
    for axis in sorted(axes, reverse=True):
        after_pack = pack is not None and axis > pack
        found.append(axis - len(view.layout) + gone if after_pack else view.dim(axis, last=len(axes) == 1))
        gone += 1
    return found


LOWER: dict[str, Lowering] = {"reduce": reduce, **dict.fromkeys(ELEMENTS, over_axes)}

"""Layout operations in torch: views where views do, one `permute` at most, `cat` and `split` for joined axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

from ogive.backends.python_text.expr import (
    Code,
    attribute,
    binary,
    call,
    counts,
    cut,
    list_of,
    literal,
    method,
    starred,
    subscript,
    tuple_of,
    unstarred,
)
from ogive.backends.python_text.functions.context import Context, Lowering
from ogive.backends.python_text.functions.operands import Args, operand, type_of
from ogive.backends.pytorch.ops.dims import dim
from ogive.backends.pytorch.ops.pads import pad
from ogive.backends.pytorch.ops.permute_reshape import (
    MERGED,
    Block,
    Group,
    Layout,
    LayoutView,
    blocks_of,
    groups,
    single,
    size_of,
)
from ogive.backends.pytorch.ops.slices import sliced
from ogive.compiler.ir.model import Node, Operand
from ogive.compiler.ops.recipe import AxisPattern, Component, Side, components, product
from ogive.compiler.sizes import Size


def moved(ctx: Context, code: Code, left: Side, right: Side) -> Code:
    """One tensor in another layout."""
    have, want = groups(left, right)
    return LayoutView(ctx, code, have).to(want).code


def rearrange(ctx: Context, node: Node, args: Args) -> Code:
    """The same elements in another layout; joined axes by `cat`, cut ones by `split`."""
    recipe: AxisPattern = node.attr("recipe")
    left, right = components(recipe.inputs), components(recipe.outputs)
    pieces = _cut(ctx, node, recipe, left, args)
    if pieces is None:
        return moved(ctx, operand(args), recipe.inputs[0], recipe.outputs[0])
    if isinstance(pieces, Code):
        if [component.side for component in left] == [component.side for component in right]:
            return pieces  # the cut is all there is
        bound = ctx.once(pieces, "parts")
        pieces = [subscript(bound, i) for i in range(len(left))]
    by_names = {component.names: (code, component) for code, component in zip(pieces, left, strict=True)}
    ready = [moved(ctx, *_from(by_names[component.names]), component.side) for component in right]
    results = [_joined(recipe, tensor, right, ready) for tensor in range(len(recipe.outputs))]
    return results[0] if len(results) == 1 else tuple_of(results)


def _from(piece: tuple[Code, Component]) -> tuple[Code, Side]:
    return piece[0], piece[1].side


def _cut(ctx: Context, node: Node, recipe: AxisPattern, left: list[Component], args: Args) -> Code | list[Code] | None:
    """The parts of the inputs along joined axes: one tuple if one input makes them all, None if nothing is joined."""
    if len(left) == 1 and len(recipe.outputs) == 1:
        return None
    if len(recipe.inputs) == 1:
        return _parts(ctx, node, args, recipe.inputs[0])
    pieces: list[Code] = []
    for number, side in enumerate(recipe.inputs):
        count = sum(component.tensor == number for component in left)
        if count == 1:
            pieces.append(operand(args, number))
        else:
            bound = ctx.once(_parts(ctx, node, args, side, number), "parts")
            pieces += [subscript(bound, i) for i in range(count)]
    return pieces


def _parts(ctx: Context, node: Node, args: Args, side: Side, number: int = 0) -> Code:
    """`x.split((q, k), dim)`, `x.chunk(2, dim)`."""
    axis = next(i for i, place in enumerate(side) if place.joined)
    sizes = [product(part) for part in side[axis].parts]
    at = _dim(side, axis)
    code = operand(args, number)
    if len(set(sizes)) == 1:
        return _chunks(ctx, node.inputs[number], code, sizes, at)
    return method(code, "split", tuple_of([ctx.size(size) for size in sizes]), at)


def _chunks(ctx: Context, value: Operand, code: Code, sizes: Sequence[Size], dim: int) -> Code:
    """`x.split(d, dim)` where `d` is known without `x`, else `x.chunk(2, dim)`.

    Where devices share what a map of weights gives, say `(q k v)` in one, each holds a stretch of it, which a number of
    chunks would take apart at the wrong places; sizes refuse it.
    """
    if ctx.told(sizes[0], value):
        return method(code, "split", ctx.size(sizes[0]), dim)
    return method(code, "chunk", len(sizes), dim)


def _dim(side: Side, axis: int) -> int:
    pack = next((i for i, place in enumerate(side) if place.pack), None)
    last = axis == len(side) - 1
    return axis - len(side) if last or (pack is not None and axis > pack) else axis


def _joined(recipe: AxisPattern, tensor: int, right: list[Component], ready: list[Code]) -> Code:
    """One result: its parts end to end."""
    mine = [code for code, component in zip(ready, right, strict=True) if component.tensor == tensor]
    if len(mine) == 1:
        return mine[0]
    side = recipe.outputs[tensor]
    axis = next(i for i, place in enumerate(side) if place.joined)
    return call("torch.cat", tuple_of(mine), dim=_dim(side, axis))


def split(ctx: Context, node: Node, args: Args) -> Code:
    """The first axis of the result as a tuple."""
    recipe: AxisPattern = node.attr("recipe")
    if len(recipe.outputs) > 1:
        return rearrange(ctx, node, args)
    side = recipe.outputs[0]
    have, want = groups(recipe.inputs[0], side)
    view, count = LayoutView(ctx, operand(args), have), len(node.outputs)
    if count == 1:
        whole = view.to(want).code
        return subscript(whole, 0)
    parts, rest = want[0], want[1:]
    if len(parts) == 1:
        cut = _cut_in_place(view, node.inputs[0], parts[0], rest, count)
        if cut is not None:
            return cut
    return method(view.to(want).code, "unbind", 0)


def _cut_in_place(view: LayoutView, value: Operand, parts: Block, rest: Layout, count: int) -> Code | None:
    """`x.split(d, -1)` or `x.unflatten(...).unbind(2)`, where the other axes stay as they are."""
    have = view.layout
    axis = next(i for i, group in enumerate(have) if parts in group)
    group = have[axis]
    without = tuple(block for block in group if block != parts)
    if without and group[0] == parts and (*have[:axis], without, *have[axis + 1 :]) == rest:
        return _chunks(view.ctx, value, view.code, [size_of(without)] * count, view.dim(axis))
    apart = (*have[:axis], *single(group), *have[axis + 1 :])
    if tuple(g for g in apart if g != (parts,)) == rest:
        opened = view.to(apart)
        return method(opened.code, "unbind", opened.dim(apart.index((parts,))))
    return None


def expand(ctx: Context, node: Node, args: Args) -> Code:
    """y[i, j] = x[i]: a view with stride 0 along the new axes."""
    recipe: AxisPattern = node.attr("recipe")
    have, want = groups(recipe.inputs[0], recipe.outputs[0])
    known = {*blocks_of(have), MERGED}
    apart = tuple(axis for group in want for axis in _apart(group, known))
    fresh = [bool(group) and group[0] not in known for group in apart]
    if not any(fresh):
        return LayoutView(ctx, operand(args), have).to(want).code
    # torch adds axes in front by itself; those further inside must be there, with size 1
    front = next((i for i, new in enumerate(fresh) if not new), len(fresh))
    narrow = tuple(() if new else group for group, new in zip(apart, fresh, strict=True))
    lead = next((i for i, group in enumerate(have) if group), len(have))
    front -= min(front, lead)  # axes of size 1 that are there in front already
    packs = [group[0][0].pack if new and _is_pack(group) else None for group, new in zip(apart, fresh, strict=True)]
    inside = next((i for i, pack in enumerate(packs) if pack and i >= front), None)
    if inside is not None:
        narrow = (*narrow[:inside], *narrow[inside + 1 :])
    view = LayoutView(ctx, operand(args), have).to(narrow[front:])
    if view.pack is not None:
        view = replace(view, code=ctx.once(view.code, "x"))
    if inside is not None:
        view = replace(view, code=_opened(ctx, ctx.once(view.code, "x"), inside - front, str(packs[inside])))
    sizes = [
        ctx.pack(pack) if pack else ctx.size(size_of(group)) if new else _kept(view, i - front)
        for i, (group, new, pack) in enumerate(zip(apart, fresh, packs, strict=True))
    ]
    return replace(view, code=method(view.code, "expand", *counts(sizes)), layout=apart).to(want).code


def _is_pack(group: Group) -> bool:
    return len(group) == len(group[0]) == 1 and group[0][0].pack is not None


def _opened(ctx: Context, code: Code, at: int, pack: str) -> Code:
    """A tensor with as many axes of size 1 as a pack has: `x.view(*x.shape[:1], *[1] * len(b_shape), *x.shape[1:])`."""
    shape = attribute(code, "shape")
    ones = binary(list_of([literal(1)]), "*", call("len", unstarred(ctx.pack(pack))))
    return method(
        code, "view", starred(subscript(shape, cut(None, at))), starred(ones), starred(subscript(shape, cut(at)))
    )


def _apart(group: Group, known: set[Block]) -> Layout:
    """New blocks on axes of their own, stretches of old ones together."""
    if not group:
        return (group,)
    runs = groupby(group, key=known.__contains__)
    return tuple(part for old, run in runs for part in ([tuple(run)] if old else single(tuple(run))))


def _kept(view: LayoutView, axis: int) -> Code:
    """What `expand` is told of an axis that stays: -1, or all the sizes of a pack."""
    pack = view.pack
    if axis != pack:
        return literal(-1)
    after = len(view.layout) - 1 - axis
    shape = attribute(view.code, "shape")
    return starred(subscript(shape, cut(axis or None, -after or None)) if axis or after else shape)


def concat(ctx: Context, node: Node, args: Args) -> Code:
    """`torch.cat((a, b), dim=1)`."""
    type, at = type_of(ctx, node.inputs[0]), node.attr("axis")
    return call("torch.cat", tuple_of([operand(args, i) for i in range(len(args))]), dim=dim(type, at))


def stack(ctx: Context, node: Node, args: Args) -> Code:
    """`torch.stack((a, b), dim=1)`; the axis counts among those of the result."""
    at = dim(node.outputs[0].type, node.attr("axis"))
    settings = {} if at == 0 else {"dim": at}
    return call("torch.stack", tuple_of([operand(args, i) for i in range(len(args))]), **settings)


def flip(ctx: Context, node: Node, args: Args) -> Code:
    """`x.flip(1)`."""
    return method(operand(args), "flip", dim(type_of(ctx, node.inputs[0]), node.attr("axis")))


def roll(ctx: Context, node: Node, args: Args) -> Code:
    """`x.roll(by, 1)`."""
    by: Size = node.attr("by")
    at = dim(type_of(ctx, node.inputs[0]), node.attr("axis"))
    return method(operand(args), "roll", ctx.size(by), at)


LOWER: dict[str, Lowering] = {
    "rearrange": rearrange,
    "expand": expand,
    "split": split,
    "concat": concat,
    "stack": stack,
    "flip": flip,
    "roll": roll,
    "pad": pad,
    "slice": sliced,
}

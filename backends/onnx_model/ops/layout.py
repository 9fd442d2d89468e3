"""Layout operations in ONNX: reshape and transpose for patterns, `Split` and `Concat` for joined axes."""

from __future__ import annotations

from ogive.backends.onnx_model.ops.context import Args, Context, Lowering
from ogive.backends.onnx_model.ops.operands import given, operand, padded, squeezed, unsqueezed
from ogive.backends.onnx_model.ops.permute_reshape import Layout, arranged, atoms_of, layout, regrouped, single
from ogive.backends.onnx_model.ops.slices import sliced
from ogive.compiler.ir.model import Node
from ogive.compiler.ops.empty import may_be_empty
from ogive.compiler.ops.recipe import AxisPattern, Component, Side, components, product
from ogive.compiler.sizes import Size, maximum, size


def rearrange(ctx: Context, node: Node, args: Args) -> str | tuple[str, ...]:
    """The same elements in another layout; joined axes by `Concat`, cut ones by `Split`."""
    recipe: AxisPattern = node.attr("recipe")
    left, right = components(recipe.inputs), components(recipe.outputs)
    if len(left) == 1 and len(right) == 1:
        return arranged(ctx, operand(args), layout(recipe.inputs[0]), layout(recipe.outputs[0]))
    pieces = [piece for number, side in enumerate(recipe.inputs) for piece in _parts(ctx, operand(args, number), side)]
    by_names = {component.names: (x, component) for x, component in zip(pieces, left, strict=True)}
    ready = []
    for component in right:
        x, source = by_names[component.names]
        ready.append(arranged(ctx, x, layout(source.side), layout(component.side)))
    results = tuple(_joined(ctx, recipe, tensor, right, ready) for tensor in range(len(recipe.outputs)))
    return results[0] if len(results) == 1 else results


def _parts(ctx: Context, x: str, side: Side) -> tuple[str, ...]:
    """The parts of a tensor along its joined axis."""
    axis = next((i for i, place in enumerate(side) if place.joined), None)
    if axis is None:
        return (x,)
    return cut(ctx, x, axis, [product(part) for part in side[axis].parts])


def cut(ctx: Context, x: str, axis: int, sizes: list[Size]) -> tuple[str, ...]:
    """`Split` into parts of these sizes."""
    if len(set(sizes)) == 1:
        return ctx.nodes("Split", len(sizes), x, axis=axis, num_outputs=len(sizes))
    return ctx.nodes("Split", len(sizes), x, ctx.shape(sizes), axis=axis)


def _joined(ctx: Context, recipe: AxisPattern, tensor: int, right: list[Component], ready: list[str]) -> str:
    """One result: its parts end to end."""
    mine = [x for x, component in zip(ready, right, strict=True) if component.tensor == tensor]
    if len(mine) == 1:
        return mine[0]
    axis = next(i for i, place in enumerate(recipe.outputs[tensor]) if place.joined)
    return ctx.node("Concat", *mine, axis=axis)


def split(ctx: Context, node: Node, args: Args) -> str | tuple[str, ...]:
    """The first axis of the result as separate tensors: cut where it leads an axis, else after it was moved there."""
    recipe: AxisPattern = node.attr("recipe")
    if len(recipe.outputs) > 1:
        return rearrange(ctx, node, args)
    have, want = layout(recipe.inputs[0]), layout(recipe.outputs[0])
    parts, rest, count = want[0], want[1:], len(node.outputs)
    at = next((i for i, group in enumerate(have) if parts and group[: len(parts)] == parts), None)
    if at is None:
        whole = arranged(ctx, operand(args), have, want)
        pieces = ctx.nodes("Split", count, whole, axis=0, num_outputs=count) if count > 1 else (whole,)
        return tuple(squeezed(ctx, piece, [0]) for piece in pieces)
    pieces = ctx.nodes("Split", count, operand(args), axis=at, num_outputs=count) if count > 1 else (operand(args),)
    left: Layout = (*have[:at], have[at][len(parts) :], *have[at + 1 :])
    return tuple(arranged(ctx, piece, left, rest) for piece in pieces)


def expand(ctx: Context, node: Node, args: Args) -> str:
    """New axes by `Expand`; those of size 1 by their shape alone."""
    recipe: AxisPattern = node.attr("recipe")
    have, want = layout(recipe.inputs[0]), layout(recipe.outputs[0])
    one = size(1)
    old = {atom.name for atom in atoms_of(have)}
    new = [atom for atom in atoms_of(want) if atom.name not in old and atom.size != one]
    if not new:
        kept = tuple(tuple(atom for atom in group if atom.name in old) for group in want)
        return arranged(ctx, operand(args), have, kept)
    apart = single([atom for atom in atoms_of(want) if atom.size != one])
    narrow: Layout = tuple(() if group[0] in new else group for group in apart)
    if all(len(group) <= 1 for group in want):
        apart, narrow = want, tuple(() if group and group[0] in new else group for group in want)
    x = arranged(ctx, operand(args), have, narrow)
    sizes = [product(group) if group and group[0] in new else one for group in apart]
    front = next(i for i, group in enumerate(apart) if group and group[0] in new)
    x = ctx.node("Expand", x, ctx.shape(sizes[front:]))
    return regrouped(ctx, x, apart, _plain(want)) if apart != want else x


def _plain(groups: Layout) -> Layout:
    one = size(1)
    return tuple(tuple(atom for atom in group if atom.size != one) for group in groups)


def concat(ctx: Context, node: Node, args: Args) -> str:
    """`Concat`."""
    return ctx.node("Concat", *given(args), axis=node.attr("axis"))


def stack(ctx: Context, node: Node, args: Args) -> str:
    """`Concat` along a new axis."""
    at = node.attr("axis")
    return ctx.node("Concat", *(unsqueezed(ctx, x, [at]) for x in given(args)), axis=at)


def flip(ctx: Context, node: Node, args: Args) -> str:
    """`Slice` from the last entry down."""
    ends = [ctx.array([-1]), ctx.array([-(2**63) + 1]), ctx.array([node.attr("axis")]), ctx.array([-1])]
    return ctx.node("Slice", operand(args), *ends)


def roll(ctx: Context, node: Node, args: Args) -> str:
    """The end before the start."""
    at: int = node.attr("axis")
    length = ctx.type(node.inputs[0]).axes[at].size
    entries = maximum(length, 1) if may_be_empty(length) else length
    place, axis = ctx.size((size(0) - node.attr("by")) % entries), ctx.array([at])
    last = ctx.node("Slice", operand(args), place, ctx.array([2**63 - 1]), axis)
    first = ctx.node("Slice", operand(args), ctx.array([0]), place, axis)
    return ctx.node("Concat", last, first, axis=at)


MODES = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def pad(ctx: Context, node: Node, args: Args) -> str:
    """`Pad` along one axis."""
    before, after = size(node.attr("before")), size(node.attr("after"))
    type, mode = ctx.type(node.inputs[0]), node.attr("mode")
    value = ctx.number(node.attr("value") if type.elem != "bool" else False, type.elem) if mode == "constant" else ""
    return padded(ctx, operand(args), len(type.axes), {node.attr("axis"): (before, after)}, MODES[mode], value)


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

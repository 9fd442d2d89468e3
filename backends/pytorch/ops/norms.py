"""Normalizations in torch."""

from __future__ import annotations

from collections.abc import Sequence

from ogive.backends.python_text.expr import NONE, Code, call, literal, method, starts_with, tuple_of
from ogive.backends.python_text.functions.context import Context, Lowering
from ogive.backends.pytorch.ops.dims import dims
from ogive.backends.pytorch.ops.out_of_range import epsilon
from ogive.compiler.ir.model import Node

Args = Sequence[Code | None]


def _eps(ctx: Context, node: Node, x: Code | None) -> Code | None:
    """The setting, None where it is torch's own default."""
    assert x is not None, node
    return None if node.attr("eps") == 1e-5 else epsilon(ctx, node, x)


def _over_axes(function: str, *, eps_default: float | None) -> Lowering:
    """`F.layer_norm(x, (d,), weight, bias, eps)`; other axes than the last are moved there and back.

    In two `grad` layer norm goes step by step: the third derivative of the kernel is wrong.
    """

    def lower(ctx: Context, node: Node, args: Args) -> Code:
        x, *affine = args
        type = node.outputs[0].type
        axes: tuple[int, ...] = node.attr("axes")
        count = len(type.axes)
        trailing = tuple(range(count - len(axes), count))
        assert x is not None
        moved = x if axes == trailing else method(x, "movedim", dims(type, axes), _last(len(axes)))
        shape = tuple_of([ctx.size(type.axes[axis].size) for axis in axes])
        eps = None if node.attr("eps") == eps_default else epsilon(ctx, node, x)
        steps = function == "F.layer_norm" and ctx.derived() > 1
        y = call(ctx.helper("layer_norm") if steps else function, moved, shape, *_given(affine), eps=eps)
        return y if axes == trailing else method(y, "movedim", _last(len(axes)), dims(type, axes))

    return lower


def _last(count: int) -> Code:
    """The last axes: -1, (-2, -1)."""
    return literal(-1) if count == 1 else tuple_of(range(-count, 0))


def _given(affine: Sequence[Code | None]) -> list[Code]:
    """Weight and bias by position, trailing absent ones left out.

    A bias has a weight beside it, of ones where there is none: without it torch's second derivatives are wrong.
    """
    if len(affine) == 2 and affine[0] is None and affine[1] is not None:
        affine = (call("torch.ones_like", affine[1]), affine[1])
    found = [arg if arg is not None else NONE for arg in affine]
    while found and found[-1] is NONE:
        found.pop()
    return found


def batch_norm(ctx: Context, node: Node, args: Args) -> Code:
    """`F.batch_norm(x, self.running_mean, self.running_var, weight, bias)`; computed statistics take gradients too."""
    x, mean, variance, *affine = args
    if _kept(mean) and _kept(variance):
        return call("F.batch_norm", x, mean, variance, *_given(affine), eps=_eps(ctx, node, x))
    weight, bias = (arg if arg is not None else NONE for arg in affine)
    return call(ctx.helper("batch_norm"), x, mean, variance, weight, bias, epsilon(ctx, node, x))


def batch_norm_train(ctx: Context, node: Node, args: Args) -> Code:
    """`batch_norm_train(x, weight, bias, eps)`, a helper."""
    x, *affine = args
    weight, bias = (arg if arg is not None else NONE for arg in affine)
    steps = ctx.derived() > 1  # the third derivative of the kernel is wrong
    return call(ctx.helper("batch_norm_steps" if steps else "batch_norm_train"), x, weight, bias, epsilon(ctx, node, x))


def _kept(statistic: Code | None) -> bool:
    """Whether it is stored: torch's batch norm sends no gradient to the statistics that it is given."""
    return statistic is not None and starts_with(statistic, "self")


def group_norm(ctx: Context, node: Node, args: Args) -> Code:
    """`torch.group_norm(x, groups, weight, bias)`: `F.group_norm` refuses a batch of one value for each group."""
    x, *affine = args
    eps = _eps(ctx, node, x)
    return call("torch.group_norm", x, ctx.size(node.attr("groups")), *_given(affine), eps=eps)


LOWER: dict[str, Lowering] = {
    "layer_norm": _over_axes("F.layer_norm", eps_default=1e-5),
    "rms_norm": _over_axes("F.rms_norm", eps_default=None),
    "batch_norm": batch_norm,
    "batch_norm_train": batch_norm_train,
    "group_norm": group_norm,
}

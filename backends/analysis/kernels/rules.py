"""The rule of kernels for each operation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from ogive.backends.analysis.kernels.dual import dual
from ogive.backends.analysis.kernels.field import CHANNEL, KernelField, averaged, diagonals, gram
from ogive.backends.analysis.signals.pointwise import NAMES, computed
from ogive.compiler.analysis.frame.interpreter import DomainFrame
from ogive.compiler.ir.model import Node
from ogive.compiler.ops import OPS
from ogive.compiler.sizes import Size, size

Frame = DomainFrame[KernelField]
Given = Sequence[KernelField]


class KernelWalk(Protocol):
    """The interpreter, as its rules see it."""

    def variance(self, frame: Frame, field: KernelField, terms: int) -> float | None:
        """What is drawn: terms times the variance of an entry."""

    def not_known(self, frame: Frame, node: Node, reason: str) -> Given:
        """Note that nothing is known of a node's results."""


MOST = 1 << 26  # covariances
Rule = Callable[[KernelWalk, Frame, Node, Given], Given]


def _dense(self: KernelWalk, frame: Frame, node: Node, given: Given) -> Given:
    """K ← σ_w² K + σ_b², Θ ← K + σ_w² Θ, over the axis that is summed (Jacot et al. 2018, arXiv:1806.07572)."""
    x, w, *rest = given
    axis = (len(x.axes) if x.value is None else x.value.dim()) - 1
    if not w.path:
        return self.not_known(frame, node, "its weight is computed, or handed in")
    wide = frame.graph.values[str(node.inputs[1])].type.axes[1].size
    return _product(self, frame, node, x, w, rest[0] if rest else KernelField(), axis, _number(wide), None)


def _conv(self: KernelWalk, frame: Frame, node: Node, given: Given) -> Given:
    """As dense, with the mean over the window of pairs of positions."""
    x, w, *rest = given
    if not w.path:
        return self.not_known(frame, node, "its weight is computed, or handed in")
    if size(node.attr("groups")) != size(1) or node.attr("pad_mode") not in (None, "zeros"):
        return self.not_known(frame, node, "groups, and borders that are no zeros, have no rule")
    shape = [_number(axis.size) for axis in frame.graph.values[str(node.inputs[1])].type.axes]
    return _product(self, frame, node, x, w, rest[0] if rest else KernelField(), 1, shape[1], node)


def _product(
    self: KernelWalk, frame: Frame, node: Node, x: KernelField, w: KernelField, bias: KernelField, axis: int,
    wide: int, window: Node | None,
) -> Given:  # fmt: skip
    if x.k is None and x.value is None:
        return [KernelField()]
    if x.value is not None:
        if axis >= x.value.dim():
            return self.not_known(frame, node, "what it sums is not known")
        if (x.value.numel() // x.value.shape[axis]) ** 2 > MOST:
            return self.not_known(frame, node, "there are too many pairs of positions: give smaller data")
        k = gram(x.value, axis)
        axes = [at for at in range(x.value.dim()) if at != axis]
        labels = tuple((axes.index(at),) if at != axis else (CHANNEL,) for at in range(x.value.dim()))
        x = KernelField(labels, k, torch.zeros_like(k))
    assert x.k is not None
    assert x.theta is not None
    if CHANNEL not in x.axes[axis]:
        return self.not_known(frame, node, "it mixes positions: only products over channels have a rule")
    k, theta = x.k, x.theta
    for place in sorted((each for each in x.axes[axis] if each != CHANNEL), reverse=True):
        k, theta = averaged(k, place, pairs=False), averaged(theta, place, pairs=False)
    axes_now = _without(x.axes, [each for each in x.axes[axis] if each != CHANNEL])
    axes_now = tuple((CHANNEL,) if at == axis else labels for at, labels in enumerate(axes_now))
    kernel: list[int] = []
    if window is not None:
        kernel = [_number(each.size) for each in frame.graph.values[str(node.inputs[1])].type.axes[2:]]
        k, theta = (_windowed(each, axes_now, node, kernel) for each in (k, theta))
    terms = wide * int(torch.tensor(kernel).prod()) if kernel else wide
    drawn = self.variance(frame, w, terms)
    shift = self.variance(frame, bias, 1) if bias.path else 0.0
    if drawn is None or shift is None:
        return self.not_known(frame, node, f"how `{w.path}` starts is not told by a named initializer around 0")
    new = drawn * k + shift
    return [KernelField(axes_now, new, new + drawn * theta, True, frozenset((w.path, bias.path)))]


def _windowed(k: Tensor, axes: tuple[tuple[int, ...], ...], node: Node, kernel: Sequence[int]) -> Tensor:
    """The mean over a window of both positions at once; zeros beyond borders."""
    half = k.dim() // 2
    places = [axes[2 + at][0] for at in range(len(kernel))]
    strides, dilations = _each(node, "stride"), _each(node, "dilation")
    pads = [tuple(map(_number, pair)) for pair in _pairs(node.attr("pad"), len(kernel))]
    for place, (low, high) in zip(places, pads, strict=True):
        for dim in (place, half + place):
            amounts = [0, 0] * k.dim()
            amounts[2 * (k.dim() - 1 - dim) : 2 * (k.dim() - dim)] = [low, high]
            k = F.pad(k, amounts)
    for place, many, stride, dilation in zip(places, kernel, strides, dilations, strict=True):
        count = (k.shape[place] - dilation * (many - 1) - 1) // stride + 1
        total = torch.zeros(())
        for offset in range(many):
            part = k
            for dim in (place, half + place):
                index = torch.arange(count) * stride + offset * dilation
                part = part.index_select(dim, index)
            total = total + part
        k = total / many
    return k


def _each(node: Node, name: str) -> list[int]:
    return [_number(each) for each in node.attr(name)]


def _pairs(pad: object, count: int) -> list[tuple[Size, Size]]:
    found: list[tuple[Size, Size]] = []
    for each in pad if isinstance(pad, tuple) else (pad,) * count:
        low, high = each if isinstance(each, tuple) else (each, each)
        found.append((size(low), size(high)))
    return found


def _number(value: object) -> int:
    found = size(value)  # type: ignore[arg-type]
    assert found.is_number, found
    return found.number


def _without(axes: tuple[tuple[int, ...], ...], gone: Sequence[int]) -> tuple[tuple[int, ...], ...]:
    """Labels once some kept axes are gone."""

    def at(label: int) -> int:
        return label - sum(each < label for each in gone)

    return tuple(tuple(at(label) for label in labels if label not in gone) for labels in axes)


def _pointwise(self: KernelWalk, frame: Frame, node: Node, given: Given) -> Given:
    """K ← E[σσ], Θ ← Θ E[σ'σ'], where entries are normal; known values are computed."""
    if all(each.value is not None for each in given):
        return [KernelField(value=computed(node)(*(each.value for each in given)))]
    if node.op in ("add", "sub"):
        return _sum(self, frame, node, given)
    if node.op in ("mul", "div") and any(_number_alone(each) for each in given):
        return _scaled(self, frame, node, given)
    (x, *more), facts = given, OPS[node.op].pointwise
    if x.k is None or x.theta is None:
        return [KernelField()]
    if more or facts is None:
        return self.not_known(frame, node, "a function of several signals has no rule")
    told = facts(dict(node.attrs))
    linear = told.homogeneous is not None and told.homogeneous[0] == told.homogeneous[1]
    if not x.normal and not linear:
        return self.not_known(frame, node, "its operand is not normal: the function stands behind no product")
    p, q = diagonals(x.k)
    k, factor = dual(node.op, told, computed(node), p, q, x.k)
    return [x.with_kernels(k, x.theta * factor, linear and x.normal)]


def _number_alone(field: KernelField) -> bool:
    return field.value is not None and field.value.dim() == 0


def _scaled(self: KernelWalk, frame: Frame, node: Node, given: Given) -> Given:
    x = next((each for each in given if each.k is not None), KernelField())
    number = next(each.value for each in given if _number_alone(each))
    if x.k is None or x.theta is None or number is None:
        return [KernelField()]
    if node.op == "div" and given[0] is not x:
        return self.not_known(frame, node, "one over a signal has no rule")
    square = float(number) ** 2 if node.op == "mul" else float(number) ** -2
    return [x.with_kernels(x.k * square, x.theta * square, x.normal)]


def _sum(self: KernelWalk, frame: Frame, node: Node, given: Given) -> Given:
    """Of branches that are drawn apart."""
    a, b = given
    if any(each.k is None and each.value is None for each in given):
        return [KernelField()]
    for known, field in ((a, b), (b, a)):
        if known.value is not None:
            if known.value.dim() == 0 and float(known.value) == 0:
                return [field]
            a, b = _as_field(known, field), field
    if a.k is None or b.k is None or a.theta is None or b.theta is None or a.axes != b.axes:
        return self.not_known(frame, node, "its operands have other axes, or one is a number")
    if a.k.shape != b.k.shape:
        return self.not_known(frame, node, "an axis is repeated")
    if a.made & b.made - {""}:
        return self.not_known(frame, node, "its operands share weights: their kernels do not add")
    return [KernelField(a.axes, a.k + b.k, a.theta + b.theta, a.normal and b.normal, a.made | b.made)]


def _as_field(known: KernelField, like: KernelField) -> KernelField:
    """An input as a field with the axes of another; one without kernels where it has others."""
    axis = next((at for at, labels in enumerate(like.axes) if labels == (CHANNEL,)), None)
    if known.value is None or axis is None or known.value.dim() != len(like.axes):
        return KernelField()
    k = gram(known.value, axis)
    return KernelField(like.axes, k, torch.zeros_like(k))


def _norm(self: KernelWalk, frame: Frame, node: Node, given: Given) -> Given:
    """Over channels: K and Θ over √((p + ε)(q + ε)); weights of one and biases of zero only."""
    x = given[0]
    if x.k is None or x.theta is None:
        return [KernelField()]
    axes = node.attr("axes") or (len(x.axes) - 1,)
    if [x.axes[at] for at in axes] != [(CHANNEL,)]:
        return self.not_known(frame, node, "it normalizes over positions too")
    if node.op == "layer_norm" and not x.normal:
        return self.not_known(frame, node, "the mean of what is not normal is not followed")
    for at, each in enumerate(given[1:]):
        if each.path and self.variance(frame, each, 1) not in ((1.0,) if at == 0 else (0.0,)):
            return self.not_known(frame, node, f"`{each.path}` does not start as a norm's")
    p, q = diagonals(x.k)
    eps = float(node.attr("eps") or 0)
    scale = ((p + eps) * (q + eps)).sqrt()
    return [x.with_kernels(x.k / scale, x.theta / scale, x.normal)]


def _mean(self: KernelWalk, frame: Frame, node: Node, given: Given) -> Given:
    """Over positions: the mean over all pairs."""
    x = given[0]
    if x.k is None or x.theta is None:
        return [KernelField()]
    axes = _reduced(node, len(x.axes))
    if axes is None or any(CHANNEL in x.axes[at] for at in axes):
        return self.not_known(frame, node, "only means over whole axes of positions have a rule")
    gone = sorted({label for at in axes for label in x.axes[at]}, reverse=True)
    k, theta = x.k, x.theta
    for place in gone:
        k, theta = averaged(k, place, pairs=True), averaged(theta, place, pairs=True)
    keeps = bool(node.attr("keep")) or node.op == "adaptive_avg_pool"
    left = _without(x.axes, gone)
    labels = tuple(each for at, each in enumerate(left) if keeps or at not in axes)
    return [KernelField(labels, k, theta, x.normal, x.made)]


def _reduced(node: Node, rank: int) -> list[int] | None:
    """The axes that a mean is over."""
    if node.op == "adaptive_avg_pool":
        out = node.outputs[0].type.axes
        return list(range(2, rank)) if all(axis.size == size(1) for axis in out[2:]) else None
    if node.op == "mean":
        axes = node.attr("axes")
        return [axes] if isinstance(axes, int) else list(axes)
    recipe = node.attr("recipe")
    if node.attr("op") != "mean" or recipe is None or any(group.joined for group in recipe.inputs[0]):
        return None
    kept = [group.parts for group in recipe.outputs[0]]
    gone = [at for at, group in enumerate(recipe.inputs[0]) if group.parts not in kept]
    return gone if len(gone) + len(kept) == rank else None


def _rearranged(self: KernelWalk, frame: Frame, node: Node, given: Given) -> Given:
    """Axes in another order, or merged."""
    (x, *_), recipe = given, node.attr("recipe")
    if x.value is not None:
        return [KernelField()] if len(given) > 1 else _merged_value(self, frame, node, x)
    if x.k is None:
        return [KernelField()]
    groups = recipe.inputs[0]
    if len(given) > 1 or any(group.joined or len(group.atoms) > 1 for group in (*groups,)):
        return self.not_known(frame, node, "axes are taken apart")
    labels = {group.atoms[0].name: x.axes[at] for at, group in enumerate(groups) if group.atoms}
    out = tuple(
        tuple(label for atom in group.atoms for label in labels.get(atom.name, ())) for group in recipe.outputs[0]
    )
    return [replace(x, axes=out)]


def _merged_value(self: KernelWalk, frame: Frame, node: Node, x: KernelField) -> Given:
    """Of an input: as it is done."""
    assert x.value is not None
    recipe, value = node.attr("recipe"), x.value
    sides = recipe.inputs[0]
    if any(group.joined or len(group.atoms) != 1 for group in sides):
        return self.not_known(frame, node, "axes of an input are taken apart")
    names = [group.atoms[0].name for group in sides]
    order = [names.index(atom.name) for group in recipe.outputs[0] for atom in group.atoms]
    sizes = [value.shape[at] for at in order]
    shape, start = [], 0
    for group in recipe.outputs[0]:
        shape.append(int(torch.tensor(sizes[start : start + len(group.atoms)]).prod()) if group.atoms else 1)
        start += len(group.atoms)
    return [KernelField(value=value.permute(order).reshape(shape))]


def _same(self: KernelWalk, frame: Frame, node: Node, given: Given) -> Given:
    return [given[0]]


RULES: Mapping[str, Rule] = {
    **dict.fromkeys(NAMES, _pointwise),
    **dict.fromkeys(("layer_norm", "rms_norm"), _norm),
    **dict.fromkeys(("mean", "reduce", "adaptive_avg_pool"), _mean),
    "linear": _dense,
    "conv": _conv,
    "rearrange": _rearranged,
    "dropout": _same,
}

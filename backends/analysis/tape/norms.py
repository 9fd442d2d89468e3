"""Norms and statistics as steps: differences from a mean, squares, roots, products."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from math import inf, prod, sqrt
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from ogive.backends.analysis.tape.curve_table import curve_of
from ogive.backends.analysis.tape.functions import number_at
from ogive.backends.analysis.tape.products import multiplied
from ogive.backends.analysis.tape.steps import AffineStep, CurveStep, over
from ogive.backends.analysis.tape.unroll import Meaning, OnTape, Unroller, UnrollFrame, filled
from ogive.compiler.ir.model import Node

Args = Sequence[Meaning]


class StepBuilder:
    """Writes steps of one node as if they were operations."""

    def __init__(self, machine: Unroller, frame: UnrollFrame, node: Node) -> None:
        self.machine, self.frame, self.node = machine, frame, node

    def sums(self, x: OnTape, run: Any, terms: int) -> OnTape:
        """A step with no coefficient below 0."""
        return self.machine.affine(self.frame, self.node, [x], run, terms)

    def curve(self, op: str, x: OnTape, value: Any = None, **settings: Any) -> OnTape:
        """A function of one number."""
        found = curve_of(op, settings, value or getattr(torch, op), self.frame.sizes)
        assert found is not None, op
        return self.machine.add(CurveStep(x.shape, found, (x.step,), self.machine.origin(self.frame, self.node)))

    def square(self, x: OnTape) -> OnTape:
        return self.curve("pow", x, torch.square, power=2.0)

    def times(self, a: Meaning, b: Meaning) -> OnTape:
        return multiplied(self.machine, self.frame, self.node, a, b)

    def centred(self, x: OnTape, axes: tuple[int, ...]) -> OnTape:
        """X less its mean."""
        many = prod(x.shape[axis] for axis in axes)

        def run(x: Tensor) -> Tensor:
            return x - x.mean(axes, keepdim=True)

        def magnitude(r: Tensor) -> Tensor:  # |1 - 1/n| of its own, 1/n of each other
            return r * (1 - 2 / many) + r.mean(axes, keepdim=True) if many > 1 else 0 * r

        return self.machine.affine(self.frame, self.node, [x], run, many + 1, magnitude)

    def limited(self, x: OnTape, low: float, high: float) -> OnTape:
        """The same, of which it is known where it lies."""
        origin = self.machine.origin(self.frame, self.node)
        step = AffineStep(x.shape, torch.clone, (x.step,), (x.shape,), origin, 0, within=(low, high))
        return self.machine.add(step)

    def add(self, a: Meaning, b: Meaning) -> Meaning:
        """The sum, where b broadcasts to a."""
        if isinstance(a, Tensor) and isinstance(b, Tensor):
            return a + b
        free = [torch.zeros_like(each) if isinstance(each, Tensor) else each for each in (a, b)]
        return self.machine.affine(self.frame, self.node, [a, b], filled(torch.add, [a, b]), 1, filled(torch.add, free))


def _normalized(build: StepBuilder, x: OnTape, axes: tuple[int, ...], eps: float, centre: bool) -> OnTape:
    """X / √(mean x² + eps), after its mean is taken off where asked."""
    many = prod(x.shape[axis] for axis in axes)
    x = build.centred(x, axes) if centre else x
    power = build.sums(build.square(x), lambda y: y.mean(axes, keepdim=True), many)
    scale = build.curve("rsqrt", power, partial(_rsqrt, eps=eps), shift=eps)
    most = sqrt(max(many - 1, 0) if centre else many)
    return build.limited(build.times(x, scale), -most, most)


def _rsqrt(x: Tensor, eps: float) -> Tensor:
    return torch.rsqrt(x + eps)


def _over_axes(machine: Unroller, frame: UnrollFrame, node: Node, args: Args) -> Sequence[Meaning]:
    """`layer_norm` and `rms_norm`."""
    x, *affine = args
    assert x is not None
    build, axes = StepBuilder(machine, frame, node), tuple(node.attr("axes"))
    eps, centre = float(number_at(node.attr("eps"), frame.sizes)), node.op == "layer_norm"
    found: Meaning
    if isinstance(x, OnTape):
        found = _normalized(build, x, axes, eps, centre)
    else:  # weight or bias depends on the box
        x = x - x.mean(axes, keepdim=True) if centre else x
        found = x * torch.rsqrt(x.square().mean(axes, keepdim=True) + eps)
    spread = [n if at in axes else 1 for at, n in enumerate(x.shape)]
    order = sorted(range(len(axes)), key=lambda at: axes[at])
    return [_affine(machine, frame, node, build, found, affine, lambda w: w.permute(order).reshape(spread))]


def _group_norm(machine: Unroller, frame: UnrollFrame, node: Node, args: Args) -> Sequence[Meaning]:
    x, *affine = args
    if not isinstance(x, OnTape):
        return machine.not_known(frame, node, "weight or bias depends on the box")
    build, groups = StepBuilder(machine, frame, node), int(number_at(node.attr("groups"), frame.sizes))
    shape = x.shape
    apart = build.sums(x, lambda y: y.reshape(shape[0], groups, -1), 0)
    found = _normalized(build, apart, (2,), float(number_at(node.attr("eps"), frame.sizes)), True)
    whole = build.sums(found, lambda y: y.reshape(shape), 0)
    return [_affine(machine, frame, node, build, whole, affine, lambda w: w.reshape(-1, *(1 for _ in shape[2:])))]


def _affine(
    machine: Unroller, frame: UnrollFrame, node: Node, build: StepBuilder, x: Meaning, affine: Args, spread: Any
) -> Meaning:
    """X weight + bias, of those that are given."""
    placed: list[Meaning] = []
    for each in affine:
        if isinstance(each, OnTape):
            placed.append(build.sums(each, spread, 0))
        else:
            placed.append(None if each is None else spread(each))
    weight, bias = (*placed, None, None)[:2]
    made: Meaning = x
    if weight is not None:
        both = isinstance(x, Tensor) and isinstance(weight, Tensor)
        made = torch.mul(x, weight) if both else build.times(x, weight)  # type: ignore[arg-type]
    return made if bias is None else build.add(made, bias)


def _variance(machine: Unroller, frame: UnrollFrame, node: Node, args: Args) -> Sequence[Meaning]:
    """`var` and `std`."""
    (x,) = args
    assert isinstance(x, OnTape)
    build = StepBuilder(machine, frame, node)
    axes = tuple(node.attr("axes") if node.attr("axes") is not None else range(len(x.shape)))
    many, keep = prod(x.shape[axis] for axis in axes), bool(node.attr("keepdim"))
    less = many - 1 if node.attr("unbiased") else many
    if less == 0:
        return machine.not_known(frame, node, "the variance of one number")
    squares = build.square(build.centred(x, axes))
    found = build.sums(squares, lambda y: y.sum(axes, keepdim=keep) / less, many + 1)
    return [build.curve("sqrt", found) if node.op == "std" else found]


def _norm(machine: Unroller, frame: UnrollFrame, node: Node, args: Args) -> Sequence[Meaning]:
    """The length of rows."""
    (x,) = args
    assert isinstance(x, OnTape)
    build, keep = StepBuilder(machine, frame, node), bool(node.attr("keepdim"))
    axes, p = tuple(node.attr("axes")), float(number_at(node.attr("p"), frame.sizes))
    many = prod(x.shape[axis] for axis in axes)
    if p == 1:
        return [build.sums(build.curve("abs", x), lambda y: y.sum(axes, keepdim=keep), many)]
    if p == 2:
        return [build.curve("sqrt", build.sums(build.square(x), lambda y: y.sum(axes, keepdim=keep), many))]
    if p == inf:
        sizes = build.curve("abs", x)

        def run(y: Tensor) -> Tensor:
            return y.amax(axes, keepdim=keep)

        return [machine.ranged(frame, node, [sizes], run, lambda ends: (over(run, ends[0][0]), over(run, ends[0][1])),
                               chosen=True)]  # fmt: skip
    return machine.not_known(frame, node, f"the norm of order {p:g}")


NORMS: Mapping[str, Any] = MappingProxyType(
    {
        **dict.fromkeys(("layer_norm", "rms_norm"), _over_axes),
        "group_norm": _group_norm,
        **dict.fromkeys(("var", "std"), _variance),
        "norm": _norm,
    }
)

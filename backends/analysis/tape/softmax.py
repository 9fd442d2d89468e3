"""Softmax and what is made of it: softmax_i = 1 / Σ_j e^(x_j - x_i), which is exact for boxes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod, sqrt
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from ogive.backends.analysis.tape.functions import number_at
from ogive.backends.analysis.tape.norms import StepBuilder
from ogive.backends.analysis.tape.products import bilinear
from ogive.backends.analysis.tape.steps import Ends, over
from ogive.backends.analysis.tape.unroll import FAR, Meaning, OnTape, Unroller, UnrollFrame, filled
from ogive.compiler.ir.model import Node

Args = Sequence[Meaning]
CAP = 300.0  # e^x stays there: what is e^-300 is 0 beside a rounding
LARGE = 1 << 21  # differences that are noted one by one


def _capped(x: Tensor) -> Tensor:
    return x.clamp(max=CAP).exp()


def softmax_of(build: StepBuilder, x: OnTape, axis: int) -> OnTape:
    """Steps of softmax over an axis."""
    axis %= max(len(x.shape), 1)
    many = x.shape[axis]
    if prod(x.shape) * many > LARGE:
        return _ranged(build, x, axis)

    def gaps(x: Tensor) -> Tensor:  # [..., i, j]
        x = x.movedim(axis, -1)
        return x[..., None, :] - x[..., :, None]

    def magnitude(r: Tensor) -> Tensor:
        r = r.movedim(axis, -1)
        found = r[..., None, :] + r[..., :, None]
        return found * (1 - torch.eye(many, dtype=r.dtype))

    gap = build.machine.affine(build.frame, build.node, [x], gaps, 1, magnitude)
    total = build.sums(build.curve("capped_exp", gap, _capped), lambda y: y.sum(-1), many)
    whole = build.limited(total, 1.0, torch.inf)
    found = build.limited(build.curve("reciprocal", whole), 0.0, 1.0)
    return build.sums(found, lambda y: y.movedim(-1, axis), 0)


def _ranged(build: StepBuilder, x: OnTape, axis: int) -> OnTape:
    """Ends alone: of many entries."""

    def run(x: Tensor) -> Tensor:
        return x.softmax(axis)

    def ends(given: Sequence[Ends]) -> Ends:
        ((low, high),) = given
        found = []
        for own, other in ((low, high), (high, low)):
            top = torch.maximum(own, other).amax(axis + 1, keepdim=True)
            mine, theirs = (own - top).exp(), (other - top).exp()
            rest = (theirs.sum(axis + 1, keepdim=True) - theirs).clamp(min=0)
            found.append((mine / (mine + rest)).nan_to_num(nan=0.0 if own is low else 1.0))
        return found[0] * (1 - 1e-12), (found[1] * (1 + 1e-12)).clamp(max=1)

    return build.machine.ranged(build.frame, build.node, [x], run, ends, rounds=True)


def _softmax(machine: Unroller, frame: UnrollFrame, node: Node, args: Args) -> Sequence[Meaning]:
    (x,) = args
    assert isinstance(x, OnTape)
    return [softmax_of(StepBuilder(machine, frame, node), x, node.attr("axis"))]


def _logsumexp(build: StepBuilder, x: OnTape, axes: tuple[int, ...], keep: bool) -> OnTape:
    """It rises with all that it sums."""

    def run(x: Tensor) -> Tensor:
        return x.logsumexp(axes, keepdim=keep)

    def ends(given: Sequence[Ends]) -> Ends:
        return over(run, given[0][0]), over(run, given[0][1])

    return build.machine.ranged(build.frame, build.node, [x], run, ends, rounds=True)


def _log_sum(machine: Unroller, frame: UnrollFrame, node: Node, args: Args) -> Sequence[Meaning]:
    (x,) = args
    assert isinstance(x, OnTape)
    axes = tuple(node.attr("axes"))
    return [_logsumexp(StepBuilder(machine, frame, node), x, axes, bool(node.attr("keepdim")))]


def _log_softmax(machine: Unroller, frame: UnrollFrame, node: Node, args: Args) -> Sequence[Meaning]:
    """-ln Σ_j e^(x_j - x_i)."""
    (x,) = args
    assert isinstance(x, OnTape)
    axis, many = node.attr("axis"), x.shape[node.attr("axis")]
    if prod(x.shape) * many > LARGE:
        return machine.not_known(frame, node, "too many entries to note their differences")
    build = StepBuilder(machine, frame, node)

    def gaps(x: Tensor) -> Tensor:
        x = x.movedim(axis, -1)
        return x[..., None, :] - x[..., :, None]

    def magnitude(r: Tensor) -> Tensor:
        r = r.movedim(axis, -1)
        return (r[..., None, :] + r[..., :, None]) * (1 - torch.eye(many, dtype=r.dtype))

    gap = machine.affine(frame, node, [x], gaps, 1, magnitude)
    total = _logsumexp(build, gap, (len(gap.shape) - 1,), False)

    def back(y: Tensor) -> Tensor:
        return -y.movedim(-1, axis)

    return [machine.affine(frame, node, [total], back, 0, lambda r: r.movedim(-1, axis))]


def _attention(machine: Unroller, frame: UnrollFrame, node: Node, args: Args) -> Sequence[Meaning]:
    """softmax(scale q kᵀ + mask) v. A query that sees no key is not looked for: it would give 0."""
    q, k, v, mask = (*args, None)[:4]
    assert q is not None
    assert k is not None
    assert v is not None
    if isinstance(mask, OnTape):
        return machine.not_known(frame, node, "a mask that depends on the box")
    build = StepBuilder(machine, frame, node)
    given = node.attr("scale")
    scale = 1 / sqrt(q.shape[-1]) if given is None else float(number_at(given, frame.sizes))

    def scores(q: Tensor, k: Tensor) -> Tensor:
        return q @ k.transpose(-1, -2) * scale

    weights: Meaning = _product(machine, frame, node, q, k, scores, q.shape[-1] + 1)
    hidden = _hidden(node, q.shape[-2], k.shape[-2], mask)
    if isinstance(weights, OnTape):
        weights = machine.affine(
            frame, node, [weights], lambda x: torch.where(hidden, -FAR, x + _added(mask)), 1,
            lambda r: torch.where(hidden, 0.0, r) + torch.zeros_like(hidden).double(),
        )  # fmt: skip
        weights = softmax_of(build, weights, len(weights.shape) - 1)
    else:
        assert weights is not None
        weights = torch.where(hidden, -torch.inf, weights + _added(mask)).softmax(-1).nan_to_num()
    if bool(hidden.all(-1).any()):
        return machine.not_known(frame, node, "a query that sees no key")
    return [_product(machine, frame, node, weights, v, torch.matmul, k.shape[-2])]


def _added(mask: Tensor | None) -> Tensor:
    """What a mask adds to the scores, where it is one of numbers."""
    if mask is None or mask.dtype == torch.bool:
        return torch.zeros((), dtype=torch.float64)
    return mask.clamp(min=-FAR)


def _hidden(node: Node, queries: int, keys: int, mask: Tensor | None) -> Tensor:
    """Where a query may not look."""
    hidden = torch.zeros(queries, keys, dtype=torch.bool)
    if node.attr("causal"):
        hidden = torch.arange(keys) > torch.arange(queries)[:, None] + (keys - queries)
    return hidden | ~mask if mask is not None and mask.dtype == torch.bool else hidden


def _product(
    machine: Unroller, frame: UnrollFrame, node: Node, a: Meaning, b: Meaning, run: Any, terms: int
) -> Meaning:
    """A matrix product of which either, both or none depend on the box."""
    if isinstance(a, OnTape) and isinstance(b, OnTape):
        return bilinear(machine, frame, node, a, b, run, terms)
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return run(a, b)  # type: ignore[no-any-return]
    sizes = [each.abs() if isinstance(each, Tensor) else each for each in (a, b)]
    return machine.affine(frame, node, (a, b), filled(run, (a, b)), terms + 1, filled(run, sizes))


SOFTMAX: Mapping[str, Any] = MappingProxyType(
    {"softmax": _softmax, "log_softmax": _log_softmax, "logsumexp": _log_sum, "attention": _attention}
)

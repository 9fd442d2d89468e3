"""Operations of which the norm of the derivative is known as a whole, better than of their parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import prod, sqrt
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from ogive.backends.analysis.tape.functions import number_at
from ogive.backends.analysis.tape.rules import TAPE_RULES
from ogive.backends.analysis.tape.steps import Ends, RangeStep, over
from ogive.backends.analysis.tape.unroll import Meaning, OnTape, Unroller, UnrollFrame
from ogive.compiler.ir.model import Node

Args = Sequence[Meaning]


def _whole(
    machine: Unroller, frame: UnrollFrame, node: Node, args: Args, norm: float, ends: Callable[[Sequence[Ends]], Ends]
) -> list[Meaning]:
    """One step with a norm."""
    made = machine.ranged(frame, node, args, machine.partial(frame, node, args), ends, rounds=True)
    step = machine.tape.steps[made.step]
    assert isinstance(step, RangeStep)
    machine.tape.steps[made.step] = replace(step, lipschitz=norm)
    return [made]


def _softmax(machine: Unroller, frame: UnrollFrame, node: Node, args: Args) -> Sequence[Meaning]:
    """Its Jacobian diag(p) - p pᵀ has no eigenvalue above 1/2."""

    def ends(given: Sequence[Ends]) -> Ends:
        return torch.zeros_like(given[0][0]), torch.ones_like(given[0][0])

    return _whole(machine, frame, node, args, 0.5, ends)


def _log_sum(machine: Unroller, frame: UnrollFrame, node: Node, args: Args) -> Sequence[Meaning]:
    """Its gradient is a softmax, no longer than 1."""
    run = machine.partial(frame, node, args)

    def ends(given: Sequence[Ends]) -> Ends:
        return over(run, given[0][0]), over(run, given[0][1])

    return _whole(machine, frame, node, args, 1.0, ends)


def _norm(machine: Unroller, frame: UnrollFrame, node: Node, args: Args) -> Sequence[Meaning]:
    """X / √(mean x² + eps) moves at most by 1 / √eps; after it the largest weight."""
    x, *affine = args
    if not isinstance(x, OnTape) or any(isinstance(each, OnTape) for each in affine):
        return TAPE_RULES[node.op](machine, frame, node, args)
    eps = float(number_at(node.attr("eps"), frame.sizes))
    weight = next((each for each in affine if isinstance(each, Tensor)), torch.ones(1, dtype=torch.float64))
    axes = node.attr("axes")
    groups = node.attr("groups")
    many = prod(x.shape[axis] for axis in axes) if axes else prod(x.shape[1:]) // int(number_at(groups, frame.sizes))
    most = float(weight.abs().max()) * sqrt(many)
    shift = max((float(each.abs().max()) for each in affine[1:] if isinstance(each, Tensor)), default=0.0)

    def ends(given: Sequence[Ends]) -> Ends:
        top = torch.full_like(given[0][0], most + shift)
        return -top, top

    if eps <= 0:
        return TAPE_RULES[node.op](machine, frame, node, args)
    return _whole(machine, frame, node, args, float(weight.abs().max()) / sqrt(eps), ends)


LIPSCHITZ_RULES: Mapping[str, Any] = MappingProxyType(
    {
        **TAPE_RULES,
        "softmax": _softmax,
        "logsumexp": _log_sum,
        **dict.fromkeys(("layer_norm", "rms_norm", "group_norm"), _norm),
    }
)

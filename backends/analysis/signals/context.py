"""What the rules of signals see of the walk: draws, options, sizes as numbers, notes of layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from torch import Tensor

from ogive.backends.analysis.signals.field import Draws, Field, LayerSignal
from ogive.compiler.analysis.frame.interpreter import DomainFrame
from ogive.compiler.ir.model import Node
from ogive.compiler.sizes import Size, Unknown


@dataclass(slots=True)
class SignalFrame(DomainFrame[Field]):
    """A graph, and what the sizes of its definition are."""

    sizes: Mapping[Unknown, Size] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SignalOptions:
    """What is asked: C_W and C_b in place of those of the initializers, the variance of inputs, numbers of weights."""

    c_w: float | None = None
    c_b: float | None = None
    variance: float = 1.0
    seed: int = 0
    given: Mapping[str, Tensor] | None = None


class SignalWalk(Protocol):
    """The interpreter, as its rules see it."""

    options: SignalOptions
    draws: Draws
    layers: list[LayerSignal]

    def number(self, frame: SignalFrame, value: Size | int) -> int | None:
        """A size as a number, where it is one."""

    def assume(self, node: Node, text: str) -> None:
        """Note what is taken to be so, which no rule tells."""

    def not_known(self, frame: SignalFrame, node: Node, reason: str) -> Sequence[Field]:
        """Note that nothing is known of a node's results."""

"""The walk of kernels: a model in use, on given inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import torch

from ogive.backends.analysis.kernels.field import KernelField
from ogive.backends.analysis.kernels.rules import RULES
from ogive.compiler.analysis.frame.interpreter import AbstractInterpreter, DomainFrame
from ogive.compiler.analysis.initial.moments import entry_moments
from ogive.compiler.ir.attributes import LoopAttrs, VectorizedAttrs, WeightAttrs
from ogive.compiler.ir.model import CallAttrs, Const, Graph, Model, Node, Operand, Value
from ogive.compiler.ir.scalars import value_of
from ogive.compiler.ir.substitute import with_numbers
from ogive.compiler.ir.weights import WeightInfo, weights
from ogive.compiler.sizes import Unknown, size

Frame = DomainFrame[KernelField]
MOST_TURNS = 1000


class KernelInterpreter(AbstractInterpreter[Frame, KernelField]):
    """`c_w` and `c_b` stand in place of what the initializers say."""

    __slots__ = ("_rules", "c_b", "c_w", "infos", "sizes", "turns")

    def __init__(self, model: Model, sizes: Mapping[Unknown, int], c_w: float | None, c_b: float | None) -> None:
        super().__init__()
        self.c_w, self.c_b, self.sizes = c_w, c_b, dict(sizes)
        self.infos: dict[str, WeightInfo] = {info.path: info for info in weights(model)}
        self.turns: list[int] = []
        self._rules = {name: partial(rule, self) for name, rule in RULES.items()}

    @property
    def rules(self) -> Mapping[str, Callable[[Frame, Node, Sequence[KernelField]], Sequence[KernelField]]]:
        return self._rules

    def variance(self, frame: Frame, field: KernelField, terms: int) -> float | None:
        """Terms times the variance of an entry; for a norm's weight and bias, its value."""
        info = self.infos[_plain(field.path)]
        moments = entry_moments(info.init, info.shape)
        if len(info.shape) > 1:
            if self.c_w is not None:
                return self.c_w
            return None if moments is None or moments[0] != 0 else terms * moments[1]
        if moments is None:
            return None
        if info.init.name in ("ones", "zeros", "constant"):
            return moments[0] ** 2 if self.c_b is None or moments[0] else self.c_b
        return moments[1] if self.c_b is None else self.c_b

    def literal(self, frame: Frame, operand: Operand) -> KernelField:
        found = value_of(operand.value) if isinstance(operand, Const) else None
        return KernelField() if found is None else KernelField(value=torch.tensor(float(found), dtype=torch.float64))

    def opaque(self, frame: Frame, value: Value) -> KernelField:
        return KernelField()

    def operation(self, frame: Frame, node: Node) -> Sequence[KernelField]:
        """What only unknown values go into is unknown without a row of its own."""
        node = with_numbers(node)  # the model is at numbers
        given = self.inputs(frame, node)
        signals = [each for each in given if not each.path]
        if node.inputs and signals and all(each.k is None and each.value is None for each in signals):
            return [KernelField() for _ in node.outputs]
        before = len(self.unknown)
        found = super().operation(frame, node)
        lost = any(each.k is None and each.value is None and not each.path for each in found)
        if lost and len(self.unknown) == before:
            return self.not_known(frame, node, "these operands have no rule")
        return found

    def region(self, frame: Frame, region: Graph, args: Sequence[KernelField]) -> tuple[KernelField, ...]:
        return super().region(DomainFrame(region, frame.path, frame.known), region, args)

    def visit_weight(self, frame: Frame, node: Node, told: WeightAttrs) -> Sequence[KernelField]:
        path = node.path
        for turn in self.turns[len(self.turns) - path.count("*") :] if self.turns else ():
            path = path.replace("*", f"<{turn}>", 1)
        if told.stacked or node.path not in self.infos:
            return self.not_known(frame, node, "weights of all iterations, or of all indices, at once")
        return [KernelField(path=path)]

    def visit_call(self, frame: Frame, node: Node, told: CallAttrs) -> Sequence[KernelField]:
        return self.not_known(frame, node, "a block that stays whole: vectorized, or the user's own")

    def visit_vectorized(self, frame: Frame, node: Node, told: VectorizedAttrs) -> Sequence[KernelField]:
        return self.not_known(frame, node, "a block at every index of an axis")

    def visit_loop(self, frame: Frame, node: Node, told: LoopAttrs) -> Sequence[KernelField]:
        count = size(told.count).subs({unknown: size(number) for unknown, number in self.sizes.items()})
        if not count.is_number or count.number > MOST_TURNS or told.carried < len(node.outputs):
            return self.not_known(frame, node, "a loop of which it yields each iteration, or an open number of them")
        given = self.inputs(frame, node)
        for turn in range(count.number):
            if told.path:
                self.turns.append(turn)
            found = self.region(frame, node.regions[0], given)
            if told.path:
                self.turns.pop()
            given = [found[at] if told.carries(at) else each for at, each in enumerate(given)]
        return given[: len(node.outputs)]


def _plain(path: str) -> str:
    """A path with `*` for iterations."""
    return ".".join("*" if part.startswith("<") else part for part in path.split("."))

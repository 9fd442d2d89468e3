"""The walk of signals: a model in training at its start, its loops run one iteration after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import torch
from torch import Tensor

from ogive.backends.analysis.signals.context import SignalFrame, SignalOptions
from ogive.backends.analysis.signals.field import UNKNOWN, DrawnWeight, Draws, Field, LayerSignal
from ogive.backends.analysis.signals.rules import RULES
from ogive.backends.analysis.signals.starts import drawn_weight
from ogive.compiler.analysis.frame.interpreter import AbstractInterpreter
from ogive.compiler.ir.attributes import CustomGradAttrs, LoopAttrs, VectorizedAttrs, WeightAttrs
from ogive.compiler.ir.model import CallAttrs, Const, Graph, Init, Model, Node, Operand, Value
from ogive.compiler.ir.scalars import value_of
from ogive.compiler.ir.substitute import in_sizes, open_settings, with_numbers
from ogive.compiler.ir.types import FLOATS
from ogive.compiler.ir.weights import WeightInfo, weights
from ogive.compiler.sizes import Size, size

MOST_TURNS = 1000


class SignalInterpreter(AbstractInterpreter[SignalFrame, Field]):
    """Rules see the interpreter: they draw, and note layers."""

    __slots__ = ("_rules", "assumed", "draws", "infos", "layers", "leaves", "options", "turns")

    def __init__(self, model: Model, options: SignalOptions) -> None:
        super().__init__(training=True)
        self.options, self.draws = options, Draws(options.seed)
        self.infos: dict[str, WeightInfo] = {info.path: info for info in weights(model)}
        self.layers: list[LayerSignal] = []
        self.leaves: dict[str, Field] = {}  # of weights, by path: what is tied is one
        self.turns: list[int] = []  # of the loops around, those that have paths
        self.assumed: dict[tuple[str, str], None] = {}
        self._rules = {name: partial(rule, self) for name, rule in RULES.items()}

    @property
    def rules(self) -> Mapping[str, Callable[[SignalFrame, Node, Sequence[Field]], Sequence[Field]]]:
        return self._rules

    def number(self, frame: SignalFrame, value: Size | int) -> int | None:
        """A size as a number, where it is one."""
        found = size(value).subs(frame.sizes)
        return found.number if found.is_number else None

    def literal(self, frame: SignalFrame, operand: Operand) -> Field:
        if not isinstance(operand, Const):
            return UNKNOWN
        if isinstance(operand.value, bool):
            return UNKNOWN
        found = value_of(in_sizes(operand.value, frame.sizes))
        return UNKNOWN if found is None else Field(torch.tensor(float(found), dtype=torch.float64))

    def opaque(self, frame: SignalFrame, value: Value) -> Field:
        return UNKNOWN

    def bind(self, frame: SignalFrame, value: Value, meaning: Field) -> None:
        frame.known[value.name] = meaning

    def entering(self, value: Value) -> Field:
        """An input of the model: floats are normal, of the variance that is asked."""
        if value.type.elem not in FLOATS:
            return UNKNOWN
        drawn = self.draws.normal() * self.options.variance**0.5
        return Field(drawn.requires_grad_(), normal=self.options.variance)

    def assume(self, node: Node, text: str) -> None:
        """Note what is taken to be so, which no rule tells."""
        self.assumed[node.op, text] = None

    def path(self, path: str) -> str:
        """A path with the iterations that run: each `*` is a number."""
        stars = path.count("*")
        for turn in self.turns[len(self.turns) - stars :] if stars <= len(self.turns) else ():
            path = path.replace("*", str(turn), 1)
        return path

    def visit_weight(self, frame: SignalFrame, node: Node, told: WeightAttrs) -> Sequence[Field]:
        plain = f"{frame.path}.{node.path}" if frame.path else node.path
        path = self.path(plain)
        if path not in self.leaves:
            self.leaves[path] = self.stored(frame, plain, path, len(node.outputs[0].type.axes))
        found = self.leaves[path]
        if found.values is None and found.weight is None and node.outputs[0].type.elem in FLOATS:
            return self.not_known(frame, node, f"how `{plain}` starts is not told by a named initializer")
        return [found]

    def stored(self, frame: SignalFrame, plain: str, path: str, axes: int) -> Field:
        """The entries of a weight as they start, or as they are given."""
        info = self.infos.get(plain)
        if info is None or info.elem not in FLOATS:
            return UNKNOWN
        tensor = None if self.options.given is None else self.options.given.get(path)
        if tensor is not None:
            drawn: DrawnWeight | None = self.measured(path, tensor)
        else:
            attrs = tuple((key, in_sizes(value, frame.sizes)) for key, value in info.init.attrs)
            drawn = drawn_weight(
                path, Init(info.init.name, attrs, info.init.graph), info.shape[len(info.shape) - axes :]
            )
        if drawn is None:
            return UNKNOWN
        mean = 0.0 if drawn.unit else drawn.mean
        values = mean + self.draws.normal() * drawn.variance**0.5
        if drawn.variance == 0:
            values = torch.tensor(mean, dtype=torch.float64)
        centred = drawn.variance > 0 and mean == 0
        return Field(values.requires_grad_(), normal=drawn.variance if centred else None, weight=drawn)

    def measured(self, path: str, tensor: Tensor) -> DrawnWeight:
        """As the entries are that are given; those of matrices as if they were drawn around 0."""
        entries = tensor.detach().to(torch.float64)
        mean, square = float(entries.mean()), float(entries.square().mean())
        if entries.dim() > 1:
            self.assumed["weight", "entries that are given are taken as drawn around 0, apart from each other"] = None
            return DrawnWeight(path, 0.0, square)
        return DrawnWeight(path, mean, max(square - mean**2, 0.0))

    def operation(self, frame: SignalFrame, node: Node) -> Sequence[Field]:
        """At numbers for its settings."""
        node = with_numbers(node, frame.sizes)
        if open_ := open_settings(node):
            return self.not_known(frame, node, f"`{open_[0]}` depends on sizes: give them")
        return super().operation(frame, node)

    # structure

    def region(self, frame: SignalFrame, region: Graph, args: Sequence[Field]) -> tuple[Field, ...]:
        return super().region(SignalFrame(region, frame.path, frame.known, frame.sizes), region, args)

    def visit_call(self, frame: SignalFrame, node: Node, told: CallAttrs) -> Sequence[Field]:
        assert node.callee is not None, node
        if node.callee.foreign is not None or node.supplied:
            return self.not_known(frame, node, "a block of the user's, or one that is handed its weights")
        path = ".".join(part for part in (frame.path, node.path) if part)
        sizes = {unknown: value.subs(frame.sizes) for unknown, value in node.bindings}
        inner = SignalFrame(node.callee.graph, path, {}, sizes)
        return self.region(inner, node.callee.graph, self.inputs(frame, node))

    def visit_vectorized(self, frame: SignalFrame, node: Node, told: VectorizedAttrs) -> Sequence[Field]:
        """What is typical at one index is so at each."""
        return self.region(frame, node.regions[0], self.inputs(frame, node))

    def visit_custom_grad(self, frame: SignalFrame, node: Node, told: CustomGradAttrs) -> Sequence[Field]:
        self.assume(node, "its own derivative is not followed: that of what it computes is taken")
        return super().visit_custom_grad(frame, node, told)

    def visit_loop(self, frame: SignalFrame, node: Node, told: LoopAttrs) -> Sequence[Field]:
        count = self.number(frame, told.count)
        if count is None or count > MOST_TURNS:
            many = "" if count is None else f", {count}, is above {MOST_TURNS}"
            return self.not_known(frame, node, f"the number of its iterations depends on sizes: give them{many}")
        given = self.inputs(frame, node)
        found: Sequence[Field] = [given[at] if told.carries(at) else UNKNOWN for at in range(len(node.outputs))]
        for turn in range(count):
            if told.path:
                self.turns.append(turn)
            found = self.region(frame, node.regions[0], given)
            if told.path:
                self.turns.pop()
            given = [found[at] if told.carries(at) else each for at, each in enumerate(given)]
        return found

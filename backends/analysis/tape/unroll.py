"""A model at numbers becomes a tape: what does not depend on the box is computed, all else is noted as steps.

Loops run iteration by iteration, calls are inlined, `over` and `each` are vectorized before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ogive.backends.analysis.tape.functions import NumericFunction, function_of, number_at
from ogive.backends.analysis.tape.steps import AffineStep, BoxStep, Ends, RangeStep, Run, Step, StepOrigin, Tape
from ogive.compiler.analysis.frame.interpreter import NO_RULE, AbstractInterpreter, DomainFrame, UnknownOp
from ogive.compiler.ir.attributes import CustomGradAttrs, GivenAttrs, LoopAttrs, VectorizedAttrs, WeightAttrs
from ogive.compiler.ir.model import CallAttrs, Const, Graph, Model, Node, Operand, Value
from ogive.compiler.ir.types import INTS, TensorType
from ogive.compiler.ops import OPS
from ogive.compiler.passes.cleanup.flatten import Origins
from ogive.compiler.sizes import Unknown

FAR = 1e30  # what stands for an infinite constant, such as that of a mask


@dataclass(frozen=True, slots=True)
class OnTape:
    """A value that depends on the box: the step that makes it."""

    step: int
    shape: tuple[int, ...]


Meaning = Tensor | OnTape | None  # None: absent
TapeRule = Callable[["Unroller", "UnrollFrame", Node, Sequence[Meaning]], Sequence[Meaning]]


@dataclass(slots=True)
class UnrollFrame(DomainFrame[Meaning]):
    """A graph at a place of use: numbers for sizes, types of values, and the iteration of each loop around it."""

    sizes: dict[Unknown, int] = field(default_factory=dict)
    types: dict[str, TensorType] = field(default_factory=dict)
    turns: dict[str, int] = field(default_factory=dict)


class Unroller(AbstractInterpreter[UnrollFrame, Meaning]):
    """Makes a tape. `table` has a rule for each operation whose operands depend on the box."""

    __slots__ = ("_functions", "boxed", "origins", "state", "table", "tape")

    def __init__(
        self, state: Mapping[str, Tensor], boxed: str, table: Mapping[str, TapeRule], origins: Origins | None = None
    ) -> None:
        super().__init__()
        self.state, self.boxed, self.table, self.origins = state, boxed, table, origins or {}
        self.tape = Tape()
        self._functions: dict[tuple[int, tuple[int, ...]], tuple[Node, NumericFunction]] = {}

    @property
    def rules(self) -> Mapping[str, Any]:
        return self.table

    def literal(self, frame: UnrollFrame, operand: Operand) -> Meaning:
        if not isinstance(operand, Const):
            return None
        return torch.tensor(number_at(operand, frame.sizes), dtype=torch.float64)

    def bind(self, frame: UnrollFrame, value: Value, meaning: Meaning) -> None:
        frame.known[value.name], frame.types[value.name] = meaning, value.type

    # steps

    def add(self, step: Step) -> OnTape:
        """A step at the end of the tape."""
        self.tape.steps.append(step)
        return OnTape(len(self.tape.steps) - 1, step.shape)

    def origin(self, frame: UnrollFrame, node: Node) -> StepOrigin:
        """Where a node stands."""
        value = self.origins.get(node.outputs[0].name)
        calls = [call.path for call in value.calls if call.path] if value is not None else []
        path = calls[-1] if calls else next(reversed(frame.turns), "") and f"{next(reversed(frame.turns))}.*"
        return StepOrigin(self.filled(frame, path), node.op, node.span)

    def filled(self, frame: UnrollFrame, path: str, stacked: int = 0) -> str:
        """A path with the iterations of loops in it, but for those of its last `stacked` loops."""
        parts = path.split(".")
        stars = [at for at, part in enumerate(parts) if part == "*"]
        for at in stars[: len(stars) - stacked]:
            parts[at] = str(frame.turns.get(".".join(path.split(".")[:at]), "*"))
        return ".".join(parts)

    def affine(
        self, frame: UnrollFrame, node: Node, args: Sequence[Meaning], run: Run, terms: int,
        magnitude: Run | None = None,
    ) -> OnTape:  # fmt: skip
        """A step of the operands that depend on the box, in their order; constants that are infinite become large."""
        traced = [arg for arg in args if isinstance(arg, OnTape)]
        shapes = tuple(arg.shape for arg in traced)
        first = run(*(torch.zeros(shape, dtype=torch.float64) for shape in shapes))
        finite = bool(first.isfinite().all())

        def bounded(*values: Tensor) -> Tensor:
            return torch.nan_to_num(run(*values), nan=torch.nan, posinf=FAR, neginf=-FAR)

        parents = tuple(arg.step for arg in traced)
        made = run if finite else bounded
        origin = self.origin(frame, node)
        return self.add(AffineStep(tuple(first.shape), made, parents, shapes, origin, terms, magnitude))

    def ranged(
        self, frame: UnrollFrame, node: Node, args: Sequence[Meaning], run: Run,
        ends: Callable[[Sequence[Ends]], Ends], chosen: bool = False, rounds: bool = False,
    ) -> OnTape:  # fmt: skip
        """A step of which only ends are known from those of its operands; `ends` takes and gives [B, *shape]."""
        traced = [arg for arg in args if isinstance(arg, OnTape)]
        shapes = tuple(arg.shape for arg in traced)
        shape = tuple(run(*(torch.zeros(shape, dtype=torch.float64) for shape in shapes)).shape)
        parents = tuple(arg.step for arg in traced)
        return self.add(RangeStep(shape, run, ends, parents, shapes, self.origin(frame, node), chosen, rounds))

    def function(self, frame: UnrollFrame, node: Node) -> NumericFunction:
        """The operation as a function of its operands that are tensors; floats come out as float64."""
        key = (id(node), tuple(frame.sizes.values()))
        if key not in self._functions:
            types = [frame.types[each] if isinstance(each, str) else None for each in node.inputs]
            raw = function_of(node, types, frame.sizes)
            self._functions[key] = (node, lambda *tensors: _wide(raw(*tensors)))
        return self._functions[key][1]

    def partial(self, frame: UnrollFrame, node: Node, args: Sequence[Meaning], at: int | None = None) -> Run:
        """The operation as a function of those operands that depend on the box; one of its results, if several."""
        function, kinds = self.function(frame, node), []
        fixed: list[Tensor | None] = []
        for operand, arg in zip(node.inputs, args, strict=True):
            if isinstance(operand, str) and arg is not None:
                fixed.append(arg if isinstance(arg, Tensor) else None)
                kinds.append(frame.types[operand].elem)

        def run(*values: Tensor) -> Tensor:
            given = iter(values)
            made = function(*(_typed(next(given), kind) if each is None else each
                              for each, kind in zip(fixed, kinds, strict=True)))  # fmt: skip
            result: Tensor = made if at is None else made[at]
            return result if result.is_floating_point() else result.double()

        return run

    # operations

    def operation(self, frame: UnrollFrame, node: Node) -> Sequence[Meaning]:
        args = self.inputs(frame, node)
        if not any(isinstance(arg, OnTape) for arg in args):
            if OPS[node.op].random:
                return self.not_known(frame, node, "it draws numbers")
            made = self.function(frame, node)(
                *(arg for operand, arg in zip(node.inputs, args, strict=True)
                  if isinstance(operand, str) and arg is not None)
            )  # fmt: skip
            return list(made) if isinstance(made, tuple | list) else [made]
        if any(frame.types[each].elem == "complex" for each in node.inputs if isinstance(each, str)):
            return self.not_known(frame, node, "numbers are complex")
        rule = self.table.get(node.op)
        return self.not_known(frame, node, NO_RULE) if rule is None else rule(self, frame, node, args)

    def opaque(self, frame: UnrollFrame, value: Value) -> Meaning:
        raise AssertionError(value)

    def not_known(self, frame: UnrollFrame, node: Node, reason: str) -> Sequence[Meaning]:
        """Note that nothing is known of a node's results: they may be any numbers."""
        origin = self.origin(frame, node)
        self.unknown[UnknownOp(origin.path, node.op, reason, node.span)] = None
        args = self.inputs(frame, node)
        types = [frame.types[each] for each in node.inputs if isinstance(each, str)]
        complexes = any(type.elem == "complex" for type in (*types, *(value.type for value in node.outputs)))
        runs = node.structure is None and not OPS[node.op].random and not complexes
        many = len(node.outputs) > 1
        found: list[Meaning] = []
        for at, value in enumerate(node.outputs):
            shape = tuple(axis.size.at(frame.sizes) for axis in value.type.axes)
            traced = [arg for arg in args if isinstance(arg, OnTape)] if runs else []
            run = self.partial(frame, node, args, at if many else None) if runs and traced else _no_number(shape)
            step = RangeStep(
                shape, run, _anything(shape), tuple(arg.step for arg in traced), tuple(arg.shape for arg in traced),
                origin,
            )  # fmt: skip
            found.append(self.add(step))
        return found

    # structure

    def visit_weight(self, frame: UnrollFrame, node: Node, told: WeightAttrs) -> Sequence[Meaning]:
        return [self._stored(self.filled(frame, node.path, told.stacked))]

    def _stored(self, path: str) -> Meaning:
        if "*" in path:
            rows: list[Tensor] = []
            while (each := path.replace("*", str(len(rows)), 1)) in self.state or "*" in each:
                row = self._stored(each)
                if not isinstance(row, Tensor):
                    break
                rows.append(row)
            return torch.stack(rows) if rows else None
        if path == self.boxed and path in self.state:
            shape = tuple(self.state[path].shape)
            seen = [at for at, step in enumerate(self.tape.steps) if isinstance(step, BoxStep)]
            return OnTape(seen[0], shape) if seen else self.add(BoxStep(shape, path, StepOrigin(path, "weight")))
        return _wide(self.state[path]) if path in self.state else None

    def visit_call(self, frame: UnrollFrame, node: Node, told: CallAttrs) -> Sequence[Meaning]:
        return self.not_known(frame, node, "a block that stays whole")

    def visit_custom_grad(self, frame: UnrollFrame, node: Node, told: CustomGradAttrs) -> Sequence[Meaning]:
        given = told.forward(self.inputs(frame, node))
        return self.region(frame, node.regions[0], [*given.given, *given.captured])

    def visit_vectorized(self, frame: UnrollFrame, node: Node, told: VectorizedAttrs) -> Sequence[Meaning]:
        return self.not_known(frame, node, "a block at every index of an axis")

    def visit_given(self, frame: UnrollFrame, node: Node, told: GivenAttrs) -> Sequence[Meaning]:
        args = self.inputs(frame, node)
        return self.region(frame, node.regions[0 if args[0] is not None else 1], args)

    def visit_loop(self, frame: UnrollFrame, node: Node, told: LoopAttrs) -> Sequence[Meaning]:
        parts = told.parts(self.inputs(frame, node))
        carried, count = tuple(parts.carried), told.count.at(frame.sizes)
        rows: list[list[Meaning]] = [[] for _ in told.results(node.outputs).yielded]
        around = dict(frame.turns)
        for turn in range(count - 1, -1, -1) if told.reverse else range(count):
            if node.path:
                frame.turns = {**around, node.path: turn}
            if told.index is not None:
                frame.sizes[told.index] = turn
            slices = [
                self.picked(frame, node, each, axis, turn)
                for each, axis in zip(parts.sliced, told.slice_axes, strict=True)
            ]
            results = told.results(self.region(frame, node.regions[0], [*carried, *slices, *parts.captured]))
            carried = tuple(results.carried)
            for row, value in zip(rows, results.yielded, strict=True):
                row.append(value)
        frame.turns = around
        yielded = told.results(node.outputs).yielded
        return [*carried, *(self._stacked(frame, node, told, value, row) for value, row in
                            zip(yielded, rows, strict=True))]  # fmt: skip

    def picked(self, frame: UnrollFrame, node: Node, value: Meaning, axis: int, index: int) -> Meaning:
        """One entry along an axis, which is dropped."""
        if isinstance(value, OnTape):
            return self.affine(frame, node, [value], lambda x: x.select(axis, index), 0)
        return None if value is None else value.select(axis, index)

    def _stacked(self, frame: UnrollFrame, node: Node, told: LoopAttrs, value: Value, row: list[Meaning]) -> Meaning:
        rows = row[::-1] if told.reverse else row
        if any(each is None for each in rows):
            return None
        if not rows:
            return torch.zeros([axis.size.at(frame.sizes) for axis in value.type.axes], dtype=torch.float64)
        return self.joined(frame, node, rows, lambda *all_: torch.stack(all_, told.yield_axis))

    def joined(self, frame: UnrollFrame, node: Node, args: Sequence[Meaning], run: Run) -> Meaning:
        """A function that moves entries, of operands of which some depend on the box."""
        if not any(isinstance(each, OnTape) for each in args):
            return run(*args)
        return self.affine(frame, node, args, filled(run, args), 0)


def filled(run: Run, args: Sequence[Meaning]) -> Run:
    """A function of all operands as one of those that depend on the box."""

    def partial(*values: Tensor) -> Tensor:
        given = iter(values)
        return run(*(next(given) if isinstance(arg, OnTape) else arg for arg in args))

    return partial


def unrolled(
    model: Model, inputs: Sequence[Meaning | str], state: Mapping[str, Tensor], sizes: Mapping[Unknown, int],
    boxed: str, table: Mapping[str, TapeRule], origins: Origins | None = None,
) -> tuple[Tape, tuple[UnknownOp, ...]]:  # fmt: skip
    """The tape of a flattened model at numbers, and what no rule covers. An input that is a name lies in the box."""
    machine = Unroller(state, boxed, table, origins)
    graph: Graph = model.definition.graph
    frame = UnrollFrame(graph, sizes=dict(sizes))
    for value, given in zip(graph.inputs, inputs, strict=True):
        meaning: Any = given
        if isinstance(given, str):
            shape = tuple(axis.size.at(sizes) for axis in value.type.axes)
            meaning = machine.add(BoxStep(shape, given, StepOrigin("", "input")))
        elif isinstance(given, Tensor):
            meaning = _wide(given)
        machine.bind(frame, value, meaning)
    made = machine.graph(frame, graph)
    names = [
        name or f"y{at}" if len(made) > 1 else name or "y" for at, name in enumerate(model.definition.output_names)
    ]
    for name, meaning in zip(names, made, strict=True):
        if meaning is not None:
            machine.tape.outputs.append(meaning.step if isinstance(meaning, OnTape) else _wide(meaning))
            machine.tape.names.append(name)
    return machine.tape, tuple(machine.unknown)


def _wide(made: Any) -> Any:
    """Floats as float64."""
    if isinstance(made, tuple | list):
        return tuple(map(_wide, made))
    return made.double() if made.is_floating_point() else made


def _typed(value: Tensor, elem: str) -> Tensor:
    """Numbers as the operation takes them."""
    if elem == "bool":
        return value != 0
    return value.long() if elem in INTS else value


def _anything(shape: tuple[int, ...]) -> Callable[[Sequence[Ends]], Ends]:
    def ends(given: Sequence[Ends]) -> Ends:
        count = given[0][0].shape[0] if given else 1
        top = torch.full((count, *shape), torch.inf, dtype=torch.float64)
        return -top, top

    return ends


def _no_number(shape: tuple[int, ...]) -> Run:
    return lambda *given: torch.full(shape, torch.nan, dtype=torch.float64)

"""Which values of a definition may be absent when it runs, and under which condition each of them is there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ogive.compiler.ir.attributes import (
    AssumeAttrs,
    ChoiceAttrs,
    CustomGradAttrs,
    ExternAttrs,
    GivenAttrs,
    GradAttrs,
    InitialAttrs,
    LoopAttrs,
    PhaseAttrs,
    TapAttrs,
    TappedAttrs,
    UpdateAttrs,
    VectorizedAttrs,
    WeightAttrs,
)
from ogive.compiler.ir.model import CallAttrs, Definition, Graph, Node, Operand, Value
from ogive.compiler.ir.presence import ALWAYS, NEVER, TRAINING, Presence, atom, given
from ogive.compiler.ir_tools.interpreter import Interpreter

Conditions = dict[str, Presence]


@dataclass(slots=True)
class Maybe(Interpreter[Presence, Presence]):
    """One walk over a definition, in which a value means when it is there; a frame is the condition under which a graph
    runs. `known` has what callees give, by identity.
    """

    known: dict[int, tuple[Definition, tuple[Presence, ...]]] = field(default_factory=dict)
    there: Conditions = field(default_factory=dict)  # by value, where it may be absent
    open: set[str] = field(default_factory=set)  # those that may be absent where they stand
    faults: list[tuple[Node, str]] = field(default_factory=list)  # what reads a value that may be absent

    def definition(self, definition: Definition) -> tuple[Presence, ...]:
        """The conditions of its outputs, in those of its inputs."""
        for value, optional in zip(definition.graph.inputs, definition.optional, strict=True):
            if optional:
                self.bind(ALWAYS, value, atom(given(value.name)))
        return self.graph(ALWAYS, definition.graph)

    def read(self, frame: Presence, operand: Operand) -> Presence:
        """The condition of an operand."""
        del frame
        if operand is None:
            return NEVER
        return self.there.get(operand, ALWAYS) if isinstance(operand, str) else ALWAYS

    def bind(self, frame: Presence, value: Value, meaning: Presence) -> None:
        """Note when a value is there."""
        if meaning != ALWAYS:
            self.there[value.name] = meaning
            if not frame.implies(meaning):
                self.open.add(value.name)

    def operation(self, frame: Presence, node: Node) -> Sequence[Presence]:
        """What takes its inputs, all of them, and gives its results."""
        self._present(node, node.inputs, frame)
        return (ALWAYS,) * len(node.outputs)

    def visit_weight(self, frame: Presence, node: Node, told: WeightAttrs) -> Sequence[Presence]:
        return self.operation(frame, node)

    def visit_update(self, frame: Presence, node: Node, told: UpdateAttrs) -> Sequence[Presence]:
        return self.operation(frame, node)

    def visit_assume(self, frame: Presence, node: Node, told: AssumeAttrs) -> Sequence[Presence]:
        return self.operation(frame, node)

    def visit_tap(self, frame: Presence, node: Node, told: TapAttrs) -> Sequence[Presence]:
        return self.operation(frame, node)

    def visit_extern(self, frame: Presence, node: Node, told: ExternAttrs) -> Sequence[Presence]:
        return self.operation(frame, node)

    def visit_initial(self, frame: Presence, node: Node, told: InitialAttrs) -> Sequence[Presence]:
        return self.operation(frame, node)

    def _present(self, node: Node, operands: Sequence[Operand], frame: Presence) -> None:
        for operand in operands:
            if operand in self.there and not frame.implies(self.read(frame, operand)):
                self.faults.append((node, str(operand)))

    def visit_vectorized(self, frame: Presence, node: Node, told: VectorizedAttrs) -> Sequence[Presence]:
        return self.region(frame, node.regions[0], self.inputs(frame, node))

    def visit_grad(self, frame: Presence, node: Node, told: GradAttrs) -> Sequence[Presence]:
        self._present(node, told.parts(node.inputs).given[:1], frame)
        return self.region(frame, node.regions[0], self.inputs(frame, node))

    def visit_custom_grad(self, frame: Presence, node: Node, told: CustomGradAttrs) -> Sequence[Presence]:
        self._present(node, node.inputs, frame)
        for region in node.regions:
            self.graph(frame, region)
        return (ALWAYS,) * len(node.outputs)

    def visit_choice(self, frame: Presence, node: Node, told: ChoiceAttrs) -> Sequence[Presence]:
        values = self.inputs(frame, node)
        match told:
            case PhaseAttrs():
                asked = atom(TRAINING)
            case GivenAttrs():
                asked = values[0]
            case TappedAttrs():
                asked = atom(node.op)
        arms = (asked, ~asked)
        sides = [self.region(frame & arm, region, values) for region, arm in zip(node.regions, arms, strict=True)]
        return [(asked & a) | (~asked & b) for a, b in zip(*sides, strict=True)]

    def visit_loop(self, frame: Presence, node: Node, told: LoopAttrs) -> Sequence[Presence]:
        self._present(node, told.parts(node.inputs).sliced, frame)
        values = self.inputs(frame, node)
        before = told.parts(values).carried
        found = told.results(self.region(frame, node.regions[0], values))
        for start, after, value in zip(before, found.carried, node.outputs, strict=False):
            if frame & start != frame & after:
                self.faults.append((node, value.name))
        return (*before, *found.yielded)

    def visit_call(self, frame: Presence, node: Node, told: CallAttrs) -> Sequence[Presence]:
        callee = node.callee
        assert callee is not None, node
        pairs = list(zip(callee.graph.inputs, callee.optional, node.inputs, strict=True))
        needed = [operand for _, optional, operand in pairs if not optional and operand is not None]
        self._present(node, needed, frame)
        if id(callee) not in self.known:
            self.known[id(callee)] = callee, Maybe(self.known).definition(callee)
        asked = {given(value.name): self.read(frame, operand) for value, optional, operand in pairs if optional}
        return [when.put(asked) for when in self.known[id(callee)][1]]


def maybe(definition: Definition) -> Maybe:
    """What may be absent in a definition."""
    found = Maybe()
    found.definition(definition)
    return found


def deployed_outputs(graph: Graph, absent: Sequence[str]) -> list[bool]:
    """Which outputs of a graph are there in use, where some of its inputs are absent and all others given."""
    found = Maybe()
    found.there.update(dict.fromkeys(absent, NEVER))
    deployed = ~atom(TRAINING)
    return [not deployed.excludes(when) for when in found.graph(deployed, graph)]

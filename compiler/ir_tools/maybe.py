"""Which values of a definition may be absent when it runs, and under which condition each of them is there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ogive.compiler.ir.attributes import (
    CallAttrs,
    CustomGradAttrs,
    EachAttrs,
    GivenAttrs,
    GradAttrs,
    LoopAttrs,
    OverAttrs,
    PhaseAttrs,
    RepeatAttrs,
    ScanAttrs,
    TappedAttrs,
)
from ogive.compiler.ir.model import Definition, Graph, Node, Operand
from ogive.compiler.ir.presence import ALWAYS, NEVER, TRAINING, Presence, atom, given

Conditions = dict[str, Presence]


@dataclass(slots=True)
class Maybe:
    """One walk over a definition. `known` has what its callees give, by identity."""

    known: dict[int, tuple[Definition, tuple[Presence, ...]]] = field(default_factory=dict)
    there: Conditions = field(default_factory=dict)  # by value, where it may be absent
    open: set[str] = field(default_factory=set)  # those that may be absent where they stand
    faults: list[tuple[Node, str]] = field(default_factory=list)  # what reads a value that may be absent

    def definition(self, definition: Definition) -> tuple[Presence, ...]:
        """The conditions of its outputs, in those of its inputs."""
        for value, optional in zip(definition.graph.inputs, definition.optional, strict=True):
            if optional:
                self._note(value.name, atom(given(value.name)), ALWAYS)
        return self.graph(definition.graph, ALWAYS)

    def graph(self, graph: Graph, path: Presence) -> tuple[Presence, ...]:
        """The conditions of the outputs of a graph that runs where `path` holds."""
        for node in graph.nodes:
            for value, when in zip(node.outputs, self._node(node, path), strict=True):
                self._note(value.name, when, path)
        return tuple(map(self.of, graph.outputs))

    def of(self, operand: Operand) -> Presence:
        """The condition of an operand."""
        if operand is None:
            return NEVER
        return self.there.get(operand, ALWAYS) if isinstance(operand, str) else ALWAYS

    def _note(self, name: str, when: Presence, path: Presence) -> None:
        if when != ALWAYS:
            self.there[name] = when
            if not path.implies(when):
                self.open.add(name)

    def _node(self, node: Node, path: Presence) -> Sequence[Presence]:
        match node.structure:
            case PhaseAttrs() | GivenAttrs() | TappedAttrs():
                return self._choice(node, path)
            case RepeatAttrs() | ScanAttrs() as loop:
                return self._loop(node, loop, path)
            case OverAttrs() | EachAttrs() | GradAttrs() as told:
                derived = told.parts(node.inputs).given[:1] if isinstance(told, GradAttrs) else ()
                self._present(node, derived, path)
                return self._region(node.regions[0], node.inputs, path)
            case CustomGradAttrs():
                self._present(node, node.inputs, path)
                for region in node.regions:
                    self._region(region, (), path)
                return (ALWAYS,) * len(node.outputs)
            case CallAttrs():
                return self._call(node, path)
            case _:
                self._present(node, node.inputs, path)
                return (ALWAYS,) * len(node.outputs)

    def _present(self, node: Node, operands: Sequence[Operand], path: Presence) -> None:
        for operand in operands:
            if operand in self.there and not path.implies(self.of(operand)):
                self.faults.append((node, str(operand)))

    def _region(self, region: Graph, operands: Sequence[Operand], path: Presence) -> tuple[Presence, ...]:
        for value, operand in zip(region.inputs, operands, strict=False):
            self._note(value.name, self.of(operand), path)
        return self.graph(region, path)

    def _choice(self, node: Node, path: Presence) -> list[Presence]:
        asked = self.of(node.inputs[0]) if node.op == "given" else atom(TRAINING if node.op == "phase" else node.op)
        arms = (asked, ~asked)
        sides = [self._region(r, node.inputs, path & arm) for r, arm in zip(node.regions, arms, strict=True)]
        return [(asked & a) | (~asked & b) for a, b in zip(*sides, strict=True)]

    def _loop(self, node: Node, loop: LoopAttrs, path: Presence) -> tuple[Presence, ...]:
        before = loop.parts(node.inputs)
        self._present(node, before.sliced, path)
        found = loop.results(self._region(node.regions[0], node.inputs, path))
        for operand, when, value in zip(before.carried, found.carried, node.outputs, strict=False):
            if path & self.of(operand) != path & when:
                self.faults.append((node, value.name))
        return (*map(self.of, before.carried), *found.yielded)

    def _call(self, node: Node, path: Presence) -> list[Presence]:
        callee = node.callee
        assert callee is not None, node
        pairs = list(zip(callee.graph.inputs, callee.optional, node.inputs, strict=True))
        self._present(node, [operand for _, optional, operand in pairs if not optional and operand is not None], path)
        if id(callee) not in self.known:
            self.known[id(callee)] = callee, Maybe(self.known).definition(callee)
        asked = {given(value.name): self.of(operand) for value, optional, operand in pairs if optional}
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
    return [not deployed.excludes(when) for when in found.graph(graph, deployed)]

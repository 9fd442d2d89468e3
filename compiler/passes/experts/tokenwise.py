"""Whether a block maps each token by itself, which is what lets an expert see only some of them.

Each axis of each value has a role: the numbers of the axes of tokens that are merged in it, none where it holds no
tokens. An operation that reduces, moves along, mixes or counts such an axis is not of one token alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ogive.compiler.ir.model import Const, Definition, Graph, Node, Operand, Scalar
from ogive.compiler.ir.substitute import Fresh
from ogive.compiler.ir.types import TensorType
from ogive.compiler.ir_tools.effects import Effect, own_effect
from ogive.compiler.ops import OPS
from ogive.compiler.ops.recipe import AxisGroup as Side
from ogive.compiler.passes.cleanup.flatten import InlineContext, inlined
from ogive.compiler.sizes import Size, Unknown, size

Role = tuple[int, ...]
Roles = tuple[Role, ...]
SAME = frozenset(("zeros", "ones", "full"))  # values that are the same at every token


def mixing(block: Definition, weights: Mapping[str, TensorType]) -> Node | None:
    """The first operation at which tokens may meet, if there is one."""
    x = block.graph.inputs[0]
    fresh = Fresh({x.name})
    given = {path: fresh.value(type) for path, type in weights.items()}
    handed = {value.name: value.type for value in (x, *given.values())}
    place = InlineContext("", {}, {path: value.name for path, value in given.items()}, {x.name: x.name})
    nodes, (out,) = inlined(block.graph, place, fresh, handed)
    axes = x.type.axes[:-1]
    tokens = {axis.size: at for at, axis in enumerate(axes)}
    start: Roles = (*((at,) for at in range(len(axes))), ())
    walk = _TokenWalk(tokens, frozenset(u for axis in axes for u in axis.size.unknowns), handed, {x.name: start})
    found = walk.first(nodes)
    return found or (nodes[-1] if nodes and walk.roles.get(str(out)) != start else None)


@dataclass(slots=True)
class _TokenWalk:
    """One walk over the nodes of a block."""

    tokens: Mapping[Size, int]
    unknowns: frozenset[Unknown]
    types: dict[str, TensorType]
    roles: dict[str, Roles] = field(default_factory=dict)
    inner: Node | None = None  # what was found in a region

    def first(self, nodes: Sequence[Node]) -> Node | None:
        for node in nodes:
            self.types.update((value.name, value.type) for value in node.outputs)
            found = self.region(node) if node.op == "phase" else self.op(node)
            if found is None:
                return self.inner or node
            self.roles.update(zip((value.name for value in node.outputs), found, strict=True))
        return None

    def of(self, operand: Operand) -> Roles:
        """The roles of the axes of an operand; of weights and literals, none."""
        if not isinstance(operand, str):
            return ()
        return self.roles.get(operand, ((),) * len(self.types[operand].axes))

    def carries(self, operand: Operand) -> bool:
        return any(self.of(operand))

    def region(self, node: Node) -> list[Roles] | None:
        """Both phases must agree."""
        first, second = node.regions
        made = self.inside(first, node)
        return made if made is not None and self.inside(second, node) == made else None

    def inside(self, region: Graph, node: Node) -> list[Roles] | None:
        for value, operand in zip(region.inputs, node.inputs, strict=True):
            self.types[value.name] = value.type
            self.roles[value.name] = self.of(operand)
        self.inner = self.first(region.nodes)
        return None if self.inner is not None else [self.of(out) for out in region.outputs]

    def op(self, node: Node) -> list[Roles] | None:
        """The roles of the results, or None where tokens may meet."""
        ranks = [len(value.type.axes) for value in node.outputs]
        if not any(map(self.carries, node.inputs)) and not self.counts(node):
            return [((),) * rank for rank in ranks]
        if node.op not in OPS or node.regions:
            return None
        spec = OPS[node.op]
        if spec.batching == "pattern":
            return self.pattern(node)
        if spec.batching in ("value", "draw") and not node.operands:
            made = tuple(self.length(axis.size) for axis in node.outputs[0].type.axes)
            return [made] if node.op in SAME or (own_effect(node) & Effect.DRAWS and self.whole(made)) else None
        if any(isinstance(x, Const) and self.depends(x.value) for x in node.inputs):
            return None
        found = self.shaped(node, spec.batching)
        return None if found is None or [len(roles) for roles in found] != ranks else found

    def counts(self, node: Node) -> bool:
        """Whether a result has an axis as long as there are tokens."""
        return any(not axis.size.unknowns.isdisjoint(self.unknowns) for v in node.outputs for axis in v.type.axes)

    def depends(self, value: object) -> bool:
        """Whether a number is made of how many tokens there are."""
        if isinstance(value, Scalar):
            return any(map(self.depends, value.args))
        return isinstance(value, Size) and not value.unknowns.isdisjoint(self.unknowns)

    def whole(self, roles: Roles) -> bool:
        """Whether every token has entries of its own: then each draws for itself."""
        return sorted(number for role in roles for number in role) == list(range(len(self.tokens)))

    def length(self, length: Size) -> Role:
        return (self.tokens[length],) if length in self.tokens else ()

    def shaped(self, node: Node, batching: str) -> list[Roles] | None:
        first = self.of(node.inputs[0])
        match node.op:
            case "dropout":
                return [first] if self.whole(first) else None
            case "grad_as":
                return [first]
            case "linear":
                return None if first[-1] or any(map(self.carries, node.inputs[1:])) else [first]
            case "matmul":
                plain = len(self.of(node.inputs[1])) == 2 and not self.carries(node.inputs[1])
                return [first] if plain and not first[-1] else None
            case "layer_norm" | "rms_norm":
                return None if any(first[axis] for axis in node.attr("axes")) else [first]
            case "take":
                at, index = node.attr("axis"), self.of(node.inputs[1])
                return None if first[at] else [(*first[:at], *index, *first[at + 1 :])]
            case "attention":
                alike = len({self.of(x)[:-2] for x in node.inputs[:3]}) == 1
                free = not any(role for x in node.inputs[:3] for role in self.of(x)[-2:])
                return [first] if alike and free and not any(map(self.carries, node.inputs[3:])) else None
            case "slice":
                return self.sliced(node, first)
            case "one_hot":
                return [(*first, ())]
            case "concat" | "stack":
                return self.joined(node)
        return self.aligned(node) if batching == "align" else self.along(node, first) if batching == "shift" else None

    def aligned(self, node: Node) -> list[Roles] | None:
        """Operands meet from the right; where tokens meet something, it is the same tokens, or one for all."""
        rank = len(node.outputs[0].type.axes)
        found: list[Role] = [()] * rank
        for at in range(1, rank + 1):
            meeting = set()
            for x in node.inputs:
                if isinstance(x, str) and at <= len(self.types[x].axes) and self.types[x].axes[-at].size != size(1):
                    meeting.add(self.of(x)[-at])
            if len(meeting) > 1:
                return None
            found[-at] = meeting.pop() if meeting else ()
        return [tuple(found)]

    def along(self, node: Node, first: Roles) -> list[Roles] | None:
        """What acts along the axes that attributes name: not along those of tokens."""
        axes = node.attr("axes") if node.attr("axis") is None else (node.attr("axis"),)
        others = [self.of(x) for x in node.inputs[1:] if isinstance(x, str)]
        if axes is None or any(first[axis] for axis in axes) or any(roles != first for roles in others):
            return None
        fewer = tuple(role for at, role in enumerate(first) if at not in axes)
        ranks = [len(value.type.axes) for value in node.outputs]
        return [first if rank == len(first) else fewer for rank in ranks]

    def sliced(self, node: Node, first: Roles) -> list[Roles] | None:
        pairs = list(zip(node.attr("items"), first, strict=True))
        if any(role and item != ("all",) for item, role in pairs):
            return None
        return [tuple(role for item, role in pairs if item[0] != "index")]

    def joined(self, node: Node) -> list[Roles] | None:
        parts = {self.of(x) for x in node.inputs}
        at = node.attr("axis")
        if len(parts) > 1:
            return None
        (roles,) = parts
        if node.op == "stack":
            return [(*roles[:at], (), *roles[at:])]
        return None if roles[at] else [roles]

    def pattern(self, node: Node) -> list[Roles] | None:
        """Elementary axes keep their roles; none is reduced, or merged with what holds no tokens."""
        recipe = node.attr("recipe")
        known: dict[str, Role] = {}
        for x, side in zip(node.inputs, recipe.inputs, strict=True):
            for place, role in zip(side, self.of(x), strict=True):
                atoms = _apart(place, role, self.tokens)
                if atoms is None or any(known.setdefault(name, each) != each for name, each in atoms.items()):
                    return None
        for side in recipe.outputs:
            for place in side:
                for part in place.parts:
                    for atom in part:
                        known.setdefault(atom.name, self.length(atom.size))
        held = [number for role in known.values() for number in role]
        if len(set(held)) < len(held):
            return None  # two axes run over the same tokens: each meets all
        sides = [[_merged(place, known) for place in side] for side in recipe.outputs]
        made = {number for side in sides for role in side if role is not None for number in role}
        if any(None in side for side in sides) or not made >= {n for x in node.inputs for r in self.of(x) for n in r}:
            return None
        found = [tuple(role for role in side if role is not None) for side in sides]
        if node.op == "split" and len(found) == 1:
            return None if found[0][0] else [found[0][1:]] * len(node.outputs)
        return found


def _apart(place: Side, role: Role, tokens: Mapping[Size, int]) -> dict[str, Role] | None:
    """The roles of the elementary axes of an axis."""
    if not role:
        return {atom.name: () for part in place.parts for atom in part}
    if place.joined:
        return None
    if len(place.atoms) == 1:
        return {place.atoms[0].name: role}
    found: dict[str, Role] = {}
    left = list(role)
    for atom in place.atoms:
        if atom.size == size(1):
            found[atom.name] = ()
        elif left and tokens.get(atom.size) == left[0]:
            found[atom.name] = (left.pop(0),)
        else:
            return None
    return None if left else found


def _merged(place: Side, known: Mapping[str, Role]) -> Role | None:
    """The role of an axis that is put together; None where tokens meet something else in it."""
    if place.joined:
        return None if any(known[atom.name] for part in place.parts for atom in part) else ()
    inside = [known[atom.name] for atom in place.atoms if atom.size != size(1)]
    return None if any(inside) and not all(inside) else tuple(number for role in inside for number in role)

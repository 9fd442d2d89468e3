"""Sizes of blocks that are 0 or 1 wherever the block is used: strides, groups, paddings that no use asks for.

As a number they vanish from what is written of the block (`dilation * (kernel - 1)` is `kernel - 1`), and nobody hands
them over. Any other number that is the same everywhere stays a static: a block of one width is one of any width.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from ogive.compiler.ir.model import Bindings, Definition, Graph, Init, Instance, Loop, Member, Model, Node, Weight
from ogive.compiler.ir.substitute import Fresh, Sizes, copied, in_sizes, type_in_sizes
from ogive.compiler.sizes import TRUE, size

Neutral = Mapping[str, Mapping[str, int]]  # by block, by the name of a static: its number


def neutral_statics(models: Sequence[Model], kept: Callable[[Definition], bool]) -> Neutral:
    """The statics of blocks that are 0 or 1 in all uses of all models, but for definitions that are `kept`."""
    found: dict[str, dict[str, int | None]] = {}
    for model in models:
        uses = [(model.definition, tuple((u, size(n)) for u, n in model.bindings), False), *_uses(model.definition)]
        for callee, bindings, inner in uses:
            given, known = dict(bindings), found.setdefault(callee.block, {})
            for static in callee.statics:
                value = given.get(static.unknown) if static.unknown is not None else None
                number = value.number if value is not None and value.is_number and inner else None
                number = number if number in (0, 1) and not kept(callee) else None
                known[static.name] = number if known.get(static.name, number) == number else None
    return {block: {name: n for name, n in known.items() if n is not None} for block, known in found.items()}


def _uses(definition: Definition, seen: set[int] | None = None) -> Iterator[tuple[Definition, Bindings, bool]]:
    """What is used below a definition, and the sizes that it is given.

    Forms of one block have one name until the model is lowered: what was seen is told by what it is.
    """
    seen = {id(definition)} if seen is None else seen
    calls = (node for graph in definition.graphs for node in graph.walk())
    uses = [(each.definition, each.bindings) for each in definition.instances]
    uses += [(node.callee, node.bindings) for node in calls if node.callee is not None]
    for callee, bindings in uses:
        yield callee, bindings, True
        if id(callee) not in seen:
            seen.add(id(callee))
            yield from _uses(callee, seen)


def without_neutral(model: Model, neutral: Neutral) -> Model:
    """The model with these numbers in its blocks."""
    return replace(model, definition=_Fixing(neutral).definition(model.definition))


class _Fixing:
    """Definitions with numbers in the place of statics, each made once."""

    def __init__(self, neutral: Neutral) -> None:
        self.neutral = neutral
        self.made: dict[str, Definition] = {}

    def definition(self, old: Definition) -> Definition:
        if old.name not in self.made:
            self.made[old.name] = self._definition(old)
        return self.made[old.name]

    def _definition(self, old: Definition) -> Definition:
        numbers = self.neutral.get(old.block, {})
        statics = [each for each in old.statics if each.unknown is not None and each.name in numbers]
        fixed: Sizes = {each.unknown: size(numbers[each.name]) for each in statics if each.unknown is not None}
        return replace(
            old,
            statics=tuple(
                replace(each, value=in_sizes(each.value, fixed)) for each in old.statics if each not in statics
            ),
            graph=self._graph(old.graph, fixed),
            step=None if old.step is None else self._graph(old.step, fixed),
            members=tuple(self._member(each, fixed) for each in old.members),
            conditions=tuple(c for c in in_sizes(old.conditions, fixed) if c != TRUE),
            facts=tuple(c for c in in_sizes(old.facts, fixed) if c != TRUE),
            named=tuple((known, value.subs(fixed)) for known, value in old.named),
        )

    def _graph(self, graph: Graph, fixed: Sizes) -> Graph:
        if fixed:
            inputs = tuple(replace(each, type=type_in_sizes(each.type, fixed)) for each in graph.inputs)
            names = {each.name: each.name for each in inputs}
            nodes, outputs = copied(graph, fixed, dict(names), Fresh(set(names)), lambda path: path)
            graph = Graph(inputs, nodes, outputs)
        return Graph(graph.inputs, tuple(map(self._node, graph.nodes)), graph.outputs)

    def _node(self, node: Node) -> Node:
        if node.regions:
            node = replace(node, regions=tuple(self._graph(region, {}) for region in node.regions))
        if node.callee is None:
            return node
        callee = self.definition(node.callee)
        return node.calling(callee, _left(callee, node.bindings))

    def _member(self, member: Member, fixed: Sizes) -> Member:
        match member:
            case Weight(type=type, init=init, keep=keep):
                kept = None if keep is None else self._graph(keep, fixed)
                return replace(member, type=type_in_sizes(type, fixed), init=self._init(init, fixed), keep=kept)
            case Loop(count=count):
                return replace(member, count=count.subs(fixed))
            case Instance():
                callee = self.definition(member.definition)
                return replace(
                    member,
                    definition=callee,
                    bindings=_left(callee, tuple((u, value.subs(fixed)) for u, value in member.bindings)),
                    inits=tuple((path, self._init(init, fixed)) for path, init in member.inits),
                    keeps=tuple((path, self._graph(keep, fixed)) for path, keep in member.keeps),
                    vectorized=None if member.vectorized is None else member.vectorized.subs(fixed),
                )

    def _init(self, init: Init, fixed: Sizes) -> Init:
        graph = None if init.graph is None else self._graph(init.graph, fixed)
        return replace(init, attrs=in_sizes(init.attrs, fixed), graph=graph)


def _left(callee: Definition, bindings: Bindings) -> Bindings:
    own = {*callee.sizes, *(static.unknown for static in callee.statics)}
    return tuple((unknown, value) for unknown, value in bindings if unknown in own)

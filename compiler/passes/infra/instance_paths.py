"""Instances of a model by their paths: which ones a pattern names, and a model in which these use another block."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase

from ogive.compiler.ir.model import Definition, Instance, Member, Model, Node
from ogive.compiler.passes.infra.driver import map_nodes, named_apart

Chosen = Callable[[str, Definition], bool]  # by path, and the block that stands there


def instances(definition: Definition, prefix: str = "") -> Iterator[tuple[str, Instance]]:
    """Every instance with its path from here; iterations of a `repeat` are `*`."""
    for member in definition.instances:
        path = prefix + member.path
        yield path, member
        yield from instances(member.definition, path + ".")


def named(definition: Definition, pattern: str) -> bool:
    """Whether a pattern names a block: by itself, with its module, with its statics."""
    names = (definition.name, definition.block, definition.block.rpartition(".")[2])
    return any(fnmatchcase(name, pattern) for name in names)


def matches(path: str, definition: Definition, patterns: Iterable[str]) -> bool:
    """Whether a pattern names a block (`MLP`, `*MLP`), or a path by its parts (`blocks.*.mlp`)."""
    parts = path.split(".")
    for pattern in patterns:
        wanted = pattern.split(".")
        if named(definition, pattern):
            return True
        if len(wanted) == len(parts) and all(map(fnmatchcase, parts, wanted)):
            return True
    return False


def turned(pattern: str) -> str:
    """A pattern with each index of an iteration as `*`."""
    return ".".join("*" if part.isdigit() else part for part in pattern.split("."))


def changed(model: Model, chosen: Chosen, make: Callable[[Definition], Definition]) -> Model:
    """The model with other blocks at chosen paths. A definition that is used with equal changes below stays one."""
    change = _Change(chosen, make)
    found = change.below(model.definition, "")
    return model if found is model.definition else named_apart(replace(model, definition=found))


@dataclass(slots=True)
class _Change:
    chosen: Chosen
    make: Callable[[Definition], Definition]
    made: dict[tuple[int, tuple[str, ...]], Definition] = field(default_factory=dict)
    originals: list[Definition] = field(default_factory=list)  # keeps their identities taken

    def below(self, definition: Definition, prefix: str) -> Definition:
        """The definition at a path, with chosen blocks below it changed."""
        wanted = tuple(path for path, i in instances(definition) if self.chosen(prefix + path, i.definition))
        if not wanted:
            return definition
        key = (id(definition), wanted)
        if key not in self.made:
            self.originals.append(definition)
            self.made[key] = self.rebuilt(definition, prefix)
        return self.made[key]

    def at(self, definition: Definition, path: str) -> Definition:
        """The block at a path: another one where it is chosen."""
        if not self.chosen(path, definition):
            return self.below(definition, path + ".")
        key = (id(definition), (".",))
        if key not in self.made:
            self.originals.append(definition)
            self.made[key] = self.make(definition)
        return self.made[key]

    def rebuilt(self, definition: Definition, prefix: str) -> Definition:
        new = {member.path: self.at(member.definition, prefix + member.path) for member in definition.instances}

        def called(node: Node) -> Node:
            return node.calling(new[node.path]) if node.callee is not None and node.path in new else node

        members = tuple(_member(member, new) for member in definition.members)
        return replace(definition, members=members, graph=map_nodes(definition.graph, called))


def _member(member: Member, new: dict[str, Definition]) -> Member:
    return replace(member, definition=new[member.path]) if isinstance(member, Instance) else member

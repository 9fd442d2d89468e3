"""Names after folding: a layer that is all that is left of a block stands under the path of the block."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace

from ogive.compiler.ir.model import Definition, Graph, Instance, Member, Model, Node
from ogive.compiler.ir.weights import weights
from ogive.compiler.passes.conversion.compose import chained
from ogive.compiler.passes.conversion.graph import conversion
from ogive.compiler.passes.conversion.result import Passed
from ogive.compiler.passes.infra.driver import map_nodes
from ogive.compiler.passes.outline.layers import ROWS

Names = dict[str, str]  # path of a layer -> its new path
LAYERS = frozenset(row.block for row in ROWS.values())


def named_after_blocks(passed: Passed) -> Passed:
    """What a pass made, where `body.dense.conv`, all that is left of the branches of the block `body`, is `body`.

    A layer that no other weight of its block was folded into keeps its path, and so do iterations of loops.
    """
    source, made = passed.conversion.source, passed.model
    names = _names(source, made)
    if not names:
        return passed
    result = replace(made, definition=_renamed(made.definition, _by_definition(made.definition, names), {}))
    kept = tuple((_moved(info.path, names), info.path) for info in weights(made))
    step = conversion(made, result, Graph((), (), ()), (), kept)
    notes = tuple(replace(note, path=_moved(note.path, names)) for note in passed.notes)
    return replace(passed, model=result, conversion=chained(passed.conversion, step), notes=notes)


def _names(source: Model, made: Model) -> Names:
    before, after = (_counts(model) for model in (source, made))
    blocks = sorted(_blocks(source.definition), key=len)
    found: Names = {}
    for inside, layer in _layers(made.definition):
        for block in blocks:
            if not layer.startswith(block + ".") or not block.startswith(inside):
                continue
            alone, folded = after[layer] == after[block], before[layer] < before[block]
            if alone and folded and block.count("*") == layer.count("*"):
                found[layer] = block
                break
    return found


def _counts(model: Model) -> Counter[str]:
    """How many weights stand below each path."""
    found: Counter[str] = Counter()
    for info in weights(model):
        parts = info.path.split(".")
        found.update(".".join(parts[:count]) for count in range(1, len(parts)))
    return found


def _blocks(definition: Definition, prefix: str = "") -> Iterator[str]:
    """The paths of all blocks below a definition, those of `each` left out."""
    for each in definition.instances:
        if each.vectorized is None:
            yield prefix + each.path
            yield from _blocks(each.definition, f"{prefix}{each.path}.")


def _layers(definition: Definition, prefix: str = "") -> Iterator[tuple[str, str]]:
    """The layers below a definition: the path of the block that holds one, with a dot, and its own."""
    for each in definition.instances:
        if each.vectorized is not None:
            continue
        if each.definition.block in LAYERS:
            yield prefix, prefix + each.path
        else:
            yield from _layers(each.definition, f"{prefix}{each.path}.")


def _by_definition(root: Definition, names: Names) -> Mapping[int, Names]:
    """The names below each definition, as it sees them: those on which all its uses agree."""
    seen: dict[int, list[Names]] = defaultdict(list)

    def visit(definition: Definition, prefix: str) -> None:
        own = {prefix + each.path: each.path for each in definition.instances}
        seen[id(definition)].append({own[p]: q[len(prefix) :] for p, q in names.items() if p in own})
        for each in definition.instances:
            if each.vectorized is None:
                visit(each.definition, f"{prefix}{each.path}.")

    visit(root, "")
    return {key: {p: q for p, q in first.items() if all(each.get(p) == q for each in rest)}
            for key, (first, *rest) in seen.items()}  # fmt: skip


def _renamed(definition: Definition, names: Mapping[int, Names], done: dict[int, Definition]) -> Definition:
    own = names.get(id(definition), {})

    def member(each: Member) -> Member:
        if not isinstance(each, Instance):
            return each
        return replace(each, path=_moved(each.path, own), definition=below(each.definition))

    def node(each: Node) -> Node:
        moved = each.at(_moved(each.path, own))
        return moved if each.callee is None else moved.calling(below(each.callee))

    def below(other: Definition) -> Definition:
        if id(other) not in done:
            done[id(other)] = _renamed(other, names, done)
        return done[id(other)]

    members = tuple(map(member, definition.members))
    return replace(definition, members=members, graph=map_nodes(definition.graph, node))


def _moved(path: str, names: Names) -> str:
    """A path at or below a layer, under the new name of the layer."""
    for old, new in names.items():
        if path == old or path.startswith(old + "."):
            return new + path[len(old) :]
    return path

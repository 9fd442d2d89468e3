"""What a model must know of its weights: how large they are, how they start, and where they stay."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ogive.compiler.ir.model import Definition, Graph, Init, Instance, Member, Model, Weight
from ogive.compiler.ir.weights import parameter_count
from ogive.compiler.ir_tools.mentions import in_graph, in_init, unknowns_of
from ogive.compiler.sizes import Unknown
from ogive.grammar.diagnostics import Diagnostic


def known_weights(ir: Model, span: Any) -> int | Diagnostic:
    """The number of learned parameters; E0406 where the size of a weight, or how it starts, is not a number."""
    try:
        count = parameter_count(ir)
    except KeyError as problem:
        text = f"the size of the weight `{problem.args[0]}` is not known in this model{_open(ir)}"
        return Diagnostic("E0406", text, span, help=_give(ir))
    given = dict(ir.bindings)
    for unknown, path in _asked(ir.definition, {}).items():
        if unknown not in given:
            text = f"how the weight `{path}` starts or stays depends on `{unknown}`, a size of the inputs"
            return Diagnostic("E0406", text, span, help=_give(ir))
    return count


def _asked(definition: Definition, done: dict[int, dict[Unknown, str]]) -> dict[Unknown, str]:
    """The sizes by which weights at or below a definition start and stay, each with the path of such a weight."""
    if id(definition) not in done:
        found: dict[Unknown, str] = {}
        for member in definition.members:
            for path, part in _parts(member):
                items = in_init(part) if isinstance(part, Init) else in_graph(part)
                found.update((unknown, path) for item in items for unknown in unknowns_of(item))
            if isinstance(member, Instance):
                bindings = dict(member.bindings)
                for inner, path in _asked(member.definition, done).items():
                    found.update((unknown, f"{member.path}.{path}") for unknown in bindings[inner].unknowns)
        numbers = {node.loop.index for node in definition.graph.walk() if node.loop is not None}
        done[id(definition)] = {unknown: path for unknown, path in found.items() if unknown not in numbers}
    return done[id(definition)]


def _parts(member: Member) -> Iterator[tuple[str, Init | Graph]]:
    """By path, how weights start and where they stay."""
    if isinstance(member, Weight):
        yield member.path, member.init
        yield from [(member.path, member.keep)] if member.keep is not None else []
    elif isinstance(member, Instance):
        yield from ((f"{member.path}.{path}", init) for path, init in member.inits)
        yield from ((f"{member.path}.{path}", keep) for path, keep in member.keeps)


def _open(ir: Model) -> str:
    """The statics that are no numbers, in words."""
    names = [
        f"`{each.name}`" for each in ir.definition.statics if each.unknown and each.unknown not in dict(ir.bindings)
    ]
    return f": {' and '.join(names)} {'is' if len(names) == 1 else 'are'} open" if names else ""


def _give(ir: Model) -> str:
    known = dict(ir.bindings)
    names = [each.name for each in ir.definition.statics if each.unknown and each.unknown not in known]
    shown = ", ".join(f"{name}=..." for name in names or [unknown.name for unknown in ir.definition.sizes][-1:])
    return f"give it in brackets: `model {ir.name} = {ir.definition.name}[{shown}]`"

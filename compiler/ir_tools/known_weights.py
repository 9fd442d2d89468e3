"""What a model must know of its weights: how large they are, how they start, and where they stay."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from ogive.compiler.ir.model import Definition, Graph, Init, Instance, Member, Model, Weight
from ogive.compiler.ir.weights import parameter_count
from ogive.compiler.ir_tools.mentions import in_graph, in_init, unknowns_of
from ogive.compiler.sizes import Size, Unknown, size
from ogive.grammar.diagnostics import Diagnostic
from ogive.grammar.source import Span


def known_weights(ir: Model, span: Span) -> int | Diagnostic:
    """The number of learned parameters; E0406 where the size of a weight, or how it starts, is not a number."""
    given = dict(ir.bindings)
    try:
        count = parameter_count(ir)
    except KeyError as problem:
        text = f"the size of the weight `{problem.args[0]}` is not known in this model"
        known = {unknown: size(number) for unknown, number in given.items()}
        found: dict[Unknown, None] = {}
        _sizes(ir.definition, known, found, set())
        return Diagnostic("E0406", text, span, help=_give(ir, [*found, *_asked(ir.definition, {})], span))
    asked = {unknown: path for unknown, path in _asked(ir.definition, {}).items() if unknown not in given}
    for unknown, path in asked.items():
        text = f"how the weight `{path}` starts or stays depends on `{unknown}`, a size of the inputs"
        return Diagnostic("E0406", text, span, help=_give(ir, asked, span))
    return count


def _sizes(
    definition: Definition, known: Mapping[Unknown, Size], found: dict[Unknown, None], done: set[tuple[object, ...]]
) -> None:
    """The sizes on which those of weights at and below a definition depend, in the names of the model."""
    key = (id(definition), *known.values())
    if key in done:
        return
    done.add(key)
    sizes = [loop.count for loop in definition.loops.values()]
    for member in definition.members:
        if isinstance(member, Weight):
            sizes += [axis.size for axis in member.type.axes]
        elif isinstance(member, Instance):
            sizes += [member.vectorized] if member.vectorized is not None else []
            _sizes(member.definition, {u: value.subs(known) for u, value in member.bindings}, found, done)
    found.update((unknown, None) for each in sizes for unknown in sorted(each.subs(known).unknowns, key=_introduced))


def _introduced(unknown: Unknown) -> int:
    return unknown.serial


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


def _give(ir: Model, wanted: Iterable[Unknown], span: Span) -> str:
    """All that is to be given, beside what brackets hold already."""
    given = dict(ir.bindings)
    open_ = sorted({unknown for unknown in wanted if unknown not in given}, key=_introduced)
    shown = ", ".join(f"{unknown.name}=..." for unknown in open_)
    before = span.text if span.text.startswith(f"{ir.definition.name}[") and span.text.endswith("]") else ""
    said = f"{before[:-1]}, {shown}]" if before else f"{ir.definition.name}[{shown}]"
    return f"give {'it' if len(open_) == 1 else 'them'} in brackets: `model {ir.name} = {said}`"

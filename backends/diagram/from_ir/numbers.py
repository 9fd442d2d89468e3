"""Numbers for the sizes of a figure: those that a model has, and those that the reader gives."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from difflib import get_close_matches

from ogive.backends.diagram.figure.errors import DiagramError
from ogive.compiler.ir.model import Definition, Model
from ogive.compiler.sizes import FALSE, Size, Unknown, size

At = tuple[tuple[str, int], ...]


def open_sizes(subject: Definition | Model) -> dict[str, Unknown]:
    """The sizes of a subject that have no number yet, by name: those of its inputs, of a block its statics too."""
    definition = subject.definition if isinstance(subject, Model) else subject
    bound = {unknown for unknown, _ in subject.bindings} if isinstance(subject, Model) else set()
    return {unknown.name: unknown for unknown in unknowns_of(definition) if unknown not in bound}


def unknowns_of(definition: Definition) -> list[Unknown]:
    """The sizes of a block: its statics, those of its inputs."""
    statics = [static.unknown for static in definition.statics if static.unknown is not None]
    return [unknown for unknown in (*statics, *definition.sizes) if unknown.kind == "size"]


def numbered(subject: Definition | Model, at: Iterable[tuple[str, int]] = ()) -> dict[Unknown, Size]:
    """The sizes of a subject that are numbers: the statics of a model, and those of `at` that it has.

    Raises `DiagramError` where a number of `at` is too small, or breaks a condition of the subject.
    """
    numbers = dict(subject.bindings) if isinstance(subject, Model) else {}
    known, definition = open_sizes(subject), subject.definition if isinstance(subject, Model) else subject
    given = {known[name]: number for name, number in at if name in known}
    for unknown, number in given.items():
        if number < (unknown.low or 0):
            raise DiagramError(f"`{unknown.name}` is a size of at least {unknown.low}, not {number}")
    found = {unknown: size(number) for unknown, number in (numbers | given).items()}
    for condition in definition.conditions if given else ():
        if condition.subs(found) == FALSE:
            told = ", ".join(f"{unknown.name}={number}" for unknown, number in given.items())
            name = subject.name if isinstance(subject, Model) else definition.block.rsplit(".", 1)[-1]
            raise DiagramError(f"{told}: `{name}` needs `{condition}`, which these numbers break")
    return found


def numbers_within(subject: Definition | Model, numbers: Mapping[Unknown, Size]) -> dict[str, dict[Unknown, Size]]:
    """For each definition below a subject, by name: its sizes that are the same number in all its uses."""
    found: dict[str, dict[Unknown, Size]] = {}
    waiting = [(subject.definition if isinstance(subject, Model) else subject, dict(numbers))]
    seen: set[tuple[str, frozenset[tuple[Unknown, Size]]]] = set()
    while waiting:
        definition, known = waiting.pop()
        for node in definition.graph.walk():
            if node.callee is None:
                continue
            sizes = ((unknown, size.subs(known)) for unknown, size in node.bindings)
            inside = {unknown: size for unknown, size in sizes if size.is_number}
            use = node.callee.name, frozenset(inside.items())
            if use in seen:
                continue
            seen.add(use)
            before = found.get(node.callee.name, inside)
            found[node.callee.name] = {unknown: n for unknown, n in before.items() if inside.get(unknown) == n}
            waiting.append((node.callee, inside))
    return found


def refuse_unknown_sizes(subjects: Iterable[Definition | Model], at: Collection[tuple[str, int]]) -> None:
    """Raises `DiagramError` where no subject has an open size of such a name, or one cannot have these numbers."""
    subjects = list(subjects)
    known = {name for subject in subjects for name in open_sizes(subject)}
    bound = dict(_bound(subjects))
    for name, number in at:
        if name in known or bound.get(name) == number:
            continue
        if name in bound:
            raise DiagramError(f"`{name}` is {bound[name]} here, not {number}: a model has its statics; draw its block")
        near = get_close_matches(name, sorted(known), 1)
        hint = f"did you mean `{near[0]}`?" if near else f"there are {', '.join(sorted(known)) or 'none'}"
        raise DiagramError(f"no size is called `{name}`: {hint}")
    for subject in subjects:
        numbered(subject, at)


def _bound(subjects: Iterable[Definition | Model]) -> Iterator[tuple[str, int]]:
    for subject in subjects:
        if isinstance(subject, Model):
            yield from ((unknown.name, number) for unknown, number in subject.bindings)


def with_number(label: str, of: Size | None, numbers: Mapping[Unknown, Size]) -> str:
    """`d=768`: a label with the number that its size is, where it is one and the label does not say so itself."""
    found = of.subs(numbers) if of is not None else None
    return f"{label}={found}" if found is not None and found.is_number and str(found) != label else label

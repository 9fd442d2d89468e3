"""Classes and functions that are written alike become one, and what differs in them is handed over.

A block has a class for each choice that its body makes. Where two choices come out as the same text, up to numbers with
a fraction, truth values and texts, there is one class: these are arguments of its constructor, as sizes are. So whether
a static steers the structure is seen where the structure stands, in the text. Callees come first: what they are handed
may in turn differ in their callers, and so on up to the model.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations

from ogive.backends.python_text.expr import name
from ogive.backends.python_text.handed_values import (
    Literal,
    attributes_in,
    handed,
    over_literals,
    read_later,
    setting_names,
)
from ogive.backends.python_text.names import fresh
from ogive.backends.python_text.optional_parts import with_optional_part
from ogive.backends.python_text.sections import (
    CallNames,
    FileSection,
    bare,
    codes_of,
    documented,
    functions_of,
    joined,
    locals_of,
    mentioned,
)
from ogive.backends.python_text.statements import Class, FunctionDef, Statement

BLANKS = {kind: name(f"_{kind.__name__}_").node for kind in (bool, float, str)}
OWN = "_own_"
Column = tuple[str, ...]  # what stands at one place of sections that are alike, as text
Respelled = Callable[[Statement], Statement]


@dataclass(frozen=True, slots=True)
class Dialect:
    """What a target says of its classes."""

    full: Respelled  # a statement with the settings written out that its calls leave out
    short: Respelled  # and without them again
    attributes: Collection[str]  # names that no class may give to what it stores


@dataclass(frozen=True, slots=True)
class _Form:
    """A section, its text without its literals, and these."""

    section: FileSection
    text: Statement
    literals: tuple[Literal, ...]


def merged(sections: Sequence[FileSection], dialect: Dialect) -> list[FileSection]:
    """The sections with one class for all that are alike, the names of a block's classes numbered without gaps."""
    found, before = list(sections), 0
    while len(found) != before:
        before = len(found)
        for origin in _callees_first(found):
            found = _merged(found, origin, dialect)
    return found if len(found) == len(sections) else _numbered(sections, found)


def _made(called: Collection[str], sections: Sequence[FileSection]) -> Mapping[str, int]:
    """How often each of some classes is called in the text."""
    codes = (code for each in sections for code in codes_of(each.statement))
    nodes = (node for code in codes if not code.names.isdisjoint(called) for node in ast.walk(code.node))
    return Counter(node.id for node in nodes if isinstance(node, ast.Name))


def _length(section: FileSection) -> int:
    return sum(len(code.text) for code in codes_of(section.statement))


def _callees_first(sections: Sequence[FileSection]) -> list[tuple[str, str]]:
    """The origins that have several sections, each after those that it calls."""
    origin_of = {each.name: each.origin for each in sections if each.origin is not None}
    calls: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for each in sections:
        if each.origin is not None:
            used = [origin_of[name] for name in origin_of if name in each.statement.uses]
            calls.setdefault(each.origin, []).extend(used)
    found: dict[tuple[str, str], None] = {}
    entered: set[tuple[str, str]] = set()

    def visit(origin: tuple[str, str]) -> None:
        if origin not in entered:
            entered.add(origin)
            for other in calls[origin]:
                visit(other)
            found[origin] = None

    for origin in calls:
        visit(origin)
    counts = [each.origin for each in sections]
    return [origin for origin in found if counts.count(origin) > 1]


def _merged(sections: list[FileSection], origin: tuple[str, str], dialect: Dialect) -> list[FileSection]:
    """The sections with those of one origin that are alike, or alike but for a part, made one."""
    while True:
        found = _alike(sections, origin, dialect)
        if found is not None:
            sections = _as_one(sections, found, dialect)
            continue
        more = _with_part(sections, origin, dialect)
        if more is None:
            return sections
        sections = more


def _with_part(sections: list[FileSection], origin: tuple[str, str], dialect: Dialect) -> list[FileSection] | None:
    """The sections with two of one origin made one, of which one has a part that the other lacks."""
    own = sorted((each for each in sections if each.origin == origin), key=_length, reverse=True)
    made = _made([each.name for each in own], sections) if len(own) > 1 else {}
    for longer, shorter in permutations(own, 2):
        calls = CallNames({shorter.name: longer.name}, {})
        has = made[longer.name] >= made[shorter.name]
        found = with_optional_part(longer.statement, calls.within(shorter.statement), dialect.attributes, has=has)
        first = min(longer, shorter, key=sections.index)
        if found is None or _passed_on({longer.name, shorter.name}, sections):
            continue
        if not all(_callable_as(first.name, each.name, sections) for each in (longer, shorter)):
            continue
        docs = [each.statement.doc for each in (longer, shorter) if isinstance(each.statement, Class)]
        statement = found.made.but(name=first.name, doc=joined(list(dict.fromkeys(docs))))
        told = CallNames(
            {longer.name: first.name, shorter.name: first.name},
            {longer.name: found.longer, shorter.name: found.shorter},
        )
        kept = [replace(each, statement=statement) if each is first else each for each in sections]
        return [
            each if each.origin == origin else each.calling(told)
            for each in kept
            if each is not longer and each is not shorter
        ]
    return None


def _alike(sections: list[FileSection], origin: tuple[str, str], dialect: Dialect) -> list[_Form] | None:
    """Forms of one origin that can be one, if there are any."""
    groups: dict[Statement, list[_Form]] = {}
    for each in sections:
        if each.origin == origin:
            form = _form(each, dialect)
            groups.setdefault(form.text, []).append(form)
    several = (group for group in groups.values() if len(group) > 1)
    return next((found for group in several for found in _handable(group, sections) if len(found) > 1), None)


def _form(section: FileSection, dialect: Dialect) -> _Form:
    literals: list[Literal] = []

    def blank(_: ast.expr, value: Literal) -> ast.expr:
        literals.append(value)
        return BLANKS[type(value)]

    own = CallNames({section.name: OWN}, {}).within(dialect.full(section.statement))
    text = bare(own).changed(lambda code: over_literals(code, blank))
    return _Form(section, text.but(name=OWN), tuple(literals))


def _handable(group: list[_Form], sections: Sequence[FileSection]) -> list[list[_Form]]:
    """Groups of which all differences can be handed over: texts and truth values where they are those of a static."""
    first = group[0].section
    alone = isinstance(first.statement, FunctionDef) and _passed_on({form.section.name for form in group}, sections)
    columns = list(zip(*(form.literals for form in group), strict=True))
    statics = _statics(group)
    fixed = [
        at
        for at, column in enumerate(columns)
        if alone or not (isinstance(column[0], float) or tuple(map(repr, column)) in statics)
    ]
    found: dict[Column, list[_Form]] = {}
    for form in group:
        if _callable_as(first.name, form.section.name, sections):
            found.setdefault(tuple(repr(form.literals[at]) for at in fixed), []).append(form)
    return list(found.values())


def _passed_on(names: set[str], sections: Sequence[FileSection]) -> bool:
    """Whether a function is not only called: it could not be told more."""
    return any(not names.isdisjoint(mentioned(code.node)) for each in sections for code in codes_of(each.statement))


def _callable_as(new: str, old: str, sections: Sequence[FileSection]) -> bool:
    """Whether all that calls something by the old name can do so by the new one: it has no variable of that name."""
    users = (function for each in sections for function in functions_of(each.statement) if old in function.uses)
    return all(new not in locals_of(function) for function in users)


def _statics(group: Sequence[_Form]) -> dict[Column, str]:
    """The first of the statics that have the same values, by these."""
    found: dict[Column, str] = {}
    for known in group[0].section.statics:
        found.setdefault(tuple(repr(form.section.statics.get(known)) for form in group), known)
    return found


def _as_one(sections: list[FileSection], group: Sequence[_Form], dialect: Dialect) -> list[FileSection]:
    """The first of a group in place of all of it."""
    first = group[0].section
    statement = documented([form.section.statement for form in group])
    columns = list(zip(*(form.literals for form in group), strict=True))
    differing = {at: tuple(map(repr, column)) for at, column in enumerate(columns) if len(set(map(repr, column))) > 1}
    names: dict[Column, str] = {}
    if differing:
        full = dialect.full(statement)
        names = _names(full, group, differing, dialect)
        statement = dialect.short(handed(full, {at: names[column] for at, column in differing.items()}))
    at = {names[column]: place for place, column in differing.items()}
    called = [(form.section.name, [(param, form.literals[place]) for param, place in at.items()]) for form in group]
    calls = CallNames({old: first.name for old, _ in called}, dict(called))
    gone = {form.section.name for form in group[1:]}
    kept = [replace(each, statement=statement) if each is first else each for each in sections if each.name not in gone]
    return [each if each is first else each.calling(calls) for each in kept]


def _names(
    full: Statement, group: Sequence[_Form], differing: Mapping[int, Column], dialect: Dialect
) -> dict[Column, str]:
    """What each series of differing values is called: as the static, or as the setting that it is."""
    taken = {each for function in functions_of(full) for each in (*locals_of(function), *function.uses)}
    attributes = attributes_in(full) | set(dialect.attributes)
    settings, later = setting_names(full), read_later(full)
    found: dict[Column, str] = {}
    statics = _statics(group)
    for at, column in differing.items():
        if column not in found:
            kept = any(other == column and place in later for place, other in differing.items())
            used = taken | set(found.values()) | (attributes if kept else set())
            found[column] = fresh(statics.get(column) or settings.get(at) or "value", used)
    return found


def _numbered(before: Sequence[FileSection], sections: list[FileSection]) -> list[FileSection]:
    """The sections with the first ones of the names that the forms of a block had."""
    series: dict[tuple[str, str], list[str]] = {}
    for each in before:
        if each.origin is not None and not each.owner:
            series.setdefault(each.origin, []).append(each.name)
    names: dict[str, str] = {}
    for each in sections:
        if each.origin is not None and not each.owner:
            names[each.name] = series[each.origin].pop(0)
    for each in sections:
        owner = names.get(each.owner, each.owner)
        if owner != each.owner:
            names[each.name] = owner + each.name.removeprefix(each.owner)
    changed = {old: new for old, new in names.items() if old != new and _free(new, old, sections, names)}
    calls = CallNames(changed, {})
    return [each.calling(calls).called(changed) for each in sections] if changed else sections


def _free(new: str, old: str, sections: Sequence[FileSection], names: Mapping[str, str]) -> bool:
    """Whether nothing is called so, or called so where the section is used."""
    other = any(each.name == new and names.get(new, new) == new for each in sections)
    return not other and _callable_as(new, old, sections)

"""Turns of a loop that was unrolled, where they are alike, become a loop over its modules again."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Protocol

from ogive.backends.python_text.expr import LOAD, Code, call, cut, parts_of, subscript, with_parts
from ogive.backends.python_text.module_tree import ModuleNode
from ogive.backends.python_text.names import singular
from ogive.backends.python_text.pretty import constant
from ogive.backends.python_text.statements import Assign, Body, Evaluate, For, Return, Statement
from ogive.backends.python_text.turns import loop_in_turn

Numbers = frozenset[int | None]  # the entries of a list that are used; None where the list is used in another way


@dataclass(frozen=True, slots=True)
class ModuleList:
    """A list of modules: its expression, and the names and numbers on the way to it."""

    modules: Code
    path: tuple[str, ...]
    count: int

    @property
    def place(self) -> tuple[str, ...]:
        """The list, whatever the iterations in which it stands."""
        return tuple("*" if part.isdigit() else part for part in self.path)

    @property
    def depth(self) -> int:
        """In how many iterations it stands."""
        return sum(part.isdigit() for part in self.path)


@dataclass(frozen=True, slots=True)
class Stretch:
    """The part of a list that a loop goes over: all of it, or all but its first entries and its last ones."""

    before: int = 0
    behind: int = 0

    def of(self, modules: Code) -> Code:
        """`layers`, `list(layers)[1:]`: a part of a list of modules itself would be another module at each call."""
        if not self.before and not self.behind:
            return modules
        return subscript(call("list", modules), cut(self.before or None, -self.behind or None))

    def entries(self, listed: ModuleList) -> range:
        """The numbers of the entries."""
        return range(self.before, listed.count - self.behind)


STRETCHES = (Stretch(), Stretch(1), Stretch(behind=1), Stretch(1, 1))  # of which the first that fits is taken


@dataclass(frozen=True, slots=True)
class ModuleLoop:
    """`for variable in modules:`; inside, a name that no program can have stands for the variable."""

    variable: str
    listed: ModuleList = field(compare=False)
    stretch: Stretch
    modules: Code
    body: tuple[Item, ...]

    @property
    def count(self) -> int:
        """How many iterations it has."""
        return len(self.stretch.entries(self.listed))


@dataclass(frozen=True, slots=True)
class Single:
    """A statement of the function, and the lists that it uses, by their texts. One `in_turn` is a loop of ours over
    modules of several kinds.
    """

    statement: Statement
    used: Mapping[str, Numbers] = field(compare=False)
    in_turn: bool = False


Item = Single | ModuleLoop


class LoopNames(Protocol):
    """The variable for the modules of a list, or for their number."""

    def __call__(self, listed: ModuleList, number: bool = False) -> str: ...


def rolled(
    body: Sequence[Statement], root: ModuleNode, access: Callable[[str], Code], claim: Callable[[str], str]
) -> Body:
    """The statements of a function in which iterations that differ in their number alone are a loop.

    `root` is the tree of names of its class, `access` gives the expression of a path in it, and `claim` a variable that
    the function does not use.
    """
    lists = list(_lists(root, access))
    if not any(each.count > 1 for each in lists):
        return tuple(body)
    named = _last_named(body, lists)
    if named is not None:  # the last iteration is what is returned
        found = _rolled(named, lists, claim)
        return found if isinstance(found[-2], For) else (*found[:-2], body[-1])
    return _rolled(body, lists, claim)


def _last_named(body: Sequence[Statement], lists: Sequence[ModuleList]) -> Body | None:
    """The statements with a variable for what is returned, where the last module of a list gives it."""
    if len(body) < 2 or not isinstance(body[-1], Return) or not isinstance(body[-2], Assign):
        return None
    value, target = body[-1].value, body[-2].target
    last = (_entry(each, each.count - 1).text for each in lists if each.count > 1)
    if value is None or not isinstance(target.node, ast.Name) or not any(each in value.text for each in last):
        return None
    return (*body[:-1], Assign(target, value), Return(target))


def _rolled(body: Sequence[Statement], lists: list[ModuleList], claim: Callable[[str], str]) -> Body:
    items: list[Item] = [_single(statement) for statement in body]
    used = [pair for item in items if isinstance(item, Single) for pair in item.used.items()]
    read = {modules for modules, numbers in used if numbers - {None}}
    lists = [each for each in lists if each.modules.text in read]
    if not any(each.count > 1 for each in lists):
        return tuple(body)
    names: dict[tuple[tuple[str, ...], bool], str] = {}

    def name(listed: ModuleList, number: bool = False) -> str:
        """One variable, for modules or for numbers, in all loops over lists in such a place: so bodies are alike."""
        key = (listed.place, number)
        if key not in names:
            names[key] = claim("i" if number else singular(listed.path[-1]))
        return names[key]

    found = _all(items, lists, name)
    if not all(_saves(item.count, len(item.body)) for item in found if isinstance(item, ModuleLoop)):
        found = _all(items, lists, name, short=False)
    return tuple(map(_written, found))


def _saves(count: int, length: int) -> bool:
    """Whether a loop is shorter than its iterations, which have so many statements."""
    return count * length > length + 1


def _all(items: list[Item], lists: Sequence[ModuleList], name: LoopNames, short: bool = True) -> list[Item]:
    """The statements with loops over these lists, inner ones first.

    A `short` list is looped over as others in its place are: inside of an outer loop all iterations are alike then.
    """
    for depth in sorted({each.depth for each in lists}, reverse=True):
        level = [each for each in lists if each.depth == depth]
        for each in level:
            items = _looped(items, each, name)
        for each in level if short else ():
            items = _beside(items, each)
        for each in level:
            items = _in_turn(items, each, name)
    return items


def _in_turn(items: list[Item], listed: ModuleList, name: LoopNames) -> list[Item]:
    """The statements with a loop over a list whose modules are used in several ways, which come in turn."""
    statements = [item.statement if isinstance(item, Single) and _simple(item) else None for item in items]
    uses = [_numbers(item, listed.modules.text) for item in items]

    def names() -> tuple[str, str]:
        return name(listed, number=True), name(listed)

    found = loop_in_turn(statements, uses, listed.modules, listed.path, names)
    if found is None:
        return items
    start, end, loop = found
    return [*items[:start], replace(_single(loop), in_turn=True), *items[end:]]


def _beside(items: list[Item], listed: ModuleList) -> list[Item]:
    """The statements with a loop over a list, where those of its iterations are the body of a loop over another."""
    for other in items:
        if not isinstance(other, ModuleLoop) or other.listed.place != listed.place:
            continue
        token = _token(other.variable)
        entries = other.stretch.entries(listed)
        wanted = [_with(item, token, _entry(listed, n)) for n in entries for item in other.body]
        for start in range(len(items) - len(wanted) + 1):
            if items[start : start + len(wanted)] == wanted:
                loop = replace(other, listed=listed, modules=other.stretch.of(listed.modules))
                return [*items[:start], loop, *items[start + len(wanted) :]]
    return items


def _token(variable: str) -> Code:
    """What stands for the variable of a loop until the loop is written: no other variable has such a name."""
    return Code(ast.Name(f"<{variable}>", LOAD))


def _entry(listed: ModuleList, number: int) -> Code:
    return subscript(listed.modules, number)


def _lists(place: ModuleNode, access: Callable[[str], Code], path: tuple[str, ...] = ()) -> Iterator[ModuleList]:
    """The lists of modules below a place, inner ones first."""
    for name, child in place.children.items():
        yield from _lists(child, access, (*path, name))
    numbers = list(place.children)
    if path and numbers and numbers == [str(number) for number in range(len(numbers))]:
        yield ModuleList(access(".".join(path)), path, len(numbers))


def _looped(items: list[Item], listed: ModuleList, name: LoopNames) -> list[Item]:
    """The statements with a loop over the modules of a list, where each is used alike, and in no other way."""
    numbers = [_numbers(item, listed.modules.text) for item in items]
    for stretch in STRETCHES:
        found = _stretched(items, numbers, listed, stretch, name)
        if found is not None:
            return found
    return items


def _stretched(
    items: list[Item], numbers: list[Numbers], listed: ModuleList, stretch: Stretch, name: LoopNames
) -> list[Item] | None:
    """The statements with a loop over a stretch of a list; None where its modules are not used alike."""
    entries = stretch.entries(listed)
    count = len(entries)
    if count < 2:
        return None
    first, second = (next((at for at, found in enumerate(numbers) if n in found), -1) for n in entries[:2])
    length = second - first
    if first < 0 or length < 1 or not _saves(count, length):
        return None
    head, tail = {*range(entries.start)}, {*range(entries.stop, listed.count)}
    for start in range(first, max(first - length, -1), -1):  # an iteration may begin with what needs no module
        ends = [start + number * length for number in range(count + 1)]
        iterations = [items[a:b] for a, b in pairwise(ends)]
        inside = [Numbers().union(*numbers[a:b]) for a, b in pairwise(ends)]
        earlier, later = Numbers().union(*numbers[:start]), Numbers().union(*numbers[ends[-1] :])
        if earlier - head or later - tail or ends[-1] > len(items) or inside != [{number} for number in entries]:
            continue
        if not all(map(_simple, iterations[0])):
            continue
        token = _token(".".join(listed.place))
        pairs = zip(entries, iterations, strict=True)
        bodies = [[_with(item, _entry(listed, n), token) for item in iteration] for n, iteration in pairs]
        if all(body == bodies[0] for body in bodies):
            variable = name(listed)
            body = tuple(_with(item, token, _token(variable)) for item in _agreed(bodies))
            loop = ModuleLoop(variable, listed, stretch, stretch.of(listed.modules), body)
            return [*items[:start], loop, *items[ends[-1] :]]
    return None


def _simple(item: Item) -> bool:
    """Whether a statement holds no others but in such a loop."""
    return isinstance(item, ModuleLoop) or item.in_turn or isinstance(item.statement, Assign | Evaluate)


def _single(statement: Statement) -> Single:
    found: dict[str, Numbers] = {}
    for code in _codes(statement):
        if "self" in code.names:
            _note(code.node, found)
    return Single(statement, found)


def _codes(statement: Statement) -> Iterator[Code]:
    yield from (*statement.targets, *statement.values)
    for body in statement.bodies:
        for each in body:
            yield from _codes(each)


def _note(node: ast.AST, found: dict[str, Numbers], number: int | None = None) -> str:
    """Note the lists that an expression uses, and which of their entries; the text of one that may be a list."""
    match node:
        case ast.Name(id=variable):
            return variable
        case ast.Attribute(value=base, attr=attr):
            text = f"{_note(base, found)}.{attr}"
        case ast.Subscript(value=base, slice=ast.Constant(value=int(entry))):
            return f"{_note(base, found, entry)}[{entry}]"
        case ast.Call(func=ast.Name(id="member"), args=[base, ast.Constant(value=label)]):
            text = f"member({_note(base, found)}, {constant(label)})"
        case _:
            for part in parts_of(node):
                _note(part, found)
            return ""
    found[text] = found.get(text, Numbers()) | {number}
    return text


def _numbers(item: Item, modules: str) -> Numbers:
    if isinstance(item, Single):
        return item.used.get(modules, Numbers())
    own = _single(Evaluate(item.modules)).used.get(modules, Numbers())
    return own.union(*(_numbers(each, modules) for each in item.body))


def _with(item: Item, old: Code, new: Code) -> Item:
    """A statement with another expression in the place of one."""
    wanted, first = old.text, next(iter(old.names))

    def change(node: ast.expr) -> ast.expr | None:
        return new.node if type(node) is type(old.node) and Code(node).text == wanted else None

    def swapped(code: Code) -> Code:
        return with_parts(code, change) if first in code.names else code

    if isinstance(item, ModuleLoop):
        body = tuple(_with(each, old, new) for each in item.body)
        return replace(item, modules=swapped(item.modules), body=body)
    return replace(_single(item.statement.changed(swapped)), in_turn=item.in_turn)


def _agreed(bodies: Sequence[Sequence[Item]]) -> Iterator[Item]:
    """The statements of the first iteration, with the comments that all iterations have."""
    for same in zip(*bodies, strict=True):
        first = same[0]
        if isinstance(first, ModuleLoop):
            inner = [each.body for each in same if isinstance(each, ModuleLoop)]
            yield replace(first, body=tuple(_agreed(inner)))
        else:
            made = [each.statement for each in same if isinstance(each, Single)]
            comments = {each.comment for each in made if isinstance(each, Assign)}
            alike = len(comments) == 1 or not isinstance(first.statement, Assign)
            yield first if alike else replace(first, statement=first.statement.but(comment=""))


def _written(item: Item) -> Statement:
    if isinstance(item, Single):
        return item.statement
    body = tuple(_with(each, _token(item.variable), Code(ast.Name(item.variable, LOAD))) for each in item.body)
    return For(Code(ast.Name(item.variable, LOAD)), item.modules, tuple(map(_written, body)))

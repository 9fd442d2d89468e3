"""Turns of a loop that was unrolled, where they are written alike, become a loop over its modules again."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from ogive.backends.python_text.module_tree import ModuleNode, access
from ogive.backends.python_text.names import singular
from ogive.backends.python_text.pretty import LINE
from ogive.backends.python_text.wrap import statement

STEP = 4


@dataclass(frozen=True, slots=True)
class Simple:
    """A statement on one line, and the lines on which it was laid out; one that holds others is left as it is."""

    text: str | None
    comment: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ModuleLoop:
    """`for name in modules:`."""

    name: str
    modules: str
    body: tuple[Item, ...]


Item = Simple | ModuleLoop


def rolled(lines: Sequence[str], root: ModuleNode, indent: int, claim: Callable[[str], str]) -> list[str]:
    """The lines of a function in which iterations that differ in their number alone are a loop.

    `root` is the tree of names of its class; `claim` gives a variable that the function does not use.
    """
    lists = [each for each in _lists(root) if any(f"{each[0]}[" in line for line in lines)]
    if not any(count > 1 for _, count in lists):
        return list(lines)
    written = _items(lines, indent)
    names: dict[str, str] = {}

    def name(modules: str) -> str:
        """One variable for all loops over lists in such a place, so that their bodies are alike."""
        place = _place(modules)
        if place not in names:
            names[place] = claim(singular(modules.rpartition(".")[2]))
        return names[place]

    items = _all(written, lists, name)
    counts = dict(lists)
    if not all(_saves(counts[item.modules], len(item.body)) for item in items if isinstance(item, ModuleLoop)):
        items = _all(written, lists, name, short=False)
    return [line for item in items for line in _laid(item, indent)]


def _saves(count: int, length: int) -> bool:
    """Whether a loop is shorter than its iterations, which have so many statements."""
    return count * length > length + 1


def _all(
    items: list[Item], lists: Sequence[tuple[str, int]], name: Callable[[str], str], short: bool = True
) -> list[Item]:
    """The statements with loops over these lists, inner ones first.

    A `short` list is looped over as others in its place are: inside of an outer loop all iterations are alike then.
    """
    for depth in sorted({_depth(modules) for modules, _ in lists}, reverse=True):
        level = [each for each in lists if _depth(each[0]) == depth]
        for modules, count in level:
            items = _looped(items, modules, count, name)
        for modules, count in level if short else ():
            items = _beside(items, modules, count)
    return items


def _beside(items: list[Item], modules: str, count: int) -> list[Item]:
    """The statements with a loop over a list, where those of its iterations are the body of a loop over another."""
    for other in items:
        if not isinstance(other, ModuleLoop) or _place(other.modules) != _place(modules):
            continue
        turns = [_said(item, _token(other.name), f"{modules}[{n}]") for n in range(count) for item in other.body]
        wanted = list(map(_plain, turns))
        for start in range(len(items) - len(wanted) + 1):
            if [_plain(item) for item in items[start : start + len(wanted)]] == wanted:
                return [*items[:start], replace(other, modules=modules), *items[start + len(wanted) :]]
    return items


def _depth(modules: str) -> int:
    return modules.count("[")


def _place(modules: str) -> str:
    """The list, whatever the iterations in which it stands."""
    return re.sub(r"\[\d+\]", "[]", modules)


def _token(variable: str) -> str:
    """How a variable stands in the statements of its loop until they are written."""
    return f"\0{variable}\0"


def _lists(place: ModuleNode, path: str = "") -> Iterator[tuple[str, int]]:
    """The lists of modules below a place, inner ones first: their expressions and lengths."""
    for name, child in place.children.items():
        yield from _lists(child, f"{path}.{name}" if path else name)
    numbers = list(place.children)
    if path and numbers and numbers == [str(number) for number in range(len(numbers))]:
        yield access(path), len(numbers)


def _items(lines: Sequence[str], indent: int) -> list[Item]:
    """The statements of the outermost level."""
    items: list[Item] = []
    for node in ast.parse("\n".join(line[indent:] for line in lines)).body:
        assert node.end_lineno is not None
        own = tuple(lines[node.lineno - 1 : node.end_lineno])
        comment = own[0].partition("  # ")[2] if len(own) == 1 else ""
        simple = isinstance(node, ast.Assign | ast.AugAssign | ast.Expr)
        items.append(Simple(ast.unparse(node) if simple else None, comment, own))
    return items


def _looped(items: list[Item], modules: str, count: int, name: Callable[[str], str]) -> list[Item]:
    """The statements with a loop over all modules of a list, where each is used alike, and in no other way."""
    turn = re.compile(rf"(?<![\w.]){re.escape(modules)}(?:\[(\d+)\])?(?!\w)")
    numbers = [{found[1] for text in _texts(item) for found in turn.finditer(text)} for item in items]
    first, second = (next((at for at, found in enumerate(numbers) if str(n) in found), -1) for n in (0, 1))
    length = second - first
    if first < 0 or length < 1 or not _saves(count, length):
        return items
    for start in range(first, max(first - length, -1), -1):  # an iteration may begin with what needs no module
        ends = [start + number * length for number in range(count + 1)]
        turns = [items[a:b] for a, b in pairwise(ends)]
        inside = [set().union(*numbers[a:b]) for a, b in pairwise(ends)]
        elsewhere = set().union(*numbers[:start], *numbers[ends[-1] :])
        if elsewhere or ends[-1] > len(items) or inside != [{str(number)} for number in range(count)]:
            continue
        token = _token(_place(modules))
        bodies = [[_said(item, f"{modules}[{n}]", token) for item in each] for n, each in enumerate(turns)]
        said = [list(map(_plain, body)) for body in bodies]
        if None not in said[0] and all(each == said[0] for each in said):
            variable = name(modules)
            body = tuple(_said(item, token, _token(variable)) for item in _agreed(bodies))
            return [*items[:start], ModuleLoop(variable, modules, body), *items[ends[-1] :]]
    return items


def _texts(item: Item) -> Iterator[str]:
    match item:
        case Simple(text=None, lines=lines):
            yield from lines
        case Simple(text=str(text)):
            yield text
        case ModuleLoop(modules=modules, body=body):
            yield modules
            for each in body:
                yield from _texts(each)


def _said(item: Item, old: str, new: str) -> Item:
    """A statement with another expression in the place of one."""
    match item:
        case Simple(text=str(text)):
            return replace(item, text=text.replace(old, new))
        case ModuleLoop(modules=modules, body=body):
            return replace(item, modules=modules.replace(old, new), body=tuple(_said(x, old, new) for x in body))
        case _:
            return item


def _plain(item: Item) -> object:
    """What a statement does, or None for one that holds others."""
    if isinstance(item, Simple):
        return item.text
    return (item.name, item.modules, tuple(map(_plain, item.body)))


def _agreed(bodies: Sequence[Sequence[Item]]) -> Iterator[Item]:
    """The statements of the first iteration, with the comments that all iterations have."""
    for same in zip(*bodies, strict=True):
        first = same[0]
        if isinstance(first, ModuleLoop):
            inner = [each.body for each in same if isinstance(each, ModuleLoop)]
            yield replace(first, body=tuple(_agreed(inner)))
        else:
            comments = {each.comment for each in same if isinstance(each, Simple)}
            yield first if len(comments) == 1 else replace(first, comment="")


def _laid(item: Item, indent: int, inside: bool = False) -> list[str]:
    if isinstance(item, ModuleLoop):
        lines = statement(f"for {item.name} in {item.modules}:".replace("\0", ""), indent)
        return lines + [line for each in item.body for line in _laid(each, indent + STEP, True)]
    if not inside or item.text is None:
        return list(item.lines)
    lines = statement(item.text.replace("\0", ""), indent)
    if item.comment and len(lines) == 1 and len(lines[0]) + len(item.comment) + 4 <= LINE:
        return [f"{lines[0]}  # {item.comment}"]
    return lines

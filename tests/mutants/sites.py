"""Where a module can be mutated: every node of the functions in it at which a rule says something."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from mutants.rules import NAMED, RULES

ROOT = Path(__file__).parents[2]
Function = ast.FunctionDef | ast.Lambda
# what is said to people, and what is there for readers and checkers of types alone
SILENT = (ast.Raise, ast.Assert, ast.ImportFrom, ast.Import)
SAID = frozenset(("Note",))  # calls that make a line of a report


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change. `function` is the innermost function around it, by name and line; `number` counts equal changes."""

    path: str  # of the file, from the top of the tree
    function: str
    line: int  # where the function begins
    rule: str
    before: str
    after: str
    number: int
    place: tuple[int, int]  # the node in the order of a walk, and which result of the rule

    @property
    def key(self) -> str:
        """What names it as long as the function stays as it is."""
        return f"{self.path}:{self.function} {self.rule} #{self.number}: {self.before} -> {self.after}"


@cache
def source(path: str) -> str:
    """The text of a file."""
    return (ROOT / path).read_text(encoding="utf-8")


def mutants(path: str, text: str | None = None) -> list[Mutant]:
    """Every mutant of a file, or of a text that stands in one."""
    found: list[Mutant] = []
    counts: dict[tuple[str, str, str, str], int] = {}
    tree = ast.parse(source(path) if text is None else text)
    for at, (node, function) in enumerate(_walk(tree)):
        if function is None:
            continue
        for rule in RULES:
            for which, changed in enumerate(rule(node)):
                before, after = _shown(node), _shown(changed)
                if before == after:
                    continue
                key = (function[0], rule.__name__, before, after)
                counts[key] = counts.get(key, 0) + 1
                found.append(Mutant(path, *function, rule.__name__, before, after, counts[key], (at, which)))
    return found


def mutated(mutant: Mutant, text: str | None = None) -> ast.Module:
    """The tree with the change."""
    tree = ast.parse(source(mutant.path) if text is None else text)
    at, which = mutant.place
    node = next(node for number, (node, _) in enumerate(_walk(tree)) if number == at)
    rule = next(rule for rule in RULES if rule.__name__ == mutant.rule)
    changed = list(rule(node))[which]
    if isinstance(node, ast.expr | ast.stmt):
        ast.copy_location(changed, node)
    _put(tree, node, changed)
    return ast.fix_missing_locations(tree)


def _shown(node: ast.AST) -> str:
    if isinstance(node, ast.comprehension):
        return " if ".join(["for", *(ast.unparse(part) for part in node.ifs)])
    return ast.unparse(node).splitlines()[0]


def _walk(tree: ast.Module) -> Iterator[tuple[ast.AST, tuple[str, int] | None]]:
    """All nodes that compute, each with the function around it: its qualified name and its line."""
    pending: list[tuple[ast.AST, str, tuple[str, int] | None]] = [(tree, "", None)]
    while pending:
        node, prefix, function = pending.pop()
        yield node, function
        inner, place = prefix, function
        if isinstance(node, ast.FunctionDef | ast.Lambda):
            name = node.name if isinstance(node, ast.FunctionDef) else "<lambda>"
            heads = node.decorator_list if isinstance(node, ast.FunctionDef) else []
            place, inner = (prefix + name, min(each.lineno for each in (node, *heads))), f"{prefix}{name}.<locals>."
        elif isinstance(node, ast.ClassDef):
            inner, place = f"{prefix}{node.name}.", None
        pending += [(child, inner, place) for child in reversed(_children(node))]


def _children(node: ast.AST) -> list[ast.AST]:
    if isinstance(node, SILENT) or isinstance(node, ast.JoinedStr):
        return []
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in SAID:
        return []
    if isinstance(node, ast.FunctionDef):
        body = node.body
        documented = isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant)
        return list(body[1:] if documented else body)
    if isinstance(node, ast.Lambda):
        return [node.body]
    if isinstance(node, ast.AnnAssign):
        return [node.value] if node.value is not None else []
    if isinstance(node, ast.keyword):
        return [] if node.arg in NAMED else [node.value]
    if (
        isinstance(node, ast.Subscript)
        and isinstance(node.value, ast.Name)
        and node.value.id in ("list", "dict", "set")
    ):
        return []
    return list(ast.iter_child_nodes(node))


def _put(tree: ast.AST, old: ast.AST, new: ast.AST) -> None:
    for parent in ast.walk(tree):
        for name, value in ast.iter_fields(parent):
            if value is old:
                setattr(parent, name, new)
                return
            if isinstance(value, list):
                for at, item in enumerate(value):
                    if item is old:
                        value[at] = new
                        return
    raise AssertionError("the node stands nowhere")

"""The classes and functions of a file, each with what it is a form of, and how they are called by other names."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ogive.backends.python_text.expr import LOAD, Code, literal, parts_of, with_parts
from ogive.backends.python_text.handed_values import Literal
from ogive.backends.python_text.pretty import flat
from ogive.backends.python_text.statements import Class, FunctionDef, Statement

SHAPES = 3  # so many are told in the docstring of what has several


@dataclass(frozen=True, slots=True)
class FileSection:
    """A class or a function of a file."""

    statement: Statement
    origin: tuple[str, str] | None = None  # the block, and which part of it; None for what has one form
    owner: str = ""  # the class whose iteration, or whose result, it is
    statics: Mapping[str, object] = field(default_factory=dict)  # what the block is given, sizes left out

    @property
    def name(self) -> str:
        """What it is called."""
        assert isinstance(self.statement, Class | FunctionDef), self.statement
        return self.statement.name

    def calling(self, calls: CallNames) -> FileSection:
        """The section with other calls."""
        return replace(self, statement=calls.within(self.statement), owner=calls.names.get(self.owner, self.owner))

    def called(self, names: Mapping[str, str]) -> FileSection:
        """The section under another name, and as an iteration of what has another name."""
        statement = self.statement.but(name=names.get(self.name, self.name))
        if isinstance(statement, Class) and statement.doc and self.owner:
            first, *rest = statement.doc
            for old, new in names.items():
                first = first.replace(f" in {old}.", f" in {new}.").replace(f" in {old},", f" in {new},")
            statement = statement.but(doc=(first, *rest))
        return replace(self, statement=statement)


def bare(statement: Statement) -> Statement:
    """The statement without docstrings."""
    if isinstance(statement, Class):
        return statement.but(doc=(), body=tuple(map(bare, statement.body)))
    return statement.but(doc=()) if isinstance(statement, FunctionDef) else statement


def documented(statements: Sequence[Statement]) -> Statement:
    """The first of statements that are alike, with what is said of all of them."""
    first = statements[0]
    for other in statements[1:]:
        first = _told_of_both(first, other)
    if isinstance(first, Class | FunctionDef):
        docs = [each.doc for each in statements if isinstance(each, Class | FunctionDef)]
        return first.but(doc=joined(list(dict.fromkeys(docs))))
    return first


def _told_of_both(left: Statement, right: Statement) -> Statement:
    """The first of two with those of its comments that are the same in both."""
    changes: dict[str, object] = {}
    for part in left.parts:
        mine, other = getattr(left, part), getattr(right, part)
        if part == "comment" and mine != other:
            changes[part] = ""
        elif isinstance(mine, tuple) and mine and isinstance(mine[0], Statement):
            changes[part] = tuple(map(_told_of_both, mine, other))
    return left.but(**changes) if changes else left


def joined(docs: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """The words of the first docstring, and the shapes of each."""
    if len(docs) == 1:
        return docs[0]
    at = [len(doc) - doc[::-1].index("") if "" in doc else 0 for doc in docs]
    words = docs[0][: at[0] - 1] if at[0] else ("Shapes.",)
    shapes = list(dict.fromkeys(doc[start:] for doc, start in zip(docs, at, strict=True)))
    lines = [line for shape in shapes[:SHAPES] for line in ("or", *shape)][1:]
    return (*words, "", *lines, *(["or the like"] if len(shapes) > SHAPES else []))


def codes_of(statement: Statement) -> list[Code]:
    """All expressions in a statement."""
    found: list[Code] = []

    def look(code: Code) -> Code:
        found.append(code)
        return code

    statement.changed(look)
    return found


def mentioned(node: ast.AST, *, called: bool = False) -> Iterator[str]:
    """The names in an expression that stand elsewhere than as what is called."""
    if isinstance(node, ast.Name):
        if not called:
            yield node.id
        return
    for part in parts_of(node):
        yield from mentioned(part, called=isinstance(node, ast.Call) and part is node.func)


def functions_of(statement: Statement) -> tuple[FunctionDef, ...]:
    """A function of the file, or the methods of a class."""
    inner = statement.body if isinstance(statement, Class) else (statement,)
    return tuple(each for each in inner if isinstance(each, FunctionDef))


def locals_of(function: FunctionDef) -> frozenset[str]:
    """The variables of a function."""
    return frozenset(each.name for each in function.parameters).union(*(each.definitions for each in function.body))


@dataclass(frozen=True, slots=True)
class CallNames:
    """Other names for classes and functions, and settings that are added where these are called."""

    names: Mapping[str, str]
    more: Mapping[str, Sequence[tuple[str, Literal]]]

    def within(self, statement: Statement) -> Statement:
        """The statement with them. Variables that are called like a function of the file are not meant."""
        if isinstance(statement, Class):
            return statement.but(base=self.code(statement.base), body=tuple(map(self.within, statement.body)))
        if not isinstance(statement, FunctionDef):
            return statement.changed(self.code)
        own = locals_of(statement)
        names = {old: new for old, new in self.names.items() if old not in own}
        return statement.changed(CallNames(names, self.more).code)

    def code(self, code: Code) -> Code:
        """An expression with them."""
        return with_parts(code, self._node) if code.names & self.names.keys() else code

    def _node(self, node: ast.expr) -> ast.expr | None:
        match node:
            case ast.Call(func=ast.Name(id=id), args=args, keywords=keywords) if id in self.names and self.more.get(id):
                named = [ast.keyword(each.arg, self.code(Code(each.value)).node) for each in keywords]
                named += [ast.keyword(key, literal(value).node) for key, value in self.more[id]]
                return ast.Call(ast.Name(self.names[id], LOAD), [self.code(Code(each)).node for each in args], named)
            case ast.Name(id=id) if id in self.names:
                return ast.Name(self.names[id], LOAD)
            case ast.Tuple(elts=elts) if self._classes(elts):
                kept = dict.fromkeys(self.names.get(name, name) for name in map(flat, elts))
                nodes: list[ast.expr] = [ast.Name(name, LOAD) for name in kept]
                return nodes[0] if len(nodes) == 1 else ast.Tuple(nodes, LOAD)
            case _:
                return None

    def _classes(self, elements: Sequence[ast.expr]) -> bool:
        """Whether they are classes, of which some have other names."""
        names = {each.id for each in elements if isinstance(each, ast.Name)}
        return len(names) == len(elements) and not names.isdisjoint(self.names)

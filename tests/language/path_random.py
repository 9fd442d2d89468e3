"""Draws programs of `path_programs`: names bound on some paths, asked for, handed on, rebound, carried, returned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from language.path_programs import Block, Program, Tree

OPTIONAL = ("m", "n", "p")


@dataclass
class Scope:
    """Names that may be read or asked for, by the type of their values: tables, rows."""

    tables: list[str]
    rows: list[str] = field(default_factory=list)

    def copy(self) -> Scope:
        return Scope(list(self.tables), list(self.rows))

    def bind(self, name: str, *, row: bool = False) -> None:
        names = self.rows if row else self.tables
        if name not in names:
            names.append(name)


@dataclass
class Writer:
    """Writes one block."""

    random: Random
    blocks: list[Block]
    rows: bool  # a block over rows [4]
    second: bool = False
    states: list[str] = field(default_factory=list)
    count: int = 0
    optional: tuple[str, ...] = ()

    def fresh(self, base: str) -> str:
        self.count += 1
        return f"{base}{self.count}"

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def body(self, scope: Scope, depth: int, *, loop: bool = False, yields: bool = False, ends: bool = False) -> Any:
        """Statements; `ends` in a `return`."""
        found: list[Tree] = []
        for _ in range(self.random.randint(1, 3 if depth else 5)):
            found += self.statement(scope, depth, loop, yields) or [("set", "u", "x")]
        if yields and not self.rows and self.chance(0.8):
            value: Tree = ("yield", self.fresh("ys"), ("sum", self.table(scope, 1)))
            guarded = self.chance(0.5)
            found.append(("if", self.condition(scope), (value,), ()) if guarded else value)
        if ends:
            names = [self.known(scope)]
            if self.second:
                names.append(self.any(scope))
            found.append(("return", tuple(names)))
        return tuple(found)

    def known(self, scope: Scope) -> str:
        """A name that is likely to be bound."""
        return "x" if self.chance(0.6) else self.random.choice(scope.tables)

    def any(self, scope: Scope) -> str:
        return self.random.choice(scope.tables)

    def statement(self, scope: Scope, depth: int, loop: bool, yields: bool) -> list[Tree]:
        kind = self.random.choices(
            ("set", "rebind", "if", "repeat", "for", "scan", "call", "update"),
            (3, 3, 5 if depth < 3 else 0, 1.2 if depth < 2 else 0, 0.6 if depth < 2 else 0,
             0.8 if depth < 2 and not self.rows else 0, 1.5 if self.blocks else 0, 0.5 if self.states else 0),
        )[0]  # fmt: skip
        match kind:
            case "set":
                name = self.random.choice(("u", "v", "w"))
                tree: Tree = ("set", name, self.table(scope, 2))
                scope.bind(name)
                return [tree]
            case "rebind":
                name = self.any(scope)
                value = self.table(scope, 2, of=name if self.chance(0.7) else None)
                if name in self.optional and self.chance(0.6):
                    return [("if", ("given", name), (("set", name, value),), ())]
                return [("set", name, value)]
            case "if":
                return [self.choice(scope, depth, loop, yields)]
            case "repeat":
                body = self.body(scope.copy(), depth + 1, loop=True, yields=True)
                return self.after(scope, [("repeat", self.fresh("h"), body)])
            case "for":
                return [("for", self.fresh("f"), self.body(scope, depth + 1, loop=True))]
            case "scan":
                step, carry = self.fresh("t"), self.fresh("s")
                source, start = self.known(scope), ("sum", self.table(scope, 1))
                inner = Scope(list(scope.tables), [*scope.rows, step, carry])
                body = ("set", carry, ("+", carry, step)), *self.row_body(inner, depth + 1)
                scope.bind(carry, row=True)
                return self.after(scope, [("scan", step, source, carry, start, body)])
            case "call":
                return self.call(scope)
            case _:
                return [("update", self.random.choice(self.states), self.row(scope))]

    def row_body(self, scope: Scope, depth: int) -> Any:
        """Statements of a `scan`."""
        found: list[Tree] = []
        carry = scope.rows[-1]
        if self.chance(0.6):
            condition = self.condition(scope)
            found.append(("if", condition, (("set", carry, ("+", carry, self.row(scope))),), ()))
        if self.chance(0.6):
            value: Tree = ("yield", self.fresh("ys"), carry)
            found.append(("if", self.condition(scope), (value,), ()) if self.chance(0.5) else value)
        return tuple(found)

    def after(self, scope: Scope, trees: list[Tree]) -> list[Tree]:
        """What a loop collects may be read behind it."""
        for name in _collected(trees[0][-1]):
            scope.bind(name)
        return trees

    def choice(self, scope: Scope, depth: int, loop: bool, yields: bool) -> Tree:
        then, orelse = scope.copy(), scope.copy()
        condition = self.condition(scope)
        ends = not loop and self.chance(0.25)
        first = self.body(then, depth + 1, loop=loop, yields=False, ends=ends)
        second: Any = ()
        if self.chance(0.4):
            second = self.body(orelse, depth + 1, loop=loop, ends=not loop and self.chance(0.2))
        for inner in (then, orelse):
            for name in inner.tables:
                scope.bind(name)
            for name in inner.rows:
                scope.bind(name, row=True)
        return ("if", condition, first, second)

    def condition(self, scope: Scope) -> Tree:
        asked: Tree = ("training",) if self.chance(0.25) else ("given", self.any(scope))
        return ("not", asked) if self.chance(0.2) else asked

    def call(self, scope: Scope) -> list[Tree]:
        block = self.random.choice(self.blocks)
        args = (self.known(scope), *(self.any(scope) for _ in block.optional))
        if block.type == "[4]":
            if self.rows:
                return []
            op = self.random.choice(("over", "each"))
            name = self.random.choice(("u", "v"))
            scope.bind(name)
            return [("set", name, (op, block.name, self.fresh("e"), args))]
        if self.rows:
            return []
        targets = ("u", "w") if block.second else ("v",)
        for name in targets:
            scope.bind(name)
        return [("call", targets, block.name, self.fresh("g"), args)]

    def table(self, scope: Scope, depth: int, of: str | None = None) -> Any:
        """An expression of the type of `x`."""
        first = of or self.known(scope)
        if depth == 0 or self.chance(0.2):
            return first
        match self.random.randrange(6):
            case 0:
                return ("relu", self.table(scope, depth - 1, of))
            case 1:
                return ("lin", self.table(scope, depth - 1, of), self.fresh("l"))
            case 2:
                return ("*", self.table(scope, depth - 1, of), self.random.randint(2, 3))
            case 3:
                condition = self.condition(scope)
                return ("choose", condition, self.table(scope, depth - 1, of), self.table(scope, depth - 1))
            case 4 if scope.rows and not self.rows:
                return ("+", self.table(scope, depth - 1, of), self.random.choice(scope.rows))
            case _:
                return (self.random.choice("+-*"), self.table(scope, depth - 1, of), self.table(scope, depth - 1))

    def row(self, scope: Scope) -> Any:
        """An expression of type [4]."""
        if self.rows:
            return self.table(scope, 1)
        if scope.rows and self.chance(0.5):
            return self.random.choice(scope.rows)
        return ("sum", self.table(scope, 1))


def _collected(body: Any) -> list[str]:
    found = []
    for tree in body:
        if tree[0] == "yield":
            found.append(tree[1])
        if tree[0] == "if":
            found += [*_collected(tree[2]), *_collected(tree[3])]
        if tree[0] == "for":
            found += _collected(tree[2])
    return found


def program(seed: int) -> Program:
    """The program of a seed."""
    random = Random(seed)
    blocks: list[Block] = []
    for name in random.choice(((), ("g",), ("r",), ("g", "r"))):
        blocks.append(_block(random, f"{name}_block", list(blocks), rows=name == "r"))
    return repaired(Program((*blocks, _block(random, "Main", blocks, rows=False))), random.choice((0, 60, 60, 60)))


def repaired(program: Program, steps: int) -> Program:
    """The program where `x` is read in the place of names that a path has not bound, so many of them at most."""
    for _ in range(steps):
        fault = program.fault
        if fault is None:
            break
        blocks = [
            replace(block, body=_mended(block.body, list(fault.place[1:]), fault.name))
            if fault.place and block.name == fault.place[0]
            else block
            for block in program.blocks
        ]
        program = Program(tuple(blocks))
    return program


def _mended(body: Sequence[Tree], place: list[Any], name: str) -> tuple[Tree, ...]:
    at, *rest = place
    tree = body[at]
    match tree:
        case ("if", condition, then, orelse) if rest:
            arm, *deeper = rest
            then, orelse = (_mended(then, deeper, name), orelse) if arm else (then, _mended(orelse, deeper, name))
            made: Tree = ("if", condition, then, orelse)
        case ("for", label, inner) if rest:
            made = ("for", label, _mended(inner, rest[1:], name))
        case ("repeat" | "scan", *head, inner) if rest:
            made = (tree[0], *head, _mended(inner, rest, name))
        case (op, target, *read) if op in ("set", "yield", "update", "call"):
            made = (op, target, *(_without(part, name) for part in read))
        case ("scan", step, source, carry, start, inner):
            made = ("scan", step, _without(source, name), carry, _without(start, name), inner)
        case ("if", condition, then, orelse):  # what is asked for is gone
            made = ("if", ("given", "x"), then, orelse)
        case ("return", values):
            made = ("return", tuple("x" if value == name else value for value in values))
        case _:
            raise AssertionError(tree)
    return (*body[:at], made, *body[at + 1 :])


def _without(tree: Any, name: str) -> Any:
    if isinstance(tree, tuple):
        return tuple(_without(part, name) for part in tree)
    row = name[0] in "st" and name[1:].isdigit()
    return (("sum", "x") if row else "x") if tree == name else tree


def _block(random: Random, name: str, blocks: list[Block], *, rows: bool) -> Block:
    main = name == "Main"
    count = random.randint(1, 3 if main else 2)
    optional = OPTIONAL[:count]
    states = ["s_a"] if main and random.random() < 0.4 else []
    second = not rows and random.random() < 0.5
    writer = Writer(random, blocks, rows, second, states, optional=optional)
    scope = Scope(["x", *optional])
    body = writer.body(scope, 0, ends=True)
    return Block(name, optional, body, "[4]" if rows else "[3, 4]", second, tuple(states))

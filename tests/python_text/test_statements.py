"""What statements bind and read, as Python itself sees it in their text; how they are laid out, as ruff does."""

from __future__ import annotations

import ast
import subprocess
import symtable
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from ogive.backends.python_text import statements
from ogive.backends.python_text.expr import Code, literal, name, renamed, subscript, tuple_of
from ogive.backends.python_text.render import file_text, rendered
from ogive.backends.python_text.statements import (
    Assign,
    Class,
    Declare,
    Evaluate,
    For,
    FunctionDef,
    If,
    Import,
    Parameter,
    Raise,
    Return,
    Statement,
    Within,
    fixed,
)
from python_text.programs import body, expression

X, Y, F = name("x"), name("y"), name("torch.f")
KINDS: list[tuple[Statement, set[str], set[str]]] = [
    (Assign(X, Y), {"x"}, {"y"}),
    (Assign(tuple_of([X, name("z")]), F), {"x", "z"}, {"torch"}),
    (Assign(name("self.x"), Y), set(), {"self", "y"}),
    (Assign(subscript(X, name("i")), Y), set(), {"x", "i", "y"}),
    (Declare("x", name("Tensor")), {"x"}, {"Tensor"}),
    (Evaluate(X), set(), {"x"}),
    (Return(tuple_of([X, Y])), set(), {"x", "y"}),
    (Return(), set(), set()),
    (Raise(X), set(), {"x"}),
    (For(X, Y, (Assign(name("z"), X),)), {"x", "z"}, {"x", "y"}),
    (If(X, (Assign(Y, F),), (Assign(name("z"), Y),)), {"y", "z"}, {"x", "y", "torch"}),
    (Within(X, (Assign(Y, F),)), {"y"}, {"x", "torch"}),
    (FunctionDef("f", (Parameter("x", Y),), F, (Return(X), Return(name("z")))), {"f"}, {"y", "torch", "z"}),
    (Class("C", X, (Declare("y", F),)), {"C"}, {"x", "torch"}),
    (Import("torch.nn.functional", "F"), {"F"}, set()),
    (Import("torch.nn"), {"torch"}, set()),
    (Import("typing", names=("Any", "Self")), {"Any", "Self"}, set()),
    (fixed("\ndef f() -> g: ...\n", "f", "g"), {"f"}, {"g"}),
]


@pytest.mark.parametrize(("made", "definitions", "uses"), KINDS, ids=lambda each: type(each).__name__)
def test_each_kind_says_what_it_binds_and_reads(made: Statement, definitions: set[str], uses: set[str]) -> None:
    assert (set(made.definitions), set(made.uses)) == (definitions, uses)


def test_no_kind_is_left_out() -> None:
    kinds = {kind for kind in vars(statements).values() if isinstance(kind, type) and issubclass(kind, Statement)}
    assert kinds - {Statement} == {type(made) for made, _, _ in KINDS}


def _reads(table: symtable.SymbolTable) -> Iterator[str]:
    """Names that a scope or one inside of it reads from the outermost one."""
    for symbol in table.get_symbols():
        if symbol.is_referenced() and (table.get_type() == "module" or symbol.is_global()):
            yield symbol.get_name()
    for child in table.get_children():
        yield from _reads(child)


class _Generators(ast.NodeTransformer):
    """Comprehensions as generators: those alone have a scope of their own from Python 3.12 on."""

    def visit(self, node: ast.AST) -> ast.AST:
        node = self.generic_visit(node)
        if isinstance(node, ast.DictComp):
            return ast.GeneratorExp(ast.Tuple([node.key, node.value], ast.Load()), node.generators)
        if isinstance(node, ast.ListComp | ast.SetComp):
            return ast.GeneratorExp(node.elt, node.generators)
        return node


@pytest.mark.parametrize("seed", range(150))
def test_definitions_and_uses_are_those_of_the_text(seed: int) -> None:
    made = body(Random(seed))
    text = ast.unparse(_Generators().visit(ast.parse("\n".join(rendered(made)))))
    table = symtable.symtable(text, "emitted", "exec")
    assigned = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_assigned()}
    assert set().union(*(each.definitions for each in made)) == assigned
    assert set().union(*(each.uses for each in made)) == set(_reads(table))


@pytest.mark.parametrize("seed", range(150))
def test_the_text_of_an_expression_is_its_tree(seed: int) -> None:
    code = expression(Random(seed), 4)
    assert ast.dump(ast.parse(code.text, mode="eval").body) == ast.dump(_parsed_alike(code.node))


def _parsed_alike(node: ast.expr) -> ast.expr:
    """The tree with the little that a parser adds: contexts, texts that touch each other as one."""
    return ast.parse(ast.unparse(ast.fix_missing_locations(node)), mode="eval").body


@pytest.mark.parametrize("seed", range(60))
def test_changes_reach_every_expression(seed: int) -> None:
    made = body(Random(seed))
    assert tuple(each.changed(lambda code: code) for each in made) == made
    away = {"x": "there", "torch": "jax", "self": "module"}
    back = {new: old for old, new in away.items()}
    there = tuple(each.changed(lambda code: renamed(code, away)) for each in made)
    uses = {use for each in there if not _holds_functions(each) for use in each.uses}
    assert not uses & away.keys()
    assert tuple(each.changed(lambda code: renamed(code, back)) for each in there) == made


def _holds_functions(statement: Statement) -> bool:
    """Inner functions have parameters, which no change of expressions renames."""
    return isinstance(statement, FunctionDef) or any(_holds_functions(x) for body in statement.bodies for x in body)


def test_statements_are_laid_out_as_ruff_does(tmp_path: Path) -> None:
    parameters = (Parameter("self"), Parameter("x", name("Tensor")), Parameter("y", name("Tensor"), literal(None)))
    functions = []
    for seed in range(250):
        inside = (*body(Random(seed), size=2), Return(X))
        functions.append(FunctionDef(f"f_{seed}", parameters, name("Tensor"), inside, ("What it does.",)))
    method = FunctionDef("forward", parameters, name("Tensor"), (*body(Random(-1), size=2), Return(X)))
    made = Class("Net", name("nn.Module"), (Declare("blocks", name("Any")), method), ("A net.", "", "(x) -> y"))
    path = tmp_path / "a.py"
    path.write_text(file_text("A file.", ((Import("math"),), (Import("torch"),)), (made, *functions)))
    command = [sys.executable, "-m", "ruff", "format", "--isolated", "--diff", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_expressions_are_equal_where_their_trees_are() -> None:
    assert Code(ast.Name("x", ast.Load())) == name("x") != name("x.y")
    assert len({name("x.y"), name("x.y"), literal("x.y")}) == 2


def test_statements_do_not_change() -> None:
    made = Assign(X, Y, "a comment")
    with pytest.raises(AttributeError):
        made.comment = ""  # type: ignore[misc]
    assert made.but(comment="") == made
    assert made.but(target=Y) != made
    assert hash(made) == hash(made.but(comment=""))
    assert Evaluate(X) != Return(X)

"""Sizes and conditions as expressions: the text that a reader of the source sees."""

from __future__ import annotations

import ast

from hypothesis import given

from ogive.backends.python_text.expr import Code, binary, name
from ogive.backends.python_text.size_exprs import condition_code, size_code
from ogive.compiler.sizes import Condition, Size, Unknown, size
from sizes.strategies import DEPTH, UNKNOWNS, conditions, sizes


def named(unknown: Unknown) -> Code:
    return name(unknown.name)


def tree(text: str) -> str:
    return ast.dump(ast.parse(text, mode="eval"))


@given(sizes(*UNKNOWNS, DEPTH, leaves=9))
def test_a_size_is_written_as_the_source_writes_it(whole: Size) -> None:
    assert tree(size_code(whole, named).text) == tree(str(whole))


@given(sizes(*UNKNOWNS, leaves=4))
def test_a_power_is_written_as_the_source_writes_it(whole: Size) -> None:
    power = 2 * 2 ** size(DEPTH) * whole + whole
    assert tree(size_code(power, named).text) == tree(str(power))


@given(conditions(sizes(*UNKNOWNS, leaves=4)))
def test_a_condition_is_written_as_the_source_writes_it(condition: Condition) -> None:
    if condition.unknowns:
        assert tree(condition_code(condition, named).text) == tree(str(condition))


def test_unknowns_of_one_name_are_two() -> None:
    one, two = Unknown("n", 1), Unknown("n", 1)
    code = size_code(size(one) * size(two), lambda unknown: name("a" if unknown is one else "b"))
    assert code == binary(name("a"), "*", name("b"))

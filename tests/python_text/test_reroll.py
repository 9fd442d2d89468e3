"""Loops over modules are found again in their iterations, and say what the iterations said."""

from __future__ import annotations

import ast
from random import Random

import pytest

from ogive.backends.python_text.expr import Code, attribute, binary, call, name, renamed, subscript, with_parts
from ogive.backends.python_text.module_tree import ModuleNode
from ogive.backends.python_text.reroll import rolled
from ogive.backends.python_text.statements import Assign, Body, Evaluate, For, If, Statement
from ogive.backends.pytorch.names import SELF, access

Made = tuple[Body, ModuleNode]


def tree(path: str, node: dict[str, object]) -> ModuleNode:
    """The names below a class."""
    children = {key: tree(f"{path}.{key}" if path else key, part) for key, part in node.items()}  # type: ignore[arg-type]
    return ModuleNode(path, None, children)


def layers(count: int) -> ModuleNode:
    return tree("", {"layers": {str(number): {"lin": {}, "norm": {}} for number in range(count)}, "head": {}})


def claim(hint: str) -> str:
    return hint


def step(at: Random, layer: Code) -> Statement:
    """A statement of an iteration."""
    x = name("x")
    module = attribute(layer, at.choice(("lin", "norm")))
    value = at.choice((call(module, x), binary(x, "+", call(module, x)), binary(attribute(layer, "scale"), "*", x)))
    return at.choice((Assign(x, value, "[b, d]"), Evaluate(value), Assign(name("y"), call("torch.relu", value))))


STRETCHES = {"": range(4), "1:]": range(1, 4), ":-1]": range(3), "1:-1]": range(1, 3)}


def unrolled(body: Body) -> Body:
    """Each loop over a list of modules as its iterations."""
    found: list[Statement] = []
    for each in body:
        source = each.source.text.replace("list(self.layers)", "self.layers") if isinstance(each, For) else ""
        modules, _, stretch = source.partition("[")
        if isinstance(each, For) and modules in ("self.layers", "self.stages"):
            for number in STRETCHES[stretch]:
                entry = subscript(name(modules), number)
                found += unrolled(tuple(_placed(inner, each.target.text, entry) for inner in each.body))
        else:
            found.append(each)
    return tuple(found)


def _placed(statement: Statement, variable: str, entry: Code) -> Statement:
    def change(code: Code) -> Code:
        return with_parts(code, lambda node: entry.node if Code(node) == name(variable) else None)

    return statement.changed(change)


def iterations(seed: int, count: int = 4) -> tuple[list[Statement], list[Statement]]:
    """The statements of one iteration, with `layer` for its module, and of all of them."""
    at = Random(seed)
    one = [step(at, name("layer")) for _ in range(at.randint(1, 3))]
    entries = [subscript(name("self.layers"), number) for number in range(count)]
    return one, [_placed(each, "layer", entry) for entry in entries for each in one]


@pytest.mark.parametrize("seed", range(40))
def test_iterations_that_are_alike_are_a_loop(seed: int) -> None:
    one, every = iterations(seed)
    head, last = Assign(name("x"), name("start")), Evaluate(call("self.head", name("x")))
    found = rolled([head, *every, last], layers(4), access, claim)
    assert found == (head, For(name("layer"), name("self.layers"), tuple(one)), last)


@pytest.mark.parametrize("seed", range(80))
def test_whatever_is_found_says_the_same(seed: int) -> None:
    at = Random(seed)
    _, every = iterations(seed)
    for _ in range(at.randint(0, 2)):  # a statement differs, is missing, or stands twice
        place = at.randrange(len(every))
        other = renamed_once(every[place])
        every[place : place + 1] = at.choice(([], [other], [every[place]] * 2, [every[place], other]))
    assert unrolled(rolled(every, layers(4), access, claim)) == tuple(every)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize(("other", "stretch"), [(0, "[1:]"), (3, "[:-1]")])
def test_a_first_or_last_iteration_that_differs_stands_beside_the_loop(seed: int, other: int, stretch: str) -> None:
    one, every = iterations(seed)
    at = other * len(one)
    every[at : at + len(one)] = alone = [renamed_once(each) for each in every[at : at + len(one)]]
    found = rolled(every, layers(4), access, claim)
    loop = For(name("layer"), Code(ast.parse(f"list(self.layers){stretch}", mode="eval").body), tuple(one))
    assert found == ((*alone, loop) if other == 0 else (loop, *alone))


def renamed_once(statement: Statement) -> Statement:
    return statement.changed(lambda code: renamed(code, {"x": "z"}))


@pytest.mark.parametrize("use", [call("len", name("self.layers")), subscript(name("self.layers"), -1)])
def test_a_list_that_is_used_in_another_way_stays(use: Code) -> None:
    _, every = iterations(0)
    body = [*every, Evaluate(use)]
    assert rolled(body, layers(4), access, claim) == tuple(body)


def test_a_list_in_a_branch_stays() -> None:
    _, every = iterations(0)
    body = [*every, If(name("x"), (Evaluate(call(subscript(name("self.layers"), 0), name("x"))),))]
    assert rolled(body, layers(4), access, claim) == tuple(body)


def test_loops_in_loops() -> None:
    stages: dict[str, object] = {str(n): {"layers": {str(m): {"lin": {}} for m in range(n + 1)}} for n in range(3)}
    body = []
    for n in range(3):
        stage = subscript(name("self.stages"), n)
        for m in range(n + 1):
            layer = subscript(attribute(stage, "layers"), m)
            body += [Assign(name("y"), call(attribute(layer, "lin"), name("x"))), Assign(name("x"), name("y"))]
    (outer,) = rolled(body, tree("", {"stages": stages}), access, claim)
    inner = For(name("layer"), name("stage.layers"), tuple(_in(body[:2])))
    assert outer == For(name("stage"), attribute(SELF, "stages"), (inner,))


def _in(body: list[Assign]) -> list[Statement]:
    return [Assign(name("y"), call("layer.lin", name("x"))), body[1]]


def test_comments_that_differ_are_left_out() -> None:
    every = [
        Assign(name("x"), call(attribute(subscript(name("self.layers"), n), "lin"), name("x")), f"[b, {n}]")
        for n in range(4)
    ]
    (loop,) = rolled(every, layers(4), access, claim)
    assert isinstance(loop, For)
    assert [each.comment for each in loop.body if isinstance(each, Assign)] == [""]


def test_an_iteration_may_begin_with_what_needs_no_module() -> None:
    def turn(layer: Code) -> list[Statement]:
        return [Assign(name("y"), call("torch.relu", name("x"))), Assign(name("x"), call(layer, name("y")))]

    every = [each for n in range(4) for each in turn(subscript(name("self.layers"), n))]
    assert rolled(every, layers(4), access, claim) == (
        For(name("layer"), name("self.layers"), tuple(turn(name("layer")))),
    )


def test_two_short_iterations_stay() -> None:
    every = [Assign(name("x"), call(subscript(name("self.layers"), n), name("x"))) for n in range(2)]
    assert rolled(every, layers(2), access, claim) == tuple(every)


def test_iterations_with_branches_stay() -> None:
    every = [
        If(name("x"), (Evaluate(call(subscript(name("self.layers"), n), name("x"))),), comment="asked")
        for n in range(4)
    ]
    assert rolled(every, layers(4), access, claim) == tuple(every)

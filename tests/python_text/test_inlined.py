"""Variables that need no line: what is left computes the same, in the same order, in fewer lines."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ogive.backends.python_text.expr import Code, binary, call, conditional, name, tuple_of
from ogive.backends.python_text.inlined import inlined
from ogive.backends.python_text.render import rendered
from ogive.backends.python_text.statements import Assign, Evaluate, For, FunctionDef, If, Parameter, Return, Statement

X, Y, Z = (name(each) for each in "xyz")
VARIABLES = st.sampled_from([X, Y, Z])
VALUES = st.recursive(
    VARIABLES,
    lambda inner: st.one_of(
        st.builds(lambda f, a: call(f, a), st.sampled_from("fg"), inner),
        st.builds(lambda a, b: call("h", a, b), inner, inner),
        st.builds(lambda a, b: binary(a, "+", b), inner, inner),
        st.builds(lambda a, b: conditional(a, binary(b, ">", 3), b), inner, inner),
    ),
    max_leaves=4,
)
LINES = st.one_of(
    st.builds(lambda v, e, made_up: Assign(v, e, "", made_up), VARIABLES, VALUES, st.booleans()),
    st.builds(Evaluate, VALUES),
)
BODIES = st.lists(LINES, min_size=1, max_size=4).map(tuple)
STATEMENTS = st.one_of(
    LINES,
    st.builds(lambda body: For(name("i"), call("range", 2), body), BODIES),
    st.builds(lambda test, body, other: If(binary(test, ">", 2), body, other), VARIABLES, BODIES, BODIES),
)


def function(body: list[Statement]) -> FunctionDef:
    parameters = tuple(Parameter(each) for each in "xyz")
    return FunctionDef("run", parameters, name("int"), (*body, Return(tuple_of([X, Y]))))


def run(made: Statement) -> tuple[Any, list[tuple[object, ...]]]:
    """What it gives, and the calls that it makes."""
    log: list[tuple[object, ...]] = []

    def logged(label: str, *given: int) -> int:
        log.append((label, *given))
        return sum(given) % 97 + len(label) + len(log)

    scope: dict[str, Any] = {"f": lambda a: logged("f", a), "g": lambda a: logged("gg", a)}
    scope["h"] = lambda a, b: logged("hhh", a, b)
    exec("\n".join(rendered([made])), scope)
    return scope["run"](1, 2, 3), log


@given(st.lists(STATEMENTS, min_size=1, max_size=7))
@settings(max_examples=300, deadline=None)
def test_what_is_left_computes_the_same_in_the_same_order(body: list[Statement]) -> None:
    made = function(body)
    short = inlined(made)
    assert run(short) == run(made)
    assert len(rendered([short])) <= len(rendered([made]))


def lines(*body: Statement) -> list[str]:
    return rendered([inlined(function(list(body)))])[1:-1]


def assigned(target: Code, value: Code, made_up: bool = True) -> Statement:
    return Assign(target, value, "", made_up)


def test_a_variable_of_one_use_needs_no_line() -> None:
    assert lines(assigned(Z, call("f", X)), assigned(X, call("h", Z, Y), made_up=False)) == ["    x = h(f(x), y)"]


def test_what_has_a_name_in_the_source_keeps_it() -> None:
    assert len(lines(assigned(Z, call("f", X), made_up=False), assigned(X, call("h", Z, Y), made_up=False))) == 2


def test_what_is_computed_first_stays_first() -> None:
    assert len(lines(assigned(Z, call("f", X)), assigned(X, call("h", call("g", Y), Z), made_up=False))) == 2


def test_what_is_read_again_keeps_its_line() -> None:
    assert (
        len(
            lines(
                assigned(Z, call("f", X)),
                assigned(X, call("g", Z), made_up=False),
                assigned(Y, binary(Z, "+", X), made_up=False),
            )
        )
        == 3
    )
    loop = For(name("i"), call("range", 2), (assigned(Y, Z, made_up=False), assigned(Z, X), assigned(X, call("g", Z))))
    assert len(lines(loop)) == 4

"""Lists of modules in their short form make the modules that were listed, in their order, whatever they hold."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ogive.backends.python_text.expr import NONE, Code, applied, binary, call, list_of, literal, name
from ogive.backends.python_text.lists import with_short_lists
from ogive.backends.python_text.render import rendered
from ogive.backends.python_text.statements import Assign, Class, FunctionDef, Parameter
from ogive.backends.python_text.tables import SizeArguments

SIGNATURES = {"f": SizeArguments(("cin", "c"), {"stride": 1}), "g": SizeArguments(("c",))}


def shortened(listed: Code) -> str:
    """The constructor that makes a list, with what it lists in a short form."""
    body = (Assign(name("self.layers"), listed),)
    init = FunctionDef("__init__", (Parameter("self"), Parameter("d"), Parameter("c")), NONE, body)
    made = with_short_lists(Class("Net", name("object"), (init,)), SIGNATURES)
    return "\n".join(rendered([made]))


def made(text: str) -> Any:
    """What the constructor makes, as tuples."""
    scope: dict[str, Any] = {
        "nn": SimpleNamespace(ModuleList=tuple),
        "f": lambda *sizes, stride=1: ("f", sizes, stride),
        "g": lambda *sizes: ("g", *sizes),
        "Group": lambda **members: sorted(members.items()),
    }
    exec(text, scope)
    return scope["Net"](100, 7).layers


def plain(listed: Code) -> Any:
    return made(f"class Net:\n    def __init__(self, d, c):\n        self.layers = {listed}")


def modules(*items: Code) -> Code:
    return call("nn.ModuleList", list_of(items))


WIDTHS = st.sampled_from([3, 8, 16, 32, 64]).map(literal)
SIZES = st.one_of(
    WIDTHS,
    WIDTHS.map(lambda width: binary(width, "*", name("d"))),
    st.integers(0, 4).map(lambda n: binary(binary(name("d"), "+", binary(n, "*", name("c"))), "//", 2)),
)
LEAVES = st.one_of(
    st.builds(lambda a, b, s: applied("f", (a, b), [("stride", s)] if s > 1 else []), SIZES, SIZES, st.integers(1, 2)),
    st.builds(lambda a: call("g", a), SIZES),
)
INNER = st.lists(LEAVES, min_size=1, max_size=4).map(lambda items: modules(*items))
ITEMS = st.one_of(LEAVES, st.builds(lambda a, b: call("Group", blocks=a, norm=b), INNER, LEAVES), INNER)


@given(st.lists(ITEMS, min_size=1, max_size=6), st.integers(1, 3))
@settings(max_examples=150, deadline=None)
def test_the_short_form_of_any_list_makes_what_it_lists(items: list[Code], times: int) -> None:
    listed = modules(*(items * times))
    assert made(shortened(listed)) == plain(listed)


def stage(cin: Code | int, c: int, stride: int, depth: int) -> Code:
    first = applied("f", (cin, c), [("stride", stride)] if stride > 1 else [])
    return call("Group", blocks=modules(first, *[call("f", 4 * c, c)] * (depth - 1)))


def test_stages_that_differ_in_sizes_are_a_table() -> None:
    listed = modules(stage(name("d"), 64, 1, 3), stage(256, 128, 2, 4), stage(512, 256, 2, 6), stage(1024, 512, 2, 3))
    text = shortened(listed)
    assert made(text) == plain(listed)
    assert "for cin, c_2, stride, n in (" in text
    assert "*(f(4 * c_2, c_2) for _ in range(n))" in text
    assert len(text.splitlines()) < 20


def test_sizes_that_grow_inside_of_rows_are_counted() -> None:
    def grown(start: Code, depth: int) -> Code:
        items = [call("g", binary(start, "+", binary(n, "*", name("d")))) for n in range(depth)]
        return call("Group", layers=modules(*items), norm=call("g", binary(start, "+", binary(depth, "*", name("d")))))

    listed = modules(*(grown(binary(name("c"), "//", n), 4 * n) for n in (1, 2, 4)))
    text = shortened(listed)
    assert made(text) == plain(listed)
    assert "for i in range(" in text


@pytest.mark.parametrize("count", [2, 5])
def test_what_has_nothing_in_common_stays(count: int) -> None:
    listed = modules(*(call("fg"[n % 2], *range(n + 1)) for n in range(count)))
    assert shortened(listed).count("for ") == 0
    assert made(shortened(listed)) == plain(listed)

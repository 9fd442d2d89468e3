"""The reference is what the declarations, the sources and the docstrings say. `pytest --rewrite` writes it anew."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

import reference_nodes
from ogive import stdlib
from ogive.cli import cli as main
from ogive.compiler.driver.workspace import check_text
from ogive.compiler.elaborate.modules.foreign_names import MEANT
from ogive.compiler.elaborate.rules.builtins import BUILTINS
from ogive.compiler.elaborate.rules.forms import FORMS
from ogive.compiler.elaborate.state.initializer_table import INITIALIZERS, MEANS
from ogive.compiler.ops import NAMED
from ogive.reference import api, library, lookup, operations

ROOT = Path(__file__).parents[1]
NODES = ROOT / "src" / "ogive" / "reference" / operations.NODES
PAGES: dict[str, Callable[[], str]] = {"operations": operations.page, "library": library.page, "api": api.page}


@pytest.fixture(scope="module")
def nodes(request: pytest.FixtureRequest) -> None:
    """What examples become in ONNX, before the page that reads it."""
    text = reference_nodes.text()
    if request.config.getoption("--rewrite"):
        NODES.write_text(text, encoding="utf-8")
    assert NODES.read_text(encoding="utf-8") == text, "pytest --rewrite tests/test_reference_pages.py"


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_current(name: str, rewrite: bool, nodes: None) -> None:
    place, text = ROOT / "docs" / f"{name}.md", PAGES[name]()
    if rewrite:
        place.write_text(text, encoding="utf-8")
    assert place.read_text(encoding="utf-8") == text, "pytest --rewrite tests/test_reference_pages.py"


def test_every_word_is_told() -> None:
    assert INITIALIZERS.keys() == MEANS.keys()
    assert all(each.told[0].startswith(name) and each.told[1].endswith(".") for name, each in BUILTINS.items())
    for name, form in FORMS.items():
        assert form.written.startswith(f"{name}[")
        assert f"{name}[" in form.example
        assert check_text(form.example, "<example>").diagnostics == ()


def explain(name: str) -> tuple[int, str]:
    done = CliRunner().invoke(main, ["explain", name])
    return done.exit_code, done.output


def test_every_name_is_explained() -> None:
    for name in lookup.names():
        assert lookup.explained(name), name


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "conv",
            "conv[stride: size | list = 1, pad: nat | list = 0, dilation: size | list = 1, groups=1, pad_mode=",
        ),
        ("std.nn.Linear", "block Linear[din, dout, bias=true](x: [*b, din]) -> [*b, dout]:"),
        ("Linear", "use std.nn (Linear)"),
        ("nn.Linear", "use std.nn (Linear)"),
        ("std.nn", "Embedding[n, d](ids: int[*b]) -> [*b, d]"),
        ("e0301", "E0301: sizes disagree"),
        ("E0404", "E0404 was split"),
        ("@", "matmul: an operation"),
        ("grad", "grad[f](x)"),
        ("normal", "normal[mean=0.0, std=1.0, seed]"),
        ("per_axis", "per_axis(v, n)"),
        ("torch.cat", "`concat[axis](a, b)`"),
        ("torch.nn.functional.relu", "`relu(x)`"),
        ("unsqueeze", "`expand["),
        ("sum", "a function of compile time"),
    ],
)
def test_explain(name: str, said: str) -> None:
    status, text = explain(name)
    assert status == 0
    assert said in text


@pytest.mark.parametrize(
    ("name", "close"),
    [("convv", "`conv`"), ("softmx", "`softmax`"), ("std.nn.Liner", "`std.nn.Linear`"), ("E030", "`E030")],
)
def test_a_close_name_is_suggested(name: str, close: str) -> None:
    status, text = explain(name)
    assert status == 2
    assert close in text


def test_what_means_nothing_says_where_to_look() -> None:
    status, text = explain("zzzzzz")
    assert status == 2
    assert "`ogive explain` lists" in text


def test_the_list_has_every_name() -> None:
    done = CliRunner().invoke(main, ["explain"])
    words = set(done.output.split())
    blocks = {each.name for part in library.parts().values() for each in part.entries}
    assert {*NAMED, *FORMS, *BUILTINS, *INITIALIZERS, *blocks, "E0301", *stdlib.names()} <= words


def test_names_of_peers_are_explained() -> None:
    for name in MEANT:
        assert lookup.explained(name), name

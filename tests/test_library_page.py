"""docs/library.md lists the library as its sources have it. `pytest --rewrite` writes it anew."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ogive import stdlib
from ogive.grammar.parser import parse
from ogive.grammar.printer import unparse
from ogive.grammar.syntax import Block, Const

PAGE = Path(__file__).parents[1] / "docs" / "library.md"
HEAD = """# The library

Every block of the library, with its statics, its inputs and outputs, and what its source says of it. Weights, defaults
and initial values are those of the layer of torch.nn with the same meaning, where there is one. This page is written
from the sources by `pytest --rewrite tests/test_library_page.py`.

What needs no `use`: the operations of [the language](language.md), and `poset_pool`.
"""


def page() -> str:
    """The page as the sources say it."""
    return "\n".join([HEAD, *(line for name in stdlib.names() for line in module(name))])


def module(name: str) -> Iterator[str]:
    """A section: what the module is, its rules and its blocks."""
    text = stdlib.source(name)
    yield f"## {name}\n"
    yield " ".join(line.removeprefix("# ") for line in opening(text)) + "\n"
    found = parse(text, name).file.declarations
    rules = [f"`{shown(each)}`" for each in found if isinstance(each, Const)]
    if rules:
        yield "Values: " + ", ".join(rules) + ".\n"
    for each in found:
        if isinstance(each, Block):
            yield f"- `{shown(each)}` {' '.join(each.doc.split())}"
    yield ""


def opening(text: str) -> Iterator[str]:
    """The first paragraph of the comment at the head of a file."""
    for line in text.splitlines():
        if not line.startswith("# "):
            return
        yield line


def shown(each: Block | Const) -> str:
    """The head of a declaration, without its conditions and its body."""
    head = next(line for line in unparse(each).splitlines() if line.startswith(("block ", "const ")))
    if isinstance(each, Const):
        return head.removeprefix("const ").partition(" = ")[0]
    return head.removeprefix("block ").removesuffix(":")


def test_the_page_is_current(rewrite: bool) -> None:
    if rewrite:
        PAGE.write_text(page(), encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == page(), "pytest --rewrite tests/test_library_page.py"

"""The library as the reference tells it: each block with its head, what its source says of it, and the source."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from ogive import stdlib
from ogive.grammar.parser import parse
from ogive.grammar.printer import unparse
from ogive.grammar.syntax import Block, Const

HEAD = """# The library

Every block of the library, with its statics, its inputs and outputs, what it does, and its source. Weights, defaults
and initial values are those of the layer of torch.nn with the same meaning, where there is one. `ogive explain Linear`
shows an entry. This page is written from the sources by `pytest --rewrite tests/test_reference_pages.py`.

What needs no `use`: [the operations](operations.md), and `poset_pool`.
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """A block or a rule of the library."""

    module: str
    name: str
    head: str
    doc: str
    source: str
    block: bool


@dataclass(frozen=True, slots=True)
class LibraryPart:
    """A module of the library: the first paragraph of its text, and its entries in the order of the source."""

    name: str
    about: str
    entries: tuple[Entry, ...]


def page() -> str:
    """The page of all modules."""
    lines = [HEAD]
    for part in parts().values():
        lines.append(f"## {part.name}\n\n{part.about}\n")
        lines += [f"### {each.name}\n\n{entry(each)}" for each in part.entries]
    return "\n".join(lines)


def entry(each: Entry) -> str:
    """What is said of one block, in Markdown."""
    use = f"use {each.module} ({each.name})"
    said = [f"```text\n{use}\n{each.head}\n```", each.doc, f"Source:\n\n```text\n{each.source}\n```\n"]
    return "\n\n".join(filter(None, said))


@cache
def parts() -> Mapping[str, LibraryPart]:
    """The modules of the library by name."""
    return {name: _part(name) for name in stdlib.names()}


def _part(name: str) -> LibraryPart:
    text = stdlib.source(name)
    about = " ".join(line.removeprefix("# ") for line in _opening(text))
    declared = [each for each in parse(text, name).file.declarations if isinstance(each, (Block, Const))]
    return LibraryPart(name, about, tuple(_entry(name, each) for each in declared))


def _opening(text: str) -> Iterator[str]:
    """The first paragraph of the comment at the head of a file."""
    for line in text.splitlines():
        if not line.startswith("# "):
            return
        yield line


def _entry(module: str, each: Block | Const) -> Entry:
    body = each.span.text.strip()
    if isinstance(each, Const):
        head = unparse(each).strip().removeprefix("const ").partition(" = ")[0]
        name = head.partition("[")[0].strip()
        return Entry(module, name, head, "A rule of sizes or settings.", body, False)
    lines = [line for line in unparse(each).splitlines() if line and not line.startswith("##")]
    head = next(line for line in lines if line.startswith("block ")).removeprefix("block ").removesuffix(":")
    wheres = [line.removesuffix(":") for line in lines if line.startswith("where ")]
    return Entry(module, each.name, "\n".join([head, *wheres]), " ".join(each.doc.split()), _code(body), True)


def _code(body: str) -> str:
    """The text of a block without the lines that document it."""
    return re.sub(r"(?m)\A(?:##.*\n)+", "", body)


def found(name: str) -> list[Entry]:
    """The entries of a name, `Linear` or `std.nn.Linear`."""
    module, _, last = name.rpartition(".")
    module = module if not module or module.startswith(stdlib.PREFIX) else stdlib.PREFIX + module
    entries = [each for part in parts().values() for each in part.entries]
    return [each for each in entries if each.name == last and module in ("", each.module)]

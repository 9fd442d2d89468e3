"""Programs with something changed in them, in the text or in the tree: most parse, some are right."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ogive import stdlib
from ogive.compiler.ops import OPS
from ogive.grammar import syntax
from ogive.grammar.parser import parse
from ogive.grammar.source import Span

ROOT = Path(__file__).parents[2]
TOKEN = re.compile(r"\w+'*|\|>|>>|->|\*\*|//|[=!<>]=|[^\w\s]|\s+")
VALUES = ["0", "1", "2", "-1", "3", "7", "64", "2**70", "10**9", "0.5", "1e-9", "1e30", "inf", "true", "none", "[]",
          '""', "[1, 2]", "n", "d", "x"]  # fmt: skip
OPERATORS = ["+", "-", "*", "/", "//", "%", "**", "==", "<", ">=", "|>", ">>", "and", "or", "in", ",", ":", "=", "..."]
WRAPS = ["relu({})", "({})", "-{}", "{} + {}", "{} * 2", "{} % 3", "{} // 2", "max({}, 3)", "[{}]", "({} |> relu)",
         "softmax[-1]({})", "sum({})", "{}[:, 0]", "{}[::2]", "concat[0]({}, {})", "cast[int]({})", "repeat {}",
         "grad[{}]", "over[0, {}]", "stop_gradient({})", "given({})", "2**{}", "{} if training else {}"]  # fmt: skip
HEADS = ["repeat 2:", "repeat 3 as again:", "for i in range(2):", "if training:", "if n > 2:", "if given(x):",
         "repeat 2 with i in range(2):", "for i, c in enumerate([1, 2]) as more:"]  # fmt: skip
Spans = list[tuple[int, int]]
Change = Callable[[random.Random, str], str]


@cache
def sources() -> tuple[str, ...]:
    """What is changed: examples, the library, programs of tests; short ones more often."""
    folders = (
        "examples",
        "examples/experiments",
        "tests/language/programs",
        "tests/golden/check",
        "tests/golden/marked",
    )
    paths = [path for folder in folders for path in sorted((ROOT / folder).glob("*.arch"))]
    texts = [path.read_text(encoding="utf-8") for path in paths] + [stdlib.source(name) for name in stdlib.names()]
    pieces = [piece for text in texts for piece in _pieces(text)]
    return (*(text for text in texts if len(text) < 6000), *pieces)


def _pieces(text: str) -> Iterator[str]:
    """Each block of a file alone, behind the imports and constants."""
    found = parse(text).file.declarations
    heads = [each.span.text for each in found if isinstance(each, syntax.Use | syntax.Const)]
    blocks = [each for each in found if isinstance(each, syntax.Block)]
    for block in blocks if len(blocks) > 1 else ():
        given = all(static.default is not None for static in block.statics)
        models = [f"model Piece = {block.name}"] if given else []
        yield "\n".join([*heads, "", block.span.text.rstrip(), *models, ""])


def mutant(seed: str) -> str:
    """The mutant of a seed."""
    rng = random.Random(seed)
    text = rng.choice(sources())
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3))):
        text = rng.choices(CHANGES, WEIGHTS)[0](rng, text)
    return text


# the text


def tokens(rng: random.Random, text: str) -> str:
    """A token deleted, doubled, swapped, replaced or put in."""
    found = TOKEN.findall(text)
    words = [i for i, token in enumerate(found) if not token.isspace()]
    if len(words) < 2:
        return text
    i, j = rng.choice(words), rng.choice(words)
    match rng.randrange(6):
        case 0:
            found[i] = ""
        case 1:
            found[i] += f" {found[i]}"
        case 2:
            found[i], found[j] = found[j], found[i]
        case 3:
            found[i] = found[j]
        case 4:
            found[i] = rng.choice((*VALUES, *OPERATORS, *OPS))
        case _:
            found[i] += f" {rng.choice((*VALUES, *OPERATORS))}"
    return "".join(found)


def numbers(rng: random.Random, text: str) -> str:
    """A number that is another."""
    found = list(re.finditer(r"(?<![\w.])\d+(\.\d+)?(?![\w.])", text))
    if not found:
        return text
    at = rng.choice(found)
    return text[: at.start()] + rng.choice(VALUES[:12]) + text[at.end() :]


def lines(rng: random.Random, text: str) -> str:
    """A line deleted, doubled, moved or indented."""
    found = text.split("\n")
    i, j = rng.randrange(len(found)), rng.randrange(len(found))
    match rng.randrange(4):
        case 0:
            del found[i]
        case 1:
            found.insert(j, found[i])
        case 2:
            found.insert(j, found.pop(i))
        case _:
            found[i] = "    " + found[i]
    return "\n".join(found)


def characters(rng: random.Random, text: str) -> str:
    """Some characters more or less."""
    at = rng.randrange(len(text) + 1)
    more = "".join(rng.choice("()[]:,|>.'\"\n\t #@é\u2028\x00\ufeff=*-x1 ") for _ in range(rng.randrange(4)))
    return text[:at] + more + text[at + rng.randrange(4) :]


# the tree


def nodes(text: str, kind: type) -> list[Any]:
    """The nodes of a kind in a text, from the first to the last."""
    found: list[Any] = []
    stack: list[Any] = [parse(text).file]
    while stack:
        node = stack.pop()
        if isinstance(node, tuple | list):
            stack += node
        elif is_dataclass(node) and not isinstance(node, Span):
            if isinstance(node, kind):
                found.append(node)
            stack += [getattr(node, each.name) for each in fields(node)]
    return sorted((each for each in found if each.span.text), key=lambda each: (each.span.start, each.span.end))


def place(text: str, span: Span) -> int:
    """Where a span begins in the text; chunks are whole lines."""
    starts = [0, *(match.end() for match in re.finditer("\n", text))]
    return starts[span.chunk.line - 1] + span.start


def put(text: str, span: Span, new: str) -> str:
    """The text with another one in place of a span."""
    at = place(text, span)
    return text[:at] + new + text[at + span.end - span.start :]


def expressions(rng: random.Random, text: str) -> str:
    """An expression replaced by another of the file, wrapped, or made a part of itself."""
    found = nodes(text, syntax.Expr)
    if not found:
        return text
    one, other = rng.choice(found), rng.choice(found)
    if rng.random() < 0.5:
        return put(text, one.span, other.span.text)
    return put(text, one.span, rng.choice(WRAPS).replace("{}", one.span.text))


def statements(rng: random.Random, text: str) -> str:
    """A statement deleted, doubled, swapped with another, or put under a head."""
    found = [each for each in nodes(text, syntax.Stmt) if "\n" not in each.span.text.strip()]
    if not found:
        return text
    one, other = rng.choice(found), rng.choice(found)
    indent = re.search(r"[^\n]*\Z", text[: place(text, one.span)])
    before = indent[0] if indent is not None else ""
    body = one.span.text.strip()
    match rng.randrange(4):
        case 0:
            return put(text, one.span, "x = x" if rng.random() < 0.3 else "")
        case 1:
            return put(text, one.span, f"{body}\n{before}{body}")
        case 2:
            return put(text, one.span, other.span.text.strip())
        case _:
            return put(text, one.span, f"{rng.choice(HEADS)}\n{before}    {body}")


def names(rng: random.Random, text: str) -> str:
    """A name that is another everywhere."""
    found = sorted({match for match in re.findall(r"[A-Za-z_]\w*", text)})
    if len(found) < 2:
        return text
    new = rng.choice((*found, "zz", "_", "x", "training", "self", "class"))
    return re.sub(rf"\b{rng.choice(found)}\b", new, text)


CHANGES: tuple[Change, ...] = (tokens, numbers, lines, characters, expressions, statements, names)
WEIGHTS = (1.5, 3.0, 0.7, 0.5, 3.0, 2.0, 1.3)

"""The diagrams of the grammar: whatever way one takes through them, the parser takes it too."""

from __future__ import annotations

import random
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lark import Lark, Token
from lark.lexer import Lexer

ROOT = Path(__file__).parents[2]
WALKS = 400


@pytest.fixture(scope="module")
def railroads() -> Iterator[Any]:
    sys.path.insert(0, str(ROOT / "docs" / "site"))
    try:
        import railroads  # type: ignore[import-not-found]

        yield railroads
    finally:
        sys.path.remove(str(ROOT / "docs" / "site"))


class GivenTokens(Lexer):  # type: ignore[misc]
    """What is parsed are tokens already."""

    def __init__(self, conf: object) -> None:
        pass

    def lex(self, state: Any, parser_state: object = None) -> Any:
        yield from state.text.text if hasattr(state, "text") else state


def walked(rules: dict[str, Any], node: Any, draw: random.Random, left: int, seen: set[str]) -> Iterator[str]:
    """The words and tokens of a way through a node; with nothing left the first one, which soon ends."""
    match node:
        case ("word", text):
            yield text
        case ("rule", name):
            if name in rules:
                seen.add(name)
                yield from walked(rules, rules[name], draw, left - 1, seen)
            else:
                yield name
        case ("row", parts):
            for part in parts:
                yield from walked(rules, part, draw, left, seen)
        case ("choice", parts):
            yield from walked(rules, draw.choice(parts) if left > 0 else parts[0], draw, left, seen)
        case ("maybe", part):
            if left > 0 and draw.random() < 0.5:
                yield from walked(rules, part, draw, left, seen)
        case ("many", part, between):
            yield from walked(rules, part, draw, left, seen)
            while left > 0 and draw.random() < 0.3:
                yield from walked(rules, between, draw, left, seen)
                yield from walked(rules, part, draw, left, seen)


def test_every_way_through_a_diagram_is_a_sentence(railroads: Any) -> None:
    rules, seen = railroads.rules(), set[str]()
    lark = Lark(railroads.GRAMMAR.read_text(encoding="utf-8"), parser="lalr", lexer=GivenTokens)
    names = {each.pattern.value: each.name for each in lark.terminals if each.pattern is not None}
    draw = random.Random(7)
    for _ in range(WALKS):
        told = list(walked(rules, ("rule", "start"), draw, 12, seen))
        lark.parse([Token(names.get(each, each), each) for each in told])
    assert seen == set(rules)


def test_each_rule_and_word_of_the_grammar_is_drawn_and_each_link_leads_somewhere(railroads: Any) -> None:
    text = re.sub(r"(?m)^//.*|%declare.*", "", railroads.GRAMMAR.read_text(encoding="utf-8"))
    page = railroads.page()
    names = set(re.findall(r"(?m)^[!?]*([a-z]\w*):", text))
    assert names == set(railroads.rules()) == set(re.findall(r"^### \w+ \{ #(\w+) \}", page, re.MULTILINE))
    ids = names | {"tokens"}
    assert set(re.findall(r'href="#(\w+)"', page)) <= ids
    drawn = {each for node in railroads.rules().values() for each in re.findall(r'"([^"]+)"', railroads.words(node))}
    assert drawn == set(re.findall(r'"([^"]+)"', text))
    assert set(railroads.TOKENS) >= set(re.findall(r"\b_?[A-Z]+\b", text))

"""Turns arch.lark into tables.json: `python -m ogive.grammar.generate`. The only place that needs lark."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lark import Lark, logger
from lark.grammar import Rule
from lark.lexer import Lexer
from lark.parsers.lalr_analysis import Shift

HERE = Path(__file__).parent
# `repeat n |> f as name`: the label goes to the stage, as everywhere.
KNOWN_CONFLICTS = 1


class _NoLexer(Lexer):  # type: ignore[misc]
    """Our lexer runs without lark; this one only keeps lark from building its own."""

    def __init__(self, conf: Any) -> None:
        pass

    def lex(self, lexer_state: Any, parser_state: Any) -> Iterator[Any]:
        return iter(())


class _Conflicts(logging.Handler):
    """Counts the conflicts that lark resolves by shifting."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.count = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.count += "Shift/Reduce conflict" in record.getMessage()


def tables(grammar: str) -> dict[str, Any]:
    """The LALR(1) tables of a grammar, as plain data.

    `rules` holds [origin, length, action, kids]: `action` is "" for a helper whose kids join their parent's, and "="
    where the only kid stands for the whole; `kids` holds [index, joined] pairs, or null for an optional part left out.
    `rows` are distinct rows of actions (a state to shift to, or ~rule to reduce), `states` the row of each state.
    """
    conflicts = _Conflicts()
    level, handlers = logger.level, logger.handlers
    logger.handlers = [conflicts]
    logger.setLevel(logging.DEBUG)
    try:
        lark = Lark(grammar, parser="lalr", lexer=_NoLexer, maybe_placeholders=True, debug=True)
    finally:
        logger.handlers = handlers
        logger.setLevel(level)
    if conflicts.count != KNOWN_CONFLICTS:
        raise ValueError(f"{conflicts.count} shift/reduce conflicts, expected {KNOWN_CONFLICTS}")
    table = lark.parser.parser._parse_table
    text = {t.name: t.pattern.value for t in lark.terminals}
    number = {rule: i for i, rule in enumerate(lark.rules)}
    names = {rule.origin.name for rule in lark.rules}
    renumbered = _order(table.states, table.start_states["start"])
    rows: list[dict[str, int]] = []
    gotos: list[dict[str, int]] = []
    states: list[list[int]] = []
    for state in renumbered:
        actions: dict[str, int] = {}
        goto: dict[str, int] = {}
        for symbol, (kind, argument) in sorted(table.states[state].items()):
            if symbol in names:
                goto[symbol] = renumbered[argument]
            elif kind is Shift:
                actions[text.get(symbol, symbol)] = renumbered[argument]
            else:
                actions[text.get(symbol, symbol)] = ~number[argument]
        states.append([_place(rows, actions), _place(gotos, goto)])
    return {
        "start": renumbered[table.start_states["start"]],
        "end": renumbered[table.end_states["start"]],
        "rules": [_rule(rule) for rule in lark.rules],
        "rows": rows,
        "gotos": gotos,
        "states": states,
    }


def _order(states: dict[int, dict[str, tuple[Any, Any]]], start: int) -> dict[int, int]:
    """New numbers for the states, in the order a walk from `start` meets them: lark's own vary from run to run."""
    found = {start: 0}
    queue = [start]
    for state in queue:
        for _, (kind, argument) in sorted(states[state].items()):
            if kind is Shift and argument not in found:
                found[argument] = len(found)
                queue.append(argument)
    return found


def _place(rows: list[dict[str, int]], row: dict[str, int]) -> int:
    if row not in rows:
        rows.append(row)
    return rows.index(row)


def _rule(rule: Rule) -> list[Any]:
    name = rule.origin.name
    kids: list[Any] = []
    empties = _empties(rule)
    for i, symbol in enumerate(rule.expansion):
        kids += [None] * empties[i]
        if not (symbol.is_term and symbol.filter_out):
            kids.append([i, not symbol.is_term and symbol.name.startswith("_")])
    kids += [None] * empties[-1]
    action = rule.alias or name
    if not rule.alias and name.startswith("_"):
        action = ""
    elif not rule.alias and rule.options.expand1:
        if len(kids) != 1 or kids[0] is None or kids[0][1]:
            raise ValueError(f"{rule}: give this alternative a name")
        action = "="
    return [name, len(rule.expansion), action, kids]


def _empties(rule: Rule) -> list[int]:
    """How many optional parts were left out before each symbol, and after the last."""
    marks = rule.options.empty_indices
    if not marks:
        return [0] * (len(rule.expansion) + 1)
    return [len(ones) for ones in "".join(str(int(mark)) for mark in marks).split("0")]


def dump(data: dict[str, Any]) -> str:
    """JSON with one row a line, so that a change of the grammar makes a diff that can be read."""
    parts = []
    for key, value in data.items():
        if isinstance(value, list):
            body = ",\n".join(json.dumps(row, separators=(",", ":")) for row in value)
            parts.append(f'"{key}": [\n{body}\n]')
        else:
            parts.append(f'"{key}": {json.dumps(value)}')
    return "{" + ",\n".join(parts) + "}\n"


def generate() -> str:
    """The text that tables.json must hold."""
    return dump(tables((HERE / "arch.lark").read_text(encoding="utf-8")))


if __name__ == "__main__":
    (HERE / "tables.json").write_text(generate(), encoding="utf-8")

"""Runs the parse tables over the tokens of one chunk, and goes on behind a broken statement."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ogive.grammar.lexer import Token
from ogive.grammar.tables import GrammarRule, Tables

# (action, start, end, kids) -> value
Reduce = Callable[[str, int, int, list[Any]], Any]

BROKEN = object()  # stands where a statement could not be read

# What may stand behind a broken statement only because it belonged to it.
_SUITE = ("_NEWLINE", "_INDENT", "stmt+", "_DEDENT")
_FOLLOWERS = frozenset(["elif", "else", "_INDENT", "_DEDENT", "$END"])


@dataclass(slots=True)
class Stack:
    """What has been read: states, and for each but the first its value and where it starts."""

    states: list[int] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Engine:
    """One parse. `fault` hears of every unexpected token, by its index, with the stack as it stands there."""

    tables: Tables
    tokens: Sequence[Token]
    reduce: Reduce
    fault: Callable[[int, Stack], None]
    trailing: bool = False  # whether a whole declaration was read, and then something else stood behind it

    def run(self) -> Any:
        """The value of the whole, or None where it cannot be had."""
        tables, tokens = self.tables, self.tokens
        actions = tables.actions
        stack = Stack([tables.start])
        states, values, starts = stack.states, stack.values, stack.starts
        i, end, quiet = 0, 0, False
        while True:
            token = tokens[i]
            code = actions[states[-1]].get(token[0])
            if code is None:
                if not (quiet and token[0] in _FOLLOWERS):
                    self.fault(i, stack)
                if actions[states[-1]].keys() == {"$END"}:
                    self.trailing = True
                    self.tokens = tokens = [*tokens[:i], ("$END", end, end)]
                    continue
                next_i = self.resume(i, stack, quiet)
                if next_i is None:
                    return None
                i, quiet = next_i, True
            elif code >= 0:
                states.append(code)
                values.append(token)
                starts.append(token[1])
                end = token[2]
                i += 1
                quiet = False
            else:
                rule = tables.rules[~code]
                if rule.unit:
                    states[-1] = tables.lead(states[-2], states[-1], token[0])
                else:
                    self.apply(rule, stack, token[1], end)
                if states[-1] == tables.end:
                    return values[-1] if token[0] == "$END" else None

    def apply(self, rule: GrammarRule, stack: Stack, here: int, end: int) -> None:
        """Replace the parts of a rule by its value."""
        states, values, starts = stack.states, stack.values, stack.starts
        length = rule.length
        start = here
        parts: list[Any] = []
        if length:
            start = starts[-length]
            parts = values[-length:]
            del states[-length:], values[-length:], starts[-length:]
        values.append(self.value(rule, parts, start, max(start, end)))
        starts.append(start)
        states.append(self.tables.gotos[states[-1]][rule.origin])

    def value(self, rule: GrammarRule, parts: list[Any], start: int, end: int) -> Any:
        """What a rule makes of its parts."""
        if rule.action == "=":
            kid = rule.kids[0]
            assert kid is not None
            return parts[kid[0]]
        kids: list[Any] = []
        for kid in rule.kids:
            if kid is None:
                kids.append(None)
            elif not kid[1]:
                kids.append(parts[kid[0]])
            elif kids:
                kids += parts[kid[0]]
            else:
                kids = parts[kid[0]]  # grows in place: a long list costs its length, not the square of it
        if not rule.action:
            return kids
        return self.reduce(rule.action, start, end, kids)

    def resume(self, i: int, stack: Stack, quiet: bool) -> int | None:
        """Take the statement around token `i` as read; where to go on. None if no body holds it.

        Where nothing was read since the last fault (`quiet`), the line at `i` belongs to the broken statement: an
        `else`, or the body below it.
        """
        gotos = self.tables.gotos
        depth = len(stack.states) - 1
        last = stack.values[-1] if depth else None
        if isinstance(last, tuple) and last[:1] == ("_DEDENT",):
            depth -= len(_SUITE)  # a body that is closed, but not yet reduced
        while depth >= 0 and "stmt" not in gotos[stack.states[depth]]:
            depth -= 1
        if depth < 0:
            return None
        del stack.states[depth + 1 :], stack.values[depth:], stack.starts[depth:]
        stack.states.append(gotos[stack.states[depth]]["stmt"])
        stack.values.append(BROKEN)
        stack.starts.append(self.tokens[i][1])
        first = i > 0 and self.tokens[i - 1][0] in ("_NEWLINE", "_DEDENT")
        kind = self.tokens[i][0]
        if kind == "$END":
            return None
        if first and kind != "_INDENT" and not quiet and kind in self.tables.actions[stack.states[-1]]:
            return i
        return self.skip_statement(i)

    def skip_statement(self, i: int) -> int:
        """Behind the line of token `i`, and behind the block that it opens."""
        tokens = self.tokens
        while tokens[i][0] not in ("_NEWLINE", "_INDENT", "_DEDENT", "$END"):
            i += 1
        if tokens[i][0] == "_NEWLINE":
            i += 1
        depth = 0
        while tokens[i][0] in ("_INDENT", "_DEDENT") or depth:
            if tokens[i][0] == "_DEDENT" and not depth:
                break
            depth += {"_INDENT": 1, "_DEDENT": -1}.get(tokens[i][0], 0)
            if tokens[i][0] == "$END":
                break
            i += 1
            if not depth:
                break
        return i

"""Programs laid out otherwise: comments, empty lines and breaks where the language allows them."""

from __future__ import annotations

import random

from ogive.grammar.chunks import cut
from ogive.grammar.lexer import lex
from ogive.grammar.source import Chunk

BEHIND = ("", "", "  # a comment", " \t", "  # block [ ( { |> 'x")
BETWEEN = ("", "", "\n", "# in the first column\n", "            # far right\n", "  ## no documentation\n")
INSIDE = ("", "", "\n        ", "  # a comment (\n      ", "\n\n            # another ]\n   ")
STEPS = ("", "", "\n    ", "  # goes on\n\n      # below\n            ")


def loosened(text: str, rng: random.Random) -> str:
    """The same tokens, with other layout between them."""
    pieces = (_loosened(piece, rng) for piece, _ in cut(text))
    whole = "".join(pieces)
    return whole.replace("\n", "\r\n") if rng.random() < 0.2 else whole


def _loosened(text: str, rng: random.Random) -> str:
    parts: list[str] = []
    done, depth = 0, 0
    for kind, start, end in lex(Chunk(text)).items:
        gap = text[done:start]
        if depth and "\n" not in gap and kind not in (")", "]", "}"):
            gap += rng.choice(INSIDE)
        elif kind in ("|>", ">>") and not depth and "\n" not in gap:
            gap += rng.choice(STEPS)
        parts += [gap, text[start:end]]
        done = end
        depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(kind, 0)
        if kind == "_NEWLINE":
            rest = text[done:].split("\n", 1)[0]
            if not rest.strip() and "\n" in text[done:]:
                parts.append(f"{rest}{rng.choice(BEHIND)}\n{rng.choice(BETWEEN)}")
                done += len(rest) + 1
    return "".join([*parts, text[done:]])

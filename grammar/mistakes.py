"""x"""
from __future__ import annotations
from ogive.grammar.diagnostics import Diagnostic
from ogive.grammar.engine import Stack
from ogive.grammar.lexer import Tokens
from ogive.grammar.source import Chunk, Span

def explain(chunk: Chunk, tokens: Tokens, i: int, stack: Stack) -> Diagnostic:
    kind, start, end = tokens.items[i]
    if kind == "ERROR" and start in tokens.faults:
        return tokens.faults[start]
    return Diagnostic("E0101", f"unexpected {kind}", Span(chunk, start, end))

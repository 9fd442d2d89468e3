"""The language for Pygments: colours in documentation, terminals and papers. An entry point tells Pygments of it."""

from __future__ import annotations

from typing import Any, ClassVar

from pygments.lexer import RegexLexer, bygroups, words
from pygments.token import Comment, Keyword, Name, Number, Operator, Punctuation, String, Text

from ogive.grammar.lexer import HARD, INNER, LEADING

CONSTANTS = ("true", "false", "none")
DECLARING = ("block", "model", "const", "recipe")
NAME = r"[A-Za-z_][A-Za-z0-9_]*'*"
AHEAD = r"(?![A-Za-z0-9_'])"
ELEMENTS = ("float", "int", "bool", "complex", "f16", "bf16", "f32", "f64", "i32", "i64")


class OgiveLexer(RegexLexer):  # type: ignore[misc]
    """Programs in Ogive. Words that only lead a statement are keywords only there."""

    name = "Ogive"
    aliases: ClassVar[list[str]] = ["ogive", "arch"]
    filenames: ClassVar[list[str]] = ["*.arch"]
    url = ""
    version_added = ""
    tokens: ClassVar[dict[str, Any]] = {
        "root": [
            (r"^ogive(?=[ \t]+[0-9])", Keyword),
            (r"##[^\n]*", Comment.Special),
            (r"#[^\n]*", Comment.Single),
            (
                rf"^([ \t]*)({'|'.join(sorted(LEADING))})(?=[ \t]+[A-Za-z0-9_(\-\[\"'.])",
                bygroups(Text, Keyword),
            ),
            (r"\n|[ \t\r\f]+", Text),
            (r'"[^"\n]*"', String),
            (rf"\b({'|'.join(DECLARING)})([ \t]+)({NAME})", bygroups(Keyword.Declaration, Text, Name.Class)),
            (r"\b(use)([ \t]+)([\w./]+)", bygroups(Keyword.Namespace, Text, Name.Namespace)),
            (words(CONSTANTS, suffix=AHEAD), Keyword.Constant),
            (words(sorted(HARD - {*CONSTANTS}), suffix=AHEAD), Keyword),
            (words(sorted(INNER), prefix=r"\b", suffix=r"(?=[ \t]+[A-Za-z_])|(?<=reverse)" + AHEAD), Keyword),
            (words(ELEMENTS, suffix=r"(?=\[)"), Keyword.Type),
            (r"(?:[0-9][0-9_]*(?:\.(?!\.)[0-9_]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?", Number),
            (rf"{NAME}(?=[ \t]*\[)", Name.Function),
            (NAME, Name),
            (r"\|>|>>|->|\.\.\.|\*\*|//|==|!=|<=|>=|[-+*/%@<>=?]", Operator),
            (r"[(){}\[\],:.]", Punctuation),
            (r".", Text),
        ]
    }

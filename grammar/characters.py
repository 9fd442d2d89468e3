"""What is wrong with text that is no token: strange characters, numbers and strings."""

from __future__ import annotations

import unicodedata

from ogive.grammar.diagnostics import Diagnostic, Edit
from ogive.grammar.source import Chunk, Span

# What people write, and what the language says instead. Longer texts first where one begins another.
INSTEAD = (
    ("&&", "write `and`"),
    ("||", "write `or`"),
    ("&", "write `and` for conditions, `logical_and(a, b)` for tensors"),
    ("!", "write `not`"),
    (";", "write one statement a line"),
    ("\\", "a line goes on inside brackets, or begins with `|>`, `>>`, `->` or `where`"),
    ("^", "a power is `**`"),
    ("~", "write `not` for conditions, `logical_not(x)` for tensors"),
    ("@", "write the product between two operands"),
    ("$", "names are letters, digits and `_`"),
    ("→", "write `->`"),
    ("⇒", "write `->`"),
    ("▷", "write `|>`"),
    ("×", "write `*`"),
    ("·", "write `*`"),
    ("÷", "write `/` or `//`"),
    ("−", "write `-`"),
    ("–", "write `-`"),
    ("—", "write `-`"),
    ("≤", "write `<=`"),
    ("≥", "write `>=`"),
    ("≠", "write `!=`"),
    ("√", "write `sqrt`"),
    ("∞", "write `inf`"),
    ("π", "write `pi`"),
    ("…", "write `...`"),
    ("′", "write `'`: primes may end a name"),
    ("“", 'write `"`'),
    ("”", 'write `"`'),
    ("‘", "write `'`"),
    ("’", "write `'`"),
    ("`", "strings stand in `'` or `\"`"),
    ("\u00a0", "write an ordinary blank"),
)


ORDER = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def reordered(chunk: Chunk) -> tuple[Diagnostic, ...]:
    """Characters that nobody sees, and that show the text behind them in another order than it is read."""
    if chunk.text.isascii():
        return ()
    at = next((i for i, char in enumerate(chunk.text) if char in ORDER), None)
    if at is None:
        return ()
    name = unicodedata.name(chunk.text[at]).lower()
    message = f"U+{ord(chunk.text[at]):04X} ({name}) shows the text in another order than it is read"
    return (Diagnostic("E0101", message, Span(chunk, at, at + 1), help="leave it out"),)


def bad_character(span: Span) -> Diagnostic:
    """`span` starts at a character that begins no token."""
    rest = span.chunk.text[span.start : span.start + 2]
    for text, help_ in INSTEAD:
        if rest.startswith(text):
            found = Span(span.chunk, span.start, span.start + len(text))
            shown = "a no-break space" if text == "\u00a0" else f"`{text}`"
            edits = _edit(found)
            return Diagnostic("E0101", f"{shown} is no part of the language", found, help=help_, edits=edits)
    char = rest[0]
    name = unicodedata.name(char, "")
    if char.isprintable():
        message = f"unexpected character `{char}`" + (f" ({name})" if name and not char.isascii() else "")
    else:
        message = f"unexpected character U+{ord(char):04X}"
    help_ = "names are ASCII letters, digits and `_`, then primes" if char.isalnum() else ""
    return Diagnostic("E0101", message, span, help=help_)


CERTAIN = {
    "~": "not ", "&": "and",
    "&&": "and", "||": "or", "^": "**", "→": "->", "⇒": "->", "▷": "|>", "×": "*", "·": "*", "−": "-", "–": "-",
    "≤": "<=", "≥": ">=", "≠": "!=", "√": "sqrt", "∞": "inf", "π": "pi", "…": "...", "′": "'", "\u00a0": " ",
}  # fmt: skip


def _edit(found: Span) -> tuple[Edit, ...]:
    """What is certainly meant."""
    text, after = found.text, found.chunk.text[found.end :]
    if text == ";" and after.lstrip(" \t")[:1] in ("", "\n", "\r", "#"):
        return (Edit(found, ""),)
    if text == "!" and after[:1].isalpha():
        return (Edit(found, "not "),)
    return (Edit(found, CERTAIN[text]),) if text in CERTAIN else ()


def bad_number(span: Span) -> Diagnostic:
    """Digits that run into letters, or too many of them."""
    text = span.text
    if len(text) > 40:
        return Diagnostic("E0101", "this is not a number that the language holds", span)
    digits = text.rstrip("".join(set(text) - set("0123456789.")))
    help_ = "a name starts with a letter or `_`"
    if digits and digits != text and digits.isdigit():
        help_ += f"; a product is `{digits}*{text[len(digits) :]}`"
    return Diagnostic("E0101", f"`{text}` is neither a number nor a name", span, help=help_)


def unfinished_string(span: Span) -> Diagnostic:
    """A quote that nothing closes on its line; `span` runs to the end of the line."""
    text = span.text.rstrip()
    quote = text[0]
    if text.startswith(quote * 3):
        found = Span(span.chunk, span.start, span.start + 3)
        help_ = "a declaration is documented by `## ...` lines above it; other comments begin with `#`"
        return Diagnostic("E0103", f"there are no strings in {quote * 3}", found, help=help_)
    found = Span(span.chunk, span.start, span.start + len(text))
    help_ = f"close it with {quote} on the same line; strings know no escapes"
    return Diagnostic("E0103", "this string is not finished", found, help=help_)

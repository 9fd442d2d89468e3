"""Text of one chunk to tokens: words, soft keywords, and the layout that stands for `{`, `}` and `;`."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ogive.grammar.characters import bad_character, bad_number, unfinished_string
from ogive.grammar.diagnostics import Diagnostic, Edit, Label
from ogive.grammar.source import Chunk, Span

Token = tuple[str, int, int]  # kind (a name in arch.lark, or the text itself), start, end

HARD = frozenset(
    "use const block where param return yield if elif else for in as and or not true false none".split()
)  # fmt: skip
LEADING = frozenset("state update init keep tap scan repeat recipe model extern assume require".split())
# Soft keywords that follow an operand, and the words that lead the statements they stand in.
INNER = {
    "keep": ("param", "state"),
    "with": ("repeat",),
    "along": ("scan",),
    "reverse": ("scan",),
    "carry": ("scan",),
}
SOFT = LEADING | INNER.keys()
KEYWORDS = HARD | SOFT
CONSTANTS = {"True": "true", "False": "false", "None": "none"}

MAX_BRACKETS = 64
MAX_INDENTS = 64
MAX_DIGITS = 400

_OPENERS = {"(": ")", "[": "]", "{": "}"}
_CLOSERS = frozenset(")]}")
_OPERAND_END = frozenset(["NAME", "NUMBER", "STRING", "true", "false", "none", ")", "]", "}", "?", "reverse"])
_SCAN = re.compile(
    r"""[ \t\r\f\ufeff]*(?:
    (?P<NAME>[A-Za-z_][A-Za-z0-9_]*'*)
  | (?P<NUMBER>(?:[0-9][0-9_]*(?:\.(?!\.)[0-9_]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?(?![A-Za-z0-9_]))
  | (?P<STRING>"(?!"")[^"\n]*"|'(?!'')[^'\n]*')
  | (?P<AUGMENTED>(?:\*\*|//|>>|[-+*/%@|&])=(?!=))
  | (?P<OP>\|>|>>|->|\.\.\.|\*\*|//|==|!=|<=|>=|[-+*/%@<>=(){}\[\],:.|?])
  | (?P<NEWLINE>\n|\#[^\n]*)
  | (?P<BAD_NUMBER>[0-9][A-Za-z0-9_.]*)
  | (?P<BAD_STRING>["'][^\n]*)
  | (?P<END>\Z)
  | (?P<BAD>.)
    )""",
    re.VERBOSE,
)
_NEXT_LINE = re.compile(r"(?:[ \t\r\f]*(?:#[^\n]*)?\n)*(?P<indent>[ \t\f]*)\r?(?P<end>#[^\n]*\Z|\Z)?")
_CONTINUATION = re.compile(r"\|>|>>|->|where\b(?!')")
_AFTER_LEADING = re.compile(r"[ \t]+[A-Za-z0-9_]")
# `require -n < 3`, `repeat (n):`: what follows is an expression, and one that starts otherwise than a binding goes on.
_AFTER_EXPRESSION = re.compile(r"[ \t]*\(|[ \t]+[-\[\"'.]")
_EDITION = re.compile(r"[ \t]+[0-9]")
_MODULE = re.compile(r"[ \t]*((?:\.{1,2}/)+[\w./-]*|[A-Za-z_][\w.]*)", re.ASCII)
# A line that starts a statement, whatever bracket is still open above it.
_STATEMENT = re.compile(
    r"(?:return|param|yield|elif|use|const)\b(?!')|(?:if|for|else)\b[^\n]*:[ \t\r]*(?:#[^\n]*)?(?:\n|\Z)"
    r"|(?:state|update|init|tap|scan|repeat|require|assume)[ \t]+[A-Za-z0-9_]"
    r"|[A-Za-z_][A-Za-z0-9_]*'*(?:[ \t]*,[ \t]*[A-Za-z_][A-Za-z0-9_]*'*)*[ \t]*=(?!=)"
)
# Behind an operand it cannot go on in brackets either.
_OPERAND = re.compile(r"(?!(?:if|else|for|in|and|or|not|as)\b)[A-Za-z_0-9\"']")


@dataclass(slots=True)
class Tokens:
    """What the lexer found. `faults` maps an offset to what is wrong there; its token has the kind `ERROR`."""

    items: list[Token] = field(default_factory=list)
    faults: dict[int, Diagnostic] = field(default_factory=dict)
    layout: list[Diagnostic] = field(default_factory=list)  # tabs, odd indentation: reported whatever else is
    unclosed: frozenset[int] = frozenset()  # brackets that nothing closes, by offset


def lex(chunk: Chunk) -> Tokens:
    """The tokens of a chunk, ending in `$END`."""
    tokens = _Lexer(chunk).run()
    return _Lexer(chunk, tokens.unclosed).run() if tokens.unclosed else tokens


class _Lexer:
    """One walk over a chunk. A line that must be a statement closes the brackets above it that are `unclosed`."""

    def __init__(self, chunk: Chunk, unclosed: frozenset[int] = frozenset()) -> None:
        self.chunk = chunk
        self.text = chunk.text
        self.unclosed = unclosed
        self.out = Tokens()
        self.open: list[tuple[str, int]] = []  # brackets
        self.indents = [0]
        self.lead = ""  # the keyword that leads the statement
        self.stopped = False

    def run(self) -> Tokens:
        """Walk to the end."""
        items, text, match = self.out.items, self.text, _SCAN.match
        position = self.first_line()
        while not self.stopped:
            found = match(text, position)
            assert found is not None
            assert found.lastgroup is not None
            kind, (start, position) = found.lastgroup, found.span(found.lastgroup)
            if kind == "OP":
                kind = text[start:position]
                if kind in _OPENERS or kind in _CLOSERS:
                    kind = self.bracket(kind, start)
                items.append((kind, start, position))
            elif kind == "NAME":
                kind = self.word(text[start:position], start, position)
                items.append((kind, start, position))
                if kind == "use" and (module := _MODULE.match(text, position)):
                    position = module.end()
                    items.append(("MODULE", module.start(1), position))
            elif kind == "NEWLINE":
                position = self.newline(position)
            elif kind == "END":
                return self.finish(start)
            elif kind.startswith("BAD") or (kind == "NUMBER" and position - start > MAX_DIGITS):
                position = self.bad(kind, start, position)
            else:
                items.append((kind, start, position))
        items.append(("$END", len(text), len(text)))
        return self.out

    def first_line(self) -> int:
        """Skip what stands above the first token; a first line must not be indented."""
        found = _NEXT_LINE.match(self.text, 1 if self.text.startswith("\ufeff") else 0)
        assert found is not None
        if found["indent"] and found["end"] is None:
            self.report_layout(found.start("indent"), found.end("indent"), "unexpected indentation")
        return found.end() if found["end"] is None else len(self.text)

    def word(self, text: str, start: int, end: int) -> str:
        """The kind of a word: a keyword where it is one, else NAME."""
        if text in CONSTANTS and not (text == "None" and self.indexes(start, end)):
            constant = CONSTANTS[text]
            span = Span(self.chunk, start, end)
            message, edits = f"`{text}` is spelled `{constant}` here", (Edit(span, constant),)
            self.out.layout.append(Diagnostic("E0101", message, span, help=f"write `{constant}`", edits=edits))
            return constant
        if text in CONSTANTS:
            return CONSTANTS[text]
        if text not in KEYWORDS:
            return "ogive" if text == "ogive" and not self.out.items and _EDITION.match(self.text, end) else "NAME"
        if text in HARD:
            if text in ("param", "block", "use", "const"):
                self.lead = text
            return text
        previous = self.out.items[-1][0] if self.out.items else "_NEWLINE"
        inline = previous == ":" and not self.open and self.lead != "recipe"
        if text in LEADING and (previous in ("_NEWLINE", "_INDENT", "_DEDENT") or inline):
            other = text in ("repeat", "require", "assume") and _AFTER_EXPRESSION.match(self.text, end)
            if other or _AFTER_LEADING.match(self.text, end):
                self.lead = text
                return text
        if self.lead in INNER.get(text, ()) and not self.open and previous in _OPERAND_END:
            return text
        return "NAME"

    def indexes(self, start: int, end: int) -> bool:
        """Whether a `None` stands among slices: the new axis of numpy, of which the elaborator speaks."""
        before, after = self.text[:start].rstrip(), self.text[end:].lstrip()
        if before[-1:] not in ("[", ",") or after[:1] not in ("]", ","):
            return False
        inside = before[before.rfind("[") :] + after[: after.find("]")]
        return ":" in inside or "..." in inside

    def bracket(self, text: str, start: int) -> str:
        """Open or close a bracket."""
        if text in _OPENERS:
            self.open.append((text, start))
            if len(self.open) > MAX_BRACKETS:
                return self.stop(start, f"more than {MAX_BRACKETS} nested brackets")
        elif not self.open:
            return self.fault(start, Diagnostic("E0101", f"`{text}` closes nothing", self.at(start)))
        else:
            opener, place = self.open.pop()
            if _OPENERS[opener] != text:
                message = f"`{text}` does not close `{opener}`"
                label = Label(self.at(place), "opened here")
                help_ = f"write `{_OPENERS[opener]}`"
                return self.fault(start, Diagnostic("E0101", message, self.at(start), labels=(label,), help=help_))
        return text

    def newline(self, position: int) -> int:
        """A line ends (or a comment starts): where the text goes on."""
        if self.text[position - 1] != "\n":
            return position
        items = self.out.items
        found = _NEXT_LINE.match(self.text, position)
        assert found is not None
        start = found.end("indent")
        if found["end"] is not None:
            return len(self.text)
        if self.open and not self.ends_brackets(start, found["indent"]):
            return start
        if "\t" in found["indent"]:
            self.report_layout(found.start("indent"), start, "a tab in the indentation")
        if not items or _CONTINUATION.match(self.text, start):
            return start
        self.end_line(start, len(found["indent"].expandtabs(4)))
        return start

    def ends_brackets(self, start: int, indent: str) -> bool:
        """Whether the line at `start` cannot belong to the brackets open above it."""
        if len(indent.expandtabs(4)) > self.indents[-1] or not any(place in self.unclosed for _, place in self.open):
            return False
        beside = self.out.items[-1][0] in _OPERAND_END and _OPERAND.match(self.text, start)
        if not beside and not _STATEMENT.match(self.text, start):
            return False
        self.close_all()
        return True

    def close_all(self) -> None:
        """The brackets still open are a fault just behind the last token."""
        end = self.out.items[-1][2]
        opener, place = self.open[-1]
        message = f"`{opener}` is never closed"
        span = Span(self.chunk, end, end)
        label = Label(self.at(place), "opened here")
        self.fault(end, Diagnostic("E0101", message, span, labels=(label,), help=f"write `{_OPENERS[opener]}`"))
        self.out.items.append(("ERROR", end, end))
        self.open.clear()

    def end_line(self, start: int, width: int) -> None:
        """Close the logical line, and open or close blocks for one that starts at column `width`."""
        items, indents = self.out.items, self.indents
        end = items[-1][2]
        items.append(("_NEWLINE", end, end))
        self.lead = ""
        if width > indents[-1]:
            indents.append(width)
            kind = "_INDENT"
            if len(indents) > MAX_INDENTS:
                kind = self.stop(start, f"more than {MAX_INDENTS} nested blocks")
            items.append((kind, start, start))
            return
        while width < indents[-1]:
            indents.pop()
            items.append(("_DEDENT", end, end))
        if width > indents[-1]:
            line = self.text.rfind("\n", 0, start) + 1
            self.report_layout(line, start, "this indentation matches no line above")
            items.pop()  # the line goes with the block above it
            indents.append(width)

    def bad(self, kind: str, start: int, end: int) -> int:
        """Text that is no token."""
        span = Span(self.chunk, start, end)
        if kind == "BAD":
            diagnostic = bad_character(span)
            end = diagnostic.span.end
        elif kind == "BAD_STRING":
            diagnostic = unfinished_string(span)
            if (quotes := span.text[:3]) in ('"""', "'''"):
                close = self.text.find(quotes, start + 3)
                end = close + 3 if close >= 0 else end
        else:
            diagnostic = bad_number(span)
        self.fault(start, diagnostic)
        self.out.items.append(("ERROR", start, end))
        return end

    def finish(self, end: int) -> Tokens:
        """Close what is open."""
        items = self.out.items
        if self.open:
            self.out.unclosed = frozenset(place for _, place in self.open)
            self.close_all()
        if items:
            self.end_line(end, 0)
        items.append(("$END", end, end))
        return self.out

    def at(self, offset: int) -> Span:
        return Span(self.chunk, offset, min(offset + 1, len(self.text)))

    def fault(self, offset: int, diagnostic: Diagnostic) -> str:
        """Note a fault; the parser reports it when it comes to its token."""
        self.out.faults.setdefault(offset, diagnostic)
        return "ERROR"

    def stop(self, offset: int, message: str) -> str:
        """A limit is reached: nothing behind it is read."""
        self.stopped = True
        return self.fault(offset, Diagnostic("E0701", message, self.at(offset)))

    def report_layout(self, start: int, end: int, message: str) -> None:
        """Note odd indentation, once: what follows would only follow from it."""
        if not any(d.code == "E0102" for d in self.out.layout):
            help_ = "indent with blanks, as in Python: all lines of a body by the same number"
            self.out.layout.append(Diagnostic("E0102", message, Span(self.chunk, start, end), help=help_))

"""Diagnostics as text for people, with excerpts of the source, and as data for tools."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import Any

from ogive.grammar.diagnostics import Diagnostic, Label
from ogive.grammar.source import Span

WIDTH = 160  # no line of an excerpt is longer
_COLORS = {"error": "31", "warning": "33", "hint": "36"}
_TAB = 4


def to_json(diagnostic: Diagnostic) -> dict[str, Any]:
    """A diagnostic as plain data; lines and columns count from 1."""
    return {
        "code": diagnostic.code,
        "severity": diagnostic.severity,
        "message": diagnostic.message,
        **place(diagnostic.span),
        "help": diagnostic.help,
        "note": diagnostic.note,
        "labels": [{**place(label.span), "text": label.text} for label in diagnostic.labels],
        "notes": list(diagnostic.details),
        "counterexamples": [
            {
                "sizes": [{"name": name, "value": number} for name, number in each.sizes],
                "nearby": [{"name": name, "values": list(numbers)} for name, numbers in each.nearby],
            }
            for each in diagnostic.counterexamples
        ],
        "edits": [{**place(edit.span), "text": edit.text, "contract": edit.contract} for edit in diagnostic.edits],
    }


def place(span: Span) -> dict[str, Any]:
    """A place as plain data: a file, and where the text in it begins and ends."""
    line, column = span.begin()
    end_line, end_column = span.finish()
    return {"file": span.path, "line": line, "column": column, "end_line": end_line, "end_column": end_column}


def render(diagnostics: Iterable[Diagnostic], color: bool = False, width: int = WIDTH) -> str:
    """Diagnostics one below the other, each with the lines that it speaks of."""
    return "\n\n".join(_Drawing(diagnostic, color, width).text() for diagnostic in diagnostics)


class _Drawing:
    """One diagnostic on its way to text."""

    def __init__(self, diagnostic: Diagnostic, color: bool, width: int) -> None:
        self.diagnostic = diagnostic
        self.color = color
        self.width = width
        self.marks = [Label(diagnostic.span, diagnostic.note), *diagnostic.labels]
        self.gutter = max(len(str(mark.span.finish()[0])) for mark in self.marks)

    def text(self) -> str:
        """The whole of it."""
        d = self.diagnostic
        head = self.paint(f"{d.severity}[{d.code}]", _COLORS[d.severity]) + self.paint(f": {_visible(d.message)}", "1")
        lines = [head, *self.excerpts()]
        notes = [("help", d.help)] * bool(d.help) + [("note", detail) for detail in d.details]
        if notes:
            lines.append(self.bar(""))
        for word, note in notes:
            first, *rest = map(_visible, note.split("\n"))
            lines.append(" " * self.gutter + self.paint(" = ", "34") + self.paint(word, "1") + f": {first}")
            lines += [" " * (self.gutter + 3 + len(word) + 2) + line for line in rest]
        return "\n".join(line.rstrip() for line in lines)

    def excerpts(self) -> list[str]:
        """The places, file by file, the primary one's first; in each file in source order."""
        lines: list[str] = []
        paths = dict.fromkeys(mark.span.path for mark in self.marks)
        for path in paths:
            marks = [mark for mark in self.marks if mark.span.path == path]
            line, column = marks[0].span.begin()
            arrow = "-->" if path == self.diagnostic.span.path else ":::"
            if not any(mark.span.chunk.text or mark.text for mark in marks):  # a file of weights, which is no text
                lines.append(" " * self.gutter + self.paint(arrow, "34") + f" {_visible(path)}")
                continue
            lines.append(" " * self.gutter + self.paint(arrow, "34") + f" {_visible(path)}:{line}:{column}")
            lines.append(self.bar(""))
            lines += self.excerpt(marks)
        return lines

    def excerpt(self, marks: list[Label]) -> list[str]:
        """The lines of one file that carry marks, each with its marks below."""
        rows: dict[int, list[Label]] = {}
        for mark in marks:
            rows.setdefault(mark.span.begin()[0], []).append(mark)
        lines: list[str] = []
        last = None
        for row in sorted(rows):
            chunk = rows[row][0].span.chunk
            if last is not None and row == last + 2 and (between := _line(rows[row][0].span, row - 1)) is not None:
                lines.append(self.source(row - 1, between))
            elif last is not None and row > last + 1:
                lines.append(" " * (self.gutter - 1) + self.paint("...", "34"))
            text = _line(rows[row][0].span, row) or ""
            cut = self.window(text, min(mark.span.begin()[1] for mark in rows[row]))
            lines.append(self.source(row, text[cut : cut + self.width]))
            for mark in sorted(rows[row], key=lambda mark: mark.span.start):
                lines.append(self.bar(self.carets(mark, text, cut)))
            last = row
            assert chunk is not None
        return lines

    def window(self, text: str, column: int) -> int:
        """How much of the start of a line is left out, so that its first mark is in sight."""
        return 0 if len(text) <= self.width or column <= self.width // 2 else column - self.width // 2

    def carets(self, mark: Label, text: str, cut: int) -> str:
        """The line under a line of source: `^^^ note` for the primary place, `--- words` for another."""
        (line, column), (end_line, end_column) = mark.span.begin(), mark.span.finish()
        start = column - 1
        stop = end_column - 1 if end_line == line else len(text.rstrip())
        stop = min(stop, cut + self.width)
        primary = mark is self.marks[0]
        before = _cells(text[cut:start])
        length = max(1, _cells(text[max(start, cut) : stop]))
        tint = _COLORS[self.diagnostic.severity] if primary else "34"
        note = f" {_visible(mark.text)}" if mark.text else ""
        return " " * before + self.paint(("^" if primary else "-") * length + note, tint)

    def source(self, row: int, text: str) -> str:
        """One line of source behind its number."""
        return self.paint(f"{row:>{self.gutter}} |", "34") + f" {_visible(text)}"

    def bar(self, text: str) -> str:
        """A line without number."""
        return " " * self.gutter + self.paint(" |", "34") + (f" {text}" if text else "")

    def paint(self, text: str, tint: str) -> str:
        """Text in a color of the terminal."""
        return f"\x1b[1;{tint}m{text}\x1b[0m" if self.color else text


def _line(span: Span, row: int) -> str | None:
    """A line of the file, where the span's chunk holds it."""
    lines = span.chunk.text.split("\n")
    index = row - span.chunk.line
    return lines[index].rstrip("\r") if 0 <= index < len(lines) else None


def one_line(text: str) -> str:
    """Text as one line of a terminal may show it."""
    return _visible(" ".join(text.split("\n")))


def _visible(text: str) -> str:
    """Text as a terminal may show it: tabs as blanks, control characters as a sign."""
    return "".join(" " * _TAB if char == "\t" else char if char.isprintable() else "\ufffd" for char in text)


def _cells(text: str) -> int:
    """How many columns of a terminal the text fills."""
    cells = 0
    for char in text:
        if char == "\t":
            cells += _TAB
        elif not unicodedata.combining(char):
            cells += 2 if unicodedata.east_asian_width(char) in "WF" else 1
    return cells

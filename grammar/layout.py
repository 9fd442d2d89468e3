"""Text that may be laid out over several lines: pieces, and the one rule that breaks them.

What fits its line stays on it. Otherwise the outermost piece breaks first. Items between brackets fill lines, aligned
with the first of them, or indented below it where that leaves too little room. A pipeline begins a line with each step
that has brackets. After Wadler, "A prettier printer", 2003, with a fill.
"""

from __future__ import annotations

from dataclasses import dataclass

WIDTH = 100
INDENT = 4
ROOM = 50  # columns that aligned items need at least
HEAD = 24  # columns of what leads a pipeline under which its steps align


@dataclass(frozen=True, slots=True)
class Glued:
    """Pieces one after the other."""

    parts: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Bracketed:
    """Items between brackets, with commas; with `below`, items that do not fit beside the opening begin below it."""

    opening: str
    items: tuple[Piece, ...]
    closing: str
    below: bool = False


@dataclass(frozen=True, slots=True)
class Operated:
    """Terms and the operators in front of all but the first.

    Lines break in front of operators, inside of brackets only; with `apart`, of all where not all fit.
    """

    first: Piece
    rest: tuple[tuple[str, Piece], ...]
    apart: bool = False


@dataclass(frozen=True, slots=True)
class Enclosed:
    """Something in parentheses: what is inside may break."""

    inner: Piece


@dataclass(frozen=True, slots=True)
class PipeRows:
    """A head and the rows below it, each the steps of one line."""

    head: Piece
    rows: tuple[tuple[Piece, ...], ...]


Piece = str | Glued | Bracketed | Operated | Enclosed | PipeRows


def joined(*parts: Piece) -> Piece:
    """Pieces one after the other."""
    return Glued(parts)


def flat(piece: Piece) -> str:
    """The text on one line."""
    match piece:
        case str():
            return piece
        case Glued(parts=parts):
            return "".join(map(flat, parts))
        case Bracketed(opening=opening, items=items, closing=closing):
            return f"{opening}{', '.join(map(flat, items))}{closing}"
        case Operated(first=first, rest=rest):
            return flat(first) + "".join(f" {op} {flat(term)}" for op, term in rest)
        case Enclosed(inner=inner):
            return f"({flat(inner)})"
        case PipeRows(head=head, rows=rows):
            return " ".join([flat(head), *(flat(step) for row in rows for step in row)])


def lay_out(piece: Piece, indent: int = 0, width: int = WIDTH) -> list[str]:
    """The lines of a piece that starts at column `indent`."""
    page = _Page(indent, width)
    page.put(piece, indent, 0, False)
    return page.lines


class _Page:
    """Lines so far; the last grows."""

    def __init__(self, indent: int, width: int) -> None:
        self.lines = [" " * indent]
        self.width = width

    @property
    def column(self) -> int:
        return len(self.lines[-1])

    def fits(self, text: str, tail: int) -> bool:
        return self.column + len(text) + tail <= self.width

    def newline(self, column: int) -> None:
        self.lines[-1] = self.lines[-1].rstrip()
        self.lines.append(" " * column)

    def put(self, piece: Piece, indent: int, tail: int, inside: bool) -> None:
        """Add a piece. `tail` columns must stay free behind it; `inside` of brackets a line may end anywhere."""
        text = flat(piece)
        if isinstance(piece, str) or self.fits(text, tail):
            self.lines[-1] += text
            return
        match piece:
            case Glued(parts=parts):
                for i, part in enumerate(parts):
                    self.put(part, indent, _least(parts[i + 1 :], tail), inside)
            case Bracketed():
                self.bracketed(piece, indent, tail)
            case Enclosed(inner=inner):
                self.lines[-1] += "("
                self.put(inner, self.column, tail + 1, True)
                self.lines[-1] += ")"
            case Operated():
                self.operated(piece, indent, tail, inside)
            case PipeRows(head=head, rows=rows):
                self.steps(head, rows, indent, tail)

    def bracketed(self, piece: Bracketed, indent: int, tail: int) -> None:
        """Items fill lines, aligned with the first one or below the opening."""
        self.lines[-1] += piece.opening
        if not piece.items:
            self.lines[-1] += piece.closing
            return
        column = self.column
        widths = [_width(item) for item in piece.items]
        below = indent + INDENT
        far = column - below > HEAD
        wide = any(column + width >= self.width and (far or below + width < self.width) for width in widths)
        if below < column and (piece.below or wide or self.width - column < ROOM):
            column = below
            self.newline(column)
        last = len(piece.items) - 1
        apart = any(isinstance(item, PipeRows) for item in piece.items)
        for i, item in enumerate(piece.items):
            after = tail + len(piece.closing) if i == last else 1
            if i > 0:
                if not apart and self.fits(" " + flat(item), after):
                    self.lines[-1] += " "
                else:
                    self.newline(column)
            self.put(item, column, after, True)
            self.lines[-1] += piece.closing if i == last else ","

    def operated(self, piece: Operated, indent: int, tail: int, inside: bool) -> None:
        """Terms fill lines, with operators in front, where lines may end."""
        column, rest = self.column, piece.rest
        self.put(piece.first, indent, len(rest[0][0]) + 1 if not inside else 0, inside)
        for i, (operator, term) in enumerate(rest):
            after = tail if i == len(rest) - 1 else 0
            if inside and (piece.apart or not self.fits(f" {operator} {flat(term)}", after)):
                self.newline(column)
            else:
                self.lines[-1] += " "
            self.lines[-1] += f"{operator} "
            self.put(term, column if inside else indent, after, inside)

    def steps(self, head: Piece, rows: tuple[tuple[Piece, ...], ...], indent: int, tail: int) -> None:
        """Each row on its line, below the first where the head is short, else all of them below the head."""
        lines = len(self.lines)
        self.put(head, indent, 0, False)
        column = self.column + 1
        long = column - indent > HEAD or len(self.lines) > lines
        first, least = flat(rows[0][0]), tail if len(rows) == len(rows[0]) == 1 else 0
        if long or (not self.fits(" " + first, least) and indent + INDENT + len(first) + least <= self.width):
            column = indent + INDENT
        whole = True  # whether the step before stands on one line
        for i, row in enumerate(rows):
            for j, step in enumerate(row):
                after = tail if i == len(rows) - 1 and j == len(row) - 1 else 0
                beside = whole if j > 0 else i == 0 and (column == self.column + 1 or not _weighty(step))
                if beside and (column == self.column + 1 or self.fits(" " + flat(step), after)):
                    self.lines[-1] += " "
                else:
                    self.newline(column)
                lines = len(self.lines)
                self.put(step, column, after, False)
                whole = len(self.lines) == lines


def _width(item: Piece) -> int:
    """The columns of the longest part that need not break."""
    if isinstance(item, Bracketed) and len(item.items) == 1:
        return 2 + _width(item.items[0])
    if isinstance(item, Operated) and item.apart:
        return max(_width(item.first), *(len(flat(term)) + len(operator) + 1 for operator, term in item.rest))
    return len(flat(item))


def _weighty(step: Piece) -> bool:
    """Whether a step has brackets."""
    return "[" in flat(step) or "(" in flat(step)


def _least(parts: tuple[Piece, ...], tail: int) -> int:
    """The columns that must follow on the same line: up to where the parts may break."""
    total = 0
    for part in parts:
        if isinstance(part, str):
            total += len(part)
            continue
        lead = part
        if isinstance(lead, Glued):
            return total + _least(lead.parts, 0)
        return total + (len(lead.opening) if isinstance(lead, Bracketed) and lead.items else 1)
    return total + tail

"""What an analysis says: totals and rows, what is unknown, as text and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from math import isfinite
from typing import TYPE_CHECKING, Any

from ogive.compiler.analysis.frame.interpreter import UnknownOp
from ogive.compiler.sizes import Size, Unknown, maximum

if TYPE_CHECKING:
    from ogive.grammar.source import Span

VERSION = 1
WIDEST = 44  # characters of a symbolic value in a table; the whole is in the JSON
MOST = 3  # of how many symbolic values a largest is written out


@dataclass(frozen=True, slots=True)
class Largest:
    """The largest of several sizes: which it is may depend on those that are open."""

    of: tuple[Size, ...]

    def at(self, values: Mapping[Unknown, int]) -> int:
        """The number at numbers."""
        return max((each.at(values) for each in self.of), default=0)

    @property
    def unknowns(self) -> frozenset[Unknown]:
        return frozenset().union(*(each.unknowns for each in self.of))

    def __str__(self) -> str:
        if len(self.of) > MOST:
            return f"the largest of {len(self.of)} sizes"
        return str(maximum(*self.of)) if self.of else "0"

    @staticmethod
    def joined(sizes: Sequence[Size]) -> Largest:
        """Without those that another is never below."""
        kept: list[Size] = []
        for each in dict.fromkeys(sizes):
            if any(_never_below(other, each) for other in kept):
                continue
            kept = [other for other in kept if not _never_below(each, other)]
            kept.append(each)
        return Largest(tuple(kept))


def _never_below(a: Size, b: Size) -> bool:
    """Whether a - b has no negative coefficient, and nothing in it may be negative: enough, and quickly seen."""
    for monomial in {*a.terms, *b.terms}:
        gap = a.terms.get(monomial, 0) - b.terms.get(monomial, 0)
        if gap < 0 or (gap > 0 and any(atom.low is None or atom.low < 0 for atom, _ in monomial)):
            return False
    return True


Cell = Size | Largest | int | float | str | bool | None | Sequence[Any] | Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class AnalysisRow:
    """One line: the path in the model, the block or operation there, and the fields of the analysis."""

    path: str
    op: str
    fields: Mapping[str, Cell]
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class AnalysisResult:
    """Rows and totals of one analysis of one model; `.text()` is a table, `.json()` plain data.

    Symbolic values are sizes of the model's inputs; `sizes` has the numbers that were given for these. `columns` are
    the fields of the table, in order; `notes` stand below it; `chart` is the field that a picture draws, if one.
    """

    analysis: str
    model: str
    options: Mapping[str, Any]
    convention: str
    totals: Mapping[str, Cell]
    rows: tuple[AnalysisRow, ...]
    unknown: tuple[UnknownOp, ...] = ()
    warnings: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    chart: str = ""
    sizes: Mapping[Unknown, int] = field(default_factory=dict)

    def at(self, sizes: Mapping[Unknown, int]) -> AnalysisResult:
        """The same with numbers for sizes of the inputs."""
        return replace(self, sizes={**self.sizes, **sizes})

    def json(self) -> dict[str, Any]:
        """Plain data: the layout is that of `analysis.schema.json`."""
        return {
            "version": VERSION,
            "analysis": self.analysis,
            "options": {key: self._plain(value) for key, value in self.options.items()},
            "model": self.model,
            "convention": self.convention,
            "sizes": {unknown.name: number for unknown, number in self.sizes.items()},
            "totals": {key: self._plain(value) for key, value in self.totals.items()},
            "rows": [
                {"path": row.path, "op": row.op, **_place(row.span)}
                | {key: self._plain(value) for key, value in row.fields.items()}
                for row in self.rows
            ],
            "unknown": [
                {"path": each.path, "op": each.op, **_place(each.span), "reason": each.reason} for each in self.unknown
            ],
            "warnings": list(self.warnings),
        }

    def parameter_groups(
        self, parameters: Iterable[tuple[str, Any]], lr: float, optimizer: str | None = None, weight_decay: float = 0.0
    ) -> list[dict[str, Any]]:
        """Groups for an optimizer of torch, which results of `mup` have. Raises TypeError for those of others."""
        raise TypeError(f"`{self.analysis}` has no groups of parameters: ask `mup`")

    def json_text(self) -> str:
        """The JSON as text."""
        return json.dumps(self.json(), indent=2, ensure_ascii=False)

    def text(self, rows: bool = True) -> str:
        """A table, with totals and what is unknown; without the table where `rows` is off."""
        lines = [f"{self.analysis} of {self.model}" + (f" at {self.at_sizes}" if self.sizes else "")]
        lines += [f"  {self.convention}", ""] if self.convention else [""]
        if rows and self.rows:
            lines += [*_aligned(self.table()), ""]
        width = max((len(key) for key in self.totals), default=0)
        lines += [f"{key.replace('_', ' '):<{width}}  {self._shown(value)}" for key, value in self.totals.items()]
        lines += ["", *self.notes] if self.notes else []
        for each in self.unknown:
            where = f" at {each.path}" if each.path else ""
            lines.append(f"unknown: `{each.op}`{where}{_at(each.span)}: {each.reason}")
        return "\n".join([*lines, *(f"warning: {text}" for text in self.warnings)]) + "\n"

    def table(self) -> list[list[str]]:
        """The rows as texts, below a head."""
        head = ["path", "block", *(column.replace("_", " ") for column in self.columns)]
        body = [
            [row.path or ".", row.op, *(self._cell(row.fields.get(column)) for column in self.columns)]
            for row in self.rows
        ]
        return [head, *body]

    def _repr_html_(self) -> str:
        """What notebooks show: the table, and below it what `.text()` says of the whole."""
        rows = [f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in self.table()]
        shown = f"<table>{''.join(rows)}</table>" if self.rows else ""
        return f"<div>{shown}<pre>{escape(self.text(rows=False))}</pre></div>"

    @property
    def at_sizes(self) -> str:
        """The numbers that were given: `b=1, n=1024`."""
        return ", ".join(f"{unknown.name}={number}" for unknown, number in self.sizes.items())

    def number(self, value: Any) -> int | float | None:
        """A value as a number, None where sizes that are open decide."""
        if isinstance(value, Size | Largest):
            return value.at(self.sizes) if value.unknowns <= self.sizes.keys() else None
        return value if isinstance(value, int | float) else None

    def open(self, value: Any) -> list[str]:
        """The names of the sizes that are open in a value."""
        unknowns = value.unknowns if isinstance(value, Size | Largest) else frozenset()
        return sorted(unknown.name for unknown in unknowns - self.sizes.keys())

    def _plain(self, value: Any) -> Any:
        match value:
            case Size() | Largest():
                return {"expr": str(value), "value": self.number(value)}
            case Mapping():
                return {str(key): self._plain(each) for key, each in value.items()}
            case list() | tuple():
                return [self._plain(each) for each in value]
            case float() if not isfinite(value):
                return str(value)  # JSON has no infinities
            case _:
                return value

    def _shown(self, value: Any) -> str:
        match value:
            case Size() | Largest():
                number = self.number(value)
                return str(value) if number is None else f"{number:,}"
            case bool():
                return "yes" if value else "no"
            case int():
                return f"{value:,}"
            case float():
                return f"{value:.6g}"
            case None:
                return ""
            case list() | tuple():
                return ", ".join(map(self._shown, value))
            case _:
                return str(value)

    def _cell(self, value: Any) -> str:
        text = self._shown(value)
        return text if len(text) <= WIDEST else text[: WIDEST - 3] + "..."


def _place(span: Span | None) -> dict[str, Any]:
    return {"file": None, "line": None} if span is None else {"file": span.path, "line": span.begin()[0]}


def _at(span: Span | None) -> str:
    return "" if span is None else f" ({span.path}:{span.begin()[0]})"


def _aligned(table: Sequence[Sequence[str]]) -> list[str]:
    """Columns of one width; those of numbers end at the right."""
    head, *body = table
    widths = [max(len(row[at]) for row in table) for at in range(len(head))]
    right = [at > 1 and all(not row[at] or row[at][0].isdigit() for row in body) for at in range(len(head))]

    def line(row: Sequence[str]) -> str:
        cells = zip(row, widths, right, strict=True)
        return "  ".join(text.rjust(width) if ends else text.ljust(width) for text, width, ends in cells).rstrip()

    return [line(head), *map(line, body)]

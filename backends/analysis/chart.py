"""A report of analyses as one page, and the picture of one: a bar for each row, in the order of the model."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from ogive.backends.diagram.figure.metrics import width as text_width
from ogive.backends.diagram.figure.palettes import DARK, LIGHT, Palette
from ogive.backends.diagram.figure.theme import Theme
from ogive.compiler.analysis.frame.result import AnalysisResult

BAR, ROW, REACH, GAP = 12.0, 20.0, 420.0, 10.0
SIZE, SMALL, MARGIN = 12.0, 10.0, 14.0


class NoNumbersError(Exception):
    """A picture was asked of values that are formulas; the text says which."""


def chart_svg(result: AnalysisResult) -> str:
    """Bars of the field that the analysis draws. Raises NoNumbersError where a value is not a number yet."""
    bars = _bars(result)
    title = f"{result.chart.replace('_', ' ')} of {result.model}"
    if result.sizes:
        title += f" at {result.at_sizes}"
    left = MARGIN + max((text_width(label, SIZE) for label, _ in bars), default=0) + GAP
    most = max((value for _, value in bars), default=0) or 1
    right = max((text_width(f"{value:,}", SMALL) for _, value in bars), default=0)
    across, down = left + REACH + GAP + right + MARGIN, MARGIN + 24 + ROW * len(bars) + MARGIN
    across = max(across, 2 * MARGIN + text_width(title, 14))
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{across:.0f}" height="{down:.0f}" '
        f'viewBox="0 0 {across:.0f} {down:.0f}">\n<title>{escape(title)}</title>\n'
        f"<desc>{escape('; '.join(f'{label}: {value:,}' for label, value in bars))}</desc>\n"
        f"<style>{_style()}</style>",
        '<rect class="ground" width="100%" height="100%"/>',
        f'<text class="ink" x="{MARGIN}" y="{MARGIN + 12}" font-size="14" font-weight="bold">{escape(title)}</text>',
    ]
    for at, (label, value) in enumerate(bars):
        top = MARGIN + 24 + ROW * at
        long = REACH * value / most
        lines += [
            f'<text class="ink" x="{left - GAP:.1f}" y="{top + BAR - 1.5:.1f}" font-size="{SIZE}" '
            f'text-anchor="end">{escape(label)}</text>',
            f'<rect class="bar" x="{left:.1f}" y="{top:.1f}" width="{max(long, 0.5):.1f}" height="{BAR}"/>',
            f'<text class="muted" x="{left + long + 5:.1f}" y="{top + BAR - 2:.1f}" '
            f'font-size="{SMALL}">{value:,}</text>',
        ]
    return "\n".join([*lines, "</svg>", ""])


def chart_html(results: Sequence[AnalysisResult]) -> str:
    """One self-contained page: tables, what is unknown, and pictures where there are numbers."""
    title = escape(f"{', '.join(result.analysis for result in results)} of {results[0].model}")
    body = "\n".join(map(_section, results))
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{title}</title>\n<style>{_style()}{TABLE}</style></head>\n<body>\n{body}\n</body></html>\n"
    )


TABLE = (
    "body{font:14px Helvetica,Arial,sans-serif;margin:2em}table{border-collapse:collapse}svg{max-width:100%}"
    "th,td{padding:.2em .8em;text-align:right;border-bottom:1px solid}td:nth-child(-n+2),th:nth-child(-n+2)"
    "{text-align:left}pre{white-space:pre-wrap}"
)


def _style() -> str:
    dark = f"@media (prefers-color-scheme:dark){{{_colours(DARK)}}}"
    return f"{_colours(LIGHT)}{dark}text{{font-family:{Theme().family}}}"


def _colours(palette: Palette) -> str:
    return (
        f".ground{{fill:{palette.ground}}}.ink{{fill:{palette.ink}}}.muted{{fill:{palette.muted}}}"
        f".bar{{fill:{palette.changed}}}body{{color:{palette.ink};background:{palette.ground}}}"
        f"th,td{{border-color:{palette.shade}}}"
    )


def _section(result: AnalysisResult) -> str:
    head, *body = result.table()
    cells = "".join(f"<th>{escape(text)}</th>" for text in head)
    rows = "\n".join("<tr>" + "".join(f"<td>{escape(text)}</td>" for text in row) + "</tr>" for row in body)
    try:
        picture = chart_svg(result) if result.chart else ""
    except NoNumbersError:
        picture = ""  # the table has the formulas
    return (
        f"<h1>{escape(result.analysis)} of {escape(result.model)}</h1>\n{picture}\n"
        f"<table><thead><tr>{cells}</tr></thead><tbody>\n{rows}\n</tbody></table>\n"
        f"<pre>{escape(result.text(rows=False))}</pre>"
    )


def _bars(result: AnalysisResult) -> list[tuple[str, int | float]]:
    if not result.chart:
        raise NoNumbersError(f"`{result.analysis}` has no picture: its table is `-o report.html`")
    found: list[tuple[str, int | float]] = []
    for row in result.rows:
        if not row.path:
            continue
        value = result.number(row.fields.get(result.chart))
        if value is None:
            open_ = ", ".join(result.open(row.fields.get(result.chart)))
            raise NoNumbersError(f"a picture needs numbers: give {open_} by `-s`")
        found.append((row.path, value))
    return found

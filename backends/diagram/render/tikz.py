"""TikZ from the same coordinates as the SVG: a picture with the font and the size of the text around it, or a document.

A pixel is 3/40 of the size of the text: labels of 12 pixels have 9 pt in a document of 10 pt. Text that a wider font
would make longer than was measured is narrowed. Each operation is a named node, to which an author may draw.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from ogive.backends.diagram.figure.geometry import PATHS, RARE, TEXTS, Command, Dot, Drawing, Group, Item, Path, Text
from ogive.backends.diagram.figure.labels import TextRun, small, written
from ogive.backends.diagram.figure.palettes import Palette
from ogive.backends.diagram.figure.theme import Theme, of_drawing

WIDTHS = {"wire": "1.3", "thin": "1", "bold": "2.4", "thick": "3.2", "": ""}
# what LaTeX's text fonts lack, as mathematics
MATH = {
    "⌊": r"\lfloor ", "⌋": r"\rfloor ", "⌈": r"\lceil ", "⌉": r"\rceil ", "·": r"\cdot ", "−": "-", "×": r"\times ",
    "÷": r"\div ", "√": r"\surd ", "≤": r"\le ", "≥": r"\ge ", "≠": r"\ne ", "∞": r"\infty ", "∧": r"\wedge ",
    "∨": r"\vee ", "¬": r"\neg ", "∃": r"\exists ", "∀": r"\forall ", "Σ": r"\Sigma ", "∏": r"\prod ",
    "∇": r"\nabla ",
    "→": r"\to ", "←": r"\gets ", "∗": r"\ast ", "∘": r"\circ ", "…": r"\ldots ", "✗": r"\times ", "⁻": "^{-}",
    "¹": "^{1}", "²": "^{2}", "³": "^{3}",
    "₊": "_{+}", "ℂ": r"\mathrm{C}", "<": "<", ">": ">", "′": "'",
    "Γ": r"\Gamma ", "α": r"\alpha ",
    "β": r"\beta ", "γ": r"\gamma ", "δ": r"\delta ", "ε": r"\epsilon ", "θ": r"\theta ",
    "λ": r"\lambda ", "μ": r"\mu ", "ρ": r"\rho ", "σ": r"\sigma ", "τ": r"\tau ", "φ": r"\phi ", "ψ": r"\psi ",
    "ω": r"\omega ", "π": r"\pi ", "|": "|", "=": "=", "+": "+", "Α": r"\mathrm{A}", "Ω": r"\Omega ",
    "≪": r"\ll ", "≫": r"\gg ", "⊕": r"\oplus ", "∠": r"\angle ", "★": r"\star ", "𝔼": r"\mathbb{E}",
    "\ufffd": r"\Box ", **{chr(0x2080 + digit): f"_{{{digit}}}" for digit in range(10)},
}  # fmt: skip
FACES = {"label": r"\itshape", "float": r"\itshape", "bold": r"\bfseries\boldmath", "title": r"\bfseries\boldmath"}
PREAMBLE = (r"\documentclass{article}", r"\usepackage{fix-cm}", r"\usepackage{amsmath,amssymb}", r"\usepackage{tikz}")
# a page as large as the picture, without a class that not every installation has
PAGE = (
    r"\hoffset=-1in \voffset=-1in",
    r"\ifdefined\pdfpagewidth \pdfpagewidth=\wd0 \pdfpageheight=\ht0 \else \pagewidth=\wd0 \pageheight=\ht0 \fi",
    r"\shipout\box0",
)
ESCAPES = {"\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
           "–": "--"}  # fmt: skip


UNIT = 75 / 1000  # of the size of the text around it: a pixel
ALLOCATED = r"\ifdefined\ncdunit\else\newdimen\ncdunit\fi"
MACROS = (
    r"\def\ncdsize#1{\fontsize{\the\dimexpr#1\ncdunit\relax}{\the\dimexpr#1\ncdunit\relax}\selectfont}",
    r"\def\ncdtext#1#2{\setbox0\hbox{#2}\ifdim\wd0>\dimexpr#1\ncdunit\relax\resizebox{#1\ncdunit}{!}{\box0}\else\box0\fi}",
)
SLACK = 4  # pixels by which a text may be wider than it was measured: so much is free around it
DOCUMENT_SIZE = 13.383  # at which a pixel is a big point; where the width is given, 0.75 of one


def tikz(drawing: Drawing, theme: Theme | None = None) -> str:
    """A document as large as the picture."""
    theme = theme or Theme()
    size = DOCUMENT_SIZE * (1.0 if theme.page is None else 0.75)
    lines = [*_told(drawing), *PREAMBLE, r"\begin{document}%"]
    lines.append(rf"\setbox0=\hbox{{\fontsize{{{size:.3f}}}{{{size:.3f}}}\selectfont\sffamily%")
    return "\n".join([*lines, picture(drawing, theme).rstrip("\n") + "%", "}%", *PAGE, r"\end{document}"]) + "\n"


def snippet(drawing: Drawing, theme: Theme | None = None) -> str:
    """The picture alone, for `\\input` in a document that uses the package tikz."""
    told = [*_told(drawing), r"% \usepackage{tikz}, then \input this file where the picture is to stand"]
    return "\n".join([*told, picture(drawing, theme or Theme())])


def _told(drawing: Drawing) -> list[str]:
    return [f"% {line.encode('ascii', 'replace').decode()}" for line in drawing.alt.splitlines()]


def picture(drawing: Drawing, theme: Theme) -> str:
    """A `tikzpicture` with all that it needs, in a group of its own."""
    theme = of_drawing(theme, drawing)
    unit = rf"\ncdunit=\dimexpr\csname f@size\endcsname pt*{round(UNIT * 10000 * drawing.scale)}/10000\relax"
    lines = [rf"{line}%" for line in (r"\begingroup", ALLOCATED, unit, *MACROS)]
    lines += [f"{line}%" for line in (*_colours(theme.palette), *_styles(theme))]
    lines.append(r"\begin{tikzpicture}[x=\ncdunit,y=-\ncdunit]")
    lines.append(rf"\path[use as bounding box] (0,0) rectangle ({number(drawing.width)},{number(drawing.height)});")
    lines += [text for item in drawing.items for text in _item(item, theme)]
    lines += _nodes(drawing.groups)
    return "\n".join([*lines, r"\end{tikzpicture}%", r"\endgroup"]) + "\n"


def _nodes(groups: Iterable[Group]) -> Iterator[str]:
    """An empty node over each operation, by its place, or by what it is."""
    taken: dict[str, int] = {}
    for group in groups:
        name = _named(group.path) or _named(group.name) or "op"
        taken[name] = taken.get(name, 0) + 1
        unique = name if taken[name] == 1 else f"{name}-{taken[name]}"
        left, top, right, bottom = group.core or group.box
        size = f"minimum width={number(right - left)}\\ncdunit,minimum height={number(bottom - top)}\\ncdunit"
        at = f"({number((left + right) / 2)},{number((top + bottom) / 2)})"
        yield rf"\node[ncdop,{size}] ({unique}) at {at} {{}};"


def _named(text: str) -> str:
    """A text as the name of a node: letters and digits of the basic alphabet, with strokes between them."""
    return "-".join(re.findall(r"[A-Za-z0-9_]+", text.replace(".*", "")))


def number(value: float) -> str:
    """One decimal at most."""
    text = f"{value:.1f}"
    text = text[:-2] if text.endswith(".0") else text
    return "0" if text == "-0" else text


def _colours(palette: Palette) -> Iterator[str]:
    for name in ("ink", "muted", "fill", "slab", "shade", "plate", "added", "removed", "changed", "marked", *RARE):
        yield rf"\definecolor{{ncd{name}}}{{HTML}}{{{getattr(palette, name).lstrip('#').upper()}}}"


def _styles(theme: Theme) -> Iterator[str]:
    yield r"\tikzset{"
    for name, (width, stroke, fill, dashes) in PATHS.items():
        parts = [f"draw=ncd{stroke}" if stroke else "draw=none"]
        parts += [f"fill=ncd{fill}"] if fill else []
        parts += [rf"line width={theme.wire if width == 'wire' else WIDTHS[width]}\ncdunit"] if width else []
        parts += [r"dash pattern=on 3\ncdunit off 3\ncdunit"] if dashes else []
        yield f"  ncd{name}/.style={{{', '.join(parts)}, line cap=round, line join=round}},"
    for name in TEXTS:
        colour = "ncdmuted" if name in ("caption", "legend") else "ncdink"
        yield f"  ncdtext{name}/.style={{text={colour}, inner sep=0, outer sep=0}},"
    for change in ("added", "removed", "changed", "marked"):
        dash = r", dash pattern=on 5\ncdunit off 3\ncdunit" if change == "removed" else ""
        yield f"  ncd{change}/.style={{draw=ncd{change}, text=ncd{change}{dash}}},"
    yield r"  ncdwrong/.style={draw=ncdremoved, line width=2.4\ncdunit, dash pattern=on 5\ncdunit off 3\ncdunit},"
    yield "  ncdop/.style={shape=rectangle, draw=none, inner sep=0, outer sep=0},"
    yield "}"


def _item(item: Item, theme: Theme) -> Iterator[str]:
    if isinstance(item, Path):
        styles = [f"ncd{item.style}"] + ([f"ncd{item.change}"] if item.change else [])
        styles += ["ncdwrong"] if item.wrong and item.style != "solid" else []
        yield rf"\path[{','.join(styles)}] {path(item.commands)};"
    elif isinstance(item, Dot):
        colour = f"ncd{item.change}" if item.change else "ncdink"
        yield rf"\fill[{colour}] ({number(item.x)},{number(item.y)}) circle[radius={number(item.radius)}];"
    else:
        yield _text(item, theme)


def path(commands: Iterable[Command]) -> str:
    """The commands of a path."""
    parts: list[str] = []
    for name, points in commands:
        pairs = [f"({number(x)},{number(y)})" for x, y in zip(points[::2], points[1::2], strict=True)]
        if name == "Z":
            parts.append("-- cycle")
        elif name == "C":
            parts.append(f".. controls {pairs[0]} and {pairs[1]} .. {pairs[2]}")
        else:
            parts.append(pairs[0] if name == "M" else f"-- {pairs[0]}")
    return " ".join(parts)


def _text(item: Text, theme: Theme) -> str:
    anchor = {"start": "base west", "middle": "base", "end": "base east"}[item.anchor]
    styles = [f"ncdtext{item.style}", f"anchor={anchor}"] + ([f"ncd{item.change}"] if item.change else [])
    face = FACES.get(item.style, "")
    # braces within the node's: a bold face settles its mathematics where its group ends, which no path may see
    body = "".join(_run(run, item.size, theme) for run in written(item.text, item.style))
    body = f"\\ncdsize{{{number(item.size)}}}{face} {body}"
    body = f"\\ncdtext{{{number(item.width * 1.06 + SLACK)}}}{{{body}}}" if item.width else body
    return rf"\node[{','.join(styles)}] at ({number(item.x)},{number(item.y)}) {{{{{body}}}}};"


def _run(run: TextRun, size: float, theme: Theme) -> str:
    text = escaped(run.text)
    if not run.level:
        return text
    height = number(small(size, theme.least))
    shift = "-0.22em" if run.level < 0 else "0.35em"
    return rf"\raisebox{{{shift}}}{{\ncdsize{{{height}}}{text}}}"


def escaped(text: str) -> str:
    """Characters as LaTeX reads them; those that no font here has, as a question mark."""
    return "".join(_escaped(char) for char in text)


def _escaped(char: str) -> str:
    if char in "#$%&_":
        return "\\" + char
    if char in ESCAPES:
        return ESCAPES[char]
    if char in MATH:
        return f"${MATH[char]}$"
    return char if ord(char) < 256 else "?"

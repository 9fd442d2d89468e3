"""TikZ: a standalone document that pdflatex compiles, from the same coordinates as the SVG."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ogive.backends.diagram.figure.geometry import PATHS, ROLES, TEXTS, Command, Dot, Drawing, Item, Path, Text
from ogive.backends.diagram.figure.labels import TextRun, small, written
from ogive.backends.diagram.figure.theme import Palette, Theme

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


def tikz(drawing: Drawing, theme: Theme | None = None) -> str:
    """A document; its `tikzpicture` may be copied into a paper along with the styles."""
    theme = theme or Theme()
    lines = [f"% {line.encode('ascii', 'replace').decode()}" for line in drawing.alt.splitlines()]
    lines += [*PREAMBLE, *_colours(theme.palette), *_styles(theme), r"\begin{document}%"]
    lines += [r"\setbox0=\hbox{\begin{tikzpicture}[x=1bp,y=-1bp]"]
    lines.append(rf"\path[use as bounding box] (0,0) rectangle ({number(drawing.width)},{number(drawing.height)});")
    lines += [text for item in drawing.items for text in _item(item, theme)]
    return "\n".join([*lines, r"\end{tikzpicture}}%", *PAGE, r"\end{document}"]) + "\n"


def number(value: float) -> str:
    """One decimal at most."""
    text = f"{value:.1f}"
    text = text[:-2] if text.endswith(".0") else text
    return "0" if text == "-0" else text


def _colours(palette: Palette) -> Iterator[str]:
    for name in ("ink", "muted", "fill", "slab", "shade", "plate", "added", "removed", "changed", *ROLES):
        yield rf"\definecolor{{ncd{name}}}{{HTML}}{{{getattr(palette, name).lstrip('#').upper()}}}"


def _styles(theme: Theme) -> Iterator[str]:
    yield r"\tikzset{"
    for name, (width, stroke, fill, dashes) in PATHS.items():
        parts = [f"draw=ncd{stroke}" if stroke else "draw=none"]
        parts += [f"fill=ncd{fill}"] if fill else []
        parts += [f"line width={theme.wire if width == 'wire' else WIDTHS[width]}bp"] if width else []
        parts += ["dash pattern=on 3bp off 3bp"] if dashes else []
        yield f"  ncd{name}/.style={{{', '.join(parts)}, line cap=round, line join=round}},"
    for name in TEXTS:
        colour = "ncdmuted" if name in ("caption", "legend") else "ncdink"
        yield f"  ncdtext{name}/.style={{text={colour}, inner sep=0, outer sep=0}},"
    for change in ("added", "removed", "changed"):
        dash = ", dash pattern=on 5bp off 3bp" if change == "removed" else ""
        yield f"  ncd{change}/.style={{draw=ncd{change}, text=ncd{change}{dash}}},"
    yield "  ncdwrong/.style={draw=ncdremoved, line width=2.4bp, dash pattern=on 5bp off 3bp},"
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
    # the text, on the width that was measured: LaTeX's own sans serif is a little narrower, never wider
    face = FACES.get(item.style, "")
    size = f"\\fontsize{{{number(item.size * 0.95)}}}{{{number(item.size * 1.2)}}}\\selectfont\\sffamily{face}"
    # braces within the node's: a bold face settles its mathematics where its group ends, which no path may see
    body = "".join(_run(run, item.size, theme) for run in written(item.text, item.style))
    return rf"\node[{','.join(styles)}] at ({number(item.x)},{number(item.y)}) {{{{{size} {body}}}}};"


def _run(run: TextRun, size: float, theme: Theme) -> str:
    text = escaped(run.text)
    if not run.level:
        return text
    height = number(small(size, theme.least) * 0.95)
    shift = "-0.22em" if run.level < 0 else "0.35em"
    return rf"\raisebox{{{shift}}}{{\fontsize{{{height}}}{{{height}}}\selectfont {text}}}"


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

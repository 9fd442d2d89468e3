"""Labels: sizes as mathematics, and text as runs with subscripts and superscripts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from ogive.backends.diagram.figure.metrics import width
from ogive.compiler.ir.model import Const, Scalar
from ogive.compiler.sizes import Size


@dataclass(frozen=True, slots=True)
class TextRun:
    """Characters on one baseline: 0 the line, 1 raised, -1 lowered."""

    text: str
    level: int = 0
    symbol: bool = False  # not in the fonts of the text


GREEK = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "eps": "ε", "epsilon": "ε", "theta": "θ", "lambda": "λ",
    "mu": "μ", "rho": "ρ", "sigma": "σ", "tau": "τ", "phi": "φ", "omega": "ω", "pi": "π",
}  # fmt: skip
LOW = str.maketrans("₊₀₁₂₃₄₅₆₇₈₉", "+0123456789")  # lowered in every text
_LOWERED = re.compile("[₊₀-₉]+")
_SHIFTED = re.compile(r"(?<=[A-Za-zα-ωΑ-Ω])_?(\d+)\b|(?<=\w)_(\w{1,3})\b|\^(\w+|\([^)]*\))|[₊₀-₉]+")
SIGNS = {"+": " + ", "-": " − ", "*": "·", "/": "/", "//": "/", "%": " mod ", "**": "^"}
LABELS = 4096  # of sizes that are kept: a figure writes each many times
SUBSCRIPT = 0.72  # of the size of the line, and never below the least size of the theme


def written(text: str, style: str) -> tuple[TextRun, ...]:
    """The runs of a text of that style: labels are mathematics; in others only what is lowered already stands low."""
    return runs(text, plain=style not in ("label", "legend"))


def lowered(number: int) -> str:
    """A number as a subscript."""
    return "".join(chr(0x2080 + int(digit)) for digit in str(number))


def runs(text: str, plain: bool = False) -> tuple[TextRun, ...]:
    """`x_t` and `b1` get a subscript, `n^2` a superscript, unless `plain`; the rest stands on the line."""
    found: list[TextRun] = []
    at = 0
    for match in re.finditer(_LOWERED if plain else _SHIFTED, text):
        if match.start() > at:
            found.append(TextRun(text[at : match.start()]))
        low = match.group().translate(LOW) if match.group()[0] in "₊₀₁₂₃₄₅₆₇₈₉" else match.group(1) or match.group(2)
        found.append(TextRun(low, -1) if low else TextRun(match.group(3).strip("()"), 1))
        at = match.end()
    if at < len(text):
        found.append(TextRun(text[at:]))
    return tuple(part for run in found for part in symbols(run))


def symbols(run: TextRun) -> Iterator[TextRun]:
    """The run, cut where other fonts are needed."""
    for part in re.split(f"([{SYMBOLS}]+)", run.text):
        if part:
            yield TextRun(part, run.level, part[0] in SYMBOLS)


SYMBOLS = "⌊⌋⌈⌉∗✗∘ℂ∃∀∧∨∇𝔼★"


def small(size: float, least: float) -> float:
    """The size of a subscript."""
    return max(least, size * SUBSCRIPT)


@lru_cache(LABELS)
def text_width(text: str, size: float, least: float, bold: bool = False, plain: bool = False) -> float:
    """How wide a label is; in `plain` text nothing is raised or lowered that is not so already."""
    return sum(width(run.text, small(size, least) if run.level else size, bold) for run in runs(text, plain))


def size_label(size: Size | int | str, divides: Iterable[tuple[str, str]] = ()) -> str:
    """A size as it stands in a paper: `4*d` is 4d, `d//h` is d/h where h is known to divide d, else ⌊d/h⌋."""
    text = str(size)
    return text if text.isdigit() else _size_label(text, tuple(divides))


@lru_cache(LABELS)
def _size_label(text: str, divides: tuple[tuple[str, str], ...]) -> str:
    if text.startswith("*"):
        return text  # a pack
    for whole, part in divides:
        whole = whole[1:-1] if whole.startswith("(") and _closes(whole) else whole
        for quotient in (f"{_wrapped(whole)}//{_wrapped(part)}", f"({whole}//{part})"):
            text = text.replace(f"{_wrapped(part)}*({quotient.strip('()')})", whole)
            text = text.replace(quotient, f"{_wrapped(whole)}/{_wrapped(part)}")
    text = _reduced(_floors(text).replace("**", "^"))
    text = re.sub(r"(?<=[\d)])\*(?=[A-Za-z(⌊])", "", text)
    return _greek(text.replace("*", "·").replace(" - ", " − "))


def _wrapped(text: str) -> str:
    return text if re.fullmatch(r"[\w']+", text) else f"({text})"


def _floors(text: str) -> str:
    """Quotients in floor brackets, the operands found by their parentheses."""
    while (at := text.find("//")) >= 0:
        left = _operand(text, at - 1, -1)
        right = _operand(text, at + 2, 1)
        top, bottom = text[left:at], text[at + 2 : right]
        inner = top[1:-1] if top.startswith("(") and top.endswith(")") and _closes(top) else top
        text = text[:left] + _quotient(top, inner, bottom) + text[right:]
    return re.sub(r"\((⌊[^⌊⌋]*⌋|⌈[^⌈⌉]*⌉)\)", r"\1", text)


def _reduced(text: str) -> str:
    """2*(h + 4)/16 is (h + 4)/8."""

    def lower(match: re.Match[str]) -> str:
        times, over = int(match[1]), int(match[3])
        if over % times:
            return match[0]
        return match[2] if over == times else f"{match[2]}/{over // times}"

    return re.sub(r"(?<![\w/.^])(\d+)\*(\([^()]*\)|[A-Za-z_]\w*)/(\d+)(?![\w.*^])", lower, text)


def _quotient(top: str, inner: str, bottom: str) -> str:
    """Rounded up where the numerator says so: (h + 1)//2 is ⌈h/2⌉."""
    shift = re.fullmatch(r"(.*) \+ (\d+)", inner)
    if shift and bottom.isdigit() and int(shift[2]) == int(bottom) - 1:
        return f"⌈{_wrapped(shift[1])}/{bottom}⌉"
    return f"⌊({inner})/{bottom}⌋" if inner != top else f"⌊{top}/{bottom}⌋"


def _closes(text: str) -> bool:
    depth = 0
    for at, char in enumerate(text):
        depth += (char == "(") - (char == ")")
        if depth == 0:
            return at == len(text) - 1
    return False


def _operand(text: str, at: int, step: int) -> int:
    """Where the operand that begins at `at` ends, going left (to its first character) or right (past its last)."""
    opening, closing = ("([⌊", ")]⌋") if step > 0 else (")]⌋", "([⌊")
    depth = 0
    while 0 <= at < len(text):
        char = text[at]
        if char in opening:
            depth += 1
        elif char in closing:
            if depth == 0:
                break
            depth -= 1
        elif (depth == 0 and char in " +-,/") or (step > 0 and depth == 0 and char == "*"):
            break
        at += step
    return at if step > 0 else at + 1


def _greek(text: str) -> str:
    return re.sub(r"(?<![A-Za-z])([a-z]{2,7})(?![A-Za-z])", lambda m: GREEK.get(m.group(1), m.group(1)), text)


def value_label(value: object, divides: Iterable[tuple[str, str]] = ()) -> str:
    """A literal operand: numbers with at most four digits, square roots with their sign."""
    if isinstance(value, Const):
        return value_label(value.value, divides)
    if isinstance(value, Size):
        return size_label(value, divides)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return {float("inf"): "∞", float("-inf"): "−∞"}.get(value, f"{value:.4g}".replace("-", "−"))
    if isinstance(value, Scalar):
        return _scalar(value, divides)
    return str(value)


def _scalar(value: Scalar, divides: Iterable[tuple[str, str]]) -> str:
    args = [value_label(arg, divides) for arg in value.args]
    if value.fn == "static":
        return _greek(args[0])
    if value.fn == "neg":
        return f"−{args[0]}"
    if value.fn in SIGNS and len(args) == 2:
        sign = SIGNS[value.fn]
        left, right = (f"({a})" if re.search(r"[ +−]", a) and value.fn != "+" else a for a in args)
        return f"⌊{left}{sign}{right}⌋" if value.fn == "//" else f"{left}{sign}{right}"
    if value.fn == "sqrt":
        return f"√{args[0]}" if re.fullmatch(r"\w+", args[0]) else f"√({args[0]})"
    return f"{value.fn}({', '.join(args)})"


def printable(text: str) -> str:
    """Text that may stand in any file: names of files hold bytes and line ends that no format takes."""
    return "".join(char if char.isprintable() else "\ufffd" for char in text)

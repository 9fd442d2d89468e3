"""Advance widths in 1/1000 em, so that text is measured without a font or a browser.

Those of Helvetica, which Arial, Liberation Sans, Arimo and Nimbus Sans share, so text keeps its width.
What those fonts lack (arrows, some mathematics) has the width of DejaVu Sans.
"""

from __future__ import annotations

# fmt: off
_REGULAR = (  # from the blank to the tilde
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556, 556, 556, 556,
    556, 556, 556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667,
    556, 833, 722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556, 333, 556,
    556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556, 556, 556, 333, 500, 278, 556, 500, 722,
    500, 500, 500, 334, 260, 334, 584,
)
_BOLD = (
    278, 333, 474, 556, 556, 889, 722, 238, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556, 556, 556, 556,
    556, 556, 556, 556, 333, 333, 584, 584, 584, 611, 975, 722, 722, 722, 722, 667, 611, 778, 722, 278, 556, 722,
    611, 833, 722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 333, 278, 333, 584, 556, 333, 556,
    611, 556, 611, 556, 333, 611, 611, 278, 278, 556, 278, 889, 611, 611, 611, 611, 389, 556, 333, 611, 556, 778,
    556, 556, 500, 389, 280, 389, 584,
)
_OTHERS = {
    188: "′",
    222: "ίι",
    274: "∫",
    278: "·ΙΪ",
    333: "²³¹",
    354: "″",
    385: "ᵀ",
    390: "⌈⌉⌊⌋",
    395: "τ",
    400: "°",
    401: "⁰⁴⁵⁶⁷⁸⁹",
    441: "ζ",
    446: "έε",
    448: "ξ",
    482: "ς",
    500: "γκλν",
    525: "χ",
    528: "₊",
    537: "¶",
    547: "ΰυ",
    549: "±÷√≠≤≥",
    551: "Γ",
    556: "§ήηθο–",
    557: "δ",
    569: "ρ",
    575: "β",
    576: "μ",
    578: "άα",
    584: "¬×−",
    611: "ΖΤ",
    617: "σ",
    618: "Σ",
    626: "∘⋆",
    632: "∃",
    648: "φ",
    650: "Ξ",
    667: "ΑΒΕΚΡΥΧΫ",
    668: "ΔΛ",
    684: "∀",
    690: "π",
    698: "ℂ",
    713: "ψ∑∞",
    722: "ΗΝΠ",
    729: "𝔼",
    732: "∧∨",
    748: "Ω",
    769: "△▽",
    778: "ΘΟ",
    781: "ω",
    792: "ℝ",
    798: "Φ",
    823: "∏",
    833: "Μ",
    835: "Ψ",
    838: "↗↺∗",
    896: "★",
    1000: "—…←→",
}
# fmt: on
_WIDTHS = {char: width for width, chars in _OTHERS.items() for char in chars}
EM = 1000  # of a character that is not in the tables


def advance(char: str, bold: bool = False) -> int:
    """The width of one character."""
    code = ord(char) - 32
    if 0 <= code < len(_REGULAR):
        return (_BOLD if bold else _REGULAR)[code]
    return _WIDTHS.get(char, EM)


def width(text: str, size: float, bold: bool = False) -> float:
    """The width of a text, without kerning."""
    return sum(advance(char, bold) for char in text) * size / 1000

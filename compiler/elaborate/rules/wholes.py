"""Whole numbers that floats are rounded to: sizes, once those that they depend on are known."""

from __future__ import annotations

from typing import Any

from ogive.compiler.elaborate.state.control import UnresolvedChoice
from ogive.compiler.elaborate.state.frame import Frame
from ogive.compiler.ir.model import Scalar
from ogive.compiler.ir.scalars import FUNCTIONS
from ogive.compiler.sizes import Size, size
from ogive.grammar.source import Span


def settled(frame: Frame, value: Any, span: Span) -> Any:
    """`floor(d * 0.25)` as a size: the numbers that it depends on become choices of this specialization."""
    return size(int(known(frame, value, span))) if _rounded(value) else value


def _rounded(value: object) -> bool:
    """Whether a number that depends on sizes is whole."""
    match value:
        case Scalar(fn="ceil" | "floor"):
            return True
        case Scalar(fn="+" | "-" | "*", args=args):
            return all(isinstance(each, int | Size) or _rounded(each) for each in args)
        case _:
            return False


def known(frame: Frame, value: Any, span: Span) -> float:
    """The number; raises UnresolvedChoice where a size or a static in it is open, and no user is left to ask."""
    match value:
        case Size():
            return frame.number(value, span)
        case Scalar(fn=fn, args=args) if fn in FUNCTIONS:
            return FUNCTIONS[fn](*(known(frame, each, span) for each in args))
        case Scalar(args=args):
            raise UnresolvedChoice(str(args[0]), span)
        case _:
            return float(value) if isinstance(value, float) else int(value)

"""Operations on the bits of integers, which are those of two's complement."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ogive.compiler.ir.model import Const
from ogive.compiler.ir.types import INTS
from ogive.compiler.ops.held import BITS, number_of
from ogive.compiler.ops.pointwise import ALIGNS, Result, Statics, Types, binary, unary
from ogive.compiler.ops.spec import Checker, OpSpec, ShapeError, Told, Trait


def _two(name: str, formula: str, verb: str, means: str, use: str) -> OpSpec:
    """An operation of two integers."""
    told = Told(means, "(a: int[*b], b: int[*b]) -> int[*b]", "(x: int[b, d], y: int[d]) -> int[b, d]", use, ALIGNS)
    return binary(name, formula, verb, elems=INTS, traits=Trait.FLAT, told=told)


def _shift(spec: OpSpec) -> OpSpec:
    """The operation, which refuses to shift by a literal that is not below the number of bits."""

    def rule(checker: Checker, statics: Statics, types: Types) -> Result:
        result = spec.rule(checker, statics, types)
        elem, by = result[0][0].elem, types[1]
        places: Any = number_of(by) if isinstance(by, Const) else None
        if places is not None and not 0 <= places < BITS[elem]:
            text = f"`{spec.name}` moves the {BITS[elem]} bits of `{elem}` by {places} places"
            raise ShapeError(text, code="E0501", operand=1, help=f"by 0 to {BITS[elem] - 1} places")
        return result

    return replace(spec, rule=rule)


OPS = (
    _two("bitwise_and", "a ∧ b, bit by bit", "joins {a} with {b}", "The bits that both have.", "bitwise_and(x, y)"),
    _two("bitwise_or", "a ∨ b, bit by bit", "joins {a} with {b}", "The bits that one has.", "bitwise_or(x, y)"),
    _two(
        "bitwise_xor",
        "a ⊕ b, bit by bit",
        "joins {a} with {b}",
        "The bits that one has and the other has not.",
        "bitwise_xor(x, y)",
    ),
    unary("bitwise_not", "-1 - x", elems=INTS, traits=Trait.FLAT, means="Every bit turned: -1 - x."),
    _shift(
        _two(
            "shift_left",
            "2^b a",
            "shifts {a} by {b}",
            "The bits moved up by b places, 0 or more and less than there are; those that leave are gone.",
            "shift_left(x, 3)",
        )
    ),
    _shift(
        _two(
            "shift_right",
            "⌊a / 2^b⌋",
            "shifts {a} by {b}",
            "The bits moved down by b places, 0 or more and less than there are; the sign stays.",
            "shift_right(x, 3)",
        )
    ),
)

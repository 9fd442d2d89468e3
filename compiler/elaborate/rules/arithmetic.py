"""Arithmetic and comparisons: on numbers at compile time, on tensors in the graph."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

from ogive.compiler.elaborate.rules.checker import absent, operation
from ogive.compiler.elaborate.state.control import UnresolvedChoice
from ogive.compiler.elaborate.state.frame import Frame
from ogive.compiler.elaborate.state.graph_builder import Tensor
from ogive.compiler.elaborate.state.partly import seen
from ogive.compiler.elaborate.state.values import (
    BROKEN,
    Absent,
    PackValue,
    Partly,
    UnknownStatic,
    is_number,
    kind_of,
    whole,
)
from ogive.compiler.ir.model import Scalar
from ogive.compiler.sizes import Condition, Size, eq, ge, gt, le, lt, ne, size
from ogive.grammar.source import Span

NAMES = {"+": "add", "-": "sub", "*": "mul", "/": "div", "//": "floordiv", "%": "mod", "**": "pow", "@": "matmul"}
COMPARISONS = {"==": "eq", "!=": "ne", "<": "lt", "<=": "le", ">": "gt", ">=": "ge"}
_SIZE: dict[str, Callable[[Size, Size], Condition]] = {"==": eq, "!=": ne, "<": lt, "<=": le, ">": gt, ">=": ge}
_TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}  # of the same comparison with its sides exchanged
_PLAIN: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
    "**": operator.pow,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}

BITS = 4096  # of a whole number
TERMS = 2_000  # of a size that is multiplied out
LOOKED_AT = 500  # so many entries take as long as an operation
LONGEST = 100_000  # entries of a list, characters of a string


def binary(frame: Frame, op: str, left: Any, right: Any, span: Span, spans: tuple[Span, Span]) -> Any:
    """`left op right`."""
    if left is BROKEN or right is BROKEN:
        return BROKEN
    left, right = (_plain(seen(frame, value)) for value in (left, right))
    if isinstance(left, Tensor) or isinstance(right, Tensor):
        return operation(frame, NAMES[op], (left, right), span, spans=spans, what=op)
    for value, place in ((left, spans[0]), (right, spans[1])):
        if isinstance(value, (Absent, Partly)):
            raise absent(frame, value, place)
        if isinstance(value, UnknownStatic):
            raise UnresolvedChoice(value.name, place)
    if isinstance(left, tuple) or isinstance(right, tuple):
        return _lists(frame, op, left, right, span)
    if op == "+" and isinstance(left, str) and isinstance(right, str):
        return within(frame, left + right, span)
    if not (is_number(left) and is_number(right)) or op == "@":
        raise frame.fail("E0407", f"`{op}` does not take {kind_of(left)} and {kind_of(right)}", span)
    return numbers(frame, op, left, right, span)


def _plain(value: Any) -> Any:
    if isinstance(value, PackValue):
        return value.sizes
    return size(int(value)) if isinstance(value, bool) else value


def numbers(frame: Frame, op: str, left: Any, right: Any, span: Span) -> Any:
    """Arithmetic on numbers: exact on sizes, floats where they are known, else a scalar for later."""
    if isinstance(right, Size) and op in ("/", "//", "%"):
        divides(frame, op, right, span)
    if isinstance(left, Size) and isinstance(right, Size) and op != "/":
        _bounded(frame, op, left, right, span)
        return _sizes(frame, op, left, right, span)
    try:
        known = [_known(left), _known(right)]
        if None in known:
            return Scalar(op, (left, right))
        found = float(_PLAIN[op](known[0], known[1]))
    except (ZeroDivisionError, OverflowError, TypeError) as problem:
        raise frame.fail("E0410", f"`{op}` of {left} and {right}: {problem}", span) from problem
    if gone := vanished(op, found, known):
        raise frame.fail("E0410", f"`{op}` of {left} and {right} is {gone} in floats", span)
    return found


def vanished(op: str, result: float, operands: Sequence[float | None]) -> str:
    """What a number has become that no float holds: "infinite" of finite ones, "0" of others than 0."""
    if not all(number is not None and math.isfinite(number) for number in operands):
        return ""
    if not math.isfinite(result):
        return "infinite"
    return "0" if op in ("*", "/", "**") and result == 0 and all(operands) else ""


def divides(frame: Frame, op: str, divisor: Size, span: Span) -> None:
    """A divisor that may be 0 adds its condition. Raises where the numbers behind it say that it is."""
    if divisor.is_number or (divisor.range[0] is not None and divisor.range[0] >= 1):
        return
    fine = ne(divisor, 0) if op == "/" else ge(divisor, 1)
    never = frame.peek(fine) is False and not frame.decide(fine, span)
    if never or not frame.proof.infer(fine, span, f"`{op}` divides by `{divisor}`"):
        zero = op == "/" or frame.peek(eq(divisor, 0)) is True
        raise frame.fail("E0410", "division by zero" if zero else f"`{op}` needs a positive divisor", span)


def _bounded(frame: Frame, op: str, left: Size, right: Size, span: Span) -> None:
    """Refuse what would take long before it is begun: long numbers, and products of long sums."""
    if any(value.is_number and value.number.bit_length() > BITS for value in (left, right)):
        raise frame.fail("E0701", f"a number of more than {BITS:,} bits", span)
    many = len(left.terms) * len(right.terms) if op == "*" else 0
    if op == "**" and right.is_number and 0 < right.number <= BITS:
        many = math.comb(right.number + len(left.terms) - 1, right.number)
    if many > TERMS:
        raise frame.fail("E0701", f"a size of more than {TERMS:,} terms", span)


def _known(value: Any) -> float | None:
    if isinstance(value, float):
        return value
    number = whole(value)
    return None if number is None else float(number)


def _sizes(frame: Frame, op: str, left: Size, right: Size, span: Span) -> Any:
    if op in ("//", "%"):
        if right.is_number and right.number == 0:
            raise frame.fail("E0410", "division by zero", span)
        if right.is_number and right.number < 0:
            raise frame.fail("E0410", f"`{op}` needs a positive divisor, this is {right}", span)
    if op == "**":
        exponent, base = whole(right), whole(left)
        if exponent is not None and exponent < 0:
            return numbers(frame, op, float(base), right, span) if base else Scalar(op, (left, right))
        if exponent is not None and ((exponent > 64 and base not in (0, 1, -1)) or exponent > 4096):
            raise frame.fail("E0701", f"the power {left}**{right} is too large", span)
        if exponent is None and (base is None or _below_0(frame, right, span)):
            return Scalar(op, (left, right))
    return _PLAIN[op](left, right)


def _below_0(frame: Frame, exponent: Size, span: Span) -> bool:
    """Whether an exponent is negative; one that may be adds the condition that it is not."""
    if exponent.range[0] is not None and exponent.range[0] >= 0:
        return False
    fine = ge(exponent, 0)
    never = frame.peek(fine) is False and not frame.decide(fine, span)
    return never or not frame.proof.infer(fine, span, f"`**` takes the exponent `{exponent}`")


def within(frame: Frame, value: Any, span: Span) -> Any:
    """The list or string, where it is not too long; lists in it count with all that they hold."""
    left, stack = LONGEST, [value]
    while stack and left >= 0:
        for item in stack.pop():
            left -= 1
            if isinstance(item, tuple):
                stack.append(item)
            if left < 0:
                break
    frame.session.count((LONGEST - left) // LOOKED_AT)
    if left < 0:
        raise frame.fail("E0701", f"{kind_of(value)} of more than {LONGEST:,} entries", span)
    return value


def _lists(frame: Frame, op: str, left: Any, right: Any, span: Span) -> Any:
    if op == "+" and isinstance(left, tuple) and isinstance(right, tuple):
        return within(frame, left + right, span)
    if op == "*":
        items, count = (left, whole(right)) if isinstance(left, tuple) else (right, whole(left))
        if count is not None and count * len(items) > LONGEST:
            raise frame.fail("E0701", f"{kind_of(items)} of more than {LONGEST:,} entries", span)
        if count is not None and count >= 0:
            return within(frame, items * count, span)
    raise frame.fail(
        "E0407",
        f"`{op}` does not take {kind_of(left)} and {kind_of(right)}",
        span,
        help="`xs + [x]` makes a longer list" if op == "+" else "",
    )


def negative(frame: Frame, value: Any, span: Span) -> Any:
    """`-value`."""
    match value:
        case _ if value is BROKEN:
            return BROKEN
        case Size() | float():
            return -value
        case Scalar():
            return Scalar("neg", (value,))
        case Tensor():
            return operation(frame, "neg", (value,), span)
        case Absent() | Partly():
            raise absent(frame, value, span)
        case _:
            raise frame.fail("E0407", f"`-` needs a number or a tensor, this is {kind_of(value)}", span)


def compare(frame: Frame, op: str, left: Any, right: Any, span: Span, spans: tuple[Span, Span]) -> Any:
    """`left op right` as a bool, a condition on sizes, or a tensor of bools."""
    if left is BROKEN or right is BROKEN:
        return BROKEN
    left, right = (v.sizes if isinstance(v, PackValue) else seen(frame, v) for v in (left, right))
    if isinstance(left, Tensor) or isinstance(right, Tensor):
        return operation(frame, COMPARISONS[op], (left, right), span, spans=spans, what=op)
    for value, place in ((left, spans[0]), (right, spans[1])):
        if isinstance(value, (Absent, Partly)):
            raise absent(frame, value, place)
        if isinstance(value, UnknownStatic):
            raise UnresolvedChoice(value.name, span)
    if isinstance(left, Size) and isinstance(right, Size):
        if left.is_number and right.is_number:
            return bool(_PLAIN[op](left.number, right.number))
        return _SIZE[op](left, right)
    if is_number(left) and is_number(right):
        a, b = (number if (number := whole(value)) is not None else value for value in (left, right))
        if isinstance(a, Size) and isinstance(b, float):
            return _with_float(op, a, b)
        if isinstance(a, float) and isinstance(b, Size):
            return _with_float(_TURNED.get(op, op), b, a)
        if isinstance(a, int | float) and isinstance(b, int | float):
            return bool(_PLAIN[op](a, b))  # exact, as Python compares a whole number and a float
        raise UnresolvedChoice(span.text, span)
    if op in ("==", "!="):
        return (left == right) is (op == "==")
    raise frame.fail("E0407", f"`{op}` does not compare {kind_of(left)} with {kind_of(right)}", span)


def _with_float(op: str, left: Size, right: float) -> bool | Condition:
    """A size compared with a float: a condition on whole numbers that is the same for all sizes."""
    if math.isnan(right):
        return op == "!="
    if math.isinf(right):
        return bool(_PLAIN[op](0.0, right))
    if op in ("==", "!="):
        return _SIZE[op](left, size(int(right))) if right.is_integer() else op == "!="
    return _SIZE[op](left, size(math.ceil(right) if op in ("<", ">=") else math.floor(right)))

"""Functions of compile time: on sizes, numbers and lists."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

from ogive.compiler.elaborate.state.control import BuiltinMisuse
from ogive.compiler.elaborate.state.values import Builtin, PackValue, is_number
from ogive.compiler.ir.model import Scalar
from ogive.compiler.posets.closed_form import PLACES, closed_form
from ogive.compiler.posets.poset import Poset, PosetError
from ogive.compiler.posets.syntax import read
from ogive.compiler.sizes import Size, added, ceil_div, maximum, minimum, size

AXES = 1_000  # of one tensor

CONSTANTS: dict[str, Any] = {"inf": math.inf, "pi": math.pi}


def _int(value: Any, what: str) -> int:
    if isinstance(value, Size) and value.is_number:
        return value.number
    raise BuiltinMisuse(f"{what} needs a known whole number")


def _list(value: Any, what: str) -> tuple[Any, ...]:
    if isinstance(value, PackValue):
        return value.sizes
    if isinstance(value, tuple):
        return value
    raise BuiltinMisuse(f"`{what}` needs a list")


def _len(value: Any) -> Size:
    return size(len(value) if isinstance(value, str) else len(_list(value, "len")))


def _range(*bounds: Any) -> tuple[Size, ...]:
    if not 1 <= len(bounds) <= 3:
        raise BuiltinMisuse("`range` takes one to three numbers", "E0405")
    ends = [_int(b, "`range`") for b in bounds]
    if len(ends) == 3 and ends[2] == 0:
        raise BuiltinMisuse("the step of `range` is not 0", "E0408")
    numbers = range(*ends)
    if len(numbers) > 100_000:
        raise BuiltinMisuse("`range` is too long: at most 100,000", "E0701")
    return tuple(size(i) for i in numbers)


def _enumerate(items: Any) -> tuple[tuple[Size, Any], ...]:
    return tuple((size(i), item) for i, item in enumerate(_list(items, "enumerate")))


def _zip(*lists: Any) -> tuple[tuple[Any, ...], ...]:
    found = [_list(items, "zip") for items in lists]
    if len({len(items) for items in found}) > 1:
        raise BuiltinMisuse(
            "`zip` needs lists of one length, these have " + ", ".join(str(len(f)) for f in found), "E0408"
        )
    return tuple(zip(*found, strict=True))


def _reversed(items: Any) -> tuple[Any, ...]:
    return tuple(reversed(_list(items, "reversed")))


def _permutations(items: Any) -> tuple[tuple[Any, ...], ...]:
    found = _list(items, "permutations")
    if len(found) > 7:
        raise BuiltinMisuse("`permutations` takes at most 7 items", "E0701")
    return tuple(itertools.permutations(found))


def _per_axis(value: Any, count: Any) -> tuple[Any, ...]:
    number = _int(count, "`per_axis`")
    if not isinstance(value, tuple):
        if number > AXES:
            raise BuiltinMisuse(f"a tensor has at most {AXES:,} axes here, not {number:,}", "E0701")
        return (value,) * number
    if len(value) != number:
        raise BuiltinMisuse(f"a list of {number} is needed, one entry for each axis; this has {len(value)}", "E0408")
    return value


def _poset(value: Any, count: Any) -> Poset:
    """A poset on `count` elements, from text or from the matrix of its relation."""
    number = _int(count, "a poset")
    if number > PLACES:
        raise BuiltinMisuse(f"a poset has at most {PLACES} elements here, this has {number}", "E0701")
    try:
        if isinstance(value, str):
            return read(value, number)
        rows = [_list(row, "a poset") for row in _list(value, "a poset")]
        if len(rows) != number or any(len(row) != number for row in rows):
            raise BuiltinMisuse(
                f"a poset on {number} elements is a matrix of {number} rows, this has {len(rows)}", "E0408"
            )
        marks = [[_int(mark, "a poset") for mark in row] for row in rows]
        return Poset.of(number, [(a, b) for a, row in enumerate(marks) for b, mark in enumerate(row) if mark])
    except PosetError as error:
        raise BuiltinMisuse(str(error), "E0408") from error


def _relation(value: Any, count: Any) -> tuple[tuple[Size, ...], ...]:
    """`poset("a<b, a<c", 3)`: row a, column b is 1 where a < b."""
    found = _poset(value, count)
    return tuple(tuple(size(above >> b & 1) for b in range(found.size)) for above in found.above)


def _poset_form(value: Any, count: Any) -> tuple[tuple[Any, ...], ...]:
    """The pool of a poset as steps on earlier ones: ("x", place, 0), ("add", i, j), ("max", i, j), ("relu", i, 0)."""
    try:
        steps = closed_form(_poset(value, count)).steps
    except PosetError as error:
        raise BuiltinMisuse(str(error), "E0408") from error
    return tuple((step.op, size(step.args[0]), size(step.args[-1])) for step in steps)


def _fold(name: str, whole: Callable[..., Size], real: Callable[..., float]) -> Callable[..., Any]:
    def run(*args: Any) -> Any:
        items = _list(args[0], name) if len(args) == 1 and isinstance(args[0], (tuple, PackValue)) else args
        if not items:
            raise BuiltinMisuse(f"`{name}` of nothing", "E0410")
        if all(isinstance(item, Size) for item in items):
            return whole(*items)
        return _real(name, real, items)

    return run


def _real(name: str, run: Callable[..., float], items: tuple[Any, ...]) -> Any:
    """A number where all items are known, else a scalar to be computed when they are."""
    if not all(is_number(item) for item in items):
        raise BuiltinMisuse(f"`{name}` needs numbers")
    try:
        known = [float(i.number) if isinstance(i, Size) and i.is_number else i for i in items]
        if not all(isinstance(item, float) for item in known):
            return Scalar(name, tuple(items))
        found = run(*known)
    except (ValueError, OverflowError) as problem:
        raise BuiltinMisuse(f"`{name}`: {problem}", "E0410") from problem
    finite = all(map(math.isfinite, known))
    vanishes = name == "exp" or (name == "*" and all(known))
    if finite and (not math.isfinite(found) or (vanishes and found == 0)):
        raise BuiltinMisuse(
            f"`{name}` of {', '.join(map(str, items))} is {'0' if found == 0 else 'infinite'} in floats", "E0410"
        )
    return found


def _sum(*args: Any) -> Any:
    items = _list(args[0], "sum") if len(args) == 1 and isinstance(args[0], (tuple, PackValue)) else args
    if all(isinstance(item, Size) for item in items):
        return added(items)
    total: Any = size(0)
    for item in items:
        if isinstance(total, Size) and isinstance(item, Size):
            total = total + item
        else:
            total = _real("+", lambda a, b: a + b, (total, item))
    return total


def _prod(*args: Any) -> Any:
    items = _list(args[0], "prod") if len(args) == 1 and isinstance(args[0], (tuple, PackValue)) else args
    total: Any = size(1)
    for item in items:
        if isinstance(total, Size) and isinstance(item, Size):
            total = total * item
        else:
            total = _real("*", lambda a, b: a * b, (total, item))
    return total


def _rounded(name: str, run: Callable[[float], int]) -> Callable[[Any], Any]:
    def function(value: Any) -> Any:
        if isinstance(value, Size):
            return value
        if isinstance(value, float):
            if not math.isfinite(value):
                raise BuiltinMisuse(f"`{name}` of {value}", "E0410")
            return size(run(value))
        return _real(name, lambda x: float(run(x)), (value,))

    return function


def _function(name: str, run: Callable[[float], float]) -> Callable[[Any], Any]:
    return lambda value: _real(name, run, (value,))


def _least(name: str, value: Any, low: int) -> int:
    """A known whole number that is large enough."""
    found = _int(value, f"`{name}`")
    if found < low:
        raise BuiltinMisuse(f"`{name}` takes whole numbers from {low} on, not {found}", "E0410")
    return found


def _ceil_div(a: Any, b: Any) -> Size:
    if not (isinstance(a, Size) and isinstance(b, Size)):
        raise BuiltinMisuse("`ceil_div` takes two sizes")
    if b.is_number and b.number <= 0:
        raise BuiltinMisuse("`ceil_div` needs a positive divisor", "E0410")
    return ceil_div(a, b)


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "len": _len,
    "range": _range,
    "enumerate": _enumerate,
    "zip": _zip,
    "reversed": _reversed,
    "permutations": _permutations,
    "per_axis": _per_axis,
    "poset": _relation,
    "poset_form": _poset_form,
    "min": _fold("min", minimum, min),
    "max": _fold("max", maximum, max),
    "sum": _sum,
    "prod": _prod,
    "ceil_div": _ceil_div,
    "sqrt": _function("sqrt", math.sqrt),
    "log": _function("log", math.log),
    "exp": _function("exp", math.exp),
    "log2": _function("log2", math.log2),
    "ceil": _rounded("ceil", math.ceil),
    "floor": _rounded("floor", math.floor),
    "round": _rounded("round", round),
    "ceil_log2": lambda value: size((_least("ceil_log2", value, 1) - 1).bit_length()),
    "floor_log2": lambda value: size(_least("floor_log2", value, 1).bit_length() - 1),
    "isqrt": lambda value: size(math.isqrt(_least("isqrt", value, 0))),
    "gcd": lambda a, b: size(math.gcd(_int(a, "`gcd`"), _int(b, "`gcd`"))),
    "lcm": lambda a, b: size(math.lcm(_int(a, "`lcm`"), _int(b, "`lcm`"))),
}

_COUNTS = {
    "range": 0,
    "per_axis": 1,
    "poset": 0,
    "poset_form": 0,
    "ceil_log2": 0,
    "floor_log2": 0,
    "isqrt": 0,
    "gcd": 0,
    "lcm": 0,
}

# how each is written, and what it gives
_TOLD = {
    "len": ("len(list)", "The number of entries of a list, or of axes of a pack."),
    "range": (
        "range(n), range(start, stop, step)",
        "The list of the whole numbers from start up to stop, without it.",
    ),
    "enumerate": ("enumerate(list)", "The list of the pairs (0, first), (1, second), ..."),
    "zip": ("zip(list, ...)", "The list of the tuples of entries at one place; the lists have one length."),
    "reversed": ("reversed(list)", "The list from its end."),
    "permutations": ("permutations(list)", "The list of all orders of at most 7 entries."),
    "per_axis": ("per_axis(v, n)", "A list of n entries: v itself where it is such a list, else n times v."),
    "poset": ('poset("a<b, a<c", n)', "The matrix of a partial order on n elements: 1 where a < b."),
    "poset_form": ('poset_form("a<b, a<c", n)', "The pool of a partial order as a list of steps on earlier ones."),
    "min": ("min(a, b, ...), min(list)", "The smallest of sizes or numbers; `min[axis](x)` is the operation."),
    "max": ("max(a, b, ...), max(list)", "The largest of sizes or numbers; `max[axis](x)` is the operation."),
    "sum": ("sum(list)", "The sum of sizes, numbers or tensors of a list; `sum[axis](x)` is the operation."),
    "prod": ("prod(list)", "The product of the sizes or numbers of a list; `prod[axis](x)` is the operation."),
    "ceil_div": ("ceil_div(a, b)", "The quotient of two sizes, rounded up."),
    "sqrt": ("sqrt(a)", "The square root of a number; `sqrt(x)` of a tensor is the operation."),
    "log": ("log(a)", "The natural logarithm of a number; `log(x)` of a tensor is the operation."),
    "exp": ("exp(a)", "The exponential of a number; `exp(x)` of a tensor is the operation."),
    "log2": ("log2(a)", "The logarithm of a number to the base 2; `log2(x)` of a tensor is the operation."),
    "ceil": (
        "ceil(a)",
        "The next whole number at or above a known number, a size; `ceil(x)` of a tensor is the operation.",
    ),
    "floor": (
        "floor(a)",
        "The next whole number at or below a known number, a size; `floor(x)` of a tensor is the operation.",
    ),
    "round": (
        "round(a)",
        "The whole number next to a known number, halves to the even one; `round(x)` of a tensor is the operation.",
    ),
    "ceil_log2": ("ceil_log2(n)", "The least k with 2**k >= n, exactly."),
    "floor_log2": ("floor_log2(n)", "The largest k with 2**k <= n, exactly."),
    "isqrt": ("isqrt(n)", "The square root of a whole number, rounded down, exactly."),
    "gcd": ("gcd(a, b)", "The greatest common divisor of two sizes."),
    "lcm": ("lcm(a, b)", "The least common multiple of two sizes."),
}

BUILTINS = {name: Builtin(name, run, _COUNTS.get(name), _TOLD[name]) for name, run in _FUNCTIONS.items()}

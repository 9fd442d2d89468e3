"""Conditions on sizes, as they stand in a `where`: comparisons, membership, and their combinations."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

from ogive.compiler.sizes.arithmetic import CACHE, size
from ogive.compiler.sizes.atoms import Size, Unknown
from ogive.compiler.sizes.polynomial import content

COMPARE: Mapping[str, Callable[[int, int], bool]] = MappingProxyType(
    {
        "==": operator.eq,
        "!=": operator.ne,
        "<": operator.lt,
        "<=": operator.le,
        ">": operator.gt,
        ">=": operator.ge,
    }
)
OPPOSITE = MappingProxyType({"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"})


@dataclass(frozen=True, slots=True)
class Condition:
    """A statement about sizes. Abstract: see the forms below."""

    @property
    def unknowns(self) -> frozenset[Unknown]:
        """The unknowns it speaks of."""
        raise NotImplementedError(type(self))

    @property
    def weight(self) -> int:
        """How many names and signs its text has."""
        raise NotImplementedError(type(self))

    def subs(self, mapping: Mapping[Unknown, Size]) -> Condition:
        """The condition with sizes in place of unknowns; TRUE or FALSE where that decides it."""
        raise NotImplementedError(type(self))

    def at(self, values: Mapping[Unknown, int]) -> bool:
        """Whether it holds at these values."""
        raise NotImplementedError(type(self))

    def negate(self) -> Condition:
        """The condition that holds where this one does not."""
        raise NotImplementedError(type(self))


@dataclass(frozen=True, slots=True)
class Truth(Condition):
    """A condition that is decided."""

    value: bool

    @property
    def unknowns(self) -> frozenset[Unknown]:
        return frozenset()

    @property
    def weight(self) -> int:
        return 1

    def subs(self, mapping: Mapping[Unknown, Size]) -> Condition:
        return self

    def at(self, values: Mapping[Unknown, int]) -> bool:
        return self.value

    def negate(self) -> Condition:
        return FALSE if self.value else TRUE

    def __str__(self) -> str:
        return "true" if self.value else "false"


TRUE = Truth(True)
FALSE = Truth(False)


@dataclass(frozen=True, slots=True)
class SizeComparison(Condition):
    """`left op right`."""

    op: str
    left: Size
    right: Size

    @property
    def unknowns(self) -> frozenset[Unknown]:
        return self.left.unknowns | self.right.unknowns

    @property
    def weight(self) -> int:
        return 1 + self.left.weight + self.right.weight

    def subs(self, mapping: Mapping[Unknown, Size]) -> Condition:
        return compare(self.op, self.left.subs(mapping), self.right.subs(mapping))

    def at(self, values: Mapping[Unknown, int]) -> bool:
        return COMPARE[self.op](self.left.at(values), self.right.at(values))

    def negate(self) -> Condition:
        return SizeComparison(OPPOSITE[self.op], self.left, self.right)

    def __str__(self) -> str:
        return f"{self.left} {self.op} {self.right}"


@dataclass(frozen=True, slots=True)
class Member(Condition):
    """`of in {...}`."""

    of: Size
    values: frozenset[int]

    @property
    def unknowns(self) -> frozenset[Unknown]:
        return self.of.unknowns

    @property
    def weight(self) -> int:
        return len(self.values) + self.of.weight

    def subs(self, mapping: Mapping[Unknown, Size]) -> Condition:
        return member(self.of.subs(mapping), self.values)

    def at(self, values: Mapping[Unknown, int]) -> bool:
        return self.of.at(values) in self.values

    def negate(self) -> Condition:
        return all_of(*(ne(self.of, value) for value in sorted(self.values)))

    def __str__(self) -> str:
        return f"{self.of} in {{{', '.join(map(str, sorted(self.values)))}}}"


@dataclass(frozen=True, slots=True)
class AllOf(Condition):
    """All parts hold."""

    parts: tuple[Condition, ...]

    @property
    def unknowns(self) -> frozenset[Unknown]:
        return frozenset[Unknown]().union(*(part.unknowns for part in self.parts))

    @property
    def weight(self) -> int:
        return sum(part.weight for part in self.parts)

    def subs(self, mapping: Mapping[Unknown, Size]) -> Condition:
        return all_of(*_until(FALSE, (part.subs(mapping) for part in self.parts)))

    def at(self, values: Mapping[Unknown, int]) -> bool:
        return all(part.at(values) for part in self.parts)

    def negate(self) -> Condition:
        return any_of(*(part.negate() for part in self.parts))

    def __str__(self) -> str:
        return " and ".join(f"({part})" if isinstance(part, AnyOf) else str(part) for part in self.parts)


@dataclass(frozen=True, slots=True)
class AnyOf(Condition):
    """At least one part holds."""

    parts: tuple[Condition, ...]

    @property
    def unknowns(self) -> frozenset[Unknown]:
        return frozenset[Unknown]().union(*(part.unknowns for part in self.parts))

    @property
    def weight(self) -> int:
        return sum(part.weight for part in self.parts)

    def subs(self, mapping: Mapping[Unknown, Size]) -> Condition:
        return any_of(*_until(TRUE, (part.subs(mapping) for part in self.parts)))

    def at(self, values: Mapping[Unknown, int]) -> bool:
        return any(part.at(values) for part in self.parts)

    def negate(self) -> Condition:
        return all_of(*(part.negate() for part in self.parts))

    def __str__(self) -> str:
        return " or ".join(map(str, self.parts))


@dataclass(frozen=True, slots=True)
class Not(Condition):
    """The part does not hold."""

    part: Condition

    @property
    def unknowns(self) -> frozenset[Unknown]:
        return self.part.unknowns

    @property
    def weight(self) -> int:
        return self.part.weight

    def subs(self, mapping: Mapping[Unknown, Size]) -> Condition:
        return self.part.negate().subs(mapping)

    def at(self, values: Mapping[Unknown, int]) -> bool:
        return not self.part.at(values)

    def negate(self) -> Condition:
        return self.part

    def __str__(self) -> str:
        return f"not ({self.part})"


def compare(op: str, left: Size | int, right: Size | int) -> Condition:
    """`left op right`, decided where both are numbers or one and the same size."""
    return _compared(op, size(left), size(right))


@lru_cache(CACHE)
def _compared(op: str, a: Size, b: Size) -> Condition:
    gap = a - b
    if gap.is_number:
        return TRUE if COMPARE[op](gap.number, 0) else FALSE
    factor = content((*a.terms.values(), *b.terms.values()))
    return SizeComparison(op, a // factor, b // factor) if factor > 1 else SizeComparison(op, a, b)


def eq(a: Size | int, b: Size | int) -> Condition:
    """`a == b`."""
    return compare("==", a, b)


def ne(a: Size | int, b: Size | int) -> Condition:
    """`a != b`."""
    return compare("!=", a, b)


def lt(a: Size | int, b: Size | int) -> Condition:
    """`a < b`."""
    return compare("<", a, b)


def le(a: Size | int, b: Size | int) -> Condition:
    """`a <= b`."""
    return compare("<=", a, b)


def gt(a: Size | int, b: Size | int) -> Condition:
    """`a > b`."""
    return compare(">", a, b)


def ge(a: Size | int, b: Size | int) -> Condition:
    """`a >= b`."""
    return compare(">=", a, b)


def divides(m: Size | int, e: Size | int) -> Condition:
    """`e % m == 0`."""
    return compare("==", size(e) % m, 0)


def member(of: Size | int, values: Iterable[int]) -> Condition:
    """`of in {...}`."""
    of, numbers = size(of), frozenset(values)
    if of.is_number or not numbers:
        return TRUE if of.is_number and of.number in numbers else FALSE
    return Member(of, numbers) if len(numbers) > 1 else eq(of, next(iter(numbers)))


def all_of(*conditions: Condition) -> Condition:
    """The conjunction, flattened; TRUE of none."""
    return _joined(AllOf, conditions, neutral=TRUE, final=FALSE)


def any_of(*conditions: Condition) -> Condition:
    """The disjunction, flattened; FALSE of none."""
    return _joined(AnyOf, conditions, neutral=FALSE, final=TRUE)


def _until(last: Truth, parts: Iterable[Condition]) -> Iterator[Condition]:
    """The parts up to the one that decides: what stands after `k == 0 or` may divide by `k`."""
    for part in parts:
        yield part
        if part is last:
            return


def _joined(form: type[AllOf | AnyOf], conditions: Iterable[Condition], neutral: Truth, final: Truth) -> Condition:
    parts: dict[Condition, None] = {}
    for condition in conditions:
        parts.update(dict.fromkeys(condition.parts if isinstance(condition, form) else (condition,)))
    parts.pop(neutral, None)
    if final in parts:
        return final
    return form(tuple(parts)) if len(parts) > 1 else next(iter(parts), neutral)

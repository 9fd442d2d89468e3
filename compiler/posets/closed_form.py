"""The pool of a poset in closed form: few additions and maxima, common parts computed once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from ogive.compiler.posets.poset import Poset, PosetError

Value = TypeVar("Value")
PLACES = 64  # elements at most: a window of 8 × 8
STEPS = 4096  # operations at most: those of a closed form that branches may double with each element


@dataclass(frozen=True, slots=True)
class PosetStep:
    """One operation on earlier steps: "x" (an element), "add", "max" (of two), "relu"."""

    op: str
    args: tuple[int, ...]


@dataclass(slots=True)
class ClosedForm:
    """Steps in order; equal steps are one."""

    steps: list[PosetStep] = field(default_factory=list)
    known: dict[PosetStep, int] = field(default_factory=dict)

    def step(self, op: str, *args: int) -> int:
        """The number of a step."""
        found = PosetStep(op, tuple(sorted(args)) if op in ("add", "max") else args)
        if found not in self.known:
            if len(self.steps) == STEPS:
                raise PosetError(f"its closed form takes more than {STEPS} operations")
            self.known[found] = len(self.steps)
            self.steps.append(found)
        return self.known[found]

    @property
    def cost(self) -> int:
        """The number of operations."""
        return sum(step.op != "x" for step in self.steps)

    def run(self, elements: list[Value], apply: Callable[[str, list[Value]], Value]) -> Value:
        """The last step, on values of the elements."""
        values: list[Value] = []
        for step in self.steps:
            values.append(elements[step.args[0]] if step.op == "x" else apply(step.op, [values[i] for i in step.args]))
        return values[-1]


def closed_form(poset: Poset) -> ClosedForm:
    """Disjoint parts add; an ordinal sum is max(f_Q, s_Q + f_P); a prime poset branches on one element.

    Raises `PosetError` where that takes too many operations.
    """
    form = ClosedForm()
    memo: dict[int, int] = {}

    def pool(mask: int) -> int:
        if mask not in memo:
            memo[mask] = _pool(mask)
        return memo[mask]

    def total(mask: int) -> int:
        low = mask & -mask
        element = form.step("x", low.bit_length() - 1)
        return element if mask == low else form.step("add", total(mask ^ low), element)

    def _pool(mask: int) -> int:
        if mask.bit_count() == 1:
            return form.step("relu", total(mask))
        parts = _parts(poset, mask, comparable=True)
        if len(parts) > 1:
            found = pool(parts[0])
            for part in parts[1:]:
                found = form.step("add", found, pool(part))
            return found
        layers = _parts(poset, mask, comparable=False)
        if len(layers) > 1:
            top = next(part for part in layers if all(not _up(poset, part, other) for other in layers if other != part))
            rest = form.step("add", total(top), pool(mask & ~top))
            return form.step("relu", rest) if top.bit_count() == 1 else form.step("max", pool(top), rest)
        return _branch(mask)

    def _branch(mask: int) -> int:
        pivot = max(_elements(mask), key=lambda v: (poset.above[v] & mask | _under(poset, v, mask)).bit_count())
        up = poset.above[pivot] & mask | 1 << pivot
        down = _under(poset, pivot, mask) | 1 << pivot
        without = pool(mask & ~down)
        rest = mask & ~up
        inside = form.step("add", total(up), pool(rest)) if rest else total(up)
        return form.step("max", without, inside)

    pool((1 << poset.size) - 1)
    return form


def _elements(mask: int) -> list[int]:
    return [i for i in range(mask.bit_length()) if mask >> i & 1]


def _under(poset: Poset, element: int, mask: int) -> int:
    return sum(1 << i for i in _elements(mask) if poset.above[i] >> element & 1)


def _up(poset: Poset, part: int, other: int) -> bool:
    """Whether something of `other` is above something of `part`."""
    return any(poset.above[i] & other for i in _elements(part))


def _parts(poset: Poset, mask: int, *, comparable: bool) -> list[int]:
    """The connected parts of the graph of pairs that compare, or of those that do not."""
    parts, left = [], mask
    while left:
        part, grown = left & -left, 0
        while part != grown:
            grown = part
            for i in _elements(part):
                near = (poset.above[i] | _under(poset, i, mask)) & mask
                part |= near if comparable else mask & ~near
        parts.append(part)
        left &= ~part
    return parts

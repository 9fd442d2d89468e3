"""Finite posets as values: read from text, composed, counted; and the pool of the order polytope as few operations."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise

Pair = tuple[int, int]
LETTERS = "abcdefghijklmnopqrstuvwxyz"
TOKEN = re.compile(r"\s*(?:([a-z])(?![a-z])|([<,{}]))")


class PosetError(ValueError):
    """A text or a relation that is no poset."""


@dataclass(frozen=True, slots=True)
class Poset:
    """A strict partial order on 0 ... size-1: for each element, the mask of those above it (transitively closed)."""

    size: int
    above: tuple[int, ...]

    @staticmethod
    def of(size: int, pairs: Sequence[Pair]) -> Poset:
        """The order that pairs (lower, upper) generate. Raises `PosetError` where they form a cycle."""
        above = [0] * size
        for low, high in pairs:
            if not (0 <= low < size and 0 <= high < size):
                raise PosetError(f"element {max(low, high)} of a poset on {size}")
            above[low] |= 1 << high
        for middle in range(size):
            for low in range(size):
                if above[low] >> middle & 1:
                    above[low] |= above[middle]
        for element in range(size):
            if above[element] >> element & 1:
                raise PosetError(f"`{_name(element)}` is below itself: the relation has a cycle")
        return Poset(size, tuple(above))

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """All pairs (lower, upper)."""
        return tuple((a, b) for a in range(self.size) for b in range(self.size) if self.above[a] >> b & 1)

    @property
    def covers(self) -> tuple[Pair, ...]:
        """The edges of the Hasse diagram: pairs with nothing between."""
        return tuple(
            (a, b) for a, b in self.pairs
            if not any(self.above[a] >> c & 1 and self.above[c] >> b & 1 for c in range(self.size))
        )  # fmt: skip

    @property
    def levels(self) -> tuple[int, ...]:
        """The height of each element in the Hasse diagram."""
        heights = [0] * self.size
        for _ in range(self.size):
            for low, high in self.covers:
                heights[high] = max(heights[high], heights[low] + 1)
        return tuple(heights)

    @property
    def upsets(self) -> tuple[int, ...]:
        """Masks that hold with an element all that are above it: the vertices of the order polytope, smallest first."""
        whole = (mask for mask in range(1 << self.size) if self._is_upset(mask))
        return tuple(sorted(whole, key=lambda mask: (mask.bit_count(), mask)))

    def _is_upset(self, mask: int) -> bool:
        return all(not mask >> i & 1 or not self.above[i] & ~mask for i in range(self.size))

    @property
    def vertices(self) -> tuple[tuple[int, ...], ...]:
        """The upsets as 0-1 vectors."""
        return tuple(tuple(mask >> i & 1 for i in range(self.size)) for mask in self.upsets)

    @property
    def dual(self) -> Poset:
        """The same elements, upside down: f_P(x) = Σ x + f_dual(-x)."""
        return Poset.of(self.size, [(b, a) for a, b in self.pairs])

    def __add__(self, other: Poset) -> Poset:
        """Both side by side: f = f_P + f_Q."""
        moved = [(a + self.size, b + self.size) for a, b in other.pairs]
        return Poset.of(self.size + other.size, [*self.pairs, *moved])

    def below(self, other: Poset) -> Poset:
        """The ordinal sum, all of this under all of the other: f = max(f_Q, Σ_Q x + f_P)."""
        both = self + other
        crossing = [(a, b) for a in range(self.size) for b in range(self.size, both.size)]
        return Poset.of(both.size, [*both.pairs, *crossing])

    def compose(self, *parts: Poset) -> Poset:
        """The lexicographic sum P[Q₁, ..., Qₙ]: each element becomes a poset, as operads compose."""
        if len(parts) != self.size:
            raise PosetError(f"{len(parts)} posets for {self.size} elements")
        starts = [sum(part.size for part in parts[:at]) for at in range(self.size)]
        whole = reduce(lambda a, b: a + b, parts)
        crossing = [
            (starts[a] + i, starts[b] + j)
            for a, b in self.pairs for i in range(parts[a].size) for j in range(parts[b].size)
        ]  # fmt: skip
        return Poset.of(whole.size, [*whole.pairs, *crossing])

    def relabelled(self, places: Sequence[int]) -> Poset:
        """Element i moved to places[i]."""
        return Poset.of(self.size, [(places[a], places[b]) for a, b in self.pairs])

    def value(self, x: Sequence[float]) -> float:
        """f_P(x) by definition: the largest sum over an upset."""
        return max(sum(x[i] for i in range(self.size) if mask >> i & 1) for mask in self.upsets)

    def __str__(self) -> str:
        edges = ", ".join(f"{_name(a)}<{_name(b)}" for a, b in self.covers)
        return edges or "antichain"


def _name(element: int) -> str:
    return LETTERS[element] if element < len(LETTERS) else str(element)


def chain(size: int) -> Poset:
    """0 < 1 < ... < size-1."""
    return Poset.of(size, [(i, i + 1) for i in range(size - 1)])


def antichain(size: int) -> Poset:
    """No two elements compare."""
    return Poset.of(size, ())


def product(side: int) -> Poset:
    """The natural order of a window: (i, j) < (k, l) where i <= k and j <= l."""
    pairs = [(i * side + j, i * side + j + 1) for i in range(side) for j in range(side - 1)]
    pairs += [(i * side + j, (i + 1) * side + j) for i in range(side - 1) for j in range(side)]
    return Poset.of(side * side, pairs)


# the 16 posets on 4 elements up to isomorphism, by the numbers of the paper's code
NUMBERED = (
    "{a,b,c}<d", "", "a<b", "{a,b}<c<d", "{a,b}<c", "a<{b,c}", "a<b, c<d", "a<b<{c,d}", "a<b<c", "a<{b,c,d}",
    "a<b, a<c<d", "{a,b}<{c,d}", "a<b, c<b, c<d", "a<b<c<d", "a<{b,c}<d", "a<c<d, b<d",
)  # fmt: skip
NAMES = (
    "join", "antichain", "edge", "wye_down", "wedge", "vee", "two_two", "wye", "three_one", "fork", "branch", "bowtie",
    "zigzag", "chain", "diamond", "merge",
)  # fmt: skip


def read(text: str, size: int = 4) -> Poset:
    """A poset on `size` elements a, b, c, ...: "a<b, a<c<d", "{a,b}<c", a name, "#7", or "product".

    Raises `PosetError` where the text is none.
    """
    text = text.strip()
    if text == "product":
        side = int(size**0.5)
        return product(side)
    if text in ("chain", "antichain"):
        return chain(size) if text == "chain" else antichain(size)
    if re.fullmatch(r"#\d+", text):
        number = int(text[1:])
        if number >= len(NUMBERED):
            raise PosetError(f"there are {len(NUMBERED)} posets on 4 elements, from #0 on; `{text}` is none")
        text = NUMBERED[number]
    if text in NAMES:
        text = NUMBERED[NAMES.index(text)]
    return Poset.of(size, list(_relation(text)))


def _relation(text: str) -> Iterator[Pair]:
    for part in _split(text, ","):
        groups = [[LETTERS.index(name) for name in _elements(group)] for group in part.split("<")]
        for low, high in pairwise(groups):
            yield from ((a, b) for a in low for b in high)


def _split(text: str, mark: str) -> list[str]:
    """Parts between marks that stand outside of braces."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter == "{") - (letter == "}")
        if letter == mark and not depth:
            parts.append("")
        else:
            parts[-1] += letter
    return [part for part in parts if part.strip()]


def _elements(group: str) -> list[str]:
    group = group.strip()
    inside = group[1:-1] if group.startswith("{") and group.endswith("}") else group
    names = [name.strip() for name in inside.split(",")]
    for name in names:
        if not re.fullmatch(r"[a-z]", name):
            known = ", ".join(NAMES)
            raise PosetError(f"`{group}` is no element: letters from `a` on, as in `a<b, a<c`, or a name: {known}")
    return names

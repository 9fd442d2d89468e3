"""Finite posets as values: made of pairs, composed, counted; the Hasse diagram and the order polytope as data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce

Pair = tuple[int, int]
Vertex = tuple[int, ...]
LETTERS = "abcdefghijklmnopqrstuvwxyz"


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
                raise PosetError(f"`{_name(max(low, high))}` is none of {size} elements, up to `{_name(size - 1)}`")
            above[low] |= 1 << high
        for middle in range(size):
            for low in range(size):
                if above[low] >> middle & 1:
                    above[low] |= above[middle]
        for element in range(size):
            if above[element] >> element & 1:
                raise PosetError(f"the relation has a cycle: {_cycle(element, pairs)}")
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
        found = [mask for some in self._grown() for mask in some]
        return tuple(sorted(found, key=lambda mask: (mask.bit_count(), mask)))

    def has_more_upsets_than(self, limit: int) -> bool:
        """Whether there are more of them, without listing many more."""
        count = 0
        return any((count := count + len(some)) > limit for some in self._grown())

    def _grown(self) -> Iterator[list[int]]:
        """The empty upset, then for each element, those above it first, the upsets in which it is the last one."""
        known = [0]
        yield known
        for element in sorted(range(self.size), key=lambda i: self.above[i].bit_count()):
            new = [mask | 1 << element for mask in known if not self.above[element] & ~mask]
            yield new
            known = known + new

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


def _cycle(start: int, pairs: Sequence[Pair]) -> str:
    """The shortest way from an element up to itself."""
    ways: list[tuple[int, ...]] = [(start,)]
    while True:
        ways = [(*way, high) for way in ways for low, high in pairs if low == way[-1] and high not in way[1:]]
        found = next((way for way in ways if way[-1] == start), None)
        if found is not None:
            return "<".join(map(_name, found))


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


def minkowski(first: Sequence[Vertex], second: Sequence[Vertex]) -> tuple[Vertex, ...]:
    """The vertices of the product of two polytopes in coordinates of their own: of P + Q, from those of P and of Q."""
    return tuple((*a, *b) for a in first for b in second)


def composed(outer: Poset, parts: Sequence[Poset]) -> tuple[Vertex, ...]:
    """The vertices of P[Q₁, ..., Qₙ], as operads compose: for each upset A of P, Σ_{A - min A} 1_Q + ⊕_{min A} O(Q).

    What lies in several of these is pruned; every vector of 0 and 1 that is left is a vertex.
    """
    found: dict[Vertex, None] = {}
    for mask in outer.upsets:
        least = [i for i in range(outer.size) if mask >> i & 1 and not _above_another(outer, i, mask)]
        vertices: tuple[Vertex, ...] = ((),)
        for i, part in enumerate(parts):
            full, none = (1,) * part.size, (0,) * part.size
            here = part.vertices if i in least else (full,) if mask >> i & 1 else (none,)
            vertices = minkowski(vertices, here)
        found.update(dict.fromkeys(vertices))
    return tuple(found)


def _above_another(poset: Poset, element: int, mask: int) -> bool:
    return any(mask >> j & 1 and poset.above[j] >> element & 1 for j in range(poset.size))

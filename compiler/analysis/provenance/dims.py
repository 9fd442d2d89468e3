"""Dimensions: a union-find over axes whose classes are leaves, products laid out row-major, or parts laid end to end.

An axis `(t h e)` of a fused projection is a product of three, an axis of `concat` is laid of its operands', and what
meets in one place becomes one. So the index maps of coupled channels need no bookkeeping: the offset of a leaf is what
lies before it, its stride what lies inside of it, and it repeats with what lies around it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ogive.compiler.sizes import Size, size

if TYPE_CHECKING:
    from ogive.grammar.source import Span

ONE = size(1)


@dataclass(frozen=True, slots=True)
class FrozenBy:
    """Why a dimension may not lose entries: what an operation does with it, and where. Entries that are no `channels`
    are places of space or of a kernel.
    """

    reason: str
    span: Span | None = field(default=None, compare=False)
    channels: bool = field(default=True, compare=False)


@dataclass(eq=False, slots=True)
class Dim:
    """A dimension of so many entries. Ask `found` for its class; `kind` tells what `parts` are: factors, outermost
    first, or parts laid end to end. Leaves have none.
    """

    size: Size
    parent: Dim | None = None
    kind: str = ""
    parts: tuple[Dim, ...] = ()
    frozen: dict[FrozenBy, None] = field(default_factory=dict)
    loops: dict[str, None] = field(default_factory=dict)  # the loops in whose bodies it was met; "" for none

    @property
    def found(self) -> Dim:
        """The one that stands for its class."""
        at = self
        while at.parent is not None:
            at = at.parent
        return at

    def leaves(self) -> Iterator[Dim]:
        """The classes that it is made of, each as often as it stands there."""
        here = self.found
        if not here.kind:
            yield here
        for part in here.parts:
            yield from part.leaves()

    def freeze(self, by: FrozenBy) -> None:
        """No leaf of it may lose entries."""
        for leaf in self.leaves():
            leaf.frozen[by] = None

    def seen(self, loop: str) -> None:
        """It stands in the body of a loop."""
        for leaf in self.leaves():
            leaf.loops[loop] = None

    def become(self, kind: str, parts: Sequence[Dim]) -> None:
        """A leaf turns out to be made of others."""
        here = self.found
        assert not here.kind, here
        here.kind, here.parts = kind, tuple(parts)
        for by in here.frozen:
            for part in parts:
                part.freeze(by)
        for loop in here.loops:
            for part in parts:
                part.seen(loop)
        here.frozen, here.loops = {}, {}


def product(parts: Sequence[Dim]) -> Dim:
    """Several dimensions merged into one, row-major; those of one entry count for nothing."""
    kept = [part for part in parts if part.found.size != ONE]
    if len(kept) == 1:
        return kept[0]
    total = ONE
    for part in kept:
        total = total * part.found.size
    made = Dim(total)
    if kept:
        made.become("product", kept)
    return made


def joined(parts: Sequence[Dim]) -> Dim:
    """Several dimensions laid end to end."""
    if len(parts) == 1:
        return parts[0]
    total = size(0)
    for part in parts:
        total = total + part.found.size
    made = Dim(total)
    made.become("joined", list(parts))
    return made


def meet(a: Dim, b: Dim, by: FrozenBy) -> None:
    """Two dimensions are one, entry by entry. Where they are made of parts that do not fit, neither may change."""
    a, b = a.found, b.found
    if a is b:
        return
    if a.size != b.size or _inside(a, b) or _inside(b, a):
        a.freeze(by)
        b.freeze(by)
    elif not a.kind or not b.kind:
        leaf, other = (a, b) if not a.kind else (b, a)
        leaf.parent = other
        for each in leaf.frozen:
            other.freeze(each)
        for loop in leaf.loops:
            other.seen(loop)
        leaf.frozen, leaf.loops = {}, {}
    elif a.kind == b.kind:
        _refined(a, b, by)
    else:
        a.freeze(by)
        b.freeze(by)


def _inside(a: Dim, b: Dim) -> bool:
    return any(part.found is a or _inside(a, part.found) for part in b.found.parts)


def _flat(dim: Dim, kind: str) -> list[Dim]:
    """The parts of one kind, those of parts of that kind in their place."""
    here = dim.found
    if here.kind != kind:
        return [here]
    return [each for part in here.parts for each in _flat(part, kind)]


def _refined(a: Dim, b: Dim, by: FrozenBy) -> None:
    """Two lists of parts as one list that is as fine as both."""
    left, right = _flat(a, a.kind), _flat(b, a.kind)
    pairs: list[tuple[Dim, Dim]] = []
    while left and right:
        x, y = left.pop(0).found, right.pop(0).found
        if x.size == y.size:
            pairs.append((x, y))
            continue
        rest = _rest(x, y, a.kind)
        if rest is None:
            a.freeze(by)
            b.freeze(by)
            return
        longer, head, tail = rest
        (left if longer is x else right).insert(0, tail)
        pairs.append((head, y if longer is x else x))
    for x, y in pairs:
        meet(x, y, by)
    b.parent, b.kind, b.parts = a, "", ()


def _rest(x: Dim, y: Dim, kind: str) -> tuple[Dim, Dim, Dim] | None:
    """The longer of two, cut behind the length of the shorter; None where that cannot be."""
    for longer, shorter in ((x, y), (y, x)):
        if kind == "product":
            tail = longer.size // shorter.size
            fits = tail * shorter.size == longer.size
        else:
            tail = longer.size - shorter.size
            fits = tail.range[0] is not None and tail.range[0] >= 1
        if fits and not longer.kind:
            head, last = Dim(shorter.size), Dim(tail)
            longer.become(kind, (head, last))
            return longer, head, last
    return None


@dataclass(frozen=True, slots=True)
class IndexMap:
    """Where a leaf stands in an axis: entry i takes `stride` entries from `offset + i * stride`, and again at each of
    `repeats`, which are counts and steps, outermost first.
    """

    offset: Size
    stride: Size
    repeats: tuple[tuple[Size, Size], ...] = ()

    def indices(self, entry: int) -> list[int]:
        """The places of an entry, where all sizes are numbers."""
        if self.plain:
            return [entry]
        places = [self.offset.number + entry * self.stride.number]
        for count, step in self.repeats:
            places = [place + turn * step.number for turn in range(count.number) for place in places]
        return sorted(place + more for place in places for more in range(self.stride.number))

    @property
    def plain(self) -> bool:
        """Whether entry i is at i."""
        return self.offset == size(0) and self.stride == ONE and not self.repeats


def places(dim: Dim, leaf: Dim) -> list[IndexMap]:
    """Where a leaf stands in a dimension, once for each time that it does."""
    here = dim.found
    if here is leaf.found:
        return [IndexMap(size(0), ONE)]
    found: list[IndexMap] = []
    if here.kind == "joined":
        before = size(0)
        for part in here.parts:
            found += [IndexMap(before + at.offset, at.stride, at.repeats) for at in places(part, leaf)]
            before = before + part.found.size
    elif here.kind == "product":
        for number, part in enumerate(here.parts):
            inner = _size(here.parts[number + 1 :])
            around = _size(here.parts[:number])
            step = part.found.size * inner
            for at in places(part, leaf):
                repeats = tuple((count, inner * length) for count, length in at.repeats)
                outer = ((around, step),) if around != ONE else ()
                found.append(IndexMap(at.offset * inner, at.stride * inner, (*outer, *repeats)))
    return found


def _size(parts: Sequence[Dim]) -> Size:
    total = ONE
    for part in parts:
        total = total * part.found.size
    return total

"""What elaboration finds out at each place of a text, kept for those who ask by position: editors and notebooks.

A check that nobody asks afterwards keeps none of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from ogive.compiler.elaborate.state.specialization import Specialization
from ogive.grammar.source import Chunk, Span

Place = tuple[int, int]  # offsets in the chunk


@dataclass(eq=False)
class Sheet:
    """One elaboration of a block. `values` holds the first and the last value of each expression: loops are unrolled.

    `uses` holds the instances that were applied, by the place of what was applied. `own` tells a proof for all sizes.
    """

    chunk: Chunk
    of: Specialization
    own: bool = False
    entry: bool = False
    values: dict[Place, tuple[Any, Any]] = field(default_factory=dict)
    uses: dict[Place, Any] = field(default_factory=dict)

    def value(self, span: Span, value: Any) -> None:
        """An expression or a name that is bound, and what it stands for."""
        if span.chunk is self.chunk:
            place = (span.start, span.end)
            known = self.values.get(place)
            self.values[place] = (value, value) if known is None else (known[0], value)

    def use(self, span: Span, instance: Any) -> None:
        """An instance was applied; its statics may become known later."""
        if span.chunk is self.chunk:
            self.uses.setdefault((span.start, span.end), instance)


@dataclass
class Notes:
    """The sheets of all blocks that a workspace has checked, by the text of each.

    `roots` are the elaborations that a declaration asks for; what these use, and what those use, is what counts.
    """

    sheets: WeakKeyDictionary[Chunk, list[Sheet]] = field(default_factory=WeakKeyDictionary)
    roots: WeakKeyDictionary[Chunk, list[Specialization]] = field(default_factory=WeakKeyDictionary)

    def begin(self, span: Span, of: Specialization, own: bool, entry: bool) -> Sheet:
        """A sheet for one elaboration of the block that stands there."""
        sheet = Sheet(span.chunk, of, own, entry)
        self.sheets.setdefault(span.chunk, []).append(sheet)
        return sheet

    def root(self, span: Span, found: Iterable[Specialization]) -> None:
        """What the declaration that stands there asked for."""
        self.roots[span.chunk] = list(found)

    def forget(self, chunks: Iterable[Chunk]) -> None:
        """These blocks are checked anew."""
        for chunk in chunks:
            self.sheets.pop(chunk, None)

    def settle(self, chunks: Iterable[Chunk]) -> None:
        """After a check of these declarations: leave out what nothing of them uses any more, and put the rest in order.

        First proofs for all sizes, the latest first, then models, then other uses, as the declarations ask for them.
        """
        chunks = list(chunks)
        order: dict[Specialization, int] = {}
        waiting = [each for chunk in reversed(chunks) for each in reversed(self.roots.get(chunk, []))]
        while waiting:
            each = waiting.pop()
            if each not in order:
                order[each] = len(order)
                waiting += reversed(each.uses)
        for chunk in chunks:
            held = self.sheets.get(chunk, [])
            own = [each for each in reversed(held) if each.own]
            others = [each for each in held if not each.own and each.of in order]
            self.sheets[chunk] = own + sorted(others, key=lambda each: (not each.entry, order[each.of]))

    def of(self, chunk: Chunk) -> list[Sheet]:
        """What is known of a text, the best first."""
        return self.sheets.get(chunk, [])

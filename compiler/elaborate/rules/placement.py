"""Whether the axes of operands stand where their labels say: transposed operands, and those of other ranks."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from ogive.compiler.elaborate.modules.patterns_for import shaped
from ogive.compiler.elaborate.state.proof import Oddity
from ogive.compiler.ir.types import Axis, OneOf, TensorType
from ogive.compiler.sizes import Facts, Size
from ogive.grammar.diagnostics import Edit
from ogive.grammar.source import Span

SUMMED = {"matmul": -1, "grouped_matmul": 1, "conv": 1, "conv_transpose": 1}  # the axis of the first operand


class Meeting(NamedTuple):
    """The operands of one operation."""

    name: str
    types: Sequence[Any]
    facts: Facts
    named: Collection[str]  # the names of the block: what a pattern alone calls an axis is its own affair

    def oddity(self, a: Axis, b: Axis, spans: Sequence[Span | None]) -> Oddity | None:
        """What is odd about two axes that meet: more likely than two sizes that happen to be equal."""
        if not a.label or not b.label or a.label == b.label:
            return None
        for label, axis in ((b.label, a), (a.label, b)):
            if self.elsewhere(label, axis, self._contracted(a)):
                holder = next(type for type in self._tensors if any(x is axis for x in type.axes))
                text = (
                    f"{holder} has an axis `{label}` in another place: `rearrange` and `expand` bring axes into place"
                )
                return self.placed(text, spans)
        ranks = {len(type.axes) for type in self._tensors}
        return Oddity() if len(ranks) > 1 else None

    def placed(self, text: str, spans: Sequence[Span | None]) -> Oddity:
        """The smaller of two operands with its axes where the larger has them; of a product, the right one turned."""
        if self.name == "matmul":
            return self._turned(text, spans)
        if len(self.types) != 2 or len(self._tensors) != 2 or len(spans) != 2:
            return Oddity(text)
        large = max(self._tensors, key=lambda type: len(type.axes))
        at = next(i for i, type in enumerate(self.types) if type is not large)
        small, span = self.types[at], spans[at]
        names, labels = [x.label for x in large.axes], [x.label for x in small.axes]
        named = all(isinstance(name, str) and not isinstance(name, OneOf) for name in (*names, *labels))
        unique = len(set(names)) == len(names) and len(set(labels)) == len(labels)
        packs = any(x.pack is not None for x in (*large.axes, *small.axes))
        if span is None or packs or not named or not unique or not set(labels) <= set(names):
            return Oddity(text)
        first = next(i for i, name in enumerate(names) if name in labels)
        right = [name if name in labels else "1" for name in names[first:]]
        if right == labels:
            return Oddity(text)
        op = "expand" if "1" in right else "rearrange"
        shown = f'{op}["{" ".join(map(str, labels))} -> {" ".join(map(str, right))}"]({span.text})'
        return Oddity(text, f"write `{shown}`", (Edit(span, shown),))

    def _turned(self, text: str, spans: Sequence[Span | None]) -> Oddity:
        """`q @ k`, which contracts the last axis of both, with `k` transposed."""
        left, right = self._tensors
        span = spans[1] if len(spans) == 2 else None
        names = shaped("", right).names
        contracts = right.axes[-1].label == left.axes[-1].label and right.axes[-1].label is not None
        if span is None or not contracts or len(names) < 2 or right.axes[-2].pack is not None:
            return Oddity(text)
        turned = " ".join([*names[:-2], names[-1], names[-2]])
        shown = f'rearrange["{" ".join(names)} -> {turned}"]({span.text})'
        return Oddity(text, f"write `{shown}`", (Edit(span, shown),))

    def transposed(self, a: Axis, b: Axis) -> bool:
        """Whether the labels show that an operand is transposed. Those of two square maps that are composed do not.

        Nor do those that a pattern gave to a map: maps that follow each other may all be `o i`.
        """
        if isinstance(a.label, OneOf) or isinstance(b.label, OneOf):
            return False
        contracted = self._contracted(a)
        if self.name == "matmul" and contracted and all(self._square(type) for type in self.types):
            return False
        return any(
            (not contracted or one.label in self.named) and self.elsewhere(one.label, other, contracted, one.size)
            for one, other in ((a, b), (b, a))
        )

    def elsewhere(self, label: str | None, axis: Axis, contracted: bool, size: Size | None = None) -> bool:
        """Whether the operand of an axis has another one of this label (and size), which does not meet its like."""
        holders = [type for type in self._tensors if any(x is axis for x in type.axes)]
        return any(
            x.label == label
            and x is not axis
            and not isinstance(x.label, OneOf)
            and (size is None or self.facts.equal(x.size, size))
            and (contracted or not self._meets(label, place, holder))
            for holder in holders
            for place, x in enumerate(reversed(holder.axes))
        )

    def _meets(self, label: str | None, place: int, holder: TensorType) -> bool:
        """Whether another operand has the label in this place too, counted from the right."""
        others = (type for type in self._tensors if type is not holder and len(type.axes) > place)
        return any(other.axes[-1 - place].label == label for other in others)

    @property
    def _tensors(self) -> list[TensorType]:
        return [type for type in self.types if isinstance(type, TensorType)]

    def _contracted(self, a: Axis) -> bool:
        """Whether the axis of the first operand is one that a map sums over: it has no place beside."""
        return self.name in SUMMED and a is self.types[0].axes[SUMMED[self.name]]

    def _square(self, type: TensorType) -> bool:
        axes = type.axes[-2:]
        return len(axes) == 2 and self.facts.equal(axes[0].size, axes[1].size)

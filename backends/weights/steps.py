"""What a map does to a tensor of theirs: axes exchanged, split, merged, a part cut out. All of it can be undone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Protocol

from ogive.compiler.ops.pattern_parse import Operand, PatternTerm

Shape = tuple[int, ...]


class StepFault(Exception):
    """A step that does not fit a shape: the text says why."""


@dataclass(frozen=True, slots=True)
class View:
    """A tensor of shape `source` as one of shape `before`, its axes in another order, that as one of shape `after`."""

    source: Shape
    before: Shape
    order: tuple[int, ...]
    after: Shape

    @property
    def trivial(self) -> bool:
        """Whether it leaves a tensor as it is."""
        return self.source == self.before == self.after and list(self.order) == sorted(self.order)

    @property
    def inverse(self) -> View:
        """What undoes it."""
        back = tuple(sorted(range(len(self.order)), key=self.order.__getitem__))
        return View(self.after, tuple(self.before[axis] for axis in self.order), back, self.source)


class Step(Protocol):
    """A step on shapes."""

    def view(self, shape: Shape, back: bool = False) -> View:
        """What it does to a tensor of this shape; with `back` what it did where it has given one. Raises StepFault."""


@dataclass(frozen=True, slots=True)
class Transpose:
    """The last two axes exchanged; a vector stays as it is."""

    def view(self, shape: Shape, back: bool = False) -> View:
        order = tuple(range(len(shape)))
        order = (*order[:-2], *order[:-3:-1]) if len(shape) > 1 else order
        swapped = tuple(shape[axis] for axis in order)
        return View(swapped, swapped, order, shape) if back else View(shape, shape, order, swapped)


@dataclass(frozen=True, slots=True)
class Rearrange:
    """A pattern of axes, with sizes: `(h t e) *r -> (t h e) *r`, whose packs are any number of axes."""

    text: str
    inputs: Operand
    outputs: Operand
    sizes: Mapping[str, int]

    def view(self, shape: Shape, back: bool = False) -> View:
        known = self._solved(self.outputs if back else self.inputs, shape)
        first = [name for term in self.inputs.terms for name in _atoms(term, known)]
        last = [name for term in self.outputs.terms for name in _atoms(term, known)]
        before = tuple(known[name][0] for name in first)
        order = tuple(first.index(name) for name in last)
        return View(_dims(self.inputs, known), before, order, _dims(self.outputs, known))

    def _solved(self, side: Operand, shape: Shape) -> dict[str, Shape]:
        """The size of each name; those of a pack, of which there is one at most, also one by one as `*r 0`."""
        at = next((i for i, term in enumerate(side.terms) if term.kind == "pack"), len(side.terms))
        packed = at < len(side.terms)
        room = len(shape) - (len(side.terms) - packed)
        if room < 0 or (room and not packed):
            raise StepFault(f"`{side}` has {len(side.terms)} axes, not {len(shape)}")
        known: dict[str, Shape] = {name: (size,) for name, size in self.sizes.items()}
        if packed:
            known[side.terms[at].text] = shape[at : at + room]
        rest = (*shape[:at], *shape[at + room :])
        for term, size in zip([term for term in side.terms if term.kind != "pack"], rest, strict=True):
            self._fit(term, size, known)
        for term in side.terms:
            if term.kind == "pack":
                known |= {f"*{term.text} {i}": (size,) for i, size in enumerate(known[term.text])}
        return known

    def _fit(self, term: PatternTerm, size: int, known: dict[str, Shape]) -> None:
        names = [leaf.text for leaf in term.leaves() if leaf.kind == "name"]
        open_ = [name for name in names if name not in known]
        product = prod(known[name][0] for name in names if name in known)
        if len(open_) > 1:
            raise StepFault(f"the sizes of {' and '.join(f'`{name}`' for name in open_)} in `{term}` are not known")
        if open_ and product and size % product == 0:
            known[open_[0]] = (size // product,)
        elif open_ or size != product:
            raise StepFault(f"`{term}` does not fit an axis of {size}")


def _atoms(term: PatternTerm, known: Mapping[str, Shape]) -> list[str]:
    if term.kind == "pack":
        return [f"*{term.text} {i}" for i in range(len(known[term.text]))]
    return [leaf.text for leaf in term.leaves() if leaf.kind == "name"]


def _dims(side: Operand, known: Mapping[str, Shape]) -> Shape:
    found: list[int] = []
    for term in side.terms:
        found += known[term.text] if term.kind == "pack" else [prod(known[name][0] for name in _atoms(term, known))]
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Cut:
    """A part of an axis: from `start` on to `stop`; with `of` counted in that many equal parts."""

    axis: int
    start: int
    stop: int
    of: int = 0

    def within(self, shape: Shape) -> tuple[int, int]:
        """Where it begins and ends in a tensor of this shape. Raises StepFault."""
        if self.axis >= len(shape):
            raise StepFault(f"there is no axis {self.axis} in {list(shape)}")
        size = shape[self.axis]
        if self.of and size % self.of:
            raise StepFault(f"axis {self.axis} of {list(shape)} has no {self.of} equal parts")
        unit = size // self.of if self.of else 1
        if self.stop * unit > size:
            raise StepFault(f"axis {self.axis} of {list(shape)} ends before {self.stop}")
        return self.start * unit, self.stop * unit

    def back(self, shape: Shape) -> tuple[int, int]:
        """Where a part of this shape belongs. Raises StepFault."""
        if self.axis >= len(shape):
            raise StepFault(f"there is no axis {self.axis} in {list(shape)}")
        size = shape[self.axis]
        start, stop = (self.start * size, self.stop * size) if self.of else (self.start, self.stop)
        if stop - start != size:
            raise StepFault(f"axis {self.axis} of {list(shape)} is not {stop - start} long")
        return start, stop


def through(steps: Sequence[Step], shape: Shape) -> tuple[tuple[View, ...], Shape]:
    """What steps do to a tensor of this shape, and the shape that they give. Raises StepFault."""
    views = []
    for step in steps:
        views.append(step.view(shape))
        shape = views[-1].after
    return tuple(view for view in views if not view.trivial), shape


def back_through(steps: Sequence[Step], shape: Shape) -> tuple[tuple[View, ...], Shape]:
    """What steps did to give this shape, and the shape before them. Raises StepFault."""
    views = []
    for step in reversed(steps):
        views.append(step.view(shape, back=True))
        shape = views[-1].source
    return tuple(view for view in reversed(views) if not view.trivial), shape


def steps_between(given: Shape, wanted: Shape) -> str | None:
    """The steps from one shape to another, as a map says them; None where axes would have to be split or merged."""
    plain = tuple(size for size in given if size != 1)
    if plain == tuple(size for size in wanted if size != 1):
        if given == wanted:
            return ""
        keep = min(len(given), len(wanted))
        head = next((i for i in range(keep) if given[i] != wanted[i]), keep)
        if given[:head] + given[head + 1 :] == wanted:
            return f"squeeze {head}"
        if wanted[:head] + wanted[head + 1 :] == given:
            return f"unsqueeze {head}"
        squeezes = [f"squeeze {i}" for i in range(len(given) - 1, -1, -1) if given[i] == 1]
        return " | ".join([*squeezes, *(f"unsqueeze {i}" for i, size in enumerate(wanted) if size == 1)])
    swapped = (*given[:-2], *given[:-3:-1])
    return "transpose" if len(given) > 1 and swapped == wanted else None

"""Steps as they are written in a map: `layers.*.qkv.weight | transpose | part 0 of 3`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ogive.backends.weights.names import NameFault, NamePattern, Values, read_name
from ogive.backends.weights.steps import Cut, Rearrange, Step, Transpose
from ogive.compiler.ops.pattern_parse import ELLIPSIS, Operand, parse
from ogive.compiler.ops.spec import ShapeError

KNOWN = (
    "transpose", "squeeze 1", "unsqueeze 1", "part 0 of 3", "slice 0:64", "entry *", "interleaved_to_halves 64",
    "halves_to_interleaved 64", "rearrange (h t e) *r -> (t h e) *r, t=3, e=64",
)  # fmt: skip
_NUMBER = r"(\d{1,9})"
_ON = rf"(?: on {_NUMBER})?"
_STAR = r"(\{[^{}]*\}|\*|\d{1,9})"


@dataclass(frozen=True, slots=True)
class Part:
    """A tensor of theirs: steps before a part of it is cut out, and steps on that part."""

    name: str
    before: tuple[Step, ...] = ()
    cut: Cut | None = None
    after: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class PartRule:
    """A part, with stars: those of the name, then that of `entry *` or `part * of 3`."""

    name: NamePattern
    before: tuple[Step, ...] = ()
    cut: Cut | None = None
    index: NamePattern | None = None
    after: tuple[Step, ...] = ()

    @property
    def stars(self) -> int:
        """How many values it takes."""
        return len(self.name.stars) + (len(self.index.stars) if self.index is not None else 0)

    def at(self, values: Values) -> Part | None:
        """The part for these values; None where there is none."""
        count = len(self.name.stars)
        name = self.name.filled(values[:count])
        if name is None or self.cut is None or self.index is None:
            return None if name is None else Part(name, self.before, self.cut, self.after)
        index = self.index.filled(values[count:])
        if index is None or not index.isdigit():
            return None
        cut = Cut(self.cut.axis, int(index), int(index) + 1, self.cut.of)
        return Part(name, self.before, cut, self.after)


def read_part(text: str) -> PartRule:
    """A name with its steps. Raises `NameFault`."""
    first, *texts = (piece.strip() for piece in text.split("|"))
    before: list[Step] = []
    after: list[Step] = []
    cut, index = None, None
    for each in texts:
        found = _cut(each)
        if found is None:
            (before if cut is None else after).append(read_step(each))
        elif cut is not None:
            raise NameFault(f"`{text}`: only one of its steps takes a part")
        else:
            cut, index = found
            if each.startswith("entry"):
                after.append(read_step("squeeze 0"))
    return PartRule(read_name(first), tuple(before), cut, index, tuple(after))


def read_steps(text: str) -> tuple[Step, ...]:
    """Steps alone, without a part. Raises `NameFault`."""
    return tuple(read_step(each.strip()) for each in text.split("|"))


def _cut(text: str) -> tuple[Cut, NamePattern | None] | None:
    if found := re.fullmatch(rf"entry {_STAR}", text):
        return Cut(0, 0, 1), read_name(found[1])
    if found := re.fullmatch(rf"part {_STAR} of {_NUMBER}{_ON}", text):
        count, axis = int(found[2]), int(found[3] or 0)
        if not count or (found[1].isdigit() and int(found[1]) >= count):
            raise NameFault(f"`{text}`: parts are counted from 0, and there are {count}")
        return Cut(axis, 0, 1, count), read_name(found[1])
    if found := re.fullmatch(rf"slice {_NUMBER}:{_NUMBER}{_ON}", text):
        start, stop = int(found[1]), int(found[2])
        if start >= stop:
            raise NameFault(f"`{text}` takes nothing")
        return Cut(int(found[3] or 0), start, stop), None
    return None


def read_step(text: str) -> Step:
    """A step that takes no part. Raises `NameFault`."""
    if text == "transpose":
        return Transpose()
    if found := re.fullmatch(rf"(squeeze|unsqueeze) {_NUMBER}", text):
        if int(found[2]) > 8:
            raise NameFault(f"`{text}`: no tensor has so many axes")
        names = " ".join(f"a{i}" for i in range(int(found[2])))
        sides = (f"{names} 1 *r", f"{names} *r")
        return rearrange(*(sides if found[1] == "squeeze" else sides[::-1]), {}, text)
    if found := re.fullmatch(rf"(halves_to_interleaved|interleaved_to_halves) {_NUMBER}", text):
        size = int(found[2])
        if not size or size % 2:
            raise NameFault(f"`{text}`: a head has an even size")
        halves, interleaved = "(h t e) *r", "(h e t) *r"
        sides = (halves, interleaved) if found[1].startswith("halves") else (interleaved, halves)
        return rearrange(*sides, {"t": 2, "e": size // 2}, text)
    if text.startswith("rearrange "):
        pattern, *settings = text.removeprefix("rearrange ").split(",")
        first, arrow, last = pattern.partition("->")
        if not arrow:
            raise NameFault(f"`{text}`: a pattern has `->`")
        return rearrange(first, last, dict(map(_setting, settings)), text)
    raise NameFault(f"unknown step `{text}`; there are " + ", ".join(f"`{each}`" for each in KNOWN))


def _setting(text: str) -> tuple[str, int]:
    found = re.fullmatch(rf"\s*([A-Za-z_]\w*)\s*=\s*{_NUMBER}\s*", text, re.ASCII)
    if found is None or not int(found[2]):
        raise NameFault(f"`{text.strip()}` is not the size of an axis, such as e=64")
    return found[1], int(found[2])


def rearrange(first: str, last: str, sizes: Mapping[str, int], text: str) -> Rearrange:
    """A step between two sides of a pattern. Raises `NameFault`."""
    try:
        found = parse(f"{first} -> {last}")
    except ShapeError as error:
        raise NameFault(f"`{text}`: {error}") from None
    sides = (*found.inputs, *found.outputs)
    if len(sides) != 2:
        raise NameFault(f"`{text}`: there is one tensor on each side")
    names = [_names(side, text) for side in sides]
    if sorted(names[0]) != sorted(names[1]) or len(set(names[0])) < len(names[0]):
        raise NameFault(f"`{text}`: both sides have the same axes, each once")
    unknown = sizes.keys() - set(names[0])
    if unknown:
        raise NameFault(f"`{text}`: there is no axis `{min(unknown)}`")
    return Rearrange(text, *sides, sizes)


def _names(side: Operand, text: str) -> list[str]:
    found = []
    for term in side.terms:
        leaves = list(term.leaves())
        inner = [leaf for leaf in leaves if leaf.kind == "pack"]
        if any(leaf.kind == "number" and leaf.text != "1" for leaf in leaves):
            raise NameFault(f"`{text}`: an axis of a size has a name: `(h t) -> h t, t=2`")
        if _sums(term) or (inner and term.kind != "pack") or any(leaf.text == ELLIPSIS for leaf in inner):
            raise NameFault(f"`{text}`: axes are names, 1, groups in parentheses, and one `*rest`")
        found += [("*" if leaf.kind == "pack" else "") + leaf.text for leaf in leaves if leaf.kind != "number"]
    if sum(name.startswith("*") for name in found) > 1:
        raise NameFault(f"`{text}`: one `*rest` is enough")
    return found


def _sums(term: object) -> bool:
    return getattr(term, "kind", "") == "sum" or any(_sums(item) for item in getattr(term, "items", ()))

"""Calls that PyTorch and numpy write with positions and sizes, as patterns over the axes of the tensor at hand."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from ogive.compiler.ir.types import OneOf, TensorType
from ogive.compiler.sizes import Facts, Size, size

NAMES = "ijklmnopqrstuvwxyz"
_PLAIN = re.compile(r"[a-z]\w*'*|\d+")


class Setting(NamedTuple):
    """An argument of a call: its value where it is known, and its text."""

    value: Any
    text: str

    @property
    def number(self) -> int | None:
        """A whole number that is known."""
        value = size(self.value) if type(self.value) is int else self.value
        return value.number if isinstance(value, Size) and value.is_number else None


class Shaped(NamedTuple):
    """A tensor at hand: its text, its type, and a name for each of its axes."""

    text: str
    type: TensorType
    names: tuple[str, ...]

    @property
    def applied(self) -> str:
        return f"({self.text})"

    def at(self, setting: Setting | None, default: int | None = None, *, room: int = 0) -> int | None:
        """The axis that a position means, None where it means none; with `room`, a place between axes."""
        found = default if setting is None else setting.number
        rank = len(self.names)
        if found is None or not -rank - room <= found < rank + room:
            return None
        packs = [i for i, axis in enumerate(self.type.axes) if axis.pack is not None]
        place = found % (rank + room)
        if packs and (place > packs[0] if found >= 0 else place <= packs[0]):
            return None
        return place

    def pattern(self, op: str, names: Iterable[str], settings: str = "", left: Iterable[str] | None = None) -> str:
        """`op["left -> names", settings](x)`."""
        before = " ".join(self.names if left is None else left)
        return f'{op}["{before} -> {" ".join(names)}"{settings}]{self.applied}'


def shaped(text: str, type: TensorType, taken: Iterable[str] = ()) -> Shaped:
    """A tensor whose axes are called what their labels say, and by letters where these say nothing."""
    labels = [axis.label for axis in type.axes]
    free = (name for name in NAMES if name not in labels and name not in taken)
    names: list[str] = []
    for axis in type.axes:
        label = axis.label
        if axis.pack is not None:
            names.append(axis.pack if axis.pack == "..." else f"*{axis.pack}")
        elif label and not isinstance(label, OneOf) and _PLAIN.fullmatch(label) and label not in names:
            names.append(label)
        else:
            names.append(next(free))
    return Shaped(text, type, tuple(names))


Rewrite = Callable[[Shaped, Sequence[Setting], Facts], str | None]


def transpose(x: Shaped, settings: Sequence[Setting], facts: Facts) -> str | None:
    """Two axes change places: the last two where none is named."""
    given = settings if settings else (Setting(-2, ""), Setting(-1, ""))
    places = [x.at(each) for each in given]
    if len(places) != 2 or None in places or (not settings and len(x.names) < 2):
        return None
    a, b = places
    assert a is not None
    assert b is not None
    names = list(x.names)
    names[a], names[b] = names[b], names[a]
    return x.pattern("rearrange", names)


def permute(x: Shaped, settings: Sequence[Setting], facts: Facts) -> str | None:
    """All axes in another order; numpy's `transpose()` reverses them."""
    places = [x.at(each) for each in settings]
    if sorted(place for place in places if place is not None) != list(range(len(x.names))):
        return None
    return x.pattern("rearrange", [x.names[place] for place in places if place is not None])


def unsqueeze(x: Shaped, settings: Sequence[Setting], facts: Facts) -> str | None:
    """An axis of size 1."""
    place = x.at(settings[0], room=1) if len(settings) == 1 else None
    if place is None:
        return None
    return x.pattern("expand", [*x.names[:place], "1", *x.names[place:]])


def squeeze(x: Shaped, settings: Sequence[Setting], facts: Facts) -> str | None:
    """An axis of size 1 goes; all of them where none is named."""
    ones = [i for i, axis in enumerate(x.type.axes) if axis.size.is_number and axis.size.number == 1]
    gone = [x.at(each) for each in settings] if settings else ones
    if not gone or not all(place in ones for place in gone):
        return None
    left = ["1" if i in gone else name for i, name in enumerate(x.names)]
    return x.pattern("rearrange", [name for i, name in enumerate(x.names) if i not in gone], left=left)


def flatten(x: Shaped, settings: Sequence[Setting], facts: Facts) -> str | None:
    """Neighbouring axes become one."""
    start, end = x.at(settings[0] if settings else None, 0), x.at(settings[1] if len(settings) > 1 else None, -1)
    if start is None or end is None or start >= end:
        return None
    return x.pattern("rearrange", [*x.names[:start], f"({' '.join(x.names[start : end + 1])})", *x.names[end + 1 :]])


def chunk(x: Shaped, settings: Sequence[Setting], facts: Facts) -> str | None:
    """Equal parts of an axis."""
    place = x.at(settings[1] if len(settings) > 1 else None, 0) if settings else None
    if place is None or settings[0].number is None:
        return None
    new = "t" if "t" not in x.names else "parts"
    left = [f"({new} {name})" if i == place else name for i, name in enumerate(x.names)]
    return x.pattern("split", [new, *x.names], f", {new}={settings[0].text}", left)


def parts(x: Shaped, settings: Sequence[Setting], facts: Facts) -> str | None:
    """`split(x, size, dim)`: parts of one size, whose number must be known."""
    place = x.at(settings[1] if len(settings) > 1 else None, 0) if settings else None
    if place is None or not isinstance(settings[0].value, Size):
        return None
    count = x.type.axes[place].size // settings[0].value
    return chunk(x, [Setting(count, str(count)), *settings[1:]], facts) if count.is_number else None


def unbind(x: Shaped, settings: Sequence[Setting], facts: Facts) -> str | None:
    """One tensor for each entry of an axis, whose size is known."""
    place = x.at(settings[0] if settings else None, 0)
    if place is None or not x.type.axes[place].size.is_number:
        return None
    return x.pattern("split", [x.names[place], *x.names[:place], *x.names[place + 1 :]])


def reshape(x: Shaped, settings: Sequence[Setting], facts: Facts) -> str | None:
    """Axes are joined and cut, as far as sizes say which: from both ends where one size is left open."""
    if x.type.rank is None or not settings:
        return None
    wanted = [
        None if each.number == -1 else size(each.value) if isinstance(each.value, Size | int) else BAD
        for each in settings
    ]
    if BAD in wanted or wanted.count(None) > 1:
        return None
    sizes = list(x.type.sizes)
    front: list[Group] = []
    i = j = 0
    while j < len(wanted) and wanted[j] is not None and (group := _group(sizes, wanted, i, j, facts)) is not None:
        front.append(group)
        i, j = group[0].stop, group[1].stop
    back: list[Group] = []
    end, stop = len(sizes), len(wanted)
    if j < stop:
        while (
            stop > j + 1
            and end > i
            and wanted[stop - 1] is not None
            and facts.equal(sizes[end - 1], wanted[stop - 1] or 1)
        ):
            end, stop = end - 1, stop - 1
            back.insert(0, (range(end, end + 1), range(stop, stop + 1)))
        front.append((range(i, end), range(j, stop)))
    elif i < end:
        return None
    return _written(x, settings, [*front, *back])


def expand(x: Shaped, settings: Sequence[Setting], facts: Facts) -> str | None:
    """Axes of size 1, and new ones in front, become as long as is said; -1 leaves an axis as it is."""
    new = len(settings) - len(x.names)
    if x.type.rank is None or new < 0 or not settings:
        return None
    taken = set(x.names)
    left: list[str] = []
    right: list[str] = []
    given: list[str] = []
    for at, wanted in enumerate(settings):
        axis = x.type.axes[at - new] if at >= new else None
        kept = axis is not None and (
            wanted.number == -1 or (isinstance(wanted.value, Size) and facts.equal(axis.size, wanted.value))
        )
        if kept:
            left.append(x.names[at - new])
            right.append(x.names[at - new])
            continue
        if axis is not None and not (axis.size.is_number and axis.size.number == 1):
            return None
        name = _called(wanted, taken)
        left += ["1"] if axis is not None else []
        right.append(name)
        given.append(f", {name}={wanted.text}")
    return x.pattern("expand", right, "".join(given), left) if given else x.text


Group = tuple[range, range]  # these axes become those
BAD: Any = object()


def _group(sizes: list[Size], wanted: Sequence[Any], i: int, j: int, facts: Facts) -> Group | None:
    """The fewest axes from here on that become the fewest there."""
    for many in range(1, max(len(sizes) - i, len(wanted) - j) + 1):
        one = range(i, i + 1), range(j, j + many)
        several = range(i, i + many), range(j, j + 1)
        for old, new in (one, several):
            if old.stop <= len(sizes) and new.stop <= len(wanted) and None not in [wanted[k] for k in new]:
                if facts.equal(_product(sizes[k] for k in old), _product(wanted[k] for k in new)):
                    return old, new
    return None


def _product(items: Iterable[Size]) -> Size:
    total = size(1)
    for item in items:
        total = total * item
    return total


def _written(x: Shaped, settings: Sequence[Setting], groups: Sequence[Group]) -> str | None:
    left, right, given = [], [], []
    taken = set(x.names)
    for old, new in groups:
        if len(old) == 1 and len(new) == 1:
            left.append(x.names[old.start])
            right.append(x.names[old.start])
        elif len(new) == 1 and old:
            left += [x.names[k] for k in old]
            right.append(f"({' '.join(x.names[k] for k in old)})")
        elif len(old) == 1:
            names = [_called(settings[k], taken) for k in new]
            left.append(f"({' '.join(names)})")
            right += names
            simple = sorted(new, key=lambda k: (settings[k].number == -1, not _PLAIN.fullmatch(settings[k].text)))
            given += [f"{names[k - new.start]}={settings[k].text}" for k in sorted(simple[:-1])]
        elif not old and len(new) == 1:
            right.append("1")
        else:
            return None
    op = "rearrange" if "1" not in right else "expand"
    if op == "expand" and any("(" in name for name in (*left, *right)):
        return None
    return x.pattern(op, right, "".join(f", {each}" for each in given), left)


def _called(setting: Setting, taken: set[str]) -> str:
    """A name for a new axis: that of its size where it is one."""
    name = setting.text if setting.text.isidentifier() and setting.text not in taken else ""
    name = name or next(letter for letter in "e" + NAMES if letter not in taken)
    taken.add(name)
    return name


PATTERNS: dict[str, Rewrite] = {
    "transpose": transpose, "swapaxes": transpose, "swapdims": transpose, "t": transpose, "T": transpose,
    "mT": transpose, "permute": permute, "unsqueeze": unsqueeze, "expand_dims": unsqueeze, "squeeze": squeeze,
    "flatten": flatten, "chunk": chunk, "split": parts, "unbind": unbind, "reshape": reshape, "view": reshape,
    "expand": expand,
}  # fmt: skip

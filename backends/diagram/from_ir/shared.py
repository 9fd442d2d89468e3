"""Weights that several operations share, or all iterations of a loop: the drawing says so.

The first operation has the name of the weights under it, with `shared`; those behind it have `= name`, the same as
above, as has an operation that takes a weight of a block. What stands in an open block that is the same as above needs
no mark of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from ogive.backends.diagram.figure.figure import Column, Op, Section

OWN = ("repeat",)  # loops of which each iteration may have weights of its own


def marked(section: Section) -> Section:
    """The section, with captions at operations that share their weights."""
    uses: Counter[str] = Counter()
    _count([section], uses)
    common = frozenset(key for key, count in uses.items() if count > 1)
    blocks = {op.attr("path") for op in section.walk() if op.source == "call" and op.learned}
    lent = {key for op in section.walk() if op.source != "call" for key in keys(op) if set(_around(key)) & blocks}
    return _Marks(common, _names(common), set(lent)).section(section, ())


def _around(path: str) -> Iterator[str]:
    """The places that a weight is in."""
    while "." in path:
        path = path.rsplit(".", 1)[0]
        yield path


def keys(op: Op) -> tuple[str, ...]:
    """The places of the weights that an operation has: of a block its own, of others those in the glyph."""
    if not op.learned:
        return ()
    own = tuple(value for key, value in op.attrs if key == "own")  # of all copies that are drawn once
    path = op.attr("path")
    return own or ((path,) if path else tuple(value for key, value in op.attrs if key == "weight"))


def _count(sections: Iterable[Section], uses: Counter[str]) -> None:
    for op in (op for section in sections for column in section.columns for op in column.ops):
        found = keys(op)
        known = bool(found) and all(uses[key] for key in found)
        uses.update(found)
        if not known:
            _count(op.bodies, uses)


def _names(paths: frozenset[str]) -> dict[str, str]:
    """The last part of each place where that is enough to tell it from the others."""
    last = Counter(path.rsplit(".", 1)[-1] for path in paths)
    return {path: path if last[path.rsplit(".", 1)[-1]] > 1 else path.rsplit(".", 1)[-1] for path in paths}


@dataclass(slots=True)
class _Marks:
    common: frozenset[str]
    names: dict[str, str]
    seen: set[str] = field(default_factory=set)  # those of blocks, from the start

    def section(self, section: Section, loops: tuple[str, ...]) -> Section:
        """`loops` are the places of the loops around it."""
        columns = (Column(tuple(self.op(op, loops) for op in column.ops)) for column in section.columns)
        return replace(section, columns=tuple(columns))

    def op(self, op: Op, loops: tuple[str, ...]) -> Op:
        found = keys(op)
        again = [key for key in found if key in self.seen]
        first = [key for key in found if key in self.common and key not in self.seen]
        first += [key for key in found if key not in self.common and _same_in_all(op, key, loops)]
        self.seen |= self.common & set(found)
        if again or first:
            op = replace(op, caption=_caption(op, [*self._told(again, "= "), *self._told(first, "", ", shared")]))
        if again and len(again) == len(found):
            return op
        inside = (*loops, op.attr("path")) if op.source in OWN else loops
        return replace(op, bodies=tuple(self.section(body, inside) for body in op.bodies)) if op.bodies else op

    def _told(self, paths: list[str], before: str, behind: str = "") -> Iterator[str]:
        if paths:
            yield before + (self._owner(paths) or ", ".join(self.names.get(path, path) for path in paths)) + behind

    def _owner(self, paths: list[str]) -> str:
        """The place whose weights these are, if it has no others in common and they are more than two."""
        owner = paths[0].rpartition(".")[0]
        of_it = {path for path in self.common if path.rpartition(".")[0] == owner}
        return owner if len(paths) > 2 and of_it == set(paths) else ""


def _same_in_all(op: Op, path: str, loops: tuple[str, ...]) -> bool:
    """Whether all iterations of a loop around it use these weights."""
    return bool(op.attr("shared")) or any(not path.startswith(f"{loop}.*".lstrip(".")) for loop in loops)


def _caption(op: Op, texts: list[str]) -> str:
    """The mark says the name of the place; a pentagon has its own."""
    if op.glyph == "weight":
        return "shared" if any(text.endswith(", shared") for text in texts) else ""
    return ", ".join(texts)

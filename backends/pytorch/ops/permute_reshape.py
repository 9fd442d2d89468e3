"""From one layout of axes to another in as few views as a person would write.

A layout is a list of groups, one for each axis of the tensor; a group is the blocks merged into that axis, row-major,
and a block the elementary axes that always stay together. A group without blocks is an axis of size 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ogive.backends.python_text.expr import (
    ALL,
    DOTS,
    NONE,
    Argument,
    Code,
    attribute,
    binary,
    counts,
    cut,
    literal,
    method,
    subscript,
    tuple_of,
)
from ogive.backends.python_text.functions.context import Context
from ogive.compiler.ops.empty import may_be_empty
from ogive.compiler.ops.recipe import Atom, AxisGroup, Part, Side, product
from ogive.compiler.sizes import Size

Block = Part
Group = tuple[Block, ...]
Layout = tuple[Group, ...]

# beside a pack alone in its group: its axes are merged into one
MERGED: Block = ()


def groups(*sides: Side) -> tuple[Layout, ...]:
    """The layouts of tensors without joined axes, in the coarsest blocks that fit them all."""
    together: set[tuple[str, str]] = set().union(*map(_neighbours, sides))
    for side in sides:
        inside = {atom.name for place in side for atom in place.atoms}
        here = _neighbours(side)
        # two elementary axes that a side lacks altogether (reduced or summed away) may stay together
        together = {pair for pair in together if pair in here or not (pair[0] in inside or pair[1] in inside)}
    return tuple(tuple(_group(place, together) for place in side) for side in sides)


def _group(place: AxisGroup, together: set[tuple[str, str]]) -> Group:
    blocks = _blocks(place.atoms, together)
    return (
        (*blocks, MERGED)
        if blocks and not place.pack and len(blocks) == len(blocks[0]) == 1 and blocks[0][0].pack
        else blocks
    )


def _neighbours(side: Side) -> set[tuple[str, str]]:
    return {(a.name, b.name) for place in side for a, b in zip(place.atoms, place.atoms[1:], strict=False)}


def _blocks(atoms: Part, together: set[tuple[str, str]]) -> Group:
    blocks: list[list[Atom]] = []
    for i, atom in enumerate(atoms):
        if i and (atoms[i - 1].name, atom.name) in together:
            blocks[-1].append(atom)
        else:
            blocks.append([atom])
    return tuple(tuple(block) for block in blocks)


def single(blocks: Sequence[Block]) -> Layout:
    """The layout in which each block has an axis to itself."""
    return tuple((block,) for block in blocks)


def blocks_of(layout: Sequence[Group]) -> list[Block]:
    """All blocks, left to right."""
    return [block for group in layout for block in group if block]


@dataclass(frozen=True, slots=True)
class LayoutView:
    """A tensor that is being written, and its layout."""

    ctx: Context
    code: Code
    layout: Layout
    whole: frozenset[Block] = frozenset()  # outermost factors of a last axis of which no device has a part

    def to(self, wanted: Layout) -> LayoutView:
        """The same elements in another layout."""
        if self.layout == wanted:
            return self
        have, want = blocks_of(self.layout), blocks_of(wanted)
        if have == want:
            return self._regroup(wanted)
        # the numbers of a head apart from each other, `(e h)`: a stretch of them is a part of every head
        features = {group[0] for group, last in ((self.layout[-1], want[-1]), (wanted[-1], have[-1])) if group[1:]
                    and group[0] == last}  # fmt: skip
        if features and not any(atom.pack for block in have for atom in block):
            return replace(replace(self, whole=frozenset(features))._moved(wanted, want), whole=self.whole)
        return self._moved(wanted, want)

    def _moved(self, wanted: Layout, want: list[Block]) -> LayoutView:
        pieces = _pieces(self.layout, wanted)
        order = sorted(pieces, key=lambda piece: want.index(piece[0]))
        return self._regroup(tuple(pieces))._permute(tuple(order))._regroup(wanted)

    def dim(self, axis: int, *, last: bool = True) -> int:
        """The axis as torch counts it: from the right where a pack stands before it, or (`last`) for the last one."""
        pack = self.pack
        if (pack is not None and axis > pack) or (last and axis == len(self.layout) - 1):
            return axis - len(self.layout)
        return axis

    @property
    def pack(self) -> int | None:
        """The axis that stands for any number of axes."""
        alone = (i for i, group in enumerate(self.layout) if len(group) == 1 and len(group[0]) == 1)
        return next((i for i in alone if self.layout[i][0][0].pack is not None), None)

    def _regroup(self, wanted: Layout) -> LayoutView:
        """Other groups, in the same order of blocks."""
        if self.layout == wanted:
            return self
        solid, target = [g for g in self.layout if g], [g for g in wanted if g]
        if solid == target:
            return self._squeeze(_shared_units(self.layout, wanted))._unsqueeze(wanted)
        units = len(solid) < len(self.layout) or len(target) < len(wanted)
        runs = _runs(solid, target)
        if not units and len(runs) == 1:
            return self._one_run(wanted, *runs[0])
        merges = any(len(old) > 1 or MERGED in new[0] for _, old, new in runs)
        if self._keeps_pack(target):
            return self._squeeze(tuple(solid))._each_run(runs)._unsqueeze(wanted)
        return self._then("reshape" if merges else "view", *counts(self._shape(wanted)), layout=wanted)

    def _then(self, name: str, *args: Argument, layout: Layout) -> LayoutView:
        return replace(self, code=method(self.code, name, *args), layout=layout)

    def _shape(self, wanted: Layout) -> list[Code]:
        """The sizes of the axes; the one that swallows a pack is inferred, a pack itself is that of an input."""
        bare = [group[0][0].pack if len(group) == len(group[0]) == 1 else None for group in wanted if group]
        if any(pack is not None for pack in bare):
            return [
                self.ctx.size(size_of(group)) if not group or pack is None else self.ctx.pack(pack)
                for group, pack in zip(wanted, [bare.pop(0) if group else None for group in wanted], strict=True)
            ]
        packed = [any(atom.pack is not None for block in group for atom in block) for group in wanted]
        if True not in packed:
            return self._local([size_of(group) for group in wanted], [self._whole(group) for group in wanted])
        sizes = [self.ctx.size(size_of(group)) for group, pack in zip(wanted, packed, strict=True) if not pack]
        sizes.insert(packed.index(True), self.joined_pack(wanted, wanted[packed.index(True)]))
        return sizes

    def joined_pack(self, wanted: Layout, group: Group) -> Code:
        """The size of an axis that swallows a pack: -1, but beside an axis that may be empty, where -1 says nothing."""
        others = [atom for block in blocks_of(wanted) for atom in block if atom.pack is None]
        if self.pack is None or not any(may_be_empty(atom.size) for atom in others):
            return literal(-1)
        after = self.pack + 1 - len(self.layout)
        axes = subscript(attribute(self.code, "shape"), cut(self.pack or None, after or None))
        rest = [atom for block in group for atom in block if atom.pack is None]
        count = method(axes, "numel")
        return binary(count, "*", self.ctx.size(size_of(((*rest,),)))) if rest else count

    def _local(self, sizes: Sequence[Size], whole: Sequence[bool]) -> list[Code]:
        """These sizes, where one that is not `whole` may come out as -1, if that reads better."""
        at = next((i for i, code in enumerate(self.ctx.shape(sizes)) if code == literal(-1) and not whole[i]), None)
        return [literal(-1) if i == at else self.ctx.size(size) for i, size in enumerate(sizes)]

    def _whole(self, group: Group) -> bool:
        """Whether an axis consists of inner factors of axes: of the outermost factor alone a device may have a part."""
        inner = not any(old[0] in group for old in self.layout if old)
        return inner or any(block in self.whole for block in group)

    def _one_run(self, wanted: Layout, at: int, old: Layout, new: Layout) -> LayoutView:
        if len(new) == 1 and not any(atom.pack for block in blocks_of(old) for atom in block):
            return self._flatten(at, len(old), wanted)
        if len(old) == 1 and len(new) > 1:
            return self._unflatten(at, new, wanted)
        if self._keeps_pack(wanted):
            return self._each_run([(at, old, new)])
        return self._then("reshape", *counts(self._shape(wanted)), layout=wanted)

    def _keeps_pack(self, wanted: Sequence[Group]) -> bool:
        return self.pack is not None and self.layout[self.pack] in wanted

    def _each_run(self, runs: list[tuple[int, Layout, Layout]]) -> LayoutView:
        """Beside a pack of unknown rank: one axis after the other, from the right, so that places stay."""
        view = self
        for at, old, new in reversed(runs):
            middle = (
                *view.layout[:at],
                tuple(block for group in old for block in group),
                *view.layout[at + len(old) :],
            )
            view = view._flatten(at, len(old), middle) if len(old) > 1 else view
            if len(new) > 1:
                view = view._unflatten(at, new, (*middle[:at], *new, *middle[at + 1 :]))
        return view

    def _flatten(self, at: int, count: int, wanted: Layout) -> LayoutView:
        if any(block in self.whole for block in wanted[at]):
            return self._then("reshape", *(self.ctx.size(size_of(group)) for group in wanted), layout=wanted)
        end = at + count - 1
        if end == len(self.layout) - 1:
            args = [] if at == 0 else [self.dim(at)]
        else:
            args = [self.dim(at), self.dim(end)]
        return self._then("flatten", *args, layout=wanted)

    def _unflatten(self, at: int, new: Layout, wanted: Layout) -> LayoutView:
        # devices that share an axis hold stretches of it, so the outermost factor has a part on each of them and the
        # others are whole; a number, as the 3 in `(3 h e)`, has no parts, and what is shared there is refused
        sizes: list[Code] = []
        told = any(may_be_empty(size_of(group)) for group in new if not any(atom.pack for b in group for atom in b))
        for place, group in enumerate(new):
            pack = group[0][0].pack if len(group) == len(group[0]) == 1 else None
            if pack is not None:
                sizes.append(self.ctx.pack(pack))
            else:
                parted = not size_of(group).is_number and group[0] not in self.whole
                first = place == 0 and parted and not told
                sizes.append(literal(-1) if first else self.ctx.size(size_of(group)))
        return self._then("unflatten", self.dim(at), tuple_of(sizes), layout=wanted)

    def _squeeze(self, wanted: Layout) -> LayoutView:
        """Without the axes of size 1 that `wanted` lacks."""
        units = _missing(self.layout, wanted)
        if not units:
            return self
        dims = [self.dim(i) for i in units]
        arg = dims[0] if len(dims) == 1 else tuple_of(dims)
        return self._then("squeeze", arg, layout=wanted)

    def _unsqueeze(self, wanted: Layout) -> LayoutView:
        """With new axes of size 1, where `wanted` has them."""
        units = _missing(wanted, self.layout)
        if not units:
            return self
        grown = replace(self, layout=wanted)
        if len(units) == 1:
            return self._then("unsqueeze", grown.dim(units[0]), layout=wanted)
        return replace(grown, code=subscript(self.code, *_indices(len(wanted), units, grown.pack)))

    def _permute(self, wanted: Layout) -> LayoutView:
        """The axes in another order."""
        count = len(wanted)
        source = [self.layout.index(group) for group in wanted]
        moved = [i for i, j in enumerate(source) if i != j]
        if not moved:
            return self
        if len(moved) == 2 and self.pack not in moved:
            dims = (self.dim(axis, last=False) for axis in moved)
            return self._then("transpose", *dims, layout=wanted)
        if self.pack is None:
            return self._then("permute", *source, layout=wanted)
        target = replace(self, layout=wanted)
        stays = [i for i in range(count) if source[i] != self.pack]
        pairs = [(self.dim(source[i]), target.dim(i)) for i in stays if self.dim(source[i]) != target.dim(i)]
        froms, tos = tuple_of([a for a, _ in pairs]), tuple_of([b for _, b in pairs])
        if len(pairs) == 1:
            return self._then("movedim", *pairs[0], layout=wanted)
        return self._then("movedim", froms, tos, layout=wanted)


def _pieces(have: Layout, want: Layout) -> Layout:
    """The axes that are permuted: blocks, and stretches of blocks that are, or shall be, one axis and move together.

    Of the choices (open groups before or after, merge axes before or after) the one with the fewest views. Axes are
    merged early only where that finishes the work: a merge may copy, and one that comes last copies once.
    """
    choices = []
    for glue in ((have, want), (have,), (want,), ()):
        pieces = _glued(have, want, glue)
        order = sorted(pieces, key=lambda piece: blocks_of(want).index(piece[0]))
        views = (pieces != have) + (tuple(order) != want)
        early = any(not any(set(piece) <= set(group) for group in have) for piece in pieces)
        choices.append((views, early and tuple(order) != want, len(pieces), pieces))
    return min(choices, key=lambda choice: choice[:3])[3]


def _glued(have: Layout, want: Layout, glue: Sequence[Layout]) -> Layout:
    order = blocks_of(want)
    pieces: list[list[Block]] = []
    for i, block in enumerate(before := blocks_of(have)):
        last = before[i - 1] if i else None
        follows = last is not None and order.index(block) == order.index(last) + 1
        packed = last is not None and any(atom.pack is not None for atom in (*block, *last))
        if follows and not packed and any(_merged(last, block, layout) for layout in glue):
            pieces[-1].append(block)
        else:
            pieces.append([block])
    return tuple(map(tuple, pieces))


def _merged(a: Block | None, b: Block, layout: Layout) -> bool:
    return any(a in group and b in group for group in layout)


def size_of(group: Group) -> Size:
    """The size of an axis."""
    return product(tuple(atom for block in group for atom in block))


def _runs(old: list[Group], new: list[Group]) -> list[tuple[int, Layout, Layout]]:
    """The shortest stretches of axes that hold the same blocks, grouped differently: (place in old, old, new)."""
    found: list[tuple[int, Layout, Layout]] = []
    i = j = 0
    while i < len(old):
        start, other = i, j
        left, right = blocks_of(old[i : i + 1]), blocks_of(new[j : j + 1])
        i, j = i + 1, j + 1
        while len(left) != len(right):
            if len(left) < len(right):
                left += blocks_of(old[i : i + 1])
                i += 1
            else:
                right += blocks_of(new[j : j + 1])
                j += 1
        if old[start:i] != new[other:j]:
            found.append((start, tuple(old[start:i]), tuple(new[other:j])))
    return found


def _missing(whole: Layout, part: Layout) -> list[int]:
    """The axes of size 1 in `whole` that `part` lacks; beside them both have the same axes."""
    found, at = [], 0
    for i, group in enumerate(whole):
        if at < len(part) and part[at] == group:
            at += 1
        else:
            found.append(i)
    return found


def _shared_units(have: Layout, want: Layout) -> Layout:
    """The axes that both have in common, those of size 1 as often as the one with fewer of them has them there."""
    found: list[Group] = []
    at = 0
    for group in have:
        if not group and not (at < len(want) and not want[at]):
            continue  # `want` has no axis of size 1 here
        if group:
            while not want[at]:
                at += 1
        found.append(group)
        at += 1
    return tuple(found)


def _indices(count: int, units: Sequence[int], pack: int | None) -> list[Code]:
    """An index that makes axes of size 1: `:, None, :, None`."""
    items = [NONE if i in units else DOTS if i == pack else ALL for i in range(count)]
    last = max(units)
    return items[: last + 1] if pack is None or last < pack else items  # behind dots, colons count

"""Which tensor of a checkpoint becomes which weight: worked out, and checked whole, on shapes alone."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

from ogive.backends.weights.faults import fault, grouped, shape_text
from ogive.backends.weights.maps import MapRule, WeightMap
from ogive.backends.weights.step_text import Part
from ogive.backends.weights.steps import Shape, StepFault, View, back_through, steps_between, through
from ogive.grammar.diagnostics import Diagnostic
from ogive.grammar.source import Span

Tensor = TypeVar("Tensor")
Range = tuple[int, int, int, int]  # an axis, where a part of it begins, where it ends, and where the axis does


@dataclass(frozen=True, slots=True)
class Piece:
    """A tensor of theirs, what is done to it, the part that is cut out then, and what is done to that."""

    name: str
    before: tuple[View, ...] = ()
    cut: Range | None = None
    after: tuple[View, ...] = ()


@dataclass(frozen=True, slots=True)
class Move:
    """One weight of ours and the pieces that make it: piece `i` fills `sizes[i]` of `axis`; then `after`."""

    ours: str
    pieces: tuple[Piece, ...]
    axis: int
    sizes: tuple[int, ...]
    after: tuple[View, ...] = ()


def plan(
    mapping: WeightMap,
    ours: Mapping[str, Shape],
    theirs: Mapping[str, Shape],
    wrong: Callable[[str, str], str] = lambda ours, theirs: "",
    same: Mapping[str, str] | None = None,
) -> tuple[Move, ...]:
    """The moves from a checkpoint. Raises `ArchError` naming every missing, extra and misshapen tensor.

    `wrong` says why a tensor of theirs cannot be the weight of ours that it stands for, or nothing. `same` has other
    names of tensors that a checkpoint holds once: nothing needs to take them.
    """
    names = Names.of(mapping, theirs)
    moves, faults = [], _idle(mapping, ours)
    used = {alias for alias, _, _ in _ties(mapping, theirs)}
    for name, shape in ours.items():
        rule, parts = rule_of(mapping, name, shape)
        found = [(names.there(part.name), part) for part in parts]
        used.update(each for each, _ in found)
        problem = _absent(name, shape, found, theirs) or _unfit(name, found, theirs, wrong)
        made = problem or _made(name, shape, found, rule, theirs)
        if isinstance(made, str):
            faults.append(fault(mapping, made, rule))
        else:
            moves.append(made)
    used.update(alias for alias, kept in (same or {}).items() if kept in used)
    for name in theirs.keys() - used:
        if not mapping.ignores(names.prefix + name):
            help_ = "" if mapping.chunk.text == "" else "name it under [ignore] to leave it out"
            text = f"no weight of the model takes `{name}` {shape_text(theirs[name])}"
            faults.append(fault(mapping, text, help_=help_))
    strange = not mapping.rules and len(moves) * 2 < len(ours) and not used & theirs.keys() == theirs.keys()
    grouped(faults, "these are other names: `ogive map FILE:NAME --weights PATH` drafts a map" if strange else "")
    grouped(_left(mapping, moves))
    return tuple(moves)


@dataclass(frozen=True, slots=True)
class Names:
    """The names of a map in a checkpoint: some leave a prefix out, and some have another name of a tied tensor."""

    mapping: WeightMap
    theirs: Collection[str]
    prefix: str  # the part of the names in the map that the checkpoint leaves out

    @staticmethod
    def of(mapping: WeightMap, theirs: Collection[str]) -> Names:
        """The names of a checkpoint."""
        prefix = mapping.optional_prefix
        return Names(mapping, theirs, "" if any(name.startswith(prefix) for name in theirs) else prefix)

    def there(self, name: str) -> str:
        """The name under which the checkpoint has what the map calls so."""
        plain = name.removeprefix(self.prefix)
        if plain in self.theirs:
            return plain
        others = [other for tie in self.mapping.ties for other in (tie.alias_of(name), tie.name_of(name))]
        others += [tie.alias_of(name) for tie in self.mapping.also]
        found = (other.removeprefix(self.prefix) for other in others if other is not None)
        return next((other for other in found if other in self.theirs), plain)


def check_ties(mapping: WeightMap, theirs: Mapping[str, Tensor], equal: Callable[[Tensor, Tensor], bool]) -> None:
    """Raise `ArchError` naming every pair of names for one tensor under which a checkpoint has two."""
    grouped([
        Diagnostic("E0823", f"`{alias}` and `{name}` are one weight, but the checkpoint has two", span,
                   help="tie them before they are saved, or list one under [ignore] to leave it out")
        for alias, name, span in _ties(mapping, theirs)
        if not equal(theirs[alias], theirs[name])
    ])  # fmt: skip


def _ties(mapping: WeightMap, theirs: Collection[str]) -> list[tuple[str, str, Span]]:
    """The ties of which the checkpoint has both names."""
    prefix, found = Names.of(mapping, theirs).prefix, []
    for tie in mapping.ties:
        for alias in theirs:
            name = tie.name_of(alias) or tie.name_of(prefix + alias)
            if name is not None and name.removeprefix(prefix) in theirs:
                found.append((alias, name.removeprefix(prefix), tie.span))
    return found


def tied(mapping: WeightMap, theirs: Collection[str]) -> list[tuple[str, str]]:
    """The other names of tensors that a map makes, each with that of the tensor; `ArchError` where there is none."""
    found: dict[str, str] = {}
    faults = []
    for tie in mapping.ties:
        made = {alias: name for name in theirs if (alias := tie.alias_of(name)) is not None}
        back = {name: alias for alias in theirs if (name := tie.name_of(alias)) is not None}
        if not made and not back:
            text = f"`{tie.alias.text}` is tied to `{tie.name.text}`, which this map makes of no weight"
            faults.append(Diagnostic("E0821", text, tie.span))
        found |= made | back
    grouped(faults)
    return [(alias, name) for alias, name in found.items() if alias not in theirs]


def plan_back(mapping: WeightMap, ours: Mapping[str, Shape]) -> tuple[Move, ...]:
    """The moves of a map, without a checkpoint to look at: joined parts are equal unless the map gives their sizes."""
    ends: dict[str, int] = {}
    for _ in range(2):  # how long a tensor is whose slices are taken is known when all are
        moves, faults = [], _idle(mapping, ours)
        for name, shape in ours.items():
            rule, parts = rule_of(mapping, name, shape)
            made = _made_back(name, shape, parts, rule, ends)
            if isinstance(made, str):
                faults.append(fault(mapping, made, rule))
            else:
                moves.append(made)
        for piece in (piece for move in moves for piece in move.pieces if piece.cut is not None):
            ends[piece.name] = max(ends.get(piece.name, 0), piece.cut[2] if piece.cut else 0)
    faults += _left(mapping, moves, made=True)
    grouped(faults)
    return tuple(moves)


def rule_of(mapping: WeightMap, name: str, shape: Shape) -> tuple[MapRule | None, tuple[Part, ...]]:
    """The first rule that speaks of a weight of ours, and the parts of theirs; none is its own name."""
    for rule in mapping.rules:
        parts = rule.at(name, shape)
        if parts is not None:
            return rule, parts
    return None, (Part(name),)


def _idle(mapping: WeightMap, ours: Mapping[str, Shape]) -> list[Diagnostic]:
    """Lines that speak of no weight of the model, or of none that earlier lines have left."""
    chosen = {id(rule.span) for name, shape in ours.items() if (rule := rule_of(mapping, name, shape)[0]) is not None}
    faults = {}
    for rule in mapping.rules:
        if id(rule.span) in chosen:
            continue
        fits = any(rule.at(name, shape) is not None for name, shape in ours.items())
        heads = {".".join(name.split(".")[:i]) for name in ours for i in range(1, name.count(".") + 1)}
        below = any(rule.ours.match(head) is not None for head in heads)
        text = f"earlier lines take all that `{rule.ours.text}` names" if fits else ""
        help_ = f"`{rule.ours.text}.*` moves all below" if below and not fits else ""
        faults[id(rule.span)] = fault(mapping, text or f"the model has no weight `{rule.ours.text}`", rule, help_)
    return list(faults.values())


def _absent(name: str, shape: Shape, found: list[tuple[str, Part]], theirs: Collection[str]) -> str:
    missing = list(dict.fromkeys(f"`{there}`" for there, _ in found if there not in theirs))
    return f"the checkpoint has no {' and no '.join(missing)}, for `{name}` {shape_text(shape)}" if missing else ""


def _unfit(
    name: str, found: list[tuple[str, Part]], theirs: Mapping[str, Shape], wrong: Callable[[str, str], str]
) -> str:
    """Why the tensors that are there cannot be the weight, whatever their shapes are."""
    return "; ".join(dict.fromkeys(filter(None, (wrong(name, there) for there, _ in found))))


def _made(
    name: str, shape: Shape, found: list[tuple[str, Part]], rule: MapRule | None, theirs: Mapping[str, Shape]
) -> Move | str:
    """The move to a weight, or why the parts do not make it."""
    axis, said = rule.axis if rule else 0, f"`{name}` is {shape_text(shape)}, but the checkpoint has "
    pieces, shapes = [], []
    for there, part in found:
        try:
            piece, got = _piece(there, part, theirs[there])
        except StepFault as error:
            return f"{said}`{there}` {shape_text(theirs[there])}: {error}"
        pieces.append(piece)
        shapes.append(got)
    if rule and rule.sizes is not None:
        given = zip(shapes, rule.sizes, strict=True)
        if any(got[axis : axis + 1] != (size,) for got, size in given):
            return f"the parts of `{name}` do not have the sizes that the map gives"
    joined = _joined(shapes, axis)
    after: tuple[View, ...] = ()
    if joined is not None and rule is not None and rule.after:
        try:
            after, joined = through(rule.after, joined)
        except StepFault as error:
            return f"`{name}`: {error}"
    if joined == shape:
        return Move(name, tuple(pieces), axis, tuple(got[axis] for got in shapes if got), after)
    listed = ", ".join(f"`{there}` {shape_text(theirs[there])}" for there in dict.fromkeys(there for there, _ in found))
    steps = steps_between(joined, shape) if joined is not None else None
    add = f"; add `| {steps}`" if steps and len(found) == 1 else ""
    hint = "; add or drop `| transpose`" if steps == "transpose" else add
    return said + listed + hint


def _piece(there: str, part: Part, shape: Shape) -> tuple[Piece, Shape]:
    before, shape = through(part.before, shape)
    cut = None
    if part.cut is not None:
        start, stop = part.cut.within(shape)
        axis = part.cut.axis
        cut = axis, start, stop, shape[axis]
        shape = (*shape[:axis], stop - start, *shape[axis + 1 :])
    after, shape = through(part.after, shape)
    return Piece(there, before, cut, after), shape


def _joined(shapes: list[Shape], axis: int) -> Shape | None:
    """The shape of joined parts; None where they cannot be joined."""
    first = shapes[0]
    if len(shapes) == 1:
        return first
    alike = {(len(got), got[:axis], got[axis + 1 :]) for got in shapes}
    if len(alike) > 1 or axis >= len(first):
        return None
    return (*first[:axis], sum(got[axis] for got in shapes), *first[axis + 1 :])


def _made_back(
    name: str, shape: Shape, parts: tuple[Part, ...], rule: MapRule | None, ends: Mapping[str, int]
) -> Move | str:
    """The move from a weight, or why it does not make the parts."""
    axis, whole = rule.axis if rule else 0, shape
    try:
        after, whole = back_through(rule.after if rule else (), shape)
    except StepFault as error:
        return f"`{name}` {shape_text(shape)}: {error}"
    if len(parts) == 1 and not (rule and rule.sizes):
        sizes: Shape = whole[axis : axis + 1]
    elif axis >= len(whole) or (rule and rule.sizes is None and whole[axis] % len(parts)):
        return f"`{name}` {shape_text(whole)} cannot be cut into {len(parts)} equal parts"
    elif rule and rule.sizes is not None and sum(rule.sizes) != whole[axis]:
        return f"the sizes do not add up to axis {axis} of `{name}` {shape_text(whole)}"
    else:
        equal = (whole[axis] // len(parts),) * len(parts)
        sizes = rule.sizes if rule and rule.sizes else equal
    pieces = []
    for number, part in enumerate(parts):
        got = (*whole[:axis], sizes[number], *whole[axis + 1 :]) if len(parts) > 1 else whole
        try:
            pieces.append(_piece_back(part, got, ends))
        except StepFault as error:
            return f"`{name}` {shape_text(shape)}: {error}"
    return Move(name, tuple(pieces), axis, sizes, after)


def _piece_back(part: Part, shape: Shape, ends: Mapping[str, int]) -> Piece:
    """A piece of a tensor that is made: steps before a cut are those of the whole, whose size several pieces tell."""
    after, shape = back_through(part.after, shape)
    if part.cut is None:
        before, _ = back_through(part.before, shape)
        return Piece(part.name, before, None, after)
    start, stop = part.cut.back(shape)
    axis = part.cut.axis
    size = shape[axis] * part.cut.of if part.cut.of else max(stop, ends.get(part.name, 0))
    before, _ = back_through(part.before, (*shape[:axis], size, *shape[axis + 1 :]))
    return Piece(part.name, before, (axis, start, stop, size), after)


def _left(mapping: WeightMap, moves: Iterable[Move], made: bool = False) -> list[Diagnostic]:
    """Tensors of theirs of which only some parts are taken, or some of them in two ways.

    What is not taken may be ignored, but not where the tensors are made.
    """
    verb = "gives" if made else "takes"
    taken: dict[str, dict[Range | None, Piece]] = {}
    for move in moves:
        for piece in move.pieces:
            taken.setdefault(piece.name, {})[piece.cut] = piece
    faults = []
    for name, pieces in taken.items():
        ranges = sorted(cut for cut in pieces if cut is not None)
        if not ranges:
            continue
        axis, first = ranges[0][0], pieces[ranges[0]]
        size = max(end for _, _, _, end in ranges)
        beside = None not in pieces and all(start[0] == axis for start in ranges)
        beside = beside and all(a[2] <= b[1] for a, b in pairwise(ranges))
        if not beside or any(piece.before != first.before for piece in pieces.values()):
            text = f"the parts of `{name}` that are taken do not lie side by side"
            faults.append(fault(mapping, text, help_="take each part once, along one axis, after the same steps"))
            continue
        gaps = [(a[2], b[1]) for a, b in pairwise([(axis, 0, 0, 0), *ranges, (axis, size, size, size)]) if a[2] < b[1]]
        if made or not mapping.ignores(name):
            faults += [
                fault(mapping, f"no weight of the model {verb} {start}:{stop} of axis {axis} of `{name}`")
                for start, stop in gaps
            ]
    return faults

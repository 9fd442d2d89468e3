"""Which tensor of a checkpoint becomes which weight: worked out, and checked whole, on shapes alone."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TypeVar

from ogive.backends.weights.maps import MapRule, Part, WeightMap
from ogive.grammar.diagnostics import ArchError, Diagnostic
from ogive.grammar.source import Span

Shape = tuple[int, ...]
Tensor = TypeVar("Tensor")


@dataclass(frozen=True, slots=True)
class Move:
    """One weight of ours and the tensors of theirs that make it: part `i` fills `sizes[i]` of `axis`."""

    ours: str
    parts: tuple[Part, ...]
    axis: int
    sizes: tuple[int, ...]


def plan(
    mapping: WeightMap,
    ours: Mapping[str, Shape],
    theirs: Mapping[str, Shape],
    wrong: Callable[[str, str], str] = lambda ours, theirs: "",
) -> tuple[Move, ...]:
    """The moves from a checkpoint. Raises `ArchError` naming every missing, extra and misshapen tensor.

    `wrong` says why a tensor of theirs cannot be the weight of ours that it stands for, or nothing.
    """
    prefix = _prefix(mapping, theirs)
    moves, faults = [], _idle(mapping, ours)
    used = {alias for alias, _, _ in _ties(mapping, theirs)}
    for name, shape in ours.items():
        rule, parts = _parts(mapping, name, prefix)
        axis = rule.axis if rule else 0
        used.update(part.name for part in parts)
        problem = _unfit(name, parts, theirs, wrong) or _misfit(name, shape, parts, axis, rule, theirs)
        if problem:
            faults.append(_fault(mapping, problem, rule))
        else:
            moves.append(Move(name, parts, axis, tuple(_turned(theirs[p.name], p)[axis] for p in parts if shape)))
    for name in theirs.keys() - used:
        if not mapping.ignores(prefix + name):
            help_ = "" if mapping.chunk.text == "" else "name it under [ignore] to leave it out"
            faults.append(_fault(mapping, f"no weight of the model takes `{name}` {_text(theirs[name])}", help_=help_))
    _raise(faults)
    return tuple(moves)


def check_ties(mapping: WeightMap, theirs: Mapping[str, Tensor], equal: Callable[[Tensor, Tensor], bool]) -> None:
    """Raise `ArchError` naming every pair of names for one tensor under which a checkpoint has two."""
    _raise([
        Diagnostic("E0823", f"`{alias}` and `{name}` are one weight, but the checkpoint has two", span,
                   help="tie them before they are saved, or list one under [ignore] to leave it out")
        for alias, name, span in _ties(mapping, theirs)
        if not equal(theirs[alias], theirs[name])
    ])  # fmt: skip


def _ties(mapping: WeightMap, theirs: Collection[str]) -> list[tuple[str, str, Span]]:
    """The ties of which the checkpoint has both names."""
    prefix = _prefix(mapping, theirs)
    named = [(tie.alias.removeprefix(prefix), tie.name.removeprefix(prefix), tie.span) for tie in mapping.ties]
    return [tie for tie in named if tie[0] in theirs and tie[1] in theirs]


def tied(mapping: WeightMap, theirs: Collection[str]) -> list[tuple[str, str]]:
    """The other names of tensors that a map makes, each with that of the tensor; `ArchError` where there is none."""
    _raise([
        Diagnostic("E0821", f"`{tie.alias}` is tied to `{tie.name}`, which this map makes of no weight", tie.span)
        for tie in mapping.ties
        if tie.name not in theirs
    ])  # fmt: skip
    return [(tie.alias, tie.name) for tie in mapping.ties if tie.alias not in theirs]


def _prefix(mapping: WeightMap, theirs: Collection[str]) -> str:
    """The part of the names in the map that the checkpoint leaves out."""
    return "" if any(name.startswith(mapping.optional_prefix) for name in theirs) else mapping.optional_prefix


def plan_back(mapping: WeightMap, ours: Mapping[str, Shape]) -> tuple[Move, ...]:
    """The moves of a map, without a checkpoint to look at: joined parts are equal unless the map gives their sizes."""
    moves, faults = [], _idle(mapping, ours)
    for name, shape in ours.items():
        rule, parts = _parts(mapping, name, "")
        axis = rule.axis if rule else 0
        if len(parts) == 1 and not shape:
            moves.append(Move(name, parts, axis, ()))
        elif axis >= len(shape) or (rule and rule.sizes is None and shape[axis] % len(parts)):
            faults.append(_fault(mapping, f"`{name}` {_text(shape)} cannot be cut into {len(parts)} equal parts", rule))
        elif rule and rule.sizes is not None and sum(rule.sizes) != shape[axis]:
            faults.append(_fault(mapping, f"the sizes do not add up to axis {axis} of `{name}` {_text(shape)}", rule))
        else:
            equal = (shape[axis] // len(parts),) * len(parts)
            moves.append(Move(name, parts, axis, rule.sizes if rule and rule.sizes else equal))
    _raise(faults)
    return tuple(moves)


def _idle(mapping: WeightMap, ours: Mapping[str, Shape]) -> list[Diagnostic]:
    """Lines that speak of no weight of the model."""
    return [
        _fault(mapping, f"the model has no weight `{rule.ours}`", rule)
        for rule in mapping.rules
        if all(rule.indices(name) is None for name in ours)
    ]


def _parts(mapping: WeightMap, name: str, prefix: str) -> tuple[MapRule | None, tuple[Part, ...]]:
    for rule in mapping.rules:
        indices = rule.indices(name)
        if indices is not None:
            return rule, tuple(Part(p.name.removeprefix(prefix), p.transpose) for p in rule.at(indices))
    return None, (Part(name),)


def _unfit(name: str, parts: tuple[Part, ...], theirs: Mapping[str, Shape], wrong: Callable[[str, str], str]) -> str:
    """Why the tensors that are there cannot be the weight, whatever their shapes are."""
    return "; ".join(filter(None, (wrong(name, part.name) for part in parts if part.name in theirs)))


def _misfit(
    name: str, shape: Shape, parts: tuple[Part, ...], axis: int, rule: MapRule | None, theirs: Mapping[str, Shape]
) -> str:
    """Why the parts do not make the weight, or nothing."""
    missing = [f"`{part.name}`" for part in parts if part.name not in theirs]
    if missing:
        return f"the checkpoint has no {' and no '.join(missing)}, for `{name}` {_text(shape)}"
    found = [_turned(theirs[part.name], part) for part in parts]
    if (
        rule
        and rule.sizes is not None
        and any(s[axis : axis + 1] != (n,) for s, n in zip(found, rule.sizes, strict=True))
    ):
        return f"the parts of `{name}` do not have the sizes that the map gives"
    if len({len(s) for s in found}) > 1 or (len(parts) > 1 and any(axis >= len(s) for s in found)):
        joined: Shape | None = None
    elif len(parts) == 1:
        joined = found[0]
    else:
        alike = len({s[:axis] + s[axis + 1 :] for s in found}) == 1
        joined = (*found[0][:axis], sum(s[axis] for s in found), *found[0][axis + 1 :]) if alike else None
    if joined == shape:
        return ""
    said = ", ".join(f"`{part.name}` {_text(theirs[part.name])}" for part in parts)
    return f"`{name}` is {_text(shape)}, but the checkpoint has {said}" + _hint(shape, joined)


def _hint(shape: Shape, joined: Shape | None) -> str:
    return "; add or drop `| transpose`" if joined and len(shape) > 1 and _swapped(joined) == shape else ""


def _turned(shape: Shape, part: Part) -> Shape:
    return _swapped(shape) if part.transpose else shape


def _swapped(shape: Shape) -> Shape:
    return (*shape[:-2], *shape[:-3:-1])


def _text(shape: Shape) -> str:
    return f"[{', '.join(map(str, shape))}]"


def _fault(mapping: WeightMap, message: str, rule: MapRule | None = None, help_: str = "") -> Diagnostic:
    return Diagnostic("E0821", message, rule.span if rule else Span(mapping.chunk, 0, 0), help=help_)


def _raise(faults: list[Diagnostic]) -> None:
    if faults:
        raise ArchError(tuple(sorted(faults, key=lambda fault: (fault.order(), fault.message))))

"""Specializations: a block elaborated at one choice of everything that is not a size, and found again by its choices.

Sizes and numbers of a use become unknowns of the specialization's own. A compile-time choice that depends on them is
settled by the numbers behind them and noted: another use at which the same choices come out the same shares the
specialization.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from ogive.compiler.elaborate.calls.unify import InputMatch
from ogive.compiler.elaborate.rules import statics
from ogive.compiler.elaborate.state.blocks import BlockRef
from ogive.compiler.elaborate.state.specialization import Abstract, Hole, Specialization
from ogive.compiler.elaborate.state.values import Composite, Handed, OpTemplate, PackValue, Template, as_written
from ogive.compiler.ir.model import Bindings, Scalar, Static
from ogive.compiler.ir.types import Axis
from ogive.compiler.sizes import Size, Unknown, size
from ogive.grammar import syntax
from ogive.grammar.source import Span


@dataclass
class _Taker:
    reduce: Callable[[Size], Size]
    names: list[str] = field(default_factory=list)
    lows: list[int | None] = field(default_factory=list)
    sizes: list[Size] = field(default_factory=list)

    def hole(self, value: Size, name: str, low: int | None) -> Hole:
        self.names.append(name)
        self.lows.append(low)
        self.sizes.append(value)
        return Hole(len(self.sizes) - 1)

    def take(self, value: Any, name: str) -> Any:
        """The value with its symbolic sizes taken out; known numbers stay."""
        match value:
            case Size():
                if value.is_number:
                    return value
                known = [self.reduce(size) for size in self.sizes]
                if self.reduce(value) in known:  # the same size of the user is the same unknown of ours
                    return Hole(known.index(self.reduce(value)))
                return self.hole(value, name, 1 if _positive(value) else None)
            case Scalar(fn=fn, args=args):
                return Scalar(fn, tuple(self.take(a, name) for a in args))
            case tuple():
                return tuple(self.take(v, f"{name}_{i}") for i, v in enumerate(value))
            case PackValue():
                return tuple(self.take(v, f"{name}_{i}") for i, v in enumerate(value.sizes))
            case Template(block=block, statics=given, span=span):
                return Template(block, tuple((n, self.take(v, f"{name}_{n}")) for n, v in given), span)
            case BlockRef():
                return Template(value)
            case OpTemplate(spec=spec, statics=given, span=span, pattern_span=place):
                return OpTemplate(spec, tuple((n, self.take(v, f"{name}_{n}")) for n, v in given), span, place)
            case Composite(parts=parts):
                return Composite(tuple(self.take(p, name) for p in parts))
            case Handed(value=inner):
                return Handed(self.take(inner, name))
            case Axis(size=inner, label=label, pack=pack):
                return Axis(self.take(inner, name), label, pack)
            case _:
                return value


def _positive(value: Size) -> bool:
    low = value.range[0]
    return low is not None and low >= 1


def fill(value: Any, own: Sequence[Size]) -> Any:
    """The value with a specialization's own sizes in its holes."""
    match value:
        case Hole(index=index):
            return own[index]
        case Scalar(fn=fn, args=args):
            return Scalar(fn, tuple(fill(a, own) for a in args))
        case tuple():
            return tuple(fill(v, own) for v in value)
        case Template(block=block, statics=given, span=span):
            return Template(block, tuple((n, fill(v, own)) for n, v in given), span)
        case OpTemplate(spec=spec, statics=given, span=span, pattern_span=place):
            return OpTemplate(spec, tuple((n, fill(v, own)) for n, v in given), span, place)
        case Composite(parts=parts):
            return Composite(tuple(fill(p, own) for p in parts))
        case Handed(value=inner):
            return Handed(fill(inner, own))
        case Axis(size=inner, label=label, pack=pack):
            return Axis(fill(inner, own), label, pack)
        case _:
            return value


def abstract(
    ref: BlockRef,
    match: InputMatch,
    presence: tuple[bool | None, ...],
    reduce: Callable[[Size], Size] = lambda size: size,
) -> Abstract:
    """Take the sizes out of a use of a block. `reduce` writes a size by what the user knows.

    `presence` says for each input whether it is absent (None), given (False), or known only when the model runs (True).
    """
    taker = _Taker(reduce)
    empty = may_be_empty(ref.tree) | vacant(ref, presence)
    values: dict[str, Any] = dict.fromkeys(decl.name for decl in ref.tree.statics)
    others: list[str] = []
    for decl in ref.tree.statics:
        value = match.values[decl.name]
        wanted = statics.kinds(decl, ref.tree)
        if isinstance(value, Size) and wanted != ("float",):
            lowest = [statics.LOWEST.get(k) for k in wanted if k in ("size", "nat", "int")]
            low = min((v for v in lowest if v is not None), default=None) if None not in lowest else None
            values[decl.name] = taker.hole(value, decl.name, 0 if decl.name in empty and low == 1 else low)
        else:
            others.append(decl.name)
    bound = {n: taker.hole(v, n, 0 if n in empty else 1) for n, v in match.sizes.items()}
    packs: dict[str, tuple[Any, ...]] = {}
    for name, axes in match.packs.items():
        short = "s" if name == "..." else name
        names = [short] if len(axes) == 1 else [f"{short}{i + 1}" for i in range(len(axes))]
        packs[name] = tuple(
            Axis(
                # an unknown that is a pack has the name of the pack, by which graphs tell packs apart
                taker.hole(axis.size, name if axis.pack is not None else names[i], 1),  # type: ignore[arg-type]
                f"*{name}.{i}",
                None if axis.pack is None else name,
            )
            for i, axis in enumerate(axes)
        )
    for name in others:  # last: a size inside a block that is handed in is that of an axis, where one has it
        values[name] = taker.take(match.values[name], name)
    shape = tuple((n, tuple((a.size, a.pack is None) for a in axes)) for n, axes in packs.items())
    key = (ref, tuple(values.items()), as_written(tuple(values.values())), tuple(bound.items()), shape, presence)
    return Abstract(key, taker.names, taker.lows, taker.sizes, values, bound, packs)


def may_be_empty(block: syntax.Block) -> set[str]:
    """The sizes that `where p >= 0` lets be 0."""
    found = set()
    for condition in block.where:
        match condition:
            case syntax.Compare(op=">=", left=syntax.Name(id=id), right=syntax.Number(value=0)):
                found.add(id)
            case _:
                pass
    return found


@lru_cache(1024)
def vacant(ref: BlockRef, presence: tuple[bool | None, ...]) -> frozenset[str]:
    """The sizes that only inputs have which are absent, and that may not be 0: there is nothing to say of them."""
    block = ref.tree
    names: dict[bool, set[str]] = {True: set(), False: set()}
    for each, present in zip(block.inputs, presence, strict=True):
        for dim in each.type.dims:
            if not isinstance(dim, syntax.StarDim):
                names[present is None].update(statics.names_in(dim))
    known = names[False] | may_be_empty(block) | {decl.name for decl in block.statics}
    return frozenset(names[True] - known)


def own_unknowns(found: Abstract, pool: dict[Hashable, tuple[Unknown, ...]]) -> tuple[Unknown, ...]:
    """Unknowns for the holes. A pack of open rank is an atom of its own kind.

    Specializations of one block whose holes have the same names take the same unknowns, after an edit too: sizes
    that are computed and facts that are proved for one of them are known for the next.
    """
    packs = {a.size.index for axes in found.packs.values() for a in axes if a.pack is not None}
    ref: BlockRef = found.key[0]
    key = (ref.module.path, ref.name, tuple(found.names), tuple(found.lows), frozenset(packs))
    if key not in pool:
        pool[key] = tuple(
            Unknown(name, low, "pack" if i in packs else "size")
            for i, (name, low) in enumerate(zip(found.names, found.lows, strict=True))
        )
    return pool[key]


def static_members(ref: BlockRef, found: Abstract, holes: Sequence[Unknown]) -> tuple[Static, ...]:
    """The statics of a definition, in source order."""
    own = [size(h) for h in holes]
    made = []
    for decl in ref.tree.statics:
        kind = " | ".join(statics.kinds(decl, ref.tree))
        value = found.values[decl.name]
        if isinstance(value, Hole):
            made.append(Static(decl.name, kind, holes[value.index]))
        else:
            made.append(Static(decl.name, kind, None, fill(value, own)))
    return tuple(made)


def size_unknowns(found: Abstract, holes: Sequence[Unknown]) -> tuple[Unknown, ...]:
    """The unknowns that are not statics: bound by the inputs."""
    taken = {v.index for v in found.values.values() if isinstance(v, Hole)}
    return tuple(h for i, h in enumerate(holes) if i not in taken)


def bindings_of(holes: Sequence[Unknown], sizes: Sequence[Size]) -> Bindings:
    """The unknowns of a specialization with the user's sizes."""
    return tuple(zip(holes, sizes, strict=True))


def per_instance(specialization: Specialization, ref: BlockRef) -> bool:
    """Whether a block is proved at each instance: control flow depends on a static, or it takes a block or a list."""
    return bool(specialization.decisions) or takes_blocks(ref)


def takes_blocks(ref: BlockRef) -> bool:
    """Whether a block takes a block or a list."""
    return any({"block", "list"} & set(statics.kinds(decl, ref.tree)) for decl in ref.tree.statics)


def introductions(ref: BlockRef) -> dict[str, Span]:
    """Where each size of a block is introduced: its static, or its first place in the inputs."""
    introduced: dict[str, Span] = {decl.name: decl.span for decl in ref.tree.statics}
    for each in ref.tree.inputs:
        for dim in each.type.dims:
            if isinstance(dim, syntax.StarDim):
                introduced.setdefault(dim.name or "s", dim.span)
            else:
                for name in statics.names_in(dim):
                    introduced.setdefault(name, dim.span)
    return introduced

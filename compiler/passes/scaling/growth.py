"""Which sizes grow with a width, and by how much over a base width."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ogive.compiler.ir.model import Model
from ogive.compiler.passes.conversion.result import PassError
from ogive.compiler.sizes import FALSE, Size, Unknown, size
from ogive.grammar.spelling import close


@dataclass(frozen=True)
class WidthGrowth:
    """A model with some statics re-opened: `now` and `base` are their numbers, all others are known."""

    model: Model
    now: Mapping[Unknown, Size]
    base: Mapping[Unknown, Size]

    def grows(self, value: Size) -> bool:
        """Whether it is another number at twice the width."""
        doubled = {unknown: 2 * number for unknown, number in self.now.items()}
        return value.subs(doubled) != value.subs(self.now)

    def number(self, value: Size) -> int | None:
        """What it is at the width of the model."""
        found = value.subs(self.now)
        return found.number if found.is_number else None

    def at_base(self, value: Size) -> int | None:
        """What it is at the base width."""
        found = value.subs(self.base)
        return found.number if found.is_number else None

    def ratio(self, value: Size) -> float:
        """How much larger it is than at the base; 1 where it does not grow."""
        if not self.grows(value):
            return 1.0
        now, base = self.number(value), self.at_base(value)
        if now is None or not base:
            raise PassError("E0811", f"`{value}` is no number at the base width: choose another `base`")
        return now / base


def width_growth(model: Model, width: str, base: int, grow: tuple[str, ...], asked: str) -> WidthGrowth:
    """The model with these statics open. Raises PassError where it has none of that name, or no base of them."""
    known = {unknown.name: (unknown, number) for unknown, number in model.bindings}
    for name in (width, *grow):
        if name not in known:
            there = f"{model.name} has {', '.join(known) or 'no sizes among its statics'}"
            raise PassError("E0810", f"`{asked}` has no static `{name}` to grow; {there}", close(name, known))
    if base < 1:
        raise PassError("E0810", f"`base` of `{asked}` is a width from 1 on, not {base}")
    now, then = {}, {}
    of_width = known[width][1]
    for name in (width, *grow):
        unknown, number = known[name]
        if (number * base) % of_width:
            text = f"`{name}` = {number} has no whole value at {width} = {base}: it is {number} * {base} / {of_width}"
            raise PassError("E0811", text, "choose another `base`")
        now[unknown], then[unknown] = size(number), size(number * base // of_width)
    trial = {**{known[name][0]: size(known[name][1]) for name in known}, **then}
    broken = [each for each in model.definition.conditions if each.subs(trial) == FALSE]
    if broken:
        text = f"at the base {width} = {base} the model demands {broken[0]}"
        raise PassError("E0811", text, "choose another `base`, or name what grows with it: `grow=[heads]`")
    kept = tuple((unknown, number) for unknown, number in model.bindings if unknown not in now)
    return WidthGrowth(replace(model, bindings=kept), now, then)

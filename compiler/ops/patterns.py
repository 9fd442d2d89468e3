"""Patterns meet tensors: every name of a pattern gets its size, or the pattern is refused with the place inside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ogive.compiler.ir.types import Axis, TensorType
from ogive.compiler.ops.elems import shown
from ogive.compiler.ops.pattern_parse import Operand, ParsedPattern, PatternTerm, parse
from ogive.compiler.ops.recipe import Atom, AxisGroup, AxisPattern, Part, Side
from ogive.compiler.ops.spec import Checker, Pattern, ShapeError
from ogive.compiler.sizes import Size, divides, size


@dataclass(frozen=True, slots=True)
class Solved:
    """A pattern that fits its tensors, and the axes of its results."""

    parsed: ParsedPattern
    recipe: AxisPattern
    outputs: tuple[tuple[Axis, ...], ...]


def misfit(text: str, inside: tuple[int, int], operand: int | None = None, help: str = "") -> ShapeError:
    """A pattern that does not fit its tensors (E0303)."""
    return ShapeError(text, code="E0303", operand=operand, inside=inside, static="pattern", help=help)


def solve(checker: Checker, pattern: Pattern, types: Sequence[TensorType], *, grows: bool = False) -> Solved:
    """Fit the pattern to the tensors. Names of the results alone are allowed where it `grows` (expand)."""
    parsed = parse(pattern.text)
    _check_operands(parsed, types)
    names = parsed.names
    for name, given in pattern.sizes.items():
        if name not in names:
            raise ShapeError(f"`{name}` is not a name of the pattern", code="E0403", static=name)
        _check_positive(checker, name, size(given))
    for name in pattern.packs:
        if name not in parsed.packs:
            raise ShapeError(f"`*{name}` is not a pack of the pattern", code="E0403", static=name)
    solver = _PatternSolver(checker, dict(pattern.sizes), grows, packs=dict(pattern.packs))
    for operand, type in enumerate(types):
        solver.match(parsed.inputs[operand], type, operand)
    solver.split()
    sides = tuple(solver.side(operand) for operand in parsed.inputs)
    solver.restart()
    results = tuple(solver.side(operand) for operand in parsed.outputs)
    axes = tuple(solver.axes(operand, side) for operand, side in zip(parsed.outputs, results, strict=True))
    return Solved(parsed, AxisPattern(sides, results), axes)


def _check_positive(checker: Checker, name: str, given: Size) -> None:
    low = given.range[0]
    if not given.is_number and (low is None or low < 1):
        checker.positive(given, f"`{name}` of the pattern is `{given}`")
    elif given.is_number and given.number < 1:
        raise ShapeError(f"`{name}` of the pattern is {given}: an axis has at least size 1", code="E0408", static=name)


def _check_operands(parsed: ParsedPattern, types: Sequence[TensorType]) -> None:
    count = len(parsed.inputs)
    if count != len(types):
        many = "1 tensor" if count == 1 else f"{count} tensors"
        given = "1 is" if len(types) == 1 else f"{len(types)} are"
        inside = (parsed.inputs[0].start, parsed.inputs[-1].end)
        raise misfit(f"the pattern takes {many}, {given} given", inside)
    for operand in (*parsed.inputs, *parsed.outputs):
        seen: set[str] = set()
        for leaf in operand.leaves():
            if leaf.kind != "number" and leaf.text in seen:
                raise misfit(
                    f"`{leaf}` appears twice in `{operand}`", leaf.inside, help=_diagonal(leaf, operand, parsed)
                )
            seen.add(leaf.text)


def _diagonal(leaf: PatternTerm, operand: Operand, parsed: ParsedPattern) -> str:
    """How a diagonal is written: by `einsum`, on axes that no parentheses join."""
    if leaf.kind != "name" or operand not in parsed.inputs:
        return ""
    joined = any(term.kind in ("group", "sum") for term in operand.terms)
    first = "; take parentheses apart by `rearrange` first" if joined else ""
    return f'`einsum["{leaf} {leaf} -> {leaf}"](x)` takes the diagonal{first}'


@dataclass(slots=True)
class _PatternSolver:
    """The sizes found so far. `groups` wait until all axes that a name has to itself are known."""

    checker: Checker
    given: dict[str, Size]
    grows: bool
    axis: dict[str, Axis] = field(default_factory=dict)  # what a name stands for
    packs: dict[str, tuple[Axis, ...]] = field(default_factory=dict)
    groups: list[tuple[PatternTerm, Axis, int]] = field(default_factory=list)
    numbers: dict[str, int] = field(default_factory=dict)  # how often a number came, in this half of the pattern

    def match(self, operand: Operand, type: TensorType, number: int) -> None:
        """Lay the terms beside the axes of one tensor."""
        terms, axes = operand.terms, type.axes
        pack = next((i for i, term in enumerate(terms) if term.kind == "pack"), None)
        if (len(terms) != len(axes)) if pack is None else (len(terms) - 1 > len(axes)):
            least = "" if pack is None else "at least "
            named = len(terms) - (pack is not None)
            many = f"{least}{named} {'axis' if named == 1 else 'axes'}"
            text = f"`{operand}` names {many}, the tensor `{shown(type)}` has {len(axes)}"
            word = terms[0].text if len(terms) == 1 and terms[0].kind == "name" else ""
            apart = f"names stand apart: `{' '.join(word)}`" if 1 < len(axes) == len(word) else ""
            raise misfit(text, operand.inside, number, apart)
        before = len(terms) if pack is None else pack
        after = len(terms) - before - 1
        for term, axis in zip(terms[:before], axes[:before], strict=True):
            self.place(term, axis, number)
        if pack is None:
            return
        self.pack(terms[pack], axes[before : len(axes) - after], number)
        for term, axis in zip(terms[before + 1 :], axes[len(axes) - after :], strict=True):
            self.place(term, axis, number)

    def place(self, term: PatternTerm, axis: Axis, operand: int) -> None:
        """One term that is not a pack stands beside one axis."""
        if axis.pack is not None:
            raise misfit(f"`{term}` is one axis, `{axis}` any number of them", term.inside, operand)
        if term.kind == "name":
            self.bind(term, axis, operand)
        elif term.kind == "number":
            self.checker.equal(axis.size, size(int(term.text)), f"`{term.text}` stands for `{axis.size}`", operand)
        else:
            self.groups.append((term, axis, operand))

    def bind(self, term: PatternTerm, axis: Axis, operand: int) -> None:
        name = term.text
        if name in self.axis:
            first, second = self.axis[name].labelled(name), axis.labelled(name)
            text = f"`{name}` stands for `{first.size}` and `{second.size}`"
            self.checker.meet(first, second, text, operand)
            return
        self.axis[name] = axis
        if name in self.given:
            text = f"`{name}` stands for `{axis.size}`, and is given as `{self.given[name]}`"
            self.checker.equal(axis.size, size(self.given[name]), text, operand)

    def pack(self, term: PatternTerm, axes: tuple[Axis, ...], operand: int) -> None:
        """A pack stands for these axes; in a second tensor for the same ones."""
        found = self.packs.setdefault(term.text, axes)
        if found is axes:
            return
        if len(found) != len(axes):
            text = f"`{term}` stands for {len(found)} axes and for {len(axes)}"
            raise misfit(text, term.inside, operand)
        for a, b in zip(found, axes, strict=True):
            if (a.pack or b.pack) and a.size != b.size:
                raise misfit(f"`{term}` stands for `{a.named}` and `{b.named}`", term.inside, operand)
            self.checker.meet(a, b, f"`{term}` stands for `{a.named}` and `{b.named}`", operand)

    def known(self, term: PatternTerm) -> Size | None:
        """The size of a name, number or product, as far as it is known; None where it is not."""
        if term.kind == "number":
            return size(int(term.text))
        if term.kind == "group":
            return self.product(term.items)
        if term.kind == "pack":
            return self.pack_size(term)
        if term.text in self.axis:
            return self.axis[term.text].size
        return size(self.given[term.text]) if term.text in self.given else None

    def pack_size(self, term: PatternTerm) -> Size | None:
        if term.text in self.given and term.text not in self.packs:
            self.packs[term.text] = (Axis(size(self.given[term.text])),)  # a pack of one axis
        if term.text not in self.packs:
            return None
        total = size(1)
        for axis in self.packs[term.text]:
            total = total * axis.size
        return total

    def product(self, terms: Sequence[PatternTerm]) -> Size | None:
        total = size(1)
        for term in terms:
            found = self.known(term)
            if found is None:
                return None
            total = total * found
        return total

    def split(self) -> None:
        """Take groups apart, those first in which one name at most is open."""
        waiting = self.groups
        while waiting:
            left = [entry for entry in waiting if not self.take_apart(*entry)]
            if len(left) == len(waiting):
                raise self.undetermined(*left[0])
            waiting = left

    def undetermined(self, term: PatternTerm, axis: Axis, operand: int) -> ShapeError:
        names = list(dict.fromkeys(f"`{leaf}`" for leaf in term.leaves() if self.known(leaf) is None))
        first = names[0].strip("`*")
        text = f"cannot determine {' and '.join(names)} from `{axis.named}`"
        return misfit(text, term.inside, operand, f"say how many: `{first}=...`" if first != "..." else "")

    def take_apart(self, term: PatternTerm, axis: Axis, operand: int) -> bool:
        """Find the one open name of a group; False where several are open."""
        if term.kind == "sum":
            return self.take_sum_apart(term, axis, operand)
        unknown = [item for item in term.items if self.known(item) is None]
        if len(unknown) > 1 or (unknown and unknown[0].kind == "pack"):
            return False
        rest = self.product([item for item in term.items if item not in unknown])
        assert rest is not None
        if not unknown:
            text = f"`{term}` makes `{rest}`, the axis is `{axis.size}`"
            self.checker.equal(axis.size, rest, text, operand)
            return True
        text = f"`{term}` splits `{axis.size}` by `{rest}`"
        self.checker.require(divides(rest, axis.size), text, operand)
        self.axis[unknown[0].text] = Axis(axis.size // rest)
        return True

    def take_sum_apart(self, term: PatternTerm, axis: Axis, operand: int) -> bool:
        open_parts = [part for part in term.items if self.known(part) is None]
        if len(open_parts) > 1 or (open_parts and open_parts[0].kind != "name"):
            return False
        total = size(0)
        for part in term.items:
            total = total + (self.known(part) or 0)
        if not open_parts:
            self.checker.equal(axis.size, total, f"`{term}` makes `{total}`, the axis is `{axis.size}`", operand)
            return True
        rest = axis.size - total
        self.checker.positive(rest, f"`{open_parts[0]}` is what `{term}` leaves of `{axis.size}`")
        self.axis[open_parts[0].text] = Axis(rest)
        return True

    def restart(self) -> None:
        """Begin the other half: numbers above 1 pair in the order in which they stand."""
        self.numbers.clear()

    def side(self, operand: Operand) -> Side:
        """The operand with its sizes."""
        places: list[AxisGroup] = []
        for term in operand.terms:
            if term.kind == "pack":
                places += [AxisGroup(((atom,),), atom.pack is not None) for atom in self.atoms(term)]
            elif term.kind == "sum":
                places.append(AxisGroup(tuple(self.part(item) for item in term.items)))
            else:
                places.append(AxisGroup((self.part(term),)))
        return tuple(places)

    def part(self, term: PatternTerm) -> Part:
        items = term.items if term.kind == "group" else (term,)
        return tuple(atom for item in items for atom in self.atoms(item))

    def atoms(self, term: PatternTerm) -> Part:
        """The elementary axes that a name, number or pack stands for; a literal 1 stands for none."""
        found = self.known(term)
        if found is None:
            raise self.unbound(term)
        if term.kind == "number":
            if term.text == "1":
                return ()
            count = self.numbers[term.text] = self.numbers.get(term.text, 0) + 1
            return (Atom(term.text if count == 1 else f"{term.text}.{count}", found),)
        if term.kind == "name":
            return (Atom(term.text, found),)
        name = "" if term.text == "..." else term.text
        return tuple(Atom(f"{name}.{i}", axis.size, axis.pack) for i, axis in enumerate(self.packs[term.text]))

    def unbound(self, term: PatternTerm) -> ShapeError:
        if self.grows and term.kind == "name":
            return misfit(f"`{term}` is a new axis without a size", term.inside, help=f"{term}=...")
        return misfit(f"`{term}` stands on the right alone", term.inside)

    def axes(self, operand: Operand, side: Side) -> tuple[Axis, ...]:
        """The axes of a result: under the names of the pattern; a pack keeps the labels that it brings."""
        labels: list[str | None] = []
        for term in operand.terms:
            if term.kind == "pack":
                labels += [axis.label for axis in self.packs[term.text]]
            else:
                labels.append(term.text if term.kind == "name" else None)
        packs = [place.atoms[0].pack if place.pack else None for place in side]
        return tuple(Axis(place.size, label, pack) for place, label, pack in zip(side, labels, packs, strict=True))

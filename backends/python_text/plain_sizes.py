"""Sizes in fewer words, by what is known of a definition: `heads*(d//heads)` is `d` where `d % heads == 0`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from ogive.compiler.ir.model import Definition
from ogive.compiler.ir.types import TensorType
from ogive.compiler.sizes import Facts, Size, size
from ogive.compiler.sizes.atoms import Floor


@dataclass(slots=True)
class PlainSizes:
    """The sizes of a file as they are written."""

    facts: dict[str, Facts] = field(default_factory=dict)  # by definition
    found: dict[tuple[str, Size], Size] = field(default_factory=dict)

    def plain(self, definition: Definition, of: Size) -> Size:
        """The size in which a product, or a quotient of products, is a name or a quotient where it equals one."""
        if not _composed(of) or not (definition.conditions or definition.facts):
            return of
        key = (definition.name, of)
        if key not in self.found:
            if definition.name not in self.facts:
                self.facts[definition.name] = Facts.of((*definition.conditions, *definition.facts))
            self.found[key] = _plain(self.facts[definition.name], of)
        return self.found[key]

    def shown(self, definition: Definition, of: TensorType) -> TensorType:
        """A type as it is told to readers."""
        axes = (a if a.pack is not None else replace(a, size=self.plain(definition, a.size)) for a in of.axes)
        return replace(of, axes=tuple(axes))


def _plain(facts: Facts, of: Size) -> Size:
    whole = _as_one(facts, of)
    if whole is not of:
        return whole
    made = size(0)
    for monomial, factor in of.terms.items():
        term = size(1)
        for atom, exponent in monomial:
            term = term * size(atom) ** exponent
        made = made + _as_one(facts, term) * factor
    return made


def _as_one(facts: Facts, of: Size) -> Size:
    """A name, or a quotient in the size, that it always equals; else the size."""
    if not _composed(of):
        return of
    names = [size(unknown) for unknown in sorted(of.unknowns, key=lambda unknown: unknown.serial)]
    quotients = [size(atom) for atom in dict.fromkeys(_atoms(of)) if isinstance(atom, Floor)]
    return next((each for each in (*names, *quotients) if len(str(each)) < len(str(of)) and facts.equal(of, each)), of)


def _atoms(of: Size) -> Iterator[object]:
    """The atoms of a size, and those inside of quotients."""
    for monomial in of.terms:
        for atom, _ in monomial:
            yield atom
            if isinstance(atom, Floor):
                yield from _atoms(atom.num)
                yield from _atoms(atom.den)


def _composed(of: Size) -> bool:
    """Whether a quotient is multiplied, or is one of products or sums: others are short already."""
    for monomial, factor in of.terms.items():
        quotients = [atom for atom, _ in monomial if isinstance(atom, Floor)]
        if quotients and (factor != 1 or len(monomial) > 1):
            return True
        if any(not _single(part) for quotient in quotients for part in (quotient.num, quotient.den)):
            return True
    return False


def _single(of: Size) -> bool:
    """Whether a size is a number or a name."""
    return of.is_number or str(of) in {unknown.name for unknown in of.unknowns}

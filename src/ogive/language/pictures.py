"""Drawings of what a position is in, and what a model becomes; neither needs a framework."""

from __future__ import annotations

from dataclasses import dataclass

from ogive.api import Program
from ogive.grammar import syntax as s
from ogive.language.desk import SeenFile
from ogive.language.places import Position, TextRegion, region


@dataclass(frozen=True, slots=True)
class Lens:
    """A line above a declaration: what it says, and what may be done with the declaration."""

    region: TextRegion
    title: str
    name: str
    does: str  # "draw", "build" or nothing


def named_at(seen: SeenFile, place: Position) -> str | None:
    """The block or model that a position is in."""
    piece = seen.piece(place)
    if piece is None:
        return None
    tree = piece.declaration
    if isinstance(tree, s.Block | s.Model):
        return tree.name
    return piece.broken[0] if piece.broken else None


def svg(seen: SeenFile, name: str, *, depth: int = 0, theme: str = "auto") -> str | None:
    """The circuit of a block or a model, also of one with errors; None where nothing of it is understood."""
    from ogive.backends.diagram.diagram import diagram
    from ogive.backends.diagram.wrong import broken_diagrams
    from ogive.drawn import subjects

    subject = subjects(seen.program).get(name)
    if subject is not None:
        return diagram(subject, depth=depth, theme=theme).bytes("svg").decode()
    broken = broken_diagrams(seen.program, name) if not seen.program.ok else {}
    return broken[name].bytes("svg").decode() if name in broken else None


def python_source(seen: SeenFile, name: str) -> str:
    """The PyTorch module of a model as text. Raises `ArchError` where the target refuses it."""
    return Program(seen.program).models[name].torch_source()


def lenses(seen: SeenFile) -> list[Lens]:
    """What may be done with the models and blocks of a file."""
    found = []
    for tree in seen.declarations:
        if isinstance(tree, s.Model) and tree.name in seen.program.models:
            count = seen.program.models[tree.name].parameters
            at = region(tree.name_span)
            if count is not None:
                found.append(Lens(at, f"{count:,} parameters", tree.name, ""))
            found += [Lens(at, "build", tree.name, "build"), Lens(at, "draw", tree.name, "draw")]
        elif isinstance(tree, s.Block):
            found.append(Lens(region(tree.name_span), "draw", tree.name, "draw"))
    return found

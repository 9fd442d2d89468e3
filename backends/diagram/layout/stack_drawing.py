"""A stack as a drawing; on a page that is too small for it, in parts: what stands beside the spine, and pieces of it.

Parts stand side by side as far as a page is wide, in rows from top to bottom; each flows upwards.
"""

from __future__ import annotations

from dataclasses import replace

from ogive.backends.diagram.figure.geometry import Drawing, extent
from ogive.backends.diagram.figure.theme import Theme
from ogive.backends.diagram.layout.badges import changes_of, key_of_changes
from ogive.backends.diagram.layout.clashes import clash
from ogive.backends.diagram.layout.notes import key_of_roles, legend_rows
from ogive.backends.diagram.layout.overview_drawing import overview_drawing
from ogive.backends.diagram.layout.packed import Painted, packed, size_of
from ogive.backends.diagram.layout.pages import room
from ogive.backends.diagram.layout.sheet import framed
from ogive.backends.diagram.layout.stack import Stacked
from ogive.backends.diagram.views.memories import KEPT
from ogive.backends.diagram.views.overview import Overview
from ogive.backends.diagram.views.parts import in_parts
from ogive.backends.diagram.views.spines import Spines, with_single_frames

ENDS = 70.0  # the height of the names at which a piece begins and ends


def stack_drawing(made: Overview, theme: Theme, simpler: Overview | None = None, *, cut: bool = False) -> Drawing:
    """The drawing of an overview as a stack; where it is none, that of the `simpler` one, or else as an overview.

    Parts of it stand by themselves where `cut` is on and its page is too small for it.
    """
    plain, made = made, with_single_frames(made)
    painted = _painted(made, theme)
    if clash(*painted):
        if simpler is not None:
            return stack_drawing(simpler, theme, cut=cut)
        return _as_overview(plain, theme, "no stack of one spine: an overview", cut)
    legend = list(made.legend)
    if cut:
        parts = _fitting(made, theme)
        painted = packed(parts, theme)
        legend += [KEPT] * (len(parts) > 1)
        if size_of(painted)[0] > room(theme)[0]:
            return _as_overview(plain, theme, "too wide for a stack: an overview", cut)
    items, groups = painted
    left, _, right, bottom = extent(items)
    wide = max(right - left, min(300.0, room(theme)[0]))
    roles = dict.fromkeys(box.role or "slab" for box in made.boxes if box.kind == "block")
    items += key_of_roles(roles, theme, left, bottom + 24, wide)
    items += key_of_changes(changes_of(items), theme, left, extent(items)[3] + 18)
    items += legend_rows(legend, theme, left, extent(items)[3] + 18, wide)
    return framed(items, groups, theme, made.title, made.alt, 14)


def _as_overview(made: Overview, theme: Theme, why: str, cut: bool) -> Drawing:
    return overview_drawing(replace(made, legend=[*made.legend, why]), theme, cut=cut)


def _painted(made: Overview, theme: Theme) -> Painted:
    """What is drawn of a stack."""
    stack = Stacked(made, theme)
    return stack.painted(stack.frame(""))


def _fitting(made: Overview, theme: Theme) -> list[Painted]:
    """The parts of a stack that is larger than its page."""
    wide, tall = room(theme)
    parts = [made]
    if size_of(_painted(made, theme))[0] > wide:
        parts = _towers(made)
    parts = [piece for part in parts for piece in _pieces(part, theme, tall)]
    painted = [_painted(part, theme) for part in parts]
    return [_painted(made, theme)] if any(clash(*each) for each in painted) else painted


def _towers(made: Overview) -> list[Overview]:
    """Ways beside the spine in which a frame stands, each by itself, then the spine with what is left."""
    spines = Spines(made)
    columns = spines.columns("")
    towers = [column for column in columns[1:] if any(spines.boxes[each].kind == "group" for each in column)]
    if not towers:
        return [made]
    part = {each: len(towers) for each in columns[0]} | {each: k for k, way in enumerate(towers) for each in way}
    return in_parts(made, _with_readers(made, spines, part))


def _with_readers(made: Overview, spines: Spines, part: dict[str, int]) -> dict[str, int]:
    """A part for each child: that of what reads it where it has none, or else of what it reads."""
    children = spines.order("")
    reads = {child: spines.reads("", child) for child in children}
    for child in reversed(children):
        readers = [part[each] for each in children if child in reads[each] and each in part]
        if child not in part and readers:
            part[child] = min(readers)
    for child in children:
        if child not in part:
            part[child] = max((part[each] for each in reads[child]), default=max(part.values(), default=0))
    return part


def _pieces(made: Overview, theme: Theme, tall: float) -> list[Overview]:
    """A stack that is higher than its page in pieces of its spine that are not, if no frame alone is."""
    stack = Stacked(made, theme)
    tower = stack.frame("")
    if tower.height <= tall:
        return [made]
    part: dict[str, int] = {}
    number, start = 0, 0.0
    for each in stack.spines.columns("")[0]:
        _, bottom, _, top = tower.places[each]
        if part and top - start > tall - ENDS:
            number, start = number + 1, bottom
        part[each] = number
    return in_parts(made, _with_readers(made, stack.spines, part)) if number else [made]

"""A drawing that is higher than its page, as several: cut where nothing of it stands, as text is between its lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from math import inf

from ogive.backends.diagram.figure.geometry import ROLES, Drawing, Item, Path, Text, carried, extent, moved

KEYS = (*ROLES, "slab")  # the styles of swatches
Band = tuple[float, float, list[Item]]  # top, bottom, what stands between them


def sheets(drawing: Drawing, tall: float, margin: float) -> list[Drawing]:
    """As few drawings as hold it, each as high as the others if that can be; a piece without a gap stays whole."""
    if drawing.height <= tall + 1:
        return [drawing]
    parts = _together(bands(drawing), tall - 2 * margin)
    count = len(_filled(parts, tall - 2 * margin))
    low, high = 0.0, tall - 2 * margin
    for _ in range(12):  # the least height that needs no more of them
        middle = (low + high) / 2
        low, high = (low, middle) if len(_filled(parts, middle)) <= count else (middle, high)
    found = _filled(parts, high)
    return (
        [_sheet(drawing, part, k, len(found), margin) for k, part in enumerate(found)] if len(found) > 1 else [drawing]
    )


def bands(drawing: Drawing) -> list[Band]:
    """Groups of items between which a straight line passes from left to right."""
    found: list[Band] = []
    boxes = [(extent([item]), item) for item in drawing.items]
    for (_, top, _, bottom), item in sorted(boxes, key=lambda each: each[0][1]):
        if found and top <= found[-1][1] + 0.5:
            found[-1] = (found[-1][0], max(found[-1][1], bottom), [*found[-1][2], item])
        else:
            found.append((top, bottom, [item]))
    return found


def _together(parts: Sequence[Band], tall: float) -> list[Band]:
    """Titles stay with what is under them, other texts with what is nearer, where a page holds both."""
    apart = [inf, *(lower[0] - upper[1] for upper, lower in pairwise(parts)), inf]
    up = [_texts(items) and apart[k] <= apart[k + 1] for k, (_, _, items) in enumerate(parts)]
    down = [_titles(items) or (_texts(items) and not up[k]) for k, (_, _, items) in enumerate(parts)]
    found: list[Band] = []
    for k, (top, bottom, items) in enumerate(parts):
        if k and (down[k - 1] or (up[k] and not _titles(items))) and bottom - found[-1][0] <= tall:
            found[-1] = (found[-1][0], bottom, [*found[-1][2], *items])
        else:
            found.append((top, bottom, items))
    return found


def _titles(items: Sequence[Item]) -> bool:
    return all(isinstance(item, Text) and item.style == "title" for item in items)


def _texts(items: Sequence[Item]) -> bool:
    """Whether they are texts, and the swatches of a key."""
    return all(isinstance(item, Text) or (isinstance(item, Path) and not item.owner and item.style in KEYS)
               for item in items)  # fmt: skip


def _filled(bands: Sequence[Band], tall: float) -> list[list[Band]]:
    found: list[list[Band]] = []
    for band in bands:
        if found and band[1] - found[-1][0][0] <= tall:
            found[-1].append(band)
        else:
            found.append([band])
    return found


def _sheet(drawing: Drawing, bands: Sequence[Band], at: int, count: int, margin: float) -> Drawing:
    """One of them, with the items in the order in which they were drawn."""
    top, bottom = bands[0][0], bands[-1][1]
    here = {id(item) for band in bands for item in band[2]}
    left, _, right, _ = extent(item for band in bands for item in band[2])
    aside, up = margin - left, margin - top
    items = tuple(moved(item, aside, up) for item in drawing.items if id(item) in here)
    groups = tuple(
        carried(group, aside, up)
        for group in drawing.groups
        if top - 1 <= (group.box[1] + group.box[3]) / 2 <= bottom + 1
    )
    title = f"{drawing.title} ({at + 1} of {count})"
    wide, high = (round(side + 2 * margin, 1) for side in (right - left, bottom - top))
    return replace(drawing, items=items, groups=groups, title=title, width=wide, height=high)

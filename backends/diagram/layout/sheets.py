"""A drawing that is higher than its page, as several: cut where nothing of it stands, as text is between its lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ogive.backends.diagram.figure.geometry import Drawing, Item, extent, moved

Band = tuple[float, float, list[Item]]  # top, bottom, what stands between them


def sheets(drawing: Drawing, tall: float, margin: float) -> list[Drawing]:
    """As few drawings as hold it, each as high as the others if that can be; a piece without a gap stays whole."""
    if drawing.height <= tall + 1:
        return [drawing]
    bands = _bands(drawing)
    count = len(_filled(bands, tall - 2 * margin))
    low, high = 0.0, tall - 2 * margin
    for _ in range(12):  # the least height that needs no more of them
        middle = (low + high) / 2
        low, high = (low, middle) if len(_filled(bands, middle)) <= count else (middle, high)
    found = _filled(bands, high)
    return (
        [_sheet(drawing, part, k, len(found), margin) for k, part in enumerate(found)] if len(found) > 1 else [drawing]
    )


def _bands(drawing: Drawing) -> list[Band]:
    """Groups of items between which a straight line passes from left to right."""
    found: list[Band] = []
    boxes = [(extent([item]), item) for item in drawing.items]
    for (_, top, _, bottom), item in sorted(boxes, key=lambda each: each[0][1]):
        if found and top <= found[-1][1] + 0.5:
            found[-1] = (found[-1][0], max(found[-1][1], bottom), [*found[-1][2], item])
        else:
            found.append((top, bottom, [item]))
    return found


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
    up = margin - top
    items = tuple(moved(item, 0, up) for item in drawing.items if id(item) in here)
    groups = tuple(
        replace(
            group,
            box=(group.box[0], group.box[1] + up, group.box[2], group.box[3] + up),
            core=group.core and (group.core[0], group.core[1] + up, group.core[2], group.core[3] + up),
        )
        for group in drawing.groups
        if top - 1 <= (group.box[1] + group.box[3]) / 2 <= bottom + 1
    )
    title = f"{drawing.title} ({at + 1} of {count})"
    return replace(drawing, items=items, groups=groups, title=title, height=round(bottom - top + 2 * margin, 1))

"""A long overview in several columns, side by side, so that it fits on a page."""

from __future__ import annotations

from ogive.backends.diagram.figure.theme import Theme
from ogive.backends.diagram.layout.layered import APART, Level, Point

WIDE, TALL = 640.0, 860.0  # of a page with margins, in pixels at the size of text
AROUND = 80.0  # for title and keys
STEP = 6.0  # between two edges that turn to the next column
ROOM = 12.0  # from a column to the first of these
MOST = 6  # columns
GAIN = 1.06  # by which one more column must make the text larger


def room(theme: Theme) -> tuple[float, float]:
    """How wide and how high an overview may be: on its page, without title and keys, or on any."""
    if theme.page is None:
        return WIDE, TALL
    return theme.page[0] - 2 * theme.margin, theme.page[1] - 2 * theme.margin - AROUND


def in_columns(level: Level, wide: float, tall: float, most: int = MOST) -> None:
    """Cut the layers where few edges pass, and set what comes behind a cut beside what stands before it."""
    best, cuts = _scale(level, [], wide, tall), list[int]()
    for count in range(2, most + 1):
        tried = _cuts(level, count)
        scale = _scale(level, tried, wide, tall)
        if scale > best * GAIN:
            best, cuts = scale, tried
    _move(level, cuts)


def _cuts(level: Level, count: int) -> list[int]:
    """Layers of edges, near even parts of the whole, that few edges pass."""
    found: list[int] = []
    for k in range(1, count):
        wanted = level.height * k / count
        rows = [at for at in range(1, len(level.layers) - 1, 2) if at > (found[-1] if found else -1) + 1]
        if rows:
            found.append(
                min(rows, key=lambda at: abs(level.tops[at] - wanted) / level.height + len(level.layers[at]) / 30)
            )
    return found


def _parts(level: Level, cuts: list[int]) -> list[range]:
    ends = [*(cut + 1 for cut in cuts), len(level.layers)]
    return [range(a, b) for a, b in zip([0, *ends], ends, strict=False)]


def _scale(level: Level, cuts: list[int], wide: float, tall: float) -> float:
    """How much of its size is left on a page."""
    width = height = 0.0
    for part in _parts(level, cuts):
        left, right = _extent(level, part)
        width += right - left + APART
        height = max(height, level.bottoms[part[-1]] - level.tops[part[0]])
    width += sum(ROOM + STEP * len(level.layers[cut]) for cut in cuts)
    return min(1.0, wide / width, tall / height) if width and height else 1.0


def _extent(level: Level, part: range) -> tuple[float, float]:
    points: list[Point] = [point for at in part for point in level.layers[at]]
    return min(p.x - p.left for p in points), max(p.x + p.right for p in points)


def _move(level: Level, cuts: list[int]) -> None:
    right, parts = 0.0, _parts(level, cuts)
    for k, part in enumerate(parts):
        left, end = _extent(level, part)
        turns = len(level.layers[cuts[k - 1]]) if k else 0
        dx = right + (2 * ROOM + STEP * turns if k else 0.0) - left
        dy = (ROOM + STEP * turns if k else 0.0) - level.tops[part[0]]
        for at in part:
            level.tops[at] += dy
            level.bottoms[at] += dy
            for point in level.layers[at]:
                point.x += dx
        right = end + dx
        if k + 1 < len(parts):
            _turn(level, cuts[k], right)
    level.width = right
    level.height = max(level.bottoms)


def _turn(level: Level, cut: int, right: float) -> None:
    """Each edge that passes a cut has a lane of its own; those further left have the outer ones."""
    passing = sorted(level.layers[cut], key=lambda point: -point.x)
    for i, point in enumerate(passing):
        point.lane = (right + ROOM + STEP * i, STEP * (i + 1), STEP * (len(passing) - i))

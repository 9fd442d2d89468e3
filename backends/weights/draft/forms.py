"""From single names to lines with stars: where iterations are called alike, one line says it for all of them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from ogive.backends.weights.draft.matching import Match

NUMBER = re.compile(r"(\d+)")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a map: names with stars."""

    ours: str
    theirs: tuple[str, ...]
    steps: str = ""
    doubt: str = ""


def form_of(name: str) -> str:
    """A name of ours with stars for its iterations: segments that are numbers. A last star would be all below."""
    *parts, last = name.split(".")
    return ".".join([*("*" if part.isdigit() else part for part in parts), last])


def lines_of(matches: Sequence[Match]) -> list[Line]:
    """Lines for all matches: of one form, as few as there can be."""
    forms: dict[str, dict[tuple[int, str], list[Match]]] = defaultdict(lambda: defaultdict(list))
    for match in matches:
        forms[form_of(match.ours)][len(match.theirs), match.steps].append(match)
    found: list[Line] = []
    for form, groups in forms.items():
        # a form stands for the most of them: the others are called by their names, before it
        *few, most = sorted(groups.values(), key=len)
        found += [Line(each.ours, each.theirs, each.steps, each.doubt) for group in few for each in group]
        found += _lines(form, most)
    return found


def _lines(form: str, group: Sequence[Match]) -> list[Line]:
    line = _one(form, group)
    if line is not None:
        return [line]
    at = form.find("*")
    if at < 0 or len(group) == 1:
        return [Line(match.ours, match.theirs, match.steps, match.doubt) for match in group]
    parts = form.split(".")
    place = next(i for i, part in enumerate(parts) if part == "*")
    by_value: dict[int, list[Match]] = defaultdict(list)
    for match in group:
        by_value[int(match.ours.split(".")[place])].append(match)
    values = sorted(by_value)
    for few in ([values[0]], [values[-1]]):  # the first or the last is often made otherwise
        rest = [match for value in values if value not in few for match in by_value[value]]
        line = _one(form, rest) if rest else None
        if line is not None:
            return [*_lines(_fixed(parts, place, few[0]), by_value[few[0]]), line]
    return [line for value in values for line in _lines(_fixed(parts, place, value), by_value[value])]


def _fixed(parts: Sequence[str], place: int, value: int) -> str:
    return ".".join([*parts[:place], str(value), *parts[place + 1 :]])


def _one(form: str, group: Sequence[Match]) -> Line | None:
    """One line for all of them, if there is one."""
    places = [i for i, part in enumerate(form.split(".")) if part == "*"]
    indices = [[int(match.ours.split(".")[place]) for place in places] for match in group]
    names = []
    for number in range(len(group[0].theirs)):
        name = _starred([match.theirs[number] for match in group], indices)
        if name is None:
            return None
        names.append(name)
    doubt = next((match.doubt for match in group if match.doubt), "")
    return Line(form, tuple(names), group[0].steps, doubt)


def _starred(names: Sequence[str], indices: Sequence[Sequence[int]]) -> str | None:
    """The name with stars that stands for these names at these iterations."""
    split = [NUMBER.split(name) for name in names]
    if len({tuple(pieces[::2]) for pieces in split}) > 1:
        return None
    texts, slots = split[0][::2], list(zip(*(map(int, pieces[1::2]) for pieces in split), strict=True))
    stars = _chosen(slots, [list(each) for each in zip(*indices, strict=True)])
    if stars is None:
        return None
    found = texts[0]
    for i, text in enumerate(texts[1:]):
        found += stars.get(i, str(slots[i][0])) + text
    return found


def _chosen(slots: Sequence[Sequence[int]], indices: Sequence[Sequence[int]]) -> dict[int, str] | None:
    """The places of numbers of theirs that iterations of ours count, in their order, and how; all others are constant.

    Where several may be, as for a single iteration, the one whose numbers are nearest.
    """
    best: tuple[int, dict[int, str]] | None = None
    for places in combinations(range(len(slots)), len(indices)):
        stars = [_star(mine, slots[place]) for mine, place in zip(indices, places, strict=True)]
        if None in stars or any(len(set(values)) > 1 for i, values in enumerate(slots) if i not in places):
            continue
        far = sum(abs(slots[place][0] - mine[0]) for mine, place in zip(indices, places, strict=True))
        if best is None or far < best[0]:
            best = far, {place: star for place, star in zip(places, stars, strict=True) if star is not None}
    return None if best is None else best[1]


def _star(ours: Sequence[int], theirs: Sequence[int]) -> str | None:
    """How the numbers of theirs are counted from ours."""
    low = min(range(len(ours)), key=ours.__getitem__)
    high = max(range(len(ours)), key=ours.__getitem__)
    scale = 1
    if ours[high] != ours[low]:
        scale, left = divmod(theirs[high] - theirs[low], ours[high] - ours[low])
        if left or scale < 1:
            return None
    offset = theirs[low] - scale * ours[low]
    if any(there != scale * mine + offset for mine, there in zip(ours, theirs, strict=True)):
        return None
    if scale == 1 and not offset:
        return "*"
    return f"{{{scale if scale > 1 else ''}*{f'{offset:+d}' if offset else ''}}}"


def merged(lines: Sequence[Line], vectors: frozenset[str]) -> list[Line]:
    """The same in fewer lines, with `.*` for all below; lines for special cases stand before general ones.

    `vectors` are names of ours for which a transpose changes nothing.
    """
    left = {line.ours: line for line in lines}
    plain = dict(left)
    made: list[Line] = []
    settled: set[str] = set()
    while True:
        best: tuple[int, int, Line, set[str]] | None = None
        for line in _general(list(left.values())):
            caught = {name for name in plain if _below(name, line.ours)}
            agrees = {name for name in caught if _agrees(plain[name], line, name in vectors)}
            gained = {name for name in agrees - settled if plain[name].steps == line.steps}
            if (caught & settled) - agrees or len(gained) < 2:
                continue
            score = (len(gained), -line.ours.count("."))
            if best is None or score > best[:2]:
                best = (*score, line, agrees)
        if best is None:
            break
        made.insert(0, best[2])
        settled |= best[3]
        left = {name: line for name, line in left.items() if name not in settled}
    single = [
        line for line in left.values() if not _identity(line) or any(_below(line.ours, each.ours) for each in made)
    ]
    made.sort(key=lambda line: -sum(part.isdigit() for part in line.ours.split(".")))
    found: list[Line] = []
    for line in [*single, *(line for line in made if not _identity(line))]:
        caught = {name for name in plain if name == line.ours or _below(name, line.ours)}
        if not all(any(name == one.ours or _below(name, one.ours) for one in found) for name in caught):
            found.append(line)  # else those before it say all
    return found


def _general(lines: Sequence[Line]) -> list[Line]:
    """The lines with `.*` that say what one of these says, and more."""
    found: dict[Line, None] = {}
    for line in lines:
        mine = line.ours.split(".")
        names = [name.split(".") for name in line.theirs]
        if "part " in line.steps or "slice " in line.steps:
            continue
        for count in range(1, min(len(mine), *(len(name) for name in names)) + 1):
            rest = mine[len(mine) - count :]
            if any(name[len(name) - count :] != rest for name in names):
                break
            ours = ".".join([*mine[:-count], "*"])
            if any(len(name) == count for name in names) and len(mine) == count and len(line.theirs) > 1:
                break
            theirs = tuple(".".join([*name[:-count], "*"]) for name in names)
            found[Line(ours, theirs, line.steps)] = None
    return list(found)


def _below(name: str, pattern: str) -> bool:
    return pattern == "*" or (pattern.endswith(".*") and name.startswith(pattern[:-1]))


def _agrees(line: Line, general: Line, vector: bool) -> bool:
    """Whether a general line says the same of these names."""
    rest = line.ours[len(general.ours) - 1 :]
    same = tuple(name[:-1] + rest for name in general.theirs) == line.theirs
    return same and (line.steps == general.steps or (vector and line.steps == "" and general.steps == "transpose"))


def _identity(line: Line) -> bool:
    return line.theirs == (line.ours,) and not line.steps

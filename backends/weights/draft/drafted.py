"""The text of a first map, and what is to be said of it."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from ogive.backends.weights.draft.forms import Line, lines_of, merged
from ogive.backends.weights.draft.matching import Match, matched
from ogive.backends.weights.draft.words import no_weight
from ogive.backends.weights.faults import shape_text, template
from ogive.backends.weights.kinds import Found
from ogive.backends.weights.map_text import parse_map
from ogive.backends.weights.plan import Move, plan
from ogive.backends.weights.steps import Shape
from ogive.grammar.diagnostics import ArchError

WRAPPERS = ("module.", "_orig_mod.")
MARKS = set("*{}|")  # of maps: a name with one of them cannot be written in one
Values = Callable[[str], bytes]


@dataclass(frozen=True, slots=True)
class Draft:
    """A map to look at. `unsure`, `missing` and `left_over` are what is to be decided, `ignored` what is no weight."""

    text: str
    count: int
    lines: int
    unsure: tuple[str, ...]
    missing: tuple[str, ...]
    left_over: tuple[str, ...]
    ignored: tuple[str, ...]

    @property
    def report(self) -> str:
        """All of that in words, one line each."""
        whole = self.count + sum(_counted(text) for text in self.missing)
        found = [f"{self.count} of {whole} weights in {self.lines} line{'' if self.lines == 1 else 's'}"]
        for title, entries in (("look at", self.unsure), ("found nothing for", self.missing),
                               ("left over", self.left_over), ("ignored, no weights", self.ignored)):  # fmt: skip
            found += [f"{title}: {entry}" for entry in entries]
        return "\n".join(found)


def _counted(text: str) -> int:
    number = text.rpartition(" (")[2].rstrip(")")
    return int(number) if text.endswith(")") and number.isdigit() else 1


def draft(
    ours: Mapping[str, Shape], theirs: Mapping[str, Found], same: Mapping[str, str], values: Values, about: str
) -> Draft:
    """A map from names, shapes and order. `same` are ties that the checkpoint tells, `values` the bytes of a tensor."""
    strip = _wrapper(theirs)
    plain = {name.removeprefix(strip): found for name, found in theirs.items()}
    known = {alias.removeprefix(strip): kept.removeprefix(strip) for alias, kept in same.items()}
    constant = {name: no_weight(name, found.shape, found.kind) for name, found in plain.items() if name not in ours}
    aside = dict.fromkeys(name for name, found in constant.items() if found)
    usable = {name: found.shape for name, found in plain.items() if name not in aside and name not in known}
    usable = {name: shape for name, shape in usable.items() if name.isprintable() and not set(name) & MARKS}
    matches = _squares(matched(ours, usable), ours, usable)
    used = {name for match in matches for name in match.theirs}
    rest = [name for name in plain if name not in used and name not in aside]
    ties = {name: known[name] for name in rest if known.get(name) in used}
    shapes = {name: found.shape for name, found in plain.items()}
    ties |= _ties(
        [name for name in rest if name not in ties and not set(name) & MARKS],
        used,
        shapes,
        lambda name: values(strip + name),
    )
    rest = [name for name in rest if name not in ties]
    made = {match.ours for match in matches}
    missing = {name: shape for name, shape in ours.items() if name not in made}
    exact = lines_of(matches)
    lines = _shortened(exact, matches, ours, usable)
    doubts = _doubts(exact)
    left = grouped({name: plain[name].shape for name in rest})
    constants = grouped({name: plain[name].shape for name in aside})
    lost = grouped(missing)
    unsure = tuple(f"`{name}`: {doubt}" for name, doubt in doubts.items())
    patterns = list(dict.fromkeys(_pattern(name) for name in aside if name.isprintable()))
    text = _text(about, strip, lines, doubts, ties, lost, left, patterns)
    return Draft(text, len(matches), len(lines), unsure, lost, left, constants)


def _doubts(lines: Sequence[Line]) -> dict[str, str]:
    """What is not sure, once for all weights of a layer."""
    found: dict[str, str] = {}
    for line in lines:
        if line.doubt:
            found.setdefault(line.ours.rpartition(".")[0] or line.ours, line.doubt)
    return found


def _ties(rest: Sequence[str], used: Collection[str], shapes: Mapping[str, Shape], values: Values) -> dict[str, str]:
    """Those left over that hold the same numbers as one that is used: matrices, and not all of one number."""
    wanted = {shapes[name] for name in rest if len(shapes[name]) > 1}
    marks: dict[tuple[Shape, bytes], str] = {}
    for name in used:
        if shapes[name] in wanted:
            marks.setdefault((shapes[name], _mark(values(name))), name)
    found = {name: marks.get((shapes[name], _mark(values(name)))) for name in rest if len(shapes[name]) > 1}
    return {name: kept for name, kept in found.items() if kept is not None and len(set(values(kept)[:256])) > 4}


def _mark(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def _wrapper(names: Mapping[str, Found]) -> str:
    """What stands before all names, put there by data parallelism or a compiler."""
    strip = ""
    while True:
        more = next((w for w in WRAPPERS if names and all(name.startswith(strip + w) for name in names)), "")
        if not more:
            return strip
        strip += more


def _squares(matches: Sequence[Match], ours: Mapping[str, Shape], theirs: Mapping[str, Shape]) -> list[Match]:
    """Square matrices are turned where those beside them are: their shapes do not tell."""
    votes: dict[str, bool] = {}  # by a path: whether all matrices below it that are not square are turned
    for match in matches:
        shape = ours[match.ours]
        if len(match.theirs) == 1 and len(shape) == 2 and match.steps in ("", "transpose") and shape[0] != shape[1]:
            for path in _paths(match.ours):
                votes[path] = votes.get(path, True) and match.steps == "transpose"
    found = []
    for match in matches:
        shape = ours[match.ours]
        square = len(shape) == 2 and shape[0] == shape[1] and not match.steps and len(match.theirs) == 1
        near = next((path for path in _paths(match.ours) if path in votes), None)
        if square and near is not None and votes[near]:
            doubt = "it is square, and turned since those beside it are"
            found.append(replace(match, steps="transpose", doubt=doubt))
        else:
            found.append(match)
    return found


def _paths(name: str) -> list[str]:
    """What a name lies below, the nearest first."""
    parts = name.split(".")
    return [".".join(parts[:depth]) for depth in range(len(parts) - 1, 0, -1)]


def _moves(
    lines: Sequence[Line], matches: Sequence[Match], ours: Mapping[str, Shape], theirs: Mapping[str, Shape]
) -> tuple[Move, ...]:
    """What lines say of the weights that are matched. Raises `ArchError` where they say too much."""
    mine = {match.ours: ours[match.ours] for match in matches}
    used = {name: theirs[name] for match in matches for name in match.theirs}
    return plan(parse_map("[weights]\n" + "\n".join(map(_line, lines))), mine, used)


def _shortened(
    exact: Sequence[Line], matches: Sequence[Match], ours: Mapping[str, Shape], theirs: Mapping[str, Shape]
) -> Sequence[Line]:
    """Fewer lines, where these say the same of every weight."""
    vectors = frozenset(line.ours for line in lines_of([m for m in matches if len(ours[m.ours]) < 2]))
    lines = merged(exact, vectors)
    try:
        same = _moves(lines, matches, ours, theirs) == _moves(exact, matches, ours, theirs)
    except ArchError:
        same = False
    return lines if same else exact


def grouped(shapes: Mapping[str, Shape]) -> tuple[str, ...]:
    """Names with shapes, those of many iterations as one with their number."""
    names = {name: template(f"`{name}`")[1:-1] if name.isprintable() else ascii(name) for name in shapes}
    counts = Counter((names[name], shape) for name, shape in shapes.items())
    return tuple(
        f"{name} {shape_text(shape)}" + (f" ({count})" if count > 1 else "") for (name, shape), count in counts.items()
    )


def _pattern(name: str) -> str:
    parts = name.split(".")
    last = next((i for i in range(len(parts) - 1, -1, -1) if parts[i].isdigit()), -1)
    return name if last < 0 else ".".join(["*", *parts[last + 1 :]])


def _line(line: Line) -> str:
    names = [" | ".join(filter(None, (name, line.steps))) for name in line.theirs]
    value = json.dumps(names[0] if len(names) == 1 else names, ensure_ascii=False)
    return f"{json.dumps(line.ours, ensure_ascii=False)} = {value}"


def _text(
    about: str, strip: str, lines: Sequence[Line], doubts: Mapping[str, str], ties: Mapping[str, str],
    lost: Sequence[str], left: Sequence[str], ignored: Sequence[str],
) -> str:  # fmt: skip
    found = [f"# {about}", "# A draft by names, shapes and order: look at it before it is used."]
    found += [f"strip = {json.dumps(strip)}"] if strip else []
    found += ["", "[weights]"]
    found += [f"# look at `{name}`: {doubt}" for name, doubt in doubts.items()]
    found += [_line(line) for line in lines]
    found += [f"# nothing fits: {text}" for text in lost]
    if ties:
        found += ["", "[ties]"]
        found += [
            f"{json.dumps(alias, ensure_ascii=False)} = {json.dumps(kept, ensure_ascii=False)}"
            for alias, kept in ties.items()
        ]
    if ignored or left:
        found += ["", "[ignore]", *(f"# left over, to be listed here if it is not needed: {text}" for text in left)]
        found += ["names = [" + ", ".join(json.dumps(name, ensure_ascii=False) for name in ignored) + "]"]
    return "\n".join(found) + "\n"

"""Which tensor of theirs a weight of ours most likely is.

Layers first: of both sides the series of submodules with numbers are compared by how many elements each holds, and
those that agree are matched one by one, each within itself. What is left is matched by shape, then by words and order.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import prod

from ogive.backends.weights.draft.assignment import assigned
from ogive.backends.weights.draft.words import WORDS, alike, kind_of, natural, words
from ogive.backends.weights.steps import Shape, steps_between

CLOSE = 0.05  # two names that are nearly as much alike are told apart by order alone


@dataclass(frozen=True, slots=True)
class Match:
    """A weight of ours and the tensors of theirs that make it, joined; or one of which it is a part."""

    ours: str
    theirs: tuple[str, ...]
    steps: str = ""
    doubt: str = ""


Side = Mapping[str, Shape]


@dataclass(slots=True)
class Matches:
    """What is matched so far: modules of theirs for those of ours, and how much lies below each first part."""

    pairs: list[Match] = field(default_factory=list)
    modules: dict[str, str] = field(default_factory=dict)
    heads: Counter[str] = field(default_factory=Counter)

    def add(self, more: Sequence[Match]) -> None:
        """More of them."""
        for match in more:
            self.pairs.append(match)
            self.heads.update(name.partition(".")[0] for name in match.theirs)
            if len(match.theirs) == 1:
                self.modules.setdefault(_module(match.ours), _module(match.theirs[0]))

    def beside(self, ours: str, theirs: str) -> float:
        """How near two are to what is matched: 1 where others of the same two modules are, below 0 where of another."""
        module = self.modules.get(_module(ours)) if "." in ours else None
        share = self.heads[theirs.partition(".")[0]] / max(self.heads.total(), 1)
        return share / 2 + (0.0 if module is None else 3.0 if module == _module(theirs) else -1.0)


def _module(name: str) -> str:
    return name.rpartition(".")[0]


def matched(ours: Side, theirs: Side) -> list[Match]:
    """Matches for as many weights of ours as can be."""
    found = Matches()
    names = list(theirs)
    # files are sorted by name, and then their order tells nothing: at least numbers come in theirs
    fallen = sum(a > b for a, b in pairwise(names))
    _scope(list(ours), sorted(names, key=natural) if fallen * 10 < len(names) else names, ours, theirs, found, "", "")
    order = {name: i for i, name in enumerate(ours)}
    return sorted(found.pairs, key=lambda match: order[match.ours])


def _scope(
    mine: list[str], their: list[str], ours: Side, theirs: Side, found: Matches, at: str, there: str
) -> tuple[list[str], list[str]]:
    """Match what is below two prefixes: series of layers, then the rest. What is left of both."""
    while (series := _best_series(mine, their, ours, theirs, at, there)) is not None:
        left: list[str] = []
        remains: list[str] = []
        for (one, names), (other, others) in series:
            few, some = _scope(names, others, ours, theirs, found, one, other)
            left += few
            remains += some
        done = {name for (_, names), _ in series for name in names} - set(left)
        taken = {name for _, (_, names) in series for name in names} - set(remains)
        if not done:
            break
        mine = [name for name in mine if name not in done]
        their = [name for name in their if name not in taken]
    return _rest(mine, their, ours, theirs, found, at, there)


Child = tuple[str, list[str]]


def _families(names: Sequence[str], at: str) -> dict[str, list[Child]]:
    """Submodules with numbers, by the form of their names below a prefix; several numbers count through."""
    found: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for name in names:
        rest = name[len(at) :]
        for number in re.finditer(r"\d+(?=\.)", rest):
            prefix = rest[: number.end()]
            found[re.sub(r"\d+", "*", prefix)][at + prefix + "."].append(name)
    return {
        form: sorted(children.items(), key=lambda child: natural(child[0]))
        for form, children in found.items()
        if len(children) > 1
    }


def _best_series(
    mine: list[str], their: list[str], ours: Side, theirs: Side, at: str, there: str
) -> list[tuple[Child, Child]] | None:
    """The largest series of layers on both sides that hold as many elements each, in this order."""

    def sizes(children: list[Child], side: Side) -> list[int]:
        return [sum(prod(side[name]) for name in names) for _, names in children]

    best: tuple[tuple[float, ...], list[tuple[Child, Child]]] | None = None
    other = [(form, children, sizes(children, theirs)) for form, children in _families(their, there).items()]
    for form, children in _families(mine, at).items():
        wanted, count = sizes(children, ours), len(children)
        for their_form, their_children, held in other:
            for start in range(len(held) - count + 1):
                equal = sum(a == b for a, b in zip(wanted, held[start : start + count], strict=True))
                # one layer may hold what the others have not; elsewhere all are as large
                if equal < (count if len(held) != count else (count + 1) // 2):
                    continue
                covered = sum(len(names) for _, names in children)
                score = (equal == count, covered, count == len(held), alike(form, their_form), -start)
                if best is None or score > best[0]:
                    best = score, list(zip(children, their_children[start : start + count], strict=True))
    return None if best is None else best[1]


def _rest(
    mine: list[str], their: list[str], ours: Side, theirs: Side, found: Matches, at: str, there: str
) -> tuple[list[str], list[str]]:
    """Match what is in no series, by shape and kind, then by shape alone; before that what one side has in one."""
    mine, their = _fused(mine, their, ours, theirs, found)
    for by_kind in (True, False):
        for key in _keys(mine, ours, by_kind):
            a = [name for name in mine if _key(name, ours[name], by_kind) == key]
            b = [name for name in their if _key(name, theirs[name], by_kind) == key]
            if a and b:
                pairs = _assigned(a, b, ours, theirs, (at, there), found)
                found.add(pairs)
                done, taken = {pair.ours for pair in pairs}, {name for pair in pairs for name in pair.theirs}
                mine = [name for name in mine if name not in done]
                their = [name for name in their if name not in taken]
    return mine, their


def _key(name: str, shape: Shape, by_kind: bool) -> tuple[Shape, str]:
    return tuple(sorted(size for size in shape if size != 1)), kind_of(name) if by_kind else ""


def _keys(names: Sequence[str], side: Side, by_kind: bool) -> list[tuple[Shape, str]]:
    """The kinds of tensors, those first that tell most: weights, of many axes."""
    found = dict.fromkeys(_key(name, side[name], by_kind) for name in names)
    return sorted(found, key=lambda key: (key[1] != "weight", -len(key[0])))


def _assigned(
    a: list[str], b: list[str], ours: Side, theirs: Side, places: tuple[str, str], known: Matches
) -> list[Match]:
    """The best matches of some of ours with some of theirs, of which each could be any by its shape."""
    likeness = {(x, y): alike(x[len(places[0]) :], y[len(places[1]) :]) for x in a for y in b}
    steps = {(x, y): steps_between(theirs[y], ours[x]) for x in a for y in b}

    def worth(i: int, j: int) -> float:
        step = steps[a[i], b[j]]
        if step is None:
            return -1.0
        # where words do not tell: in the order of both, near to what is matched, as deep, of the same shape
        near = 1 - (i / max(len(a) - 1, 1) - j / max(len(b) - 1, 1)) ** 2  # squares keep the order of the rest
        numbers = abs(len(words(a[i])[1]) - len(words(b[j])[1]))
        beside = known.beside(a[i], b[j])
        return 4 + 3 * likeness[a[i], b[j]] + near / 4 + beside - min(numbers, 5) / 10 + (0 if step else 0.3)

    found = []
    pairs = assigned([[worth(i, j) for j in range(len(b))] for i in range(len(a))])
    taken = {j for _, j in pairs}
    for i, j in pairs:
        x, y = a[i], b[j]
        others = [z for z in b if z != y and steps[x, z] is not None and likeness[x, z] >= likeness[x, y] - CLOSE]
        rivals = [z for z in a if z != x and steps[z, y] is not None and likeness[z, y] >= likeness[x, y] - CLOSE]
        free = [z for z in others if b.index(z) not in taken]
        unsure = ours[x] and others and (rivals or free) and known.modules.get(_module(x)) != _module(y)
        doubt = f"by order alone: `{(free or others)[0]}` fits as well" if unsure else ""
        found.append(Match(x, (y,), steps[x, y] or "", doubt))
    return found


# what one library has in one tensor and another apart, in the order in which it is joined, and what it is called there
TOGETHER = (
    (
        ("q", "k", "v"),
        frozenset("qkv c_attn in_proj in_proj_weight in_proj_bias query_key_value wqkv qkv_proj".split()),
    ),
    (("k", "v"), frozenset("kv key_value kv_proj to_kv".split())),
    (("gate", "up"), frozenset("gate_up gate_up_proj gate_proj_up w12 wi_fused".split())),
)


HEADS = "q, k and v may lie head by head: then `rearrange (h t e) *r -> (t h e) *r, t=3, e=...` comes before `part`"


def _fused(mine: list[str], their: list[str], ours: Side, theirs: Side, found: Matches) -> tuple[list[str], list[str]]:
    """Match what is apart on one side and joined on the other; what is left of both."""
    mine, their = list(mine), list(their)
    for parts, called in TOGETHER:
        for swap in (False, True):
            apart, whole = (mine, their) if swap else (their, mine)
            shapes, wholes = (ours, theirs) if swap else (theirs, ours)
            for group in _groups(apart, parts, shapes):
                joined = (sum(shapes[name][0] for name in group), *shapes[group[0]][1:])
                turned = (*joined[:-2], *joined[:-3:-1])
                fits = [(alike(_without(group[0]), _without(name)), name) for name in whole
                        if kind_of(name) == kind_of(group[0]) and called & set(name.lower().split('.'))
                        and (wholes[name] == joined or (swap and wholes[name] == turned))]  # fmt: skip
                if not fits or any(shapes[name] == wholes[max(fits)[1]] for name in group):
                    continue
                name = max(fits)[1]
                if swap:
                    before = "" if wholes[name] == joined else "transpose"
                    cuts = [" | ".join(filter(None, (before, _cut(group, i, shapes)))) for i in range(len(group))]
                    doubt = HEADS if "query_key_value" in name else ""
                    found.add([Match(part, (name,), cut, doubt) for part, cut in zip(group, cuts, strict=True)])
                else:
                    found.add([Match(name, tuple(group))])
                apart[:] = [each for each in apart if each not in group]
                whole[:] = [each for each in whole if each != name]
    return mine, their


def _cut(group: Sequence[str], i: int, shapes: Side) -> str:
    """The step that takes one of several out of what they are joined to."""
    if len({shapes[name][0] for name in group}) == 1:
        return f"part {i} of {len(group)}"
    start = sum(shapes[name][0] for name in group[:i])
    return f"slice {start}:{start + shapes[group[i]][0]}"


def _groups(names: Sequence[str], parts: Sequence[str], shapes: Side) -> list[list[str]]:
    """Names that differ in one word, which is one of these, in their order."""
    found: dict[tuple[str, ...], dict[str, str]] = defaultdict(dict)
    for name in names:
        pieces = re.split(r"([._])", name)
        for i, piece in enumerate(pieces):
            word = WORDS.get(piece.lower(), piece.lower())
            if word in parts and shapes[name]:
                found[(*pieces[:i], "?", *pieces[i + 1 :])].setdefault(word, name)
    groups = [[held[part] for part in parts] for held in found.values() if held.keys() == set(parts)]
    return [group for group in groups if len({shapes[name][1:] for name in group}) == 1]


def _without(name: str) -> str:
    """A name without the words of what may be joined."""
    joined = {"q", "k", "v", "qkv", "gate", "up"}
    return ".".join(part for part in name.split(".") if WORDS.get(part.lower(), part.lower()) not in joined)

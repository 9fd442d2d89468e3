"""What data parallelism, compilers and trainers put before the names of weights, found by itself."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from ogive.backends.weights.maps import WeightMap
from ogive.backends.weights.plan import rule_of
from ogive.backends.weights.steps import Shape

_BEFORE = re.compile(r"(?:module\.|_orig_mod\.|model\.)+")
_STEP = re.compile(r"(?:module|_orig_mod|model)\.")
_INSIDE = re.compile(r"(?:_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.")


def plain_names(
    mapping: WeightMap, ours: Mapping[str, Shape], theirs: Collection[str]
) -> tuple[Mapping[str, str], str]:
    """By its name without wrappers the name that each tensor has, and what is left out: nothing where none is needed.

    What is left out is what makes most names those that the map knows; a name without it stays as it is.
    """
    wanted = _wanted(mapping, ours)
    best: tuple[int, Mapping[str, str], str] = (len(wanted & set(theirs)), {name: name for name in theirs}, "")
    for text, names in _candidates(mapping, theirs):
        found = len(wanted & names.keys())
        if found > best[0] and len(names) == len(theirs):
            best = (found, names, text)
    return best[1], best[2]


def _wanted(mapping: WeightMap, ours: Mapping[str, Shape]) -> set[str]:
    """The names that a map knows, with what may be left out and without."""
    names = {part.name for name, shape in ours.items() for part in rule_of(mapping, name, shape)[1]}
    return names | {name.removeprefix(mapping.optional_prefix) for name in names}


def _candidates(mapping: WeightMap, theirs: Collection[str]) -> list[tuple[str, dict[str, str]]]:
    """What may be left out, shortest first, each with the names that are left."""
    prefixes = {*mapping.strip}
    for name in theirs:
        chain = _BEFORE.match(name)
        if chain is not None:
            prefixes |= {name[: step.end()] for step in _STEP.finditer(name, 0, chain.end())}
    found = [(p, {name.removeprefix(p): name for name in theirs}) for p in sorted(prefixes, key=lambda p: (len(p), p))]
    inside = next((match[0] for name in theirs if (match := _INSIDE.search(name))), "")
    if inside:
        found.append((inside, {_INSIDE.sub("", name): name for name in theirs}))
        for prefix in ("module.", "model.", *mapping.strip):
            plain = {_INSIDE.sub("", name).removeprefix(prefix): name for name in theirs}
            found.append((prefix + inside, plain))
    return found

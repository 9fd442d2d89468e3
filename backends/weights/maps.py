"""Maps between the weights of a model and those of a checkpoint with other names, written in TOML.

    optional_prefix = "transformer."   # what the names of some checkpoints leave out

    [weights]                          # ours = theirs; `*` stands for the index of an iteration
    "h.*.fc.weight" = "transformer.h.*.fc.weight | transpose"
    "h.*.qkv.weight" = ["h.*.q.weight", "h.*.k.weight", "h.*.v.weight"]            # joined on axis 0
    "h.*.kv.weight" = { join = ["h.*.k", "h.*.v"], axis = 1, sizes = [64, 32] }    # unequal parts

    [ties]                             # theirs that are another name of one of theirs: equal, where both are there
    "lm_head.weight" = "transformer.wte.weight"

    [ignore]                           # theirs that we have no use for; `*` stands for anything
    names = ["*.attn.mask"]

A weight of ours that no line names is expected under its own name.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from os import PathLike, fspath
from typing import Any

from ogive.grammar.diagnostics import ArchError, Diagnostic
from ogive.grammar.files import read_source
from ogive.grammar.source import Chunk, Span


@dataclass(frozen=True, slots=True)
class Part:
    """A tensor of the checkpoint. `transpose` exchanges its last two axes."""

    name: str
    transpose: bool = False


@dataclass(frozen=True, slots=True)
class MapRule:
    """One weight of ours, or one for each iteration: the parts of theirs, joined on `axis` in this order."""

    ours: str
    parts: tuple[Part, ...]
    span: Span
    axis: int = 0
    sizes: tuple[int, ...] | None = None

    def indices(self, name: str) -> tuple[str, ...] | None:
        """The numbers in the places of `*` where `name` is one that the rule speaks of."""
        found = re.fullmatch(re.escape(self.ours).replace(r"\*", r"(\d+)"), name)
        return None if found is None else found.groups()

    def at(self, indices: tuple[str, ...]) -> tuple[Part, ...]:
        """The parts at these iterations."""
        return tuple(Part(_filled(part.name, indices), part.transpose) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Tie:
    """Two names of theirs for one tensor."""

    alias: str
    name: str
    span: Span


@dataclass(frozen=True, slots=True)
class WeightMap:
    """A map as it was read."""

    rules: tuple[MapRule, ...]
    ignored: tuple[str, ...]
    optional_prefix: str
    chunk: Chunk
    ties: tuple[Tie, ...] = ()

    def ignores(self, name: str) -> bool:
        """True for a tensor of theirs that is left out on purpose."""
        return any(fnmatchcase(name, pattern) for pattern in self.ignored)


def identity(path: str = "<weights>") -> WeightMap:
    """The map of checkpoints that use our own names."""
    return WeightMap((), (), "", Chunk("", path))


def read_map(path: str | PathLike[str]) -> WeightMap:
    """Read the map of a file."""
    text = read_source(path)
    if isinstance(text, Diagnostic):
        raise ArchError((text,))
    return parse_map(text, fspath(path))


def parse_map(text: str, path: str = "<map>") -> WeightMap:
    """Read a map, or raise `ArchError` with all that is wrong with it."""
    chunk = Chunk(text, path)
    try:
        table = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ArchError((_fault(chunk, str(error) or "nested too deeply", _line_of(chunk, str(error))),)) from None
    faults: list[Diagnostic] = []
    for key in table.keys() - {"weights", "ties", "ignore", "optional_prefix"}:
        known = "`weights`, `ties`, `ignore` and `optional_prefix`"
        faults.append(_fault(chunk, f"unknown entry `{key}`: a map has {known}"))
    rules = []
    for ours, value in _table(table, "weights", chunk, faults).items():
        span = _key(chunk, ours)
        problem = _shape_of_rule(ours, value)
        if problem:
            faults.append(_fault(chunk, problem, span))
        else:
            rules.append(_rule(ours, value, span))
    ties = []
    for alias, name in _table(table, "ties", chunk, faults).items():
        if isinstance(name, str):
            ties.append(Tie(alias, name, _key(chunk, alias)))
        else:
            faults.append(_fault(chunk, f"`{alias}`: expected the other name of the same tensor", _key(chunk, alias)))
    ignored = _table(table, "ignore", chunk, faults).get("names", [])
    if not _strings(ignored):
        faults.append(_fault(chunk, "`names` of [ignore] is a list of strings", _key(chunk, "names")))
    prefix = table.get("optional_prefix", "")
    if not isinstance(prefix, str):
        faults.append(_fault(chunk, "`optional_prefix` is a string", _key(chunk, "optional_prefix")))
    if faults:
        raise ArchError(tuple(sorted(faults, key=Diagnostic.order)))
    return WeightMap(tuple(rules), tuple(ignored), prefix, chunk, tuple(ties))


def _table(table: dict[str, Any], name: str, chunk: Chunk, faults: list[Diagnostic]) -> dict[str, Any]:
    found = table.get(name, {})
    if isinstance(found, dict):
        return found
    faults.append(_fault(chunk, f"`{name}` is a table: write [{name}]", _key(chunk, name)))
    return {}


def _shape_of_rule(ours: str, value: object) -> str:
    """What is wrong with a line, or nothing."""
    if isinstance(value, dict):
        if value.keys() - {"join", "axis", "sizes"} or not _strings(value.get("join")):
            return f"`{ours}`: a table has `join`, a list of names, and may have `axis` and `sizes`"
        sizes, names = value.get("sizes"), value["join"]
        if type(value.get("axis", 0)) is not int or value.get("axis", 0) < 0:
            return f"`{ours}`: `axis` is a position from 0"
        if sizes is not None and not (isinstance(sizes, list) and all(type(s) is int and s > 0 for s in sizes)):
            return f"`{ours}`: `sizes` is a list of positive numbers"
        if sizes is not None and len(sizes) != len(names):
            return f"`{ours}`: {len(names)} names, but {len(sizes)} sizes"
    else:
        names = [value] if isinstance(value, str) else value
    if not _strings(names) or not names:
        return f"`{ours}`: expected the name of a tensor, a list of names, or a table with `join`"
    for name in names:
        step = name.partition("|")
        if step[1] and step[2].strip() != "transpose":
            return f"`{ours}`: unknown step `{step[2].strip()}`; there is `transpose`"
        if step[0].count("*") != ours.count("*"):
            return f"`{ours}`: `{step[0].strip()}` must have as many `*` as the weight it stands for"
    return ""


def _rule(ours: str, value: Any, span: Span) -> MapRule:
    if isinstance(value, dict):
        sizes = tuple(value["sizes"]) if "sizes" in value else None
        return MapRule(ours, tuple(map(_part, value["join"])), span, value.get("axis", 0), sizes)
    return MapRule(ours, tuple(map(_part, [value] if isinstance(value, str) else value)), span)


def _part(text: str) -> Part:
    name, step, _ = text.partition("|")
    return Part(name.strip(), bool(step))


def _strings(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _filled(pattern: str, indices: tuple[str, ...]) -> str:
    pieces = pattern.split("*")
    return pieces[0] + "".join(index + piece for index, piece in zip(indices, pieces[1:], strict=True))


def _key(chunk: Chunk, key: str) -> Span:
    """Where a key stands in the text, quoted or bare; the start of the text where it cannot be found."""
    found = re.search(rf"""(?m)^\s*\[?(["']?{re.escape(key)}["']?)\s*[=\]]""", chunk.text)
    return Span(chunk, *found.span(1)) if found else Span(chunk, 0, 0)


def _line_of(chunk: Chunk, message: str) -> Span | None:
    """The place that a message of the TOML reader speaks of."""
    found = re.search(r"line (\d+), column (\d+)", message)
    if found is None:
        return None
    lines = chunk.text.split("\n")
    row = min(int(found[1]), len(lines)) - 1
    start = min(sum(len(line) + 1 for line in lines[:row]) + int(found[2]) - 1, len(chunk.text))
    return Span(chunk, start, min(start + 1, len(chunk.text)))


def _fault(chunk: Chunk, message: str, span: Span | None = None) -> Diagnostic:
    return Diagnostic("E0820", message, span or Span(chunk, 0, 0))

"""Maps of weights as they are written, in TOML; docs/maps.md has every form.

    optional_prefix = "transformer."   # what the names of some checkpoints leave out
    strip = "net."                     # what the names of some have before them

    [weights]                          # ours = theirs; the first line that fits a weight counts
    "layers.*" = "model.layers.*"      # all below; elsewhere `*` is the index of an iteration
    "blocks.*.fc.bias" = "block{*+1}.fc.bias"                                      # counted from 1
    "h.*.{q,k}.weight" = "h.*.{query,key}.weight | transpose"                      # two lines in one
    "h.*.qkv.weight" = ["h.*.q.weight", "h.*.k.weight", "h.*.v.weight"]            # joined on axis 0
    "h.*.kv.weight" = { join = ["h.*.k", "h.*.v"], axis = 1, sizes = [64, 32] }    # unequal parts
    "h.*.experts.w" = { stack = "h.*.experts.*.w" }                                # entries of a new axis

    [ties]                             # theirs that are another name of one of theirs: equal, where both are there
    "lm_head.weight" = "transformer.wte.weight"

    [also]                             # what some checkpoints call one of theirs: read, never written
    "h.*.ln.gamma" = "h.*.ln.weight"

    [ignore]                           # theirs that we have no use for; `*` stands for anything
    names = ["*.attn.mask"]

A weight of ours that no line names is expected under its own name.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from os import PathLike, fspath
from typing import Any

from ogive.backends.weights.maps import MapRule, Tie, WeightMap
from ogive.backends.weights.names import NameFault, NamePattern, alternatives, read_name
from ogive.backends.weights.step_text import PartRule, read_part, read_steps
from ogive.grammar.diagnostics import ArchError, Diagnostic
from ogive.grammar.files import read_source
from ogive.grammar.source import Chunk, Span

ENTRIES = ("weights", "ties", "also", "ignore", "optional_prefix", "strip")


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
    for key in table.keys() - set(ENTRIES):
        known = ", ".join(f"`{entry}`" for entry in ENTRIES[:-1])
        faults.append(_fault(chunk, f"unknown entry `{key}`: a map has {known} and `{ENTRIES[-1]}`"))
    rules: list[MapRule] = []
    for ours, value in _table(table, "weights", chunk, faults).items():
        try:
            rules += _rules(ours, value, _key(chunk, ours))
        except NameFault as error:
            faults.append(_fault(chunk, str(error), _key(chunk, ours)))
    names: dict[str, list[Tie]] = {"ties": [], "also": []}
    for entry, found in names.items():
        for alias, name in _table(table, entry, chunk, faults).items():
            try:
                found += _tied(alias, name, _key(chunk, alias))
            except NameFault as error:
                faults.append(_fault(chunk, str(error), _key(chunk, alias)))
    ignored = _table(table, "ignore", chunk, faults).get("names", [])
    if not _strings(ignored):
        faults.append(_fault(chunk, "`names` of [ignore] is a list of strings", _key(chunk, "names")))
    prefix, strip = table.get("optional_prefix", ""), table.get("strip", [])
    if not isinstance(prefix, str):
        faults.append(_fault(chunk, "`optional_prefix` is a string", _key(chunk, "optional_prefix")))
    strip = [strip] if isinstance(strip, str) else strip
    if not _strings(strip) or not all(strip):
        faults.append(_fault(chunk, "`strip` is a prefix, or a list of them", _key(chunk, "strip")))
    if faults:
        raise ArchError(tuple(sorted(faults, key=Diagnostic.order)))
    ties, also = map(tuple, names.values())
    return WeightMap(tuple(rules), tuple(ignored), prefix, chunk, ties, tuple(strip), also)


def _table(table: dict[str, Any], name: str, chunk: Chunk, faults: list[Diagnostic]) -> dict[str, Any]:
    found = table.get(name, {})
    if isinstance(found, dict):
        return found
    faults.append(_fault(chunk, f"`{name}` is a table: write [{name}]", _key(chunk, name)))
    return {}


def _rules(ours: str, value: object, span: Span) -> Iterator[MapRule]:
    """The rules of a line, one for each choice of what stands in braces. Raises `NameFault`."""
    texts, settings = _written(ours, value)
    for first, *names in alternatives([ours, *texts]):
        pattern, parts = read_name(first), tuple(map(read_part, names))
        stacked = "stack" in settings
        for part, text in zip(parts, names, strict=True):
            _check_stars(pattern, part, text, stacked)
        yield MapRule(
            pattern, parts, span, settings.get("axis", 0), tuple(settings["sizes"]) if "sizes" in settings else None,
            read_steps(settings["then"]) if "then" in settings else (), stacked,
        )  # fmt: skip


def _check_stars(ours: NamePattern, part: PartRule, text: str, stacked: bool) -> None:
    if part.stars != len(ours.stars) + stacked:
        more = ", and one more that counts the entries" if stacked else ""
        raise NameFault(f"`{ours.text}`: `{text}` must have as many `*` as the weight it stands for{more}")
    theirs = [*part.name.stars, *(part.index.stars if part.index is not None else ())]
    if any(mine.rest and not star.plain for mine, star in zip(ours.stars, theirs, strict=False)):
        raise NameFault(f"`{ours.text}`: its last `*` is all below, which cannot be counted otherwise in `{text}`")


def _written(ours: str, value: object) -> tuple[list[str], dict[str, Any]]:
    """The names of theirs in a line, and what else it says. Raises `NameFault`."""
    if not isinstance(value, dict):
        names = [value] if isinstance(value, str) else value
        if not _strings(names) or not names:
            raise NameFault(
                f"`{ours}`: expected the name of a tensor, a list of names, or a table with `join` or `stack`"
            )
        return list(names), {}  # type: ignore[call-overload]
    forms = {"join": {"join", "axis", "sizes", "then"}, "stack": {"stack", "axis", "then"}}
    form = next((form for form in forms if form in value), "join")
    right = _strings(value.get("join")) and value["join"] if form == "join" else isinstance(value[form], str)
    if value.keys() - forms[form] or not right:
        raise NameFault(
            f"`{ours}`: a table has `join`, a list of names, and may have `axis`, `sizes` and `then`; "
            "or `stack`, a name, and may have `axis` and `then`"
        )
    names, sizes = value["join"] if form == "join" else [value["stack"]], value.get("sizes")
    if type(value.get("axis", 0)) is not int or not 0 <= value.get("axis", 0) <= 8:
        raise NameFault(f"`{ours}`: `axis` is a position from 0")
    if "sizes" in value and not (isinstance(sizes, list) and all(type(s) is int and s > 0 for s in sizes)):
        raise NameFault(f"`{ours}`: `sizes` is a list of positive numbers")
    if sizes is not None and len(sizes) != len(names):
        raise NameFault(f"`{ours}`: {len(names)} names, but {len(sizes)} sizes")
    if not isinstance(value.get("then", ""), str):
        raise NameFault(f'`{ours}`: `then` is what is done to the joined tensor, such as "transpose"')
    return names, value


def _tied(alias: str, name: object, span: Span) -> Iterator[Tie]:
    if not isinstance(name, str):
        raise NameFault(f"`{alias}`: expected the other name of the same tensor")
    for first, last in alternatives([alias, name]):
        patterns = read_name(first), read_name(last)
        if [star.rest for star in patterns[0].stars] != [star.rest for star in patterns[1].stars]:
            raise NameFault(f"`{alias}`: `{name}` must have the same `*`")
        yield Tie(*patterns, span)


def _strings(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


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

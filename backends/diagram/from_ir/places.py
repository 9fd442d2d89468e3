"""By which names a block that is used may be opened."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches

from ogive.backends.diagram.figure.errors import DiagramError
from ogive.compiler.ir.model import Definition, Model


def names_of(callee: Definition, path: str, around: str) -> set[str]:
    """Those of the block, and of the place that it has: the last part, or all of it, with loops or without."""
    full = around + path
    block = {callee.block, callee.block.rsplit(".", 1)[-1], callee.name}
    return block | {full, full.replace(".*", ""), path.rsplit(".", 1)[-1]} if path else block


def place_name(path: str) -> str:
    """The last part of a place; an element of a list is called with it, `blocks.*`, or not at all."""
    last = path.rsplit(".", 1)[-1]
    return last if last != "*" else ".".join(path.split(".")[-2:]).removeprefix("*")


def openable(definition: Definition, around: str = "") -> Iterator[str]:
    """All names by which something in a block can be opened."""
    for node in definition.graph.walk():
        if node.callee is not None:
            yield from names_of(node.callee, node.path, around)
            yield from openable(node.callee, f"{around}{node.path}.")


def refuse_unknown(subjects: Iterable[Definition | Model], open: Iterable[str]) -> None:
    """Raises `DiagramError` where nothing in any of the subjects is called what is to be opened."""
    wanted = list(dict.fromkeys(open))
    if not wanted:
        return
    definitions = (subject.definition if isinstance(subject, Model) else subject for subject in subjects)
    known = {name for definition in definitions for name in openable(definition)}
    for name in wanted:
        if name not in known:
            near = get_close_matches(name, sorted(known), 1)
            hint = f"did you mean `{near[0]}`?" if near else f"there are {', '.join(sorted(known)[:20]) or 'none'}"
            raise DiagramError(f"nothing to open is called `{name}`: {hint}")

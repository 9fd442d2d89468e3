"""Layers of Inkscape: one for each block, one for all other operations, wires under them and labels over them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ogive.backends.diagram.figure.geometry import Drawing, Group, Item, Text

NAMESPACE = "http://www.inkscape.org/namespaces/inkscape"


def layers_of(drawing: Drawing) -> Iterator[tuple[str, Drawing]]:
    """Names of layers from back to front, each with its part of the drawing."""
    groups = {group.owner: group for group in drawing.groups}
    found: dict[str, list[Item]] = {}
    for item in drawing.items:
        found.setdefault(_layer(item, groups), []).append(item)
    for name, items in found.items():
        yield name, replace(drawing, items=tuple(items))


def _layer(item: Item, groups: dict[str, Group]) -> str:
    group = groups.get(item.owner)
    if group is None:
        return "labels" if isinstance(item, Text) else "wires"
    if not group.block and not group.plate:
        return "operations"
    return f"{group.name} {group.path}".strip()

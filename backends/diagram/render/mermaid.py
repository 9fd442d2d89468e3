"""Mermaid source of an overview, as READMEs show it."""

from __future__ import annotations

import json
from collections.abc import Iterator

from ogive.backends.diagram.figure.palettes import Palette
from ogive.backends.diagram.figure.theme import Theme
from ogive.backends.diagram.render.box_lines import lines_of
from ogive.backends.diagram.views.overview import Box, Overview

SHAPES = {"input": ("([", "])"), "output": ("([", "])"), "block": ("[", "]"), "op": ("(", ")"), "weight": (">", "]")}


def mermaid(made: Overview, theme: Theme, direction: str = "TB") -> str:
    """The chart: its title in the four lines of its head, then boxes, edges, legend and colours."""
    lines = ["---", f"title: {json.dumps(made.title, ensure_ascii=False)}", "---", f"flowchart {direction}"]
    lines += _boxes(made, "", "  ")
    for edge in made.edges:
        text = f'|"{_entities(edge.text)}"|' if edge.text else ""
        lines.append(f"  {edge.source} {'-.->' if edge.change == 'removed' else '-->'}{text} {edge.target}")
    if made.legend:
        lines.append(f'  legend["{"<br>".join(map(_entities, made.legend))}"]')
        lines.append("  style legend fill:none,stroke:none,text-align:left")
    return "\n".join([*lines, *_classes(made, theme.palette)]) + "\n"


def _classes(made: Overview, palette: Palette) -> Iterator[str]:
    """Colours of what blocks are for, then of changes."""
    for role in dict.fromkeys(box.role for box in made.boxes if box.kind == "block" and box.role):
        ids = [box.id for box in made.boxes if box.kind == "block" and box.role == role]
        style = f"fill:{getattr(palette, role)},stroke:{palette.ink},color:{palette.ink}"
        yield from (f"  classDef {role} {style}", f"  class {','.join(ids)} {role}")
    for change in ("added", "removed", "changed", "marked"):
        ids = [box.id for box in made.boxes if box.change == change]
        if ids:
            more = ",stroke-dasharray:5 3" if change == "removed" else ""
            yield f"  classDef {change} stroke:{getattr(palette, change)},stroke-width:2px{more}"
            yield f"  class {','.join(ids)} {change}"


def _boxes(made: Overview, parent: str, indent: str) -> Iterator[str]:
    for box in made.boxes:
        if box.parent != parent:
            continue
        if box.kind == "group":
            yield f'{indent}subgraph {box.id}["{_text(box)}"]'
            yield from _boxes(made, box.id, indent + "  ")
            yield f"{indent}end"
        else:
            left, right = SHAPES[box.kind]
            yield f'{indent}{box.id}{left}"{_text(box)}"{right}'


def _text(box: Box) -> str:
    first, *rest = lines_of(box)
    return "".join([_entities(first), *(f"<br><small>{_entities(line)}</small>" for line in rest)])


def _entities(text: str) -> str:
    """Mermaid's own escapes: `#quot;`, and no markup."""
    special = {"#": "#35;", '"': "#quot;", "<": "#lt;", ">": "#gt;", "&": "#amp;", "`": "#96;"}
    return "".join(special.get(char, char) for char in text)

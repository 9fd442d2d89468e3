"""The edit that makes a name of a module known to a file."""

from __future__ import annotations

from ogive.grammar import syntax as s
from ogive.language.desk import SeenFile
from ogive.language.places import TextRegion, region


def edit_for(seen: SeenFile, module: str, name: str) -> tuple[TextRegion, str]:
    """Add a name to the `use` of its module, or a `use` below the others."""
    uses = [tree for tree in seen.declarations if isinstance(tree, s.Use)]
    for tree in uses:
        if tree.module == module and tree.items:
            at = region(tree.items[-1].span).end
            return TextRegion(at, at), f", {name}"
    line = _free_line(seen, uses)
    return TextRegion((line, 0), (line, 0)), f"use {module} ({name})\n"


def _free_line(seen: SeenFile, uses: list[s.Use]) -> int:
    """Below the last `use`, or below the edition and the comment at the head."""
    if uses:
        return region(uses[-1].span).end[0] + 1
    line = 0
    while (text := seen.lines.line(line)).startswith(("ogive ", "# ")) and line + 1 < len(seen.lines.starts):
        line += 1
        if text.startswith("##"):
            return line - 1
    return line

"""The notebook of the documentation as a page: its words, its cells, and what they show where that needs no torch."""

from __future__ import annotations

import ast
import json
from html import escape
from typing import Any

import ogive
from ogive.grammar.diagnostics import ArchError

HEAD = "[The notebook](notebook.ipynb) itself also shows modules, which need torch."


def page(text: str) -> str:
    """A notebook as Markdown; its first cell has the title."""
    names: dict[str, Any] = {}
    cells = json.loads(text)["cells"]
    first, *others = (_cell(each["cell_type"], "".join(each["source"]).strip(), names) for each in cells)
    return "\n\n".join([first, HEAD, *others]) + "\n"


def _cell(kind: str, text: str, names: dict[str, Any]) -> str:
    """A cell; `names` are those that the cells before it have defined."""
    if kind == "markdown":
        return text
    magic, _, program = text.partition("\n")
    if magic.startswith("%%arch"):
        shown = ""
        try:
            made = ogive.source(program)
        except ArchError as error:
            shown = f"\n\n```text\n{error}\n```"
        else:
            names |= {name: made[name] for name in made}
        return f"```python\n{magic}\n```\n```arch\n{program}\n```{shown}"
    return f"```python\n{text}\n```{_shown(text, names)}"


def _shown(text: str, names: dict[str, Any]) -> str:
    """What an expression shows whose names are known here: none of those that torch makes."""
    tree = ast.parse("" if text.startswith("%") else text)
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    if not used or used - names.keys() or not isinstance(tree.body[-1], ast.Expr):
        return ""
    # HTML in Markdown ends at a blank line
    told = escape(eval(text, {}, names)._repr_html_(), quote=True).replace("\n", "&#10;")
    return f'\n\n<iframe class="cell" title="What the cell shows" srcdoc="{told}"></iframe>'

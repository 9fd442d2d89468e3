"""The notebook of the documentation as a page: its words and cells. What cells show is for notebooks to show."""

from __future__ import annotations

import json

HEAD = "[The notebook](notebook.ipynb) shows trees, tables and diagrams below these cells when it is run."


def page(text: str) -> str:
    """A notebook as Markdown; its first cell has the title."""
    first, *others = (_cell(cell) for cell in json.loads(text)["cells"])
    return "\n\n".join([first, HEAD, *others]) + "\n"


def _cell(cell: dict[str, object]) -> str:
    source = cell["source"]
    assert isinstance(source, list)
    text = "".join(source).strip()
    if cell["cell_type"] == "markdown":
        return text
    magic, _, program = text.partition("\n")
    if magic.startswith("%%arch"):
        return f"```python\n{magic}\n```\n```arch\n{program}\n```"
    return f"```python\n{text}\n```"

"""Weights as a tree that folds: paths, shapes, counts, sizes. What differs in the number of a loop alone is one row."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from html import escape

BYTES = {"f64": 8, "i64": 8, "int": 8, "complex": 8, "f16": 2, "bf16": 2, "bool": 1}  # of an element; else 4
UNITS = ("B", "KB", "MB", "GB", "TB")


@dataclass(frozen=True, slots=True)
class WeightRow:
    """Weights of one shape, one for each iteration: their path with `*`, how many there are, their element type."""

    path: str
    shape: tuple[int, ...]
    elem: str
    kind: str
    times: int
    count: int  # numbers of all together


@dataclass
class WeightTree:
    """A place among the weights, with what is below it."""

    name: str
    rows: list[WeightRow] = field(default_factory=list)
    inside: dict[str, WeightTree] = field(default_factory=dict)

    def all(self) -> Iterable[WeightRow]:
        """The rows here and below."""
        yield from self.rows
        for each in self.inside.values():
            yield from each.all()


def tree_of(weights: Mapping[str, tuple[tuple[int, ...], str, str]]) -> WeightTree:
    """Weights by path, each with its shape, its element type and whether it is learned, as a tree."""
    groups: dict[tuple[str, tuple[int, ...], str, str], list[str]] = {}
    for path, (shape, elem, kind) in weights.items():
        pattern = re.sub(r"(?<=\.)\d+(?=\.|$)", "*", path)
        groups.setdefault((pattern, shape, elem, kind), []).append(path)
    root = WeightTree("")
    for (pattern, shape, elem, kind), paths in groups.items():
        count = len(paths)
        for size in shape:
            count *= size
        at = root
        for part in pattern.split(".")[:-1]:
            at = at.inside.setdefault(part, WeightTree(part))
        at.rows.append(WeightRow(pattern, shape, elem, kind, len(paths), count))
    return root


def tree_html(tree: WeightTree, depth: int = 1) -> str:
    """The tree, `depth` levels of it open."""
    titles = "".join(f"<span>{each}</span>" for each in ("path", "shape", "numbers", "size"))
    return f'<div class="leaf dim">{titles}</div>{_inside(tree, depth)}'


def _inside(tree: WeightTree, depth: int) -> str:
    leaves = "".join(_leaf(row) for row in tree.rows)
    return leaves + "".join(_branch(each, depth) for each in tree.inside.values())


def _branch(tree: WeightTree, depth: int) -> str:
    while not tree.rows and len(tree.inside) == 1:  # `h`, `*`: one line
        (only,) = tree.inside.values()
        tree = WeightTree(f"{tree.name}.{only.name}", only.rows, only.inside)
    rows = list(tree.all())
    times = {row.times for row in rows}
    name = f"{tree.name}  × {times.pop()}" if "*" in tree.name and len(times) == 1 else tree.name
    total = sum(row.count for row in rows)
    line = _cells(name, "", f"{total:,}", size(total_bytes(rows)))
    opened = " open" if depth > 0 else ""
    return f'<details{opened}><summary><span class="row">{line}</span></summary>{_inside(tree, depth - 1)}</details>'


def _leaf(row: WeightRow) -> str:
    name = row.path.rpartition(".")[2] + (" (state)" if row.kind == "state" else "")
    shape = f"[{', '.join(map(str, row.shape))}]" + (f" {row.elem}" if row.elem != "float" else "")
    return f'<div class="leaf">{_cells(name, shape, f"{row.count:,}", size(total_bytes([row])))}</div>'


def _cells(*texts: str) -> str:
    return "".join(f"<span>{escape(each)}</span>" for each in texts)


def total_bytes(rows: Iterable[WeightRow]) -> int:
    """The memory of weights in their types, floats in 32 bits."""
    return sum(row.count * BYTES.get(row.elem, 4) for row in rows)


def size(number: float) -> str:
    """A number of bytes for a reader: three digits."""
    at = 0
    while number >= 1000 and at < len(UNITS) - 1:
        number, at = number / 1000, at + 1
    return f"{number:.0f} {UNITS[at]}" if at == 0 or number >= 100 else f"{number:.3g} {UNITS[at]}"

"""How the figures of the examples come out: `python bench/figures.py [NAME ...] > table.txt`.

One row for each figure, at depth 0 and 1: pairs of wires that cross, wires that bend, the smallest label in points
where the figure is laid out for a page (170 mm), kilobytes of its SVG. `--times` adds the time of
`draw` for GPT-2 as a ratio to that of `check`, both in one run. `--against TABLE` lists what is worse than in a table
of before (`bench/figures_base.txt` says how that one was made), and why where a rule says so.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from ogive.backends.diagram.diagram import Diagram, diagram
from ogive.backends.diagram.figure.geometry import Path as Line
from ogive.backends.diagram.figure.page import LEGIBLE, POINTS, on_page
from ogive.backends.diagram.figure.theme import Theme
from ogive.backends.diagram.layout.wrap import rows
from ogive.compiler.driver.workspace import Workspace
from ogive.compiler.ir.model import Definition, Model

ROOT = Path(__file__).parents[1]
LARGER = 1.3  # times as many kilobytes as before are too many


def subjects() -> Iterator[tuple[str, Definition | Model]]:
    """Blocks and models of the examples; of models one that is small, where there is one."""
    workspace = Workspace()
    for path in sorted([*ROOT.glob("examples/*.arch"), *ROOT.glob("docs/gallery/*.arch")]):
        program = workspace.check(path.read_text(), str(path.relative_to(ROOT)))
        for report in program.blocks:
            if report.definition is not None:
                yield f"{path.stem}:{report.name}", report.definition
        for name in ["Tiny"] if "Tiny" in program.models else program.models:
            yield f"{path.stem}:{name}", program.models[name].ir


def measured(made: Diagram) -> tuple[int, int, float, float]:
    """Crossings, bends, the smallest label, kilobytes."""
    crossings = sum(row.crossings for section in made.figure.sections for row in rows(section, Theme()))
    drawing = made.drawing
    paths = [item for item in drawing.items if isinstance(item, Line) and item.style == "wire"]
    bends = sum(any(name == "C" for name, _ in path.commands) for path in paths)
    points = replace(made, theme=on_page(made.theme, "170mm")).drawing.smallest * POINTS
    return crossings, bends, points, len(made.text("svg").encode()) / 1024


def times(name: str = "examples/gpt2.arch") -> str:
    """Drawing a model against checking its file, the best of several."""
    text = (ROOT / name).read_text()
    check, draw = [], []
    for _ in range(5):
        start = time.perf_counter()
        program = Workspace().check(text, name)
        middle = time.perf_counter()
        diagram(program.models["GPT2"].ir).text("svg")
        check.append(middle - start)
        draw.append(time.perf_counter() - start)
    return f"draw GPT2 / check: {min(draw) / min(check):.2f} ({min(check) * 1000:.0f} ms)"


Quality = tuple[int, int, float, float]  # crossings, bends, points, kilobytes


def table(text: str) -> dict[str, Quality]:
    """The rows of a table that this file wrote, by figure and depth."""
    found: dict[str, Quality] = {}
    for row in text.splitlines():
        *name, crossings, bends, points, size = row.split()
        if not row.startswith("#") and name != ["figure"]:
            found[" ".join(name)] = int(crossings), int(bends), float(points), float(size)
    return found


def worse(was: Quality, now: Quality) -> list[str]:
    """What is worse in a figure than it was, with its reason where a rule gives one."""
    found = [f"{name}: {a} -> {b}" for name, a, b in zip(("crossings", "bends"), was, now, strict=False) if b > a]
    if now[2] < was[2]:
        why = " (laid out for its page: every label has 7 pt)" if now[2] > LEGIBLE - 0.05 else ""
        found.append(f"points: {was[2]} -> {now[2]:.1f}{why}")
    return found + [f"kilobytes: {was[3]} -> {now[3]:.1f}"] * (now[3] > LARGER * was[3])


def main(names: list[str]) -> None:
    """Write the table."""
    if "--against" in names:
        at = names.index("--against")
        base, names = table(Path(names[at + 1]).read_text()), names[:at] + names[at + 2 :]
        for name, subject in subjects():
            for depth in (0, 1) if not names or any(name.startswith(part) for part in names) else ():
                row = f"{name} {depth}"
                for said in worse(base[row], measured(diagram(subject, depth=depth))) if row in base else ():
                    print(f"{row}: {said}")
        return
    if "--times" in names:
        print(times())
        return
    print(f"{'figure':<44} {'cross':>6} {'bends':>6} {'pt':>5} {'kB':>7}")
    for name, subject in subjects():
        if not names or any(name.startswith(part) for part in names):
            for depth in (0, 1):
                crossings, bends, points, size = measured(diagram(subject, depth=depth))
                print(f"{f'{name} {depth}':<44} {crossings:>6} {bends:>6} {points:>5.1f} {size:>7.1f}")


if __name__ == "__main__":
    main(sys.argv[1:])

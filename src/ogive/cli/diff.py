"""`ogive diff`: what changed from one model or block to another, as text and as a drawing."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from ogive.backends.diagram.diagram import View, diagram
from ogive.backends.diagram.diff import Difference
from ogive.backends.diagram.figure.errors import DiagramError
from ogive.backends.diagram.figure.theme import THEMES
from ogive.cli.common import FORCE, colored, progress, say, split_target, targets
from ogive.cli.draw import program_of
from ogive.compiler.ir.model import Definition, Model
from ogive.grammar.render import render
from ogive.origin import Origin
from ogive.outputs import OutputFile, write

COLOURS = {"+": "green", "-": "red", "~": "cyan"}


@click.command()
@click.argument("old", metavar="OLD[:NAME]", shell_complete=targets)
@click.argument("new", metavar="NEW[:NAME]", shell_complete=targets)
@click.option(
    "-o", "--out", type=click.Path(dir_okay=False, path_type=Path), help="A drawing: .svg .tex .png .html ..."
)
@click.option("--score", "scored", is_flag=True, help="Say how far they are from each other, as graphs without names.")
@click.option("--json", "as_json", is_flag=True, help="With --score: as JSON.")
@FORCE
@click.option("--view", type=click.Choice(["circuit", "overview", "stack"]), default="circuit", show_default=True)
@click.option("--theme", type=click.Choice(THEMES), default="auto", show_default=True)
def command(
    old: str, new: str, out: Path | None, scored: bool, as_json: bool, view: View, theme: str, force: bool
) -> None:  # fmt: skip
    """Compare two models or blocks: + added, - removed, ~ changed. Exit 1 where they differ.

    Without a NAME, all models and blocks that both files have.

    \b
    Examples:
      ogive diff before.arch after.arch
      ogive diff gpt2.arch:GPT2 gpt2.arch:GPT2Medium
      ogive diff before.arch:Block after.arch:Block -o change.svg
      ogive diff gpt2.arch:GPT2 gpt2.arch:GPT2Medium --score --json
    """
    if as_json and not scored:
        raise click.UsageError("--json goes with --score")
    with progress(f"Comparing {old} with {new}"):
        differs = _compared(old, new, out, scored, as_json, view, theme, force)
    sys.exit(1 if differs else 0)


def _compared(
    old: str, new: str, out: Path | None, scored: bool, as_json: bool, view: View, theme: str, force: bool
) -> bool:  # fmt: skip
    """Print what differs, and draw it; whether anything does."""
    (first, name_a), (second, name_b) = _subjects(old), _subjects(new)
    pairs = _pairs((old, first.found, name_a), (new, second.found, name_b))
    if out is not None and len(pairs) != 1:
        raise click.UsageError(f"{len(pairs)} pairs do not fit in `{out}`: give OLD:NAME and NEW:NAME")
    if scored:
        return _scored(pairs, as_json)
    differs = False
    for title, before, after in pairs:
        difference = Difference(before, after)
        differs |= bool(difference)
        if difference:
            say(title)
            for line in str(difference).splitlines():
                say(click.style(f"  {line}", fg=COLOURS.get(line[0])) if colored() else f"  {line}")
        if out is not None:
            try:
                made = difference.diagram(diagram(after, view=view, theme=theme)).bytes(
                    format := out.suffix.lstrip(".")
                )
            except DiagramError as error:
                raise click.ClickException(str(error)) from None
            a, b = title.split(" -> ") if " -> " in title else (title, title)
            stamp = first.origin.named(a).stamp.beside(second.origin.named(b).stamp).by("diff")
            write(
                {OutputFile(out, stamp): stamp.signed(made, format)}, (*first.origin.files, *second.origin.files), force
            )
            say(f"wrote {out}")
    return differs


def _scored(pairs: list[tuple[str, Definition | Model, Definition | Model]], as_json: bool) -> bool:
    """Print how far models are from each other; whether any two are not alike."""
    from ogive.compiler.analysis.similarity.report import score
    from ogive.compiler.passes.cleanup.deploy_flatten import deployed

    found = []
    for title, before, after in pairs:
        flat = [deployed(each if isinstance(each, Model) else Model(title, each, (), ())) for each in (before, after)]
        found.append({"pair": title, **asdict(score(*flat))})
    if as_json:
        say(json.dumps(found[0] if len(found) == 1 else found, indent=2))
    else:
        for each in found:
            least = "" if each["exact"] else "at most "
            say(f"{each['pair']}: {least}{each['edits']} edits, similarity {each['similarity']:.4f}")
    return any(each["edits"] for each in found)


Subjects = dict[str, Definition | Model]


@dataclass(frozen=True, slots=True)
class Side:
    """One side: what a file holds by name, and where that comes from."""

    found: Subjects
    origin: Origin


def _pairs(
    old: tuple[str, Subjects, str | None], new: tuple[str, Subjects, str | None]
) -> list[tuple[str, Definition | Model, Definition | Model]]:
    before, after = old[1], new[1]
    if old[2] is None and new[2] is None:
        shared = [name for name in after if name in before]
        if not shared:
            raise click.UsageError("the files have no block or model of the same name")
        return [(name, before[name], after[name]) for name in shared]
    a, b = old[2] or new[2] or "", new[2] or old[2] or ""
    for (target, found, _), name in ((old, a), (new, b)):
        if name not in found:
            raise click.UsageError(f"{target}: no `{name}` to compare; there are {', '.join(found) or 'none'}")
    return [(a if a == b else f"{a} -> {b}", before[a], after[b])]


def _subjects(target: str) -> tuple[Side, str | None]:
    path, name = split_target(target)
    program = program_of(path)
    if not program.ok:
        raise click.ClickException(render(program.diagnostics, color=colored()))
    found: Subjects = {r.name: r.definition for r in program.blocks if r.definition is not None}
    return Side(found | {key: report.ir for key, report in program.models.items()}, Origin.of(program)), name

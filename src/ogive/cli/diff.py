"""`ogive diff`: what changed from one model or block to another, as text and as a drawing."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ogive.backends.diagram.diagram import diagram
from ogive.backends.diagram.diff import Difference
from ogive.backends.diagram.errors import DiagramError
from ogive.cli.common import colored, split_target
from ogive.cli.draw import program_of
from ogive.compiler.ir import Definition, Model
from ogive.grammar.render import render

COLOURS = {"+": "green", "-": "red", "~": "cyan"}


@click.command()
@click.argument("old", metavar="OLD[:NAME]")
@click.argument("new", metavar="NEW[:NAME]")
@click.option(
    "-o", "--out", type=click.Path(dir_okay=False, path_type=Path), help="A drawing: .svg .tex .png .html ..."
)
@click.option("--theme", type=click.Choice(["auto", "light", "dark", "axes"]), default="auto", show_default=True)
def command(old: str, new: str, out: Path | None, theme: str) -> None:
    """Compare two models or blocks: + added, - removed, ~ changed. Exit 1 where they differ.

    Without a NAME, all models and blocks that both files have.

    \b
    Examples:
      ogive diff before.arch after.arch
      ogive diff gpt2.arch:GPT2 gpt2.arch:GPT2Medium
      ogive diff before.arch:Block after.arch:Block -o change.svg
    """
    pairs = _pairs(old, new)
    if out is not None and len(pairs) != 1:
        raise click.UsageError(f"{len(pairs)} pairs do not fit in `{out}`: give OLD:NAME and NEW:NAME")
    differs = False
    for title, before, after in pairs:
        difference = Difference(before, after)
        differs |= bool(difference)
        if difference:
            click.echo(title)
            for line in str(difference).splitlines():
                click.echo(click.style(f"  {line}", fg=COLOURS.get(line[0])) if colored() else f"  {line}")
        if out is not None:
            try:
                difference.diagram(diagram(after, theme=theme)).save(out)
            except DiagramError as error:
                raise click.ClickException(str(error)) from None
            except OSError as error:
                raise click.ClickException(f"cannot write: {error}") from None
            click.echo(f"wrote {out}")
    sys.exit(1 if differs else 0)


Subjects = dict[str, Definition | Model]


def _pairs(old: str, new: str) -> list[tuple[str, Definition | Model, Definition | Model]]:
    (before, name_a), (after, name_b) = _subjects(old), _subjects(new)
    if name_a is None and name_b is None:
        shared = [name for name in after if name in before]
        if not shared:
            raise click.UsageError("the files have no block or model of the same name")
        return [(name, before[name], after[name]) for name in shared]
    a, b = name_a or name_b or "", name_b or name_a or ""
    for target, found, name in ((old, before, a), (new, after, b)):
        if name not in found:
            raise click.UsageError(f"{target}: no `{name}` to compare; there are {', '.join(found) or 'none'}")
    return [(a if a == b else f"{a} -> {b}", before[a], after[b])]


def _subjects(target: str) -> tuple[Subjects, str | None]:
    path, name = split_target(target)
    program = program_of(path)
    if not program.ok:
        raise click.ClickException(render(program.diagnostics, color=colored()))
    found: Subjects = {r.name: r.definition for r in program.blocks if r.definition is not None}
    return found | {key: report.ir for key, report in program.models.items()}, name

"""`ogive check`: diagnostics, and the signature of every block with its conditions."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from importlib.resources import files as files_of
from pathlib import Path

import click

from ogive.cli.common import EXTERN, SOURCES_OR_INPUT, below, colored, progress
from ogive.cli.fix import fix
from ogive.compiler.driver.interpreter_limits import unpaused
from ogive.compiler.driver.workspace import CheckedProgram, Workspace
from ogive.compiler.elaborate.driver.session import NESTING, OPERATIONS
from ogive.grammar.diagnostics import Diagnostic
from ogive.grammar.files import as_read, read_source
from ogive.grammar.render import render
from ogive.report import SCHEMA, as_data

FORMATS = ("full", "concise", "json", "sarif", "github")
INPUT = Path("-")
OPERATIONS_HELP = "Limit of operations after unrolling; each 4,000 characters may take as many more."
NESTING_HELP = "Limit of instances inside of instances."


def _schema(context: click.Context, option: click.Parameter, asked: bool) -> None:
    if asked:
        click.echo(files_of("ogive").joinpath(SCHEMA).read_text(encoding="utf-8"), nl=False)
        context.exit()


@click.command()
@click.argument("files", nargs=-1, required=True, type=SOURCES_OR_INPUT, callback=below)
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of text: --output-format json.")
@click.option("--output-format", type=click.Choice(FORMATS), help="How diagnostics are written.  [default: full]")
@click.option("--stdin-filename", type=click.Path(path_type=Path), help="The name of what is read from -.")
@click.option("--schema", is_flag=True, is_eager=True, expose_value=False, callback=_schema, help="Print its schema.")
@click.option("--hints", is_flag=True, help="Show hints too, not only how many there are.")
@click.option("--fix", "fixes", is_flag=True, help="Apply the edits that change no contract.")
@click.option("--contracts", is_flag=True, help="With --fix: also add conditions to blocks.")
@click.option("--operations", default=OPERATIONS, show_default=True, type=click.IntRange(1), help=OPERATIONS_HELP)
@click.option("--nesting", default=NESTING, show_default=True, type=click.IntRange(1, 512), help=NESTING_HELP)
@EXTERN
def command(
    files: tuple[Path, ...],
    as_json: bool,
    output_format: str | None,
    stdin_filename: Path | None,
    hints: bool,
    fixes: bool,
    contracts: bool,
    operations: int,
    nesting: int,
    allow_extern: bool,
) -> None:
    """Check FILES and show what each block takes, gives and demands. Of a folder, all *.arch files below it.

    - is standard input, whose imports are looked for beside --stdin-filename.
    Nothing is executed or allocated, and no framework is imported. Leaves with status 1 where there are errors.

    \b
    Examples:
      ogive check gpt2.arch
      ogive check models/
      ogive check --json gpt2.arch
      ogive check --output-format github .
      ogive check - --stdin-filename models/gpt2.arch < gpt2.arch
      ogive check --fix --contracts gpt2.arch
    """
    if contracts and not fixes:
        raise click.UsageError("--contracts goes with --fix")
    if as_json and output_format not in (None, "json"):
        raise click.UsageError(f"--json is --output-format json, not {output_format}")
    if stdin_filename is not None and INPUT not in files:
        raise click.UsageError("--stdin-filename names what is read from -")
    if fixes and INPUT in files:
        raise click.UsageError("--fix changes files, and - is none")
    shape = "json" if as_json else output_format or "full"
    with unpaused(), progress("Checking"):
        workspace = Workspace()
        count = sum(fix(workspace, path, contracts, operations, nesting) for path in files) if fixes else 0
        programs = [
            (path, _checked(workspace, path, stdin_filename, operations, nesting, allow_extern)) for path in files
        ]
    diagnostics = [found for _, program in programs for found in program.diagnostics]
    shown = [found for found in diagnostics if hints or found.severity != "hint"]
    if shape == "json":
        click.echo(json.dumps(as_data(diagnostics, [program for _, program in programs]), indent=2))
    elif shape != "full":
        from ogive import formats  # which most checks do without

        text = getattr(formats, shape)(shown)
        click.echo(text, nl=bool(text))
    else:
        if shown:
            click.echo(render(shown, color=colored()).rstrip("\n") + "\n")
        for path, program in programs:
            _listing(stdin_filename or "<stdin>" if path == INPUT else path, program)
        if fixes:
            click.echo(f"{count} edit{'' if count == 1 else 's'} applied")
        click.echo(
            _verdict(diagnostics, len(files)) + (" (--hints shows them)" if len(shown) < len(diagnostics) else "")
        )
    sys.exit(any(found.severity == "error" for found in diagnostics))


def _checked(
    workspace: Workspace, path: Path, named: Path | None, operations: int, nesting: int, extern: bool
) -> CheckedProgram:
    text: str | Diagnostic
    if path == INPUT:
        path = named or Path("<stdin>")
        text = as_read(sys.stdin.buffer.read().decode("utf-8", "replace"), str(path))
    else:
        text = read_source(path)
    if isinstance(text, Diagnostic):
        return replace(workspace.check("", str(path)), diagnostics=(text,))
    return workspace.check(text, str(path), operations=operations, nesting=nesting, extern=extern)


def _listing(path: Path | str, program: CheckedProgram) -> None:
    rows = [("block", block.name, block.signature, block.conditions, "") for block in program.blocks]
    for model in program.models.values():
        size = "" if model.parameters is None else f"  # {model.parameters:,} parameters"
        rows.append(("model", model.name, model.signature, model.conditions, size))
    if not rows:
        return
    click.echo(f"{path}:")
    for kind, name, signature, conditions, size in rows:
        click.echo(f"  {click.style(kind, dim=True) if colored() else kind} {name} {signature}{size}")
        for condition in conditions:
            click.echo(f"      where {condition}")


def _verdict(diagnostics: list[Diagnostic], files: int) -> str:
    counts = {kind: sum(found.severity == kind for found in diagnostics) for kind in ("error", "warning", "hint")}
    said = [f"{count} {kind}{'s' * (count > 1)}" for kind, count in counts.items() if count] or ["no errors"]
    return f"{files} file{'s' * (files > 1)} checked: {', '.join(said)}"

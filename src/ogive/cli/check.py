"""`ogive check`: diagnostics, and the signature of every block with its conditions."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from importlib.resources import files as files_of
from pathlib import Path

import click

from ogive.cli.common import EXTERN, INPUT, SOURCES_OR_INPUT, below, colored, progress
from ogive.cli.fix import fix
from ogive.cli.project import NAMED, files_or_all, without_ignored
from ogive.compiler.driver.interpreter_limits import unpaused
from ogive.compiler.driver.workspace import CheckedProgram, Workspace, texts_of
from ogive.compiler.elaborate.driver.session import NESTING, OPERATIONS
from ogive.grammar.diagnostics import Diagnostic
from ogive.grammar.files import as_read, read_source
from ogive.grammar.render import render
from ogive.report import SCHEMA, as_data

FORMATS = ("full", "concise", "json", "sarif", "github")
OPERATIONS_HELP = "Limit of operations after unrolling; each 4,000 characters may take as many more."
NESTING_HELP = "Limit of instances inside of instances."


def _schema(context: click.Context, option: click.Parameter, asked: bool) -> None:
    if asked:
        click.echo(files_of("ogive").joinpath(SCHEMA).read_text(encoding="utf-8"), nl=False)
        context.exit()


@click.command()
@click.argument("files", nargs=-1, type=SOURCES_OR_INPUT, callback=files_or_all)
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of text: --output-format json.")
@click.option("--output-format", type=click.Choice(FORMATS), help="How diagnostics are written.  [default: full]")
@click.option("--stdin-filename", type=click.Path(path_type=Path), help="The name of what is read from -.")
@click.option("--schema", is_flag=True, is_eager=True, expose_value=False, callback=_schema, help="Print its schema.")
@click.option("--hints", is_flag=True, help="Show hints too, not only how many there are.")
@click.option("--fix", "fixes", is_flag=True, help="Apply the edits that change no contract.")
@click.option("--contracts", is_flag=True, help="With --fix: also add conditions to blocks.")
@click.option(
    "--watch", "watched", is_flag=True, help="Check again whenever a file changes; show what is new and gone."
)
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
    watched: bool,
    operations: int,
    nesting: int,
    allow_extern: bool,
) -> None:
    """Check FILES and show what each block takes, gives and demands. Of a folder, all *.arch files below it.

    Without FILES those that [tool.ogive] in pyproject.toml names. - is standard input, whose imports are looked for
    beside --stdin-filename. Nothing is executed or allocated, and no framework is imported.
    Leaves with status 1 where there are errors.

    \b
    Examples:
      ogive check gpt2.arch
      ogive check models/
      ogive check --json gpt2.arch
      ogive check --output-format github .
      ogive check - --stdin-filename models/gpt2.arch < gpt2.arch
      ogive check --fix --contracts gpt2.arch
      ogive check --watch models/
    """
    if contracts and not fixes:
        raise click.UsageError("--contracts goes with --fix")
    if as_json and output_format not in (None, "json"):
        raise click.UsageError(f"--json is --output-format json, not {output_format}")
    if stdin_filename is not None and INPUT not in files:
        raise click.UsageError("--stdin-filename names what is read from -")
    if fixes and INPUT in files:
        raise click.UsageError("--fix changes files, and - is none")
    if watched and (fixes or INPUT in files or as_json or output_format not in (None, "full", "concise")):
        raise click.UsageError(
            "--watch shows the findings of files as they change: it takes no other format, no --fix, no -"
        )
    if watched:
        sys.exit(_watch(files, hints, operations, nesting, allow_extern))
    shape = "json" if as_json else output_format or "full"
    with unpaused(), progress("Checking", files):
        workspace = Workspace()
        count = sum(fix(workspace, path, contracts, operations, nesting) for path in files) if fixes else 0
        programs = [
            (path, _checked(workspace, path, stdin_filename, operations, nesting, allow_extern)) for path in files
        ]
        programs = [(path, _without_ignored(path, stdin_filename, program)) for path, program in programs]
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


def _without_ignored(path: Path, named: Path | None, program: CheckedProgram) -> CheckedProgram:
    shown = without_ignored((named or Path()) if path == INPUT else path, list(program.diagnostics))
    return program if len(shown) == len(program.diagnostics) else replace(program, diagnostics=tuple(shown))


def _watch(files: tuple[Path, ...], hints: bool, operations: int, nesting: int, extern: bool) -> bool:
    """Check again after changes until the user ends it; whether there are errors then."""
    from ogive.cli.watch import unhurried, watch

    workspace, read = Workspace(), set(files)
    last: list[Diagnostic] = []
    context = click.get_current_context()
    named: tuple[Path, ...] = context.meta[NAMED]
    listed = unhurried(lambda: below(context, named, some=False))

    def check() -> list[Diagnostic]:
        with unpaused():
            found = []
            for path in listed():
                if path not in named and not path.exists():
                    continue  # it went from its folder
                program = _checked(workspace, path, None, operations, nesting, extern)
                read.update(Path(place) for place, _ in texts_of(program))
                found += without_ignored(path, list(program.diagnostics))
        last[:] = [each for each in found if hints or each.severity != "hint"]
        return list(last)

    watch(check, lambda: read, lambda found: _verdict(found, len(listed())), listed)
    return any(found.severity == "error" for found in last)


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

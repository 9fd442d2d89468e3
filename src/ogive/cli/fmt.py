"""`ogive fmt`: files in the one style."""

from __future__ import annotations

import difflib
import re
import sys
from pathlib import Path

import click

from ogive.cli.common import INPUT, SOURCES_OR_INPUT, colored, progress, say
from ogive.cli.fix import replace_file
from ogive.cli.project import files_or_all
from ogive.compiler.driver.interpreter_limits import unpaused
from ogive.grammar.diagnostics import ArchError, Diagnostic
from ogive.grammar.files import decoded, read_source
from ogive.grammar.formatter import format_text
from ogive.grammar.render import render


@click.command()
@click.argument("files", nargs=-1, type=SOURCES_OR_INPUT, callback=files_or_all)
@click.option("--check", is_flag=True, help="Write nothing; leave with status 1 where a file would change.")
@click.option("--diff", is_flag=True, help="Write nothing; show what would change.")
def command(files: tuple[Path, ...], check: bool, diff: bool) -> None:
    """Write FILES in the one style; - is standard input, written to standard output.

    Of a folder, all *.arch files below it; without FILES those that [tool.ogive] in pyproject.toml names. Lines get at
    most 100 columns where that is possible. The program and its comments stay the same. A file with syntax errors stays
    as it is. Line ends stay as the first line has them; the last line has one, and a byte order mark goes.

    \b
    Examples:
      ogive fmt net.arch
      ogive fmt --check models/
      ogive fmt - < net.arch
    """
    with unpaused(), progress("Formatting", files):
        broken, changed = _format(files, check, diff)
    if files != (INPUT,):
        click.echo(_verdict(len(files), changed, broken, check or diff), err=diff)
    sys.exit(broken > 0 or (check and changed > 0))


def _format(files: tuple[Path, ...], check: bool, diff: bool) -> tuple[int, int]:
    """Format each file; how many have syntax errors, and how many change."""
    broken, changed = 0, 0
    for path in files:
        before = sys.stdin.buffer.read() if path == INPUT else path.read_bytes()
        after = _formatted(path, before)
        if isinstance(after, tuple):
            say(render(after, color=colored()).rstrip("\n"), err=True)
            broken += 1
            continue
        changed += after != before
        if diff:
            say(_difference(path, before, after), nl=False)
        elif path == INPUT and not check:
            say(after, nl=False)
        elif after != before:
            if not check:
                replace_file(path, after, before)
            say(f"{'would change' if check else 'formatted'} {path}", err=path == INPUT)
    return broken, changed


def _formatted(path: Path, before: bytes) -> bytes | tuple[Diagnostic, ...]:
    """What a file should hold, or why it stays as it is."""
    name = "<stdin>" if path == INPUT else str(path)
    text = decoded(before, name) if path == INPUT else read_source(path)
    if isinstance(text, Diagnostic):
        return (text,)
    try:
        result = format_text(text, name)
    except ArchError as error:
        return error.diagnostics
    first = before.find(b"\n")
    return (result.replace("\n", "\r\n") if first > 0 and before[first - 1 : first] == b"\r" else result).encode()


def _difference(path: Path, before: bytes, after: bytes) -> str:
    # Only `\n` ends a line here: a form feed or U+2028 in a comment does not.
    old, new = (re.findall(r"[^\n]*\n|[^\n]+", data.decode("utf-8", "replace")) for data in (before, after))
    lines = difflib.unified_diff(old, new, str(path), str(path))
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def _verdict(files: int, changed: int, broken: int, dry: bool) -> str:
    parts = [f"{changed} {'would change' if dry else 'formatted'}", f"{files - changed - broken} as they should be"]
    return ", ".join(parts + ([f"{broken} with syntax errors, as they were"] if broken else []))

"""`ogive check --fix`: edits written back, each file whole or not at all."""

from __future__ import annotations

from pathlib import Path

import click

from ogive.backends.weights.whole import write_whole
from ogive.compiler.driver.workspace import CheckedProgram, Workspace
from ogive.grammar.diagnostics import Diagnostic
from ogive.grammar.files import read_source
from ogive.mend import mend

_MARK = b"\xef\xbb\xbf"  # some editors begin a file so


def fix(workspace: Workspace, path: Path, contracts: bool, operations: int, nesting: int) -> int:
    """Mend a file in its place; how many edits it took."""
    text = read_source(path)
    if isinstance(text, Diagnostic):
        return 0
    before = path.read_bytes()

    def check(source: str) -> CheckedProgram:
        return workspace.check(source, str(path), operations=operations, nesting=nesting)

    mended = mend(text, check, contracts=contracts)
    if mended.count:
        text = mended.text.replace("\n", "\r\n") if b"\r\n" in before else mended.text
        replace_file(path, (_MARK if before.startswith(_MARK) else b"") + text.encode("utf-8"), before)
    return mended.count


def replace_file(path: Path, data: bytes, before: bytes) -> None:
    """Replace a source file at once; its rights stay. Nothing that came meanwhile is lost."""

    def check() -> None:
        if path.read_bytes() != before:
            raise click.ClickException(f"`{path}` was changed meanwhile: nothing is written, run it again")

    if path.stat().st_nlink > 1:
        raise click.ClickException(
            f"`{path}` has other names (hard links), which would keep the old text: copy it first"
        )
    write_whole(path, data, check)

"""`ogive check --fix`: edits written back, each file whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import click

from ogive.compiler.program import Program, Workspace
from ogive.grammar.diagnostics import Diagnostic
from ogive.grammar.files import read_source
from ogive.mend import mend

_MARK = b"\xef\xbb\xbf"  # some editors begin a file so


def fix(workspace: Workspace, path: Path, contracts: bool, operations: int, nesting: int) -> int:
    """Mend a file in its place; how many edits it took."""
    text = read_source(path)
    if isinstance(text, Diagnostic):
        return 0

    def check(source: str) -> Program:
        return workspace.check(source, str(path), operations=operations, nesting=nesting)

    mended = mend(text, check, contracts=contracts)
    if mended.count:
        try:
            _write(path, mended.text)
        except OSError as problem:
            raise click.ClickException(
                f"cannot write `{path}`: {(problem.strerror or str(problem)).lower()}"
            ) from problem
    return mended.count


def _write(path: Path, text: str) -> None:
    """Replace a file at once; its line ends and its rights stay."""
    before = path.read_bytes()
    if b"\r\n" in before:
        text = text.replace("\n", "\r\n")
    target = path.resolve()  # the file that a link stands for
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write((_MARK if before.startswith(_MARK) else b"") + text.encode("utf-8"))
        shutil.copymode(target, name)
        os.replace(name, target)
    except BaseException:
        os.unlink(name)
        raise

"""What takes long says so on a terminal, and nowhere else."""

from __future__ import annotations

import ast
import os
import pty
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import click
import pytest

from ogive.cli import COMMANDS, FILES, cli, common

ROOT = Path(__file__).parents[1]
QUICK = {"explain", "new", "examples", "lsp", "completion"}  # they read no program; `new --from-torch` is `import`


@pytest.mark.parametrize("command", [each for each in COMMANDS if each not in QUICK])
def test_each_command_that_may_take_long_says_what_it_does(command: str) -> None:
    text = (ROOT / "src" / "ogive" / "cli" / f"{FILES.get(command, command)}.py").read_text(encoding="utf-8")
    items = (node.context_expr for node in ast.walk(ast.parse(text)) if isinstance(node, ast.withitem))
    assert any(ast.unparse(each).startswith("progress(") for each in items)


def told(command: list[str], out: Path, folder: Path) -> str:
    """What a terminal shows of a command that is said to be slow at once; its output goes to a file."""
    code = "import sys; from ogive.cli import cli, common; common.PATIENCE = 0; cli(sys.argv[1:])"
    ours, theirs = pty.openpty()
    with out.open("wb") as file:
        done = subprocess.Popen(
            [sys.executable, "-c", code, *command], stdin=subprocess.DEVNULL, stdout=file, stderr=theirs, cwd=folder,
            env={**os.environ, "TERM": "xterm"},
        )  # fmt: skip
        os.close(theirs)
        shown = b""
        try:
            while some := os.read(ours, 4096):
                shown += some
        except OSError:  # the other end is closed: so ends a terminal on Linux
            pass
        os.close(ours)
    assert done.wait() in (0, 1)
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())


@pytest.mark.parametrize(
    ("command", "doing", "printed"),
    [
        ("fmt --diff x[b].arch", "Formatting ...", "+block F(x: [b]) -> [b]:"),
        ("check --output-format concise x[b].arch", "Checking ...", "E0201"),
        ("analyze gpt2.arch:Tiny cost[dtype=f32]", "Analyzing gpt2.arch:Tiny ...", "parameters"),
    ],
)
def test_a_line_tells_and_what_is_printed_goes_where_it_should(
    command: str, doing: str, printed: str, tmp_path: Path
) -> None:
    (tmp_path / "x[b].arch").write_text("block F( x: [b] ) -> [b]:\n  return y\n")
    (tmp_path / "gpt2.arch").write_bytes((ROOT / "examples" / "gpt2.arch").read_bytes())
    shown = told(command.split(), tmp_path / "out", tmp_path)
    assert doing in shown
    assert printed not in shown
    assert printed in (tmp_path / "out").read_text(encoding="utf-8")


def test_what_is_printed_waits_for_the_line_to_go(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with click.Context(cli):
        common.say("before")
        with monkeypatch.context() as patched:
            patched.setattr(sys.stderr, "isatty", lambda: True)
            with suppress(RuntimeError), common.progress("Working") as hear:
                hear(10**6, 2 * 10**6)
                common.say("between", nl=False)
                assert capsys.readouterr().out == "before\n"
                raise RuntimeError
        common.say(b" behind")
    assert capsys.readouterr() == ("between behind\n", "")

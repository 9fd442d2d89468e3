"""Settings of a project, checks that follow changes, completion for shells, hooks of other tools."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from itertools import count
from pathlib import Path
from threading import Timer

import pytest
from click.testing import CliRunner

from ogive.cli import COMMANDS, cli
from ogive.cli.watch import changes, difference
from ogive.compiler.driver.workspace import check_text
from ogive.settings import SettingsError, settings_of

ROOT = Path(__file__).parents[1]
UNUSED = "block F(x: [b]) -> [b]:\n    param w: [b2] = zeros\n    return x\n".replace("b2", "3")


def run(*args: str | Path) -> tuple[int, str]:
    done = CliRunner().invoke(cli, [str(each) for each in args], prog_name="ogive", catch_exceptions=False)
    return done.exit_code, done.output


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with one model in a folder."""
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "net.arch").write_text(UNUSED)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def say(project: Path, text: str) -> None:
    (project / "pyproject.toml").write_text(f'[project]\nname = "p"\n\n[tool.ogive]\n{text}\n')


def test_paths_stand_for_files_that_are_not_named(project: Path) -> None:
    assert run("check")[0] == 2
    assert "Missing argument" in run("fmt")[1]
    say(project, 'paths = ["models"]')
    status, said = run("check")
    assert status == 0
    assert "models/net.arch" in said.replace(os.sep, "/")
    assert "W0901" in said
    assert run("fmt", "--check")[0] == 0


def test_codes_are_ignored_with_reasons_and_errors_never(project: Path) -> None:
    say(project, 'ignore = { W0901 = "tried out" }')
    for shape in ("full", "concise", "json", "sarif", "github"):
        assert "W0901" not in run("check", "--output-format", shape, "models")[1]
    (project / "models" / "other").mkdir()
    (project / "models" / "other" / "pyproject.toml").write_text("[tool.ogive]\npaths = []\n")
    (project / "models" / "other" / "net.arch").write_text(UNUSED)
    assert run("check", "--output-format", "concise", "models")[1].count("W0901") == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("pathz = []", "pathz is no setting: there are paths, ignore and sizes"),
        ('paths = "models"', "paths is a list"),
        ('paths = ["nowhere"]', "names `nowhere`, which is not there"),
        ('ignore = ["W0901"]', "ignore is a table"),
        ('ignore = { W0901 = "" }', "needs a reason"),
        ('ignore = { E0201 = "no" }', "is an error"),
        ('ignore = { W9999 = "no" }', "is no code"),
        ("sizes = { b = -1 }", "sizes.b is a whole number"),
        ("sizes = { b = true }", "sizes.b is a whole number"),
        ("sizes = 3", "sizes is a table"),
        ("paths = [", "cannot be read"),
    ],
)
def test_what_settings_cannot_say_is_a_mistake_of_use(project: Path, text: str, said: str) -> None:
    say(project, text)
    with pytest.raises(SettingsError, match=re.escape(said)):
        settings_of(project)
    status, output = run("check", "models")
    assert status == 2
    assert said in " ".join(output.split())


def test_sizes_are_numbers_where_none_are_given(project: Path) -> None:
    text = "block Net[d](x: [b, n, d]) -> [b, n, d]:\n    return x |> Linear[d, d]\n\nmodel M = Net[d=4]\n"
    text = f"use std.nn (Linear)\n\n{text}"
    (project / "models" / "net.arch").write_text(text)
    say(project, "sizes = { b = 2, n = 3, other = 7 }")
    assert "at b=2, n=3: 96\n" in run("show", "models/net.arch:M")[1]
    assert "at b=5, n=3: 240\n" in run("show", "models/net.arch:M", "-s", "b=5")[1]
    assert "96" in run("analyze", "models/net.arch:M", "cost")[1]


def test_settings_are_read_again_once_they_change(project: Path) -> None:
    say(project, "sizes = { b = 2 }")
    assert settings_of(project).sizes == {"b": 2}
    say(project, "sizes = { b = 2, n = 3 }")
    assert settings_of(project / "models").sizes == {"b": 2, "n": 3}


def test_changes_are_seen_as_files_come_change_and_go(tmp_path: Path) -> None:
    a, b, step = tmp_path / "a.arch", tmp_path / "b.arch", count()

    def wait() -> None:
        match next(step):
            case 1:
                a.write_text("other")
            case 2:
                b.write_text("new")
            case 4:
                a.unlink()
            case _:
                pass

    a.write_text("x")
    seen = changes(lambda: [a, b], wait)
    assert [next(seen) for _ in range(3)] == [[a], [b], [a]]
    assert next(step) == 5


def test_what_only_moves_is_neither_new_nor_gone() -> None:
    before = check_text("block F(x: [b]) -> [b]:\n    return missing(x)\n").diagnostics
    moved = check_text("# above\n\nblock F(x: [b]) -> [b]:\n    return missing(x)\n").diagnostics
    other = check_text("block F(x: [b]) -> [b]:\n    return nowhere(x)\n").diagnostics
    assert difference(before, moved) == ([], [])
    gone, new = difference(moved, other)
    assert [each.message for each in gone] == ["unknown name `missing`"]
    assert [each.message for each in new] == ["unknown name `nowhere`"]


def test_a_watched_file_tells_what_is_new_and_gone(tmp_path: Path) -> None:
    path = tmp_path / "net.arch"
    path.write_text("block F(x: [b]) -> [b]:\n    return missing(x)\n")
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "ogive", "check", "--watch", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as running:
        assert running.stdout is not None
        guard = Timer(60, running.kill)  # a line that never comes ends the test, not the machine
        guard.start()
        assert "E0201 unknown name `missing`" in running.stdout.readline()
        assert "1 error" in running.stdout.readline()
        path.write_text("block F(x: [b]) -> [b]:\n    return nowhere(x)\n")
        lines = [running.stdout.readline() for _ in range(4)]
        assert [line[:1] for line in lines[1:3]] == ["-", "+"], lines
        new = tmp_path / "below" / "new.arch"
        new.parent.mkdir()
        (tmp_path / "draft").write_text("block G(x: [b]) -> [b]:\n    return elsewhere(x)\n")
        (tmp_path / "draft").rename(new)
        lines = [running.stdout.readline() for _ in range(3)]
        assert "new.arch changed" in lines[0]
        assert "`elsewhere`" in lines[1]
        assert lines[2] == "2 files checked: 2 errors\n"
        new.unlink()
        lines = [running.stdout.readline() for _ in range(3)]
        assert (lines[1][:1], lines[2]) == ("-", "1 file checked: 1 error\n")
        guard.cancel()
        running.kill()


@pytest.mark.parametrize(("text", "status"), [(UNUSED, 0), ("block F(x: [b]) -> [b]:\n    return missing(x)\n", 1)])
def test_the_end_of_watching_has_the_status_of_the_last_check(
    project: Path, text: str, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ogive.cli.watch.time.sleep", stop)
    (project / "models" / "net.arch").write_text(text)
    assert run("check", "--watch", "models")[0] == status


def test_watching_takes_no_other_form(project: Path) -> None:
    for more in (["--fix"], ["--json"], ["--output-format", "sarif"]):
        assert run("check", "--watch", *more, "models")[0] == 2


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_installs_itself(shell: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "ZDOTDIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SHELL", f"/usr/bin/{shell}")
    status, said = run("completion", "--install")
    assert status == 0, said
    written = Path(re.findall(r"wrote (.*)", said)[0])
    assert written.is_relative_to(tmp_path)
    assert written.read_text() == run("completion", shell)[1]
    once = (tmp_path / ".zshrc").read_text() if shell == "zsh" else ""
    assert run("completion", "--install")[0] == 0
    assert not once or (tmp_path / ".zshrc").read_text() == once
    written.write_text("mine")
    assert run("completion", "--install")[0] == 1
    assert written.read_text() == "mine"


def test_bash_completes_commands(tmp_path: Path) -> None:
    script = tmp_path / "ogive.bash"
    script.write_text(run("completion", "bash")[1])
    binary = tmp_path / "ogive"
    binary.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT / "src"} exec {sys.executable} -m ogive "$@"\n')
    binary.chmod(0o755)
    asked = f"source {script}; COMP_WORDS=(ogive ch); COMP_CWORD=1; _ogive_completion ogive; echo ${{COMPREPLY[@]}}"
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", asked], capture_output=True, text=True, check=True, env={**os.environ, "PATH": path}
    )
    assert done.stdout.split() == ["check"]


def test_names_behind_a_file_are_completed() -> None:
    words = f"ogive show {ROOT / 'examples' / 'gpt2.arch'}:GPT2"
    asked = {"_OGIVE_COMPLETE": "zsh_complete", "COMP_WORDS": words, "COMP_CWORD": "2"}
    done = CliRunner().invoke(cli, [], prog_name="ogive", env=asked)
    assert {"GPT2", "GPT2XL"} <= {line.rpartition(":")[2] for line in done.output.splitlines()}


def test_hooks_and_the_action_call_commands_that_are_there() -> None:
    for name in (".pre-commit-hooks.yaml", "action.yml"):
        called = re.findall(r"(?m)^\s*(?:entry|run): ogive (.*)$", (ROOT / name).read_text(encoding="utf-8"))
        assert len(called) == 2
        for line in called:
            command, *options = [word for word in line.split() if not word.startswith("$")]
            assert command in COMMANDS
            path = str(ROOT / "examples" / "mlp.arch")
            assert (
                run(command, *options, *([] if "--check" in options or command == "check" else ["--check"]), path)[0]
                == 0
            )

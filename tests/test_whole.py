"""Files that are written whole or not at all, whatever the system refuses and whoever else writes."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

import ogive
from ogive.backends.weights import whole
from ogive.grammar.diagnostics import ArchError
from ogive.stamp import intact
from test_outputs import contents, desk, run

__all__ = ["desk"]


def test_a_full_disk_leaves_all_as_it_was(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At every point at which the system may refuse, whatever is there already."""
    args = ("build", "net.arch:Small", "-o", "a.py", "--weights", "trained.safetensors", "--force")
    for there in (False, True):
        if there:
            Path("a.py").write_text("old")
            Path("a.safetensors").write_text("old too")
        before = contents(desk)
        for point in ("fsync", "link", "replace"):
            for count in range(2):
                with monkeypatch.context() as patch:
                    patch.setattr(os, point, _failing(getattr(os, point), count))
                    result = run(*args)
                if result.exit_code:
                    assert "no space left on device; nothing was written" in result.output
                    assert "a.py" in result.output
                    assert contents(desk) == before, (point, count, there)
                else:  # links are a help: without them files are replaced, with them they need not be
                    assert point != "fsync"
                    assert intact(Path("a.py").read_bytes())
                    for name in ("a.py", "a.safetensors"):
                        Path(name).unlink()
                        if name in before:
                            Path(name).write_bytes(before[name])
    assert not [name for name in os.listdir() if name.startswith(".ogive")]


@pytest.mark.parametrize("out", ["net.svg", "net.html"])
def test_a_drawing_on_a_full_disk_says_what_was_not_written(
    out: str, desk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(desk)
    monkeypatch.setattr(os, "fsync", _failing(os.fsync, 0))
    result = run("draw", "net.arch:Small", "-o", out)
    assert result.exit_code == 1
    assert f"cannot read or write `{out}`: no space left on device; nothing was written" in result.output
    assert contents(desk) == before


def _failing(real: Callable[..., object], count: int) -> Callable[..., object]:
    """A call that fails once, after so many."""
    left = [count]

    def call(*args: object) -> object:
        left[0] -= 1
        if left[0] == -1:
            raise OSError(28, "No space left on device")
        return real(*args)

    return call


def test_what_another_writes_meanwhile_is_looked_at_again(desk: Path) -> None:
    """A file of someone else that appears between the first look and the last is not replaced; one of ours is."""
    model = ogive.load("net.arch").models["Small"]
    net = model.torch()

    def other(done: int, total: int) -> None:
        if done == total:
            Path("m.onnx").write_text("mine")

    with pytest.raises(ArchError, match="E0825"):
        model.onnx("m.onnx", net, progress=other)
    assert Path("m.onnx").read_text() == "mine"
    Path("m.onnx").unlink()

    def same(done: int, total: int) -> None:
        if done == total and not Path("m.onnx").exists():
            model.onnx("m.onnx", net)

    assert model.onnx("m.onnx", net, progress=same)
    assert not list(desk.glob(".ogive*"))


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
def test_what_is_read_only_stays(desk: Path) -> None:
    run("draw", "net.arch:Small", "-o", "a.svg")
    Path("a.svg").chmod(0o444)
    assert run("draw", "net.arch:Small", "-o", "a.svg", "--force").exit_code == 1
    (desk / "locked").mkdir(mode=0o555)
    result = run("draw", "net.arch:Small", "-o", "locked/a.svg")
    assert result.exit_code == 1
    assert "permission denied" in result.output


def test_a_mode_is_kept_and_a_new_file_has_that_of_others(tmp_path: Path) -> None:
    plain, ours = tmp_path / "plain", tmp_path / "ours"
    plain.write_bytes(b"")
    whole.write_whole(ours, b"1")
    assert ours.stat().st_mode == plain.stat().st_mode
    ours.chmod(0o640)
    whole.write_whole(ours, b"2")
    assert ours.stat().st_mode & 0o777 == 0o640
    assert ours.read_bytes() == b"2"

"""`ogive check --fix`: edits that change no contract, others where they are asked for, whole files or none."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ogive.cli import cli

BROKEN = """use std.nn (LayerNorm, Liner)

block Net[heads](x: [b, n, d]) -> [b, heads, n, d // heads]:
    y = x |> Linear[d, d, bias=False] |> GroupNorm[2] |> rellu
    z = y |> LayerNorm[epz=1e-3]
    return z |> rearrange["b n (h e) -> b h n e", h=heads]
"""
MENDED = """use std.nn (LayerNorm, Linear, GroupNorm)

block Net[heads](x: [b, n, d]) -> [b, heads, n, d // heads]:
    y = x |> Linear[d, d, bias=false] |> GroupNorm[2] |> relu
    z = y |> LayerNorm[eps=1e-3]
    return z |> rearrange["b n (h e) -> b h n e", h=heads]
"""
STATED = MENDED.replace("d // heads]:", "d // heads]\nwhere d % heads == 0:")


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["check", *(str(argument) for argument in arguments)])


def test_without_contracts(tmp_path: Path) -> None:
    path = tmp_path / "net.arch"
    path.write_text(BROKEN, encoding="utf-8")
    result = run("--fix", path)
    assert path.read_text(encoding="utf-8") == MENDED
    assert result.exit_code == 1  # the condition is not stated yet
    assert "where d % heads == 0" in result.output
    assert "5 edits applied" in result.output


def test_with_contracts(tmp_path: Path) -> None:
    path = tmp_path / "net.arch"
    path.write_text(BROKEN, encoding="utf-8")
    assert run("--fix", "--contracts", path).exit_code == 0
    assert path.read_text(encoding="utf-8") == STATED
    assert "0 edits applied" in run("--fix", "--contracts", path).output


def test_line_ends_and_rights_stay(tmp_path: Path) -> None:
    path = tmp_path / "net.arch"
    path.write_bytes(b"\xef\xbb\xbf" + BROKEN.replace("\n", "\r\n").encode("utf-8"))
    path.chmod(0o640)
    run("--fix", path)
    assert path.read_bytes() == b"\xef\xbb\xbf" + MENDED.replace("\n", "\r\n").encode("utf-8")
    assert path.stat().st_mode & 0o777 == 0o640


def test_nothing_is_left_beside_the_file(tmp_path: Path) -> None:
    path = tmp_path / "net.arch"
    path.write_text(BROKEN, encoding="utf-8")
    run("--fix", path)
    assert [each.name for each in tmp_path.iterdir()] == ["net.arch"]


def test_a_file_without_edits_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "net.arch"
    path.write_text("block f(x: [b]) -> [b]:\n    return x\n", encoding="utf-8")
    before = path.stat()
    assert run("--fix", path).exit_code == 0
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    assert path.stat().st_ino == before.st_ino


def test_a_failed_write_leaves_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "net.arch"
    path.write_text(BROKEN, encoding="utf-8")

    def fails(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("os.replace", fails)
    result = run("--fix", path)
    assert result.exit_code == 1
    assert "no space left" in result.output
    assert path.read_text(encoding="utf-8") == BROKEN
    assert [each.name for each in tmp_path.iterdir()] == ["net.arch"]


def test_contracts_go_with_fix(tmp_path: Path) -> None:
    path = tmp_path / "net.arch"
    path.write_text(MENDED, encoding="utf-8")
    assert run("--contracts", path).exit_code == 2


def test_hints_are_counted_and_shown_on_request(tmp_path: Path) -> None:
    path = tmp_path / "net.arch"
    path.write_text(
        "use std.nn (Linear)\n\nblock Net[d](x: [b, d]) -> [b, d]:\n    return x |> Linear[d, d] |> Linear[d, d]\n",
        encoding="utf-8",
    )
    quiet, loud = run(path).output, run("--hints", path).output
    assert "H0905" not in quiet
    assert "1 hint" in quiet
    assert "H0905" in loud

"""The examples that come with the package: listed with a sentence each, copied whole and over nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ogive.shipped import examples, papers
from test_outputs import contents, run

EXAMPLES = Path(__file__).parents[1] / "examples"


def test_every_example_has_a_line() -> None:
    found = examples()
    assert list(found) == sorted(path.stem for path in EXAMPLES.glob("*.arch"))
    lines = run("examples").output.splitlines()
    assert [line.split()[0] for line in lines] == list(found)
    assert all(20 < len(line) <= 120 for line in lines)
    assert {path.name for example in found.values() for path in example.maps} == {
        path.name for path in EXAMPLES.glob("*.toml")
    }
    assert [line.split()[0] for line in lines if " * " in line[:20]] == [n for n, each in found.items() if each.maps]


def test_papers_are_listed_apart_and_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = papers()
    assert list(found) == sorted(f"papers/{path.stem}" for path in EXAMPLES.glob("papers/*.arch"))
    lines = run("examples", "--papers").output.splitlines()
    assert [line.split()[0] for line in lines] == list(found)
    assert all(20 < len(line) <= 120 for line in lines)
    monkeypatch.chdir(tmp_path)
    result = run("new", "--from", "papers/tversky", "work")
    assert run(*result.output.strip().rpartition("now: ogive ")[2].split()).exit_code == 0
    assert Path("work/tversky.arch").read_bytes() == (EXAMPLES / "papers/tversky.arch").read_bytes()


@pytest.mark.parametrize("name", ["gpt2", "mlp", "resnet"])
def test_an_example_is_copied_with_its_map(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in (".", "work", str(tmp_path / "deep")):
        result = run("new", "--from", name, *([] if folder == "." else [folder]))
        assert "wrote" in result.output, result.output
        assert run(*result.output.strip().rpartition("now: ogive ")[2].split()).exit_code == 0
        made = {path.name: path.read_bytes() for path in Path(folder).iterdir() if path.is_file()}
        assert made == {path.name: path.read_bytes() for path in EXAMPLES.glob(f"{name}.*")}


def test_nothing_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of the files alone is enough, by whatever name a system takes for it."""
    monkeypatch.chdir(tmp_path)
    for there in ("gpt2.arch", "gpt2.map.toml", "GPT2.arch"):
        Path(there).write_text("mine")
        before = contents(tmp_path)
        result = run("new", "--from", "gpt2")
        assert (result.exit_code, f"{there} is there already" in result.output) == (2, True), result.output
        assert contents(tmp_path) == before
        Path(there).unlink()
    os.symlink("nowhere", "gpt2.map.toml")
    assert run("new", "--from", "gpt2").exit_code == 2
    assert not Path("gpt2.arch").exists()
    Path("file").write_text("mine")
    for args, said in (
        (("--from", "gpt"), "did you mean `gpt2`?"), (("--from", "no such thing"), "`ogive examples` lists them"),
        (("--from", "mlp", "file"), "is no folder"), (("--from", "../gpt2"), "there is no example"),
        ((), "give a name"),
    ):  # fmt: skip
        result = run("new", *args)
        assert (result.exit_code, said in result.output) == (2, True), result.output
    assert run("new", "--from", "mlp", "none/deeper").exit_code == 1
    assert not Path("none").exists()


def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert "no space left" in run("new", "--from", "gpt2", "work").output
    assert list(tmp_path.iterdir()) == []

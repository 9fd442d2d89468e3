"""Blocks of others: files beside, folders of OGIVE_PATH, packages with an entry point; blocks from Python."""

from __future__ import annotations

from pathlib import Path

import pytest

import ogive
from ogive.api import Block
from ogive.compiler.driver.workspace import check_text

STEM = "use std.nn (Linear)\n\nblock Stem[d](x: [*b, d]) -> [*b, d]:\n    return x |> Linear[d, d] as lin\n"
USER = "use {module} (Stem)\n\nblock A(x: [b, 6]) -> [b, 6]:\n    return x |> Stem[6] as stem\n\nmodel M = A\n"


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def codes(module: str, path: str = "<text>") -> list[str]:
    return [d.code for d in check_text(USER.format(module=module), path).diagnostics]


def package(folder: Path, name: str) -> None:
    """An installed package that ships blocks, and would fail where it were imported."""
    write(folder / name / "__init__.py", "raise RuntimeError('imported')\n")
    write(folder / name / "arch" / "parts.arch", STEM)
    info = folder / f"{name}-1.0.dist-info"
    write(info / "METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    write(info / "entry_points.txt", f"[ogive.blocks]\n{name} = {name}.arch\n")


def test_a_package_ships_blocks_and_is_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package(tmp_path, "shipped")
    assert codes("shipped.parts") == ["E0202"]
    monkeypatch.syspath_prepend(str(tmp_path))
    assert codes("shipped.parts") == []
    assert codes("shipped.other") == ["E0202"]
    assert ogive.source(USER.format(module="shipped.parts")).models["M"].weights["stem.lin.weight"] == (6, 6)


def test_folders_of_the_path_and_clashes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package(tmp_path, "shipped")
    write(tmp_path / "mine" / "shipped" / "parts.arch", STEM)
    monkeypatch.setenv("OGIVE_PATH", str(tmp_path / "mine"))
    assert codes("shipped.parts") == []
    monkeypatch.syspath_prepend(str(tmp_path))
    (found,) = check_text(USER.format(module="shipped.parts")).diagnostics
    assert found.code == "E0202"
    assert "found twice" in found.message


def test_no_name_leads_out_of_the_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "secret.arch", STEM)
    monkeypatch.setenv("OGIVE_PATH", str(tmp_path / "folder"))
    for module in ("../secret", "./../secret", "secret"):
        assert codes(module, str(tmp_path / "folder" / "user.arch"))[0] in {"E0202", "E0101"}


def test_files_in_a_circle_and_files_that_are_missing(tmp_path: Path) -> None:
    write(tmp_path / "one.arch", "use ./two (Stem)\n" + STEM.replace("Stem", "Other"))
    write(tmp_path / "two.arch", "use ./one (Other)\n" + STEM)
    assert "E0203" in codes("./two", str(tmp_path / "one.arch"))
    assert codes("./three", str(tmp_path / "user.arch")) == ["E0202"]
    write(tmp_path / "parts.arch", STEM)
    assert codes("./parts", str(tmp_path / "user.arch")) == []


TAKES = """
use std.nn (Residual, Linear)

block Wide[d](x: [*b, d]) -> [*b, d]:
    return x |> Linear[d, 2 * d] as up |> relu |> Linear[2 * d, d] as down

block Net[F: block](x: [b, 6]) -> [b, 6]:
    return x |> Linear[6, 6] as first |> Residual[F] as res
"""


def test_python_hands_over_blocks_by_name_by_text_and_as_they_are() -> None:
    program = ogive.source(TAKES)
    net, wide = program["Net"], program["Wide"]
    assert isinstance(net, Block)
    assert isinstance(wide, Block)
    assert net(F="Wide").weights == net(F=wide).weights
    assert net(F="Wide").weights["res.wide.up.weight"] == (12, 6)
    assert net(F="Linear[6, 6, ...]").parameters == net(F="Linear[6, 6] >> relu").parameters == 84
    assert net(F="relu").parameters == 42


@pytest.mark.parametrize(("given", "code"), [("Nope", "E0201"), ("Linear[6", "E0101"), (3, "E0404"), ("1", "E0404")])
def test_python_hands_over_something_else(given: object, code: str) -> None:
    net = ogive.source(TAKES)["Net"]
    assert isinstance(net, Block)
    with pytest.raises(ogive.ArchError, match=code):
        net(F=given)

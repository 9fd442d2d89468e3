"""What is asked of `ogive draw`: one value for a name, folders that are called like files."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from diagram.subjects import ROOT
from ogive.cli import cli

MLP = f"{ROOT}/examples/gpt2.arch:MLP"


def test_a_name_that_ends_in_a_slash_is_a_folder(tmp_path: Path) -> None:
    """Also where it ends like a file: the picture stands in it; without the slash it is that file."""
    for out, made in (("name.svg/", "name.svg/MLP.txt"), ("name.txt", "name.txt"), ("plain/", "plain/MLP.txt")):
        run = CliRunner().invoke(cli, ["draw", MLP, "-o", f"{tmp_path}/{out}", "--format", "txt"])
        assert run.exit_code == 0, run.output
        assert (tmp_path / made).is_file()


@pytest.mark.parametrize("given", [["--at", "n=3,n=4"], ["--at", "n=3", "--at", "n=4"], ["-D", "d=8", "-D", "d=16"]])
def test_one_name_has_one_value(given: list[str]) -> None:
    run = CliRunner().invoke(cli, ["draw", MLP, *given])
    assert run.exit_code == 2
    assert "is given twice" in run.output

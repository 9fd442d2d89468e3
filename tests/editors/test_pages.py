"""The page of editors: its commands run, its settings can be read, and what they name is there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

from tree_sitter import Language

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "editors.md").read_text(encoding="utf-8")


def section(title: str, language: str) -> list[str]:
    text = PAGE.split(f"## {title}\n")[1].split("\n## ")[0]
    return re.findall(rf"(?ms)^```{language}\n(.*?)^```$", text)


def run(command: str, folder: Path, **more: str) -> None:
    environment = {**os.environ, "XDG_CONFIG_HOME": str(folder), **more}
    done = subprocess.run(["sh", "-c", command], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_neovim_gets_a_parser_and_queries(tmp_path: Path, grammar: Language) -> None:
    (command,) = section("Neovim", "sh")
    cc = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    run(command if shutil.which("cc") else command.replace("cc ", f"{cc} "), tmp_path)
    assert (tmp_path / "nvim" / "parser" / "ogive.so").is_file()
    assert (tmp_path / "nvim" / "queries" / "ogive" / "highlights.scm").is_file()


def test_helix_gets_queries_and_settings(tmp_path: Path) -> None:
    (command,) = section("Helix", "sh")
    (tmp_path / "hx").write_text("#!/bin/sh\n")  # builds the grammar that the settings name
    (tmp_path / "hx").chmod(0o755)
    run(command, tmp_path, PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert (tmp_path / "helix" / "runtime" / "queries" / "ogive" / "indents.scm").is_file()
    (settings,) = (tomllib.loads(each) for each in section("Helix", "toml"))
    assert settings["language"][0]["language-servers"] == list(settings["language-server"])
    assert source(settings["grammar"][0]["source"]["path"]).is_file()


def test_zed_finds_the_grammar() -> None:
    extension, language = (tomllib.loads(each) for each in section("Zed", "toml"))
    assert source(extension["grammars"][language["grammar"]]["path"]).is_file()
    assert extension["language_servers"]["ogive"]["languages"] == [language["name"]]


def source(path: str) -> Path:
    return ROOT / path.removeprefix("/path/to/ogive/") / "src" / "parser.c"

"""What is published: the same bytes from the same files, one version everywhere, no invented address."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from test_package import ROOT, copy_tracked

EPOCH = "1700000000"
BUILD = "import sys; from setuptools import build_meta; getattr(build_meta, sys.argv[1])(sys.argv[2])"


def built(tree: Path, out: Path) -> dict[str, str]:
    """The hashes of both distributions, built from a copy of what git holds."""
    copy_tracked(tree)
    out.mkdir()
    env = {**os.environ, "SOURCE_DATE_EPOCH": EPOCH}
    for what in ("build_wheel", "build_sdist"):
        subprocess.run(
            [sys.executable, "-c", BUILD, what, str(out)], cwd=tree, env=env, check=True, capture_output=True
        )
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(out.iterdir())}


@pytest.mark.slow
def test_two_builds_have_equal_bytes(tmp_path: Path) -> None:
    first = built(tmp_path / "a", tmp_path / "one")
    second = built(tmp_path / "another" / "folder", tmp_path / "two")
    assert len(first) == 2
    assert first == second


def test_one_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.search(r"^version: (.+)$", citation, re.M)[1] == project["version"]  # type: ignore[index]
    assert f"## {project['version']}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert project["license"] in citation


def test_no_address_is_invented() -> None:
    """The checklist names what is still a placeholder; until then nothing looks like a real address."""
    checklist = (ROOT / "docs/release.md").read_text(encoding="utf-8")
    assert all(word in checklist for word in ("REPOSITORY", "CONTACT", "AUTHORS"))
    for name in ("SECURITY.md", "CODE_OF_CONDUCT.md", "CITATION.cff", "pyproject.toml"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert not re.search(r"[\w.]+@[\w.]+\.\w+|github\.com", text), name


def test_templates_of_issues_are_yaml() -> None:
    yaml = pytest.importorskip("yaml")
    for path in sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml")):
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert path.name == "config.yml" or {"name", "description", "body"} <= found.keys()

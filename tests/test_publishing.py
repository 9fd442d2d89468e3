"""What readers outside of the repository rely on: the card for language models, and the files of a release."""

from __future__ import annotations

import email
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import pytest
from readme_renderer import markdown

from ogive.compiler.driver.workspace import check_text
from ogive.version import VERSION

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CARD = (ROOT / "docs" / "llms.txt").read_text(encoding="utf-8")
MISTAKES = re.findall(r"(?ms)^### (\d+)\. ([^\n]*?) \((E\d{4})\)\nwrong:\n(.*?)^right:\n(.*?)(?=^### |\Z)", CARD)


def errors(text: str) -> list[str]:
    return [each.code for each in check_text(text, "<card>").diagnostics if each.severity == "error"]


def test_the_card_holds_the_language_and_twenty_mistakes() -> None:
    (page,) = re.findall(r"(?ms)^```arch\n(.*?)^```$", CARD)
    assert errors(page) == []
    assert [int(number) for number, *_ in MISTAKES] == list(range(1, 21))
    assert len(CARD) < 12_000


@pytest.mark.parametrize(("number", "title", "code", "wrong", "right"), MISTAKES)
def test_a_mistake_is_one_and_its_remedy_is_none(number: str, title: str, code: str, wrong: str, right: str) -> None:
    assert errors(textwrap.dedent(wrong)) == [code], (number, title)
    assert errors(textwrap.dedent(right)) == []


def test_the_citation_says_the_version_of_the_package() -> None:
    text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    said = dict(re.findall(r"(?m)^([\w-]+): \"?([^\"\n]*)\"?$", text))
    assert said["cff-version"] == "1.2.0"
    assert said["version"] == VERSION
    assert said["license"] == "Apache-2.0"
    assert PROJECT["version"] == VERSION
    assert PROJECT["authors"] == [{"name": "The Ogive developers"}]
    extension = json.loads((ROOT / "editors" / "vscode" / "package.json").read_text(encoding="utf-8"))
    grammar = json.loads((ROOT / "editors" / "tree-sitter-ogive" / "tree-sitter.json").read_text(encoding="utf-8"))
    assert extension["version"] == grammar["metadata"]["version"] == VERSION
    repository = PROJECT["urls"]["Repository"]
    assert said["repository-code"] == extension["repository"]["url"] == repository
    assert all(each.startswith(repository) for each in PROJECT["urls"].values())


def test_what_a_release_must_fill_in_is_named() -> None:
    page = (ROOT / "docs" / "release.md").read_text(encoding="utf-8")
    for name in re.findall(r"`([\w./-]+\.(?:cff|md|toml|json|yml))`", page):
        assert (ROOT / name).is_file(), name
    command = ["git", "grep", "-l", "PLACEHOLDER", "--", ":!docs", ":!tests", ":!src"]
    waiting = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout.split()
    assert {"SECURITY.md", "CODE_OF_CONDUCT.md", "pyproject.toml"} <= set(waiting)
    assert [name for name in waiting if f"`{name}`" not in page] == []


def test_nothing_is_sent_anywhere() -> None:
    """No module of ours imports what opens connections, as SECURITY.md says."""
    assert "no telemetry" in (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    connects = re.compile(
        r"^\s*(?:import|from) (?:socket|ssl|http|urllib\.request|requests|httpx|aiohttp|ftplib|smtplib|xmlrpc)\b",
        re.MULTILINE,
    )
    folders = ("grammar", "compiler", "backends", "src/ogive", "stdlib")
    paths = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    assert len(paths) > 500
    assert [path.name for path in paths if connects.search(path.read_text(encoding="utf-8"))] == []


def test_an_index_shows_the_readme(tmp_path: Path) -> None:
    """Its links and picture lead to files of the repository; `twine check` finds nothing, in wheel and sdist alike."""
    tree, out = tmp_path / "tree", tmp_path / "out"
    (tree / "src" / "ogive").mkdir(parents=True)
    (tree / "src" / "ogive" / "__init__.py").touch()
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tree)
    for kind in ("wheel", "sdist"):
        build = f"from setuptools.build_meta import *; import sys; build_{kind}(sys.argv[1])"
        subprocess.run([sys.executable, "-c", build, str(out)], cwd=tree, capture_output=True, check=True)
    made = sorted(map(str, out.iterdir()))
    assert len(made) == 2
    check = [sys.executable, "-m", "twine", "check", "--strict", *made]
    done = subprocess.run(check, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (metadata,) = (tree / "src").glob("*.egg-info/PKG-INFO")
    text = email.message_from_bytes(metadata.read_bytes()).get_payload(decode=True)
    assert isinstance(text, bytes)
    page = markdown.render(text.decode())
    assert page is not None
    links, pictures = re.findall(r'href="([^#"][^"]*)"', page), re.findall(r'src="([^"]*)"', page)
    assert len(links) > 30
    assert len(pictures) == 1
    for form, found in (("blob", links), ("raw", pictures)):
        for each in found:
            start = f"{PROJECT['urls']['Repository']}/{form}/v{VERSION}/"
            assert each.startswith(start), each
            assert (ROOT / each.removeprefix(start)).is_file(), each


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_two_builds_are_the_same_bytes(kind: str, tmp_path: Path) -> None:
    names = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    build = f"from setuptools.build_meta import *; import sys; build_{kind}(sys.argv[1])"
    made = []
    for number in ("first", "second"):
        tree, out = tmp_path / number, tmp_path / f"{number}_out"
        for name in filter(None, names):
            if name.startswith(("docs/", "tests/", "bench/")) or not (ROOT / name).exists():
                continue  # no part of a wheel, and large
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tree / name, follow_symlinks=False)
        out.mkdir()
        command = [sys.executable, "-c", build, str(out)]
        environment = {**os.environ, "SOURCE_DATE_EPOCH": "1700000000"}
        subprocess.run(command, cwd=tree, env=environment, capture_output=True, check=True)
        (path,) = out.iterdir()
        made.append(hashlib.sha256(path.read_bytes()).hexdigest())
        subprocess.run([sys.executable, "-m", "twine", "check", "--strict", str(path)], capture_output=True, check=True)
    assert made[0] == made[1]

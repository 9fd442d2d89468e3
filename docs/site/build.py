"""The documentation as a site: `python docs/site/build.py OUT`, with `ogive[docs]`; nothing is fetched.

`playground.py` beside it completes the playground, which does fetch.

The pages keep their places beside the examples and sources that they link to: links work in the repository and here.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from html import escape
from pathlib import Path

from landing import landing, live
from playground import WHEELS, wheel
from railroads import page as grammar
from sources import has_page, source_page
from tries import with_links

from notebook import page as notebook_page

ROOT = Path(__file__).parents[2]
PAGES = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "CODE_OF_CONDUCT.md")
# a link, or code, in which brackets and parentheses mean something else
LINK = re.compile(
    r"(?P<code>^```.*?^```$|`[^`\n]+`)|(?<!!)\[(?P<words>[^\]]+)\]\((?P<target>[^)\s]+)\)", re.MULTILINE | re.DOTALL
)
KINDS = (".md", ".svg", ".txt", ".ipynb", ".arch", ".png")


def staged(folder: Path) -> None:
    """Copy what the site shows, each at its place in the repository; sources that pages link to become texts."""
    for name in PAGES:
        shutil.copy(ROOT / name, folder / name)
    for top in ("docs", "examples"):
        for path in sorted((ROOT / top).rglob("*")):
            if path.is_file() and path.suffix in KINDS:
                _copied(path, folder)
    _copied(ROOT / "src" / "ogive" / "codes.md", folder)
    codes = folder / "src" / "ogive" / "codes.md"
    _rewritten(codes, lambda text: re.sub(r"(?m)^## ([EWH]\d{4}) ", r'<span id="\1"></span>\n\n\g<0>', text))
    _playground(folder)
    docs = folder / "docs"
    _rewritten(docs / "grammar.md", lambda text: text.replace("<!-- grammar -->\n", grammar()))
    _rewritten(folder / "README.md", landing)
    notebook = (docs / "notebook.ipynb").read_text(encoding="utf-8")
    (docs / "notebook.md").write_text(notebook_page(notebook), encoding="utf-8")
    (docs / "live.html").write_text(live(), encoding="utf-8")
    for style in (ROOT / "docs" / "site").glob("*.css"):
        shutil.copy(style, docs)
    for page in sorted(folder.rglob("*.md")):
        page.write_text(_linked(page.read_text(encoding="utf-8"), page.parent, folder), encoding="utf-8")
    for page in folder.rglob("*.md"):
        tried = os.path.relpath(folder / "docs" / "playground.md", page.parent)
        page.write_text(with_links(page.read_text(encoding="utf-8"), Path(tried).as_posix()), encoding="utf-8")


def _rewritten(page: Path, change: Callable[[str], str]) -> None:
    page.write_text(change(page.read_text(encoding="utf-8")), encoding="utf-8")


def _playground(folder: Path) -> None:
    """The page of the playground with its parts, all but what `playground.py` fetches."""
    wheels = escape(json.dumps({name: wheel(name) for name in WHEELS}), quote=True)
    parts = ROOT / "docs" / "site" / "playground"
    app = (parts / "page.html").read_text(encoding="utf-8").replace("{wheels}", wheels)
    head = "---\nhide: [navigation, toc]\n---\n\n"
    _rewritten(folder / "docs" / "playground.md", lambda text: head + text.replace("<!-- playground -->\n", app))
    place = folder / "docs" / "playground"
    place.mkdir()
    for path in sorted(parts.iterdir()):
        if path.suffix in (".js", ".css", ".py"):
            shutil.copy(path, place / path.name)


def _copied(path: Path, folder: Path) -> None:
    place = folder / path.relative_to(ROOT)
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(path, place)


def _linked(text: str, here: Path, folder: Path) -> str:
    """Links to sources lead to pages of them; those to folders lead nowhere on a site and stay words."""

    def link(found: re.Match[str]) -> str:
        if found["code"]:
            return found[0]
        words, target = found["words"], found["target"]
        place = (here / target.partition("#")[0]).resolve()
        source = ROOT / place.relative_to(folder.resolve()) if place.is_relative_to(folder.resolve()) else None
        if "://" in target or target.startswith("#") or source is None:
            return found[0]
        if source.is_file():
            if not place.exists():
                _copied(source, folder)
            if not has_page(source.name):
                return found[0]
            name = source.relative_to(ROOT).as_posix()
            page = source_page(name, source.read_text(encoding="utf-8"))
            place.with_name(f"{place.name}.md").write_text(page, encoding="utf-8")
            return f"[{words}]({target.partition('#')[0]}.md)"
        return words

    return LINK.sub(link, re.sub(r"(?m)^```arch right$", "Right:\n\n```arch", text))


def build(out: Path) -> None:
    """Build the site into a folder. Raises `CalledProcessError` where a link leads nowhere."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "pages"
        folder.mkdir()
        staged(folder)
        config = (ROOT / "docs" / "site" / "mkdocs.yml").read_text(encoding="utf-8")
        settings = Path(name) / "mkdocs.yml"
        settings.write_text(f"docs_dir: {folder}\nsite_dir: {out.resolve()}\n{config}", encoding="utf-8")
        command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "-f", str(settings)]
        subprocess.run(command, check=True, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"})
    shutil.copy(ROOT / "docs" / "llms.txt", out / "llms.txt")


if __name__ == "__main__":
    build(Path(sys.argv[1]))

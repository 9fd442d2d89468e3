"""The documentation as a site: every link leads somewhere, code stays as it is, nothing is asked for from outside."""

from __future__ import annotations

import re
import subprocess
import sys
from functools import cache
from html import unescape
from pathlib import Path

import pytest

from bench.browser import CHROMIUM, browser, served
from contrast import faint
from ogive.codes import sections

ROOT = Path(__file__).parents[1]
SETTLED = "document.getAnimations().every(each => each.playState !== 'running')"
SOURCES = re.compile(r"\.(arch|py|toml|lark|json)\.html$")  # shown as they are
GUIDES = ("playground", "tutorial", "scale", "deploy", "onnx", "import", "notebook", "comparison", "papers/index",
          "gallery/index", "grammar", "from_pytorch", "bench", "decisions")  # fmt: skip


@cache
def ids(page: Path) -> set[str]:
    """The places of a page that a link may name."""
    return {unescape(each) for each in re.findall(r'\bid="([^"]+)"', page.read_text(encoding="utf-8"))}


def test_the_comparison_has_measured_numbers_alone() -> None:
    """Each number with a fraction or a unit stands in the page of the benches, whose commands measure it."""
    measured = (ROOT / "docs" / "bench.md").read_text(encoding="utf-8")
    text = (ROOT / "docs" / "comparison.md").read_text(encoding="utf-8")
    found = re.findall(r"\b\d+\.\d+\b(?! \()|\b\d+ s\b", text)
    assert len(found) >= 6
    assert [number for number in found if number not in measured and f"{number}e+00" not in measured] == []


@pytest.mark.slow
def test_the_site_is_whole_and_asks_for_nothing(tmp_path: Path) -> None:
    out = tmp_path / "site"
    command = [sys.executable, str(ROOT / "docs" / "site" / "build.py"), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    pages = list(out.rglob("*.html"))
    assert len(pages) > 20
    for page in (each for each in pages if each.name != "404.html"):  # that one is shown at any address
        text = page.read_text(encoding="utf-8")
        assert not re.findall(r'<(?:script|img|iframe|source)[^>]*src="(?:https?:)?//', text), page
        assert not re.findall(r'<link[^>]*rel="(?:stylesheet|preconnect)"[^>]*href="(?:https?:)?//', text), page
        for target, place in re.findall(r'<a [^>]*href="([^"#?:]*)#?([^"?:]*)"', text):
            found = (page.parent / target).resolve() if target else page
            assert found.exists(), (page, target)
            if place and found.suffix == ".html" and not place.startswith("program="):
                assert unescape(place) in ids(found), (page, target, place)
    assert (out / "docs" / "notebook.html").read_text(encoding="utf-8").count('class="cell"') >= 4
    codes = (out / "src" / "ogive" / "codes.html").read_text(encoding="utf-8")
    assert all(f'<span id="{code}">' in codes for code in sections())
    language = (out / "docs" / "language.html").read_text(encoding="utf-8")
    assert "Linear[d, 4*d](x)" in language
    assert (out / "llms.txt").read_bytes() == (ROOT / "docs" / "llms.txt").read_bytes()
    assert (out / "search" / "search_index.json").stat().st_size > 100_000
    assert 'class="live"' in (out / "index.html").read_text(encoding="utf-8")
    assert (out / "docs" / "grammar.html").read_text(encoding="utf-8").count("railroad-diagram") > 40
    shown = set(re.findall(r'href="([^"#]+)"', (out / "index.html").read_text(encoding="utf-8")))
    assert {f"docs/{name}.html" for name in GUIDES} <= shown
    if CHROMIUM is not None:
        _on_a_phone(out, [page.relative_to(out).as_posix() for page in pages], tmp_path)


def _on_a_phone(site: Path, pages: list[str], folder: Path) -> None:
    """No page is wider than the screen, none fails in its scripts, and all that is asked for is of the site."""
    with served(site) as address, browser(folder) as page:
        sources = [name for name in pages if SOURCES.search(name)]
        assert len(sources) > 10
        for turn, name in enumerate(sorted({*pages} - {*sources[1:]})):
            page.sized(390, 844, dark=turn % 2 == 1)
            page.open(address + name)
            if not name.endswith("live.html"):
                assert page.run("document.documentElement.scrollWidth") <= 390, name
        for dark in (False, True):
            page.open(f"{address}index.html")
            page.run(f"document.querySelectorAll('input[name=__palette]')[{int(dark)}].click()")
            page.sized(1280, 900, dark=dark)
            for name in ("index", "docs/language", "docs/comparison", "docs/grammar", "docs/playground"):
                page.open(f"{address}{name}.html")
                assert page.run("document.body.dataset.mdColorScheme") == ("slate" if dark else "default")
                assert page.until(f"document.readyState === 'complete' && {SETTLED}")
                assert faint(page) == [], (name, dark)
        page.open(f"{address}index.html?q=softmax")
        assert page.until("document.querySelectorAll('.md-search-result__item').length") >= 5
        page.open(f"{address}docs/playground.html")  # what `playground.py` fetches is not there
        said = "desk.querySelector('[data-part=said]').textContent"
        assert page.until(f"{said}.includes('cannot start') && {said}").endswith(
            "docs/site/playground.py completes it."
        )
        assert page.faults == []
        assert [each for each in page.asked if not each.startswith((address, "data:", "about:"))] == []

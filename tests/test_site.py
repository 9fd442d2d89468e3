"""The documentation as a site: every link leads somewhere, code stays as it is, nothing is asked for from outside."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


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
        for target in re.findall(r'<a [^>]*href="([^"#?]+)"', text):
            if "://" not in target and not target.startswith("mailto:"):
                assert (page.parent / target).resolve().exists(), (page, target)
    language = (out / "docs" / "language.html").read_text(encoding="utf-8")
    assert "Linear[d, 4*d](x)" in language
    assert (out / "llms.txt").read_bytes() == (ROOT / "docs" / "llms.txt").read_bytes()
    assert (out / "search" / "search_index.json").stat().st_size > 100_000

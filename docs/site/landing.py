"""The first page of the site: what Ogive is, a picture that answers, two commands, and then the README as it stands."""

from __future__ import annotations

import re
from pathlib import Path

from ogive.backends.diagram.diagram import diagram
from ogive.compiler.driver.workspace import check_text
from ogive.drawn import subjects

ROOT = Path(__file__).parents[2]
PICTURE = """<iframe class="live" src="docs/live.html" title="GPT-2, drawn by Ogive" loading="lazy"></iframe>
<p class="under">GPT-2, drawn from the program below. A click opens a block; drag <code>n</code> beyond
<code>context</code>, and the condition that breaks is shown.
<a href="docs/playground.html">Change the program in the playground.</a></p>
<link rel="stylesheet" href="docs/landing.css">
<script>
{
  const frame = document.querySelector("iframe.live");
  const follow = () => {
    const inside = frame.contentDocument?.documentElement;  // none before it is there, and in a site of files
    const theme = document.body.dataset.mdColorScheme === "slate" ? "dark" : "light";
    if (inside) inside.dataset.theme = theme;
  };
  frame.addEventListener("load", follow);
  new MutationObserver(follow).observe(document.body, {attributes: true, attributeFilter: ["data-md-color-scheme"]});
}
</script>
"""


def landing(readme: str) -> str:
    """The README with a picture that lives and the start first. Raises `ValueError` where it has other parts."""
    found = re.fullmatch(r"(?s)(# .*?\n\n.*?\n\n)(```arch\n.*?)(## Start\n.*?)(?=## )(.*)", readme)
    if found is None:
        raise ValueError("README.md: expected a paragraph, a program, and then the section `Start`")
    head, program, start, rest = found.groups()
    return f"---\nhide: [toc]\n---\n\n{head}{PICTURE}\n{start}## A program\n\n{program}{rest}"


def live() -> str:
    """The page of the picture."""
    path = ROOT / "examples" / "gpt2.arch"
    return diagram(subjects(check_text(path.read_text(encoding="utf-8"), str(path)))["GPT2"]).text("html")

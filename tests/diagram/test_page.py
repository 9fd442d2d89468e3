"""The page: one file, nothing from outside; what a reader does by mouse and keyboard, in a headless browser."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from diagram.subjects import subject
from ogive.backends.diagram.diagram import diagram
from ogive.backends.diagram.figure.style import style_of

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
VOID = {"meta", "input", "br", "link"}

READER = """
<script>
const press = (key, on) => (on || stage).dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true}));
const said_ = () => document.getElementById("said").textContent;
const found = {};
found.axes = axes.querySelectorAll("button").length;
axes.querySelector("button").click();
found.lit = stage.querySelectorAll("path.lit").length; found.dimmed = document.body.classList.contains("dimmed");
axes.querySelector("button").click();
found.dark = !document.body.classList.contains("dimmed");
const before = svg().style.transform; press("+"); found.zoomed = svg().style.transform !== before;
const at = svg().style.transform; press("ArrowLeft"); found.moved = svg().style.transform !== at;
press("0"); found.fitted = svg().style.transform === before;
search.value = "attn"; search.dispatchEvent(new Event("input"));
found.hits = stage.querySelectorAll("g.found").length; press("Enter", search); found.next = said_();
const slab = stage.querySelector("[data-block=Attention]"); slab.focus();
found.focused = document.activeElement === slab; found.name = slab.getAttribute("aria-label");
press("Enter", slab); found.opened = svg().querySelector("title").textContent; found.told = said_();
press("Escape"); found.closed = svg().querySelector("title").textContent;
document.getElementById("theme").click();
found.theme = getComputedStyle(document.querySelector(".ogive text.label")).fill;
document.body.setAttribute("data-found", JSON.stringify(found));
</script>
"""


class Balanced(HTMLParser):
    """Tags in the order in which they close."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.bad: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        """`<path/>` opens nothing."""

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.bad.append(tag)


def test_one_file_and_nothing_from_outside() -> None:
    text = diagram(subject("gpt2:Tiny")).text("html")
    parser = Balanced()
    parser.feed(text)
    assert (parser.open, parser.bad) == ([], [])
    without = text.replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?://|<link|src=|@import|url\(", without.replace("data-src=", ""))
    assert len(text) < 200_000


def test_ids_are_unique() -> None:
    text = diagram(subject("gpt2:Tiny")).text("html")
    ids = re.findall(r'\sid="([^"]+)"', text)
    assert len(ids) == len(set(ids))


def test_every_block_in_it_can_be_opened() -> None:
    text = diagram(subject("gpt2:Tiny")).text("html")
    opens = set(re.findall(r'data-block="([^"]+)"', text))
    assert opens == {"Attention", "MLP"}
    assert all(f'<template id="block-{name}">' in text for name in opens)


def test_pages_of_views_and_styles_open_their_blocks() -> None:
    """Also where a block has no feature maps, or uses the axis that the figure hides."""
    stack = diagram(subject("gpt2:Tiny"), view="stack").styled(style_of({"hide": ["b"], "caption": "Once."}))
    maps = diagram(subject("resnet:Tiny"), view="maps", at={"h": 32, "w": 32})
    panels = replace(stack, panels=(("One", diagram(subject("gpt2:Tiny"))), ("Two", diagram(subject("moe:Tiny")))))
    for made, names in ((stack, {"Attention", "MLP"}), (maps, {"Bottleneck"}), (panels, {"Attention", "MLP", "MoE"})):
        text = made.text("html")
        assert names <= set(re.findall(r'<template id="block-([^"]+)"', text))
        assert text.count("Once.") <= 1  # a caption is that of the figure alone


@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
def test_a_reader_finds_opens_and_closes(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(diagram(subject("gpt2:Tiny")).text("html").replace("</body>", READER + "</body>"))
    assert CHROMIUM is not None
    done = subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'user'}", "--dump-dom",
         page.as_uri()], capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    match = re.search(r'data-found="([^"]*)"', done.stdout)
    assert match, done.stderr[-800:]
    found = json.loads(match[1].replace("&quot;", '"'))
    assert found["axes"] >= 4
    assert found["lit"] > 0
    assert all(found[key] for key in ("dimmed", "dark", "zoomed", "moved", "fitted", "focused"))
    assert found["hits"] == 1
    assert found["next"].startswith("1 of 1")
    assert found["name"] == "Open Attention"
    assert (found["opened"], found["closed"]) == ("Attention", "Tiny")
    assert "Attention" in found["told"]
    assert found["theme"] == "rgb(230, 230, 230)"

"""Sizes on a page: what its script computes is what the compiler does; blocks open with the sizes of their use."""

from __future__ import annotations

import json
import re
import subprocess
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from diagram.subjects import ROOT, subject, subjects
from diagram.test_page import CHROMIUM
from ogive.backends.diagram.diagram import diagram
from ogive.backends.diagram.figure.figure import Figure
from ogive.backends.diagram.figure.live import LiveSizes
from ogive.backends.diagram.render.live import PagePart
from ogive.compiler.driver.workspace import Workspace
from ogive.compiler.ir.model import Model
from ogive.compiler.sizes import Size, Unknown, size
from sizes.strategies import DEPTH, UNKNOWNS
from sizes.strategies import sizes as some_sizes

MODELS = sorted(name for name, made in subjects().items() if isinstance(made, Model))


def model(stem: str, name: str) -> Model:
    """A model of an example, however large."""
    path = ROOT / "examples" / f"{stem}.arch"
    return Workspace().check(path.read_text(), path.name).models[name].ir


def facts(text: str) -> dict[str, Any]:
    """What the script of a page knows."""
    found = re.search(r'id="facts">(.*?)</script>', text, re.DOTALL)
    assert found
    made: dict[str, Any] = json.loads(found[1])
    return made


def value(tree: Any, env: list[int | None]) -> Any:
    """A formula as its script computes it."""
    if not isinstance(tree, list):
        return tree
    if isinstance(tree[0], int):
        return env[tree[0]]
    parts = [value(each, env) for each in tree[1:]]
    if None in parts:
        return None
    a, b = parts[0], parts[-1]
    signed = -a if len(parts) == 1 else a - b
    return {"+": lambda: a + b, "-": lambda: signed, "*": lambda: a * b, "//": lambda: a // b, "%": lambda: a % b,
            "**": lambda: a**b, "min": lambda: min(parts), "max": lambda: max(parts)}[tree[0]]()  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(some_sizes(*UNKNOWNS, DEPTH))
def test_formulas_are_the_sizes(made: Size) -> None:
    """At several numbers, for random sizes."""
    unknowns = (*UNKNOWNS, DEPTH)
    formula = PagePart(Figure("f", "f", (), live=LiveSizes(unknowns=unknowns)), {}, ()).formula(made)
    for numbers in product((1, 2, 5), repeat=len(unknowns)):
        assert value(formula, list(numbers)) == made.at(dict(zip(unknowns, numbers, strict=True)))


@pytest.mark.parametrize("name", MODELS[::5])
def test_labels_in_blocks_are_numbers_where_the_inputs_have_them(name: str) -> None:
    """With numbers for all open sizes, each label of a block that is used directly is a number, in every turn."""
    text = diagram(subject(name)).text("html")
    known = facts(text)["parts"]
    main = known[""]
    outer = [number or 64 for number in main["values"]]
    blocks = dict(
        re.findall(r'data-block="([^"]+)" data-name="[^"]*" data-op="([^"]+)"', text.partition("<template")[0])
    )
    assert blocks
    for block, oid in blocks.items():
        for turn in main["uses"][oid]:
            inner = [value(tree, outer) for tree in turn]
            assert all(value(tree, inner) is not None for _, tree in known[block]["spots"])


def test_one_drawing_for_each_definition_and_sizes_for_each_use() -> None:
    """ResNet has blocks of one definition with other sizes."""
    text = diagram(model("resnet", "ResNet50")).text("html")
    drawn = re.findall(r'<template id="block-([^"]+)"', text)
    assert len(drawn) == len(set(drawn))
    uses = list(facts(text)["parts"][""]["uses"].values())
    assert len({json.dumps(turns) for turns in uses}) > len(drawn)


def test_axes_of_one_name_are_told_apart_by_where_they_come_from() -> None:
    axes = facts(diagram(model("gpt2", "GPT2"), depth=1).text("html"))["parts"][""]["axes"]
    origins = {axis: source for axis, (_, source) in axes.items() if axis.partition("~")[0] == "e"}
    assert set(origins.values()) == {"q", "v"}
    assert axes["b"] == ["b", "ids"]


READER = """
<script>
const out = {}, labels = () => [...stage.querySelectorAll("text.label")].map(e => e.textContent);
const field = name => [...sizes.querySelectorAll("input[data-field]")].find(e => root.names[e.dataset.field] === name);
const put = (name, number) => { field(name).value = number; field(name).dispatchEvent(new Event("input")); };
out.first = labels();
put("d", 768 * 2); out.wider = labels(); out.mode = shown;
put("heads", 7); out.broken = [...sizes.querySelectorAll("li.broken")].map(e => e.textContent);
out.said = document.getElementById("said").textContent;
put("heads", 24); out.mended = sizes.querySelectorAll("li.broken").length;
put("n", ""); put("b", 3); out.three = labels();
open(stage.querySelector("[data-block=Attention]")); out.inside = labels();
out.told = document.getElementById("said").textContent;
close(); out.back = labels();
[...sizes.querySelectorAll("button")].pop().click(); out.again = labels();
out.named = [...sizes.querySelectorAll("input")].every(e => e.getAttribute("aria-label"));
out.focus = [...sizes.querySelectorAll("input,button")].every(e => { e.focus(); return document.activeElement === e; });
out.values = CASES.map(([tree, env]) => computed(tree, env));
document.body.setAttribute("data-out", JSON.stringify(out));
</script>
"""


@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
def test_a_reader_sets_sizes(tmp_path: Path) -> None:
    """Labels, conditions and the sizes in opened blocks follow; the script computes what the compiler does."""
    a, b = Unknown("a"), Unknown("b")
    x, y = size(a), size(b)
    some = [4 * x - y, (x + 7) // y, (x - 9 * y) % (y + 1), 2 ** (x // 8), (x * x + 1) // (3 * y)]
    part = PagePart(Figure("f", "f", (), live=LiveSizes(unknowns=(a, b))), {}, ())
    cases = [[part.formula(each), [m, n]] for each in some for m, n in ((1, 1), (24, 5), (7, 64))]
    page = tmp_path / "page.html"
    script = READER.replace("CASES", json.dumps(cases))
    page.write_text(diagram(model("gpt2", "GPT2")).text("html").replace("</body>", script + "</body>"))
    assert CHROMIUM is not None
    done = subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'user'}", "--dump-dom",
         page.as_uri()], capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    match = re.search(r'data-out="([^"]*)"', done.stdout)
    assert match, done.stderr[-800:]
    out = json.loads(match[1].replace("&quot;", '"').replace("&gt;", ">").replace("&lt;", "<").replace("&amp;", "&"))
    assert {"d", "n", "b"} <= set(out["first"])
    assert "1536" in out["wider"]
    assert "d" not in out["wider"]
    assert out["mode"] == "numeric"
    assert out["broken"] == ["✗ broken: d % heads == 0"]
    assert out["said"] == "1 condition is broken"
    assert out["mended"] == 0
    assert "3" in out["three"]
    assert {"1536", "4608", "24", "64", "3"} <= set(out["inside"])  # d, 3d, heads, d/heads, b
    assert "heads = 24" in out["told"]
    assert out["back"] == out["three"]
    assert out["again"] == out["first"]
    assert out["named"]
    assert out["focus"]
    assert out["values"] == [each.at({a: m, b: n}) for each in some for m, n in ((1, 1), (24, 5), (7, 64))]

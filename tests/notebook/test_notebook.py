"""The notebook of the documentation is executed; what cells show folds, and asks for nothing from outside."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import nbclient
import nbformat
import pytest

import ogive
from ogive.notebook.tree import size, tree_of

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "notebook.ipynb"
VOID = {"input", "img", "br", "hr", "meta"}


class Balanced(HTMLParser):
    """Refuses tags that do not match, and anything that a browser would fetch or run."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in ("script", "iframe", "link", "object", "embed"), tag
        for name, value in attrs:
            assert not name.startswith("on"), name
            if name in ("src", "href"):
                assert (value or "").startswith("data:"), value
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def sound(html: str) -> str:
    """The HTML, which is whole and asks for nothing."""
    reader = Balanced()
    reader.feed(html)
    assert reader.open == []
    assert not re.search(r"url\((?!#)|@import", html)
    return html


def outputs(notebook: Any, kind: str) -> list[str]:
    found = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return [output["data"][kind] for output in found if "data" in output and kind in output["data"]]


@pytest.fixture(scope="module")
def executed() -> Any:
    notebook = nbformat.read(PAGE, as_version=4)  # type: ignore[no-untyped-call]
    assert all(not cell.get("outputs") for cell in notebook.cells), "it is kept without outputs"
    environment = nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3", resources={})
    environment.execute(env={"PYTHONPATH": str(ROOT / "src"), "PATH": "/usr/bin"})
    return notebook


def test_the_notebook_runs_and_shows_what_it_says(executed: Any) -> None:
    shown = [sound(each) for each in outputs(executed, "text/html")]
    assert len(shown) == 7
    program, model, block, summary, module, cost, deployed = shown
    assert "Stack" in program
    assert "model <b>Small</b>" in model
    assert "layers.*.layer × 4" in re.sub(r"\s+", " ", model)
    assert "data:image/svg+xml;base64," in model
    assert "Two linear maps" in block
    assert "<td>layers.{0..3}.layer.up.weight</td>" in summary
    assert "module <b>Stack</b>" in module
    assert "multiply adds" in cost
    assert "made of Small" in deployed
    said = "".join(output["text"] for cell in executed.cells for output in cell.get("outputs", []) if "text" in output)
    assert "error" in said
    assert "\x1b[1;31m" in said
    assert "return x |> softmax[c]" in said


@pytest.mark.parametrize("name", ["gpt2", "swin", "repvgg", "moe", "vae"])
def test_what_is_shown_of_examples_is_whole(name: str) -> None:
    program = ogive.load(ROOT / "examples" / f"{name}.arch")
    sound(program._repr_html_())
    for model in program.models.values():
        html = sound(model._repr_html_())
        assert f"{model.parameters:,} parameters" in html
        break
    for block in program.blocks.values():
        sound(block._repr_html_())


def test_trees_count_what_models_count() -> None:
    model = ogive.load(ROOT / "examples" / "gpt2.arch").models["Tiny"]
    tree = tree_of({path: (slot.shape, slot.elem, slot.kind) for path, slot in model.slots.items()})
    assert sum(row.count for row in tree.all()) == model.parameters
    assert [size(number) for number in (0, 999, 1000, 12_345, 4e9)] == ["0 B", "999 B", "1 KB", "12.3 KB", "4 GB"]


def test_texts_of_programs_are_texts(tmp_path: Path) -> None:
    program = ogive.source(
        '## <script>alert("x")</script> & more\nblock F(x: [b]) -> [b]:\n    return x\nmodel M = F\n'
    )
    for each in (program, program.models["M"], program.blocks["F"]):
        assert "<script>" not in sound(each._repr_html_())

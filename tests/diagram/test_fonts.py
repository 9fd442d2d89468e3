"""Pictures that need no font of the machine: PNG and PDF draw their text, LaTeX has every character that we write."""

from __future__ import annotations

import ast
from importlib.util import find_spec
from pathlib import Path

import pytest

from diagram.subjects import ROOT, block
from ogive.backends.diagram.diagram import Diagram, diagram
from ogive.backends.diagram.figure.geometry import Drawing, Text
from ogive.backends.diagram.from_ir.places import refuse_unknown
from ogive.backends.diagram.render.outlines import outline
from ogive.backends.diagram.render.svg import svg
from ogive.backends.diagram.render.tikz import escaped
from ogive.grammar.diagnostics import ArchError

HEAD = "use std.nn (Linear)\nblock A(x: [b, n, alpha]) -> [b, n, alpha]:\n    f = Linear[alpha, alpha]\n"
TEXT = HEAD + "    return select(x > 0, f(x), 2 - x)"


def characters() -> set[str]:
    """All characters outside of ASCII that the code puts into figures."""
    found: set[str] = set()
    for path in [*(ROOT / "backends/diagram/from_ir").glob("*.py"), ROOT / "backends/diagram/figure/labels.py"]:
        tree = ast.parse(path.read_text())
        docs = {ast.get_docstring(node, clean=False) for node in ast.walk(tree)
                if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)}  # fmt: skip
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value not in docs:
                found |= {char for char in node.value if ord(char) > 127}
    return found


def test_every_character_that_we_write_has_a_shape_and_a_command() -> None:
    assert len(characters()) > 40
    assert {char for char in characters() if outline(char, "regular") is None} == set()
    assert {char for char in characters() if escaped(char) == "?"} == set()


def made() -> Diagram:
    return diagram(block(TEXT), theme="light")


def test_outlined_text_is_no_text() -> None:
    drawn = svg(made().drawing, made().theme, outlined=True)
    assert "<text" not in drawn
    assert drawn.count('<path class="ink') > 20
    strange = Drawing(40, 20, (Text(0, 10, "a名", 10, "name", 20),))
    assert svg(strange, outlined=True).count("<text") == 1  # left to the machine


@pytest.mark.skipif(find_spec("resvg_py") is None, reason="needs resvg_py")
def test_a_png_is_the_same_without_any_font() -> None:
    import resvg_py

    drawn = svg(made().drawing, made().theme, outlined=True)
    bare = bytes(resvg_py.svg_to_bytes(svg_string=drawn, zoom=2, skip_system_fonts=True))
    assert made().bytes("png") == bare
    empty = bytes(resvg_py.svg_to_bytes(svg_string=made().text("svg"), zoom=2, skip_system_fonts=True))
    assert bare != empty  # with text it looks otherwise


@pytest.mark.parametrize("format", ["svg", "tex", "html", "dot", "mmd", "txt"])
def test_no_path_of_the_machine_is_in_a_picture(format: str, tmp_path: Path) -> None:
    """The same bytes by a relative path, an absolute one and a link."""
    import ogive

    file = tmp_path / "a.arch"
    file.write_text("ogive 1\n" + TEXT)
    (tmp_path / "link.arch").symlink_to(file)
    drawn = [ogive.load(path).blocks["A"].diagram().text(format) for path in (file, tmp_path / "link.arch")]
    assert drawn[0] == drawn[1]
    assert str(tmp_path) not in drawn[0]


def test_what_is_to_be_opened_must_be_there() -> None:
    subject = block(TEXT)
    refuse_unknown([subject], ["f", "Linear", "std.nn.Linear"])
    with pytest.raises(ArchError, match="called `g`: there are"):
        refuse_unknown([subject], ["f", "g"])
    with pytest.raises(ArchError, match="did you mean `Linear`"):
        refuse_unknown([subject], ["Liner"])

"""What is written: SVG that any reader may open, TikZ that compiles, text for terminals; the same bytes every time."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import fields
from pathlib import Path
from xml.etree import ElementTree

import pytest

from diagram.subjects import ROOT, block, subject, subjects
from ogive.backends.diagram.diagram import FORMATS, diagram
from ogive.backends.diagram.diff import Difference
from ogive.backends.diagram.figure.errors import DiagramError
from ogive.backends.diagram.figure.geometry import PATHS, Text
from ogive.backends.diagram.figure.geometry import Path as Line
from ogive.backends.diagram.figure.palettes import DARK, LIGHT, Palette
from ogive.backends.diagram.figure.theme import Theme
from ogive.backends.diagram.render.svg import number, path_data
from ogive.backends.diagram.render.tikz import escaped, path
from ogive.stamp import intact
from sampled import sampled

SUBJECTS = subjects()
ELEMENTS = {"svg", "title", "desc", "style", "rect", "path", "circle", "text", "tspan", "g"}
HEAD = "block A(x: [b, n]) -> [b, n]:\n    return "
NAMESPACE = "{http://www.w3.org/2000/svg}"
SOME = ["gpt2:Attention", "gpt2:Tiny", "gru:GRU", "moe:MoE", "unet:Tiny"]


@pytest.mark.parametrize("name", sampled(SUBJECTS, 4))
def test_svg_is_small_and_plain(name: str) -> None:
    text = diagram(SUBJECTS[name]).text("svg")
    root = ElementTree.fromstring(text)
    assert {element.tag.removeprefix(NAMESPACE) for element in root.iter()} <= ELEMENTS
    assert [child.tag.removeprefix(NAMESPACE) for child in root][:2] == ["title", "desc"]
    assert root.attrib["aria-labelledby"] == "t d"
    ids = Counter(element.attrib["id"] for element in root.iter() if "id" in element.attrib)
    assert max(ids.values()) == 1
    outside = re.sub(r'xmlns="[^"]*"', "", text)
    assert not re.search(r"NaN|inf\b|<script|href|url\(|https?:", outside)
    places = [v for e in root.iter() for k, v in e.attrib.items() if not k.startswith(("data-", "aria-"))]
    assert not [place for place in places if re.search(r"\d\.\d\d", place)]


@pytest.mark.parametrize("name", SOME)
def test_text_is_never_smaller_than_nine_pixels(name: str) -> None:
    text = diagram(subject(name)).text("svg")
    assert min(float(size) for size in re.findall(r'font-size="([\d.]+)"', text)) >= 9


@pytest.mark.parametrize("name", sampled(SUBJECTS, 4))
def test_every_text_format_is_written(name: str) -> None:
    made = diagram(SUBJECTS[name])
    assert all(made.text(format).strip() for format in ("dot", "mmd", "txt", "tex", "html"))


def test_the_same_bytes_whatever_the_hash_seed() -> None:
    code = (
        "from ogive.compiler.driver.workspace import check_text; from ogive.backends.diagram.diagram import diagram;"
        "p = check_text(open('examples/gpt2.arch').read(), 'examples/gpt2.arch');"
        "import hashlib; d = diagram(p.models['Tiny'].ir, depth=2);"
        "print([hashlib.sha256(d.text(f).encode()).hexdigest() for f in ('svg', 'tex', 'html', 'dot', 'mmd', 'txt')])"
    )
    found = set()
    for seed in ("0", "1"):
        env = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT / "src")}
        found.add(subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, env=env))
    assert len(found) == 1


def test_a_comment_changes_nothing() -> None:
    text = "block A(x: [b, n]) -> [b, n]:\n    y = relu(x)  # {}\n    return x + y"
    one, other = (diagram(block(text.format(note))).text("svg") for note in ("this", "that, which is longer"))
    assert one == other


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_colours_can_be_told_from_the_ground(palette: Palette) -> None:
    """Text at 4.5 to 1, strokes at 3 to 1, on every ground that they stand on."""
    for ground in (palette.ground, palette.fill, palette.slab, palette.plate):
        assert contrast(palette.ink, ground) >= 4.5
        assert contrast(palette.muted, ground) >= 4.5
        for name in ("added", "removed", "changed"):
            assert contrast(getattr(palette, name), ground) >= 3
    assert all(re.fullmatch(r"#[0-9a-f]{6}", getattr(palette, f.name)) for f in fields(palette))


def contrast(a: str, b: str) -> float:
    """As the accessibility guidelines of the web have it."""
    light, dark = sorted((luminance(a), luminance(b)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("name", sampled(SUBJECTS, 4))
def test_tikz_uses_what_it_declares(name: str) -> None:
    text = diagram(SUBJECTS[name]).text("tex")
    declared = set(re.findall(r"^  (ncd\w+)/\.style", text, re.MULTILINE))
    used = {style for group in re.findall(r"\\(?:path|node)\[([^\]]*)\]", text) for style in group.split(",")}
    assert {style for style in used if style.startswith("ncd")} <= declared
    bare = re.sub(r"\\[{}]", "", text)
    assert bare.count("{") == bare.count("}")
    assert all(ord(char) < 256 for char in text)
    shown = [item.text for item in diagram(SUBJECTS[name]).drawing.items if isinstance(item, Text)]
    assert not [label for label in shown if "?" in escaped(label) and "?" not in label]


@pytest.mark.parametrize("name", SOME)
def test_tikz_and_svg_have_the_same_coordinates(name: str) -> None:
    made = diagram(subject(name))
    svg, tikz = made.text("svg"), made.text("tex")
    for item in made.drawing.items:
        if isinstance(item, Line):
            assert path_data(item.commands) in svg
            assert path(item.commands) in tikz


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
@pytest.mark.parametrize("name", ["gpt2:Attention", "gpt2:Tiny", "spectral:SpectralConv", "gru:GRU"])
def test_tikz_compiles(name: str, tmp_path: Path) -> None:
    made = diagram(subject(name), depth=1)
    (tmp_path / "x.tex").write_text(made.text("tex"))
    done = subprocess.run(["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "x.tex"], cwd=tmp_path,
                          capture_output=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stdout.decode(errors="replace")[-1500:]
    page = re.search(rb"/MediaBox ?\[0 0 ([\d.]+) ([\d.]+)\]", (tmp_path / "x.pdf").read_bytes())
    if page:  # some versions compress it
        assert abs(float(page[1]) - made.drawing.width) < 1


@pytest.mark.parametrize("name", SOME)
def test_a_picture_for_tex_has_the_font_of_its_document_and_names_its_operations(name: str) -> None:
    made = diagram(subject(name), width="85mm", depth=1)
    text = made.text("tikz")
    assert not re.search(r"family|documentclass|\d(bp|pt)\b", re.sub(r"(?m)^%.*|pt\*\d+/10000", "", text))
    assert text.count(r"\begingroup") == text.count(r"\endgroup") == 1
    nodes = re.findall(r"\\node\[ncdop,[^\]]*\] \(([^)]*)\) at", text)
    assert len(nodes) == len(set(nodes)) == len(made.drawing.groups)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]+", node) for node in nodes)
    places = {
        re.sub(r"[^A-Za-z0-9_]+", "-", g.path.replace(".*", "").strip(".")) for g in made.drawing.groups if g.path
    }
    assert places <= set(nodes)


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
def test_an_article_has_figures_of_both_widths(tmp_path: Path) -> None:
    """Each as wide as it was made for, in the size of the text around it, and nothing sticks out."""
    for width, size in (("85mm", 240.95), ("170mm", 481.9)):
        made = diagram(subject("gpt2:GPT"), width=width)
        (tmp_path / f"{width}.tikz").write_text(made.text("tikz"))
        shown = made.drawing.width * made.drawing.scale * 0.75
        assert 0.85 * size < shown <= size + 0.1
        (tmp_path / "x.tex").write_text(
            "\\documentclass{article}\\usepackage{amsmath,amssymb,tikz}\\begin{document}\n"
            f"\\setbox1\\hbox{{\\input{{{width}.tikz}}}}\\typeout{{wide \\the\\wd1}}\n"
            f"\\setbox1\\hbox{{\\Large\\input{{{width}.tikz}}}}\\typeout{{large \\the\\wd1}}\n\\end{{document}}\n"
        )
        done = subprocess.run(["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "x.tex"], cwd=tmp_path,
                              capture_output=True, check=False)  # fmt: skip
        said = done.stdout.decode(errors="replace")
        assert done.returncode == 0, said[-1500:]
        wide, large = (float(found) for found in re.findall(r"(?:wide|large) ([\d.]+)pt", said))
        assert abs(wide - shown) < 0.5
        assert abs(large / wide - 1.44) < 0.01


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
@pytest.mark.parametrize("name", SUBJECTS)
def test_all_tikz_compiles(name: str, tmp_path: Path) -> None:
    """And no font lacks a character."""
    (tmp_path / "x.tex").write_text(diagram(SUBJECTS[name], depth=1).text("tex"))
    done = subprocess.run(["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "x.tex"], cwd=tmp_path,
                          capture_output=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stdout.decode(errors="replace")[-1500:]
    assert b"Missing character" not in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("name", SUBJECTS)
def test_all_become_pixels_and_pages(name: str) -> None:
    made = diagram(SUBJECTS[name])
    assert made.bytes("png").startswith(b"\x89PNG")
    assert made.bytes("pdf").startswith(b"%PDF")


def test_latex_reads_what_names_may_hold() -> None:
    assert escaped("a_b & 50% {x} ~^\\ ⌊n/2⌋") == (
        r"a\_b \& 50\% \{x\} \textasciitilde{}\textasciicircum{}\textbackslash{} $\lfloor $n/2$\rfloor $"
    )


def test_markup_in_names_is_text() -> None:
    made = diagram(block("block A(x: [b, n]) -> [b, n]:\n    tap t = x < 3\n    return select(t, x, 0 * x)"))
    ElementTree.fromstring(made.text("svg"))
    assert "&lt; 3" in made.text("svg")
    assert "<script>" in made.text("html")


@pytest.mark.parametrize("format", ["png", "pdf"])
def test_pixels_and_pages(format: str) -> None:
    head = {"png": b"\x89PNG", "pdf": b"%PDF"}[format]
    assert diagram(subject("gpt2:MLP")).bytes(format).startswith(head)


def test_mermaid_stays_under_its_limits() -> None:
    """500 edges and 50,000 characters are what GitHub renders."""
    for name in SOME:
        text = diagram(subject(name)).text("mmd")
        assert len(text) < 50_000
        assert text.count("-->") < 500


def test_nothing_is_told_by_colour_alone() -> None:
    """Learned glyphs are bolder, what was removed is dashed and has its sign, as has what was added."""
    assert (PATHS["learned"][0], PATHS["glyph"][0]) == ("bold", "wire")
    for before, after, signs in (("relu(x)", "x", "−"), ("x", "tanh(x)", "+"), ("relu(x)", "tanh(x)", "~"),
                                 ("relu(sin(x))", "sin(tanh(x))", "+−")):  # fmt: skip
        change = Difference(block(HEAD + before), block(HEAD + after))
        text = change.diagram(diagram(block(HEAD + "x"))).text("svg")
        assert re.search(r"path\.removed\{[^}]*stroke-dasharray", text)
        for sign in signs:
            assert text.count(f">{sign}</text>") == 2  # beside what it marks, and in the key


def test_what_cannot_be_written_is_said() -> None:
    with pytest.raises(DiagramError, match=r"\.doc.*\.svg"):
        diagram(subject("gpt2:MLP")).text("doc")
    drawn, edited = {"svg", "tex", "tikz", "pdf", "png", "html", "dot", "mmd", "txt"}, {"drawio", "excalidraw", "pptx"}
    assert drawn | edited == set(FORMATS)


def test_golden_text() -> None:
    """Byte for byte: the circuit of attention in characters."""
    golden = Path(__file__).with_name("attention.txt")
    assert diagram(subject("gpt2:Attention")).text("txt") == golden.read_text()


def test_golden_svg() -> None:
    """The same elements; coordinates within half a pixel."""
    golden = ElementTree.fromstring(Path(__file__).with_name("mlp.svg").read_text())
    made = ElementTree.fromstring(diagram(subject("gpt2:MLP"), theme=Theme(dark=None)).text("svg"))
    for a, b in zip(made.iter(), golden.iter(), strict=True):
        assert (a.tag, sorted(a.attrib), a.text) == (b.tag, sorted(b.attrib), b.text)
        for key in a.attrib.keys() & {"d", "x", "y", "cx", "cy", "width", "height"}:
            numbers = [[float(n) for n in re.findall(r"-?\d+\.?\d*", e.attrib[key])] for e in (a, b)]
            assert all(abs(p - q) <= 0.5 for p, q in zip(*numbers, strict=True))


def test_numbers_have_one_decimal_at_most() -> None:
    assert [number(x) for x in (1.0, 1.25, -0.01, 100.04)] == ["1", "1.2", "0", "100"]


def test_notebooks_get_an_image_and_a_text() -> None:
    bundle = diagram(subject("gpt2:MLP"))._repr_mimebundle_()
    assert bundle["image/svg+xml"].startswith("<svg")
    assert "GELU" in bundle["text/plain"]


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("attention", "gpt2:Attention"),
        ("gru", "gru:GRU"),
        ("moe", "moe:MoE"),
        ("residual", "residual:Residual"),
        ("spectral", "spectral:SpectralConv"),
        ("unet_level", "unet_level:Level"),
    ],
)
def test_the_gallery_is_what_the_commands_draw(file: str, name: str) -> None:
    """The README shows the first; `python docs/gallery/make.py` draws all anew."""
    picture = ROOT / "docs" / "gallery" / f"{file}.svg"
    bare = re.sub(r"<metadata>.*?</metadata>\n", "", picture.read_text(), flags=re.DOTALL)
    assert bare == diagram(subject(name)).text("svg")


def test_every_picture_of_the_gallery_is_as_it_was_drawn() -> None:
    pictures = set((ROOT / "docs" / "gallery").glob("*.svg"))
    assert {path.name for path in pictures if not intact(path.read_bytes())} == {"poset.svg"}  # which no program has

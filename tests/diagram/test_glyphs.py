"""What single glyphs say: norms, masks, truths, windows, weights that are shared."""

from __future__ import annotations

import re

import pytest

from diagram.subjects import ROOT, block
from ogive.backends.diagram.diagram import diagram
from ogive.backends.diagram.figure.figure import Op
from ogive.backends.diagram.figure.geometry import Dot, Path, Text
from ogive.backends.diagram.from_ir.make import figure_of
from ogive.backends.diagram.from_ir.places import place_name
from ogive.backends.diagram.layout.compose import draw
from ogive.compiler.driver.workspace import Workspace

NORMS = "use std.nn (BatchNorm, GroupNorm, InstanceNorm, LayerNorm)\n"
IMAGE = "block A(x: [b, c, h, w]) -> [b, c, h, w]\nwhere c % 4 == 0:\n    return "


def first(text: str, glyph: str) -> Op:
    return next(op for op in figure_of(block(text)).walk() if op.glyph == glyph)


@pytest.mark.parametrize(
    ("body", "past", "text"),
    [
        ("x |> BatchNorm", [1], "BN"), ("batch_norm_train(x)[0]", [1], "BN"), ("x |> GroupNorm[4]", [0], "GN 4"),
        ("group_norm[4](x)", [0], "GN 4"), ("x |> InstanceNorm", [0, 1], "IN"), ("group_norm[c](x)", [0, 1], "GN c"),
        ("x |> LayerNorm", [0, 1, 2], "LN"), ("layer_norm[axes=[1]](x)", [0, 2, 3], "LN"),
    ],
)  # fmt: skip
def test_what_a_norm_does_not_normalize_over_runs_past_it(body: str, past: list[int], text: str) -> None:
    name = body.split("|> ")[-1].split("[")[0]
    op = first((f"use std.nn ({name})\n" if "|>" in body else "") + IMAGE + body, "norm")
    assert [int(link.left[0][-1]) for link in op.links if link.kind == "through"] == past
    assert op.text == text


@pytest.mark.parametrize(("name", "corner"), [("tril", (True, False)), ("triu", (False, True))])
def test_a_mask_fills_what_it_hides(name: str, corner: tuple[bool, bool]) -> None:
    """`tril` keeps the lower half: its filled triangle reaches the upper right corner, and not the lower left one."""
    items = draw(figure_of(block(f"block A(x: [n, n]) -> [n, n]:\n    return {name}(x)"))).items
    solid = next(item for item in items if isinstance(item, Path) and item.style == "solid")
    points = [(p[0], p[1]) for _, p in solid.commands if p]
    left, right = min(x for x, _ in points), max(x for x, _ in points)
    top, bottom = min(y for _, y in points), max(y for _, y in points)
    assert ((right, top) in points, (left, bottom) in points) == corner


def test_a_truth_ends_at_the_operation_that_asks_it() -> None:
    """A thin line leads from the end of its wire to a dot of the operation."""
    text = "block A(m: bool[n], x: [n], y: [n]) -> [n]:\n    return select(m, x, y)"
    items = draw(figure_of(block(text))).items
    dots = {(round(item.x, 2), round(item.y, 2)) for item in items if isinstance(item, Dot)}
    thin = [item for item in items if isinstance(item, Path) and item.style == "thin"]
    ends = [(round(line.commands[-1][1][0], 2), round(line.commands[-1][1][1], 2)) for line in thin]
    assert set(ends) & dots


def test_a_stride_is_no_fraction() -> None:
    text = "use std.vision (Conv)\nblock A(x: [b, 8, h, w]) -> [b, 8, h // 2, w // 2]\nwhere h % 2 == 0, w % 2 == 0:\n"
    assert first(text + "    return x |> Conv[8, 8, 2, stride=2]", "conv").text == "2 s=2"


def test_shared_weights_are_marked() -> None:
    """The first operation names them, others say that they are the same; a tied weight says whose it is."""
    text = "use std.nn (Linear)\nblock A(x: [b, n]) -> [b, n]:\n    f = Linear[n, n]\n    g = Linear[n, n]\n"
    figure = figure_of(block(text + "    return x |> f |> relu |> g |> f"))
    assert [op.caption for op in figure.walk() if op.glyph == "linear"] == ["f, shared", "g", "= f"]
    figure = figure_of(block(text + "    return linear(x |> f |> relu |> g, f.weight)"))
    assert [op.caption for op in figure.walk() if op.glyph == "linear"] == ["f", "g", "= f.weight"]
    loop = text.replace(
        "    g = Linear[n, n]\n", "    repeat 3:\n        x = f(x) |> relu |> Linear[n, n]\n    return x"
    )
    shared = first(loop, "repeat").bodies[0]
    assert [op.caption for op in shared.walk() if op.glyph == "linear"] == ["f, shared", "linear"]


def labels(text: str) -> list[str]:
    items = draw(figure_of(block(text))).items
    return [item.text for item in items if isinstance(item, Text) and item.style == "label"]


def legend(text: str) -> list[str]:
    items = draw(figure_of(block(text))).items
    return [item.text for item in items if isinstance(item, Text) and item.style == "legend"]


SCORES = "block A(x: [b, n, d]) -> [b, n, n]:\n    s = einsum['b q d, b k d -> b q k'](x, x)\n    return s"


def test_a_contraction_names_its_results() -> None:
    """Where an axis changes its name it is written, and what the name stands for is told."""
    text = SCORES.replace("return s", "return softmax[-1](s) / 2")
    assert labels(text) == ["b", "n", "d", "q", "k", "b", "n", "n"]
    assert legend(text) == ["q = n", "k = n"]


def test_results_are_called_what_the_signature_calls_them() -> None:
    """The legend does not explain names that are not there."""
    assert labels(SCORES)[-2:] == ["n", "n"]
    assert legend(SCORES) == []


@pytest.mark.parametrize("name", ["mlp", "unet", "swin"])
def test_a_legend_explains_what_is_drawn(name: str) -> None:
    """Each row has a name that is in the figure, or in another row, and no name has two rows."""
    path = ROOT / "examples" / f"{name}.arch"
    program = Workspace().check(path.read_text(), path.name)
    subjects = [r.definition for r in program.blocks if r.definition] + [program.models["Tiny"].ir]
    for depth in (0, 1):
        for subject in subjects:
            texts = [item for item in diagram(subject, depth=depth).drawing.items if isinstance(item, Text)]
            rows = [item.text.split(" = ") for item in texts if item.style == "legend" and " = " in item.text]
            drawn = " ".join([*(t.text for t in texts if t.style != "legend"), *(row[1] for row in rows)])
            assert all(re.search(rf"(?<!\w){re.escape(row[0])}(?!\w)", drawn) for row in rows)
            assert len({row[0] for row in rows}) == len(rows)


def test_closed_blocks_say_what_makes_them_differ() -> None:
    """Statics that siblings have in common, and sizes that stand on a wire, are not written."""
    text = """use std.nn (Linear)
block K[d, heads, kind: str](x: [b, d]) -> [b, d]
where d % heads == 0:
    return rearrange["b (h e) -> b (e h)", h=heads](x) |> Linear[d, d]
block A(x: [b, 8]) -> [b, 8]:
    return x |> K[8, 2, "p"] |> K[8, 2, "p"] |> relu |> K[8, 4, "p"]
"""
    captions = [op.caption for op in figure_of(block(text)).walk() if op.glyph == "slab"]
    assert [caption.split(", ")[-1] for caption in captions] == ["heads=2", "heads=2", "heads=4"]


def test_windows_of_closed_blocks_are_written_as_in_glyphs() -> None:
    """A stride of one and the padding are not: the sizes on the wires tell them."""
    text = """use std.vision (Conv)
block K[kernel, stride=1, p: float=0.0](x: [b, 8, h, w]) -> [b, 8, (h + 2 * (kernel // 2) - kernel) // stride + 1, v]
where h >= kernel, w >= kernel:
    return x |> Conv[8, 8, kernel, stride=stride, pad=kernel//2] |> dropout[p]
block A(x: [b, 8, 64, 64]) -> [b, 8, p, q]:
    return x |> K[3] as one |> K[5, stride=2] as two |> K[3, p=0.2 / 1.5] as three
"""
    captions = [op.caption for op in figure_of(block(text)).walk() if op.glyph == "slab"]
    assert captions == ["one, k=3, p=0", "two, k=5 s=2, p=0", "three, k=3, p=0.1333"]


def test_the_place_of_an_element_of_a_list_is_called_with_it() -> None:
    assert [place_name(path) for path in ("h.*.attn", "blocks.*", "*", "ln")] == ["attn", "blocks.*", "", "ln"]


def test_blocks_that_are_handed_over_are_named() -> None:
    """As they could be written, with the sizes of the use; those that stand on a wire are left out."""
    text = """use std.nn (Linear)
block S[p: float](x: [b, n]) -> [b, n]:
    return p * x
block K[F: block](x: [b, n]) -> [b, n]:
    return F(x)
block A[q: float, e](x: [b, n]) -> [b, n]:
    return x |> K[Linear[n, n]] |> K[Linear[n, e] >> relu >> Linear[e, n]] |> K[relu] |> K[S[q / 2]] |> K[S[0.5]]
"""
    captions = [op.caption for op in figure_of(block(text)).walk() if op.glyph == "slab"]
    told = [caption.split("F=")[1] for caption in captions]
    assert told == ["Linear", "Linear[dout=e] >> relu >> Linear[din=e]", "relu", "S[p=(q / 2)]", "S[p=0.5]"]


def test_rates_of_closed_blocks_are_told() -> None:
    """Floats that differ are written under each block; where copies are drawn once, by a counter of the legend."""
    text = """use std.nn (Linear)
block K[p: float](x: [b, 8]) -> [b, 8]:
    return x |> Linear[8, 8] |> dropout[p]
block A(x: [b, 8]) -> [b, 8]:
"""
    apart = figure_of(block(text + "    return x |> K[0.1] |> K[0.2] |> K[0.3]"))
    captions = [op.caption for op in apart.walk() if op.glyph == "slab"]
    assert captions == ["k, p=0.1", "k_2, p=0.2", "k_3, p=0.3"]
    folded = text + "    for i in range(3) as h:\n        x = x |> K[0.1 * (i + 1)]\n    return x"
    (slab,) = [op for op in figure_of(block(folded)).walk() if op.glyph == "slab"]
    assert slab.caption.endswith("p=p_λ")
    assert any(row.startswith("p_λ = 0.1, 0.2") for row in legend(folded))


def test_blocks_of_one_iteration_are_not_the_same_weights() -> None:
    """In a fold the places of copies have a star, under which two blocks of an iteration look alike."""
    text = """use std.nn (Linear)
block K[s: bool](x: [b, 8]) -> [b, 8]:
    if s:
        x = relu(x)
    return x |> Linear[8, 8]
block A(x: [b, 8]) -> [b, 8]:
    for i in range(6) as h:
        x = x |> K[i % 2 == 0] as body
    return x
"""
    slabs = [op for op in figure_of(block(text)).walk() if op.glyph == "slab"]
    assert len(slabs) == 2
    assert not any("shared" in op.caption or "=" in op.caption.split(", ")[0] for op in slabs)

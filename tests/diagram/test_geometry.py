"""Where things stand: nothing overlaps, wires keep their height, everything inside the frame; and how fast that is."""

from __future__ import annotations

import pytest

from counted import calls
from diagram.geometry_checks import faults
from diagram.subjects import block, definition, subjects
from ogive.backends.diagram.diagram import diagram
from ogive.backends.diagram.figure.geometry import Drawing, Group, Path, Text, line
from ogive.backends.diagram.figure.theme import Theme
from ogive.backends.diagram.from_ir.make import figure_of
from ogive.backends.diagram.from_ir.options import Options
from ogive.backends.diagram.layout.compose import draw
from ogive.backends.diagram.layout.wrap import rows
from ogive.backends.diagram.render.svg import svg
from sampled import sampled

SUBJECTS = subjects()


@pytest.mark.parametrize("name", sampled(SUBJECTS, 4))
@pytest.mark.parametrize("depth", [0, 1])
def test_nothing_overlaps(name: str, depth: int) -> None:
    assert faults(diagram(SUBJECTS[name], depth=depth, weights=depth == 1).drawing) == []


def test_the_eye_sees_what_overlaps() -> None:
    """Each check finds a planted fault."""
    text = Text(20, 20, "word", 12, "label", 30)
    wire = Path(line((0, 16), (90, 16)), "wire", axis="n")
    glyph = Group("o1", "box", "", core=(10, 5, 60, 30))
    for items, groups in (((text, text), ()), ((text, wire), ()), ((wire,), (glyph,)), ((text,), (glyph,))):
        assert faults(Drawing(120, 60, items, groups=groups))
    assert any("extent" in fault for fault in faults(Drawing(25, 25, (text,))))


@pytest.mark.parametrize("name", ["gpt2:Attention", "llama:Attention", "unet:Tiny", "gru:GRU"])
def test_a_tensor_keeps_its_height_and_its_order(name: str) -> None:
    """In each boundary, tensors stand in their order with room between them."""
    section = figure_of(definition(name)).sections[0]
    (placed,) = rows(section, Theme(width=10_000))
    for boundary in section.boundaries:
        bottom = -1e9
        for tensor in boundary:
            top = placed.heights.tensors[tensor.tid]
            single = tensor.tid in placed.bundles
            assert top >= bottom + (14 if single else Theme().between) - 0.01
            bottom = top + (0 if single else len(tensor.slots) - 1) * Theme().pitch


def test_a_chain_is_straight() -> None:
    """No wire of a chain without transposes bends."""
    text = "use std.nn (Linear, LayerNorm)\nblock A[d](x: [b, n, d]) -> [b, n, d]:\n    return x |> LayerNorm"
    drawing = draw(figure_of(block(text + " |> Linear[d, d] |> relu |> Linear[d, d] |> softmax[-1]")))
    wires = [item for item in drawing.items if isinstance(item, Path) and item.style == "wire"]
    assert wires
    assert not [command for wire in wires for command in wire.commands if command[0] == "C"]


def chain(count: int) -> str:
    """A block of that many operations, with skips on the way."""
    lines = ["block A(x: [b, n, d]) -> [b, n, d]:", "    y0 = relu(x)"]
    for i in range(1, count // 2):
        lines.append(f"    y{i} = y{i - 1} + gelu(y{max(i - 1 - i % 5, 0)})")
    return "\n".join([*lines, f"    return y{count // 2 - 1}"])


def test_five_hundred_operations_take_four_times_as_long_as_a_fourth() -> None:
    small, large = (block(chain(count)) for count in (125, 500))
    assert len(svg(draw(figure_of(large)))) < 1_000_000
    assert calls(lambda: svg(draw(figure_of(large)))) < 4.4 * calls(lambda: svg(draw(figure_of(small))))


def test_gpt2_is_small() -> None:
    for depth in (0, 2):
        assert len(diagram(SUBJECTS["gpt2:Tiny"], depth=depth).text("svg")) < 200_000


@pytest.mark.parametrize(
    "text",
    [
        "block A(x: []) -> []:\n    return x * x + 1",
        "block A(x: [a, b, c, d, e, f, g, h, i, j, k, l]) -> [a, b, c, d, e, f, g, h, i, j, k, l]:\n    return x * x",
        "block A(x: int[n], y: bool[n]) -> int[n]:\n    return select(y, x, 0 * x)",
        "block A(x: [b, a_name_that_is_much_longer_than_any_other]) -> [b]:\n    return sum[-1](x)",
        "block A(x: [b, n]) -> [b, n]:\n    return x",
        "block A(x: [b, n]) -> (y: [b, n], z: [b, n]):\n    return x, x",
        "block A(x: [b, n], unused: [m]) -> [b, n]:\n    return x @ ones[n, n]",
        "block A(x: [b, n, d]) -> [b, d, n]:\n    return rearrange['b n d -> b d n'](x)",
    ],
    ids=["scalar", "twelve axes", "types", "long name", "nothing", "twice", "unused", "transpose"],
)
def test_odd_blocks_draw(text: str) -> None:
    made = block(text)
    for options in (Options(), Options(depth=2, weights=True)):
        assert faults(draw(figure_of(made, options))) == []

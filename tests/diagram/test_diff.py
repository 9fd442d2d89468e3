"""Differences: none between equals; what one edit changes and nothing else; drawn as one circuit."""

from __future__ import annotations

import pytest

from diagram.geometry_checks import faults, texts_apart
from diagram.subjects import block, subject, subjects
from ogive.backends.diagram.diagram import diagram
from ogive.backends.diagram.diff import Difference
from ogive.backends.diagram.figure.geometry import Text
from ogive.backends.diagram.from_ir.invariants import violations
from ogive.backends.diagram.layout.compose import draw
from sampled import sampled

SUBJECTS = subjects()
HEAD = "use std.nn (Linear, LayerNorm)\nblock A[d](x: [b, d]) -> [b, d]:\n"
PLAIN = HEAD + "    y = x |> Linear[d, d] as one |> relu\n    return y"
LOOP = HEAD + "    repeat 3 as h:\n        x = x + (x |> LayerNorm as norm |> Linear[d, d] as one)\n    return x"


@pytest.mark.parametrize("name", sampled(SUBJECTS, 3))
def test_equals_have_no_difference(name: str) -> None:
    difference = Difference(SUBJECTS[name], SUBJECTS[name])
    assert not difference
    assert not [op.oid for op in difference.figure().walk() if op.change]


def changes(old: str, new: str) -> list[tuple[str, str]]:
    difference = Difference(block(old), block(new))
    figure = difference.figure()
    assert violations(figure) == []
    assert faults(draw(figure)) == []
    return sorted((op.change, op.above or op.text) for op in figure.walk() if op.change)


def test_an_added_operation_is_marked_alone() -> None:
    assert changes(PLAIN, PLAIN.replace("|> relu", "|> relu |> tanh")) == [("added", "tanh")]


def test_a_removed_operation_is_marked_alone() -> None:
    assert changes(PLAIN, PLAIN.replace(" |> relu", "")) == [("removed", "ReLU")]


def test_inside_a_loop() -> None:
    new = LOOP.replace("|> Linear", "|> relu |> Linear")
    assert [change for change in changes(LOOP, new) if change[1] != "×3"] == [("added", "ReLU")]


def test_a_setting_that_changed_shows_what_it_was() -> None:
    difference = Difference(block(LOOP), block(LOOP.replace("repeat 3", "repeat 5")))
    assert str(difference) == "~ h: ×3 -> ×5"
    (op,) = [op for op in difference.figure().walk() if op.change]
    assert op.text == "×3 → ×5"


def test_models_differ_in_their_numbers() -> None:
    tiny = subject("gpt2:Tiny")
    other = subject("ewa_vit:Tiny") if "ewa_vit:Tiny" in SUBJECTS else subject("vit:Tiny")
    assert Difference(tiny, other)
    assert "-" in str(Difference(tiny, other))


def test_a_difference_is_drawn_with_its_colours() -> None:
    difference = Difference(block(PLAIN), block(PLAIN.replace("relu", "silu |> dropout[0.5]")))
    drawing = difference.diagram(diagram(block(PLAIN))).drawing
    texts = [item for item in drawing.items if isinstance(item, Text)]
    assert list(texts_apart(drawing)) == []
    assert {text.text for text in texts if text.style == "caption"} >= {"added", "removed"}  # the key
    assert "A: before → after" in [text.text for text in texts if text.style == "title"]
    signs = {item.text for item in texts if item.change}
    assert {"+", "−"} <= signs  # beside the names, not in them
    assert {"ReLU", "SiLU"} <= signs


def test_an_operation_that_became_another_shows_both() -> None:
    difference = Difference(block(PLAIN), block(PLAIN.replace("relu", "tanh")))
    assert str(difference) == "~ relu -> tanh"
    (op,) = [op for op in difference.figure().walk() if op.change]
    assert (op.change, op.attr("was")) == ("changed", "relu → tanh")


def test_a_block_of_another_name_is_the_same_block() -> None:
    for text in (PLAIN, LOOP):
        difference = Difference(block(text), block(text.replace(" as one", " as other").replace("as h", "as blocks")))
        assert all(" is now " in line for line in str(difference).splitlines())
        assert {op.change for op in difference.figure().walk()} == {"", "changed"}


TURNS = HEAD + (
    "    for i, n in enumerate([{}, {}]) as stages:\n        x = x |> LayerNorm as norm\n"
    "        for j in range(n) as blocks:\n            x = x + (x |> Linear[d, d] as one)\n    return x"
)


@pytest.mark.parametrize(("old", "new"), [((3, 4), (3, 9)), ((5, 2), (3, 2)), ((2, 3), (4, 7)), ((6, 4), (3, 2))])
def test_more_and_fewer_turns_are_one_line_and_one_loop(old: tuple[int, int], new: tuple[int, int]) -> None:
    difference = Difference(block(TURNS.format(*old)), block(TURNS.format(*new)))
    pairs = [(i, a, b) for i, (a, b) in enumerate(zip(old, new, strict=True)) if a != b]
    assert str(difference).splitlines() == [f"~ stages.{i}.blocks: ×{a} -> ×{b}" for i, a, b in pairs]
    figure = difference.figure()
    assert violations(figure) == []
    assert faults(draw(figure)) == []
    assert [op.text for op in figure.walk() if op.change] == [f"×{a} → ×{b}" for _, a, b in pairs]
    shown = difference.diagram(diagram(block(PLAIN), view="overview"))
    titles = [box.text for box in shown.overview.boxes if box.kind == "group" and not box.parent]
    assert [title for title in titles if "→" in title] == [f"stages.{i}: ×{a} → ×{b} blocks" for i, a, b in pairs]


def test_what_changed_in_all_turns_is_one_line() -> None:
    text = TURNS.format(2, 3)
    assert str(Difference(block(text), block(text.replace("[d, d] as", "[d, d, bias=false] as")))).count("\n") < 2

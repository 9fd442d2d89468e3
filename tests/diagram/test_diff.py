"""Differences: none between equals; what one edit changes and nothing else; drawn as one circuit."""

from __future__ import annotations

import pytest

from diagram.geometry_checks import faults
from diagram.subjects import block, subject, subjects
from ogive.backends.diagram.diagram import diagram
from ogive.backends.diagram.diff import Difference
from ogive.backends.diagram.from_ir.invariants import violations
from ogive.backends.diagram.layout.compose import draw

SUBJECTS = subjects()
HEAD = "use std.nn (Linear, LayerNorm)\nblock A[d](x: [b, d]) -> [b, d]:\n"
PLAIN = HEAD + "    y = x |> Linear[d, d] as one |> relu\n    return y"
LOOP = HEAD + "    repeat 3 as h:\n        x = x + (x |> LayerNorm as norm |> Linear[d, d] as one)\n    return x"


@pytest.mark.parametrize("name", SUBJECTS)
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
    assert str(difference) == "~ h: repeat[count=3] : [b, d] -> repeat[count=5] : [b, d]"
    (op,) = [op for op in difference.figure().walk() if op.change]
    assert op.attr("was") == "repeat[count=3]"


def test_models_differ_in_their_numbers() -> None:
    tiny = subject("gpt2:Tiny")
    other = subject("ewa_vit:Tiny") if "ewa_vit:Tiny" in SUBJECTS else subject("vit:Tiny")
    assert Difference(tiny, other)
    assert "-" in str(Difference(tiny, other))


def test_a_difference_is_drawn_with_its_colours() -> None:
    difference = Difference(block(PLAIN), block(PLAIN.replace("relu", "tanh")))
    text = difference.diagram(diagram(block(PLAIN))).text("svg")
    assert "added" in text
    assert "removed" in text
    assert set(str(difference).splitlines()) == {"- relu: relu : [b, d]", "+ tanh: tanh : [b, d]"}

"""Sizes of a figure in one style: symbols, numbers, or both."""

from __future__ import annotations

import re

import pytest

from diagram.subjects import block, subjects
from diagram.test_page_sizes import facts, value
from ogive.backends.diagram.diagram import diagram
from ogive.backends.diagram.figure.errors import DiagramError
from ogive.backends.diagram.figure.figure import Figure
from ogive.backends.diagram.figure.legend import explained
from ogive.backends.diagram.from_ir.numbers import numbered, numbers_within, open_sizes, refuse_unknown_sizes
from ogive.compiler.ir.model import Definition, Model

SUBJECTS = {name: subject for name, subject in subjects().items() if isinstance(subject, Model)}


def fitting(subject: Definition | Model) -> dict[str, int]:
    """Numbers for the open sizes of a subject, the same for all, that break none of its conditions."""
    for number in (1, 2, 4, 8, 16, 28, 32, 60, 64, 128, 188, 224):
        at = dict.fromkeys(open_sizes(subject), number)
        try:
            numbered(subject, at.items())
        except DiagramError:
            continue
        return at
    return {}


def labels(figure: Figure) -> set[tuple[str, str]]:
    """The size and the label of every wire of an axis, those of open blocks too."""
    slots = (slot for section in figure.sections for slot in section.slots() if slot.role == "axis")
    return {(slot.size, slot.label) for slot in slots}


@pytest.mark.parametrize("name", SUBJECTS)
def test_numbers_stand_on_every_wire_when_all_are_known(name: str) -> None:
    subject = SUBJECTS[name]
    at = fitting(subject)
    assert at or not open_sizes(subject), name
    made = diagram(subject, depth=1, sizes="numeric", at=at).figure
    packs = {unknown for unknown in subject.definition.sizes if unknown.kind == "pack"}
    within = {str(pack) for pack in packs}
    odd = {label for _, label in labels(made) if not label.isdigit() and not any(p in label for p in within)}
    assert odd == set()


@pytest.mark.parametrize("name", [*SUBJECTS][::3])
def test_a_figure_has_one_style(name: str) -> None:
    """In symbols no number is on a wire that is not one in the source; its value is in the legend."""
    subject = SUBJECTS[name]
    symbols, numbers = (labels(diagram(subject, sizes=style).figure) for style in ("symbolic", "numeric"))
    assert {label for size, label in symbols if label.isdigit()} == {size for size, _ in symbols if size.isdigit()}
    both = {label for _, label in labels(diagram(subject, sizes="both").figure)}
    assert {label.rsplit("=", 1)[-1] for label in both if "=" in label} <= {label for _, label in numbers}
    assert {label.rsplit("=", 1)[0] for label in both} == {label for _, label in symbols}


def test_a_legend_name_has_its_number() -> None:
    figure = diagram(SUBJECTS["vit:Tiny"], sizes="symbolic").figure
    rows = explained(figure, [label for _, label in labels(figure)])
    told = [row for row in rows if row.startswith("s_1 = ")]
    assert [re.fullmatch(r"s_1 = \(image/patch\)\^2 = \d+", row) is not None for row in told] == [True]


def test_numbers_stand_where_symbols_would_be_long() -> None:
    """A model that is asked for nothing is in symbols, or all in numbers."""
    vit, gpt2 = (labels(diagram(SUBJECTS[name]).figure) for name in ("vit:Tiny", "gpt2:Tiny"))
    assert {label for _, label in vit} == {
        label for _, label in labels(diagram(SUBJECTS["vit:Tiny"], sizes="numeric").figure)
    }
    assert {label for _, label in gpt2} >= {"d", "vocab", "context"}


def test_a_window_is_a_number_wherever_it_is_known() -> None:
    ops = list(diagram(SUBJECTS["vit:Tiny"], depth=1).figure.walk())
    windows = [op.text for op in ops if op.glyph == "conv"]
    assert windows
    assert all(re.fullmatch(r"\d+( s=\d+)?", text) for text in windows)


def test_numbers_are_given_to_blocks_and_what_no_size_can_be_is_refused() -> None:
    made = block(
        "use std.nn (Linear)\nblock A[d](x: [b, d]) -> [b, 2*d]\nwhere d % 2 == 0:\n    return x |> Linear[d, 2*d]"
    )
    assert labels(diagram(made, at={"d": 6, "b": 3}).figure) == {("3", "3"), ("6", "6"), ("12", "12")}
    for at, said in (({"d": 5}, "needs `d % 2 == 0`"), ({"d": 0}, "at least 1"), ({"dd": 4}, "did you mean `d`")):
        with pytest.raises(DiagramError, match=said):
            refuse_unknown_sizes([made], at.items())


def test_blocks_of_a_page_have_the_sizes_of_their_use() -> None:
    """Not those that the reader gave to sizes of the same name elsewhere; where uses differ, none."""
    text = """use std.nn (Linear)
block K[d](x: [b, d]) -> [b, d]:
    return x |> Linear[d, 3*d] |> Linear[3*d, d]
block Two[d](x: [n, b, d]) -> [n, b, d]:
    return {}
"""
    once = block(text.format('x |> rearrange["n b d -> (n b) d"] |> K[d] |> rearrange["(n b) d -> n b d", n=n]'))
    page = facts(diagram(once, at={"n": 5, "b": 7, "d": 4}).text("html"))
    assert page["shown"] == "numeric"
    main, inner = page["parts"][""], page["parts"]["K"]
    ((turn,),) = main["uses"].values()
    known = [value(tree, main["values"]) for tree in turn]
    assert {value(tree, known) for _, tree in inner["spots"]} == {35, 4, 12}
    within = numbers_within(SUBJECTS["gpt2:Tiny"], numbered(SUBJECTS["gpt2:Tiny"]))
    assert {unknown.name: str(number) for unknown, number in within["Attention"].items()}.items() >= {("d", "16")}

"""Runs that the source has unrolled: found where copies are equal and only there; drawn once, nothing is lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import pytest

import ogive
from diagram.geometry_checks import faults
from diagram.subjects import ROOT, block, definition, subjects
from ogive.backends.diagram.figure.figure import Figure, Op, Section
from ogive.backends.diagram.from_ir.alike import masked
from ogive.backends.diagram.from_ir.invariants import violations
from ogive.backends.diagram.from_ir.make import figure_of
from ogive.backends.diagram.from_ir.options import Options
from ogive.backends.diagram.layout.compose import draw
from sampled import sampled

HEAD = "use std.nn (Linear, LayerNorm)\nblock A[d](x: [b, d]) -> [b, d]:\n"
OFF = Options(fold=False)


def loops(figure: Figure) -> list[Op]:
    return [op for op in figure.walk() if op.attr("copies")]


def folded(body: str) -> list[str]:
    figure = figure_of(block(HEAD + body + "    return x"))
    assert violations(figure) == []
    assert faults(draw(figure)) == []
    return [op.text for op in loops(figure)]


def looks(sections: Iterable[Section], times: int = 1) -> Counter[tuple[str, ...]]:
    """How often each look is there, those in a folded run once for each copy, numbers and counters left out."""
    found: Counter[tuple[str, ...]] = Counter()
    for op in (op for section in sections for column in section.columns for op in column.ops):
        if op.source:
            texts = (masked(text).replace("n_λ", "#") for text in (op.text, op.above))
            found[(op.source, op.glyph, *texts, op.attr("block").rstrip("0123456789_"))] += times
        found.update(looks(op.bodies, times * int(op.attr("copies", "1"))))
    return found


@pytest.mark.parametrize("name", sampled(subjects(), 3))
@pytest.mark.parametrize("depth", [0, 1])
def test_unfolding_gives_back_what_was_folded(name: str, depth: int) -> None:
    once, all_ = (figure_of(definition(name), Options(depth=depth, fold=fold)) for fold in (True, False))
    assert looks(once.sections) == looks(all_.sections)
    assert len(list(once.walk())) <= len(list(all_.walk()))
    assert not loops(all_)


def test_equal_blocks_one_after_the_other() -> None:
    body = "".join(f"    x = x + (x |> LayerNorm as n{i} |> Linear[d, d] as l{i})\n" for i in range(5))
    assert folded(body) == ["×5"]
    assert folded(body.replace("as l2", "as other")) == ["×2", "×2"]
    same = "    for i in range(5) as turns:\n        x = x + (x |> LayerNorm as norm |> Linear[d, d] as lin)\n"
    assert folded(same) == ["×5"]


def test_two_copies_are_a_run_one_is_not() -> None:
    iteration = "    for i in range({n}) as turns:\n        x = x |> Linear[d, d] as lin |> relu\n"
    assert [folded(iteration.format(n=n)) for n in (1, 2, 3)] == [[], ["×2"], ["×3"]]


def test_arithmetic_alone_is_no_run() -> None:
    assert folded("    x = x |> relu |> relu |> relu |> relu\n") == []


def test_a_copy_that_others_read_ends_the_run() -> None:
    """The second result is read at the end too, so the run begins behind it."""
    body = "    y = x |> Linear[d, d] as a1\n    x = y |> Linear[d, d] as a2\n"
    iteration = "    for i in range(3) as turns:\n        x = x |> Linear[d, d] as lin\n"
    assert folded(iteration + "    y = x\n" + iteration.replace("turns", "more") + "    x = x + y\n") == ["×3", "×3"]
    assert folded(body + "    x = x + y\n") == []


def test_numbers_that_differ_get_a_counter() -> None:
    sizes = (
        "    for i in [2, 3, 5] as turns:\n        x = x |> Linear[d, i*d] as up |> relu |> Linear[i*d, d] as down\n"
    )
    figure = figure_of(block(HEAD + sizes + "    return x"))
    assert [op.text for op in loops(figure)] == ["×3"]
    assert any(note.endswith("= 2d, 3d, 5d") for note in figure.notes)
    labels = {slot.label for section in figure.sections for slot in section.slots()}
    assert any("λ" in label for label in labels)
    assert folded(sizes.replace("[2, 3, 5]", "[2, 3]")) == []


def test_the_stages_of_resnet50() -> None:
    """One block of each stage changes sizes; the others are equal."""
    model = ogive.load(ROOT / "examples" / "resnet.arch")["ResNet50"]
    assert [op.text for op in loops(model.diagram().figure)] == ["×2", "×3", "×5", "×2"]
    assert not loops(model.diagram(fold=False).figure)


def test_the_last_copy_may_be_read_many_times() -> None:
    iteration = "    for i in range(4) as turns:\n        x = x |> Linear[d, d] as lin\n    x = x + relu(x) + gelu(x)\n"
    assert folded(iteration) == ["×4"]

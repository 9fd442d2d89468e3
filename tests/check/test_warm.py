"""What a workspace remembers: an edit that changes no size proves next to nothing again."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path

import pytest

from ogive.compiler.driver import interpreter_limits
from ogive.compiler.driver import workspace as program
from ogive.compiler.driver.interpreter_limits import unpaused
from ogive.compiler.driver.workspace import Workspace, check_text

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize("name", ["resnet", "swin", "unet"])
def test_an_edit_proves_little_twice(name: str) -> None:
    text = (EXAMPLES / f"{name}.arch").read_text(encoding="utf-8")
    workspace = Workspace()
    workspace.check(text)
    proved = workspace.facts.tally.answers
    lines = text.split("\n")
    inside = [at for at, line in enumerate(lines) if line.startswith("    ") and line.endswith("]")]
    at = inside[len(inside) // 2]
    workspace.check("\n".join([*lines[:at], f"{lines[at]}  # edited", *lines[at + 1 :]]))
    assert workspace.facts.tally.answers < 1.2 * proved  # sizes that a body binds are its own each time


def test_models_of_one_block_share_what_is_proved() -> None:
    text = (EXAMPLES / "resnet.arch").read_text(encoding="utf-8")
    one, two = Workspace(), Workspace()
    one.check(text)
    two.check(f"{text}\nmodel Again = ResNet[Bottleneck, growth=4, depths=[3, 5, 5, 3]]\n")
    assert two.facts.tally.answers - one.facts.tally.answers < 0.05 * one.facts.tally.answers


def test_a_size_is_born_where_it_stands_now() -> None:
    text = "block F[d](x: [b, n]) -> [b, d]:\n    return x + zeros[b, d]\n"
    workspace = Workspace()
    workspace.check(text)
    moved = text.replace("F[d]", "Longer[d]").replace("x: [b, n]", "x:   [b, n]")
    for each in (text, moved, text.replace("[b, n]", "[ b, n]")):
        found = workspace.check(each).diagnostics
        assert [label.span.begin() for d in found for label in d.labels] == [
            label.span.begin() for d in check_text(each).diagnostics for label in d.labels
        ]


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "ANSWERS", 2)
    workspace = Workspace()
    workspace.check("block F(x: [b, n]) -> [b, n]:\n    return x[:, :n]\n")
    before = workspace.facts
    assert before.tally.answers > 2
    workspace.check("block F(x: [b, n]) -> [b, n]:\n    return x\n")
    assert workspace.facts is not before


def test_the_garbage_collector_is_as_before() -> None:
    for enabled in (True, False):
        (gc.enable if enabled else gc.disable)()
        try:
            check_text("block F(x: [b, n]) -> [b, n]:\n    return x\n")
            assert gc.isenabled() is enabled
        finally:
            gc.enable()


def test_what_waits_for_the_garbage_collector_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpreter_limits, "GARBAGE", 100)

    class Knot:
        def __init__(self) -> None:
            self.knot = self

    with unpaused():
        with unpaused():
            knots = [weakref.ref(Knot()) for _ in range(200)]
            assert all(knot() is not None for knot in knots)
        assert not any(knot() is not None for knot in knots)

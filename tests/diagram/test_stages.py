"""Stages: what one turn of a `for` has made stands in one frame, and nothing else does."""

from __future__ import annotations

from itertools import product

import pytest

from diagram.subjects import block
from ogive.backends.diagram.diagram import diagram
from ogive.backends.diagram.views.overview import Overview

HEAD = "use std.nn (Linear, LayerNorm)\nblock A[d](x: [b, d], z: [b, d]) -> [b, d]:\n"
BEFORE = ["", "    x = x |> Linear[d, d] as first\n    x = x * z\n", "    x = (x * z) * (z * z)\n"]
AFTER = ["", "    x = (x + z) + z\n", "    x = x |> Linear[d, d] as last\n    x = x - z\n"]
TURNS = [  # statements of a turn, and how many boxes they are
    ("        x = x |> Linear[d, d] as one\n        x = x * z\n", 2),
    ("        x = x * z\n        x = x |> Linear[d, d] as one\n", 2),
    ("        y = x |> Linear[d, d] as one\n        x = (x + y) * z\n        x = x |> LayerNorm as norm\n", 4),
]


def made(before: str, turn: str, after: str, turns: int) -> Overview:
    text = f"{HEAD}{before}    for i in range({turns}) as stages:\n{turn}{after}    return x\n"
    return diagram(block(text), view="overview", fold=False).overview


@pytest.mark.parametrize(("before", "turn", "after"), list(product(BEFORE, TURNS, AFTER)))
def test_each_turn_is_a_frame(before: str, turn: tuple[str, int], after: str) -> None:
    overview = made(before, turn[0], after, 3)
    frames = {box.id: box.text for box in overview.boxes if box.kind == "group"}
    assert list(frames.values()) == ["stages.0", "stages.1", "stages.2"]
    inside = [box.parent for box in overview.boxes if box.parent]
    assert [inside.count(frame) for frame in frames] == [turn[1]] * 3


def test_one_turn_is_no_stage() -> None:
    assert not [box for box in made("", TURNS[0][0], "", 1).boxes if box.kind == "group"]


def test_a_stage_says_how_many_blocks_it_has() -> None:
    text = (
        f"{HEAD}    for i, n in enumerate([2, 5]) as stages:\n        for j in range(n) as blocks:\n"
        "            x = x + (x |> Linear[d, d] as one)\n        x = x |> LayerNorm as norm\n    return x\n"
    )
    overview = diagram(block(text), view="overview").overview
    titles = [box.text for box in overview.boxes if box.kind == "group" and not box.parent]
    assert titles == ["stages.0: 2 blocks", "stages.1: 5 blocks"]
    assert [box.text for box in overview.boxes if box.kind == "group" and box.parent] == ["×2", "×5"]

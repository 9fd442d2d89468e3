"""A few mutated programs: those of a seed, and others each day. `python -m tests.mutated.run` tries many."""

from __future__ import annotations

import time

import pytest
import torch
from _pytest.outcomes import fail

import ogive
from check.programs import errors
from mutated.examine import Found, examine
from mutated.mutants import mutant


@pytest.mark.parametrize("seed", ["fixed", f"day {time.time() // 86400:.0f}"])
def test_no_mutant_ends_in_a_traceback_or_never(seed: str) -> None:
    whole = Found()
    for number in range(120):
        for mark, text in examine(mutant(f"{seed}/{number}"), whole, build=whole.built < 10, slack=20):
            fail(f"{seed}/{number}: {mark}\n{text}")
    assert whole.parsed >= 0.3 * whole.checked
    assert whole.right >= 0.1 * whole.checked
    assert whole.built


def test_a_loop_whose_count_inputs_tell_may_hold_a_loop() -> None:
    text = (
        "block A(x: [b, d], scale: [k, d]) -> [b, d]:\n    repeat k as layers with s in scale, i in range(k):\n"
        "        repeat 2 as inner with j in range(2):\n            x = x * s + (i + j)\n    return x\n\nmodel M = A\n"
    )
    net = ogive.source(text).models["M"].torch()
    assert list(net.children()) == []
    x = net(torch.ones(1, 2), torch.full((3, 2), 2.0))
    y = torch.ones(1, 2)
    for i in range(3):
        for j in range(2):
            y = y * 2.0 + (i + j)
    torch.testing.assert_close(x, y)


@pytest.mark.parametrize(
    "start",
    ["uniform[0, -1]", "uniform[0, -1 * pi]", "uniform[-inf, 1]", "normal[std=-1]", "trunc_normal[std=0 - 0.5]"],
)
def test_what_cannot_be_drawn_is_refused_at_its_line(start: str) -> None:
    assert errors(f"block F(x: [b, 4]) -> [b, 4]:\n    param w: [4] = {start}\n    return x * w\n") == ["E0404"]


def test_a_header_makes_no_weights() -> None:
    head = "use std.vision (PatchEmbed)\nblock F(x: [b, 1, h, w]) -> [b, 16, 8]\n"
    head += "where h % 2 == 0, h // 2 * (PatchEmbed[1, 8, 2]) == 16:\n"
    assert errors(f"{head}    return x |> PatchEmbed[1, 8, 2]\nmodel M = F\n") == ["E0407", "E0411"]

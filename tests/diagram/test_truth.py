"""A picture never lies: programs that compute different things have different pictures, with all blocks open."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Sequence

import pytest

from diagram.pictures import (
    HEAD,
    IMAGE,
    IMAGES,
    WINDOW,
    blocks,
    changed,
    cube,
    cubes,
    meaning,
    picture,
    program,
    written,
)


def alike(head: str, bodies: Sequence[str], form: Callable[[int, str], str]) -> list[list[str]]:
    """Groups of bodies that share a picture."""
    found: dict[tuple[str, ...], list[str]] = defaultdict(list)
    made = blocks(head + "".join(form(number, body) for number, body in enumerate(bodies)))
    for body, each in zip(bodies, made, strict=True):
        found[picture(each)].append(body)
    return [group for group in found.values() if len(group) > 1]


def test_no_two_functions_share_a_picture() -> None:
    """Operations, the order of operands and results, axes, settings, loops, sharing."""
    assert alike(HEAD, list(cubes()), cube) == []


def test_windows_show_what_they_do() -> None:
    assert alike(IMAGE, IMAGES, WINDOW.format) == []


@pytest.mark.parametrize("seeds", [range(60), pytest.param(range(60, 600), marks=pytest.mark.slow)])
def test_one_change_changes_the_picture(seeds: range) -> None:
    """Pairs of random programs that differ in one place."""
    pairs = []
    for seed in seeds:
        random_ = random.Random(seed)
        before = program(random_)
        after = changed(before, random_)
        pairs += [(before, after)] if meaning(before) != meaning(after) else []
    each = [written(number, made) for number, made in enumerate(made for pair in pairs for made in pair)]
    pictures = [picture(made) for made in blocks(HEAD + "".join(each))]
    same = [number for number in range(len(pairs)) if pictures[2 * number] == pictures[2 * number + 1]]
    assert [(each[2 * number], each[2 * number + 1]) for number in same] == []


def test_quiet_settings_are_written_on_demand() -> None:
    """Numbers that change no shape are left out, and told under the glyphs where they are asked for."""
    bodies = ["layer_norm(x)", "layer_norm[eps=1e-3](x)", "attention(x, x, x)", "attention[scale=2.0](x, x, x)",
              "x |> RMSNorm", "x |> RMSNorm[eps=1e-3]", "x |> RMSNorm[unit_offset=true]", "x |> LayerNorm",
              "x |> LayerNorm[bias=false]", "x * 0.12341", "x * 0.12342"]  # fmt: skip
    made = blocks(HEAD + "".join(map(cube, range(len(bodies)), bodies)))
    assert len({picture(each) for each in made}) == 5
    assert len({picture(each, settings=True) for each in made}) == len(bodies)

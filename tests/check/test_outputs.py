"""Declared outputs: how signatures print them, and the labels under which users of a block see them."""

from __future__ import annotations

import pytest

from check.programs import codes, conditions, signatures

HALVES = """
use std.vision (Conv)

block Half[c](x: [b, c, h, w]) -> [b, c, h//2, w//2]
where h % 2 == 0, w % 2 == 0:
    return x |> Conv[c, c, 3, stride=2, pad=1]

block Found[c](x: [b, c, h, w]) -> [b, c, h', w']:
    return x |> Conv[c, c, 3, stride=2, pad=1]

block Twice[c](x: [b, c, h, w]) -> [b, c, h//4, w']
where h % 4 == 0, w % 2 == 0:
    return x |> Half[c] as a |> Conv[c, c, 3, stride=2, pad=1] as b

model M = Half[c=3]
"""


def test_signatures_print_what_is_declared() -> None:
    found = signatures(HALVES)
    assert found["Half"] == "(x: [b, c, h, w]) -> [b, c, h//2, w//2]"
    assert found["M"] == "(x: [b, 3, h, w]) -> [b, 3, h//2, w//2]"
    assert found["Found"] == "(x: [b, c, h, w]) -> [b, c, (h + 1)//2, (w + 1)//2]"
    assert found["Twice"].endswith("-> [b, c, h//4, (w + 2)//4]")
    assert conditions(HALVES)["M"] == ("h % 2 == 0", "w % 2 == 0")


LABELS = """
use std.vision (Conv)

block Down[c](x: [b, c, h, w]) -> [b, 2*c, p, q]:
    return x |> Conv[c, 2*c, 3, stride=2, pad=1]

block Turned[c](x: [b, c, h, w]) -> [b, w', h', c]:
    return x |> Conv[c, c, 3, stride=2] |> rearrange["b c h w -> b w h c"]

block Head[c](x: [b, c, h, w]) -> [b, 2*c]:
    return x |> Down[c] |> {use}
"""


@pytest.mark.parametrize(
    ("use", "found"),
    [
        ('reduce["b d h w -> b d", mean]', []),
        ('reduce["b d i j -> b d", mean]', []),
        ("mean[h] |> mean[w]", []),  # an axis that a block has made smaller keeps its name
        ('reduce["b d w h -> b d", mean]', ["H0906", "H0906"]),
        ('reduce["b c h w -> b c", mean]', ["H0906"]),
        ("mean[p]", ["E0305"]),  # a name of the block's own
    ],
)
def test_an_axis_keeps_its_label_through_a_block(use: str, found: list[str]) -> None:
    assert codes(LABELS.replace("{use}", use)) == found


@pytest.mark.parametrize(("gone", "left"), [("i", "j"), ("j", "i")])
def test_labels_follow_axes_that_a_block_turns(gone: str, left: str) -> None:
    text = f"\nblock F[c](x: [b, c, i, j]) -> [b, k, c]:\n    return x |> Turned[c] |> mean[{gone}]\n"
    found = signatures(LABELS.replace("{use}", 'reduce["b d h w -> b d", mean]') + text)
    assert found["F"] == f"(x: [b, c, i, j]) -> [b, ({left} - 1)//2, c]"

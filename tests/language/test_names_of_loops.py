"""What the head of a loop names is the loop's own: no loop assigns such a name while it means something outside too."""

from __future__ import annotations

import pytest
import torch

import ogive

HEADS = {
    "repeat": "repeat 2 as h with s in v",
    "scan": "scan s in v along 0",
    "a number": "repeat 2 as h with s in range(2)",
}
OUTSIDE = {
    "a tensor": ("[b, c]", "    s = sum[b](x)\n"),
    "a size": ("[s, c]", ""),
    "a pack": ("[*s, c]", ""),
    "a number": ("[b, c]", "    s = 1\n"),
}


def text(head: str, shape: str, before: str, body: str = "s = s + 1") -> str:
    return (
        f"block F(x: {shape}, v: [2, c]) -> {shape}:\n{before}    {HEADS[head]}:\n        {body}\n        x = x + s\n"
        "    return x\nmodel M = F\n"
    )


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("outside", OUTSIDE)
def test_a_name_of_two_meanings_is_not_assigned(head: str, outside: str) -> None:
    with pytest.raises(ogive.ArchError, match=r"(?s)E0302.*the loop assigns `s`, which its head names.*`s_i in"):
        ogive.source(text(head, *OUTSIDE[outside]))


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("outside", OUTSIDE)
def test_it_may_be_read(head: str, outside: str) -> None:
    ogive.source(text(head, *OUTSIDE[outside], body="x = x * 2"))


def test_a_loop_in_an_arm_has_its_own_names() -> None:
    loop = "        repeat 2 as h with s in v:\n            s = s + 1\n            x = x + s\n"
    arms = f"    if training:\n        x = 2 * x\n    else:\n{loop}    if training:\n{loop.replace('as h', 'as g')}"
    ogive.source(f"block F(x: [b, c], v: [2, c]) -> [b, c]:\n{arms}    return x\nmodel M = F\n")


def test_loops_one_after_the_other_take_the_same_name() -> None:
    loops = "".join(f"    {HEADS[head]}:\n        s = s + 1\n        x = x + s\n" for head in HEADS)
    model = ogive.source(f"block F(x: [b, c], v: [2, c]) -> [b, c]:\n{loops}    return x\nmodel M = F\n").models["M"]
    x, v = torch.randn(3, 4), torch.randn(2, 4)
    torch.testing.assert_close(model.torch()(x, v), x + 2 * (v + 1).sum(0) + 3)

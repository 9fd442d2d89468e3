"""A size that is 0 or 1 wherever a block is used stands in no signature; others stay what the block is handed."""

from __future__ import annotations

import pytest
import torch

import ogive

BLOCK = """
use std.vision (Conv)

block Pick[cout, stride, groups=1, pad=0](x: [b, cin, n]) -> [b, cout, (n + 2*pad - 3) // stride + 1]
where n >= 3 and cin % groups == 0 and cout % groups == 0:
    y = x |> Conv[cin, cout, 3, stride=stride, groups=groups, pad=pad] as conv
    return y * stride

block Net(x: [b, 4, 24]) -> [b, 4, 12]:
    x = x |> Pick[4, {first}] as one
    x = x |> Pick[4, {second}] as two
    return x[:, :, :1] |> expand["b c 1 -> b c n", n=12]

model M = Net
"""


def net(first: str, second: str) -> tuple[str, torch.nn.Module]:
    model = ogive.source(BLOCK.replace("{first}", first).replace("{second}", second)).models["M"]
    return model.torch_source(checks=False), model.torch()


CASES = [
    ("1", "1", set()),
    ("1", "2", {"stride"}),
    ("2", "2", {"stride"}),
    ("1, groups=2", "1", {"groups"}),
    ("1, pad=1", "2, groups=2", {"stride", "groups", "pad"}),
    ("1, pad=1", "1, pad=1", set()),
]


@pytest.mark.parametrize(("first", "second", "handed"), CASES)
def test_what_is_0_or_1_in_all_uses_is_handed_to_none(first: str, second: str, handed: set[str]) -> None:
    text, made = net(first, second)
    head = text[text.index("class Pick") : text.index("super().__init__()", text.index("class Pick"))]
    assert {each for each in ("stride", "groups", "pad") if f"{each}: int" in head} == handed
    start = x = torch.randn(2, 4, 24)
    for path, settings in (("one", first), ("two", second)):
        conv = made.get_submodule(path).get_submodule("conv")
        assert isinstance(conv, torch.nn.Conv1d)
        stride = int(settings.split(",")[0])
        assert conv.stride == (stride,)
        assert conv.groups == (2 if "groups" in settings else 1)
        assert conv.padding == (1 if "pad" in settings else 0,)
        x = conv(x) * stride
    torch.testing.assert_close(made(start), x[:, :, :1].expand(-1, -1, 12))

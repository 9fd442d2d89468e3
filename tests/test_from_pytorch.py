"""The dictionary is true: the same numbers on both sides, the same weights in modules."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import ogive

PAGE = (Path(__file__).parents[1] / "docs/from_pytorch.md").read_text(encoding="utf-8")
INPUTS = "x: [b, n, d], y: [b, n, d], v: [d], m: [d, k], ids: int[b, n], mask: bool[b, n], img: [b, 3, h, w]"
WHERE = "\nwhere b == 2, n == 3, d == 8, k == 4, h == 6, w == 4"
NUMBERS = "x: [2, 3, 8], y: [2, 3, 8], v: [8], m: [8, 4], ids: int[2, 3], mask: bool[2, 3], img: [2, 3, 6, 4]"
USES = "use std.nn (Linear, LayerNorm, RMSNorm, Embedding, BatchNorm, GroupNorm)\nuse std.vision (Conv, ConvTranspose)"
ELEMENTS = {torch.int64: "int", torch.bool: "bool"}


def rows(*sections: str) -> list[tuple[str, str]]:
    """The rows of some tables: both columns without their ticks."""
    found = []
    for name in sections:
        part = PAGE.split(f"## {name}\n")[1].split("\n## ")[0]
        for line in part.splitlines():
            cells = re.match(r"\| `(.+)` \| `(.+)` \|$", line)
            if cells:
                found.append((cells[1], cells[2].replace("\\|", "|")))
    return found


def tensors() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    made = {"x": (2, 3, 8), "y": (2, 3, 8), "v": (8,), "m": (8, 4), "img": (2, 3, 6, 4)}
    found = {name: torch.randn(shape, generator=generator).abs() + 0.1 for name, shape in made.items()}
    found["ids"] = torch.tensor([[0, 3, 1], [4, 2, 0]])
    found["mask"] = torch.tensor([[True, False, True], [False, False, True]])
    return found


def module(expression: str, inputs: str, where: str = "", elem: str = "") -> nn.Module:
    text = f"{USES}\nblock Row({inputs}) -> {elem}[...]{where}:\n    return {expression}\nmodel Main = Row\n"
    return ogive.source(text)["Main"].torch()


def ours(net: nn.Module, given: dict[str, torch.Tensor]) -> torch.Tensor:
    found: torch.Tensor = net(*(given[name] for name in ("x", "y", "v", "m", "ids", "mask", "img")))
    return found


VALUES = rows("Shapes", "Arithmetic and choice", "Reductions and order", "Indices", "Functions")
MODULES = rows("Modules")


@pytest.mark.parametrize(("theirs", "here"), VALUES, ids=[row[0] for row in VALUES])
def test_values(theirs: str, here: str) -> None:
    given = tensors()
    wanted = eval(theirs, {"torch": torch, "F": F, **given})
    net = module(here, INPUTS, WHERE, ELEMENTS.get(wanted.dtype, ""))
    torch.testing.assert_close(ours(net, given), wanted)


@pytest.mark.parametrize(("theirs", "here"), MODULES, ids=[row[0] for row in MODULES])
def test_modules(theirs: str, here: str) -> None:
    given = tensors()
    peer, net = eval(theirs, {"nn": nn}), module(here, NUMBERS)
    own, taken = net.state_dict(), list(peer.state_dict().values())
    assert [tensor.shape for tensor in taken] == [tensor.shape for tensor in own.values()]
    net.load_state_dict(dict(zip(own, taken, strict=True)))
    first = here.split()[0]
    torch.testing.assert_close(ours(net.eval(), given), peer.eval()(given[first]))


def test_every_row_is_read() -> None:
    assert PAGE.count("\n| `") == len(VALUES) + len(MODULES) + len(re.findall(r"\n\| `", PAGE.split("## Programs")[1]))
    assert len(VALUES) > 50

"""`extern` blocks: a class of the user's, off unless the caller allows it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

import ogive
from ogive.api import Model
from ogive.compiler.driver.workspace import check_text

CLASS = """
from torch import nn

class Mix(nn.Module):
    def __init__(self, d, scale):
        super().__init__()
        self.lin, self.scale = nn.Linear(d, 2 * d), scale

    def forward(self, x):
        return self.scale * self.lin(x)
"""
TEXT = """
use std.nn (Linear)

## Twice as wide.
extern block Mix[d, scale: float](x: [*b, d]) -> [*b, 2 * d] = "theirs_mix:Mix"

block Net[d](x: [b, d]) -> [b, d]:
    repeat 2 as layers:
        x = x + (x |> Mix[d, 0.5] as mix |> Linear[2 * d, d] as down)
    return x

model M = Net[4]
"""


def test_it_is_off_unless_the_caller_allows_it() -> None:
    codes = {d.code for d in check_text(TEXT).diagnostics if d.severity == "error"}
    assert codes == {"E0202"}
    assert "theirs_mix" not in sys.modules
    assert not check_text(TEXT, extern=True).diagnostics  # checking imports nothing
    assert "theirs_mix" not in sys.modules


def test_it_runs_and_trains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "theirs_mix.py").write_text(CLASS, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    model = ogive.source(TEXT, allow_extern=True)["M"]
    assert isinstance(model, Model)
    net, x = model.torch(), torch.randn(3, 4)
    y = net(x)
    y.sum().backward()
    mix = net.get_submodule("layers.0.mix.module")
    assert mix.get_parameter("lin.weight").grad is not None
    z = x
    for i in range(2):
        z = z + net.get_submodule(f"layers.{i}.down")(net.get_submodule(f"layers.{i}.mix.module")(z))
    torch.testing.assert_close(y, z)


def test_its_types_are_believed_and_its_name_is_checked() -> None:
    wrong = TEXT.replace("Linear[2 * d, d]", "Linear[3 * d, d]")
    assert [d.code for d in check_text(wrong, extern=True).diagnostics] == ["E0301"]
    for target in ("theirs", "os.system('x'):Mix", "a:b:c"):
        assert "E0408" in {d.code for d in check_text(TEXT.replace("theirs_mix:Mix", target), extern=True).diagnostics}


OVER = """
extern block Mix[d, scale: float](x: [b, d]) -> [b, 2 * d] = "theirs_mix:Mix"

block Net[d](x: [b, e, d]) -> [b, e, 2 * d]:
    f = Mix[d, 0.5]
    return over[e, f](x)

block Stacked[e, d](x: [e, b, d]) -> [e, b, 2 * d]:
    return each[e, Mix[d, 0.5, ...]](x)

model M = Net[4]
"""


def test_under_an_axis_it_is_applied_index_by_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "theirs_mix.py").write_text(CLASS, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    text, _, _ = OVER.partition("block Stacked")
    model = ogive.source(f"{text}model M = Net[4]", allow_extern=True)["M"]
    assert isinstance(model, Model)
    net = model.torch()
    x = torch.randn(2, 3, 4)
    torch.testing.assert_close(net(x), net.get_submodule("f.module")(x))
    (error,) = [d for d in check_text(OVER, extern=True).diagnostics if d.severity == "error"]
    assert error.code == "E0411"
    assert "its own" in error.message

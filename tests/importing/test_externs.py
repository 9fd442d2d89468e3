"""What has no operation stays a module of the source: the smallest that holds it, called as the source calls it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from torch import Tensor, nn

import ogive
from importing import networks
from ogive.cli import cli

X = torch.randn(2, 5, 8)
SIZES: dict[str, list[str | int | None]] = {"x": ["b", "n", 8]}


class Around(nn.Module):
    """A part that has no operation among enough that has."""

    def __init__(self, part: nn.Module | None = None, width: int = 8) -> None:
        super().__init__()
        self.before = nn.Sequential(*[networks.Residual(width) for _ in range(3)])
        self.part = networks.Odd(width) if part is None else part
        self.after = nn.Sequential(*[networks.Residual(width) for _ in range(3)])

    def forward(self, x: Tensor) -> Any:
        return self.after(self.part(self.before(x)))


PARTS: dict[str, Callable[[], nn.Module]] = {
    "an operation": lambda: networks.Odd(8),
    "several in layers that are equal": lambda: nn.Sequential(*[networks.OddLayer(8) for _ in range(2)]),
    "layers of two widths": lambda: nn.Sequential(
        networks.Odd(8), nn.Linear(8, 16), networks.Odd(16), nn.Linear(16, 8)
    ),
    "a setting that is no number of a shape": lambda: nn.Sequential(networks.Odd(8, 2.0), networks.Odd(8, 3.0)),
    "control flow by data": lambda: networks.Choosing(8),
}  # fmt: skip


@pytest.mark.parametrize("part", PARTS)
def test_the_smallest_module_stays_and_all_else_is_a_program(part: str) -> None:
    torch.manual_seed(0)
    module = Around(PARTS[part]()).eval()
    found = ogive.from_torch(module, (X,), sizes=SIZES)
    assert found.verified is not None
    assert found.verified.equal
    assert found.verified.gradients == len(list(module.parameters()))
    held = [path for path, each in module.named_modules() if isinstance(each, networks.Odd | networks.Choosing)]
    assert sorted(each.path for each in found.externs) == sorted(held)
    lines = found.text.splitlines()
    for each in found.externs:
        assert each.reason
        assert each.nodes >= 1
        assert lines[each.line - 1].startswith(f"extern block {each.kind}")
        assert type(module.get_submodule(each.path)).__qualname__ == each.kind
    assert "--allow-extern" in found.text
    assert not [each for each in found.program.diagnostics if each.severity != "hint"]
    with pytest.raises(ogive.ArchError, match="is not imported"):
        ogive.from_torch(module, (X,), sizes=SIZES, strict=True)


@pytest.mark.parametrize("part", ["several in layers that are equal", "layers of two widths"])
def test_what_is_written_runs_with_the_weights(part: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    module = Around(PARTS[part]()).eval()
    ogive.from_torch(module, (X,), sizes=SIZES, verify=False).save(tmp_path / "other.arch")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "other_extern", raising=False)
    model = ogive.load(tmp_path / "other.arch", allow_extern=True)["Net"]
    assert isinstance(model, ogive.Model)
    net = model.torch().eval()
    net.load_state_dict(model.load_weights(tmp_path / "other.safetensors"))
    torch.testing.assert_close(net(X), module(X))
    back = model.unload_weights(net, tmp_path / "other.map.toml")
    module.load_state_dict({name: torch.as_tensor(each) for name, each in back.items()}, strict=True)
    with pytest.raises(ogive.ArchError, match="off"):
        ogive.load(tmp_path / "other.arch")


@pytest.mark.parametrize("kind", [networks.Untold, networks.Moody])
def test_a_model_that_is_one_such_part_is_not_imported(kind: type[nn.Module]) -> None:
    with pytest.raises(ogive.ArchError, match="is not imported"):
        ogive.from_torch(kind(), (torch.randn(2, 4),), sizes={"x": ["b", 4]})


def test_more_than_a_fifth_is_not_imported() -> None:
    module = nn.Sequential(nn.Linear(8, 8), networks.Odd(8), nn.Linear(8, 8)).eval()
    with pytest.raises(ogive.ArchError, match=r"more than 20%.*i0e"):
        ogive.from_torch(module, (X,), sizes={"input": ["b", "n", 8]})


FILE = """
import torch
from torch import nn

class Odd(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.lin = nn.Linear(width, width)
    def forward(self, x):
        return torch.special.i0e(self.lin(x))

def net(width=6):
    layers = [nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.LayerNorm(width)) for _ in range(5)]
    return nn.Sequential(*layers, Odd(width), nn.Linear(width, 2))
"""


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path / "out"))
    (tmp_path / "out").mkdir()
    Path("odd_net.py").write_text(FILE)
    run = ["import", "./odd_net.py:net", "--arg", "width=8", "-i", "input=f32[b=2,8]", "-o", "out/odd.arch"]
    result = CliRunner().invoke(cli, [*run, "--strict"])
    assert result.exit_code == 1
    assert "i0e" in result.output
    assert list(Path("out").iterdir()) == []
    result = CliRunner().invoke(cli, run, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert "`5` (Odd) stays a module of the source" in result.output
    (part,) = json.loads(Path("out/odd.report.json").read_text())["externs"]
    assert (part["path"], part["kind"], part["nodes"]) == ("5", "Odd", 2)
    assert not list(Path("out").glob("*.pt"))
    monkeypatch.delitem(sys.modules, "odd_net", raising=False)
    model = ogive.load("out/odd.arch", allow_extern=True)["Net"]
    assert isinstance(model, ogive.Model)
    net = model.torch()
    net.load_state_dict(model.load_weights("out/odd.safetensors"))
    x = torch.randn(3, 8)
    expected = sys.modules["odd_net"].net(8)
    assert net(x).shape == expected(x).shape == (3, 2)

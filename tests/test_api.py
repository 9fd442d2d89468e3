"""The front for Python: loading, errors, models and blocks, the import hook."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

import ogive
from ogive.api import Block, Model

ROOT = Path(__file__).parents[1]
GPT2 = ROOT / "examples" / "gpt2.arch"


@pytest.fixture(scope="module")
def program() -> ogive.Program:
    return ogive.load(GPT2)


def test_models_and_blocks_by_name(program: ogive.Program) -> None:
    assert list(program.models) == ["GPT2", "GPT2Medium", "GPT2Large", "GPT2XL", "Tiny"]
    assert {"Attention", "MLP", "GPT"} <= program.blocks.keys()
    assert isinstance(program["GPT"], Block)
    assert "GPT2" in program
    assert "GPT3" not in program
    with pytest.raises(KeyError, match="no model or block `GPT3`; there are GPT2, "):
        program["GPT3"]


def test_a_block_becomes_a_model(program: ogive.Program) -> None:
    block = program["GPT"]
    assert isinstance(block, Block)
    model = block(vocab=256, context=64, d=32, heads=4, depth=2)
    twin = ogive.source(GPT2.read_text() + "model M = GPT[vocab=256, context=64, d=32, heads=4, depth=2]").models["M"]
    assert (model.signature, model.weights, model.parameters) == (twin.signature, twin.weights, twin.parameters)
    assert model.conditions == twin.conditions == ("n <= 64",)


@pytest.mark.parametrize(
    "statics",
    [
        {"vocab": 256, "context": 64, "d": 33, "heads": 4, "depth": 2},
        {"vocab": 256, "context": 64, "d": 32, "heads": 4, "depth": 2, "width": 3},
        {"vocab": 256, "context": 64, "d": 32, "heads": 4, "depth": "two"},
        {"vocab": 256, "context": 64, "d": 32, "heads": 0, "depth": 2},
        {"vocab": 256, "context": 64, "d": 32, "heads": object(), "depth": 2},
        {"vocab": 256},
        {},
    ],
)
def test_statics_that_do_not_fit_are_diagnostics(program: ogive.Program, statics: dict[str, object]) -> None:
    block = program["GPT"]
    assert isinstance(block, Block)
    with pytest.raises(ogive.ArchError) as caught:
        block(**statics)
    assert caught.value.diagnostics
    assert all(found.severity == "error" for found in caught.value.diagnostics)


def test_errors_are_rendered(tmp_path: Path) -> None:
    path = tmp_path / "bad.arch"
    path.write_text("block F(x: [b, n]) -> [b, n]:\n    return missing(x)\n")
    with pytest.raises(ogive.ArchError) as caught:
        ogive.load(path)
    assert [found.code for found in caught.value.diagnostics] == ["E0201"]
    assert f"{path}:2:12" in str(caught.value)
    assert "return missing(x)" in str(caught.value)


def test_warnings_do_not_stop() -> None:
    program = ogive.source("block Twice(x: [b]) -> [b]:\n    y = relu(x)\n    return 2 * x\n")
    assert {found.code for found in program.diagnostics} >= {"W0902"}


def test_parts_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "parts.arch").write_text("block twice(x: [b]) -> [b]:\n    return 2 * x\n")
    (tmp_path / "whole.arch").write_text(
        "use ./parts (twice)\nblock four(x: [b]) -> [b]:\n    return x |> twice |> twice\nmodel M = four\n"
    )
    assert ogive.load(tmp_path / "whole.arch").models["M"].weights == {}


def test_the_summary_counts_all_iterations(program: ogive.Program) -> None:
    model = program["Tiny"]
    assert isinstance(model, Model)
    lines = model.summary().splitlines()
    assert lines[0] == "Tiny (ids: int[b, n]) -> [b, n, 64]"
    assert "  where n <= 16" in lines
    assert any(line.split()[:3] == ["h.{0..1}.attn.c_attn.weight", "[48,", "16]"] for line in lines)
    assert f"{model.parameters:,} parameters" in model.summary()
    assert "softmax 2" in lines[-2]


@pytest.mark.parametrize(("b", "n"), [(1, 16), (3, 7)])
def test_multiply_adds_are_those_that_torch_counts(program: ogive.Program, b: int, n: int) -> None:
    model = program["Tiny"]
    assert isinstance(model, Model)
    with FlopCounterMode(display=False) as counter, torch.device("meta"):
        model.torch(device="meta")(torch.zeros(b, n, dtype=torch.long))
    assert f"at b={b}, n={n}: {counter.get_total_flops() // 2:,}\n" in model.summary(b=b, n=n)


def test_the_hook_imports_programs(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "gpt2.arch").write_text(GPT2.read_text())
    (tmp_path / "top.arch").write_text("block twice(x: [b]) -> [b]:\n    return 2 * x\nmodel M = twice\n")
    code = (
        "import ogive.hook, models.gpt2\n"
        "from models.gpt2 import GPT2, Attention\n"
        "from top import *\n"
        "print(GPT2.parameters, Attention.name, M.name, models.gpt2.__file__.endswith('gpt2.arch'))\n"
        "import importlib.util; assert importlib.util.find_spec('models.nothing') is None\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "124439808 Attention M True\n"

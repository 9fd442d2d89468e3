"""Laws of emitted modules, over every example and every construct of the language."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ogive.backends.python_text.names import identifier
from ogive.backends.pytorch.module.file import emit
from ogive.backends.pytorch.module.module import load
from ogive.compiler.ir.model import Model
from ogive.compiler.ir.weights import weights
from ogive.compiler.ir_text.printer import text
from ogive.compiler.ir_text.reader import read
from ogive.compiler.ir_tools.verify import verify
from ogive.compiler.passes.infra.driver import optimized
from ogive.compiler.passes.pipelines.lowering import TORCH
from pytorch.catalog import inputs, model, names, without_layers
from sampled import sampled

NAMES = names()
EVERY = pytest.mark.parametrize("name", NAMES)
SOME = pytest.mark.parametrize("name", sampled(NAMES))


def module(source: str, of: Model) -> nn.Module:
    torch.manual_seed(0)
    made: nn.Module = getattr(load(source, identifier(of.name)), identifier(of.name))()
    return made.double()


def tensors(outputs: Any) -> tuple[Tensor, ...]:
    return tuple(outputs) if isinstance(outputs, tuple) else (outputs,)


def run(net: Callable[..., Any], args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    torch.manual_seed(1)
    return tensors(net(*args))


def close(a: tuple[Tensor, ...], b: tuple[Tensor, ...]) -> None:
    assert len(a) == len(b)
    for x, y in zip(a, b, strict=True):
        torch.testing.assert_close(x, y, rtol=1e-10, atol=1e-10)


@EVERY
def test_weights_have_the_paths_and_shapes_of_the_source(name: str) -> None:
    of = model(name)
    net = module(emit(of), of)
    ours = {path: w.shape for w in weights(of) for path in w.paths()}
    assert {path: tuple(value.shape) for path, value in net.state_dict().items()} == ours


@SOME
def test_passes_keep_what_a_model_computes(name: str) -> None:
    of = model(name)
    args = inputs(of, torch.float64)
    plain, best = module(emit(of, ()), of).eval(), module(emit(of), of).eval()
    best.load_state_dict(plain.state_dict())
    close(run(plain, args), run(best, args))


@SOME
def test_layers_of_torch_equal_the_blocks_of_the_library(name: str) -> None:
    of = model(name)
    args = inputs(of, torch.float64)
    theirs, ours = module(emit(of), of), module(emit(without_layers(of)), of)
    assert theirs.state_dict().keys() == ours.state_dict().keys()
    ours.load_state_dict(theirs.state_dict())
    close(run(theirs.eval(), args), run(ours.eval(), args))


@EVERY
def test_gradients_reach_every_parameter(name: str) -> None:
    of = model(name)
    net = module(emit(of), of)
    total = sum(y.sum() for y in run(net, inputs(of, torch.float64)) if y.is_floating_point())
    if isinstance(total, Tensor) and total.requires_grad:
        torch.autograd.backward(total)
    missing = [path for path, weight in net.named_parameters() if weight.grad is None]
    assert not missing


@SOME
def test_it_compiles_without_a_break(name: str) -> None:
    of = model(name)
    net = module(emit(of), of).eval()
    args = inputs(of, torch.float64)
    torch._dynamo.reset()
    close(run(net, args), run(torch.compile(net, fullgraph=True, backend="eager"), args))


@SOME
def test_the_ir_is_sound_after_every_pass_and_reads_back(name: str) -> None:
    of = optimized(model(name), TORCH, verify)
    verify(of)
    again = read(text(of))
    verify(again)
    assert text(again) == text(of)
    assert emit(again, ()) == emit(of, ())


def test_files_pass_the_formatter_the_linter_and_the_type_checker(tmp_path: Path) -> None:
    for name in NAMES:
        (tmp_path / f"{name.replace(':', '_').lower()}.py").write_text(emit(model(name)))
    files = sorted(map(str, tmp_path.glob("*.py")))
    for tool in (["ruff", "format", "--isolated", "--diff"], ["ruff", "check", "--isolated"],
                 ["mypy", "--config-file=", "--no-incremental", "--follow-imports=silent"]):  # fmt: skip
        done = subprocess.run([sys.executable, "-m", *tool, *files], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

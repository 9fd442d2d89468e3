"""`ogive build --verify`: what differs is told and leaves no file; so is what cannot be compared."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from click.testing import CliRunner
from torch import nn

import ogive
from ogive.backends.onnx_model.export import Exported, Settings
from ogive.backends.onnx_model.ops import kernels as lower_kernels
from ogive.backends.onnx_model.report import Report
from ogive.backends.onnx_model.runs import Runner
from ogive.backends.onnx_model.serialize import write as writing
from ogive.backends.onnx_model.verify import compared
from ogive.cli import cli

NAN, INF = math.nan, math.inf
TABLE = """
use std.nn (Linear, Embedding)
block F[vocab, d](ids: int[b, n], mask: bool[b, n], x: [b, n, d]) -> (y: [b, n, d], sure: bool[b, n], best: int[b, n]):
    h = (ids |> Embedding[vocab, d] as table) + x
    s = einsum["b i d, b j d -> b i j"](h, h)
    p = select(mask |> expand["b k -> b 1 k"], s, -inf) |> softmax[-1]
    y = (p @ h) |> Linear[d, d] as out
    return y, mask, argmax[-1](y)
model M = F[vocab=11, d=4]
"""
CODES = {
    "divided": "block F(i: int[n], j: int[n]) -> int[n]:\n    return i // j + i % j\nmodel M = F",
    "wide": "block F(i: int[n], j: i32[n]) -> (int[n], i32[n]):\n    return i * 3 + (i % 7), j * j\nmodel M = F",
    "complex": "block F(x: [n]) -> (complex[n], complex[n]):\n    param w: complex[] = normal\n"
    "    z = complex(x, x * x) * w\n    return z, conj(z)\nmodel M = F",
    "optional": "block F(x: [n], y: [n]?) -> (a: [n], b: [n]?):\n    a = tanh(x)\n    if given(y):\n        a = a * y\n"
    "    return a, a + 1\nmodel M = F",
    "summed": "block F(i: int[n, k]) -> (int[n], int[], int[n], int[n, k]):\n"
    "    return sum[k](i), prod(i), cumsum[0](sum[k](3 * i)), 7 ** i\nmodel M = F",
    "equals": "block F(x: [n, 5], i: int[k]) -> ([n, 2], int[n, 2], int[n, 5], int[k], int[k]):\n"
    "    best, at = topk[-1, k=2](x)\n"
    "    return best, at, argsort[-1](x), argsort[0](i), argsort[0](0 * i)\nmodel M = F",
    "types": "block F(a: f16[n], b: bf16[n], c: f32[n], d: f64[n], x: [n]) -> (f16[n], f64[n], [n]):\n"
    "    return a * 2, d + cast[f64](b), x + cast[float](c)\nmodel M = F",
    "empty": "block F(x: [n, k], m: bool[n, k]) -> [n, k]:\n    return select(m, x, -inf) |> softmax[k]\nmodel M = F",
    "logs": "block F(x: [n]) -> ([n], [n]):\n    return log(x), sqrt(x) + 1 / x\nmodel M = F",
}


def files(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in tmp_path.iterdir() if path.suffix != ".arch")


def build(tmp_path: Path, text: str, *args: str) -> tuple[int, str]:
    source = tmp_path / "m.arch"
    source.write_text(text)
    done = CliRunner().invoke(cli, ["build", f"{source}:M", "-o", str(tmp_path / "m.onnx"), "--verify", *args])
    return done.exit_code, done.output


@pytest.mark.parametrize("dtype", ["f32", "f64", "f16", "bf16"])
def test_it_runs_in_every_type(dtype: str, tmp_path: Path) -> None:
    code, output = build(tmp_path, TABLE, "--dtype", dtype)
    assert code == 0, output
    assert files(tmp_path) == ["m.onnx"]
    assert output.count("torch and ONNX Runtime") == 6
    for kind in ("centred", "boundary", "offset", "constant", "small", "large"):
        assert f"on inputs that are {kind}" in output
    assert ("in float32 for lack of kernels" in output) == (dtype == "bf16")


@pytest.mark.parametrize("name", CODES)
def test_integers_over_their_range_complex_numbers_and_special_ones_agree(name: str, tmp_path: Path) -> None:
    code, output = build(tmp_path, CODES[name])
    assert code == 0, output


def tampered(monkeypatch: pytest.MonkeyPatch, value: float) -> None:
    """A weight is written with this number at one place."""
    write = writing.write

    def other(made: Exported, *rest: Any) -> object:
        name = next(name for name in made.weights if "out" in name and name.endswith("weight"))
        before = made.weights[name]
        array = before.array().copy()
        array[0, 0] = value
        return write(replace(made, weights={**made.weights, name: replace(before, array=lambda: array)}), *rest)

    monkeypatch.setattr(writing, "write", other)


@pytest.mark.parametrize("value", [3.0, NAN, INF])
def test_a_difference_leaves_no_file(value: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tampered(monkeypatch, value)
    code, output = build(tmp_path, TABLE)
    assert code == 1
    assert "nothing is written" in output
    assert "on inputs that are centred" in output
    assert files(tmp_path) == []
    (tmp_path / "m.onnx").write_bytes(b"before")
    assert build(tmp_path, TABLE, "--force")[0] == 1
    assert (tmp_path / "m.onnx").read_bytes() == b"before"


def test_a_file_with_heavy_weights_is_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "HEAVY", 0)
    monkeypatch.setattr(writing, "LIGHT", 0)
    for dtype in ("f32", "bf16"):
        code, output = build(tmp_path, TABLE, "--dtype", dtype, "--force")
        assert code == 0, output
    assert files(tmp_path) == ["m.onnx", "m.onnx.data"]
    tampered(monkeypatch, NAN)
    assert build(tmp_path, TABLE, "--force")[0] == 1


def made(text: str, change: Callable[[nn.Module], None], path: Path, **settings: object) -> Report:
    model = ogive.source(text).models["M"]
    torch.manual_seed(0)
    net = model.torch()
    with torch.no_grad():
        change(net)
    model.onnx(path, net, **settings)  # type: ignore[arg-type]
    return compared(model.ir, path, net, Settings(**settings))  # type: ignore[arg-type]


@pytest.mark.filterwarnings("ignore::ogive.refusals.ArchWarning")
def test_a_model_of_nothing_but_nan_is_not_compared(tmp_path: Path) -> None:
    def lost(net: nn.Module) -> None:
        net.w.fill_(NAN)  # type: ignore[operator]

    text = "block F(x: [n]) -> (y: [n], z: [n]):\n    param w: [] = ones\n    return x * w, OTHER\nmodel M = F"
    found = made(text.replace("OTHER", "-w * x"), lost, tmp_path / "a.onnx")
    assert found.faults == ["nothing was compared"]
    found = made(text.replace("OTHER", "x + 1"), lost, tmp_path / "b.onnx")
    assert found.faults == []
    assert found.missed == {"y"}
    assert found.lines[-1] == "not compared, since nothing there is a number that rounding leaves: y"


def test_a_row_without_entries_is_among_the_inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its guard the softmax is NaN there, and is found."""
    assert made(CODES["empty"], lambda net: None, tmp_path / "a.onnx").faults == []
    monkeypatch.setattr(lower_kernels, "empty_rows", lambda ctx, x, axes, elem: ctx.array(np.array(False)))
    (fault,) = made(CODES["empty"], lambda net: None, tmp_path / "b.onnx").faults
    assert fault.startswith("output is nan at [0, 0], not 0.0, on inputs that are boundary")


def test_taps_are_compared(tmp_path: Path) -> None:
    loop = "    repeat 2 as h:\n        tap p = tanh(x)\n        x = p * x\n"
    text = f"block F(x: [n]) -> [n]:\n{loop}    return x\nmodel M = F"
    found = made(text, lambda net: None, tmp_path / "a.onnx", taps=True)
    assert set(found.runs[0].outputs) == {"output", "taps/h.0.p", "taps/h.1.p"}
    assert not found.faults
    assert not found.missed


def test_a_model_that_draws_is_not_compared(tmp_path: Path) -> None:
    text = "block F(x: [n]) -> [n]:\n    return x + randn[n]\nmodel M = F"
    code, output = build(tmp_path, text)
    assert code == 1
    assert "error[E0813]" in output
    assert "`randn` draws numbers" in output
    assert "m.arch:2" in output
    assert files(tmp_path) == []


def test_where_both_stop_nothing_is_compared(tmp_path: Path) -> None:
    code, output = build(tmp_path, "block F(i: int[n]) -> int[n]:\n    return i // (i - i)\nmodel M = F")
    assert code == 1
    assert "stops on all inputs" in output
    assert files(tmp_path) == []


def test_the_weights_are_those_of_before(tmp_path: Path) -> None:
    """What moves them moves a copy."""
    model = ogive.source(TABLE).models["M"]
    net = model.torch().double()
    before = {name: x.clone() for name, x in net.state_dict().items()}
    model.onnx(tmp_path / "m.onnx", net, dtype="f64")
    compared(model.ir, tmp_path / "m.onnx", net, Settings(dtype="f64"))
    assert net.training
    assert all(x.equal(before[name]) for name, x in net.state_dict().items())


def test_a_file_of_bfloat16_runs_in_float32(tmp_path: Path) -> None:
    model = ogive.source(TABLE).models["M"]
    model.onnx(tmp_path / "m.onnx", model.torch(), dtype="bf16", functions=True)
    runner = Runner(tmp_path / "m.onnx", torch.bfloat16)
    assert runner.in_float32
    ids, mask = np.zeros((1, 2), np.int64), np.ones((1, 2), bool)
    y, *_ = runner.run([ids, mask, np.ones((1, 2, 4), np.float32)])
    assert y.dtype == np.float32
    assert onnx.load(tmp_path / "m.onnx").graph.output[0].type.tensor_type.elem_type == onnx.TensorProto.BFLOAT16

"""Names that some paths bind: every path of a random program gives what it gives run by itself, in numpy."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

import ogive
from language.path_case import Case
from language.path_cases import CASES
from language.path_loops import CASES as LOOPS
from language.path_more import CASES as MORE_CASES
from language.path_programs import Array, Program
from language.path_random import program
from ogive.api import Model
from ogive.compiler.driver.workspace import check_text
from ogive.compiler.ir_text.printer import text
from ogive.compiler.ir_text.reader import read
from ogive.compiler.ir_tools.verify import verify
from ogive.compiler.passes.infra.driver import named_apart
from ogive.compiler.passes.pipelines.lowering import lowered

SEEDS = range(30)
MORE = range(1000, 2000)
CODES = {"E0201", "E0302", "E0502", "E0601"}


def flat(made: Any) -> list[Tensor]:
    """The tensors that are there."""
    if made is None or isinstance(made, Tensor):
        return [] if made is None else [made]
    return [tensor for each in made for tensor in flat(each)]


def same(found: list[Any], wanted: list[Array | None], bound: float) -> None:
    """The same outputs are there, and equal."""
    there = [each for each in wanted if each is not None]
    assert len(found) == len(there)
    for a, b in zip(found, there, strict=True):
        np.testing.assert_allclose(np.asarray(a), b, rtol=bound, atol=bound)


def inputs_of(case: Program | Case, seed: int) -> dict[str, Array]:
    """All inputs."""
    random = np.random.default_rng(seed)
    return {name: random.normal(size=(3, 4)) for name in ("x", *case.optional)}


def trained(model: Model) -> nn.Module:
    """A module in float64, with weights of which none is 0."""
    torch.manual_seed(0)
    net = model.torch().double()
    with torch.no_grad():
        for weight in net.parameters():
            weight.add_(0.1 * torch.randn_like(weight))
    return net


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("seed", [*SEEDS, *(pytest.param(seed, marks=pytest.mark.slow) for seed in MORE)])
def test_every_path_gives_what_it_gives_alone(seed: int, tmp_path: Path) -> None:
    case = program(seed)
    codes = {d.code for d in check_text(case.text).diagnostics if d.severity == "error"}
    assert bool(codes) is (case.fault is not None)
    assert codes <= CODES
    if codes:
        return
    model = ogive.source(case.text).models["M"]
    verify(model.ir)
    verify(lowered(model.ir))
    written = text(named_apart(model.ir))
    assert text(read(written)) == written
    net = trained(model)
    given = inputs_of(case, seed)
    folded = model.deploy("fold")
    verify(folded.ir)
    used = folded.torch().double().eval()
    used.load_state_dict(folded.convert(net.state_dict(), dtype=None))
    weights = {name: value.numpy().copy() for name, value in net.state_dict().items()}
    assert {name: value.shape for name, value in weights.items()} == model.weights
    ways = list(product((True, False), repeat=len(case.optional)))
    for way in ways:
        there = {"x": given["x"], **{n: given[n] for n, yes in zip(case.optional, way, strict=True) if yes}}
        args = [torch.from_numpy(there[n]) if n in there else None for n in ("x", *case.optional)]
        for training in (True, False):
            wanted, states = case.run(there, training, weights)
            same([y.detach() for y in flat(net.train(training)(*args))], wanted, 1e-9)
            for name, value in states.items():
                np.testing.assert_allclose(net.state_dict()[name], value, rtol=1e-9, atol=1e-9)
            net.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
        same([y.detach() for y in flat(used(*args))], wanted, 1e-9)
        if way == ways[seed % len(ways)]:
            same(in_onnx(model, net, there, tmp_path / "m.onnx", functions=seed % 3 == 0), wanted, 1e-6)
    assert "<svg" in model.diagram(depth=1).text("svg")


def in_onnx(model: Model, net: nn.Module, given: dict[str, Array], path: Path, *, functions: bool) -> list[Array]:
    """The outputs in ONNX Runtime, in float64."""
    optional = [name for name in given if name != "x"]
    model.onnx(path, weights=net.eval(), optional=optional, dtype="f64", functions=functions, force=True)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    found: list[Array] = session.run(None, {each.name: given[each.name] for each in session.get_inputs()})
    return found


@pytest.mark.parametrize("case", [*CASES, *LOOPS, *MORE_CASES], ids=str)
def test_it_means_what_it_says(case: Case, tmp_path: Path) -> None:
    model = ogive.source(case.text).models["M"]
    verify(model.ir)
    net = trained(model)
    given = inputs_of(case, 0)
    used = model.deploy("fold").torch().double().eval()
    used.load_state_dict(model.deploy("fold").convert(net.state_dict(), dtype=None))
    weights = {name: value.numpy().copy() for name, value in net.state_dict().items()}
    assert {name: value.shape for name, value in weights.items()} == model.weights
    for way in product((True, False), repeat=len(case.optional)):
        there = {"x": given["x"], **{n: given[n] for n, yes in zip(case.optional, way, strict=True) if yes}}
        args = [torch.from_numpy(there[n]) if n in there else None for n in ("x", *case.optional)]
        for training in (True, False):
            made = case.theirs(there["x"], there.get("m"), there.get("n"), training, weights)
            wanted = list(made) if isinstance(made, tuple) else [made]
            same([y.detach() for y in flat(net.train(training)(*args))], wanted, 1e-9)
            net.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
        same([y.detach() for y in flat(used(*args))], wanted, 1e-9)
        same(in_onnx(model, net, there, tmp_path / "m.onnx", functions=False), wanted, 1e-6)
        same(in_onnx(model, net, there, tmp_path / "f.onnx", functions=True), wanted, 1e-6)
    assert "<svg" in model.diagram(depth=1).text("svg")

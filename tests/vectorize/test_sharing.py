"""Blocks as statics: shared instances, templates that allocate, and blocks of a declared type."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

import ogive
from ogive.api import Model
from ogive.compiler.driver.workspace import check_text
from ogive.compiler.ir_tools.verify import verify

TEXT = """
use std.nn (Linear, LayerNorm, BatchNorm)

block Pre[d, F: [*b, d] -> [*b, d]](x: [*b, d]) -> [*b, d]:
    return x + (x |> LayerNorm as norm |> F)

block Twice[F: block](x: [b, d]) -> [b, d]:
    return x |> F |> F

block Up[d](x: [*b, d]) -> [*b, 2 * d]:
    return x |> Linear[d, 2 * d] as up

block Shared(x: [b, 6]) -> [b, 6]:
    f = Linear[6, 6]
    return x |> Pre[6, f] as first |> Pre[6, f] as second

block Chained(x: [b, 6]) -> [b, 6]:
    f = Linear[6, 6]
    return x |> Twice[f >> relu >> f] as pair

block Deep(x: [b, 6]) -> [b, 6]:
    f = Linear[6, 6]
    x = x |> f
    return x |> Twice[Twice[f]] as deep

model SharedM = Shared
model ChainedM = Chained
model DeepM = Deep
"""
PROGRAM = ogive.source(TEXT)


def net(name: str) -> nn.Module:
    model = PROGRAM[name]
    assert isinstance(model, Model)
    torch.manual_seed(0)
    return model.torch().double()


def test_a_shared_instance_has_one_set_of_weights() -> None:
    ours, x = net("SharedM"), torch.randn(3, 6, dtype=torch.float64)
    names = set(dict(ours.named_parameters()))
    assert names == {"f.weight", "f.bias", *(f"{a}.norm.{b}" for a in ("first", "second") for b in ("weight", "bias"))}
    f = ours.get_submodule("f")
    y = x + f(torch.nn.functional.layer_norm(x, (6,)))
    torch.testing.assert_close(ours(x), y + f(torch.nn.functional.layer_norm(y, (6,))))


@pytest.mark.parametrize(("name", "times"), [("ChainedM", 4), ("DeepM", 5)])
def test_compositions_and_nested_statics_share_too(name: str, times: int) -> None:
    ours, x = net(name), torch.randn(3, 6, dtype=torch.float64)
    assert set(dict(ours.named_parameters())) == {"f.weight", "f.bias"}
    f, y = ours.get_submodule("f"), x
    for index in range(times):
        y = f(y).relu() if name == "ChainedM" and index % 2 == 0 else f(y)
    torch.testing.assert_close(ours(x), y)
    ours(x).sum().backward()
    assert ours.get_parameter("f.weight").grad is not None


def found(line: str) -> list[tuple[str, str]]:
    text = TEXT + f"\nblock Use(x: [b, 6]) -> [b, 6]:\n    norm = BatchNorm[6]\n    y = norm(x)\n    return {line}\n"
    return [(d.code, d.span.text) for d in check_text(text).diagnostics if d.severity == "error"]


def test_a_block_of_another_type_is_reported_where_it_is_given() -> None:
    assert found("y |> Pre[6, Up[6]] as pre") == [("E0301", "Up[6]")]
    assert found("y |> Pre[6, Linear[8, 6, ...]] as pre") == [("E0301", "Linear[8, 6, ...]")]
    assert found("y |> Pre[6, relu] as pre") == []
    assert found("y |> Pre[6, Linear[6, 9] >> gelu >> Linear[9, 6]] as pre") == []


# how often each model applies the one block that it holds
USES = {"EverywhereM": 9, "InsideM": 4, "NestedM": 5}
HELD = ogive.load(Path(__file__).parent / "shared.arch")


def held(name: str) -> Model:
    model = HELD[name]
    assert isinstance(model, Model)
    verify(model.ir)
    return model


@pytest.mark.parametrize(("name", "uses"), USES.items())
def test_states_and_loops_are_shared_too(name: str, uses: int) -> None:
    torch.manual_seed(0)
    ours = held(name).torch().double()
    state = ours.state_dict()
    assert set(state) == {path for path in held(name).weights if ".f." in f".{path}"}
    ours(torch.randn(3, 4, dtype=torch.float64)).sum().backward()
    for path, value in state.items():
        if path.endswith(("seen", "turns")):
            assert value.tolist() == [float(uses)] * 4, path
    assert all(weight.grad is not None for weight in ours.parameters())


def test_a_shared_instance_is_one_module_in_python() -> None:
    torch.manual_seed(0)
    ours, x = held("EverywhereM").torch().double().eval(), torch.randn(3, 4, dtype=torch.float64)
    f = ours.get_submodule("f")
    y = f(x)
    for _ in range(4):
        y = f(y)
    z = f(f(y) + y) + y
    mean = torch.stack([ours.get_parameter(f"f.h.{iteration}.lin.weight") for iteration in range(2)]).mean()
    torch.testing.assert_close(ours(x), f(f(y.relu())) + z * mean)


@pytest.mark.parametrize("name", [*USES, "NormM", "SpreadM"])
def test_they_deploy_and_export(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = held(name)
    ours, x = model.torch(), torch.randn(3, 4)
    ours(x)
    ours.eval()
    there = model.deploy("fold")
    verify(there.ir)
    there.verify(ours)
    for functions in (False, True):
        path = tmp_path / f"{functions}.onnx"
        model.onnx(path, weights=ours, functions=functions)
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        (y,) = session.run(None, {"x": x.numpy()})
        np.testing.assert_allclose(y, ours(x).detach().numpy(), rtol=1e-3, atol=1e-4)

"""Complex weights follow the float type of a module, and are the same in files of weights and in ONNX."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import ogive
from ogive.backends.compared.inputs import in_type
from ogive.backends.onnx_model.export import Settings
from ogive.backends.onnx_model.verify import compared

BODIES = {
    "scalar": "    param w: complex[] = normal\n    return x * w",
    "matrix": "    param w: complex[4, 4] = normal\n    param c: complex[4] = zeros\n    return x @ w + c",
    "state": "    state s: complex[4] = ones\n    update s = 0.5 * s\n    return x * s",
    "own": "    repeat 2 as h:\n        param w: complex[4, 4] = normal\n        x = x + x @ w\n    return x",
    "common": "    param w: complex[4] = normal\n    repeat 2:\n        x = x * w + w\n    return x",
    "inside": "    return x |> L as first |> L as second",
}
CODES = {
    **{name: f"block F(x: complex[b, 4]) -> complex[b, 4]:\n{body}\n" for name, body in BODIES.items()},
    "table": "block F(i: int[b]) -> complex[b, 4]:\n    param w: complex[9, 4] = normal\n    return take[0](w, i)\n",
    "transform": "block F(x: [b, 8]) -> [b, 8]:\n    param w: complex[5] = normal\n"
    "    return irfft[axes=[-1], sizes=[8]](rfft[axes=[-1]](x) * w)\n",
    "mixed": "block F(x: [b, 4]) -> complex[b, 4]:\n    param w: complex[4] = normal\n    param v: [4] = normal\n"
    "    return complex(x * v, x) * w\n",
}
INNER = "block L(x: complex[b, 4]) -> complex[b, 4]:\n    param w: complex[4, 4] = normal\n    return x @ w\n"
MOVES: dict[str, tuple[Callable[[nn.Module], nn.Module], torch.dtype]] = {
    "double": (lambda net: net.double(), torch.complex128),
    "to": (lambda net: net.to(torch.float64), torch.complex128),
    "half": (lambda net: net.half(), torch.complex64),
    "bfloat16": (lambda net: net.to(dtype=torch.bfloat16), torch.complex64),
    "back": (lambda net: net.double().float(), torch.complex64),
    "meta": (lambda net: net.double().to("meta"), torch.complex128),
    "strides": (lambda net: net.to(memory_format=torch.channels_last), torch.complex64),  # type: ignore[call-overload]
    "shared": (lambda net: net.share_memory(), torch.complex64),
}


def made(name: str) -> tuple[ogive.Model, nn.Module]:
    model = ogive.source(INNER + CODES[name] + "model M = F\n").models["M"]
    torch.manual_seed(0)
    return model, model.torch()


def pairs(net: nn.Module) -> dict[str, Tensor]:
    return {path: weight for path, weight in net.state_dict().items() if weight.is_complex()}


@pytest.mark.parametrize("name", CODES)
def test_they_follow_the_module(name: str) -> None:
    model, net = made(name)
    before = {path: weight.clone() for path, weight in pairs(net).items()}
    for move, kind in MOVES.values():
        moved = model.torch()
        moved.load_state_dict(net.state_dict())
        own = list(moved.parameters())
        move(moved)
        after = pairs(moved)
        assert after.keys() == before.keys()
        for path, weight in after.items():
            assert weight.dtype is kind
            assert weight.shape == before[path].shape
            assert weight.is_meta or weight.to(torch.complex64).equal(before[path])
        if not any(weight.is_meta for weight in after.values()):
            assert list(map(id, moved.parameters())) == list(map(id, own))  # as optimizers know them
    net.double()
    (value,) = model.ir.definition.graph.inputs
    x = torch.randint(9, (3,)) if value.type.elem == "int" else torch.randn(3, 8 if name == "transform" else 4)
    wide = in_type(x.to(torch.complex64) if value.type.elem == "complex" else x, torch.float64)
    y = net(wide)
    assert y.dtype in (torch.complex128, torch.float64)
    if y.requires_grad:
        y.abs().sum().backward()
    net.float()
    assert all(p.grad is None or p.grad.dtype is p.dtype for p in net.parameters())


@pytest.mark.parametrize("dtype", ["f32", "f64"])
@pytest.mark.parametrize("name", CODES)
def test_files_hold_them(name: str, dtype: str, tmp_path: Path) -> None:
    model, net = made(name)
    net = net.double() if dtype == "f64" else net
    model.save_weights(tmp_path / "w.safetensors", net)
    again = model.torch().double() if dtype == "f64" else model.torch()
    with torch.no_grad():
        for weight in again.parameters():
            weight.zero_()
    again.load_state_dict(model.load_weights(tmp_path / "w.safetensors"))
    assert all(weight.equal(again.state_dict()[path]) for path, weight in net.state_dict().items())
    model.onnx(tmp_path / "a.onnx", net)
    model.onnx(tmp_path / "b.onnx", tmp_path / "w.safetensors")
    for file in ("a.onnx", "b.onnx"):
        report = compared(model.ir, tmp_path / file, net, Settings())
        assert report.faults == []
        assert not report.missed
        assert max(run.largest for run in report.runs) < (1e-12 if dtype == "f64" else 1e-5)

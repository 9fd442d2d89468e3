"""Weights of code that nothing needs keep their places: modules build and load, their state dict is `model.weights`."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import onnxruntime
import pytest
import torch

import ogive
from ogive.compiler.ir_tools.verify import verify
from ogive.compiler.passes.pipelines.lowering import lowered
from pytorch.dead_programs import program

LAYER = "|> Linear[4, 4] as lin"
MANY = 'x |> expand["b d -> 3 b d"]'
BODIES = {
    "repeat": f"y = x\nrepeat 3 as h:\n    y = y {LAYER}",
    "repeat without a name": f"y = x\nrepeat 3:\n    y = y {LAYER}",
    "repeat in repeat": f"repeat 3 as h:\n    z = x\n    repeat 2 as k:\n        z = z {LAYER}\n    x = x + 1",
    "repeat beside another": f"repeat 2 as h:\n    x = x {LAYER}\nz = x\nrepeat 2 as h2:\n    z = z {LAYER}",
    "nested, all of it": f"z = x\nrepeat 3 as h:\n    repeat 2 as k:\n        param w: [4]\n        z = z {LAYER}\n"
    "    z = z * w2",
    "collected": f"repeat 3 as h:\n    yield zs = x {LAYER}",
    "collected beside what is needed": f"repeat 3 as h:\n    x = x {LAYER}\n    yield zs = x |> Linear[4, 4] as side",
    "no iteration": f"repeat 0 as h:\n    x = x {LAYER}",
    "a line of an iteration": f"repeat 3 as h:\n    y = x {LAYER}\n    x = x + 1",
    "weights of iterations": "repeat 3 as h:\n    param w: [4]\n    state s: [4] = zeros\n    x = x + 1",
    "scan": f"scan t in x along b carry s = zeros[4]:\n    s = s + (t {LAYER})",
    "each": f"y = ({MANY}) |> each[0, Linear[4, 4, ...]] as e",
    "each of loops": f"y = ({MANY}) |> each[0, Deep] as e",
    "each of unneeded loops": f"y = ({MANY}) |> each[0, Half] as e\nx = sum[0](y)",
    "each of unneeded each": f"y = ({MANY}) |> each[0, Inner] as e\nx = sum[0](y)",
    "each in repeat": f"y = {MANY}\nrepeat 2 as h:\n    y = y |> each[0, Linear[4, 4, ...]] as e",
    "each in an iteration": f"repeat 2 as h:\n    y = ({MANY}) |> each[0, Deep] as e\n    x = x + 1",
    "over": "y = over[b, Row](x)",
    "over of unneeded loops": "x = over[b, RowHalf](x)",
    "grad": "y = grad[Energy](x)",
    "custom_grad": "y = custom_grad[Deep, Back](x)",
    "while training": f"if training:\n    y = x\n    repeat 3 as h:\n        y = y {LAYER}",
    "where given": f"if given(m):\n    y = m\n    repeat 3 as h:\n        y = y {LAYER}\n    x = x * m",
    "where given, handed on": "if given(m):\n    y = m |> Half as half\nif given(y):\n    z = y |> Deep as deep",
    "blocks": "y = x |> Deep as deep\nx = x |> Half as half",
    "stages": "for i in range(2) as stages:\n    y = x |> Deep as deep\n    x = x |> Half as half",
    "stages of loops": f"for i in range(2) as stages:\n    y = x\n    repeat 2 as h:\n        y = y {LAYER}",
    "handed": "y = x |> Take[F=Linear[4, 4]] as t",
    "shared": "f = Deep[]\ny = x |> Take[F=f] as t",
    "not applied": "f = Linear[4, 4]\nparam w: [3]\nstate s: [2] = zeros",
    "constrained": "repeat 2 as h:\n    param w: [4] = ones keep relu\n    y = x * w\ninit h.w = constant[2]",
    "supplied": "f = Linear[4, 4]\ny = f(x, weight=f.weight * 2)\nz = x @ f.weight",
    "normed": "y = x |> BatchNorm[4] as bn\nrepeat 2 as h:\n    y = y |> BatchNorm[4] as bn",
}
BLOCKS = """
block Row(x: [4]) -> [4]:
    return x |> Linear[4, 4] as lin
block RowHalf(x: [4]) -> [4]:
    y = x |> Linear[4, 4] as lin
    repeat 2 as h:
        y = y |> Linear[4, 4] as lin
    return x + 1
block Energy(x: [b, 4]) -> []:
    return sum(x |> Deep as deep)
block Deep(x: [b, 4]) -> [b, 4]:
    repeat 2 as h:
        x = x |> Linear[4, 4] as lin
    return x
block Half(x: [b, 4]) -> [b, 4]:
    y = x
    repeat 2 as h:
        y = y |> Deep as deep
    return x |> Linear[4, 4] as out
block Inner(x: [b, 4]) -> [b, 4]:
    y = (x |> expand["b d -> 5 b d"]) |> each[0, Half] as e
    return x |> Linear[4, 4] as out
block Back(x: [b, 4], g: [b, 4]) -> [b, 4]:
    return g |> Half as half
block Take[F: [*b, 4] -> [*b, 4]](x: [*b, 4]) -> [*b, 4]:
    y = F(x)
    return x + 1
"""


def model(name: str) -> Any:
    lines = [*BODIES[name].rstrip("\n").split("\n"), "return x"]
    if "w2" in BODIES[name]:
        lines.insert(0, "param w2: [4]")
    body = "".join(f"    {line}\n" for line in lines)
    head = "use std.nn (BatchNorm, Linear)\n" + BLOCKS
    return ogive.source(f"{head}block Main(x: [b, 4], m: [b, 4]?) -> [b, 4]:\n{body}\nmodel M = Main\n").models["M"]


@pytest.mark.parametrize("name", BODIES)
def test_they_keep_their_places(name: str, tmp_path: Path) -> None:
    found = model(name)
    assert found.weights or "iteration" in name
    keep_their_places(found, tmp_path)


@pytest.mark.parametrize("seed", [*range(12), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(12, 200))])
def test_those_of_any_regions_keep_their_places(seed: int, tmp_path: Path) -> None:
    text = program(seed)
    keep_their_places(ogive.source(text).models["M"], tmp_path, refused="custom_grad" in text and "grad[" in text)


def keep_their_places(found: Any, tmp_path: Path, *, refused: bool = False) -> None:
    """Modules, files, ONNX and folded models of a program hold and give the same; ONNX may be `refused`."""
    verify(found.ir)
    verify(lowered(found.ir))
    net = found.torch()
    assert {path: tuple(w.shape) for path, w in net.state_dict().items()} == found.weights
    assert sum(w.numel() for w in net.parameters()) == found.parameters
    x = torch.randn(5, 4)
    wanted = net.eval()(x)
    found.save_weights(tmp_path / "m.safetensors", net)
    net.load_state_dict(found.load_weights(tmp_path / "m.safetensors"))
    other = written(found, tmp_path).M().eval()
    other.load_state_dict(net.state_dict())
    torch.testing.assert_close(other(x), wanted)
    other.train()(x)
    try:
        found.onnx(tmp_path / "m.onnx", weights=net)
    except ogive.ArchError as fault:
        assert refused
        assert "`grad` through `custom_grad`" in str(fault)
        return
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx", providers=["CPUExecutionProvider"])
    (made,) = session.run(None, {"x": x.numpy()})
    torch.testing.assert_close(torch.from_numpy(made), wanted.detach(), rtol=1e-4, atol=1e-5)
    folded = found.deploy("fold")
    verify(folded.ir)
    assert folded.verify(net).relative < 1e-6
    assert found.summary()
    assert "<svg" in found.diagram(depth=2).text("svg")


def written(found: Any, folder: Path) -> Any:
    """The emitted file as a module."""
    (folder / "emitted.py").write_text(found.torch_source())
    spec = importlib.util.spec_from_file_location("emitted", folder / "emitted.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module

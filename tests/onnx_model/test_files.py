"""Files: whole or not at all, heavy weights beside the model, weights from anywhere, and the command line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from click.testing import CliRunner

import ogive
from ogive.api import Model
from ogive.backends.onnx_model.export import Settings, exported
from ogive.backends.onnx_model.serialize import write as writing
from ogive.backends.onnx_model.serialize.external_data import arrays, of_file
from ogive.cli import cli
from ogive.grammar.diagnostics import ArchError
from onnx_model.harness import array, difference

EXAMPLES = Path(__file__).parents[2] / "examples"
GPT2 = f"{EXAMPLES / 'gpt2.arch'}:Tiny"
IDS = torch.randint(64, (2, 5), generator=torch.Generator().manual_seed(0))


@pytest.fixture
def gpt2() -> Model:
    return ogive.load(EXAMPLES / "gpt2.arch").models["Tiny"]


def run(path: Path) -> np.ndarray:
    """What ONNX Runtime makes of the file."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    found: np.ndarray = session.run(None, {"ids": array(IDS)})[0]
    return found


def test_weights_come_from_modules_mappings_and_files_alike(gpt2: Model, tmp_path: Path) -> None:
    net = gpt2.torch()
    gpt2.save_weights(tmp_path / "w.safetensors", net)
    sources: tuple[Any, ...] = (net, net.state_dict(), tmp_path / "w.safetensors", arrays(net))
    for number, weights in enumerate(sources):
        assert gpt2.onnx(tmp_path / f"{number}.onnx", weights) == (tmp_path / f"{number}.onnx",)
    first, *others = ((tmp_path / f"{number}.onnx").read_bytes() for number in range(len(sources)))
    assert all(other == first for other in others)


def test_heavy_weights_stand_beside_the_model(gpt2: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    net = gpt2.torch().eval()
    gpt2.onnx(tmp_path / "light.onnx", net)
    monkeypatch.setattr(writing, "HEAVY", 0)
    heard: list[tuple[int, int]] = []
    files = gpt2.onnx(tmp_path / "heavy.onnx", net, progress=lambda done, total: heard.append((done, total)))
    assert files == (tmp_path / "heavy.onnx", tmp_path / "heavy.onnx.data")
    assert heard == sorted(heard)
    assert heard[-1][0] == heard[-1][1] > 0
    onnx.checker.check_model(str(tmp_path / "heavy.onnx"), full_check=True)
    np.testing.assert_array_equal(run(tmp_path / "heavy.onnx"), run(tmp_path / "light.onnx"))
    graph = onnx.load(tmp_path / "heavy.onnx", load_external_data=False).graph
    outside = {tensor.name for tensor in graph.initializer if tensor.external_data}
    assert outside >= {"wte.weight", "h.0.mlp.c_fc.weight"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["heavy.onnx", "heavy.onnx.data", "light.onnx"]


def test_a_failure_leaves_what_was_there(gpt2: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "m.onnx"
    target.write_bytes(b"old")
    monkeypatch.setattr(writing, "HEAVY", 0)

    def fail(done: int, total: int) -> None:
        if done > total // 2:
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        gpt2.onnx(target, gpt2.torch(), progress=fail, force=True)
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["m.onnx"]


def test_bfloat16_is_read_without_torch(tmp_path: Path) -> None:
    model = ogive.load(EXAMPLES / "mlp.arch").models["Tiny"]
    net = model.torch().bfloat16()
    model.save_weights(tmp_path / "w.safetensors", net)
    found = dict(of_file(tmp_path / "w.safetensors"))
    for path, tensor in net.state_dict().items():
        np.testing.assert_array_equal(found[path].astype(np.float32), tensor.float().numpy())
    proto = exported(model.ir, found, Settings()).proto
    assert proto.graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.BFLOAT16


@pytest.mark.parametrize("text", [b"", b"\xff" * 40, b"\2\0\0\0\0\0\0\0[]", b'\x08\0\0\0\0\0\0\0{"a": 1}'])
def test_what_is_no_file_of_weights_is_refused(gpt2: Model, tmp_path: Path, text: bytes) -> None:
    (tmp_path / "w.safetensors").write_bytes(text)
    with pytest.raises(ArchError, match=r"E082[12]"):
        gpt2.onnx(tmp_path / "m.onnx", tmp_path / "w.safetensors")
    assert not (tmp_path / "m.onnx").exists()


def test_a_weight_too_few_is_named(gpt2: Model, tmp_path: Path) -> None:
    state = gpt2.torch().state_dict()
    del state["h.1.mlp.c_fc.bias"]
    with pytest.raises(ArchError, match=r"h\.1\.mlp\.c_fc\.bias"):
        gpt2.onnx(tmp_path / "m.onnx", state)


def test_the_command_line_builds_and_verifies(tmp_path: Path) -> None:
    out = tmp_path / "m.onnx"
    result = CliRunner().invoke(cli, ["build", GPT2, "-o", str(out), "--verify", "-s", "b=2", "--functions"])
    assert result.exit_code == 0, result.output
    assert "torch and ONNX Runtime differ by at most" in result.output
    proto = onnx.load(out)
    assert proto.functions
    assert proto.graph.input[0].type.tensor_type.shape.dim[0].dim_value == 2
    assert run(out).shape == (2, 5, 64)


def test_the_command_line_takes_weights(gpt2: Model, tmp_path: Path) -> None:
    net = gpt2.torch().eval()
    gpt2.save_weights(tmp_path / "w.safetensors", net)
    out = tmp_path / "m.onnx"
    result = CliRunner().invoke(cli, ["build", GPT2, "-o", str(out), "--weights", str(tmp_path / "w.safetensors")])
    assert result.exit_code == 0, result.output
    with torch.no_grad():
        assert difference(run(out), array(net(IDS))) < 1e-5


def test_what_is_asked_on_the_command_line(tmp_path: Path) -> None:
    """Outputs have the names of the source, though values inside have them too."""
    source, out = tmp_path / "m.arch", tmp_path / "m.onnx"
    source.write_text("""
block F(x: [b, n], mask: [b, n]?) -> (y: [b, n], z: [b, n]?):
    y = x * 2
    if given(mask):
        y = y * mask
    tap p = softmax[n](y)
    return y, p
model M = F
""")
    args = ["--verify", "--optional", "mask", "--taps", "--dtype", "f16"]
    result = CliRunner().invoke(cli, ["build", f"{source}:M", "-o", str(out), *args])
    assert result.exit_code == 0, result.output
    graph = onnx.load(out).graph
    assert [value.name for value in graph.input] == ["x", "mask"]
    assert [value.name for value in graph.output] == ["y", "z", "taps/p"]
    assert {value.type.tensor_type.elem_type for value in graph.output} == {onnx.TensorProto.FLOAT16}
    found = re.findall(r"differ by at most (\S+) at \S+ \S+, on inputs that are (\w+)", result.output)
    worst = {kind: float(number) for number, kind in found}
    assert max(worst.values()) > 0
    assert max(number for kind, number in worst.items() if kind != "offset") < 4 * 2**-11
    assert worst["offset"] < 1 / 8  # a half has steps of 1/4 there, of which softmax takes the exponential


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["-s", "z=2"], "has no size z; it has b, n"),
        (["-s", "b=0"], "whole number from 1 on"),
        (["-s", "n=17"], "break `n <= context`"),
        (["--opset", "7"], "opset 7 is not written, but 20 to 26"),
        (["--optional", "mask"], "there is no optional input mask: it has no optional inputs"),
        (["--dtype", "f12"], "no float type f12"),
        (["--functions", "--taps"], "taps cannot leave functions"),
    ],
)
def test_mistakes_are_said(tmp_path: Path, args: list[str], said: str) -> None:
    result = CliRunner().invoke(cli, ["build", GPT2, "-o", str(tmp_path / "m.onnx"), *args])
    assert result.exit_code in (1, 2)
    assert said in result.output
    assert not list(tmp_path.iterdir())

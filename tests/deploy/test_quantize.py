"""`quantize`: numbers on steps, the same in torch and in ONNX Runtime, with its optimizations and without."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from click.testing import CliRunner
from onnx import ModelProto, numpy_helper
from safetensors.torch import save_file
from torch import Tensor, nn

import ogive
from analysis.measured import drawn, sizes_of
from analysis.test_groups import model_of, small, stirred
from ogive.cli import cli
from ogive.compiler.ir_tools.verify import verify
from ogive.model import DeployedModel
from sampled import sampled


def square(body: str, rows: int) -> ogive.Model:
    """A block that gives so many numbers."""
    text = f"use std.nn (Linear)\n\nblock Net(x: [b, 3]) -> [b, {rows}]:\n{body}\nmodel M = Net\n"
    return ogive.source(text).models["M"]


NET = "use std.nn (Linear)\n\nblock Net(x: [b, 3]) -> [b, 2]:\n{body}\nmodel M = Net\n"
TWO = "    return x |> Linear[3, 8] as up |> gelu |> Linear[8, 2] as down\n"
LOOP = (
    "    x = x |> Linear[3, 4] as stem\n    repeat 3 as h:\n"
    "        x = x + (x |> Linear[4, 8] as up |> silu |> Linear[8, 4] as down)\n    return x |> Linear[4, 2] as head\n"
)
PLAIN = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
BEST = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL


def given(model: ogive.Model) -> dict[str, Tensor]:
    """Data for a model."""
    inputs = drawn(model.ir, next(sizes_of(model.ir, (2, 8, 64, 16, 1, 128))))
    return {value.name: x for value, x in zip(model.ir.definition.graph.inputs, inputs, strict=True)}


def steps_of(name: str, option: str = "") -> tuple[ogive.Model, nn.Module, dict[str, Tensor], DeployedModel]:
    """A model, its module, data, and the model after the pass."""
    model = model_of(name)
    net, data = stirred(model).float(), given(model)
    made = model.deploy(f"quantize{option}", weights=net, data=data)
    verify(made.ir)
    return model, net, data, made


def module_of(made: DeployedModel, net: nn.Module) -> nn.Module:
    found = made.torch()
    found.load_state_dict(made.convert(net))
    return found.eval()


def ran(file: Path, inputs: Sequence[Tensor], level: Any) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level, options.log_severity_level = level, 4
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]
    found: np.ndarray = session.run(None, {n: x.numpy() for n, x in zip(names, inputs, strict=True)})[0]
    return found


def snapped(weight: np.ndarray, axis: int) -> np.ndarray:
    """A weight on steps of its channels, by numpy."""
    top = np.abs(weight).max(axis=tuple(at for at in range(weight.ndim) if at != axis), keepdims=True)
    step = np.maximum(top / 127, 1e-30)
    found: np.ndarray = np.clip(np.rint(weight / step), -127, 127) * step
    return found


@pytest.mark.parametrize(
    "name", sampled(["vit", "resnet", "unet", "gpt2", "swin", "mobilenet_v2", "moe", "convnext", "densenet"], 4)
)
def test_runtimes_compute_what_torch_does(name: str, tmp_path: Path) -> None:
    """Each weight of a map is in bytes; optimizations of the runtime lose nothing more."""
    _, net, data, made = steps_of(name)
    inputs = list(data.values())
    with torch.no_grad():
        exact, ours = net(*inputs), module_of(made, net)(*inputs)
    exact, ours = (y if isinstance(y, Tensor) else y[0] for y in (exact, ours))
    file = tmp_path / "steps.onnx"
    made.onnx(file, made.convert(net))
    plain, best = (ran(file, inputs, level) for level in (PLAIN, BEST))
    lost = [float(np.sqrt(np.square(y - exact.numpy()).mean())) for y in (ours.numpy(), plain, best)]
    assert lost[1] == pytest.approx(lost[0], rel=0.05, abs=1e-7)
    assert lost[2] <= 1.2 * lost[1] + 1e-7
    assert lost[0] < 0.1 * float(exact.std())
    assert maps_in_floats(onnx.load(file)) == []


def maps_in_floats(proto: ModelProto) -> list[str]:
    """The maps that read a weight as floats."""
    weights = {tensor.name for tensor in proto.graph.initializer if tensor.data_type == onnx.TensorProto.FLOAT}
    behind = {"Transpose", "Reshape", "Slice", "Gather", "Squeeze", "Unsqueeze"}
    for node in proto.graph.node:
        if node.op_type in behind and node.input[0] in weights:
            weights.update(node.output)
    maps = ("Conv", "ConvTranspose", "MatMul", "Gemm")
    return [n.name for n in proto.graph.node if n.op_type in maps and {*n.input[:2]} & weights]


@pytest.mark.parametrize("name", ["resnet", "gpt2"])
def test_of_weights_alone_it_is_the_folded_model_with_weights_on_steps(name: str) -> None:
    model, net, data, made = steps_of(name, "[activations=false]")
    folded = model.deploy("fold")
    state = folded.convert(net, dtype=None)
    scales = {path.removesuffix("_scale") for path in made.weights if path.endswith(".weight_scale")}
    assert scales
    for path in scales & state.keys():
        state[path] = torch.from_numpy(snapped(state[path].numpy(), 0))
    wanted, found = folded.torch(dtype="f64"), made.torch(dtype="f64")
    wanted.load_state_dict(state)
    found.load_state_dict(made.convert(net, dtype=None))
    inputs = [x.double() if x.is_floating_point() else x for x in data.values()]
    with torch.no_grad():
        a, b = wanted.eval()(*inputs), found.eval()(*inputs)
    assert float((a - b).abs().max()) <= 1e-10 * max(1.0, float(a.abs().max()))


def test_halves_go_to_even_numbers_as_in_numpy_and_in_the_runtime(tmp_path: Path) -> None:
    """Bit for bit: 0.5 -> 0, 1.5 -> 2, 2.5 -> 2; and all else inside is at most half a step off, 0 not at all."""
    model = square("    return x |> Linear[3, 3, bias=false] as map\n", 3)
    net: Any = model.torch()
    with torch.no_grad():
        net.map.weight.copy_(torch.eye(3) * 127)
    low = torch.tensor([[-100.0, 0.0, 155.0]])
    made = model.deploy("quantize", weights=net, data={"x": low})
    state = made.convert(net)
    assert float(state["map.input_scale"]) == 1.0
    assert float(state["map.input_zero"]) == 100.0
    x = torch.cat(
        [torch.tensor([[0.5, 1.5, 2.5], [-0.5, -1.5, -2.5], [0.0, 1000.0, -1000.0]]), torch.randn(50, 3) * 20]
    )
    wanted = (np.clip(np.rint(x.numpy()) + 100, 0, 255) - 100) * 127
    file = tmp_path / "halves.onnx"
    made.onnx(file, state)
    module = made.torch()
    module.load_state_dict(state)
    with torch.no_grad():
        assert np.array_equal(module(x).numpy(), wanted)
    for level in (PLAIN, BEST):
        assert np.array_equal(ran(file, [x], level), wanted)
    inside = x.numpy()[3:]
    assert np.abs(wanted[3:] / 127 - inside).max() <= 0.5
    assert wanted[2, 0] == 0


def test_uniform_numbers_lose_what_the_number_of_bits_says() -> None:
    """The ratio of signal to noise is 6.02 dB for each bit: 48.1 of 8."""
    model = square("    return x |> Linear[3, 3, bias=false] as map\n", 3)
    net: Any = model.torch(dtype="f64")
    with torch.no_grad():
        net.map.weight.copy_(torch.eye(3))
    x = torch.rand(20000, 3, dtype=torch.double) * 2 - 1
    x[0], x[1] = -1, 1
    made = model.deploy("quantize", weights=net, data={"x": x})
    module = made.torch(dtype="f64")
    module.load_state_dict(made.convert(net, dtype=None))
    with torch.no_grad():
        noise = module(x) - x
    ratio = 10 * math.log10(float(x.square().mean() / noise.square().mean()))
    assert ratio == pytest.approx(6.02 * 8, abs=0.15)


def test_products_of_integers_are_those_of_numbers_on_steps(tmp_path: Path) -> None:
    """(X - zx)(W - zw) = XW - zx colsum(W) - zw rowsum(X) + K zx zw, of the integers that the file holds."""
    model = square("    return x |> Linear[3, 5, bias=false] as map\n", 5)
    net, x = model.torch(), torch.randn(7, 3)
    made = model.deploy("quantize", weights=net, data={"x": x})
    file = tmp_path / "product.onnx"
    made.onnx(file, made.convert(net))
    held = {t.name: numpy_helper.to_array(t).astype(np.int64) for t in onnx.load(file).graph.initializer}
    floats = {t.name: numpy_helper.to_array(t) for t in onnx.load(file).graph.initializer}
    w, zw, zx = held["map.weight"].T, 128, int(held["map.input_zero"])
    xq = np.clip(np.rint(x.numpy() / floats["map.input_scale"]) + zx, 0, 255).astype(np.int64)
    product = xq @ w - zx * w.sum(0) - zw * xq.sum(1, keepdims=True) + 3 * zx * zw
    assert np.array_equal(product, (xq - zx) @ (w - zw))
    wanted = product * floats["map.input_scale"] * floats["map.weight_scale"]
    np.testing.assert_allclose(ran(file, [x], BEST), wanted, rtol=1e-5, atol=1e-6)


def test_what_is_moved_or_laid_together_has_the_same_steps() -> None:
    body = (
        "    u = x |> Linear[3, 4] as a\n    v = x |> gelu |> Linear[3, 4] as b\n"
        '    y = concat[-1](u, v) |> rearrange["b (n k) -> b (k n)", n=2]\n    return y |> Linear[8, 2] as down\n'
    )
    model = small(body)
    net = model.torch()
    made = model.deploy("quantize", weights=net, data={"x": torch.randn(9, 3)})
    shared = [path for path in made.weights if path.endswith("_scale") and ".weight" not in path]
    assert sorted(shared) == ["a.input_scale", "a.output_scale", "b.input_scale"]


def test_each_iteration_has_steps_of_its_own() -> None:
    model = small(LOOP)
    net = stirred(model).float()
    data = {"x": torch.randn(20, 3)}
    made = model.deploy("quantize", weights=net, data=data)
    state = made.convert(net)
    scales = [float(state[f"h.{turn}.up.input_scale"]) for turn in range(3)]
    assert len(set(scales)) == 3
    assert state["h.1.down.weight_scale"].shape == (4,)
    # the span that the second iteration reads is that of the source
    seen: list[Tensor] = []
    net.h[1].up.register_forward_pre_hook(lambda _, args: seen.append(args[0]))  # type: ignore[index,union-attr]
    with torch.no_grad():
        net(*data.values())
    span = max(float(seen[0].max()), 0.0) - min(float(seen[0].min()), 0.0)
    assert scales[1] == pytest.approx(span / 255, rel=1e-5)


def test_maps_that_are_kept_stay_in_floats(tmp_path: Path) -> None:
    model = small(TWO)
    net = model.torch()
    made = model.deploy("quantize[keep=[up]]", weights=net, data={"x": torch.randn(5, 3)})
    assert {path for path in made.weights if path.endswith("_scale")} == {"down.input_scale", "down.weight_scale"}
    file = tmp_path / "kept.onnx"
    made.onnx(file, made.convert(net))
    assert len(maps_in_floats(onnx.load(file))) == 1


def test_files_are_a_quarter_as_large(tmp_path: Path) -> None:
    model = square("    return x |> Linear[3, 500] as up |> relu |> Linear[500, 700] as down\n", 700)
    net = model.torch()
    made = model.deploy("quantize", weights=net, data={"x": torch.randn(4, 3)})
    model.onnx(tmp_path / "floats.onnx", net)
    made.onnx(tmp_path / "bytes.onnx", made.convert(net))
    before, after = ((tmp_path / f"{name}.onnx").stat().st_size for name in ("floats", "bytes"))
    assert before > 1_000_000
    assert after <= 0.30 * before


@pytest.mark.parametrize(
    ("call", "data", "code", "said"),
    [
        ("quantize", None, "E0810", "`quantize` needs data: --data FILE with x"),
        ("quantize", {"y": torch.ones(2, 3)}, "E0810", "needs x in the data"),
        ("quantize", {"x": torch.ones(2, 4)}, "E0810", "not 4"),
        ("quantize[to=torchao]", {"x": torch.ones(2, 3)}, "E0810", "`quantize[to=torchao]` is not written"),
        ("quantize[to=onx]", {"x": torch.ones(2, 3)}, "E0810", "did you mean `onnx`?"),
        ("quantize[tolerance=-1]", {"x": torch.ones(2, 3)}, "E0810", "`tolerance` of `quantize` is a share"),
        ('quantize[keep="*"]', {"x": torch.ones(2, 3)}, "E0811", "nothing of M is quantized"),
    ],
)
def test_refusals(call: str, data: dict[str, Tensor] | None, code: str, said: str) -> None:
    model = small(TWO)
    with pytest.raises(ogive.ArchError) as caught:
        model.deploy(call, weights=model.torch(), data=data)
    assert caught.value.diagnostics[0].code == code
    assert said in str(caught.value)


def test_what_is_lost_is_told_and_written_only_where_it_may_be(tmp_path: Path) -> None:
    model, target = small(TWO), f"{tmp_path / 'net.arch'}:M"
    (tmp_path / "net.arch").write_text(NET.format(body=TWO))
    weights, data, out = tmp_path / "w.safetensors", tmp_path / "x.safetensors", tmp_path / "q.onnx"
    model.save_weights(weights, stirred(model).float())
    save_file({"x": torch.randn(16, 3)}, data)
    args = ["build", target, "--weights", str(weights), "--data", str(data), "-o", str(out), "--recipe"]

    def asked(*more: str) -> Any:
        return CliRunner().invoke(cli, [*args, *more], prog_name="ogive", catch_exceptions=False)

    refused = asked("quantize")
    assert refused.exit_code == 1
    assert "quantize is lossy" in refused.output
    assert "--allow-lossy" in refused.output
    assert not out.exists()
    assert asked("quantize[tolerance=1e-6]").exit_code == 1
    assert asked("quantize[tolerance=0.5]").exit_code == 0
    assert asked("quantize", "--allow-lossy", "--force").exit_code == 0
    deploy = ["deploy", target, "--weights", str(weights), "--data", str(data), "-o", str(tmp_path / "q.py")]
    deploy += ["--pass", "quantize", "--report"]
    assert CliRunner().invoke(cli, deploy, catch_exceptions=False).exit_code == 1
    done = CliRunner().invoke(cli, [*deploy, "--allow-lossy"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "8 bits, a scale for each of" in done.output


@pytest.mark.parametrize(("zero", "scale", "pairs"), [(3.0, 0.5, 1), (0.5, 0.5, 0), (300.0, 0.5, 0), (3.0, -0.5, 0)])
def test_formulas_by_hand_are_pairs_only_where_bytes_can_say_them(
    zero: float, scale: float, pairs: int, tmp_path: Path
) -> None:
    body = (
        "    state scale: [] = ones\n    state zero: [] = zeros\n"
        "    return (clamp[0, 255](round(x / scale) + zero) - zero) * scale\n"
    )
    model = square(body, 3)
    state = {"scale": torch.tensor(scale), "zero": torch.tensor(zero)}
    model.onnx(tmp_path / "hand.onnx", state)
    ops = [node.op_type for node in onnx.load(tmp_path / "hand.onnx").graph.node]
    assert ops.count("QuantizeLinear") == pairs
    net = model.torch()
    net.load_state_dict(state)
    x = torch.randn(20, 3) * 10
    with torch.no_grad():
        np.testing.assert_allclose(ran(tmp_path / "hand.onnx", [x], BEST), net(x).numpy(), rtol=1e-6, atol=1e-6)

"""Graphs of ONNX become programs: scopes and functions are blocks; what nobody can trust is refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from click.testing import CliRunner
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

import ogive
from importing import networks
from ogive.cli import cli

NET = """
ogive 1
use std.nn (LayerNorm, Linear)

block Layer[d](x: [b, n, d]) -> [b, n, d]:
    y = x |> LayerNorm[d] as norm |> Linear[d, 4*d] as up |> gelu |> Linear[4*d, d] as down
    return x + y

block NetBlock[d, hidden, context, depth](x: [b, n, d]) -> [b, n, hidden]
where n <= context:
    param table: [context, d] = normal[std=0.02]
    return (x + table[:n]) |> repeat[depth, Layer[d, ...]] as layers |> Linear[d, hidden] as head

model Net = NetBlock[d=16, hidden=10, context=128, depth=3]
"""


def blocks(text: str) -> str:
    return text[text.index("block ") :]


def test_our_own_exports_come_back(tmp_path: Path) -> None:
    """With `--functions` the blocks of the source are those of the import, to the letter."""
    program = ogive.source(NET)
    model = program.models["Net"]
    model.onnx(tmp_path / "net.onnx", functions=True)
    found = ogive.from_onnx(tmp_path / "net.onnx")
    assert blocks(found.text) == blocks(NET)
    assert set(found.model.weights) == set(model.weights)
    (condition,) = found.report["conditions"]
    assert condition["expr"] == "n <= 128"
    assert found.text.splitlines()[condition["line"] - 1] == "where n <= context:" or condition["why"]


def test_an_example_comes_back(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "examples" / "gpt2.arch").read_text(encoding="utf-8")
    model = ogive.source(text).models["Tiny"]
    model.onnx(tmp_path / "net.onnx", functions=True)
    found = ogive.from_onnx(tmp_path / "net.onnx", "Tiny")
    assert {"Attention", "MLP"} <= set(re.findall(r"^block (\w+)", found.text, re.MULTILINE))
    assert "attention[causal=true](" in found.text
    assert set(found.model.sizes) == {"b", "n"}


class Shaped(nn.Module):
    """Shapes that are read off inputs, and layers in scopes."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([networks.Residual(8) for _ in range(2)])
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Any:
        b, n, _ = x.shape
        for layer in self.layers:
            x = layer(x)
        heads = x.reshape(b, n, 2, 4).transpose(1, 2).softmax(2)
        return self.head(heads.transpose(1, 2).reshape(b, n, 8))


@pytest.mark.filterwarnings("ignore")
def test_scopes_of_an_exporter_are_blocks_and_chains_of_shapes_are_sizes(tmp_path: Path) -> None:
    place = tmp_path / "net.onnx"
    torch.onnx.export(
        Shaped().eval(), (torch.randn(2, 5, 8),), str(place), dynamo=False, input_names=["x"],
        dynamic_axes={"x": {0: "b", 1: "n"}},
    )  # fmt: skip
    found = ogive.from_onnx(place)
    assert set(found.model.sizes) == {"b", "n"}
    assert "repeat[depth, Layer[d, ...]] as layers" in found.text
    assert "Linear[4*d, d] as down" in found.text
    assert not re.search(r"Shape|Gather|Concat|onnx|_\d\d", blocks(found.text))


def saved(path: Path, nodes: list[Any], weights: list[Any] = [], functions: list[Any] = []) -> Path:  # noqa: B006
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["b", 4])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "g", [x], [y], weights)
    domains = [helper.make_opsetid("", 20), helper.make_opsetid("own", 1)]
    model = helper.make_model(graph, opset_imports=domains, functions=functions, ir_version=10)
    path.write_bytes(model.SerializeToString())
    return path


def outside(location: str, **told: str) -> Any:
    weight = numpy_helper.from_array(np.ones((4, 4), np.float32), "w")
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **told}.items():
        entry = weight.external_data.add()
        entry.key, entry.value = key, value
    return weight


def huge() -> Any:
    weight = numpy_helper.from_array(np.ones((4, 4), np.float32), "w")
    weight.dims[:] = [2**40, 2**20]
    return weight


def short() -> Any:
    weight = numpy_helper.from_array(np.ones((4, 4), np.float32), "w")
    weight.dims[:] = [4, 8]
    return weight


def itself() -> Any:
    domains = [helper.make_opsetid("", 20), helper.make_opsetid("own", 1)]
    return helper.make_function("own", "F", ["x"], ["y"], [helper.make_node("F", ["x"], ["y"], domain="own")], domains)


def towers(height: int) -> list[Any]:
    """Functions that call the one below twice each: 2 to the height of operators in few bytes."""
    domains = [helper.make_opsetid("", 20), helper.make_opsetid("own", 1)]
    made = [helper.make_function("own", "F0", ["x"], ["y"], [helper.make_node("Relu", ["x"], ["y"])], domains)]
    for i in range(1, height):
        twice = [helper.make_node(f"F{i - 1}", [a], [b], domain="own") for a, b in ("xt", "ty")]
        made.append(helper.make_function("own", f"F{i}", ["x"], ["y"], twice, domains))
    return made


def whole(value: int | list[int], name: str) -> Any:
    return numpy_helper.from_array(np.array(value, np.int64), name)


def tower_of_powers() -> list[Any]:
    """Whole numbers whose length doubles at each operator."""
    nodes = [helper.make_node("Mul", [f"n{i}", f"n{i}"], [f"n{i + 1}"]) for i in range(40)]
    return [*nodes, helper.make_node("Reshape", ["x", "n40"], ["y"])]


def product(name: str) -> list[Any]:
    return [helper.make_node("MatMul", ["x", "w"], ["y"], name=name)]


EYE = numpy_helper.from_array(np.eye(4, dtype=np.float32), "w")
PRODUCT = [helper.make_node("MatMul", ["x", "w"], ["y"])]
ADDED = helper.make_node("Add", ["x", "c"], ["y"])
HOSTILE: dict[str, tuple[list[Any], list[Any], list[Any], str]] = {
    "a cycle": ([helper.make_node("Add", ["x", "y"], ["z"]), helper.make_node("Relu", ["z"], ["y"])], [], [], "cycle"),
    "a value of nobody": ([helper.make_node("Add", ["x", "q"], ["y"])], [], [], "nothing makes it"),
    "a huge tensor": (PRODUCT, [huge()], [], "claims to have"),
    "numbers that are not there": (PRODUCT, [short()], [], "does not have the numbers"),
    "a path that climbs": (PRODUCT, [outside("../secret.bin")], [], "outside of the folder"),
    "a path from the root": (PRODUCT, [outside("/etc/passwd")], [], "outside of the folder"),
    "a path that is not there": (PRODUCT, [outside("w.bin")], [], "is not there, or shorter"),
    "an offset beyond": (PRODUCT, [outside("own.bin", offset="1000000")], [], "is not there, or shorter"),
    "a function in itself": ([helper.make_node("F", ["x"], ["y"], domain="own")], [], [itself()], "calls itself"),
    "another domain": ([helper.make_node("Thing", ["x"], ["y"], domain="theirs")], [], [], "nobody here knows"),
    "quantized": ([helper.make_node("QuantizeLinear", ["x", "x"], ["y"])], [], [], "quantized"),
    "an operator without an operation": ([helper.make_node("Det", ["x"], ["y"])], [], [], "has no operation here"),
    "a shape of numbers": (
        [helper.make_node("NonZero", ["x"], ["i"]), helper.make_node("Reshape", ["x", "i"], ["y"])], [], [], "NonZero"),
    "a large constant": (
        [helper.make_node("ConstantOfShape", ["s"], ["c"]), helper.make_node("Add", ["x", "c"], ["y"])],
        [numpy_helper.from_array(np.array([2**20, 2**20, 2**10]), "s")], [], "is not imported"),
    "a list that is long": (
        [helper.make_node("ConstantOfShape", ["s"], ["c"], value=whole([1], "i")), ADDED],
        [whole([2**40], "s")], [], "would make a tensor"),
    "an axis that is long": (
        [helper.make_node("Expand", ["x", "s"], ["y"])], [whole([2**20, 2**20, 1, 4], "s")], [], "would make"),
    "copies": ([helper.make_node("Tile", ["x", "s"], ["y"])], [whole([2**20, 2**20], "s")], [], "would make"),
    "a range": (
        [helper.make_node("Range", ["a", "b", "c"], ["r"]), helper.make_node("Unsqueeze", ["r", "c"], ["y"])],
        [whole(0, "a"), whole(2**50, "b"), whole(1, "c")], [], "would make"),
    "powers of powers": (tower_of_powers(), [whole(3, "n0")], [], "64 bits"),
    "functions of exponential size": (
        [helper.make_node("F59", ["x"], ["y"], domain="own")], [], towers(60), "written out"),
    "functions that are too deep": (
        [helper.make_node("F89", ["x"], ["y"], domain="own")], [], towers(90), "too deep"),
    "a name of a thousand scopes": (product("/".join("a" * 3000)), [EYE], [], "is not imported"),
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
def test_what_is_hostile_is_refused_and_nothing_is_written(case: str, tmp_path: Path) -> None:
    nodes, weights, functions, said = HOSTILE[case]
    (tmp_path / "own.bin").write_bytes(b"0" * 64)
    (tmp_path / "inner").mkdir()
    place = saved(tmp_path / "inner" / "net.onnx", nodes, weights, functions)
    with pytest.raises(ogive.ArchError, match=said) as refused:
        ogive.from_onnx(place)
    assert refused.value.diagnostics[0].code == "E0840"
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["net.onnx", "own.bin"]


def test_sizes_that_an_exporter_numbered_have_names_and_the_lowest_number_is_one(tmp_path: Path) -> None:
    lowest = numpy_helper.from_array(np.array(np.finfo(np.float32).min), "lowest")
    nodes = [helper.make_node("Less", ["x", "zero"], ["c"]), helper.make_node("Where", ["c", "lowest", "x"], ["z"]),
             helper.make_node("Softmax", ["z"], ["y"])]  # fmt: skip
    place = saved(tmp_path / "net.onnx", nodes, [lowest, numpy_helper.from_array(np.array(0, np.float32), "zero")])
    model = onnx.load(place)
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "s77"
    onnx.save(model, place)
    found = ogive.from_onnx(place)
    assert found.model.sizes == ("b",)
    assert found.verified is not None
    assert found.verified.notes == ["ONNX Runtime gives the same at 3 choices of sizes"]


@pytest.mark.parametrize("share", [0, 1, 30, 90, 99])
def test_files_that_are_cut_off_are_refused(share: int, tmp_path: Path) -> None:
    model = ogive.source(NET).models["Net"]
    model.onnx(tmp_path / "net.onnx", functions=True)
    whole = (tmp_path / "net.onnx").read_bytes()
    (tmp_path / "cut.onnx").write_bytes(whole[: len(whole) * share // 100])
    with pytest.raises(ogive.ArchError):
        ogive.from_onnx(tmp_path / "cut.onnx")


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "secret.bin").write_bytes(np.ones((4, 4), np.float32).tobytes())
    (tmp_path / "inner" / "w.bin").symlink_to(tmp_path / "secret.bin")
    with pytest.raises(ogive.ArchError, match="outside of the folder"):
        ogive.from_onnx(saved(tmp_path / "inner" / "net.onnx", PRODUCT, [outside("w.bin")]))


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    w = numpy_helper.from_array(np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32), "fc.weight")
    saved(tmp_path / "small_net.onnx", [helper.make_node("MatMul", ["x", "fc.weight"], ["y"])], [w])
    run = CliRunner().invoke(cli, ["import", "small_net.onnx", "-o", "net.arch", "-s", "b=3"], catch_exceptions=False)
    assert run.exit_code == 0, run.output
    assert "compared: outputs and 1 gradients at 3 choices of sizes" in run.output
    text = Path("net.arch").read_text()
    assert "# Imported from small_net.onnx by ogive import." in text
    assert "Linear[d, 3, bias=false] as fc" in text or "Linear[4, 3, bias=false] as fc" in text
    assert text.rstrip().splitlines()[-1].startswith("model SmallNet = ")
    for more in (["-s", "b=1"], ["-i", "x=f32[b=2,4]"], ["--arg", "k=1"]):
        assert CliRunner().invoke(cli, ["import", "small_net.onnx", "-o", "other.arch", *more]).exit_code == 2
    assert CliRunner().invoke(cli, ["import", "no.onnx", "-o", "other.arch"]).exit_code == 2
    assert not Path("other.arch").exists()
    assert onnx.load("small_net.onnx").graph.node[0].op_type == "MatMul"

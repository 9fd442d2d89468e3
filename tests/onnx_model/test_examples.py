"""Every example: one symbolic model agrees with torch at several sizes, flat, as functions and at an older opset."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from onnx import ModelProto
from torch import Tensor, nn

import ogive
from ogive.api import Model
from ogive.backends.onnx_model.export import Settings, bound_sizes, exported
from ogive.backends.onnx_model.graph.elems import NUMPY, OF_NUMPY, concrete
from ogive.backends.onnx_model.lower.specialize import Sizes
from ogive.backends.onnx_model.serialize.contract import Contract
from ogive.backends.onnx_model.serialize.external_data import arrays
from ogive.backends.onnx_model.serialize.write import whole
from ogive.backends.onnx_model.verify import choices
from ogive.backends.onnx_model.verify import inputs as drawn
from onnx_model.harness import array, by_reference, checked, difference, session
from sampled import sampled

EXAMPLES = Path(__file__).parents[2] / "examples"
FILES = sorted(EXAMPLES.glob("*.arch"))
TOLERANCE = 1e-5
PAIRS = ((1, 1), (2, 5), (3, 16), (7, 2), (1, 11))  # batch and length
IMAGES = ((44, 44), (48, 44), (60, 44), (92, 60), (100, 132))
FEW = 3  # choices of sizes for the other examples
NAMES = [path.stem for path in FILES]


def inputs(name: str, model: Model) -> list[list[Tensor]]:
    """What `Tiny` of an example takes, at several sizes."""
    generator = torch.Generator().manual_seed(0)
    if name == "gpt2":
        return [[torch.randint(64, pair, generator=generator)] for pair in PAIRS]
    if name == "unet":
        return [[torch.randn((1 + i % 2, 1, *image), generator=generator)] for i, image in enumerate(IMAGES)]
    sizes = Sizes(*bound_sizes(model.ir, Settings()))
    found = choices(model.ir, sizes, FEW)
    return [[x for x in drawn(model.ir, sizes, at, "centred", generator) if x is not None] for at in found]


def made(name: str, **settings: Any) -> tuple[Model, nn.Module, ModelProto]:
    """`Tiny`, its module with weights that are not those of the start, and its export."""
    models = ogive.load(EXAMPLES / f"{name}.arch").models
    model = models.get("Tiny") or min(models.values(), key=lambda each: each.parameters)
    torch.manual_seed(0)
    net = model.torch().eval()
    with torch.no_grad():
        for key, tensor in net.state_dict().items():
            if tensor.is_floating_point():
                tensor.add_(torch.rand_like(tensor) * (1.0 if key.endswith("running_var") else 0.1))
    proto = whole(exported(model.ir, arrays(net), Settings(**settings)))
    checked(proto)
    return model, net, proto


def expected(net: nn.Module, xs: list[Tensor]) -> list[Any]:
    with torch.no_grad():
        y = net(*xs)
    return [array(each) for each in (y if isinstance(y, tuple) else (y,))]


def feeds(proto: ModelProto, xs: list[Tensor]) -> dict[str, np.ndarray]:
    return {value.name: array(x) for value, x in zip(proto.graph.input, xs, strict=True)}


@pytest.mark.parametrize("name", NAMES)
def test_it_agrees_with_torch(name: str) -> None:
    model, net, proto = made(name)
    run = session(proto)
    runs = inputs(name, model)
    for xs in runs:
        got, wanted = run.run(None, feeds(proto, xs)), expected(net, xs)
        assert max(difference(y, z) for y, z in zip(got, wanted, strict=True)) <= TOLERANCE
    told = by_reference(proto, feeds(proto, runs[-1]))
    assert max(difference(y, z) for y, z in zip(told, wanted, strict=True)) <= TOLERANCE


# of the larger ones all but a sample are slow
LARGE = {"gemma2", "clip", "bart", "whisper", "dit", "densenet", "efficientnet", "regnet", "inception_v3", "maxvit",
         "fpn", "mamba2", "wav2vec2", "mixtral", "rwkv", "sam_encoder", "yolo"}  # fmt: skip
OTHERS = [pytest.param(name, marks=pytest.mark.slow if name in LARGE else ()) for name in NAMES[::2]] + [
    pytest.param(name, marks=pytest.mark.slow) for name in NAMES[1::2]
]


@pytest.mark.parametrize("settings", [{"functions": True}, {"opset": 20}], ids=str)
@pytest.mark.parametrize("name", OTHERS)
def test_other_forms_agree_too(name: str, settings: dict[str, Any]) -> None:
    model, _, plain = made(name)
    _, _, other = made(name, **settings)
    flat, run = session(plain), session(other)
    for xs in inputs(name, model)[-2:]:
        given = feeds(plain, xs)
        results = zip(flat.run(None, given), run.run(None, given), strict=True)
        assert max(difference(y, z) for y, z in results) <= TOLERANCE


@pytest.mark.parametrize("name", sampled(NAMES))
def test_the_file_names_what_the_source_names(name: str) -> None:
    model, _, proto = made(name)
    paths = {tensor.name for tensor in proto.graph.initializer}
    assert {path for path in paths if not path.startswith("const")} <= model.weights.keys()
    block = model.ir.definition
    given = [v.hint for v, optional in zip(block.graph.inputs, block.optional, strict=True) if not optional]
    assert [value.name for value in proto.graph.input] == given
    sizes = [dim.dim_param for value in proto.graph.input for dim in value.type.tensor_type.shape.dim if dim.dim_param]
    assert set(sizes) <= set(model.sizes)


def test_functions_keep_the_hierarchy() -> None:
    _, _, proto = made("gpt2", functions=True)
    functions = {function.name: function for function in proto.functions}
    assert [node.op_type for node in proto.graph.node].count("GPT_h") == 2
    assert [n.op_type for n in functions["GPT_h"].node] == ["LayerNorm", "Attention", "Add", "LayerNorm", "MLP", "Add"]
    assert functions["Attention"].doc_string == "Causal multi-head self-attention."


def test_a_tied_weight_is_stored_once() -> None:
    _, _, proto = made("gpt2")
    names = [tensor.name for tensor in proto.graph.initializer]
    assert names.count("wte.weight") == 1
    readers = [node.op_type for node in proto.graph.node if "wte.weight" in node.input]
    assert sorted(readers) == ["Gather", "Transpose"]


def test_sizes_that_are_told_need_no_nodes() -> None:
    _, _, symbolic = made("gpt2")
    _, _, fixed = made("gpt2", sizes={"b": 2, "n": 5})
    assert [node.op_type for node in symbolic.graph.node].count("Shape") == 1
    assert [node.op_type for node in fixed.graph.node].count("Shape") == 0
    assert [d.dim_value for d in fixed.graph.output[0].type.tensor_type.shape.dim] == [2, 5, 64]


def test_derived_sizes_are_canonical() -> None:
    _, _, proto = made("unet")
    shape = [dim.dim_param or dim.dim_value for dim in proto.graph.output[0].type.tensor_type.shape.dim]
    assert shape == ["b", 2, "4*(h//4)-40", "4*(w//4)-40"]


def test_batch_norms_fold_into_convolutions() -> None:
    _, _, proto = made("resnet")
    assert "BatchNormalization" not in {node.op_type for node in proto.graph.node}


def test_conditions_travel() -> None:
    _, _, proto = made("gpt2")
    contract = Contract.of(proto)
    assert contract == Contract.of(session(proto))
    assert not contract.check({"ids": (3, 16)})
    assert contract.check({"ids": (3, 17)}) == ("n <= 16, but n is 17",)
    assert contract.check({"ids": (3,)}) == ("ids: int[b, n] got (3,): 2 axes, not 1",)
    assert contract.check({}) == ("ids: int[b, n] is absent",)


def test_node_names_are_paths() -> None:
    _, _, proto = made("gpt2")
    names = [node.name for node in proto.graph.node]
    assert len(set(names)) == len(names)
    assert {"wte/Gather", "h.0/Add", "h.1.attn/Attention", "h.1.mlp.c_fc/MatMul"} <= set(names)


@pytest.mark.slow
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_model_of_the_file_is_a_valid_graph(path: Path) -> None:
    for model in ogive.load(path).models.values():
        zeros = {name: np.zeros((), NUMPY[concrete(slot.elem, "f32")]) for name, slot in model.slots.items()}
        empty = {name: np.broadcast_to(zeros[name], slot.shape) for name, slot in model.slots.items()}
        for functions in (False, True):
            found = exported(model.ir, empty, Settings(functions=functions))
            for stored in found.weights.values():  # as inputs, since the numbers of large models would fill the memory
                value = found.proto.graph.input.add(name=stored.name)
                value.type.tensor_type.elem_type = OF_NUMPY[stored.dtype]
                value.type.tensor_type.shape.SetInParent()
                for length in stored.shape:
                    value.type.tensor_type.shape.dim.add(dim_value=length)
            checked(found.proto)


@pytest.mark.slow
@pytest.mark.parametrize(("file", "name"), [("gpt2", "GPT2"), ("unet", "UNet572")])
def test_a_published_model_agrees_at_five_sizes(file: str, name: str, tmp_path: Path) -> None:
    model = ogive.load(EXAMPLES / f"{file}.arch").models[name]
    torch.manual_seed(0)
    net = model.torch().eval()
    model.onnx(tmp_path / "m.onnx", net)
    run = onnxruntime.InferenceSession(str(tmp_path / "m.onnx"), providers=["CPUExecutionProvider"])
    if name == "GPT2":
        runs = [torch.randint(50257, pair) for pair in ((1, 1), (2, 5), (3, 16), (7, 2), (1, 300))]
    else:
        runs = [torch.randn(1, 1, *image) for image in ((188, 188), (204, 188), (188, 220), (236, 204), (220, 220))]
    for x in runs:
        (wanted,) = expected(net, [x])
        assert difference(run.run(None, {run.get_inputs()[0].name: array(x)})[0], wanted) <= TOLERANCE

"""The examples in the form that trains: deployed, they compute the same, at several sizes and at borders."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from deploy.folding import Folded, folded, image, randomized
from ogive.backends.pytorch.module.module import build
from ogive.backends.weight_conversion.run import convert
from ogive.backends.weight_conversion.verify import random_inputs, verify
from ogive.compiler.driver.workspace import check_text
from ogive.compiler.ir.model import Model
from ogive.compiler.ir_tools.verify import verify as verify_ir
from ogive.compiler.passes.weight_folding.driver import fold

EXAMPLES = Path(__file__).parents[2] / "examples"

# file, model, what is left of the operations that fold
CASES = [
    ("repvgg", "Tiny", {"conv": 5, "batch_norm": 0, "add": 0}),
    ("repvgg", "RepVGGA0", {"conv": 22, "linear": 1, "batch_norm": 0, "add": 0}),
    ("mobileone", "Tiny", {"conv": 7, "batch_norm": 0, "add": 0}),
    ("diverse_branch", "Tiny", {"conv": 4, "batch_norm": 0, "avg_pool": 0, "add": 0}),
    ("acnet", "Tiny", {"conv": 3, "batch_norm": 0, "add": 0}),
    ("replknet", "Tiny", {"conv": 14, "batch_norm": 1}),
    ("fastvit", "Tiny", {"batch_norm": 0, "sub": 0, "einsum": 1}),
    ("repmlp", "Tiny", {"conv": 3, "linear": 2, "batch_norm": 1}),
    ("lora_vit", "Tiny", {"conv": 1, "linear": 5, "mul": 0}),
    ("poset_cnn", "Diamond", {"batch_norm": 0}),
    ("ewa_vit", "Digits", {"linear": 5}),
    ("gpt2", "Tiny", {"linear": 4}),
    ("mobilenet_v2", "Tiny", {"batch_norm": 0}),
    ("resnet", "Tiny", {"batch_norm": 0}),
]


def example(name: str, model: str) -> Model:
    """A model of an example."""
    path = EXAMPLES / f"{name}.arch"
    return check_text(path.read_text(), str(path)).models[model].ir


@pytest.mark.parametrize(("name", "model", "left"), CASES, ids=[f"{a}-{b}" for a, b, _ in CASES])
def test_examples_deploy_exactly(name: str, model: str, left: dict[str, int]) -> None:
    found = folded(example(name, model))
    (x,) = random_inputs(example(name, model), {})
    with torch.no_grad():
        wanted, made = found.source(x), found.result(x)
    assert float((wanted - made).abs().max()) <= 1e-10 * float(wanted.abs().max())
    assert {op: found.ops[op] for op in left} == left, [str(note) for note in found.passed.notes]
    assert len(found.result.state_dict()) <= len(found.source.state_dict())
    assert elements(found, "result") <= elements(found, "source")


def elements(found: Folded, which: str) -> int:
    """How many numbers a form stores."""
    return sum(tensor.numel() for tensor in getattr(found, which).state_dict().values() if tensor.is_floating_point())


SMALL = (
    "bert", "convnext", "diffusion_unet", "fno", "gnn", "gpt2_cache", "llama", "mamba", "moe", "swin", "t5_encoder",
    "unet", "vae", "vit",
)  # fmt: skip


@pytest.mark.parametrize("name", SMALL)
def test_every_kind_of_model_survives_the_fold(name: str) -> None:
    source = example(name, "Tiny")
    passed = fold(source)
    verify_ir(passed.model)
    net, result = randomized(build(source).double().eval()), build(passed.model).double().eval()
    result.load_state_dict(convert(passed.conversion, net.state_dict(), None))
    inputs = [x.double() if x.is_floating_point() else x for x in random_inputs(source, {})]
    outputs = []
    for module in (net, result):
        torch.manual_seed(0)
        with torch.no_grad():
            made = module(*inputs)
        outputs.append(made if isinstance(made, torch.Tensor) else made[0])
    torch.testing.assert_close(outputs[1], outputs[0], rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", ["repvgg", "mobileone", "diverse_branch", "acnet", "fastvit"])
def test_several_sizes(name: str) -> None:
    found = folded(example(name, "Tiny"))
    for shape in ((1, 3, 32, 32), (2, 3, 33, 47), (1, 3, 5, 64)):
        assert found.error(image(*shape)) < 1e-12


@pytest.mark.parametrize("name", ["repvgg", "mobileone", "diverse_branch", "acnet", "fastvit"])
def test_float32_loses_no_more_than_twice(name: str) -> None:
    source = example(name, "Tiny")
    passed = fold(source)
    net = folded(source).source.float()
    found = verify(passed.conversion, net.state_dict())
    assert found.exact, str(found)


@pytest.mark.parametrize("name", ["repvgg", "mobileone", "gpt2"])
def test_a_second_fold_changes_nothing(name: str) -> None:
    once = fold(example(name, "Tiny"))
    twice = fold(once.model)
    assert not [note for note in twice.notes if note.done]
    assert twice.conversion.is_identity
    assert [n.op for n in twice.model.definition.graph.walk()] == [n.op for n in once.model.definition.graph.walk()]

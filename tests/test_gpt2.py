"""GPT-2 from text to a module: the published sizes, the published weights, and torch's whole toolbox."""

from __future__ import annotations

import copy
import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import ogive
from ogive.api import Model

EXAMPLES = Path(__file__).parents[1] / "examples"
MAP = EXAMPLES / "gpt2.map.toml"


@pytest.fixture(scope="module")
def program() -> ogive.Program:
    return ogive.load(EXAMPLES / "gpt2.arch")


@pytest.fixture(scope="module")
def tiny(program: ogive.Program) -> Model:
    found = program["Tiny"]
    assert isinstance(found, Model)
    return found


@pytest.fixture
def ids() -> Tensor:
    return torch.randint(64, (2, 9), generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def peer() -> Any:
    """Transformers' GPT-2 at the size of `Tiny`, with random weights away from their usual zeros and ones."""
    transformers = pytest.importorskip("transformers")
    config = transformers.GPT2Config(
        vocab_size=64, n_positions=16, n_embd=16, n_head=2, n_layer=2, attn_pdrop=0.0, embd_pdrop=0.0, resid_pdrop=0.0
    )
    torch.manual_seed(1)
    module = transformers.GPT2LMHeadModel(config)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_(std=0.3)
    return module


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("GPT2", 124_439_808), ("GPT2Medium", 354_823_168), ("GPT2Large", 774_030_080), ("GPT2XL", 1_557_611_200)],
)
def test_the_published_sizes(program: ogive.Program, name: str, parameters: int) -> None:
    model = program[name]
    assert isinstance(model, Model)
    assert model.parameters == parameters
    assert sum(slot.count for slot in model.slots.values()) == parameters


def test_the_weights_are_those_of_the_module(tiny: Model) -> None:
    state = tiny.torch().state_dict()
    assert {path: tuple(tensor.shape) for path, tensor in state.items()} == tiny.weights
    assert "h.1.attn.c_attn.weight" in state
    assert not any("head" in path for path in state)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-4), (torch.float64, 1e-10)])
@pytest.mark.parametrize("training", [False, True])
def test_equal_to_transformers(
    tiny: Model, peer: Any, ids: Tensor, dtype: torch.dtype, tolerance: float, training: bool
) -> None:
    theirs = copy.deepcopy(peer).to(dtype).train(training)
    ours = tiny.torch().to(dtype).train(training)
    ours.load_state_dict(tiny.load_weights(theirs.state_dict(), MAP))
    expected, found = theirs(ids).logits, ours(ids)
    torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance)
    expected.square().mean().backward()
    found.square().mean().backward()
    gradients = {name: parameter.grad for name, parameter in ours.named_parameters() if parameter.grad is not None}
    assert gradients.keys() == tiny.weights.keys()
    wanted = {name: parameter.grad for name, parameter in theirs.named_parameters()}
    wanted = tiny.load_weights({name: grad for name, grad in wanted.items() if grad is not None}, MAP)
    for name, gradient in gradients.items():
        torch.testing.assert_close(gradient, wanted[name], rtol=tolerance, atol=tolerance, msg=name)


def test_the_map_goes_back(tiny: Model, peer: Any) -> None:
    theirs = peer.state_dict()
    back = tiny.unload_weights(tiny.load_weights(theirs, MAP), MAP)
    assert theirs.keys() == back.keys()  # the tied one too
    assert all(torch.equal(back[name], theirs[name]) for name in back)


def test_causal(tiny: Model, ids: Tensor) -> None:
    net = tiny.torch().eval()
    changed = ids.clone()
    changed[:, 5] = (changed[:, 5] + 1) % 64
    before, after = net(ids), net(changed)
    torch.testing.assert_close(before[:, :5], after[:, :5])
    assert not torch.allclose(before[:, 5:], after[:, 5:])


def test_too_long_a_text_is_refused_in_our_words(tiny: Model) -> None:
    with pytest.raises(Exception, match="n <= "):
        tiny.torch()(torch.zeros(1, 17, dtype=torch.long))


@pytest.fixture
def emitted(tiny: Model, tmp_path: Path) -> Path:
    path = tmp_path / "tiny.py"
    path.write_text(tiny.torch_source())
    return path


def test_the_emitted_file_needs_torch_alone(tiny: Model, emitted: Path) -> None:
    code = (
        "import sys, torch; before = set(sys.modules); import tiny\n"
        "new = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "assert new <= {'tiny'} | set(sys.stdlib_module_names) | {'torch'}, new\n"
        "print(sorted(tiny.Tiny().state_dict()))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=emitted.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(sorted(tiny.weights))


def test_the_emitted_file_computes_the_same(tiny: Model, emitted: Path, ids: Tensor) -> None:
    spec = importlib.util.spec_from_file_location("tiny_emitted", emitted)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    net, twin = module.Tiny(), tiny.torch()
    twin.load_state_dict(net.state_dict())
    assert torch.equal(net(ids), twin(ids))


def test_compiles_whole(tiny: Model, ids: Tensor) -> None:
    net = tiny.torch()
    torch._dynamo.reset()
    whole = torch.compile(net, backend="eager", fullgraph=True)
    for length in (9, 5, 16):
        torch.testing.assert_close(whole(ids[:, :length]), net(ids[:, :length]))


@pytest.mark.slow
def test_inductor(tiny: Model, ids: Tensor) -> None:
    net = tiny.torch()
    torch._dynamo.reset()
    whole = torch.compile(net, fullgraph=True)
    torch.testing.assert_close(whole(ids), net(ids), rtol=1e-4, atol=1e-5)


def test_exports_with_open_sizes(tiny: Model, ids: Tensor) -> None:
    net = tiny.torch().eval()
    batch, length = torch.export.Dim("b", min=1, max=1024), torch.export.Dim("n", min=1, max=16)
    exported = torch.export.export(net, (ids,), dynamic_shapes=({0: batch, 1: length},))
    for b, n in ((1, 3), (5, 16), (2, 9)):
        other = torch.randint(64, (b, n))
        torch.testing.assert_close(exported.module()(other), net(other))


def test_on_the_meta_device(program: ogive.Program) -> None:
    model = program["GPT2XL"]
    assert isinstance(model, Model)
    net = model.torch(device="meta")
    assert sum(parameter.numel() for parameter in net.parameters()) == 1_557_611_200
    assert net(torch.zeros(2, 1024, dtype=torch.long, device="meta")).shape == (2, 1024, 50257)


def test_autocast(tiny: Model, ids: Tensor) -> None:
    net = tiny.torch()
    with torch.autocast("cpu", torch.bfloat16):
        found = net(ids)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), net(ids), rtol=0.1, atol=0.05)


def test_double_and_deepcopy(tiny: Model, ids: Tensor) -> None:
    net = tiny.torch()
    twin = copy.deepcopy(net).double()
    assert twin(ids).dtype == torch.float64
    torch.testing.assert_close(twin(ids).float(), net(ids), rtol=1e-4, atol=1e-5)
    with torch.no_grad():
        next(twin.parameters()).zero_()
    assert not torch.equal(next(net.parameters()), torch.zeros(()).expand_as(next(net.parameters())))


def test_safetensors_round_trip(tiny: Model, ids: Tensor, tmp_path: Path) -> None:
    net, twin = tiny.torch(), tiny.torch()
    assert not torch.allclose(net(ids), twin(ids))
    tiny.save_weights(tmp_path / "w.safetensors", net)
    twin.load_state_dict(tiny.load_weights(tmp_path / "w.safetensors"))
    assert torch.equal(net(ids), twin(ids))
    tiny.save_weights(tmp_path / "theirs.safetensors", net, MAP)
    twin = tiny.torch()
    twin.load_state_dict(tiny.load_weights(tmp_path / "theirs.safetensors", MAP))
    assert torch.equal(net(ids), twin(ids))


def test_learns(tiny: Model) -> None:
    net = tiny.torch()
    text = torch.arange(16).remainder(5).expand(4, 16)
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-2)
    losses = []
    for _ in range(30):
        loss = nn.functional.cross_entropy(net(text[:, :-1]).flatten(0, 1), text[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.2 * losses[0]

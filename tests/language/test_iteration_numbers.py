"""The number of an iteration in every place against the loop written out: starts, constraints, values, targets."""

from __future__ import annotations

from pathlib import Path

import onnxruntime
import pytest
import torch
from torch import Tensor, nn

import ogive
from language.iteration_numbers import STARTS, VALUES, looped, unrolled
from ogive.api import Model
from ogive.compiler.ir_tools.verify import verify


def pair(body: str) -> tuple[Model, nn.Module, nn.Module]:
    """The model with a loop, its module, and that of the loop written out, from the same draws."""
    models = [ogive.source(text).models["M"] for text in (looped(body), unrolled(body))]
    nets = []
    for model in models:
        verify(model.ir)
        torch.manual_seed(0)
        nets.append(model.torch().double())
    return models[0], nets[0], nets[1]


def same(a: nn.Module, b: nn.Module) -> None:
    ours, theirs = a.state_dict(), b.state_dict()
    assert list(ours) == list(theirs)
    for name, weight in ours.items():
        torch.testing.assert_close(weight, theirs[name], msg=f"{name}: {weight} is not {theirs[name]}")


def run(net: nn.Module, x: Tensor) -> Tensor:
    torch.manual_seed(1)
    found: Tensor = net(x)
    return found


@pytest.mark.parametrize("body", [*STARTS, *VALUES])
def test_a_loop_is_the_loop_written_out(body: str) -> None:
    _, net, other = pair(body)
    same(net, other)
    x = torch.randn(5, 4, dtype=torch.double)
    for _ in range(2):
        torch.testing.assert_close(run(net, x), run(other, x))
    with torch.no_grad():
        for a, b in zip(net.parameters(), other.parameters(), strict=True):
            b.copy_(a.add_(3 * torch.randn_like(a)))
    for each in (net, other):
        getattr(each, "after_step", lambda: None)()
    same(net, other)
    torch.testing.assert_close(run(net.eval(), x), run(other.eval(), x))


def test_weights_of_other_blocks_start_by_it() -> None:
    lines = "x = x |> Linear[4, 4]\ninit Linear.weight = i * ones[4, 4]\ninit Linear.bias = constant[i]"
    state = ogive.source(looped(lines)).models["M"].torch().state_dict()
    for i in range(3):
        assert torch.equal(state[f"h.{i}.linear.weight"], torch.full((4, 4), float(i)))
        assert torch.equal(state[f"h.{i}.linear.bias"], torch.full((4,), float(i)))


@pytest.mark.parametrize("body", [*STARTS, *VALUES])
def test_folding_keeps_it(body: str) -> None:
    model, net, _ = pair(body)
    found = model.deploy("fold")
    result = found.fresh().double()
    result.load_state_dict(found.convert(net.eval()))
    x = torch.randn(5, 4, dtype=torch.double)
    torch.testing.assert_close(run(result.eval(), x), run(net.eval(), x), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("body", VALUES)
def test_onnx_counts_it_out(body: str, tmp_path: Path) -> None:
    model, net, _ = pair(body)
    model.onnx(tmp_path / "m.onnx", net.float())
    x = torch.randn(5, 4)
    (found,) = onnxruntime.InferenceSession(tmp_path / "m.onnx").run(None, {"x": x.numpy()})
    torch.testing.assert_close(torch.from_numpy(found), run(net.eval(), x).detach(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "line", ["param w: [4] = constant[n]", "param w: [4] = ones[4] / n", "param w: [4] = ones keep clamp[0, n]"]
)
def test_what_is_known_when_it_runs_is_no_start(line: str) -> None:
    text = f"block B(x: [n, 4]) -> [n, 4]:\n    {line}\n    return x + w\nmodel M = B\n"
    with pytest.raises(ogive.ArchError, match="weight `w` starts or stays depends on `n`") as caught:
        ogive.source(text)
    assert [found.code for found in caught.value.diagnostics] == ["E0406"]
    assert ogive.source(text.replace("model M = B", "model M = B[n=3]")).models["M"].torch() is not None

"""State-space layers against their recurrences, step by step."""

from __future__ import annotations

import math
from pathlib import Path

import onnxruntime
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import ogive
from ogive.api import Model

PROGRAM = ogive.source("""
use std.ssm (S4D, S5, Mamba)

model S4Ds = S4D[d=5, states=8]
model S5s = S5[d=5, states=8]
model Mambas = Mamba[d=6, states=4]
model S4Step = S4D[d=5, states=8, last=true]
model S5Step = S5[d=5, states=8, last=true]
model MambaStep = Mamba[d=6, states=4, last=true]
model S4D128 = S4D[d=128]
model S5of128 = S5[d=128]
""")


def net(name: str) -> nn.Module:
    model = PROGRAM[name]
    assert isinstance(model, Model)
    torch.manual_seed(0)
    return model.torch().double()


def pair(weight: Tensor) -> Tensor:
    return torch.view_as_complex(weight.contiguous())


def s4d(w: dict[str, Tensor], x: Tensor) -> Tensor:
    """h = A h + B u for each channel, y = 2 Re C h + D u."""
    pole = torch.complex(-w["kernel.log_A_real"].exp(), w["kernel.A_imag"])
    decay = torch.exp(pole * w["kernel.log_dt"].exp()[:, None])
    gain = (decay - 1) / pole
    h, ys = torch.zeros(len(x), *pole.shape, dtype=decay.dtype), []
    for u in x.unbind(1):
        h = decay * h + gain * u[..., None]
        ys.append(2 * (pair(w["kernel.C"]) * h).sum(-1).real + w["D"] * u)
    y = F.gelu(torch.stack(ys, 1))
    return F.glu(F.linear(y, w["output_linear.weight"], w["output_linear.bias"]))


def s5(w: dict[str, Tensor], x: Tensor) -> Tensor:
    """One recurrence for all channels."""
    pole = torch.complex(w["Lambda_re"], w["Lambda_im"])
    decay = torch.exp(pole * w["log_step"].exp())
    h, ys = torch.zeros(len(x), len(pole), dtype=decay.dtype), []
    for u in x.unbind(1):
        h = decay * h + (decay - 1) / pole * (u.to(decay.dtype) @ pair(w["B"]).T)
        ys.append(2 * (h @ pair(w["C"]).T).real + w["D"] * u)
    y = F.gelu(torch.stack(ys, 1))
    return y * torch.sigmoid(F.linear(y, w["gate.weight"], w["gate.bias"]))


def mamba(w: dict[str, Tensor], x: Tensor) -> Tensor:
    """The recurrence of the paper, token by token."""
    (e, n), rank = w["A_log"].shape, w["dt_proj.weight"].shape[1]
    u, z = F.linear(x, w["in_proj.weight"]).chunk(2, -1)
    u = F.silu(F.conv1d(F.pad(u.mT, (3, 0)), w["conv1d.weight"], w["conv1d.bias"], groups=e).mT)
    low, b, c = F.linear(u, w["x_proj.weight"]).tensor_split((rank, rank + n), -1)
    step = F.softplus(F.linear(low, w["dt_proj.weight"], w["dt_proj.bias"]))
    h, ys = torch.zeros(len(x), e, n, dtype=x.dtype), []
    for t in range(x.shape[1]):
        decay = torch.exp(-step[:, t, :, None] * w["A_log"].exp())
        h = decay * h + (step * u)[:, t, :, None] * b[:, t, None]
        ys.append((h * c[:, t, None]).sum(-1) + w["D"] * u[:, t])
    return F.linear(torch.stack(ys, 1) * F.silu(z), w["out_proj.weight"])


@pytest.mark.parametrize(("name", "reference", "d"), [("S4Ds", s4d, 5), ("S5s", s5, 5), ("Mambas", mamba, 6)])
@pytest.mark.parametrize("n", [2, 7, 32])
def test_a_layer_is_its_recurrence(name: str, reference: object, d: int, n: int) -> None:
    assert callable(reference)
    ours, x = net(name), torch.randn(2, n, d, dtype=torch.float64)
    weights = dict(ours.named_parameters())
    y, z = ours(x), reference(weights, x)
    torch.testing.assert_close(y, z)
    left, right = (torch.autograd.grad(out.square().sum(), list(weights.values())) for out in (y, z))
    torch.testing.assert_close(left, right)


@pytest.mark.parametrize(
    ("plain", "step", "d"), [("S4Ds", "S4Step", 5), ("S5s", "S5Step", 5), ("Mambas", "MambaStep", 6)]
)
def test_token_by_token_is_all_at_once(plain: str, step: str, d: int) -> None:
    """The same weights, the state carried from call to call, in pieces of 3, 1 and 2 tokens."""
    whole, ours, x = net(plain), net(step), torch.randn(2, 6, d, dtype=torch.float64)
    assert [*whole.state_dict()] == [*ours.state_dict()]
    ours.load_state_dict(whole.state_dict())
    states: tuple[Tensor, ...] = ()
    pieces = []
    for piece in torch.tensor_split(x, (3, 4), 1):
        y, *states = ours(piece, *states)
        pieces.append(y)
    torch.testing.assert_close(torch.cat(pieces, 1), whole(x))
    for state, last in zip(states, ours(x)[1:], strict=True):
        torch.testing.assert_close(state, last)
    if plain != "Mambas":  # the convolution starts from a state too
        y, state = ours(x[:, :2])
        torch.testing.assert_close(whole(x[:, 2:], state), whole(x)[:, 2:])


@pytest.mark.parametrize(("name", "d"), [("S4Ds", 5), ("S5s", 5), ("Mambas", 6), ("MambaStep", 6), ("S4Step", 5)])
def test_any_number_of_axes_stand_before_the_tokens(name: str, d: int) -> None:
    ours, x = net(name), torch.randn(2, 3, 4, d, dtype=torch.float64)

    def parts(made: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return (made,) if isinstance(made, Tensor) else tuple(made)

    for whole, flat in zip(parts(ours(x)), parts(ours(x.flatten(0, 1))), strict=True):
        torch.testing.assert_close(whole.flatten(0, 1), flat)
    for whole, alone in zip(parts(ours(x)), parts(ours(x[1, 2])), strict=True):
        torch.testing.assert_close(whole[1, 2], alone)


def test_a_step_runs_in_onnx(tmp_path: Path) -> None:
    text = """
use std.ssm (Mamba)

block Step[d](x: [b, n, d], tail: [b, 3, 2 * d], h: [b, 2 * d, 4]) -> (
    y: [b, n, d], tail: [b, 3, 2 * d], h: [b, 2 * d, 4]):
    y, tail, h = (x, tail, h) |> Mamba[d, states=4, last=true] as mixer
    return y, tail, h

model M = Step[6]
"""
    model = ogive.source(text)["M"]
    assert isinstance(model, Model)
    ours = model.torch()
    given = (torch.randn(2, 1, 6), torch.randn(2, 3, 12), torch.randn(2, 12, 4))
    model.onnx(tmp_path / "m.onnx", weights=ours)
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx", providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_inputs()]
    found = session.run(None, {name: x.numpy() for name, x in zip(names, given, strict=True)})
    for y, z in zip(found, ours(*given), strict=True):
        torch.testing.assert_close(torch.from_numpy(y), z, atol=1e-5, rtol=1e-4)


def test_sizes_of_the_papers() -> None:
    sizes = {name: model.parameters for name, model in PROGRAM.models.items()}
    assert sizes["S4D128"] == 49_664
    assert sizes["S5of128"] - 128 * 129 == 16_608  # without the gate


def test_mamba_starts_with_step_sizes_between_a_thousandth_and_a_tenth() -> None:
    steps = F.softplus(net("Mambas").get_parameter("dt_proj.bias"))
    assert 0.00099 < steps.min()
    assert steps.max() < 0.101
    torch.testing.assert_close(net("Mambas").get_parameter("A_log")[0, -1].item(), math.log(4), atol=1e-6, rtol=0)

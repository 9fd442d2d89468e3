"""Neural operators beside the first ones: both layouts of modes, branch and trunk, kernels that follow the grid."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import ogive
from ogive.api import Model

PROGRAM = ogive.source("""
use std.nn (BatchNorm)
use std.operators (ConditionalLayerNorm, FactorizedAttention, ClassicSpectralConv, ClassicFNO, IFNO,
                   StackedDeepONet, MultiDeepONet, MultiONet, InterpolatedConv, DifferentialConv, LatentSpectral)

block Plane[modes: list](x: [b, 2, p, q]) -> [b, 2, p, q]:
    return x |> ClassicSpectralConv[2, 2, modes] as conv

block Line1(x: [b, 1, p]) -> [b, 1, p]:
    return x |> ClassicFNO[1, 1, 64, [16]] as fno

block Plane1(x: [b, 1, p, q]) -> [b, 1, p, q]:
    return x |> ClassicFNO[1, 1, 32, [12, 12]] as fno

block Plane10(x: [b, 10, p, q]) -> [b, 1, p, q]:
    return x |> ClassicFNO[10, 1, 20, [8, 8], norm=BatchNorm] as fno

block Space10(x: [b, 10, p, q, r]) -> [b, 1, p, q, r]:
    return x |> ClassicFNO[10, 1, 20, [8, 8, 8], norm=BatchNorm] as fno

block Flow[depth](x: [b, 3, p, q, r, t]) -> [b, 3, p, q, r, t]:
    return x |> IFNO[3, 3, 150, [12, 12, 12, 2], depth=depth] as fno

block Tied[depth](x: [b, 1, p]) -> [b, 1, p]:
    return x |> IFNO[1, 1, 4, [3], depth=depth] as fno

block Chained3(x: [b, p, q, r, 128]) -> [b, p, q, r, 128]:
    return x |> FactorizedAttention[128, 6, 64, 3, parallel=false] as mix

block Parallel3(x: [b, p, q, r, 128]) -> [b, p, q, r, 128]:
    return x |> FactorizedAttention[128, 6, 64, 3] as mix

block Chained(x: [b, p, q, 8]) -> [b, p, q, 8]:
    return x |> FactorizedAttention[8, 2, 2, 2, parallel=false] as mix

block Parallel(x: [b, p, q, 8]) -> [b, p, q, 8]:
    return x |> FactorizedAttention[8, 2, 2, 2] as mix

block Timed(x: [b, p, 6], t: [b]) -> [b, p, 6]:
    return ConditionalLayerNorm(x, t)

model IFact = Chained3[]
model IFactM = Parallel3[]
model SmallChained = Chained[]
model SmallParallel = Parallel[]
model TimedNorm = Timed[]
model FNO1 = Line1[]
model FNO2 = Plane1[]
model FNO2BN = Plane10[]
model FNO3BN = Space10[]
model LES = Flow[8]
model LES2 = Flow[2]
model Tied1 = Tied[1]
model Tied3 = Tied[3]
model Stacked = StackedDeepONet[sensors=6, k=1, branch=[5], trunk=[7, 4]]
model Both = MultiDeepONet[sensors=6, k=1, branch=[5, 8], trunk=[7, 8], outputs=2]
model Branch = MultiDeepONet[sensors=6, k=1, branch=[5, 8], trunk=[7, 4], outputs=2, split="branch"]
model Trunk = MultiDeepONet[sensors=6, k=1, branch=[5, 4], trunk=[7, 8], outputs=2, split="trunk"]
model Multi = MultiONet[[64, 64, 64, 64, 64, 64], last=3, sensors=64, k=2]
model One = MultiONet[[5, 4], branch_act=tanh, trunk_act=tanh, sensors=3, k=2]
model Same = InterpolatedConv[2, 3, 5, 1, pad=2]
model Finer = InterpolatedConv[1, 1, 3, 2, pad=1]
model Slope = DifferentialConv[1, 1, spacing=0.5]
model Latent = LatentSpectral[8, 3, heads=2, tokens=3, basis=4]
""")

COUNTS = {
    "FNO1": 549_569, "FNO2": 2_368_001, "FNO2BN": 414_517, "FNO3BN": 6_558_537, "LES": 1_244_203_565,
    "LES2": 1_244_203_565,
    "IFact": 1_214_592, "IFactM": 1_312_896, "Multi": 45_953, "Latent": 3 * 8 + 2 * 4 * 8 + 3 * 8 * 8 + 3 * 8,
}  # fmt: skip


def model(name: str) -> Model:
    found = PROGRAM[name]
    assert isinstance(found, Model)
    return found


def net(name: str) -> nn.Module:
    torch.manual_seed(0)
    return model(name).torch().double()


def randn(*shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64)


@pytest.mark.parametrize("name", COUNTS)
def test_published_numbers_of_weights(name: str) -> None:
    assert model(name).parameters == COUNTS[name]


def classic(modes: list[int]) -> nn.Module:
    """A spectral convolution that keeps each channel as it is."""
    block = PROGRAM["Plane"]
    assert not isinstance(block, Model)
    layer = block(modes=modes).torch().double()
    weight = layer.get_parameter("conv.weight")
    with torch.no_grad():
        weight.zero_()
        for channel in range(2):
            weight[channel, channel, ..., 0] = 1
    return layer


@pytest.mark.parametrize("sizes", [(6, 8), (4, 7)])
def test_all_modes_and_identity_weights_reproduce_the_input(sizes: tuple[int, int]) -> None:
    x = randn(3, 2, *sizes)
    torch.testing.assert_close(classic([sizes[0] // 2, sizes[1] // 2 + 1])(x), x)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("frequency", range(6))
def test_a_wave_passes_if_its_mode_is_kept(axis: int, frequency: int) -> None:
    """m = 3 modes keep -3 ... 2 of an axis, of which -3 lets half of a wave pass, and 0 ... 2 of the last."""
    place = torch.arange(12, dtype=torch.float64) / 12
    wave = torch.cos(2 * math.pi * frequency * place).view((12, 1) if axis == 0 else (1, 12)).expand(1, 2, 12, 12)
    gain = 1.0 if frequency < 3 else 0.5 if frequency == 3 and axis == 0 else 0.0
    torch.testing.assert_close(classic([3, 3])(wave), gain * wave)


def test_a_tied_operator_of_one_step_is_a_linear_residual_layer() -> None:
    layer, x = net("Tied1"), randn(2, 1, 8)
    deep = net("Tied3")
    deep.load_state_dict(layer.state_dict())  # the same weights at any depth
    w = dict(layer.named_parameters())
    grid = torch.linspace(0, 1, 8, dtype=torch.float64).expand(2, 1, 8)

    def step(v: Tensor) -> Tensor:
        kept = torch.fft.rfft(v)[..., :3]
        weight = torch.view_as_complex(w["fno.kernel.weight"].detach().contiguous())
        mixed = torch.einsum("bim,iom->bom", kept, weight)
        local = w["fno.local.linear.weight"] @ v + w["fno.local.linear.bias"][:, None]
        found: Tensor = torch.fft.irfft(F.pad(mixed, (0, 2)), n=8) + local
        return found

    v = w["fno.fc0.linear.weight"] @ torch.cat([x, grid], 1) + w["fno.fc0.linear.bias"][:, None]

    def project(v: Tensor) -> Tensor:
        v = F.gelu(w["fno.projection.fc1.weight"] @ v + w["fno.projection.fc1.bias"][:, None])
        return w["fno.projection.fc2.weight"] @ v + w["fno.projection.fc2.bias"][:, None]

    torch.testing.assert_close(layer(x), project(v + step(v)))
    for i in range(3):
        v = v + (F.gelu(step(v)) if i < 2 else step(v)) / 3
    torch.testing.assert_close(deep(x), project(v))


def widths(w: Mapping[str, Tensor], name: str, x: Tensor, last: bool) -> Tensor:
    for i in range(2):
        x = x @ w[f"{name}.layers.{i}.linear.weight"].mT + w[f"{name}.layers.{i}.linear.bias"][..., None, :]
        x = x.relu() if last or i == 0 else x
    return x


def test_a_stack_of_branches_gives_one_number_each() -> None:
    module, u, points = net("Stacked"), randn(3, 6), randn(5, 1)
    w = dict(module.named_parameters())
    assert w["branch_nets.layers.0.linear.weight"].shape == (4, 5, 6)
    weights = widths(w, "branch_nets", u, False)[..., 0].mT
    torch.testing.assert_close(module(u, points), weights @ widths(w, "trunk_net", points, True).mT + w["bias"])


@pytest.mark.parametrize("name", ["Both", "Branch", "Trunk"])
def test_several_outputs_share_what_is_not_cut(name: str) -> None:
    module, u, points = net(name), randn(3, 6), randn(5, 1)
    w = dict(module.named_parameters())
    branch, trunk = widths(w, "branch_net", u, False), widths(w, "trunk_net", points, True)
    branch = branch.view(3, 2, 4) if name != "Trunk" else branch[:, None].expand(3, 2, 4)
    trunk = trunk.view(5, 2, 4) if name != "Branch" else trunk[:, None].expand(5, 2, 4)
    torch.testing.assert_close(module(u, points), torch.einsum("bop,nop->bno", branch, trunk) + w["bias"])


def test_one_layer_of_products_is_a_plain_operator_net() -> None:
    module, u, points = net("One"), randn(4, 3), randn(5, 2)
    found, w = module(u, points), dict(module.named_parameters())
    for i in range(2):
        u = torch.tanh(F.linear(u, w[f"layers.{i}.branch.weight"], w[f"layers.{i}.branch.bias"]))
        points = torch.tanh(F.linear(points, w[f"layers.{i}.trunk.weight"], w[f"layers.{i}.trunk.bias"]))
    torch.testing.assert_close(found, u @ points.mT + w["bias"])


def test_a_kernel_follows_the_grid() -> None:
    same, x = net("Same"), randn(2, 2, 9, 8)
    w = dict(same.named_parameters())
    torch.testing.assert_close(same(x), F.conv2d(x, w["weight"], w["bias"], padding=2))
    finer = net("Finer")
    with torch.no_grad():
        finer.get_parameter("weight").fill_(0.3)
        finer.get_parameter("bias").zero_()
    flat = torch.ones(1, 1, 12, 12, dtype=torch.float64)
    # a constant kernel keeps its sum, away from the border
    torch.testing.assert_close(finer(flat)[..., 2:-2, 2:-2], torch.full((1, 1, 8, 8), 2.7, dtype=torch.float64))


def test_a_differential_kernel_sees_slopes_alone() -> None:
    layer = net("Slope")
    flat = torch.full((1, 1, 7, 6), 3.0, dtype=torch.float64)
    torch.testing.assert_close(layer(flat), torch.zeros(1, 1, 5, 4, dtype=torch.float64))
    with torch.no_grad():
        layer.get_parameter("weight").zero_()
        layer.get_parameter("weight")[0, 0, 1, 2] = 1
    ramp = 0.5 * torch.arange(6, dtype=torch.float64).expand(1, 1, 7, 6)
    torch.testing.assert_close(layer(4 * ramp), torch.full((1, 1, 5, 4), 4.0, dtype=torch.float64))


def axis_kernel(w: Mapping[str, Tensor], y: Tensor, axis: int) -> Tensor:
    """The kernel of an axis of [b, p, q, 8], by hand."""
    name = f"mix.axes.{axis}.kernel."
    z = F.linear(F.linear(y, w["mix.to_in.weight"]), w[name + "to_in.weight"]).mean(2 - axis)
    z = F.layer_norm(z, (8,), w[name + "norm.weight"], w[name + "norm.bias"])
    a, gate = F.linear(z, w[name + "up.weight"], w[name + "up.bias"]).chunk(2, -1)
    z = F.linear(a * F.gelu(gate), w[name + "down.weight"], w[name + "down.bias"])
    q, k = (F.linear(z, w[f"{name}{n}.weight"]).view(*z.shape[:-1], 2, 6).transpose(1, 2) for n in "qk")
    place = 64 * torch.arange(q.shape[2], dtype=torch.float64) / q.shape[2]
    turn = torch.polar(
        torch.ones(1, dtype=torch.float64), place[:, None] * 10000.0 ** (-torch.arange(3, dtype=torch.float64) / 3)
    )
    q, k = (torch.complex(x[..., :3], x[..., 3:]) * turn for x in (q, k))
    return (q @ k.mH).real


@pytest.mark.parametrize("name", ["SmallChained", "SmallParallel"])
def test_attention_along_each_axis(name: str) -> None:
    module, x = net(name), randn(2, 5, 4, 8)
    w = dict(module.named_parameters())
    with torch.no_grad():
        for weight in w.values():
            weight.normal_(std=0.3)
    y = F.layer_norm(x, (8,), w["mix.norm.weight"], w["mix.norm.bias"])
    v = F.linear(y, w["mix.to_v.weight"]).view(2, 5, 4, 2, 2)
    first, second = axis_kernel(w, y, 0), axis_kernel(w, y, 1)
    along = torch.einsum("bhmp,bpqhe->bmqhe", first, v)
    if name == "SmallChained":
        u = torch.einsum("bhmq,bpqhe->bpmhe", second, along)
    else:
        u = torch.cat([along, torch.einsum("bhmq,bpqhe->bpmhe", second, v)], -2)
    u = F.instance_norm(u.flatten(-2).movedim(-1, 1)).movedim(1, -1)
    expected = F.linear(F.gelu(F.linear(u, w["mix.out1.weight"])), w["mix.out2.weight"])
    torch.testing.assert_close(module(x), expected)


def test_a_norm_of_a_time_starts_at_nothing() -> None:
    module, x, t = net("TimedNorm"), randn(3, 5, 6), torch.tensor([0.0, 1.0, 2.0], dtype=torch.float64)
    assert module(x, 0 * t).abs().max() == 0
    w = dict(module.named_parameters())
    assert 0.001 < w["conditional_layer_norm.weight.weight"].abs().max() < 0.1
    scale, shift = (F.linear(t[:, None], w[f"conditional_layer_norm.{n}.weight"])[:, None] for n in ("weight", "bias"))
    torch.testing.assert_close(module(x, t), F.layer_norm(x, (6,)) * scale + shift)


def test_latent_tokens_without_waves_are_attention() -> None:
    layer, x = net("Latent"), randn(2, 8, 6, 9)
    w = dict(layer.named_parameters())
    with torch.no_grad():
        w["weights"].zero_()
    cut = x.view(2, 8, 2, 3, 3, 3).permute(0, 2, 4, 1, 3, 5).reshape(12, 8, 9)
    k, v = (
        (w["encode.weight"][:, :, 0, 0] @ cut + w["encode.bias"][:, None])
        .view(12, 2, 2, 4, 9)
        .transpose(-1, -2)
        .unbind(1)
    )
    q = (w["decode.weight"][:, :, 0, 0] @ cut + w["decode.bias"][:, None]).view(12, 2, 4, 9).transpose(-1, -2)
    tokens = w["latent"] + torch.softmax(w["latent"] @ k.mT, -1) @ v
    back = torch.softmax(q @ tokens.mT, -1) @ tokens
    y = cut + back.transpose(-1, -2).reshape(12, 8, 9)
    expected = y.view(2, 2, 3, 8, 3, 3).permute(0, 3, 1, 4, 2, 5).reshape(2, 8, 6, 9)
    torch.testing.assert_close(layer(x), expected)

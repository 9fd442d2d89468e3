"""Layers of `std.layers`: the numbers, vectors and limits of the fact sheet."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

import ogive
from ogive.api import Model

USES = """
use std.layers (TverskyProjection, KernelLinear, PrefixAttention, FourierFeatures, EvoNormB0, EvoNormS0, PoincareLinear,
                mobius_add, poincare_midpoint, SharpSepConv, RaftMixing, DeltaActivation)
"""


def net(stages: str, inputs: str, outputs: str) -> nn.Module:
    text = f"{USES}\nblock Net({inputs}) -> {outputs}:\n    return {stages}\n\nmodel M = Net[]\n"
    model = ogive.source(text)["M"]
    assert isinstance(model, Model)
    torch.manual_seed(0)
    return model.torch().double()


def fill(module: nn.Module, **values: object) -> None:
    with torch.no_grad():
        for name, weight in (*module.named_parameters(), *module.named_buffers()):
            given = values.get(name.rpartition(".")[2])
            if given is not None:
                weight.copy_(torch.as_tensor(given, dtype=weight.dtype).expand_as(weight))


def f64(*values: float | list[float]) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def test_similarity_by_common_and_missing_features() -> None:
    layer = net("TverskyProjection[2, 1, 3](x)", "x: [b, 2]", "[b, c]")
    fill(layer, bank=[[1.0, 0.0], [0.0, 1.0], [1.0, -1.0]], prototypes=[[2.0, -1.0]])
    assert layer(f64([1, 2])).item() == pytest.approx(2 - 0.5 * 2 - 0.5 * 3)
    model = ogive.source(
        f"{USES}\nblock N(x: [b, 36]) -> [b, c]:\n    return TverskyProjection[36, 10, 36](x)\n\nmodel M = N[]"
    )
    assert model.models["M"].parameters == 1_659


def test_exclusive_or_is_a_similarity() -> None:
    layer = net("TverskyProjection[2, 1, 2](x)", "x: [b, 2]", "[b, c]")
    fill(layer, bank=[[1.0, -1.0], [-1.0, 1.0]], prototypes=0.0, alpha=-1.0)
    torch.testing.assert_close(layer(f64([0, 0], [0, 1], [1, 0], [1, 1]))[:, 0], f64(0, 1, 1, 0))


def test_random_features_make_the_arc_cosine_kernel() -> None:
    layer = net("KernelLinear[3, 1, 400000](x)", "x: [b, 3]", "[b, c]")
    x, w = torch.randn(3, dtype=torch.float64), torch.randn(3, dtype=torch.float64)
    features = torch.relu(layer.get_buffer("kernel_linear.G") @ w) / math.sqrt(400_000)
    fill(layer, psi=features[None])
    angle = torch.acos(x @ w / x.norm() / w.norm())
    expected = x.norm() * w.norm() * (angle.sin() + (math.pi - angle) * angle.cos()) / (2 * math.pi)
    assert layer(x[None]).item() == pytest.approx(expected.item(), rel=0.03)


def attention() -> nn.Module:
    return net("PrefixAttention[1, 2](q, k, v)", "q: [b, 1, n, 2], k: [b, 1, m, 2], v: [b, 1, m, 2]", "[b, 1, n, 2]")


def test_attention_with_a_prefix() -> None:
    layer, q, eye = attention(), f64(1, -1).view(1, 1, 1, 2), torch.eye(2, dtype=torch.float64).view(1, 1, 2, 2)
    torch.testing.assert_close(layer(q, eye, eye)[0, 0, 0], f64(0.80442968, 0.19557032), rtol=0, atol=1e-8)
    fill(layer, Z=0.5 * torch.eye(2), z=[0.2, 0.3])
    torch.testing.assert_close(layer(q, eye, eye)[0, 0, 0], f64(0.97674645, 0.23477538), rtol=0, atol=1e-8)
    far = 200 * eye  # large scores: the exponentials do not overflow
    assert torch.isfinite(layer(200 * q, far, far)).all()


def test_a_prefix_is_keys_and_values_under_the_kernel() -> None:
    def feature(u: Tensor) -> Tensor:
        return nn.functional.elu(u / 2**0.25) + 1

    layer, (q, k, v, k0, v0) = attention(), (torch.randn(1, 1, 4, 2, dtype=torch.float64) for _ in range(5))
    fill(layer, Z=(feature(k0)[0, 0].mT @ v0[0, 0])[None], z=feature(k0)[0, 0].sum(0))
    scores, extra = torch.exp(q @ k.mT / math.sqrt(2)), feature(q) @ feature(k0).mT
    expected = (scores @ v + extra @ v0) / (scores.sum(-1) + extra.sum(-1))[..., None]
    torch.testing.assert_close(layer(q, k, v), expected)


def test_waves_have_one_length_and_a_gaussian_kernel() -> None:
    layer = net("FourierFeatures[2, 40000, 0.3](x)", "x: [b, 2]", "[b, c]")
    x = f64([0.1, 0.4], [0.5, -0.2])
    y = layer(x)
    torch.testing.assert_close(y.square().sum(1), torch.full((2,), 20_000.0, dtype=torch.float64))
    expected = math.exp(-2 * math.pi**2 * 0.3**2 * (x[0] - x[1]).square().sum().item())
    assert (y[0] @ y[1] / 20_000).item() == pytest.approx(expected, abs=0.02)
    assert not list(layer.parameters())


X = torch.arange(8, dtype=torch.float64).view(1, 2, 2, 2)


def test_norms_that_are_activations() -> None:
    s0 = net("EvoNormS0[2, 1](x)", "x: [b, 2, h, w]", "[b, 2, h, w]")
    expected = f64(0, 0.3191, 0.7688, 1.2472, 1.7143, 2.1676, 2.6121, 3.0523)
    torch.testing.assert_close(s0(X).flatten(), expected, rtol=0, atol=5e-5)
    b0 = net("EvoNormB0[2](x)", "x: [b, 2, h, w]", "[b, 2, h, w]")
    expected = f64(0, 0.4721, 0.6414, 0.7285, 0.7815, 0.8173, 0.8429, 0.8623)
    torch.testing.assert_close(b0(X).flatten(), expected, rtol=0, atol=5e-5)
    running = b0.get_buffer("evo_norm_b0.running_var")
    torch.testing.assert_close(running, (0.9 + 0.1 * X[0].flatten(1).var(1)).detach())
    own = (X[0].flatten(1).var(1, correction=0) + 1e-5).sqrt()[None, :, None, None]
    expected = X / torch.maximum((running + 1e-5).sqrt()[None, :, None, None], X + own)
    torch.testing.assert_close(b0.eval()(X), expected)


def test_a_hyperbolic_map() -> None:
    layer = net("PoincareLinear[2, 2, 1.0](x)", "x: [b, 2]", "[b, c]")
    x = f64([0.2, 0.3])
    torch.testing.assert_close(layer(x), x)  # it starts as the identity
    fill(layer, Z=[[0.3, -0.2], [0.1, 0.4]], r=[0.1, -0.05])
    torch.testing.assert_close(layer(x)[0], f64(0.11819614, 0.22527887), rtol=0, atol=1e-8)


def test_hyperbolic_addition() -> None:
    add = net("mobius_add[1.0](x, y)", "x: [b, 2], y: [b, 2]", "[b, 2]")
    x, y = f64([0.2, 0.3]), f64([-0.4, 0.1])
    zero = torch.zeros_like(x)
    torch.testing.assert_close(add(x, zero), x)
    torch.testing.assert_close(add(zero, y), y)
    torch.testing.assert_close(add(-x, add(x, y)), y)  # left cancellation


def test_changes_from_frame_to_frame() -> None:
    layer = net("DeltaActivation(x)", "x: [b, n, 1]", "[b, n, 1]")
    x = f64(0, 0.04, 0.26, 0.31).view(1, 4, 1)
    torch.testing.assert_close(layer(x).flatten(), f64(0, 0, 0.3, 0))
    (slope,) = torch.autograd.grad(layer(x).cumsum(1).sum(), layer.get_parameter("delta_activation.threshold"))
    assert slope.item() == pytest.approx(-(0 + 0 + 3 + 3))  # that of the outer factor, negated


def test_the_midpoint_is_that_of_straight_lines() -> None:
    layer, x = (
        net("poincare_midpoint[1.0](x)", "x: [b, n, 2]", "[b, c]"),
        0.4 * torch.randn(3, 5, 2, dtype=torch.float64),
    )
    x = x / (1 + x.norm(dim=-1, keepdim=True))
    straight = 2 * x / (1 + x.square().sum(-1, keepdim=True))  # Klein's model, where lines are straight
    gamma = (1 - straight.square().sum(-1, keepdim=True)).rsqrt()
    middle = (gamma * straight).sum(1) / gamma.sum(1)
    expected = middle / (1 + (1 - middle.square().sum(-1, keepdim=True)).sqrt())
    torch.testing.assert_close(layer(x), expected)


@pytest.mark.parametrize(("cin", "cout", "kernel", "count"), [(36, 36, 3, 3_384), (36, 36, 5, 4_536), (16, 16, 3, 864)])
def test_numbers_of_a_separable_pair(cin: int, cout: int, kernel: int, count: int) -> None:
    layer = net(f"SharpSepConv[{cin}, {cout}, {kernel}, stride=2](x)", f"x: [b, {cin}, h, w]", "[b, c, h', w']")
    assert sum(weight.numel() for weight in layer.parameters()) == count
    assert layer(torch.randn(1, cin, 9, 8, dtype=torch.float64)).shape == (1, cout, 5, 4)


@pytest.mark.parametrize("vertical", [True, False])
def test_rafts_mix_one_axis_and_two_channels(vertical: bool) -> None:
    text = f"RaftMixing[8, 6, vertical={str(vertical).lower()}](x)"
    layer = net(text, "x: [b, 8, 6, 6]", "[b, 8, 6, 6]")
    x = torch.randn(1, 8, 6, 6, dtype=torch.float64)
    changed = x.clone()
    changed[0, :, 2, 3] += torch.randn(8, dtype=torch.float64)
    moved = (layer(changed) - layer(x)).abs().sum((0, 1)) > 1e-9
    expected = torch.zeros(6, 6, dtype=torch.bool)
    if vertical:
        expected[:, 3] = True
    else:
        expected[2] = True
    assert torch.equal(moved, expected)
    with torch.no_grad():
        for name, weight in layer.named_parameters():
            if "fc2" in name:
                weight.zero_()
    torch.testing.assert_close(layer(x), x)

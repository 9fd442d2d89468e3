"""Networks that make weights, and residual streams: the numbers and identities of their papers."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import ogive
from ogive.api import Model

PROGRAM = ogive.source("""
use std.nn (Linear, identity)
use std.hyper (HyperNetwork, SelfTuningLinear, IntervalLinear, interval_act, IntervalEmbedding, WeightField,
               EquivariantPredictor, AssignmentStep, magnitude_invariant)
use std.streams (HyperConnection, ManifoldConnection, PermutedConnection)

## A thousand weights.
block Target[d, k](x: [n, d]) -> [n, d]:
    return x |> Linear[d, k] as up |> sin |> Linear[k, d, bias=false] as down

block Box(task: int[b]) -> (centre: [b, c], radius: [b, r]):
    centre, radius = IntervalEmbedding[3, 8](task)
    centre, radius = IntervalLinear[8, 16](centre, radius)
    centre, radius = interval_act[tanh](centre, radius)
    centre, radius = IntervalLinear[16, 5](centre, radius)
    return centre, radius

block Embedded(task: int[b]) -> (centre: [b, c], radius: [b, r]):
    centre, radius = IntervalEmbedding[3, 8](task)
    return centre, radius

block Dynamic[d](x: [b, 4, n, d]) -> [b, 4, n, d]:
    return x |> HyperConnection[tanh, 4, 1] as connection

block Manifold[d](x: [b, 4, n, d]) -> [b, 4, n, d]:
    return x |> ManifoldConnection[tanh, 4, 1] as connection

block Permuted[d](x: [b, 4, n, d]) -> [b, 4, n, d]:
    return x |> PermutedConnection[tanh, 4, 1] as connection

model Hyper = HyperNetwork[Target[4, 111], [16, 64, 128], d=4, q=10]
model Small = HyperNetwork[Target[4, 6], [5], d=4, q=3]
model Tuned = SelfTuningLinear[100, 50, k=7]
model Boxes = Box[]
model Embeddings = Embedded[]
model Field = WeightField[k=6]
model Predictor = EquivariantPredictor[4, 1024]
model Step = AssignmentStep[]
model HC = Dynamic[512]
model MHC = Manifold[512]
model Lite = Permuted[512]
model SmallHC = Dynamic[6]
model SmallMHC = Manifold[6]
model SmallLite = Permuted[6]
""")

COUNTS = {
    "Hyper": 138_744 - 129,  # of 999 weights instead of 1,000
    "Tuned": 10_801,
    "Field": 250_636,
    "Predictor": 4_194_304,
    "HC": 3_610,
    "MHC": 51_227,
    "Lite": 67_619,
}


def net(name: str) -> nn.Module:
    model = PROGRAM[name]
    assert isinstance(model, Model)
    torch.manual_seed(0)
    return model.torch().double()


def randn(*shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64)


@pytest.mark.parametrize("name", COUNTS)
def test_numbers_of_weights(name: str) -> None:
    model = PROGRAM[name]
    assert isinstance(model, Model)
    assert model.parameters == COUNTS[name]


def test_predicted_weights_start_around_those_of_the_block() -> None:
    module = net("Small")
    w, (x, gamma) = dict(module.named_parameters()), (randn(2, 7, 4), torch.rand(2, 3, dtype=torch.float64))
    code = torch.cat([torch.cos(math.pi / 2 * gamma), torch.sin(math.pi / 2 * gamma)], 1)
    torch.testing.assert_close(code.square().sum(1), torch.full((2,), 3.0, dtype=torch.float64))
    hidden = F.leaky_relu(F.linear(code, w["trunk.0.linear.weight"], w["trunk.0.linear.bias"]))
    theta = F.linear(hidden, w["head.weight"], w["head.bias"])
    up, bias, down = torch.split(theta, [24, 6, 24], 1)
    y = torch.sin(torch.einsum("bnd,bkd->bnk", x, up.view(2, 6, 4)) + bias[:, None])
    torch.testing.assert_close(module(x, gamma), torch.einsum("bnk,bdk->bnd", y, down.view(2, 4, 6)))
    own = w["head.bias"]  # θ₀: linear maps of fan 6 and 4
    assert own[30:].abs().max() <= 6**-0.5
    assert own[:30].abs().max() <= 4**-0.5
    assert own.abs().min() > 0


def test_a_self_tuning_layer_folds_its_settings_into_a_weight() -> None:
    module = net("Tuned")
    w, (x, settings) = dict(module.named_parameters()), (randn(3, 100), randn(1, 7))
    with torch.no_grad():
        w["scale"].fill_(0.7)
    s_w, s_b = F.linear(settings, w["response.weight"])[0].chunk(2)
    weight = w["scale"] * w["weight"] + s_w[:, None] * w["response_weight"]
    expected = F.linear(x, weight, w["scale"] * w["bias"] + s_b * w["response_bias"])
    torch.testing.assert_close(module(x, settings.expand(3, 7)), expected)


def test_samples_of_a_box_never_leave_it() -> None:
    inner, outer = net("Embeddings"), net("Boxes")
    task = torch.tensor([2])
    with torch.no_grad():
        outer.load_state_dict({**outer.state_dict(), **inner.state_dict()})
    (centre, radius), (out, reach) = inner(task), outer(task)
    assert radius.unique().tolist() == [0.0625]
    assert (centre.abs() <= 0.0625 / 2).all()
    w = dict(outer.named_parameters())
    (w1, w2), (b1, b2) = ([x for n, x in w.items() if n.endswith(end)] for end in ("weight", "bias"))
    for _ in range(200):
        x = centre + radius * (2 * torch.rand(8, dtype=torch.float64) - 1)
        y = F.linear(torch.tanh(F.linear(x, w1, b1)), w2, b2)
        assert ((y - out).abs() <= reach + 1e-12).all()


def test_a_step_of_assignments() -> None:
    p = torch.tensor([[0.7, 0.3], [0.4, 0.6]], dtype=torch.float64).log()
    u = torch.tensor([[0.6, 0.4], [0.5, 0.5]], dtype=torch.float64)
    expected = torch.tensor([[0.64166064, 0.35833936], [0.46075020, 0.53924980]], dtype=torch.float64)
    torch.testing.assert_close(net("Step")(p, u), expected, rtol=0, atol=1e-8)


def mixes(name: str) -> tuple[Tensor, Tensor]:
    """How a fresh connection mixes streams, H[s, t], and what its branch reads: its branch is linear around 0."""
    module, d = net(name), 6
    x = torch.zeros(1, 4, 4, d, dtype=torch.float64)
    for s in range(4):
        x[0, s, s, 0] = 1e-6  # token s holds stream s alone
    y = module(x)[0, :, :, 0] / 1e-6  # [t, s]
    return y, module(torch.zeros_like(x))


@pytest.mark.parametrize(("name", "diagonal", "off"), [("SmallLite", 0.99401, 0.00200), ("SmallMHC", 0.998995, None)])
def test_streams_start_nearly_unmixed(name: str, diagonal: float, off: float | None) -> None:
    found, _ = mixes(name)
    sigmoid = torch.sigmoid(torch.tensor([-1.0, 1.0, -1.0, -1.0], dtype=torch.float64))
    mixed = found - (2 * sigmoid)[:, None] * sigmoid[None, :]  # what the branch writes of what it reads
    torch.testing.assert_close(mixed.diagonal(), torch.full((4,), diagonal, dtype=torch.float64), rtol=0, atol=1e-5)
    torch.testing.assert_close(mixed.sum(0), torch.ones(4, dtype=torch.float64), rtol=0, atol=1e-8)
    if off is not None:
        assert mixed[0, 1].item() == pytest.approx(off, abs=1e-5)


def test_a_hyper_connection_starts_as_a_residual_branch_of_one_stream() -> None:
    module, x = net("SmallHC"), randn(2, 4, 3, 6)
    torch.testing.assert_close(module(x), x + torch.tanh(x[:, 1:2]))


def test_a_mix_of_permutations_is_doubly_stochastic_for_any_logits() -> None:
    module = net("SmallLite")
    with torch.no_grad():
        module.get_parameter("connection.mix_bias").copy_(50 * randn(24))
    x = torch.ones(1, 4, 1, 6, dtype=torch.float64) * 1e-7
    gates = torch.sigmoid(torch.tensor([-1.0, 1.0, -1.0, -1.0], dtype=torch.float64))
    expected = 1 + 2 * gates * gates.sum()  # columns sum to 1: equal streams stay equal
    torch.testing.assert_close(module(x)[0, :, 0, 0] / 1e-7, expected, rtol=1e-6, atol=1e-6)

"""Solvers, fields, graphs, events and priors of the library: counts, limits and symmetries of their papers."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import ogive
from ogive.api import Model

PROGRAM = ogive.source("""
use std.nn (Linear, identity)
use std.solvers (ODEBlock, TimeMLP, ConjugateDirections)
use std.fields (Siren, GatedFieldMLP, GaussianFeatures)
use std.graphs (HypergraphConv, GINEConv, segment_sum, segment_mean, segment_max)
use std.events (ExponentialIntensity, LogNormalMixture, RisingIntensity)
use std.priors (PriorFittedNetwork, bar_log_density)

block same(t: [], y: [*b, d]) -> [*b, d]:
    return y

block clock(t: [], y: [*b, d]) -> [*b, d]:
    return 0 * y + t**2

block Dynamics(x: [b, 784]) -> [b, 784]:
    return x |> ODEBlock[TimeMLP[[100]], steps=3] as ode

block growth[method: str, steps: size](y: [b]) -> [b]:
    return y |> rearrange["b -> b 1"] |> ODEBlock[same, steps=steps, method=method] |> rearrange["b 1 -> b"]

block timed[method: str](y: [b]) -> [b]:
    return y |> rearrange["b -> b 1"] |> ODEBlock[clock, steps=4, method=method, span=2.0] |> rearrange["b 1 -> b"]

block segments(x: [m, d], i: int[m]) -> (sums: [4, d], means: [4, d], tops: [4, d]):
    return segment_sum[4](x, i), segment_mean[4](x, i), segment_max[4](x, i)

block Conjugate(b: [m, 6]) -> [m, 6]:
    a = Linear[6, 6, bias=false]
    return b |> ConjugateDirections[a, identity, 4] as solve

block Scaled(b: [m, 6]) -> [m, 6]:
    a = Linear[6, 6, bias=false]
    return b |> ConjugateDirections[a, triple, 4] as solve

block triple(x: [*b]) -> [*b]:
    return 3 * x

model MNIST = Dynamics[]
model CG = Conjugate[]
model CG3 = Scaled[]
model Sine = Siren[1, 64, 1]
model Sine2 = Siren[2, 64, 2]
model Gated = GatedFieldMLP[22, 32, 1]
model Gaussians = GaussianFeatures[3, 4, 4000]
model Bump = GaussianFeatures[2, 1, 1]
model Hyper = HypergraphConv[5, 3]
model GINE = GINEConv[Linear[4, 2], 4]
model Exponential = ExponentialIntensity[4]
model LogNormal = LogNormalMixture[4, 1]
model LogNormals = LogNormalMixture[4, 3]
model Rising = RisingIntensity[4, 6]
model LCPFN = PriorFittedNetwork[1, 512, 4, 1024, 12, 1000]
model PFN = PriorFittedNetwork[2, 16, 2, 24, 2, 5]
model Bars = bar_log_density[]
""")

COUNTS = {
    "MNIST": 158_568, "Sine": 12_673, "Sine2": 12_802, "Gated": 5_409, "Gaussians": 112_000, "LCPFN": 26_785_768,
}  # fmt: skip


def net(name: str) -> nn.Module:
    found = PROGRAM[name]
    assert isinstance(found, Model)
    torch.manual_seed(0)
    return found.torch().double()


def randn(*shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64)


@pytest.mark.parametrize("name", COUNTS)
def test_numbers_of_weights(name: str) -> None:
    found = PROGRAM[name]
    assert isinstance(found, Model)
    assert found.parameters == COUNTS[name]


# --- solvers ----------------------------------------------------------------------------------------------------------


def solved(block: str, **statics: str | int) -> float:
    found = PROGRAM[block]
    assert not isinstance(found, Model)
    return float(found(**statics).torch().double()(torch.ones(1, dtype=torch.float64)))


@pytest.mark.parametrize(
    ("method", "once"), [("euler", 2.0), ("midpoint", 2.5), ("heun", 2.5), ("rk4", 65 / 24), ("classic", 65 / 24)]
)
def test_a_step_of_growth(method: str, once: float) -> None:
    """1 + z + z²/2 + ... at z = 1, as far as the order goes; orders hold as steps shrink."""
    assert solved("growth", method=method, steps=1) == pytest.approx(once)
    order = {"euler": 1, "midpoint": 2, "heun": 2}.get(method, 4)
    errors = [abs(solved("growth", method=method, steps=steps) - math.e) for steps in (8, 16)]
    assert math.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.15)


@pytest.mark.parametrize("method", ["heun", "rk4", "classic", "midpoint"])
def test_steps_see_the_time(method: str) -> None:
    exact = 1 + 2**3 / 3
    assert solved("timed", method=method) == pytest.approx(exact, abs=1e-12 if "c" in method or "4" in method else 0.1)


@pytest.mark.parametrize("name", ["CG", "CG3"])
def test_plain_residuals_give_conjugate_gradients(name: str) -> None:
    module, b = net(name), randn(3, 6)
    root = randn(6, 6)
    matrix = root @ root.mT + torch.eye(6)
    with torch.no_grad():
        module.get_parameter("a.weight").copy_(matrix)
    x, r = torch.zeros(3, 6, dtype=torch.float64), b
    p = r
    for _ in range(4):
        step = (r * r).sum(1) / (p * (p @ matrix)).sum(1)
        x, before = x + step[:, None] * p, (r * r).sum(1)
        r = r - step[:, None] * (p @ matrix)
        p = r + ((r * r).sum(1) / before)[:, None] * p
    torch.testing.assert_close(module(b), x)


# --- fields -----------------------------------------------------------------------------------------------------------


def test_sines_start_within_their_bounds() -> None:
    module = net("Sine2")
    w = dict(module.named_parameters())
    assert w["first.weight"].abs().max() <= 1 / 2
    for name in ("layers.0.linear.weight", "layers.2.linear.weight", "last.weight"):
        assert 0.8 * math.sqrt(6 / 64) / 30 < w[name].abs().max() <= math.sqrt(6 / 64) / 30
    x = randn(4, 2)
    y = torch.sin(30 * F.linear(x, w["first.weight"], w["first.bias"]))
    for i in range(3):
        y = torch.sin(30 * F.linear(y, w[f"layers.{i}.linear.weight"], w[f"layers.{i}.linear.bias"]))
    torch.testing.assert_close(module(x), F.linear(y, w["last.weight"], w["last.bias"]))


def test_a_bump_is_a_gaussian() -> None:
    module = net("Bump")
    with torch.no_grad():
        module.get_parameter("weight").fill_(2)
        module.get_parameter("mean").copy_(torch.tensor([[[0.2, 0.4]]]))
    x = torch.tensor([[0.2, 0.4], [1.0, 0.4]], dtype=torch.float64)
    expected = torch.tensor([[2.0], [2 * math.exp(-0.5)]], dtype=torch.float64)
    torch.testing.assert_close(module(x), expected)


# --- graphs -----------------------------------------------------------------------------------------------------------


def test_edges_of_two_nodes_give_the_graph_convolution() -> None:
    module, x = net("Hyper"), randn(4, 5)
    edges = torch.tensor([[0, 1], [1, 2], [2, 3], [0, 2]])
    incidence = torch.zeros(4, 4, dtype=torch.float64)
    for i, edge in enumerate(edges):
        incidence[edge, i] = 1
    adjacent = incidence @ incidence.mT
    degree = adjacent.diagonal().clone()
    adjacent.fill_diagonal_(0)
    root = degree.rsqrt()
    g = 0.5 * (torch.eye(4) + root[:, None] * adjacent * root)
    w = dict(module.named_parameters())
    torch.testing.assert_close(module(x, incidence), g @ (x @ w["theta"] + w["bias"]))
    alone = torch.eye(4, dtype=torch.float64)
    torch.testing.assert_close(module(x, alone), x @ w["theta"] + w["bias"])
    alone[3] = 0  # a node of no edge
    assert module(x, alone)[3].abs().max() == 0


def test_messages_are_summed_where_they_arrive() -> None:
    module, x, edges = net("GINE"), randn(3, 4), randn(2, 4)
    source, target = torch.tensor([0, 1]), torch.tensor([2, 2])
    w = dict(module.named_parameters())
    total = x.clone()
    total[2] += torch.relu(x[0] + edges[0]) + torch.relu(x[1] + edges[1])
    expected = F.linear(total, w["F.weight"], w["F.bias"])
    torch.testing.assert_close(module(x, source, target, edges), expected)


# --- events -----------------------------------------------------------------------------------------------------------


def numeric(f: Callable[[Tensor], Tensor], t: Tensor) -> Tensor:
    return (f(t + 1e-5) - f(t - 1e-5)) / 2e-5


@pytest.mark.parametrize("w", [0.0, 0.3, -0.2])
def test_an_intensity_is_the_slope_of_its_integral(w: float) -> None:
    module, h, t = net("Exponential"), randn(5, 4), torch.rand(5, dtype=torch.float64) + 0.1
    with torch.no_grad():
        module.get_parameter("w").fill_(w)
    intensity = module(h, t)[0].exp()
    torch.testing.assert_close(numeric(lambda s: module(h, s)[1], t), intensity, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(module(h, 0 * t)[1], torch.zeros(5, dtype=torch.float64))
    if w == 0:
        torch.testing.assert_close(module(h, t)[1], intensity * t)  # a Poisson process


def test_one_component_is_a_log_normal_density() -> None:
    module, h, t = net("LogNormal"), randn(5, 4), torch.rand(5, dtype=torch.float64) + 0.1
    w = dict(module.named_parameters())
    mean, sigma = (F.linear(h, w[f"{n}.weight"], w[f"{n}.bias"])[:, 0] for n in ("mean", "log_sigma"))
    z = (t.log() - mean) / sigma.exp()
    expected = -(z.square() + math.log(2 * math.pi)) / 2 - sigma - t.log()
    torch.testing.assert_close(module(h, t)[0], expected)
    torch.testing.assert_close(module(h, t)[1], torch.special.log_ndtr(-z))


def test_a_mixture_is_a_density() -> None:
    module, h, t = net("LogNormals"), randn(5, 4), torch.rand(5, dtype=torch.float64) + 0.1
    slope = -numeric(lambda s: module(h, s)[1].exp(), t)
    torch.testing.assert_close(module(h, t)[0].exp(), slope, rtol=1e-6, atol=1e-6)


def test_a_rising_integral_has_the_intensity_for_a_slope() -> None:
    module, h, t = net("Rising"), randn(5, 4), torch.rand(5, dtype=torch.float64) + 0.1
    intensity, integral = module(h, t)
    torch.testing.assert_close(numeric(lambda s: module(h, s)[1], t), intensity, rtol=1e-6, atol=1e-6)
    assert (intensity >= 0).all()
    assert (integral >= 0).all()
    assert module(h, 0 * t)[1].abs().max() == 0


# --- priors -----------------------------------------------------------------------------------------------------------


def test_examples_are_a_set_and_queries_are_alone() -> None:
    module, x, y = net("PFN"), randn(2, 7, 2), randn(2, 4, 1)
    torch.testing.assert_close(module(x, y), module(x, 5 * y))  # it starts blind to y
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_(std=0.3)
    found, order = module(x, y), torch.tensor([2, 0, 3, 1])
    mixed = torch.cat([x[:, order], x[:, 4:]], 1)
    torch.testing.assert_close(module(mixed, y[:, order]), found)
    torch.testing.assert_close(module(x[:, :5], y), found[:, :1])  # more queries change nothing
    assert not torch.allclose(module(x, 5 * y), found)


def test_bars_are_a_density() -> None:
    module, borders = net("Bars"), torch.tensor([0.0, 0.5, 2.0, 3.0], dtype=torch.float64)
    logits = randn(1, 3).expand(3000, 3)
    y = (torch.arange(3000, dtype=torch.float64) + 0.5) / 1000
    density = module(logits, borders, y).exp()
    assert density.sum().item() / 1000 == pytest.approx(1, abs=1e-9)
    expected = logits[0].softmax(0) / (borders[1:] - borders[:-1])
    torch.testing.assert_close(density[[0, 1000, 2500]], expected)


def test_segments_are_joined_row_by_row() -> None:
    x, i = torch.randn(6, 3), torch.tensor([0, 3, 1, 3, 0, 3])
    sums, means, tops = PROGRAM["segments"].torch()(x, i)
    for k in range(4):
        rows = x[i == k]
        torch.testing.assert_close(sums[k], rows.sum(0))
        torch.testing.assert_close(means[k], rows.mean(0) if len(rows) else torch.zeros(3))
        torch.testing.assert_close(tops[k], rows.amax(0) if len(rows) else torch.zeros(3))

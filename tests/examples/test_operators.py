"""Neural operators: exact laws of their transforms, and the sizes of the papers."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import ogive
from ogive.api import Model

TEXT = """
use std.operators (SpectralConv, MultigridConv, MgNO, DeepONet)

block Line[modes: list](x: [b, 2, p]) -> [b, 2, p]:
    return x |> SpectralConv[2, 2, modes] as conv

block Plane[modes: list](x: [b, 2, p, q]) -> [b, 2, p, q]:
    return x |> SpectralConv[2, 2, modes] as conv

block Space[modes: list](x: [b, 2, p, q, r]) -> [b, 2, p, q, r]:
    return x |> SpectralConv[2, 2, modes] as conv

model Smooth = MgNO[1, 1, 24, 211, [[1, 0], [1, 0], [1, 0], [1, 0], [1, 0], [2, 0]]]
model Rough = MgNO[1, 1, 24, 256, [[1, 0], [1, 0], [1, 0], [1, 0], [1, 0], [2, 0]], depth=4]
model Cycle = MultigridConv[2, 3, 13, [[1, 1], [2, 1], [1, 0]]]
model Deep = DeepONet[sensors=100, k=1, branch=[40, 40], trunk=[40, 40]]
"""
PROGRAM = ogive.source(TEXT)


def spectral(block: str, modes: list[int]) -> nn.Module:
    """A spectral convolution that keeps each channel as it is."""
    found = PROGRAM[block]
    assert not isinstance(found, Model)
    net = found(modes=modes).torch().double()
    weight = net.get_parameter("conv.weight")
    with torch.no_grad():
        weight.zero_()
        for channel in range(2):
            weight[channel, channel, ..., 0] = 1
    return net


def net(name: str) -> nn.Module:
    model = PROGRAM[name]
    assert isinstance(model, Model)
    return model.torch().double()


@pytest.mark.parametrize(
    ("block", "sizes"),
    [("Line", (8,)), ("Line", (7,)), ("Plane", (6, 8)), ("Plane", (7, 5)), ("Space", (4, 5, 6)), ("Plane", (1, 3))],
)
def test_all_modes_and_identity_weights_reproduce_the_input(block: str, sizes: tuple[int, ...]) -> None:
    x = torch.randn(3, 2, *sizes, dtype=torch.float64)
    torch.testing.assert_close(spectral(block, list(sizes))(x), x)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("frequency", range(6))
def test_a_wave_passes_if_its_mode_is_kept(axis: int, frequency: int) -> None:
    """m = 6 modes keep -3 ... 2 of an axis, and 0 ... 3 of the last: at -3 half of a wave is left."""
    place = torch.arange(12, dtype=torch.float64) / 12
    wave = torch.cos(2 * math.pi * frequency * place).view((12, 1) if axis == 0 else (1, 12)).expand(1, 2, 12, 12)
    gain = 1.0 if frequency < 3 + axis else 0.5 if frequency == 3 else 0.0
    torch.testing.assert_close(spectral("Plane", [6, 6])(wave), gain * wave)


def test_a_finer_grid_gives_the_same_function() -> None:
    layer = spectral("Line", [6])
    with torch.no_grad():
        layer.get_parameter("conv.weight").normal_()

    def field(n: int) -> Tensor:
        t = 2 * math.pi * torch.arange(n, dtype=torch.float64) / n
        return torch.stack([torch.sin(t) + torch.cos(2 * t), torch.cos(t)])[None]

    torch.testing.assert_close(layer(field(32))[..., ::2], layer(field(16)))


def test_sizes_of_the_papers() -> None:
    sizes = {name: model.parameters for name, model in PROGRAM.models.items()}
    assert (sizes["Smooth"], sizes["Rough"], sizes["Deep"]) == (678_093, 572_661, 7_401)


def test_a_multigrid_cycle_is_linear_and_runs_on_odd_grids() -> None:
    cycle = net("Cycle")
    f, g = (torch.randn(2, 2, 13, 13, dtype=torch.float64) for _ in range(2))
    assert cycle(f).shape == (2, 3, 13, 13)
    torch.testing.assert_close(cycle(0.3 * f + g), 0.3 * cycle(f) + cycle(g))


def smoothings(sweeps: list[list[int]]) -> int:
    """How often a cycle smooths: each time with a pair of maps, the first of all with one."""
    program = ogive.source(f"use std.operators (MultigridConv)\nmodel M = MultigridConv[1, 2, 9, {sweeps}]")
    return sum(path.endswith("smoother.S.weight") for path in program.models["M"].weights) + 1


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=3))
@settings(max_examples=10, deadline=None)
def test_every_sweep_is_one(sweeps: list[tuple[int, int]]) -> None:
    counts = [list(pair) for pair in sweeps]
    counts[0][0] += 1
    assert smoothings(counts) == sum(map(sum, counts))


def test_a_cycle_of_one_level_is_smoothing_alone() -> None:
    text = "use std.operators (MultigridConv)\nmodel M = MultigridConv[1, 2, 6, [[1, 1]]]"
    cycle, f = ogive.source(text).models["M"].torch(), torch.randn(2, 1, 6, 6)
    w = {path: weight for path, weight in cycle.named_parameters()}
    u = F.conv2d(f, w["S.weight"], padding=1)
    rest = f - F.conv2d(u, w["down.0.smooth.0.smoother.A.weight"], padding=1)
    torch.testing.assert_close(cycle(f), u + F.conv2d(rest, w["down.0.smooth.0.smoother.S.weight"], padding=1))


def test_a_deep_operator_net_is_an_inner_product() -> None:
    net_ = net("Deep")
    u, points = torch.randn(3, 100, dtype=torch.float64), torch.rand(5, 1, dtype=torch.float64)
    w = dict(net_.named_parameters())

    def widths(name: str, x: Tensor, last: bool) -> Tensor:
        for i in range(2):
            x = x @ w[f"{name}.layers.{i}.linear.weight"].mT + w[f"{name}.layers.{i}.linear.bias"]
            x = x.relu() if last or i == 0 else x
        return x

    expected = widths("branch_net", u, False) @ widths("trunk_net", points, True).mT + w["bias"]
    torch.testing.assert_close(net_(u, points), expected)

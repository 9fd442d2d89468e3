"""The pass `to_operator`: at the base it is the source, and on finer grids it converges."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import ogive
from analysis.test_groups import model_of, stirred
from ogive.compiler.ir_tools.verify import verify
from onnx_model.harness import session
from sampled import sampled

USES = "use std.nn (BatchNorm, Linear)\nuse std.vision (Conv, ConvTranspose)\n\n"


def model(body: str, signature: str = "(x: [b, 3, h, w]) -> [b, *y]") -> Any:
    """A model of a block with this body."""
    return ogive.source(f"{USES}block Net{signature}:\n{body}\n\nmodel M = Net\n").models["M"]


NETS = {
    "plain": "    return x |> Conv[3, 4, 3, pad=1] as a |> relu |> Conv[4, 5, 5, pad=2] as b |> mean[-1, -2]",
    "groups": "    return Conv[3, 6, 3, pad=2, dilation=2, groups=3, bias=false](x) |> gelu |> mean[-1, -2]",
    "strides": "    return Conv[3, 4, 3, pad=1, stride=2](x) |> tanh |> Conv[4, 4, 1] as b |> mean[-1, -2]",
    "patches": "    return Conv[3, 4, 4, stride=4](x) |> tanh |> mean[-1, -2]",
    "pools": "    return x |> Conv[3, 4, 3, pad=1] as a |> max_pool[2] |> avg_pool[2] |> mean[-1, -2]",
    "up": "    return x |> Conv[3, 4, 3, pad=1] as a |> ConvTranspose[4, 2, 2, stride=2] as up |> mean[-1, -2]",
    "same": '    return Conv[3, 4, 3, pad="same"](x) |> Conv[4, 4, 3, pad=1, pad_mode="circular"] as b |> mean[-1, -2]',
    "sums": "    return x |> Conv[3, 4, 3, pad=1] as a |> relu |> sum[-1, -2] |> Linear[4, 2] as head",
    "loop": "    x = Conv[3, 4, 3, pad=1](x)\n    repeat 2 as h:\n"
            "        x = x + (x |> Conv[4, 4, 3, pad=1] as c |> relu)\n"
            "    return x |> BatchNorm as norm |> mean[-1, -2]",
    "weights": "    param w: [4, 3, 3, 3]\n    return conv[pad=1](x, w / norm[1, 2, 3, keepdim=true](w))",
}  # fmt: skip
ONE = "    return Conv[3, 4, 5, pad=2](x) |> relu |> max_pool[2] |> mean[-1]"
THREE = "    return Conv[3, 4, 3, pad=1](x) |> relu |> mean[-1, -2, -3]"


def field(n: int, axes: int = 2) -> Tensor:
    """Three smooth functions, at the middles of n cells along each axis."""
    places = torch.meshgrid(*[(torch.arange(n).double() + 0.5) / n] * axes, indexing="ij")
    total = torch.stack(places).sum(0)
    bump = torch.exp(-8 * torch.stack([(place - 0.45) ** 2 for place in places]).sum(0))
    return torch.stack([torch.sin(5 * total), bump, total / axes])[None]


def operator(source: Any, net: nn.Module, passes: str) -> Any:
    """The deployed module in float64, with the weights of another."""
    made = source.deploy(passes)
    verify(made.ir)
    result = made.torch().double().eval()
    result.load_state_dict(made.convert(net.state_dict(), dtype=None))
    return result


@pytest.mark.parametrize("kernel", ["interpolate", "integral"])
@pytest.mark.parametrize("name", sampled(NETS, 2))
def test_at_the_base_nothing_changes(name: str, kernel: str) -> None:
    source = model(NETS[name])
    made = source.deploy(f"to_operator[kernel={kernel}, base=16]")
    verify(made.ir)
    assert made.verify(stirred(source), b=2).exact


@pytest.mark.parametrize("kernel", ["interpolate", "integral"])
def test_one_axis_and_three(kernel: str) -> None:
    for body, axes in ((ONE, "n"), (THREE, "d, h, w")):
        source = model(body, f"(x: [b, 3, {axes}]) -> [b, 4]")
        assert source.deploy(f"to_operator[kernel={kernel}, base=8]").verify(stirred(source), b=2).exact


SMOOTH = ("groups", "strides")  # a derivative of what a ReLU or a pool has bent has no limit
CONVERGING = [
    f"{name}, {kernel}"
    for kernel in ("interpolate", "integral", "spectral", "differential")
    for name in (SMOOTH if kernel == "differential" else (*SMOOTH, "plain", "pools", "up", "sums", "loop"))
]


@pytest.mark.parametrize("case", sampled(CONVERGING, 2))
def test_results_converge_as_the_grid_is_refined(case: str) -> None:
    """Each doubling leaves less of a step: of order 1 at least."""
    name, kernel = case.split(", ")
    source = model(NETS[name])
    net = operator(source, stirred(source).double(), f"to_operator[kernel={kernel}, base=8]")
    with torch.no_grad():
        outputs = [net(field(8 * s)) for s in (1, 2, 4, 8)]
    steps = [float((a - b).abs().max()) for a, b in pairwise(outputs)]
    assert steps[2] < 0.7 * steps[0]
    assert steps[2] < (0.1 if kernel == "interpolate" else 0.05) * float(outputs[-1].abs().max())


@pytest.mark.parametrize(("entries", "s", "drift"), [(9, 4, 0.03), (3, 2, 0.4)])
def test_the_sum_of_a_kernel_stays_only_where_it_is_constant(entries: int, s: int, drift: float) -> None:
    """Of `interpolate`; that of `integral` stays. Against torch's resampling of the kernel."""
    body = f"    return Conv[1, 1, {entries}, pad={entries // 2}, bias=false](x)"
    source = model(body, "(x: [b, 1, h, w]) -> [b, 1, h, w]")
    torch.manual_seed(0)
    net = source.torch().double()
    for constant in (False, True):
        if constant:
            nn.init.constant_(next(net.parameters()), 0.5)
        weight = next(net.parameters()).detach()
        ones = torch.ones(1, 1, 32 * s, 32 * s).double()
        middle = (..., 16 * s, 16 * s)
        between = operator(source, net, "to_operator[base=32]")(ones)[middle].item()
        length = s * (entries - 1) + 1
        finer = F.interpolate(weight, size=(length, length), mode="bilinear", align_corners=True)
        assert between == pytest.approx(float(finer.sum()) * entries**2 / length**2)
        apart = abs(between - float(weight.sum())) / float(weight.abs().sum())
        assert apart == pytest.approx(0, abs=1e-12) if constant else 1e-4 < apart < drift
        whole = operator(source, net, "to_operator[kernel=integral, base=32]")(ones)[middle].item()
        assert whole == pytest.approx(float(weight.sum()), abs=1e-12)


def test_an_integral_is_that_of_the_kernel_as_a_function() -> None:
    """∫ k(t) f(p + t) dt with k linear between its entries, by sums over a grid of 4096 cells."""
    source = model("    return Conv[1, 1, 3, pad=1, bias=false](x)", "(x: [b, 1, n]) -> [b, 1, n]")
    net = source.torch().double()
    weight = next(net.parameters()).detach().numpy().ravel()
    finer = operator(source, net, "to_operator[kernel=integral, base=16]")
    places = (np.arange(16 * 64) + 0.5) / (16 * 64)
    y = finer(torch.tensor(np.sin(7 * places))[None, None]).detach().numpy().ravel()
    t = (np.arange(4096) + 0.5) / 4096 * 4 - 2  # in cells of the base
    k = np.interp(t, [-2, -1, 0, 1, 2], [0, *weight, 0])
    for at in (300, 511, 700):
        assert y[at] == pytest.approx(np.sum(k * np.sin(7 * (places[at] + t / 16))) * 4 / 4096, rel=1e-3)


@pytest.mark.parametrize("s", [1, 2, 5])
def test_a_differential_kernel_takes_constants_away_and_is_exact_on_affine_functions(s: int) -> None:
    body = "    return Conv[1, 2, 5, pad=2, bias=false](x)"
    source = model(body, "(x: [b, 1, h, w]) -> [b, 2, h, w]")
    net = source.torch().double()
    weight = next(net.parameters()).detach()[:, 0]
    finer = operator(source, net, "to_operator[kernel=differential, base=8]").requires_grad_(False)
    assert float(finer(torch.full((1, 1, 8 * s, 8 * s), 3.0).double()).abs().max()) < 1e-12
    u, v = torch.meshgrid(*[torch.arange(8 * s).double() / (8 * s)] * 2, indexing="ij")
    y = finer((0.3 * u - 1.7 * v + 4)[None, None])[0, :, 2:-2, 2:-2]
    steps = torch.arange(-2, 3).double() / 8  # of the distance at the base, which counts as 1
    slope = (weight * (0.3 * steps[:, None] - 1.7 * steps[None])).sum((1, 2))
    assert torch.allclose(y, slope[:, None, None].expand_as(y), atol=1e-12)


def test_a_spectral_kernel_is_the_convolution_without_borders_on_waves_of_the_grid() -> None:
    body = '    return Conv[3, 4, 3, pad=1, pad_mode="circular"](x)'
    source = model(body, "(x: [b, 3, h, w]) -> [b, 4, h, w]")
    net = source.torch().double()
    finer = operator(source, net, "to_operator[kernel=spectral, base=9]")
    u, v = torch.meshgrid(*[torch.arange(45).double() / 45] * 2, indexing="ij")
    waves = [torch.cos(2 * torch.pi * (a * u + b * v)) for a, b in ((1, 0), (2, -4), (4, 3))]
    x = torch.stack(waves)[None]
    assert torch.allclose(finer(x)[..., ::5, ::5], net(x[..., ::5, ::5]), atol=1e-12)


@pytest.mark.parametrize("kernel", ["interpolate", "integral", "spectral", "differential"])
def test_onnx_computes_the_same_at_other_refinements(kernel: str, tmp_path: Path) -> None:
    source = model(NETS["pools"])
    made = source.deploy(f"to_operator[kernel={kernel}, base=8]")
    state = made.convert(source.torch().state_dict())
    net = made.torch()
    net.load_state_dict(state)
    path = tmp_path / "net.onnx"
    made.onnx(path, weights=state)
    for s in (1, 3):
        x = field(8 * s).float()
        (y,) = session(onnx.load(path)).run(None, {"x": x.numpy()})
        assert np.allclose(y, net(x).detach().numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["resnet", "mobilenet_v2", "convnext"])
def test_examples_are_operators(name: str) -> None:
    source = model_of(name)
    made = source.deploy("to_operator[base=32]")
    verify(made.ir)
    assert made.verify(stirred(source), b=1).exact


def test_kernels_of_two_kinds_and_passes_behind() -> None:
    source = model(NETS["loop"])
    made = source.deploy('to_operator[base=8, of="h.*"]', "to_operator[kernel=integral, base=8]", "fold")
    assert [note.path for note in made.passes.notes if "kernel of" in note.text] == ["h.*.c", "conv"]
    assert made.verify(stirred(source), b=2).exact


@pytest.mark.parametrize(
    ("passes", "signature", "text"),
    [
        ("to_operator[kernel=wave]", "", "`kernel` is one of interpolate, integral, spectral, differential, not"),
        ("to_operator[base=0]", "", "`base` is a number of points from 1 on"),
        ("to_operator[base=[8, 8, 8]]", "", "`base` is one number, or one for each of h, w"),
        ("to_operator[of=nowhere]", "", "nothing of M becomes an operator: no weights are those of `nowhere`"),
        ("to_operator", "(x: [b, 3, 8, 8]) -> [b, *y]", "no convolution or pool of M moves along an axis whose length"),
        ("to_operator[base=9]", "(x: [b, 3, 2*h, 2*w]) -> [b, *y]", "no `h` gives an axis of 2*h entries 9 points"),
    ],
)  # fmt: skip
def test_refusals(passes: str, signature: str, text: str) -> None:
    source = model(NETS["plain"], *([signature] if signature else []))
    with pytest.raises(ogive.ArchError, match=text.replace("*", r"\*").replace("[", r"\[")):
        source.deploy(passes)


def test_only_the_base_is_compared_and_another_network_is_said_to_be_one() -> None:
    source = model(NETS["plain"])
    net = stirred(source)
    with pytest.raises(ogive.ArchError, match="are compared where `h` is 16, not 32"):
        source.deploy("to_operator[base=16]").verify(net, h=32)
    other = source.deploy("to_operator[kernel=differential, base=16]")
    assert not other.verify(net, b=1).within
    assert [step.changing for step in other.passes.steps] == ["to_operator"]
    near = source.deploy("to_operator[kernel=spectral, base=16]").verify(net, b=1)
    assert near.lossy == "to_operator"


def test_what_counts_points_is_named() -> None:
    source = model("    return Conv[3, 4, 3, pad=1](roll[-1, 1](x)) |> Conv[4, 2, 2] as b |> mean[-1, -2]")
    left = [note for note in source.deploy("to_operator[base=8]").passes.notes if not note.done]
    assert [note.path for note in left] == ["roll", "b"]


TOTALS = {
    "norm": ("norm[-1, -2](y)", "4"),
    "logsumexp": ("logsumexp[-1](y)", "4, h"),
    "matmul": ("y @ y", "4, h, h"),
    "einsum": ('einsum["b i h w, b j h w -> b i j"](y, y)', "4, 4"),
}


@pytest.mark.parametrize("op", TOTALS)
def test_what_else_grows_with_the_grid_is_named(op: str) -> None:
    value, axes = TOTALS[op]
    source = model(f"    y = Conv[3, 4, 3, pad=1](x)\n    return {value}", f"(x: [b, 3, h, h]) -> [b, {axes}]")
    left = [note for note in source.deploy("to_operator[base=8]").passes.notes if not note.done]
    assert [f"`{op}`" in note.text for note in left] == [True]


def test_kernels_are_pruned_along_channels_alone() -> None:
    """Entries that are resampled together are no channels."""
    source = model("    return Conv[3, 4, 3, pad=1](x) |> relu |> Conv[4, 3, 3, pad=1] as e |> mean[-1, -2]")
    net = stirred(source)
    assert source.deploy("to_operator[base=8], prune", weights=net).verify(net, b=1).exact


def test_a_pattern_that_names_no_convolution_is_refused_beside_pools_too() -> None:
    with pytest.raises(ogive.ArchError, match="no weights are those of `zz`"):
        model(NETS["pools"]).deploy("to_operator[base=8, of=zz]")

"""`kernel`: duals against samples, kernels against networks of finite width, the class of wide and deep networks."""

from __future__ import annotations

import json
from math import sqrt
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import ogive
from analysis.measured import drawn, sizes_of
from analysis.random_programs import random_models
from ogive.backends.analysis.kernels.dual import dual
from ogive.backends.analysis.kernels.report import wide_and_deep
from ogive.compiler.analysis.frame.result import AnalysisResult
from ogive.compiler.ops import OPS
from ogive.compiler.ops.pointwise_facts import PointwiseFacts
from sampled import sampled

EXAMPLES = Path(__file__).parents[2] / "examples"
ACTIVATIONS: list[tuple[str, dict[str, float], Any]] = [
    ("relu", {}, torch.relu), ("abs", {}, torch.abs), ("erf", {}, torch.erf), ("sin", {}, torch.sin),
    ("cos", {}, torch.cos), ("exp", {}, torch.exp), ("gelu", {}, torch.nn.functional.gelu),
    ("leaky_relu", {"slope": 0.2}, lambda x: torch.nn.functional.leaky_relu(x, 0.2)), ("tanh", {}, torch.tanh),
    ("silu", {}, torch.nn.functional.silu),
]  # fmt: skip


@pytest.mark.parametrize(("op", "settings", "function"), ACTIVATIONS, ids=[each[0] for each in ACTIVATIONS])
def test_expectations_are_those_of_samples(op: str, settings: dict[str, float], function: Any) -> None:
    spec = OPS[op].pointwise
    assert spec is not None
    p, q, c = (torch.tensor(each, dtype=torch.double) for each in (0.7, 0.5, -0.3))
    z = torch.randn(2, 400_000, dtype=torch.double, generator=torch.Generator().manual_seed(0))
    z = torch.cat((z, -z), 1)
    u = (p.sqrt() * z[0]).requires_grad_()
    v = (c / p.sqrt() * z[0] + (q - c * c / p).sqrt() * z[1]).requires_grad_()
    fu, fv = function(u), function(v)
    (du,), (dv,) = torch.autograd.grad(fu.sum(), u), torch.autograd.grad(fv.sum(), v)
    value, slope = dual(op, spec(settings), function, p, q, c)
    assert float(value) == pytest.approx(float((fu * fv).mean().detach()), abs=6e-3)
    assert float(slope) == pytest.approx(float((du * dv).mean()), abs=6e-3)


NETS = {
    "dense": ("b 3", "x |> Linear[3, {d}] as a |> relu |> Linear[{d}, {d}] as h |> relu |> Linear[{d}, 1] as out"),
    "tanh": ("b 3", "x |> Linear[3, {d}] as a |> tanh |> Linear[{d}, 1] as out"),
    "normed": ("b 3", "x |> Linear[3, {d}] as a |> LayerNorm[{d}] as n |> gelu |> Linear[{d}, 1] as out"),
    "conv": (
        "b 2 6 6",
        "x |> Conv[2, {d}, 3, pad=1] as a |> relu |> Conv[{d}, {d}, 3, stride=2] as c |> relu"
        ' |> rearrange["b c h w -> b (c h w)"] |> Linear[{d} * 4, 1] as out',
    ),
    "pooled": (
        "b 2 6 6",
        'x |> Conv[2, {d}, 3, pad=1] as a |> relu |> reduce["b c h w -> b c", mean] |> Linear[{d}, 1] as out',
    ),
}


def net(kind: str, width: int) -> tuple[ogive.Model, dict[str, Tensor]]:
    shape, body = NETS[kind]
    text = (
        "use std.nn (Linear, LayerNorm)\nuse std.vision (Conv)\n"
        f"block Net(x: [{', '.join(shape.split())}]) -> [b, 1]:\n"
        "    init Linear.weight = kaiming_normal\n    init Conv.weight = kaiming_normal\n"
        "    init Linear.bias = normal[std=0.3]\n    init Conv.bias = normal[std=0.3]\n"
        f"    return {body.format(d=width)}\nmodel M = Net\n"
    )
    sizes = [3 if each == "b" else int(each) for each in shape.split()]
    if kind not in ("conv", "pooled"):
        text = text.replace("    init Conv.weight = kaiming_normal\n", "").replace(
            "    init Conv.bias = normal[std=0.3]\n", ""
        )
    generator = torch.Generator().manual_seed(1)
    return ogive.source(text).models["M"], {"x": torch.randn(sizes, generator=generator)}


def matrix(found: AnalysisResult, field: str) -> Tensor:
    count = found.totals["entries"]
    assert isinstance(count, int)
    made = torch.zeros(count, count, dtype=torch.double)
    for row in found.rows:
        i, j, value = (row.fields[each] for each in ("first", "second", field))
        assert isinstance(i, int)
        assert isinstance(j, int)
        assert isinstance(value, float)
        made[i, j] = made[j, i] = value
    return made


@pytest.mark.parametrize("kind", NETS)
def test_kernels_are_those_of_networks(kind: str) -> None:
    """Covariances of outputs over 1,000 draws, and inner products of gradients over 8."""
    model, data = net(kind, 48 if kind in ("conv", "pooled") else 128)
    found = model.analyze("kernel", data=data)
    k, theta = matrix(found, "k"), matrix(found, "theta")
    assert found.unknown == ()
    assert float(torch.linalg.eigvalsh(k)[0]) > -1e-9
    several = [f"kernel[empirical=true, seed={seed}]" for seed in range(8)]
    drawn_theta = torch.stack([matrix(each, "empirical_theta") for each in model.analyze(several, data=data)]).mean(0)
    assert float((drawn_theta - theta).norm() / theta.norm()) < 0.15
    module = model.torch()
    torch.manual_seed(0)
    with torch.no_grad():
        outs = torch.stack([_redrawn(module, data["x"]) for _ in range(1000)]).double()
    assert float((outs.T @ outs / len(outs) - k).norm() / k.norm()) < 0.12


def _redrawn(module: torch.nn.Module, x: Tensor) -> Tensor:
    """The output with weights that are drawn again."""
    for name, parameter in module.named_parameters():
        if name.endswith("bias") and not name.startswith("n."):
            parameter.normal_(std=0.3)
        elif parameter.dim() > 1:
            torch.nn.init.kaiming_normal_(parameter)
    found: Tensor = module(x)[:, 0]
    return found


def test_the_kernel_of_a_wide_network_is_nearer() -> None:
    """As one over the root of the width: at 16 times the width a quarter, in the mean of some draws."""
    gaps = []
    for width in (32, 512):
        model, data = net("tanh", width)
        theta = matrix(model.analyze("kernel", data=data), "theta")
        each = [
            matrix(model.analyze(f"kernel[empirical=true, seed={seed}]", data=data), "empirical_theta")
            for seed in range(4)
        ]
        gaps.append(sum(float((found - theta).norm()) for found in each))
    assert gaps[1] < gaps[0] / 2


def test_branches_add_where_they_are_drawn_apart() -> None:
    text = (
        "use std.nn (Linear)\nblock Net(x: [b, 3]) -> [b, 4]:\n    f = Linear[3, 4]\n    y = f(x)\n"
        "    return {}\nmodel M = Net\n"
    )
    data = {"x": torch.randn(2, 3)}
    single = matrix(ogive.source(text.format("y")).models["M"].analyze("kernel", data=data), "k")
    double = ogive.source(text.format("y + (x |> Linear[3, 4] as g)")).models["M"].analyze("kernel", data=data)
    assert torch.allclose(matrix(double, "k"), 2 * single)
    tied = ogive.source(text.format("y + f(x)")).models["M"].analyze("kernel", data=data)
    assert [each.reason for each in tied.unknown] == ["its operands share weights: their kernels do not add"]


def test_a_prior_on_the_last_scale_gives_a_student_process() -> None:
    """σ² of an inverse gamma: the variance of what it scales is (b/a) K · 2a / (2a - 2)."""
    model, data = net("dense", 8)
    found = model.analyze('kernel[scale_prior="inv_gamma(3,2)"]', data=data)
    assert (found.totals["degrees_of_freedom"], found.totals["student_scale"]) == (6, 2 / 3)
    gamma = torch.distributions.Gamma(3.0, 2.0)
    torch.manual_seed(0)
    draws = (1 / gamma.sample((400_000,))).sqrt() * torch.randn(400_000)
    k, student = matrix(found, "k")[0, 0], matrix(found, "student_variance")[0, 0]
    assert float(student / k) == pytest.approx(float(draws.square().mean()), rel=0.05)
    for wrong in ("gamma(1,2)", "inv_gamma(0,1)", "inv_gamma(1)"):
        with pytest.raises(ogive.ArchError, match="scale_prior"):
            model.analyze(f'kernel[scale_prior="{wrong}"]', data=data)


@pytest.mark.parametrize("dimension", [2, 3, 4, 6])
def test_the_activation_of_a_sphere_has_its_exponent(dimension: int) -> None:
    """With a₁ = a₃ = 2^(-d/4), a₂ = √(1 - 2^(1 - d/2)) on normalized Hermite polynomials B' = 2 and α = d."""
    a, b = 2 ** (-dimension / 4), sqrt(max(1 - 2 ** (1 - dimension / 2), 0))
    facts = PointwiseFacts(
        lambda x: a * x + b * (x * x - 1) / sqrt(2) + a * (x**3 - 3 * x) / sqrt(6),
        lambda x: a + b * sqrt(2) * x + a * (3 * x * x - 3) / sqrt(6),
    )
    found = wide_and_deep(facts)
    assert found["class"] == "singular kernel"
    assert found["exponent"] == pytest.approx(dimension, rel=1e-6)


def test_classes_of_wide_and_deep_networks() -> None:
    relu, tanh, neg = (OPS[op].pointwise for op in ("relu", "tanh", "neg"))
    assert relu is not None
    assert tanh is not None
    assert neg is not None
    assert wide_and_deep(relu({}))["class"] == "majority vote"
    assert wide_and_deep(tanh({}))["class"] == "singular kernel"
    assert wide_and_deep(neg({}))["class"] == "linear"
    square = PointwiseFacts(lambda x: x * x - 1, lambda x: 2 * x)
    assert wide_and_deep(square)["class"] == "nearest neighbour"


def test_data_that_are_missing_or_do_not_fit_are_said() -> None:
    model, data = net("dense", 8)
    for given, said in (
        (None, "needs data: --data FILE with x"),
        ({"y": data["x"]}, "needs x in the data, which has y"),
        ({**data, "z": data["x"]}, "the data has z"),
        ({"x": data["x"][0]}, r"has 1 axes: .* has 2 axes"),
    ):
        with pytest.raises(ogive.ArchError, match=said):
            model.analyze("kernel", data=given)


@pytest.mark.parametrize("path", sampled(sorted(EXAMPLES.glob("*.arch"))[::3], 2), ids=lambda path: path.stem)
def test_every_example_has_an_answer(path: Path) -> None:
    model = ogive.load(path).models["Tiny"]
    inputs = drawn(model.ir, next(sizes_of(model.ir)))
    data = {
        value.name: x
        for value, x, optional in zip(
            model.ir.definition.graph.inputs, inputs, model.ir.definition.optional, strict=True
        )
        if not optional
    }
    found = model.analyze("kernel", data=data)
    assert found.rows or found.unknown
    json.dumps(found.json(), allow_nan=False)


def test_random_programs_have_an_answer() -> None:
    for model in random_models(20):
        at = next(sizes_of(model.ir, (2, 3, 4)), None)
        if at is None:
            continue
        data = {v.name: x for v, x in zip(model.ir.definition.graph.inputs, drawn(model.ir, at), strict=True)}
        data = {name: x for name, x in data.items() if not x.is_complex()}
        try:
            assert model.analyze("kernel", data=data).text()
        except ogive.ArchError as error:
            assert "in the data" in str(error)

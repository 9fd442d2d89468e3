"""Every block of research in the library: proved with symbolic sizes, drawn, the same in torch and ONNX Runtime."""

from __future__ import annotations

import re

import pytest
import torch

import ogive
from ogive import stdlib
from ogive.api import Model
from ogive.backends.onnx_model.export import Settings, bound_sizes, exported
from ogive.backends.onnx_model.lower.specialize import Sizes
from ogive.backends.onnx_model.serialize.external_data import arrays
from ogive.backends.onnx_model.serialize.write import whole
from ogive.backends.onnx_model.verify import choices, inputs
from ogive.grammar.parser import parse
from ogive.grammar.syntax import Block
from onnx_model.harness import array, difference, session
from sampled import sampled

MODULES = (
    "reparam", "hyper", "layers", "streams", "operators", "solvers", "fields", "graphs", "events", "priors", "posets",
    "experts",
)  # fmt: skip
IMAGE, LINE = ("x: [b, 4, h, w]", "[b, c', h', w']"), ("x: [b, n, 12]", "[b, n, c']")
GRID = ("x: [b, 2, p, q]", "[b, c', p', q']")
OPERATOR = ("u: [b, 6], points: [n, 2]", "[b, n]")
# how a block is used: what it is given, what it gives, and the expression
CASES: dict[str, tuple[tuple[str, str], str]] = {
    "RepConv": (IMAGE, "x |> RepConv[4, 4]"),
    "MobileOneBlock": (IMAGE, "x |> MobileOneBlock[4, 6, groups=2]"),
    "DiverseBranch": (IMAGE, "x |> DiverseBranch[4, 4]"),
    "AsymmetricConv": (IMAGE, "x |> AsymmetricConv[4, 6]"),
    "LargeKernel": (IMAGE, "x |> LargeKernel[4, 7, 3]"),
    "RepMixer": (IMAGE, "x |> RepMixer[4]"),
    "LoRA": (LINE, "x |> LoRA[Linear[12, 8], 2]"),
    "WeightNorm": (IMAGE, "x |> WeightNorm[Conv[4, 6, 3]]"),
    "PHMLinear": (LINE, "x |> PHMLinear[12, 8, 4]"),
    "PHConv": (IMAGE, "x |> PHConv[4, 8, 3, 2, pad=1]"),
    "Mapped": (LINE, "x |> Mapped[Linear[12, 8], Compander[1.0, 1.0]]"),
    "DCLSConv": (IMAGE, 'x |> DCLSConv[4, 8, 5, 3, pad=2, groups=2, shape="gauss"]'),
    "Butterfly": (LINE, "x |> Butterfly[12, 20]"),
    "RelaxedPermutation": (("x: [b, 8]", "[b, 8]"), "x |> RelaxedPermutation[3]"),
    "LipschitzMLP": (LINE, "x |> LipschitzMLP[12, [9, 7]]"),
    "BiPerConv": (IMAGE, "x |> BiPerConv[4, 6, 3, pad=1]"),
    "Subspace": (LINE, "x |> Subspace[Linear[12, 8], 3]"),
    "FastSubspace": (LINE, "x |> FastSubspace[Linear[12, 8], 3]"),
    "conv_orthogonality": (("x: [m, c, 3, 3]", "[]"), "x |> conv_orthogonality[2]"),
    "HyperNetwork": (("x: [b, n, 3], z: [b, 2]", "[b, n, c']"), "HyperNetwork[Linear[3, 4], [5]](x, z)"),
    "SelfTuningLinear": (("x: [b, 4], z: [b, 2]", "[b, c']"), "SelfTuningLinear[4, 3](x, z)"),
    "IntervalLinear": (("x: int[b]", "(c: [b, c'], r: [b, c'])"),
                       "IntervalEmbedding[2, 8] >> IntervalLinear[8, 5] >> interval_act[tanh]"),
    "WeightField": (("x: [n, 6], f: [n]", "[n, p]"), "WeightField[9, 16](x, f)"),
    "EquivariantPredictor": (("x: [b, 6], z: [b, 4]", "[b, 6]"), "EquivariantPredictor[4, 6](x, z)"),
    "AssignmentStep": (("x: [q, k]", "[q, k]"), "AssignmentStep(x, softmax[-1](x))"),
    "TverskyProjection": (LINE, 'x |> TverskyProjection[12, 5, 6, "min", excess=true]'),
    "KernelLinear": (LINE, "x |> KernelLinear[12, 5, 16]"),
    "PrefixAttention": (("q: [b, 2, n, 4], k: [b, 2, m, 4]", "[b, 2, n, 4]"), "PrefixAttention[2, 4](q, k, k)"),
    "FourierFeatures": (LINE, "x |> FourierFeatures[12, 6]"),
    "EvoNormB0": (IMAGE, "x |> EvoNormB0"),
    "EvoNormS0": (IMAGE, "x |> EvoNormS0[4, 2]"),
    "PoincareLinear": (LINE, "(x / 20) |> PoincareLinear[12, 5, 1.0]"),
    "mobius_add": (LINE, "mobius_add(x / 20, x / 30)"),
    "poincare_midpoint": (("x: [b, n, 3]", "[b, 3]"), "poincare_midpoint(x / 20)"),
    "SharpSepConv": (IMAGE, "x |> SharpSepConv[4, 6]"),
    "RaftMixing": (("x: [b, 4, 6, w]", "[b, 4, 6, w]"), "x |> RaftMixing[4, 6]"),
    "DeltaActivation": (LINE, "x |> DeltaActivation"),
    "HyperConnection": (("x: [b, 4, n, 6]", "[b, 4, n, 6]"), "x |> HyperConnection[tanh, 4, 1]"),
    "ManifoldConnection": (("x: [b, 3, n, 6]", "[b, 3, n, 6]"), "x |> ManifoldConnection[tanh, 3, 1]"),
    "PermutedConnection": (("x: [b, 3, n, 6]", "[b, 3, n, 6]"), "x |> PermutedConnection[tanh, 3, 1]"),
    "FNO": (GRID, "x |> FNO[2, 3, 4, [4, 4], depth=1]"),
    "ClassicFNO": (GRID, "x |> ClassicFNO[2, 3, 4, [2, 2], depth=1]"),
    "IFNO": (GRID, "x |> IFNO[2, 3, 4, [2, 2], depth=2]"),
    "DeepONet": (OPERATOR, "DeepONet[[5, 4], [7, 4]](u, points)"),
    "StackedDeepONet": (OPERATOR, "StackedDeepONet[[5], [7, 4]](u, points)"),
    "MultiDeepONet": (("u: [b, 6], points: [n, 2]", "[b, n, o]"), "MultiDeepONet[[5, 8], [7, 8], 2](u, points)"),
    "MultiONet": (OPERATOR, "MultiONet[[5, 4]](u, points)"),
    "MgNO": (("x: [b, 1, 9, 9]", "[b, 1, 9, 9]"), "x |> MgNO[1, 1, 3, 9, [[1, 0], [1, 1]], depth=2]"),
    "InterpolatedConv": (GRID, "x |> InterpolatedConv[2, 3, 3, 2, pad=1]"),
    "DifferentialConv": (GRID, "x |> DifferentialConv[2, 3]"),
    "LatentSpectral": (("x: [b, 8, h, w]", "[b, 8, h, w]"), "x |> LatentSpectral[8, 3, heads=2]"),
    "ConditionalLayerNorm": (("x: [b, n, 6], t: [b]", "[b, n, 6]"), "ConditionalLayerNorm(x, t)"),
    "FactorizedAttention": (("x: [b, p, 3, 8]", "[b, p, 3, 8]"), "x |> FactorizedAttention[8, 2, 2, 2]"),
    "ODEBlock": (LINE, "x |> ODEBlock[TimeMLP[[6]], steps=2]"),
    "ConjugateDirections": (("x: [b, 5]", "[b, 5]"), "x |> ConjugateDirections[identity, tanh, 2]"),
    "Siren": (LINE, "x |> Siren[12, 6, 5]"),
    "GatedFieldMLP": (LINE, "x |> GatedFieldMLP[12, 6, 5]"),
    "GaussianFeatures": (LINE, "x |> GaussianFeatures[12, 6, 5]"),
    "HypergraphConv": (("x: [n, 5], h: [n, m]", "[n, 3]"), "HypergraphConv[5, 3](x, abs(h))"),
    "segment_mean": (("x: [m, 4], s: int[m]", "[2, 4]"), "segment_mean[2](x, s % 2)"),
    "segment_max": (("x: [m, 4], s: int[m]", "[2, 4]"), "segment_max[2](x, s % 2)"),
    "GINEConv": (("x: [2, 4], s: int[m], t: int[m], e: [m, 4]", "[2, c']"), "GINEConv[Linear[4, 3], 4](x, s, t, e)"),
    "ExponentialIntensity": (("h: [b, 4], t: [b]", "[b]"), "total(h, exp(t))"),
    "LogNormalMixture": (("h: [b, 4], t: [b]", "[b]"), "mixed(h, exp(t))"),
    "RisingIntensity": (("h: [b, 4], t: [b]", "[b]"), "risen(h, exp(t))"),
    "PriorFittedNetwork": (("x: [b, 5, 2], y: [b, 3, 1]", "[b, q, k]"), "PriorFittedNetwork[2, 8, 2, 12, 2, 5](x, y)"),
    "bar_log_density": (("x: [b, 5], y: [b]", "[b]"), "bar_log_density(x, cast[float](arange[6]), abs(y))"),
    "PosetPool": (IMAGE, "x |> PosetPool[diamond]"),
    "poset_pool": (IMAGE, 'x |> poset_pool["a<b", kernel=[1, 2], stride=1]'),
    "MoE": (("x: [b, n, 6]", "[b, n, 6]"), "x |> MoE[Linear[6, 6, ...], 3, 2]"),
    "RandomPartitionExperts": (("x: [b, n, 6]", "[b, n, 6]"), "x |> RandomPartitionExperts[Linear[6, 6], 3]"),
}  # fmt: skip
# blocks with two results, as blocks of one
PAIRS = """
block total(h: [b, 4], t: [b]) -> [b]:
    a, c = ExponentialIntensity[4](h, t)
    return a - c

block mixed(h: [b, 4], t: [b]) -> [b]:
    a, c = LogNormalMixture[4, 3](h, t)
    return a - c

block risen(h: [b, 4], t: [b]) -> [b]:
    a, c = RisingIntensity[4, 5](h, t)
    return log(a) - c
"""


def source(name: str) -> str:
    """A program whose model is one block."""
    (inputs, outputs), expression = CASES[name]
    used = f"{expression} {PAIRS if expression.split('(')[0] in ('total', 'mixed', 'risen') else ''}"
    uses = []
    for module in ("nn", "vision", *MODULES):
        names = declared(module) if module != "posets" else ["PosetPool", "diamond"]
        found = [n for n in names if re.search(rf"(?<![\w.]){n}(?!\w)", used)]
        uses += [f"use std.{module} ({', '.join(found)})"] if found else []
    pairs = PAIRS if "total" in used or "mixed" in used or "risen" in used else ""
    body = f"    f = {expression}\n    return f(x)" if ">>" in expression else f"    return {expression}"
    return "\n".join(uses) + f"\n{pairs}\nblock Net({inputs}) -> {outputs}:\n{body}\n\nmodel M = Net[]\n"


def declared(module: str) -> list[str]:
    found = parse(stdlib.source(f"std.{module}"), module).file.declarations
    return [each.name for each in found if isinstance(each, Block)]


def test_every_block_is_used_here_or_by_one_that_is() -> None:
    text = PAIRS + " ".join(expression for _, expression in CASES.values())
    for module in MODULES:
        library = stdlib.source(f"std.{module}")
        inside = re.sub(r"^block \w+", "", library, flags=re.M)
        names = [name for name in declared(module) if not re.search(rf"\b{name}\b", text + inside)]
        assert names == [], module


@pytest.mark.parametrize("name", sampled(CASES))
def test_it_is_proved_drawn_and_the_same_in_both_targets(name: str) -> None:
    program = ogive.source(source(name))
    assert not [d for d in program.diagnostics if d.severity == "error"]
    model = program["M"]
    assert isinstance(model, Model)
    assert "<svg" in model.diagram(depth=1).text("svg")
    torch.manual_seed(0)
    net = model.torch().eval()
    with torch.no_grad():
        for tensor in net.state_dict().values():
            if tensor.is_floating_point():
                tensor.add_(0.1 * torch.rand_like(tensor))
    proto = whole(exported(model.ir, arrays(net), Settings()))
    run, sizes, generator = session(proto), Sizes(*bound_sizes(model.ir, Settings())), torch.Generator().manual_seed(0)
    for at in choices(model.ir, sizes, 2):
        xs = [x for x in inputs(model.ir, sizes, at, "centred", generator) if x is not None]
        with torch.no_grad():
            wanted = net(*xs)
        feeds = {each.name: array(x) for each, x in zip(proto.graph.input, xs, strict=True)}
        for got, y in zip(run.run(None, feeds), wanted if isinstance(wanted, tuple) else (wanted,), strict=True):
            assert difference(got, array(y)) <= 1e-4

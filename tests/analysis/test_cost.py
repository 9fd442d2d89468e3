"""`cost`: FLOPs against torch's counter, what backward keeps against its hooks, memory and blocks by laws."""

from __future__ import annotations

import random
from collections.abc import Mapping
from itertools import islice
from pathlib import Path

import pytest

import ogive
from analysis.measured import EXAMPLES, drawn, example, flops, kept, shapes, sizes_of
from ogive.compiler.analysis.cost.interpreter import CostInterpreter
from ogive.compiler.analysis.cost.report import multiply_adds
from ogive.compiler.analysis.cost.work import WORK, work_of
from ogive.compiler.analysis.frame.result import AnalysisResult, Largest
from ogive.compiler.ir.model import Node
from ogive.compiler.ops import OPS
from ogive.compiler.passes.pipelines.lowering import lowered
from ogive.compiler.sizes import Unknown, size
from ogive.summary import operations
from sampled import sampled

# why a model is not compared, or an operation not: all that is left out stands here
NO_GRAD_INSIDE = {"input_convex"}  # its forward is a derivative: torch's counter and hooks do not run in the engine
# `linear_scan`, which `cost` lists as unknown: its memory depends on its steps; a recurrent kernel has a workspace of
# its own, of which the page of `cost` tells
UNKNOWN_MEMORY = {"mamba", "mamba2", "lstm_tagger"}
NO_RULE = {"linear_scan", "solve", "solve_triangular", "cholesky", "inverse", "det"}
OTHER_MEMORY = {
    "fft": "of real numbers keeps its operand",
    "batch_norm": "keeps a number for each channel",
    "scatter_add": "keeps what it adds where it is an `index_add`",
}
LEFT_OUT = NO_RULE | OTHER_MEMORY.keys()


def cost(model: ogive.Model, at: Mapping[Unknown, int]) -> AnalysisResult:
    found = model.analyze("cost", sizes={unknown.name: number for unknown, number in at.items()})
    assert isinstance(found, AnalysisResult)
    return found


def number(result: AnalysisResult, name: str) -> int:
    found = result.number(result.totals[name])
    assert isinstance(found, int)
    return found


@pytest.mark.parametrize(
    "path", sampled((p for p in EXAMPLES if p.stem not in NO_GRAD_INSIDE), 6), ids=lambda path: path.stem
)
def test_matmul_flops_are_those_of_torch_at_two_sizes(path: Path) -> None:
    model = example(path)
    net = model.torch(device="meta").eval()
    for at in islice(sizes_of(model.ir), 0, 40, 20):
        found = number(cost(model, at), "matmul_flops")
        assert found == flops(model.ir, net, at) == 2 * multiply_adds(model.ir).at(at)  # what `ogive show` says


@pytest.mark.parametrize(
    "path", sampled(p for p in EXAMPLES if p.stem not in NO_GRAD_INSIDE | UNKNOWN_MEMORY), ids=lambda path: path.stem
)
def test_what_backward_keeps_is_within_15_percent_of_the_hooks(path: Path) -> None:
    model = example(path)
    at = next(sizes_of(model.ir, (4, 8, 16, 64, 2, 1, 128)))
    inputs = drawn(model.ir, at)
    found, more = kept(model.torch().train(), inputs)
    measured = more + sum(inputs[each].untyped_storage().nbytes() for each in found)
    assert 0.85 * measured <= number(cost(model, at), "saved") <= 1.15 * measured


def test_every_operation_has_a_rule_or_is_named_unknown() -> None:
    assert OPS.keys() - {"reduce"} - NO_RULE == WORK.keys()
    for name, work in WORK.items():
        operands = {each.strip().strip("*?") for each in OPS[name].inputs.split(",")}
        assert work.reads.keys() <= operands, name
    assert work_of(Node("reduce", ("x",), (), (("op", "sum"),))) is WORK["sum"]


@pytest.mark.parametrize("name", [name for name, spec in OPS.items() if spec.told.header and name not in LEFT_OUT])
def test_each_operation_keeps_for_backward_what_torch_keeps(name: str) -> None:
    """The example of its declaration, with gradients in all operands but states."""
    spec = OPS[name]
    model = ogive.source(f"block F{spec.told.header}:\n    return {spec.told.use}\n")["F"]()
    assert isinstance(model, ogive.Model)
    at = next(sizes_of(model.ir, (8, 6, 4, 3, 2, 1)))
    inputs = drawn(model.ir, at)
    if name == "acosh":
        inputs = [each.abs() + 1.5 for each in inputs]
    labels = [each.strip().rstrip("?") for each in spec.inputs.split(",")]
    states = {place for place, label in enumerate(labels) if label in ("mean", "variance")}
    trains = tuple(
        elem in ("float", "complex") and place not in states for place, (_, elem) in enumerate(shapes(model.ir, at))
    )
    inputs = [each.requires_grad_() if on else each for each, on in zip(inputs, trains, strict=True)]
    ir = lowered(model.ir)
    summary = CostInterpreter(training=True).summary(ir.definition.graph, ((False,) * len(inputs), trains))
    assert not [each for each in summary.unknown if each.op == name and WORK[name].flops is not None]
    found, more = kept(model.torch().train(), inputs)
    assert summary.kept == found
    assert summary.counts.saved.at({**at, **dict(ir.bindings)}) == more


@pytest.mark.parametrize("path", sampled(EXAMPLES), ids=lambda path: path.stem)
def test_laws_of_every_example(path: Path) -> None:
    """Weights count once; blocks below are within those above; memory lies between what must and what can be held."""
    model = example(path)
    at = next(sizes_of(model.ir))
    result = cost(model, at)
    first, *rows = result.rows
    assert result.totals["parameters"] == first.fields["parameters"] == model.parameters
    for row in rows:
        above = [other for other in rows if row.path.startswith(f"{other.path}.")] + [first]
        for name in ("parameters", "multiply_adds", "other_flops", "activations"):
            mine = result.number(row.fields[name])
            assert mine is not None
            assert all(mine <= (result.number(other.fields[name]) or 0) for other in above), (row.path, name)
    weights = number(result, "weight_bytes") + number(result, "input_bytes")
    outputs = number(result, "peak") - weights
    assert 0 < outputs <= number(result, "activations")
    assert {row.span is None for row in rows} <= {False}
    names = {each.op for each in result.unknown}
    assert names <= {*NO_RULE, "grad"} | {op for op, work in WORK.items() if work.flops is None}
    assert bool(names) == bool(names & ({*operations(lowered(model.ir))} | {"grad"}))


PUBLISHED = [  # torchvision's, batch 1: parameters and FLOPs of the counter
    ("resnet", "ResNet18", {"b": 1, "h": 224, "w": 224}, 11_689_512, 3_628_146_688),
    ("resnet", "ResNet50", {"b": 1, "h": 224, "w": 224}, 25_557_032, 8_178_368_512),
    ("mobilenet_v2", "MobileNetV2_1", {"b": 1, "h": 224, "w": 224}, 3_504_872, 601_548_544),
    ("vit", "ViTB16", {"b": 1}, 86_567_656, 35_127_656_448),
]


@pytest.mark.parametrize(("file", "name", "sizes", "parameters", "count"), PUBLISHED, ids=[p[1] for p in PUBLISHED])
def test_published_counts(file: str, name: str, sizes: dict[str, int], parameters: int, count: int) -> None:
    model = ogive.load(Path(EXAMPLES[0].parent, f"{file}.arch")).models[name]
    result = model.analyze("cost", sizes=sizes)
    assert isinstance(result, AnalysisResult)
    assert (result.totals["parameters"], number(result, "matmul_flops")) == (parameters, count)


def test_a_transformer_layer_costs_what_the_textbook_says() -> None:
    """24 b n d² + 4 b n² d for a layer, and the head."""
    model = ogive.load(EXAMPLES[0].parent / "gpt2.arch").models["GPT2"]
    result = model.analyze("cost")
    assert isinstance(result, AnalysisResult)
    b, n = (size(unknown) for unknown in model.ir.definition.sizes)
    expected = 12 * (24 * b * n * 768**2 + 4 * b * n * n * 768) + 2 * b * n * 768 * 50257
    assert result.totals["matmul_flops"] == expected


SMALL = """
use std.nn (Linear, BatchNorm)
use std.vision (Conv)

block Lin(x: [b, 8]) -> [b, 16]:
    return x |> Linear[8, 16] as lin

block Net(x: [b, 3, 8, 8]) -> [b, 4, 8, 8]:
    return x |> Conv[3, 4, 3, pad=1] as conv |> BatchNorm as norm |> relu

block Attend(q: [b, 2, 10, 8]) -> [b, 2, 10, 8]:
    return attention(q, q, q)

model A = Lin
model B = Net
model C = Attend
"""


@pytest.mark.parametrize(("name", "count"), [("A", 512), ("B", 27648), ("C", 12800)])
def test_conventions(name: str, count: int) -> None:
    """Two FLOPs for a multiply-add, bias and element-wise work beside them, fused attention counted: batch 2."""
    model = ogive.source(SMALL).models[name]
    result = model.analyze("cost", sizes={"b": 2})
    assert isinstance(result, AnalysisResult)
    assert number(result, "matmul_flops") == count
    assert number(result, "other_flops") > 0


def test_contractions_of_any_labels_are_counted_as_torch_does_them() -> None:
    """A label of one operand alone is summed before they meet: that is no multiply-add."""
    chance = random.Random(5)
    counted = 0
    for number_ in range(25):
        sides = [chance.sample("abcde", chance.randint(1, 3)) for _ in range(chance.randint(2, 3))]
        labels = sorted(set().union(*sides))
        result = chance.sample(labels, chance.randint(0, min(3, len(labels))))
        names = "xyz"[: len(sides)]
        pattern = f"{', '.join(map(' '.join, sides))} -> {' '.join(result)}"
        inputs = ", ".join(f"{name}: [{', '.join(side)}]" for name, side in zip(names, sides, strict=True))
        text = f'block F({inputs}) -> [{", ".join(result)}]:\n    return einsum["{pattern}"]({", ".join(names)})\n'
        model = ogive.source(f"{text}\nmodel M = F\n").models["M"]
        at = {unknown: "abcde".index(unknown.name) + 2 for unknown in model.ir.definition.sizes}
        found = number(cost(model, at), "matmul_flops")
        assert found == flops(model.ir, model.torch(device="meta"), at), (number_, pattern)
        counted += found > 0
    assert 5 < counted < 20


CHAINS = {
    "a chain": ("    return relu(exp(tanh(x)))\n", 2),  # what is read and what is made
    "a wide one": ("    y = exp(x)\n    z = tanh(x)\n    u = sin(x)\n    return y + z + u\n", 4),
    "views": ("    y = exp(x)\n    return y |> rearrange[\"(a c) -> a c\", c=2] |> rearrange[\"a c -> (a c)\"]\n", 1),
    "a block": ("    y = exp(x)\n    z = x |> Two\n    return y + z\n", 3),
    "a loop": ("    repeat 5 as h:\n        x = sin(tanh(x))\n    return x\n", 2),
    "a loop of no turns": ("    y = exp(x)\n    repeat 0 as h:\n        y = sin(tanh(y))\n    return y\n", 1),
}  # fmt: skip


@pytest.mark.parametrize("name", CHAINS)
def test_peaks_by_hand(name: str) -> None:
    body, values = CHAINS[name]
    text = f"block Two(x: [n]) -> [n]:\n    return sin(tanh(x))\n\nblock F(x: [2*n]) -> [2*n]:\n{body}\nmodel M = F\n"
    result = ogive.source(text).models["M"].analyze("cost")
    assert isinstance(result, AnalysisResult)
    (n,) = result.totals["peak"].unknowns  # type: ignore[union-attr]
    peak = result.totals["peak"]
    assert isinstance(peak, Largest)
    assert peak.of == (4 * 2 * size(n) * (values + 1),)  # and the input


def test_a_loop_of_no_turns_costs_nothing() -> None:
    text = """\
use std.nn (Linear)

block F[turns: nat](x: [n, 8]) -> [n, 8]:
    y = x |> Linear[8, 8] as first |> sigmoid
    z = x |> Linear[8, 8] as second |> relu
    repeat turns as h:
        y = y * (z |> Linear[8, 8] as inner |> sigmoid)
    return y + z

block G(x: [n, 8]) -> [n, 8]:
    y = x |> Linear[8, 8] as first |> sigmoid
    z = x |> Linear[8, 8] as second |> relu
    return y + z

model Nothing = F[turns=0]
model Some = F[turns=2]
model Without = G
"""
    found = {name: model.analyze("cost") for name, model in ogive.source(text).models.items()}
    totals = {name: result.json()["totals"] for name, result in found.items() if isinstance(result, AnalysisResult)}
    assert totals["Nothing"] == totals["Without"]
    assert totals["Some"] != totals["Without"]


def test_the_largest_of_sizes_keeps_what_may_be_largest() -> None:
    n, m = (size(Unknown(name)) for name in "nm")
    assert set(Largest.joined([n, 2 * n, n + 3, 2 * n + m, n]).of) == {n + 3, 2 * n + m}
    both = Largest.joined([n * n, 5 * m])
    assert set(both.of) == {n * n, 5 * m}
    for first, second in ((1, 9), (9, 1)):
        at = dict(zip((*n.unknowns, *m.unknowns), (first, second), strict=True))
        assert both.at(at) == max(first**2, 5 * second)


def test_types_of_floats_scale_memory() -> None:
    model = example(EXAMPLES[0].parent / "vit.arch")
    full, half = (model.analyze(f"cost[dtype={dtype}]", sizes={"b": 2}) for dtype in ("f32", "bf16"))
    assert isinstance(full, AnalysisResult)
    assert isinstance(half, AnalysisResult)
    for name in ("activations", "weight_bytes", "peak"):
        assert number(full, name) == 2 * number(half, name)

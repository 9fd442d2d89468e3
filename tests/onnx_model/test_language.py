"""Loops, phases, optional inputs, taps, supplied weights, vectorized blocks and complex numbers, against torch."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

import ogive
from ogive.api import Model
from ogive.backends.onnx_model.export import Settings, exported
from ogive.backends.onnx_model.graph.errors import OnnxError
from ogive.backends.onnx_model.serialize.external_data import arrays
from ogive.backends.onnx_model.serialize.write import whole
from onnx_model.harness import array, checked, difference, session

# what is tried -> the program, whose model is M, and the shapes of its inputs at some sizes
PROGRAMS: dict[str, tuple[str, list[list[tuple[int, ...]]]]] = {
    "a scan with a state and yields": (
        """
block F(x: [b, n, d]) -> (h: [b, d], ys: [b, n, d]):
    scan x_t in x along n carry h = zeros[b, d]:
        h = tanh(h + x_t)
        yield ys = h
    return h, ys
model M = F
""",
        [[(2, 3, 4)], [(1, 7, 2)]],
    ),
    "a scan of two, backwards": (
        """
block F(x: [b, n, d], y: [b, n, d]) -> (h: [b, d], ys: [b, n, d]):
    scan x_t in x, y_t in y along n reverse carry h = zeros[b, d], c = zeros[b, d]:
        c = c + y_t
        h = h * c + x_t
        yield ys = h - c
    return h, ys
model M = F
""",
        [[(2, 3, 4)] * 2, [(1, 5, 2)] * 2],
    ),
    "a scan with weights": (
        """
use std.nn (Linear)
block F[d](x: [b, n, d]) -> [b, d]:
    scan x_t in x along n carry h = zeros[b, d]:
        h = tanh(x_t + (h |> Linear[d, d, false]))
    return h
model M = F[3]
""",
        [[(2, 4, 3)], [(1, 1, 3)]],
    ),
    "iterations with slices, indices and yields": (
        """
use std.nn (Linear)
block F[d, depth](x: [b, d], cache: [depth, b, d]) -> (x: [b, d], ys: [depth, b, d]):
    repeat depth as h with past in cache, i in range(depth):
        x = x + (past |> Linear[d, d] as linear) * (i + 1)
        yield ys = x * 2
    return x, ys
model M = F[3, 2]
""",
        [[(2, 3), (2, 2, 3)], [(5, 3), (2, 5, 3)]],
    ),
    "nested loops": (
        """
use std.nn (Linear)
block F[d](x: [b, d]) -> [b, d]:
    repeat 2 as outer:
        repeat 3 as inner:
            x = tanh(x |> Linear[d, d] as linear)
        x = x + 1
    return x
model M = F[3]
""",
        [[(2, 3)]],
    ),
    "phases and states": (
        """
use std.nn (BatchNorm, Dropout)
block F[c](x: [b, c, h, w]) -> [b, c, h, w]:
    return x |> BatchNorm[c] |> Dropout[0.5]
model M = F[3]
""",
        [[(2, 3, 4, 5)], [(1, 3, 2, 2)]],
    ),
    "a weight that is supplied": (
        """
use std.nn (Linear)
block F[d, r](x: [b, d]) -> [b, d]:
    f = Linear[d, d]
    param a: [d, r] = normal
    param c: [r, d] = normal
    return f(x, weight = f.weight + a @ c)
model M = F[4, 2]
""",
        [[(2, 4)], [(3, 4)]],
    ),
    "a block over an axis": (
        """
block Norm(x: [n, d]) -> [n, d]:
    return softmax[n](x)
block F(x: [b, n, h, d]) -> [b, n, h, d]:
    return over[b, over[h, Norm]](x)
model M = F
""",
        [[(2, 3, 4, 5)], [(1, 2, 2, 3)]],
    ),
    "each index with weights of its own": (
        """
use std.nn (Linear)
block F[d](x: [3, b, d]) -> [3, b, d]:
    return each[0, Linear[d, d]](x)
model M = F[4]
""",
        [[(3, 2, 4)], [(3, 5, 4)]],
    ),
    "complex numbers through a spectrum": (
        """
block F[n](x: [b, n]) -> [b, n]:
    z = rfft(x)
    return irfft[sizes=[n]](z * z / 2 + conj(z))
model M = F[6]
""",
        [[(2, 6)], [(3, 6)]],
    ),
    "sizes of inputs as numbers": (
        """
block F(x: [b, n]) -> [b, 2*n]:
    y = x / sqrt(n) + cast[float](arange[n])
    return concat[1](y, ones[b, n] * n)
model M = F
""",
        [[(2, 3)], [(1, 8)]],
    ),
}  # fmt: skip


def model_of(source: str) -> tuple[Model, nn.Module]:
    model = ogive.source(source).models["M"]
    torch.manual_seed(0)
    return model, model.torch().eval()


def run(model: Model, net: nn.Module, inputs: list[torch.Tensor], **settings: Any) -> float:
    """The largest difference between ONNX Runtime and torch."""
    proto = whole(exported(model.ir, arrays(net), Settings(**settings)))
    checked(proto)
    with torch.no_grad():
        y = net(*inputs)
    wanted = [array(each) for each in (y if isinstance(y, tuple) else (y,))]
    feeds = {value.name: array(x) for value, x in zip(proto.graph.input, inputs, strict=True)}
    got = session(proto).run(None, feeds)
    return max(difference(a, b) for a, b in zip(got, wanted, strict=True))


@pytest.mark.parametrize("functions", [False, True])
@pytest.mark.parametrize("name", PROGRAMS)
def test_it_agrees_with_torch(name: str, functions: bool) -> None:
    source, sizes = PROGRAMS[name]
    model, net = model_of(source)
    for shapes in sizes:
        assert run(model, net, [torch.randn(shape) for shape in shapes], functions=functions) <= 1e-5


OPTIONAL = """
block Inner(x: [b, n], mask: bool[b, n]?) -> [b, n]:
    if given(mask):
        x = select(mask, x, 0)
    return x * 2
block F(x: [b, n], mask: bool[b, n]?) -> [b, n]:
    return Inner(x, mask) + 1
model M = F
"""
TAPPED = """
block F(x: [b, n]) -> [b, n]:
    tap p = softmax[n](x)
    return p * 2
model M = F
"""


def test_an_optional_input_is_there_where_asked() -> None:
    model, net = model_of(OPTIONAL)
    x, mask = torch.randn(2, 3), torch.rand(2, 3) < 0.5
    assert run(model, net, [x]) <= 1e-5
    assert run(model, net, [x, mask], optional=("mask",)) <= 1e-5


@pytest.mark.parametrize("rank", [0, 1, 2, 3])
def test_packs_among_other_axes_of_one(rank: int) -> None:
    model, net = model_of("""
block F(x: [*b, n, 3]) -> (y: [3, *b, n], z: [*b, n, 2]):
    y = x |> rearrange["*b n d -> (*b) n d"] |> tanh
    z = y |> rearrange["(*b) n d -> d (*b) n", b=b]
    u = z |> rearrange["d (*b) n -> (n *b) d", b=b]
    v = u |> rearrange["(n *b) d -> *b n d", b=b, n=n]
    w = v |> rearrange["*b n d -> (*b n) d"] |> tanh
    v = v + (w |> rearrange["(*b n) d -> *b n d", b=b, n=n])
    return z |> rearrange["d (*b) n -> d *b n", b=b], v[..., :2]
model M = F
""")
    x = torch.randn(*(2, 4, 3)[:rank], 5, 3)
    wanted = net(x)
    proto = whole(exported(model.ir, arrays(net), Settings(ranks={"b": rank})))
    for found, y in zip(session(proto).run(None, {"x": array(x)}), wanted, strict=True):
        assert difference(found, array(y)) <= 1e-5


def test_taps_are_outputs_where_asked() -> None:
    model, net = model_of(TAPPED)
    plain = whole(exported(model.ir, arrays(net), Settings()))
    assert [value.name for value in plain.graph.output] == ["output"]
    proto = whole(exported(model.ir, arrays(net), Settings(taps=True)))
    checked(proto)
    assert [value.name for value in proto.graph.output] == ["output", "taps/p"]
    x = torch.randn(2, 3)
    got = session(proto).run(None, {"x": array(x)})
    assert difference(got[1], array(x.softmax(1))) <= 1e-5


ENERGIES = {
    "squares": "sum(x ** 2 * 3 - x / 2)",
    "waves": "sum(sin(x) * cos(x) + exp(-x)) + mean(tanh(x))",
    "activations": "sum(gelu(x) + silu(x) + softplus(x) + sigmoid(x) * relu(x))",
    "through other types": "sum(cast[float](cast[f64](x) * cast[f64](3 * x)) * x)",
    "the larger and the smaller": "sum(maximum(x, 2 * x) * minimum(x, 1 - x)) + sum(maximum(0.25, x) * x)",
    "a quadratic form": 'einsum["i, i ->"](a @ x, x)',
    "soft maximum": "log(sum(exp(x))) + sum(softmax[0](x) * x)",
    "shared and cut": "sum(stop_gradient(x) * x + x * x * x)",
    "a value of another": "sum(grad_as(floor(x), x * x) * x)",
    "vectors and rows": "sum(x @ a) + x @ x",
    "a choice": "sum(select(x > 0, sqrt(abs(x) + 1), x - 1))",
}


@pytest.mark.parametrize("functions", [False, True])
@pytest.mark.parametrize("name", ENERGIES)
def test_a_derivative_agrees_with_torch(name: str, functions: bool) -> None:
    model, net = model_of(f"""
block Energy[n](x: [n]) -> []:
    param a: [n, n] = normal
    b = sum(a * 0)
    return {ENERGIES[name]} + b
block F[n](x: [b, n]) -> [b, n]:
    energy = Energy[n]
    return over[b, grad[energy]](x)
model M = F[4]
""")
    for count in (1, 3):
        assert run(model, net, [torch.randn(count, 4)], functions=functions) <= 1e-5


SCANS = {
    "a state": """
    scan u in x along n carry h = zeros[]:
        h = tanh(h * 0.5 + u * w[0])
    return h * h""",
    "yields and captures": """
    s = sum(x)
    scan u in x along n carry h = zeros[]:
        h = sin(h + u * s) * w[1]
        yield ys = h * u
    return sum(ys * x) + h""",
    "from the end, with a first state that depends on x": """
    scan u in x along n reverse carry h = mean(x), k = ones[]:
        k = k * cos(u)
        h = h * 0.7 + k
        yield ys = h
    return sum(ys * ys) + k""",
    "two things stepped through, a weight as first state and in each step": """
    scan u in x, v in sin(x) along n carry h = w:
        h = tanh(h * w + u * v)
    return sum(h)""",
}


@pytest.mark.parametrize("functions", [False, True])
@pytest.mark.parametrize("name", SCANS)
def test_a_derivative_through_a_scan_agrees_with_torch(name: str, functions: bool) -> None:
    model, net = model_of(f"""
block Energy(x: [n]) -> []:
    param w: [2] = normal{SCANS[name]}
block F(x: [b, n]) -> [b, n]:
    energy = Energy
    return over[b, grad[energy]](x)
model M = F
""")
    for count, length in ((1, 1), (3, 5)):
        assert run(model, net, [torch.randn(count, length)], functions=functions) <= 1e-5


@pytest.mark.parametrize("functions", [False, True])
@pytest.mark.parametrize("name", ENERGIES)
def test_a_derivative_of_a_derivative_agrees_with_torch(name: str, functions: bool) -> None:
    model, net = model_of(f"""
block Energy[n](x: [n]) -> []:
    param a: [n, n] = normal
    b = sum(a * 0)
    return {ENERGIES[name]} + b
block Steep[n](x: [n]) -> []:
    return sum(grad[Energy[n]](x) * sin(x))
block F[n](x: [b, n]) -> [b, n]:
    steep = Steep[n]
    return over[b, grad[steep]](x)
model M = F[4]
""")
    for count in (1, 3):
        assert run(model, net, [torch.randn(count, 4)], functions=functions) <= 1e-4


def test_operands_that_are_the_same_value_are_apart() -> None:
    model, net = model_of("""
block energy(x: [n], y: [n]) -> []:
    return sum(x * x * y)
block F(x: [n]) -> [n]:
    z = x * x
    return grad[energy](x, x) + 3 * grad[energy](x, z)
model M = F
""")
    x = torch.randn(5)
    torch.testing.assert_close(net(x), 2 * x**2 + 6 * x**3)
    assert run(model, net, [x]) <= 1e-5


@pytest.mark.parametrize("energy", ["sum(digamma(x))", 'sum(x * det(expand["b -> b c", c=b](x)))'])
def test_what_is_not_derived_says_so(energy: str) -> None:
    model, net = model_of(f"""
block energy(x: [b]) -> []:
    return {energy}
block F(x: [b]) -> [b]:
    return grad[energy](x)
model M = F
""")
    with pytest.raises(OnnxError, match=r"`grad` through `\w+` is not supported in ONNX") as caught:
        exported(model.ir, arrays(net), Settings())
    assert caught.value.span is not None


@pytest.mark.parametrize("functions", [False, True])
def test_what_a_block_assumes_travels_in_sizes_of_the_inputs(functions: bool) -> None:
    model, net = model_of("""
block Inner(x: [a, c]) -> [a, c]:
    assume c % 4 == 0
    return x * 2
block F(x: [b, n]) -> [b, 2*n]:
    return Inner(concat[1](x, x))
model M = F
""")
    proto = whole(exported(model.ir, arrays(net), Settings(functions=functions)))
    (conditions,) = (entry.value for entry in proto.metadata_props if entry.key == "ogive.conditions")
    assert conditions == '["n % 2 == 0"]'

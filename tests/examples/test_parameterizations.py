"""Weights that are expressions of others: numbers and identities of the fact sheet, and what `fold` leaves."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import ogive
from deploy.folding import folded
from ogive.api import Model

USES = """
use std.nn (Linear, identity)
use std.vision (Conv)
use std.reparam (PHMLinear, PHConv, Mapped, Compander, DCLSConv, Butterfly, RelaxedPermutation, LipschitzMLP, BiPerConv,
                 Subspace, FastSubspace, conv_orthogonality)

block MLP[d, k](x: [*b, d]) -> [*b, d]:
    return x |> Linear[d, k] as up |> relu |> Linear[k, d] as down
"""
IMAGE = ("x: [b, 4, h, w]", "[b, c', h', w']")


def model(stages: str, inputs: str, outputs: str) -> Model:
    text = f"{USES}\nblock Net({inputs}) -> {outputs}:\n    return x |> {stages} as layer\n\nmodel M = Net[]\n"
    found = ogive.source(text)["M"]
    assert isinstance(found, Model)
    return found


def line(stages: str, d: int) -> Model:
    return model(stages, f"x: [b, {d}]", "[b, c']")


def net(made: Model) -> nn.Module:
    torch.manual_seed(0)
    return made.torch().double()


def fill(module: nn.Module, **values: object) -> None:
    """Set weights of the layer by name."""
    with torch.no_grad():
        for name, value in values.items():
            weight = module.get_parameter(f"layer.{name}")
            weight.copy_(torch.as_tensor(value, dtype=weight.dtype).expand_as(weight))


def matrix(module: nn.Module, d: int) -> Tensor:
    """The matrix of a linear map without bias."""
    found: Tensor = module(torch.eye(d, dtype=torch.float64)).mT.detach()
    return found


COUNTS = [
    ("PHMLinear[12, 8, 4, bias=false]", "x: [b, 12]", "[b, c']", 88),
    ("PHMLinear[12, 8, 4]", "x: [b, 12]", "[b, c']", 96),
    ("PHConv[8, 4, 3, 2]", "x: [b, 8, h, w]", "[b, c', h', w']", 8 + 8 * 4 * 9 // 2 + 4),
    ("DCLSConv[96, 96, 17, 34, pad=8, groups=96]", "x: [b, 96, h, w]", "[b, c', h', w']", 9_888),
    ('DCLSConv[96, 96, 17, 26, pad=8, groups=96, shape="gauss"]', "x: [b, 96, h, w]", "[b, c', h', w']", 12_576),
    ('DCLSConv[96, 96, 17, 34, pad=8, groups=96, shape="max"]', "x: [b, 96, h, w]", "[b, c', h', w']", 16_416),
    ("Butterfly[1024, 1024, bias=false]", "x: [b, 1024]", "[b, c']", 20_480),
]


@pytest.mark.parametrize(("layer", "inputs", "outputs", "count"), COUNTS, ids=[c[0] for c in COUNTS])
def test_numbers_of_weights(layer: str, inputs: str, outputs: str, count: int) -> None:
    assert model(layer, inputs, outputs).parameters == count


FOLDED = [
    ("PHMLinear[12, 8, 4]", "x: [b, 12]", "[b, c']", {"linear": 1}),
    ("PHConv[4, 8, 3, 2, pad=1]", *IMAGE, {"conv": 1}),
    ("Mapped[Linear[12, 8], Compander[1.0, 1.0]]", "x: [b, 12]", "[b, c']", {"linear": 1}),
    ("Mapped[Conv[4, 6, 3], tanh]", *IMAGE, {"conv": 1}),
    ("DCLSConv[4, 8, 7, 60, pad=3, groups=2]", *IMAGE, {"conv": 1}),
    ('DCLSConv[4, 8, 7, 60, pad=3, shape="gauss"]', *IMAGE, {"conv": 1}),
    ('DCLSConv[4, 8, 7, 60, pad=3, shape="max"]', *IMAGE, {"conv": 1}),
    ("LipschitzMLP[12, [9, 7, 5], bound=3.0]", "x: [b, 12]", "[b, c']", {"linear": 3, "relu": 2}),
    ("Subspace[MLP[12, 20], 7]", "x: [b, 12]", "[b, c']", {"linear": 2, "relu": 1}),
    ("FastSubspace[MLP[12, 20], 7]", "x: [b, 12]", "[b, c']", {"linear": 2, "relu": 1}),
]


@pytest.mark.parametrize(("layer", "inputs", "outputs", "left"), FOLDED, ids=[c[0] for c in FOLDED])
def test_weights_are_computed_once_where_they_are_used(
    layer: str, inputs: str, outputs: str, left: dict[str, int]
) -> None:
    found = folded(model(layer, inputs, outputs).ir, grow="PH" in layer)  # an algebra has fewer weights than its matrix
    assert found.ops == Counter(left)
    shape = (3, 12) if inputs == "x: [b, 12]" else (2, 4, 9, 8)
    assert found.error(torch.randn(shape, dtype=torch.float64)) < 1e-10


def test_a_product_of_two_algebras_is_that_of_complex_numbers() -> None:
    layer = net(line("PHMLinear[2, 2, 2, bias=false]", 2))
    fill(layer, A=[[[1, 0], [0, 1]], [[0, -1], [1, 0]]], F=[[[1.0]], [[2.0]]])
    torch.testing.assert_close(matrix(layer, 2), torch.tensor([[1.0, -2.0], [2.0, 1.0]], dtype=torch.float64))


def spread(shape: str, size: int, place: list[float], x: Tensor) -> Tensor:
    """What a kernel of one weight at a place gives."""
    dims = ", ".join(f"s{i}" for i in range(len(place)))
    outs = ", ".join(f"t{i}" for i in range(len(place)))
    text = f'DCLSConv[1, 1, {size}, 1, pad={size // 2}, shape="{shape}", bias=false]'
    layer = net(model(text, f"x: [b, 1, {dims}]", f"[b, c', {outs}]"))
    fill(layer, weight=1.0, positions=torch.tensor(place).view(-1, 1, 1, 1))
    found: Tensor = layer(x).detach()
    return found


def test_a_weight_between_places_is_shared_by_them() -> None:
    x = torch.zeros(1, 1, 7, 7, dtype=torch.float64)
    x[..., 3, 3] = 1
    kernel = spread("bilinear", 7, [0.25, 0.5], x).flip(-1, -2)[0, 0]  # the first position is that along the last axis
    expected = torch.zeros(7, 7, dtype=torch.float64)
    expected[3, 3] = expected[4, 3] = 0.375
    expected[3, 4] = expected[4, 4] = 0.125
    torch.testing.assert_close(kernel, expected, rtol=0, atol=1e-6)
    whole = spread("bilinear", 7, [1.0, -2.0], x).flip(-1, -2)[0, 0]
    assert whole.argmax().item() == (3 - 2) * 7 + 3 + 1


@pytest.mark.parametrize(
    ("shape", "kernel"),
    [("gauss", [0.0000320, 0.0350566, 0.7041308, 0.2590352, 0.0017454]), ("max", [0, 0, 0.75, 0.25, 0])],
)
def test_a_quarter_off_the_centre(shape: str, kernel: list[float]) -> None:
    x = torch.zeros(1, 1, 5, dtype=torch.float64)
    x[..., 2] = 1
    found = spread(shape, 5, [0.25], x).flip(-1)[0, 0]
    torch.testing.assert_close(found, torch.tensor(kernel, dtype=torch.float64), rtol=0, atol=1e-6)


def test_positions_stay_in_the_kernel() -> None:
    layer = net(line_of_images())
    fill(layer, positions=9.0)
    step = layer.after_step
    assert callable(step)
    step()
    assert layer.get_parameter("layer.positions").unique().tolist() == [3.0]


def line_of_images() -> Model:
    return model("DCLSConv[4, 8, 7, 5, pad=3]", *IMAGE)


def test_a_butterfly_of_ones_is_the_hadamard_matrix() -> None:
    layer = net(line("Butterfly[16, 16, bias=false]", 16))
    fill(layer, twiddle=[[1.0, 1.0], [1.0, -1.0]])
    hadamard = torch.ones(1, 1, dtype=torch.float64)
    for _ in range(4):
        hadamard = torch.cat([torch.cat([hadamard, hadamard], 1), torch.cat([hadamard, -hadamard], 1)])
    torch.testing.assert_close(matrix(layer, 16), hadamard)


def test_a_butterfly_pads_and_crops() -> None:
    layer = net(line("Butterfly[12, 37, depth=2, bias=false]", 12))
    assert layer.get_parameter("layer.twiddle").shape == (3, 2, 4, 8, 2, 2)
    fill(layer, twiddle=torch.eye(2))
    x = torch.randn(3, 12, dtype=torch.float64)
    torch.testing.assert_close(layer(x), F.pad(x, (0, 4)).repeat(1, 3)[:, :37])


def test_a_relaxed_permutation_is_doubly_stochastic_and_can_reverse_bits() -> None:
    layer = net(line("RelaxedPermutation[4]", 16))
    found = matrix(layer, 16)
    assert found.min() >= 0
    torch.testing.assert_close(found.sum(0), torch.ones(16, dtype=torch.float64))
    torch.testing.assert_close(found.sum(1), torch.ones(16, dtype=torch.float64))
    fill(layer, logits=[100.0, -100.0, -100.0])
    order = layer(torch.arange(16.0, dtype=torch.float64)[None])[0].round().long().tolist()
    assert order == [int(f"{i:04b}"[::-1], 2) for i in range(16)]


@pytest.mark.parametrize("bound", [1.0, 3.0])
def test_a_chain_of_certified_layers_is_lipschitz(bound: float) -> None:
    widths = [9, 7, 5]
    source = line(f"LipschitzMLP[12, {widths}, bound={bound}]", 12)
    found = folded(source.ir)
    weights = [w for name, w in found.result.state_dict().items() if w.dim() == 2]
    sizes = [12, *widths]
    assert [tuple(w.shape) for w in weights] == list(zip(sizes[1:], sizes[:-1], strict=True))
    total = torch.zeros(sum(sizes), sum(sizes), dtype=torch.float64)
    starts = [sum(sizes[:i]) for i in range(5)]
    for i, size in enumerate(sizes):
        here = slice(starts[i], starts[i + 1])
        total[here, here] = torch.eye(size) * (bound**2 if i == 0 else 1 if i == 3 else 2)
        if i:
            below = slice(starts[i - 1], starts[i])
            total[here, below] = -weights[i - 1]
            total[below, here] = -weights[i - 1].mT
    assert torch.linalg.eigvalsh(total).min() > -1e-9
    module = net(source)
    for _ in range(20):
        jacobian = torch.func.jacrev(module)(torch.randn(1, 12, dtype=torch.float64))[0, :, 0]
        assert torch.linalg.matrix_norm(jacobian, 2) <= bound + 1e-9


def test_bits_of_weights_and_their_derivative() -> None:
    layer = net(model("BiPerConv[4, 5, 1]", *IMAGE))
    fill(layer, alpha=1.0, weight=torch.tensor([-0.2, -0.1, 0.0, 0.1, 0.2]).view(5, 1, 1, 1))
    x = torch.zeros(1, 4, 2, 2, dtype=torch.float64)
    x[:, 0] = 1  # zeros are 1 as bits too: the sum of four weights is seen
    assert (layer.eval()(x)[0, :, 0, 0] / 4).tolist() == [1, -1, 1, 1, -1]  # sign(0) is +1: a bit has no third value
    y = layer(x)[0, :, 0, 0].sum()
    (slope,) = torch.autograd.grad(y, layer.get_parameter("layer.weight"))
    angle = 20 * layer.get_parameter("layer.weight")
    torch.testing.assert_close(slope, 20 * torch.cos(angle))
    real = net(model("BiPerConv[4, 5, 1, binary=false]", *IMAGE)).eval()
    fill(real, alpha=1.0, weight=torch.tensor([-0.2, -0.1, 0.0, 0.1, 0.2]).view(5, 1, 1, 1))
    sine = torch.tensor([0.7568, -0.9093, 0.0, 0.9093, -0.7568], dtype=torch.float64)
    torch.testing.assert_close(real(x)[0, :, 0, 0] / 4, sine, rtol=0, atol=1e-4)


def test_bits_of_activations_have_a_triangle_for_a_derivative() -> None:
    layer = net(model("BiPerConv[4, 1, 1, binary=false]", *IMAGE)).eval()
    fill(layer, alpha=1.0, weight=torch.pi / 40)
    x = torch.linspace(-2, 2, 16, dtype=torch.float64).view(1, 4, 2, 2).requires_grad_()
    (slope,) = torch.autograd.grad(layer(x).sum(), x)
    torch.testing.assert_close(slope, (2 - 2 * x.abs()).clamp(min=0).detach())


@pytest.mark.parametrize("kind", ["Subspace", "FastSubspace"])
def test_a_subspace_of_weights_starts_at_the_block_and_has_few_directions(kind: str) -> None:
    found = line(f"{kind}[MLP[12, 20], 7]", 12)
    assert found.parameters == 7
    layer = net(found)
    weights = layer.state_dict()["layer.origin"]
    assert weights.shape == (512,)
    x = torch.randn(3, 12, dtype=torch.float64)
    w2, b2, w1, b1 = weights[:240].view(20, 12), weights[240:260], weights[260:500].view(12, 20), weights[500:]
    torch.testing.assert_close(layer(x), F.linear(F.relu(F.linear(x, w2, b2)), w1, b1))


def test_fast_directions_are_nearly_orthonormal() -> None:
    layer, delta = net(line("FastSubspace[Linear[64, 64, bias=false], 5]", 64)), []
    for i in range(5):
        fill(layer, delta=torch.eye(5)[i])
        moved = layer(torch.eye(64, dtype=torch.float64)).mT.detach()
        delta.append((moved - layer.state_dict()["layer.origin"].view(64, 64)).flatten())
    gram = torch.stack(delta) @ torch.stack(delta).mT
    torch.testing.assert_close(gram, torch.eye(5, dtype=torch.float64), rtol=0, atol=0.15)


@pytest.mark.parametrize(
    ("kernel", "stride", "value"),
    [(torch.full((1, 1, 3, 3), 1 / 3), 1, 280 / 81), (torch.eye(2)[:, :, None, None], 1, 0.0),
     (torch.eye(4).view(4, 1, 2, 2), 2, 0.0)],
)  # fmt: skip
def test_how_far_a_convolution_is_from_orthogonal(kernel: Tensor, stride: int, value: float) -> None:
    text = (
        f"{USES}\nblock Net(w: [m, c, k, k2]) -> []:\n    return w |> conv_orthogonality[{stride}]\n\nmodel M = Net[]\n"
    )
    found = ogive.source(text)["M"]
    assert isinstance(found, Model)
    assert found.torch()(kernel).item() == pytest.approx(value, abs=1e-6)

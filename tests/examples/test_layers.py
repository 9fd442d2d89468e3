"""The layers of the library against those of torch.nn: names of weights, initial values, outputs, gradients, states."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import ogive
from ogive.api import Model

USES = """
use std.nn (DropPath, Linear, Embedding, LayerNorm, RMSNorm, BatchNorm, GroupNorm, InstanceNorm, Dropout, PReLU,
            Residual, LayerScale, selu, celu, softmin, threshold, rrelu, softsign, tanhshrink, hardshrink,
            softshrink, log_sigmoid, glu, identity)
use std.vision (Conv, ConvTranspose, ConvNormAct, pixel_shuffle, window_partition, window_merge, SqueezeExcite)
use std.attention (MultiHeadAttention, Rope, Alibi, SinusoidalPositions, causal_mask)
"""


def build(expression: str, inputs: str, outputs: str) -> Model:
    """A model of one expression over the inputs."""
    text = f"{USES}\nblock M({inputs}) -> {outputs}:\n    return {expression}\n\nmodel Only = M[]\n"
    found = ogive.source(text)["Only"]
    assert isinstance(found, Model)
    return found


def piped(stages: str, inputs: str, outputs: str) -> Model:
    """A model that sends `x` through some stages."""
    return build(f"x |> {stages}", inputs, outputs)


@dataclass(frozen=True)
class Layer:
    ours: str
    theirs: nn.Module
    inputs: str
    outputs: str
    shape: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.ours} on {self.inputs}"


IMAGE, MAP, LINE = "x: [b, 6, h, w]", "[b, c, p, q]", "x: [b, 6, n]"
LAYERS = [
    Layer("Linear[6, 64]", nn.Linear(6, 64), "x: [*b, 6]", "[*b, 64]", (3, 5, 6)),
    Layer("Linear[6, 64, bias=false]", nn.Linear(6, 64, bias=False), "x: [b, 6]", "[b, 64]", (3, 6)),
    Layer("LayerNorm", nn.LayerNorm(6), "x: [b, n, 6]", "[b, n, 6]", (3, 5, 6)),
    Layer("LayerNorm[eps=1e-2, bias=false]", nn.LayerNorm(6, 1e-2, bias=False), "x: [b, 6]", "[b, 6]", (3, 6)),
    Layer("RMSNorm", nn.RMSNorm(6, eps=1e-6), "x: [b, n, 6]", "[b, n, 6]", (3, 5, 6)),
    Layer("BatchNorm", nn.BatchNorm1d(6), "x: [b, 6]", "[b, 6]", (8, 6)),
    Layer("BatchNorm", nn.BatchNorm1d(6), LINE, "[b, 6, n]", (4, 6, 5)),
    Layer("BatchNorm[eps=1e-3, momentum=0.3]", nn.BatchNorm2d(6, 1e-3, 0.3), IMAGE, "[b, 6, h, w]", (4, 6, 3, 5)),
    Layer("GroupNorm[3]", nn.GroupNorm(3, 6), IMAGE, "[b, 6, h, w]", (4, 6, 3, 5)),
    Layer("InstanceNorm", nn.InstanceNorm2d(6), IMAGE, "[b, 6, h, w]", (4, 6, 3, 5)),
    Layer("InstanceNorm[affine=true]", nn.InstanceNorm2d(6, affine=True), IMAGE, "[b, 6, h, w]", (4, 6, 3, 5)),
    Layer("InstanceNorm[affine=true, running=true]", nn.InstanceNorm2d(6, affine=True, track_running_stats=True), IMAGE,
          "[b, 6, h, w]", (4, 6, 3, 5)),
    Layer("PReLU", nn.PReLU(), IMAGE, "[b, 6, h, w]", (4, 6, 3, 5)),
    Layer("PReLU[c=6]", nn.PReLU(6), IMAGE, "[b, 6, h, w]", (4, 6, 3, 5)),
    Layer("Conv[6, 8, 3]", nn.Conv1d(6, 8, 3), LINE, "[b, 8, m]", (2, 6, 9)),
    Layer("Conv[6, 8, 3]", nn.Conv2d(6, 8, 3), IMAGE, MAP, (2, 6, 9, 8)),
    Layer("Conv[6, 8, 3]", nn.Conv3d(6, 8, 3), "x: [b, 6, t, h, w]", "[b, 8, s, p, q]", (2, 6, 4, 5, 6)),
    Layer("Conv[6, 9, [3, 2], stride=[2, 1], pad=[1, 0], dilation=[1, 2], groups=3, bias=false]",
          nn.Conv2d(6, 9, (3, 2), (2, 1), (1, 0), (1, 2), 3, False), IMAGE, MAP, (2, 6, 9, 8)),
    Layer('Conv[6, 8, 3, pad="same", dilation=2]', nn.Conv2d(6, 8, 3, padding="same", dilation=2), IMAGE, MAP,
          (2, 6, 9, 8)),
    Layer('Conv[6, 8, 3, pad=1, pad_mode="circular"]', nn.Conv2d(6, 8, 3, padding=1, padding_mode="circular"), IMAGE,
          MAP, (2, 6, 9, 8)),
    Layer("ConvTranspose[6, 8, 2, stride=2]", nn.ConvTranspose2d(6, 8, 2, 2), IMAGE, MAP, (2, 6, 5, 4)),
    Layer("ConvTranspose[6, 8, 3, stride=2, pad=1, out_pad=1, groups=2]",
          nn.ConvTranspose1d(6, 8, 3, 2, 1, 1, groups=2), LINE, "[b, 8, m]", (2, 6, 5)),
    Layer("selu", nn.SELU(), LINE, "[b, 6, n]", (2, 6, 9)),
    Layer("celu[alpha=0.7]", nn.CELU(0.7), LINE, "[b, 6, n]", (2, 6, 9)),
    *(Layer(ours, theirs, LINE, "[b, 6, n]", (2, 6, 9)) for ours, theirs in (
        ("softmin[-1]", nn.Softmin(-1)), ("threshold[0.1, 3.0]", nn.Threshold(0.1, 3.0)), ("relu", nn.ReLU()),
        ("gelu", nn.GELU()), ("gelu_tanh", nn.GELU("tanh")), ("silu", nn.SiLU()), ("sigmoid", nn.Sigmoid()),
        ("tanh", nn.Tanh()), ("elu[alpha=0.7]", nn.ELU(0.7)), ("leaky_relu[slope=0.2]", nn.LeakyReLU(0.2)),
        ("hardswish", nn.Hardswish()), ("hardsigmoid", nn.Hardsigmoid()), ("mish", nn.Mish()),
        ("hardtanh[-0.5, 2.0]", nn.Hardtanh(-0.5, 2.0)), ("relu6", nn.ReLU6()),
        ("softplus[beta=2.0]", nn.Softplus(2.0)), ("rrelu", nn.RReLU()),
        ("softmax[1]", nn.Softmax(1)), ("log_softmax[-1]", nn.LogSoftmax(-1)),
    )),
    Layer("softsign", nn.Softsign(), LINE, "[b, 6, n]", (2, 6, 9)),
    Layer("tanhshrink", nn.Tanhshrink(), LINE, "[b, 6, n]", (2, 6, 9)),
    Layer("hardshrink", nn.Hardshrink(), LINE, "[b, 6, n]", (2, 6, 9)),
    Layer("softshrink", nn.Softshrink(), LINE, "[b, 6, n]", (2, 6, 9)),
    Layer("log_sigmoid", nn.LogSigmoid(), LINE, "[b, 6, n]", (2, 6, 9)),
    Layer("glu", nn.GLU(), "x: [b, n, 6]", "[b, n, 3]", (2, 9, 6)),
    Layer("identity", nn.Identity(), LINE, "[b, 6, n]", (2, 6, 9)),
    Layer("Dropout", nn.Dropout(), LINE, "[b, 6, n]", (2, 6, 9)),
    Layer("pixel_shuffle[2]", nn.PixelShuffle(2), "x: [b, 12, h, w]", "[b, 3, 2*h, 2*w]", (2, 12, 3, 4)),
]  # fmt: skip


def named(module: nn.Module) -> dict[str, Tensor]:
    """The state of the one layer in a module, under the names it has there."""
    return {name.partition(".")[2]: x for name, x in module.state_dict().items()}


@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_same_layer(layer: Layer) -> None:
    ours = piped(layer.ours, layer.inputs, layer.outputs).torch()
    theirs = layer.theirs.train()
    assert {k: x.shape for k, x in named(ours).items()} == {k: x.shape for k, x in theirs.state_dict().items()}
    with torch.no_grad():
        for weight in theirs.parameters():
            weight.normal_()
    prefix = {name.partition(".")[2]: name for name in ours.state_dict()}
    ours.load_state_dict({prefix[name]: x for name, x in theirs.state_dict().items()})
    for mode in (True, False):
        if layer.ours in ("Dropout", "rrelu") and mode:  # these draw
            continue
        compare(ours.train(mode), theirs.train(mode), torch.randn(layer.shape))


def compare(ours: nn.Module, theirs: nn.Module, x: Tensor) -> None:
    """Outputs, gradients and states after one step."""
    a, b = x.clone().requires_grad_(), x.clone().requires_grad_()
    y, z = ours(a), theirs(b)
    torch.testing.assert_close(y, z, rtol=1e-5, atol=1e-5)
    y.square().sum().backward()
    z.square().sum().backward()
    torch.testing.assert_close(a.grad, b.grad, rtol=1e-4, atol=1e-4)
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(p.grad, q.grad, rtol=1e-4, atol=1e-4)
    for name, state in named(ours).items():
        torch.testing.assert_close(state, theirs.state_dict()[name], rtol=1e-5, atol=1e-6)


INITIALIZED: list[tuple[str, str, str, type[nn.Module], tuple[Any, ...]]] = [
    ("Linear[300, 200]", "x: [b, 300]", "[b, 200]", nn.Linear, (300, 200)),
    ("Embedding[300, 50]", "x: int[b, n]", "[b, n, 50]", nn.Embedding, (300, 50)),
    ("Conv[40, 60, 5, groups=2]", "x: [b, 40, h, w]", "[b, 60, p, q]", nn.Conv2d, (40, 60, 5, 1, 0, 1, 2)),
    ("ConvTranspose[40, 60, 5, groups=2]", "x: [b, 40, h, w]", "[b, 60, p, q]", nn.ConvTranspose2d,
     (40, 60, 5, 1, 0, 0, 2)),
    ("MultiHeadAttention[120, 4]", "x: [b, n, 120]", "[b, n, 120]", nn.MultiheadAttention, (120, 4)),
    ("BatchNorm", "x: [b, 6]", "[b, 6]", nn.BatchNorm1d, (6,)),
]  # fmt: skip


@pytest.mark.parametrize(("ours", "inputs", "outputs", "kind", "args"), INITIALIZED, ids=[i[0] for i in INITIALIZED])
def test_same_initial_values(
    ours: str, inputs: str, outputs: str, kind: type[nn.Module], args: tuple[Any, ...]
) -> None:
    torch.manual_seed(0)
    mine, peer = named(piped(ours, inputs, outputs).torch()), kind(*args).state_dict()
    assert mine.keys() == peer.keys()
    for name, weight in mine.items():
        if weight.numel() < 50:  # the constants of norms
            assert torch.equal(weight, peer[name])
            continue
        torch.testing.assert_close(weight.std(), peer[name].std(), rtol=0.25, atol=0.0)
        torch.testing.assert_close(weight.abs().max(), peer[name].abs().max(), rtol=0.3, atol=0.0)


@pytest.mark.parametrize("causal", [False, True])
def test_attention_is_torchs(causal: bool) -> None:
    text = f"MultiHeadAttention[24, 4, causal={str(causal).lower()}]"
    ours, theirs = piped(text, "x: [b, n, 24]", "[b, n, 24]").torch(), nn.MultiheadAttention(24, 4, batch_first=True)
    prefix = {name.partition(".")[2]: name for name in ours.state_dict()}
    ours.load_state_dict({prefix[name]: x for name, x in theirs.state_dict().items()})
    x = torch.randn(2, 7, 24)
    mask = torch.ones(7, 7, dtype=torch.bool).triu(1) if causal else None
    torch.testing.assert_close(ours(x), theirs(x, x, x, attn_mask=mask)[0], rtol=1e-5, atol=1e-5)


def test_a_masked_key_does_not_count() -> None:
    expression = "MultiHeadAttention[24, 4, kv_heads=2](x, m)"
    net = build(expression, "x: [b, n, 24], m: bool[b, n, n]", "[b, n, 24]").torch()
    x, mask = torch.randn(2, 7, 24), torch.ones(2, 7, 7, dtype=torch.bool)
    mask[:, :, 5:] = False
    changed = torch.cat([x[:, :5], torch.randn(2, 2, 24)], dim=1)
    torch.testing.assert_close(net(x, mask)[:, :5], net(changed, mask)[:, :5])
    assert not torch.allclose(net(x, torch.ones_like(mask))[:, :5], net(x, mask)[:, :5])


def test_residual_adds_and_layer_scale_starts_small() -> None:
    net = piped("Residual[Linear[6, 6, ...]]", "x: [b, 6]", "[b, 6]").torch()
    x = torch.randn(3, 6)
    (weight, bias) = net.state_dict().values()
    torch.testing.assert_close(net(x), x + torch.nn.functional.linear(x, weight, bias))
    net = piped("LayerScale[init=0.5]", "x: [b, 6]", "[b, 6]").torch()
    torch.testing.assert_close(net(x), x / 2)
    assert list(net.state_dict()) == ["layer_scale.gamma"]


class SqueezeExcite(nn.Module):
    """As in the papers of mobile networks, by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Conv2d(8, 2, 1), nn.Conv2d(2, 8, 1)

    def forward(self, x: Tensor) -> Tensor:
        pooled: Tensor = self.fc2(torch.relu(self.fc1(x.mean((2, 3), keepdim=True))))
        return x * torch.sigmoid(pooled)


def test_squeeze_excite_weighs_channels() -> None:
    ours = piped("SqueezeExcite[reduction=4]", "x: [b, 8, h, w]", "[b, 8, h, w]").torch()
    theirs = SqueezeExcite()
    theirs.load_state_dict(named(ours))
    compare(ours, theirs, torch.randn(2, 8, 5, 4))


@pytest.mark.parametrize("act", [None, "relu6", "silu"])
def test_conv_norm_act_is_its_three_layers(act: str | None) -> None:
    settings = f", act={act}" if act else ""
    ours = piped(f"ConvNormAct[6, 8, 5, stride=2, dilation=2, groups=2{settings}]", IMAGE, MAP).torch()
    last = {None: nn.ReLU(), "relu6": nn.ReLU6(), "silu": nn.SiLU()}[act]
    theirs = nn.Sequential(nn.Conv2d(6, 8, 5, 2, 4, 2, 2, bias=False), nn.BatchNorm2d(8), last)
    theirs.load_state_dict(dict(zip(theirs.state_dict(), ours.state_dict().values(), strict=True)))
    x = torch.randn(2, 6, 9, 8)
    for mode in (True, False):
        torch.testing.assert_close(ours.train(mode)(x), theirs.train(mode)(x), rtol=1e-5, atol=1e-5)


def test_rope_goes_on_from_given_positions() -> None:
    text = "Rope(x, positions)"
    shifted = build(text, "x: [b, n, 16], positions: int[n]", "[b, n, 16]").torch()
    x = torch.randn(2, 9, 16)
    whole = piped("Rope", "x: [b, n, 16]", "[b, n, 16]").torch()(x)
    torch.testing.assert_close(shifted(x[:, 4:], torch.arange(4, 9)), whole[:, 4:])


def test_rope_keeps_lengths_and_sees_distances_alone() -> None:
    net = piped("Rope", "x: [b, n, 16]", "[b, n, 16]").torch().double()
    x = torch.randn(1, 1, 16).double().expand(1, 9, 16)
    y = net(x)
    torch.testing.assert_close(y.norm(dim=-1), x.norm(dim=-1), rtol=1e-6, atol=0.0)
    scores = y[0] @ y[0].T
    for offset in range(9):
        diagonal = scores.diagonal(offset)
        torch.testing.assert_close(diagonal, diagonal[:1].expand_as(diagonal), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("heads", [1, 2, 4, 6, 8, 12])
def test_alibi_has_the_slopes_of_its_authors(heads: int) -> None:
    def slopes(n: int) -> list[float]:
        whole = 2 ** (n.bit_length() - 1)
        first = [2 ** (-8 * (i + 1) / whole) for i in range(whole)]
        return first if whole == n else first + slopes(2 * whole)[0::2][: n - whole]

    net = piped("Alibi", f"x: [b, {heads}, q, k]", f"[b, {heads}, q, k]").torch()
    y = net(torch.zeros(2, heads, 5, 5))
    torch.testing.assert_close(y[0, :, 4, 0], -4 * torch.tensor(slopes(heads)))
    torch.testing.assert_close(y[1, :, 3, 3], torch.zeros(heads))


def test_windows_come_back() -> None:
    net = piped("window_partition[3] |> window_merge[3]", "x: [b, 3*h, 3*w, c]", "[b, 3*h, 3*w, c]").torch()
    x = torch.randn(2, 6, 9, 4)
    torch.testing.assert_close(net(x), x)


def test_a_sinusoid_turns_with_position() -> None:
    net = build("x + SinusoidalPositions[n, 8]", "x: [n, 8]", "[n, 8]").torch()
    table = net(torch.zeros(6, 8))
    for i in range(4):
        angle = torch.arange(6) / 10000 ** (2 * i / 8)
        torch.testing.assert_close(table[:, 2 * i], angle.sin())
        torch.testing.assert_close(table[:, 2 * i + 1], angle.cos())


def test_drop_path_keeps_or_drops_whole_examples() -> None:
    net = piped("DropPath[0.25]", "x: [b, c, n]", "[b, c, n]").torch()
    torch.manual_seed(0)
    y = net(torch.ones(400, 3, 2))
    assert y.unique().tolist() == pytest.approx([0, 4 / 3])
    assert (y == y[:, :1, :1]).all()
    assert 0.15 < (y[:, 0, 0] == 0).float().mean() < 0.35
    torch.testing.assert_close(net.eval()(torch.ones(4, 3, 2)), torch.ones(4, 3, 2))

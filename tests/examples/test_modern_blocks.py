"""Blocks of the library that later architectures share, against the same computation written in torch."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import ogive
from ogive.api import Model

USES = """use std.nn (GatedMLP, LayerNorm, Linear, RMSNorm)
use std.attention (Attention, rope_angles, rotate)
use std.experts (MoE)
"""


def model_of(header: str, body: str) -> Model:
    """A model of one block."""
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    found = ogive.source(f"{USES}\nblock M{header}:\n{lines}\n\nmodel Only = M[]\n")["Only"]
    assert isinstance(found, Model)
    return found


def net_of(model: Model) -> Any:
    """Its module in f64 with weights away from where they start."""
    torch.manual_seed(0)
    net = model.torch().double()
    with torch.no_grad():
        for weight in net.parameters():
            weight.normal_(std=0.4)
    return net


def turned(x: Tensor, interleaved: bool) -> Tensor:
    """Rotated by position, written with complex numbers."""
    n, e = x.shape[-2:]
    angle = torch.arange(n)[:, None] / 10000 ** (torch.arange(0, e, 2) / e)
    pairs = x.reshape(*x.shape[:-1], e // 2, 2) if interleaved else x.reshape(*x.shape[:-1], 2, e // 2).mT
    z = torch.view_as_real(torch.view_as_complex(pairs.contiguous()) * torch.polar(torch.ones(()), angle))
    return z.flatten(-2) if interleaved else z.mT.flatten(-2)


def attended(
    w: Any, x: Tensor, memory: Tensor, mask: Tensor | None, heads: int, window: int, cap: float, **how: bool
) -> Tensor:
    """Written out, one matrix of scores after another."""
    q, k, v = (
        getattr(w, f"{name}_proj")(y).unflatten(-1, (-1, 4)).transpose(1, 2)
        for name, y in (("q", x), ("k", memory), ("v", memory))
    )
    if how["norm"]:
        q, k = (F.rms_norm(y, (4,), getattr(w, f"{name}_norm").weight, 1e-6) for name, y in (("q", q), ("k", k)))
    if how["rope"]:
        q, k = (turned(y, how["interleaved"]) for y in (q, k))
    k, v = (y.repeat_interleave(heads // y.shape[1], 1) for y in (k, v))
    scores = q @ k.mT / 2
    if cap:
        scores = cap * torch.tanh(scores / cap)
    n, m = scores.shape[-2:]
    ahead = torch.arange(m) - torch.arange(n)[:, None] - (m - n)
    seen = torch.ones(n, m, dtype=torch.bool)
    if how["causal"]:
        seen &= ahead <= 0
    if window:
        seen &= ahead.abs() < window
    if mask is not None:
        seen = seen & mask[:, None]
    y = scores.masked_fill(~seen, -torch.inf).softmax(-1).nan_to_num() @ v
    found: Tensor = w.o_proj(y.transpose(1, 2).flatten(2))
    return found


KINDS = [
    (kv, norm, causal, window, cap, given, rope)
    for i, (kv, norm, causal, window, cap, given, rope) in enumerate(
        itertools.product((4, 2), (False, True), (False, True), (0, 3), (0.0, 1.5), (None, "mask", "memory"),
                          (None, "halves", "interleaved")))
    if i % 11 == 0 and not (given == "memory" and rope)
]  # fmt: skip


@pytest.mark.parametrize(("kv", "norm", "causal", "window", "cap", "given", "rope"), KINDS)
def test_attention_is_what_it_says(
    kv: int, norm: bool, causal: bool, window: int, cap: float, given: str | None, rope: str | None
) -> None:
    inputs = {"mask": ", mask: bool[b, n, n]", "memory": ", memory: [b, m, 8]", None: ""}[given]
    angles = "cosine, sine = rope_angles[4](arange[n])\n" if rope else ""
    passed = f", {given}={given}" if given else ""
    passed += ", cosine=cosine, sine=sine" if rope else ""
    settings = f"12, 4, {kv}, e=4, causal={str(causal).lower()}, window={window}, cap={cap}"
    settings += ", norm=RMSNorm" if norm else ""
    settings += f", interleaved={str(rope == 'interleaved').lower()}"
    body = f"{angles}f = Attention[{settings}]\nreturn f(x{passed})"
    net = net_of(model_of(f"(x: [b, n, 12]{inputs}) -> [b, n, 12]", body))
    x, memory = torch.randn(2, 6, 12).double(), torch.randn(2, 9, 8).double()
    mask = torch.rand(2, 6, 6) > 0.3
    more = {"mask": [mask], "memory": [memory], None: []}[given]
    wanted = attended(net.f, x, memory if given == "memory" else x, mask if given == "mask" else None, 4, window, cap,
                      norm=norm, causal=causal, rope=bool(rope), interleaved=rope == "interleaved")  # fmt: skip
    close = 1e-5 if rope else 1e-12  # angles are f32
    torch.testing.assert_close(net(x, *more), wanted, rtol=close, atol=close)


def test_a_cache_gives_what_all_tokens_at_once_give() -> None:
    head = "(x: [b, n, 8], at: int[], past: [2, b, 2, p, 4]) -> (y: [b, n, 8], present: [2, b, 2, t, 4])\nwhere p >= 0"
    body = """cosine, sine = rope_angles[4](arange[n] + at)
f = Attention[8, 4, 2, e=4, causal=true, window=3, cache=true]
y, present = f(x, cosine=cosine, sine=sine, past=past)
return y, present"""
    net = net_of(model_of(head, body))
    x, none = torch.randn(2, 7, 8).double(), torch.zeros(2, 2, 2, 0, 4).double()
    whole, present = net(x, torch.tensor(0), none)
    y, past = net(x[:, :4], torch.tensor(0), none)
    parts = [y]
    for i in range(4, 7):
        y, past = net(x[:, i : i + 1], torch.tensor(i), past)
        parts.append(y)
    torch.testing.assert_close(torch.cat(parts, 1), whole)
    torch.testing.assert_close(past, present)


def test_norms_without_weights_and_with_one_less_1() -> None:
    x = torch.randn(3, 5, 6).double()
    for ours, wanted in (
        ("LayerNorm[affine=false]", F.layer_norm(x, (6,))),
        ("RMSNorm[affine=false, eps=1e-3]", F.rms_norm(x, (6,), eps=1e-3)),
    ):
        net = net_of(model_of("(x: [b, n, 6]) -> [b, n, 6]", f"return x |> {ours}"))
        assert not net.state_dict()
        torch.testing.assert_close(net(x), wanted)
    model = model_of("(x: [b, n, 6]) -> [b, n, 6]", "return x |> RMSNorm[unit_offset=true] as norm")
    started: Any = model.torch()
    assert not started.norm.weight.any()
    net = net_of(model)
    torch.testing.assert_close(net(x), F.rms_norm(x, (6,), 1 + net.norm.weight, 1e-6))


def test_a_gated_mlp() -> None:
    net = net_of(model_of("(x: [b, 6]) -> [b, 6]", "return x |> GatedMLP[6, 10, act=gelu, bias=true] as mlp")).mlp
    x = torch.randn(3, 6).double()
    torch.testing.assert_close(net(x), net.down_proj(F.gelu(net.gate_proj(x)) * net.up_proj(x)))


def test_weights_of_lengths_along_any_axis() -> None:
    for axis, dim in ((0, 0), (2, 2), (-2, 1), (-1, 2)):
        text = (
            f"(x: [b, 6, n]) -> [b, 4, m]\nwhere n >= 3:\n    return x |> WeightNorm[Conv[6, 4, 3], axis={axis}] as f"
        )
        program = ogive.source(
            f"use std.vision (Conv)\nuse std.reparam (WeightNorm)\nblock M{text}\nmodel Only = M[]\n"
        )
        model = program["Only"]
        assert isinstance(model, Model)
        net: Any = model.torch().double()
        wanted = nn.utils.parametrizations.weight_norm(nn.Conv1d(6, 4, 3).double(), dim=dim)
        wanted.load_state_dict({"bias": net.f.F.bias, "parametrizations.weight.original1": net.f.F.weight,
                                "parametrizations.weight.original0": net.f.norm.g.reshape(
                                    wanted.parametrizations.weight.original0.shape)})  # fmt: skip
        x = torch.randn(2, 6, 9).double()
        torch.testing.assert_close(net(x), F.conv1d(x, net.f.F.weight, net.f.F.bias))  # it starts as F does
        with torch.no_grad():
            net.f.norm.g.mul_(2)
            wanted.parametrizations.weight.original0.mul_(2)
        torch.testing.assert_close(net(x), wanted(x))


def test_modulation_is_by_example() -> None:
    text = "(x: [b, h, w, 4], s: [b, 4], t: [b, 4]) -> [b, h, w, 4]:\n    return modulate(x, s, t)"
    model = ogive.source(f"use std.nn (modulate)\nblock M{text}\nmodel Only = M[]\n")["Only"]
    assert isinstance(model, Model)
    x, s, t = torch.randn(2, 3, 5, 4), torch.randn(2, 4), torch.randn(2, 4)
    torch.testing.assert_close(model.torch()(x, s, t), x * (1 + t[:, None, None]) + s[:, None, None])


def test_units_of_convolutions() -> None:
    for ours, conv in (
        ("ConvNormAct[6, 8, [1, 7]]", nn.Conv2d(6, 8, (1, 7), 1, (0, 3), bias=False)),
        ("ConvNormAct[6, 8, 3, pad=0, bias=true]", nn.Conv2d(6, 8, 3)),
        ("ConvNormAct[6, 8, [3, 5], stride=[1, 2], dilation=[2, 1]]",
         nn.Conv2d(6, 8, (3, 5), (1, 2), (2, 2), (2, 1), bias=False)),
    ):  # fmt: skip
        text = f"(x: [b, 6, h, w]) -> [b, 8, s, t]:\n    return x |> {ours} as unit"
        model = ogive.source(f"use std.vision (ConvNormAct)\nblock M{text}\nmodel Only = M[]\n")["Only"]
        assert isinstance(model, Model)
        net: Any = model.torch().eval()
        conv.load_state_dict(net.unit.conv.state_dict())
        x = torch.randn(2, 6, 11, 12)
        torch.testing.assert_close(net(x), F.relu(nn.BatchNorm2d(8).eval()(conv(x))))


def test_channels_are_weighed_through_any_width() -> None:
    block = "SqueezeExcite[6, width=5, act=silu, gate=hardsigmoid]"
    text = f"(x: [b, 6, h, w]) -> [b, 6, h, w]:\n    return x |> {block} as se"
    model = ogive.source(f"use std.vision (SqueezeExcite)\nblock M{text}\nmodel Only = M[]\n")["Only"]
    assert isinstance(model, Model)
    net: Any = model.torch()
    x = torch.randn(2, 6, 5, 4)
    gate = F.hardsigmoid(net.se.fc2(F.silu(net.se.fc1(x.mean((2, 3), keepdim=True)))))
    torch.testing.assert_close(net(x), x * gate)


def test_a_table_of_offsets_in_two_directions() -> None:
    text = "() -> [2, 6, 6]:\n    return RelativeBias[2, 2, 3]()"
    program = ogive.source(f"use std.attention (RelativeBias)\nblock M{text}\nmodel Only = M[]\n")
    model = program["Only"]
    assert isinstance(model, Model)
    net: Any = model.torch()
    table = net.relative_bias.table
    found = net()
    for i, j in itertools.product(range(6), repeat=2):
        (y, x), (v, u) = divmod(i, 3), divmod(j, 3)
        torch.testing.assert_close(found[:, i, j], table[(y - v + 1) * 5 + (x - u + 2)])


ROUTER = """
block Sigmoid[d, experts, k](x: [m, d]) -> (weights: [m, k], chosen: int[m, k])
where k <= experts:
    score = x |> Linear[d, experts, bias=false] as gate |> sigmoid
    weights, chosen = topk[-1, k](score)
    return weights, chosen
"""


def test_no_token_is_left_out_by_a_mixture_without_a_limit() -> None:
    """Every expert on every token, weighed; all go to one expert in the end, which a capacity would not hold."""
    text = (
        f"{USES}{ROUTER}\nblock M(x: [b, n, 6]) -> [b, n, 6]:\n    return x |> MoE[GatedMLP[6, 5, ...], 3, 2, slack=0, "
    )
    text += "router=Sigmoid[experts=3, k=2, ...], shared=[GatedMLP[6, 7, ...]]] as moe\nmodel Only = M[]\n"
    model = ogive.source(text)["Only"]
    assert isinstance(model, Model)
    net = net_of(model)
    moe = net.moe
    for _ in range(2):
        x = torch.randn(2, 5, 6).double()
        score = torch.sigmoid(moe.router.gate(x))
        w = score * F.one_hot(score.topk(2).indices, 3).sum(-2)
        each = moe.experts
        h = F.silu(torch.einsum("bnd,efd->bnef", x, each.gate_proj.weight)) * torch.einsum(
            "bnd,efd->bnef", x, each.up_proj.weight
        )
        y = torch.einsum("bnef,edf,bne->bnd", h, each.down_proj.weight, w)
        torch.testing.assert_close(net(x), y + moe.shared[0].gated_mlp(x))
        with torch.no_grad():
            moe.router.gate.weight[0] *= 100

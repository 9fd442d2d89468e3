"""A tap changes no number, and costs nothing where it is not asked for: the same calls as without it."""

from __future__ import annotations

import re
from itertools import permutations
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

import ogive

HEAD = """
use std.nn (Linear, LayerNorm)
use std.attention (causal_mask)
"""
ATTEND = """
block Attend[d, heads](x: [b, n, d], mask: bool[b, n]) -> [b, n, d]
where d % heads == 0:
    q, k, v = x |> Linear[d, 3*d] as qkv |> split["b n (t h e) -> t b h n e", t=3, h=heads]
    TAP scores = einsum["b h q e, b h k e -> b h q k"](q, k) / sqrt(d // heads)
    scores = select(mask |> expand["b k -> b 1 1 k"], scores, -inf)
    TAP p = scores |> softmax[k]
    TAP entropy_ = -sum[-1](p * log(p + 1e-9))
    y = einsum["b h q k, b h k e -> b h q e"](p, v)
    return y |> rearrange["b h n e -> b n (h e)"] |> Linear[d, d] as out
"""
# by name: a program whose model is M, the types of its inputs, and what is asked for
PROGRAMS: dict[str, tuple[str, str, list[str]]] = {
    "attention": (ATTEND + "model M = Attend[d=8, heads=2]", "xm", ["p", "entropy_", "scores"]),
    "attention_in_layers": (
        ATTEND + """
block Net[d](x: [b, n, d], mask: bool[b, n]) -> [b, n, d]:
    TAP first = x * 2
    repeat 3 as h:
        x = x + ((x |> LayerNorm as norm, mask) |> Attend[d, 2] as attn)
        TAP after = tanh(x)
    TAP last_ = mean[1](x)
    return x + first
model M = Net[d=8]
""", "xm", ["h.*.attn.p", "h.0.attn.entropy_", "h.*.after", "last_", "first"]),
    "shared_and_optional": (
        ATTEND + """
block Net[d](x: [b, n, d], mask: bool[b, n], more: [b, n, d]?) -> [b, n, d]:
    attn = Attend[d, 2]
    y = attn(x, mask)
    if given(more):
        TAP with_ = y * more
        y = y + attn(more, mask)
    else:
        TAP without_ = exp(y)
    return y
model M = Net[d=8]
""", "xm", ["attn.p", "without_"]),
    "bias_and_norms": ("""
block Net[d](x: [b, n, d], m: bool[b, n]) -> [b, n, d]:
    param w: [d, d] = normal
    param c: [d] = normal
    TAP h = einsum["b n i, o i -> b n o"](x, w)
    y = h + c
    TAP mu = mean[-1](y) |> expand["b n -> b n 1"]
    z = y - mu
    TAP variance = mean[-1](z * z) |> expand["b n -> b n 1"]
    z = z / sqrt(variance + 1e-5)
    TAP turned = z |> rearrange["b n d -> b d n"]
    back = turned |> rearrange["b d n -> b n d"]
    return select(m |> expand["b n -> b n 1"], back, 0.0)
model M = Net[d=8]
""", "xm", ["h", "mu", "variance", "turned"]),
    "choices_and_states": ("""
block Net[d](x: [b, n, d], m: bool[b, n]) -> [b, n, d]:
    state seen: [d] = zeros
    s = einsum["b i d, b j d -> b i j"](x, x) |> causal_mask
    if training:
        TAP p = softmax[-1](s)
        y = p @ x
        update seen = 0.9 * seen + 0.1 * mean[0, 1](y)
    else:
        TAP q = softmax[-1](s)
        y = q @ x
        TAP share_ = sum[-1](q * q)
    return y + seen
model M = Net[d=8]
""", "xm", ["q", "share_"]),
    "scan_over_each": ("""
block One[e](x: [n, e]) -> [n, e]:
    s = einsum["i d, j d -> i j"](x |> Linear[e, e] as q, x)
    TAP p = softmax[-1](s)
    TAP peak_ = max[-1](p)
    return p @ x
block Net[d](x: [b, n, d], m: bool[b, n]) -> [b, n, d]
where d == 8:
    y = over[b, One[d]](x)
    scan x_t in y along n carry h = zeros[b, d]:
        TAP gate = sigmoid(x_t)
        h = gate * h + (1 - gate) * x_t
        yield out = h
    z = x |> rearrange["b n (e c) -> e b n c", e=2]
    z = each[e, Linear[4, 4, ...]](z) |> rearrange["e b n c -> b n (e c)"]
    TAP energy_ = sum(z * z)
    return out + z
model M = Net[d=8]
""", "xm", ["one.p", "energy_"]),
    "a_weight_for_a_tap_alone": ("""
block Net[d](x: [b, n, d], m: bool[b, n]) -> [b, n, d]:
    y = x |> Linear[d, d] as body
    TAP aux_ = y |> Linear[d, 3] as head
    return y
model M = Net[d=8]
""", "xm", ["aux_"]),
}  # fmt: skip


class Log(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """The calls that reach the kernels."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.calls: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.calls.append(str(func))
        return func(*args, **(kwargs or {}))


def modules(name: str) -> tuple[nn.Module, nn.Module, list[Tensor], list[str]]:
    """The model with its taps and without them, of the same weights; inputs; what is asked for."""
    text, _, asked = PROGRAMS[name]
    torch.manual_seed(0)
    tapped = ogive.source(HEAD + text.replace("TAP", "tap")).models["M"].torch().eval()
    # what only a tap read is a name that nothing reads
    bare = ogive.source(HEAD + re.sub(r"TAP (\w+)", r"\1", text)).models["M"].torch().eval()
    bare.load_state_dict(tapped.state_dict())
    mask = torch.tensor([[1, 1, 0, 1, 0], [0] * 5], dtype=torch.bool)
    return tapped, bare, [torch.randn(2, 5, 8), mask], asked


@pytest.mark.parametrize("name", PROGRAMS)
def test_taps_that_nobody_asks_for_cost_nothing(name: str) -> None:
    tapped, bare, inputs, _ = modules(name)
    logs = []
    for net in (tapped, bare):
        with Log() as log:
            found = net(*inputs)
        logs.append((log.calls, found))
    assert logs[0][0] == logs[1][0]
    assert logs[0][1].equal(logs[1][1])
    for net in (tapped.train(), bare.train()):
        with Log() as log:
            net(*inputs).sum()
        logs.append((log.calls, None))
    assert logs[2] == logs[3]


@pytest.mark.parametrize("name", PROGRAMS)
def test_taps_that_are_asked_for_change_nothing(name: str) -> None:
    """All outputs agree within rounding, gradients too, and what is shown is what the source says."""
    tapped, bare, (x, mask), asked = modules(name)
    tapped, bare = tapped.double(), bare.double()
    grads = []
    for net, more in ((tapped, {"taps": asked}), (tapped, {}), (bare, {})):
        given = x.double().requires_grad_()
        found = net(given, mask, **more)
        y, seen = found if more else (found, {})
        if more:
            assert seen.keys() == set(asked)
            assert all(not value.isnan().any() for value in seen.values())
            if "p" in seen:
                torch.testing.assert_close(seen["p"].sum(-1), (seen["p"].sum(-1) > 0.5).double())
        (grad,) = torch.autograd.grad(y.square().sum(), given)
        grads.append((y.detach(), grad))
    for y, grad in grads[:2]:
        torch.testing.assert_close(y, grads[2][0], rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(grad, grads[2][1], rtol=1e-11, atol=1e-12)
    assert not grads[2][1].isnan().any()


def graph_of(net: nn.Module, inputs: list[Tensor]) -> str:
    """What torch.compile sees, without a break."""
    found: list[str] = []

    def backend(graph: torch.fx.GraphModule, _: list[Tensor]) -> Any:
        found.append("\n".join(f"{node.op} {node.target}" for node in graph.graph.nodes if node.op != "placeholder"))
        return graph.forward

    torch._dynamo.reset()
    torch.compile(net, fullgraph=True, backend=backend)(*inputs)
    (text,) = found
    return text


@pytest.mark.parametrize("name", ["attention_in_layers", "bias_and_norms"])
def test_the_compiled_graph_is_that_without_taps(name: str) -> None:
    tapped, bare, inputs, _ = modules(name)
    assert graph_of(tapped, inputs) == graph_of(bare, inputs)


def test_the_statements_without_taps_stand_behind_those_with_them() -> None:
    text = HEAD + PROGRAMS["attention"][0]
    tapped = ogive.source(text.replace("TAP", "tap")).models["M"].torch_source()
    bare = ogive.source(re.sub(r"TAP (\w+)", r"\1", text)).models["M"].torch_source()
    body = bare.partition("-> Tensor:\n")[2]
    assert "scaled_dot_product_attention" in body
    run = tapped.partition("def run")[2]
    assert run.partition("if taps is not None:")[2].endswith(body)


@pytest.mark.parametrize("axes", [" ".join(each) for each in permutations("bhne") if each[-1] == "e"])
def test_a_fused_value_is_computed_once_whatever_moves_it(axes: str) -> None:
    """What is fused leaves moves beside those that are there; both forms of the graph are free of them."""
    text = f"""
block F(q: [b, n, h, e], k: [b, m, h, e], v: [b, m, h, e]) -> [b, h, n, e]:
    q, k, v = q |> turned, k |> turned, v |> turned
    scores = einsum["b h n e, b h m e -> b h n m"](q, k) / sqrt(e)
    y = einsum["b h n m, b h m e -> {axes}"](softmax[-1](scores), v) |> rearrange["{axes} -> b h n e"]
    tap seen = y
    return 2 * y
block turned(x: [b, n, h, e]) -> [b, h, n, e]:
    return x |> rearrange["b n h e -> b h n e"]
model M = F
"""
    made = ogive.source(text).models["M"].torch_source()
    assert made.count("scaled_dot_product_attention(") == 1
    assert made.count(".transpose(") + made.count(".permute(") == 3


def test_dropout_draws_the_same_numbers_with_a_tap() -> None:
    text = (
        HEAD
        + """
block Net[d](x: [b, n, d]) -> [b, n, d]:
    s = einsum["b i d, b j d -> b i j"](x, x) / sqrt(d)
    tap p = softmax[-1](s)
    return ((p |> dropout[0.5]) @ x) |> dropout[0.1]
model M = Net[d=8]
"""
    )
    net, x = ogive.source(text).models["M"].torch().train(), torch.randn(3, 4, 8)
    torch.manual_seed(1)
    y = net(x)
    torch.manual_seed(1)
    z, _ = net(x, taps=["p"])
    torch.testing.assert_close(y, z)


def test_a_loop_that_serves_a_tap_alone_runs_where_it_is_asked_for() -> None:
    text = (
        HEAD
        + """
block Net[d](x: [b, n, d]) -> [b, n, d]:
    repeat 2 as probes:
        tap seen = x |> Linear[d, 2] as probe
    return x * 2
model M = Net[d=8]
"""
    )
    model = ogive.source(text).models["M"]
    net, x = model.torch(), torch.randn(3, 4, 8)
    assert net.state_dict().keys() == model.weights.keys()
    with Log() as log:
        y = net(x)
    assert log.calls == ["aten.mul.Tensor"]
    z, seen = net(x, taps=["probes.*.seen"])
    assert y.equal(z)
    assert seen["probes.*.seen"].shape == (2, 3, 4, 2)


YIELDS = """
block Main[k](x: [d, k], u: [d, k], more: [d, k]?) -> [d, k]:
    {when}
        repeat 3 as turn:
            param gain: [] = ones
            u = u * 0.5 + gain
            yield all = u
            yield others = exp(x) * gain
        tap seen = others
        u = u + mean(all)
    return u
model M = Main[k=2]
"""


@pytest.mark.parametrize("when", ["if training:", "if given(more):", "if k > 1:"])
def test_iterations_with_weights_yield_what_a_tap_alone_reads(when: str) -> None:
    net = ogive.source(YIELDS.format(when=when))["M"].torch()
    x, u = torch.randn(4, 2), torch.randn(4, 2)
    plain = net(x, u, x)
    outputs, taps = net(x, u, x, taps=["seen"])
    torch.testing.assert_close(outputs, plain)
    torch.testing.assert_close(taps["seen"], torch.exp(x).expand(3, 4, 2))

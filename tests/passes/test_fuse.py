"""Fusion: however attention and norms are written, one kernel is found, and it computes the same."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ogive.backends.pytorch.module.file import emit
from ogive.backends.pytorch.module.module import load
from ogive.compiler.driver.workspace import check_text
from ogive.compiler.ir.model import Model
from ogive.compiler.ir_tools.verify import verify
from ogive.compiler.passes.infra.driver import optimized
from ogive.compiler.passes.pipelines.lowering import TORCH
from ogive.compiler.passes.pipelines.simple import fused

SIZES = {"b": 2, "h": 3, "q": 5, "k": 5, "e": 4, "f": 6, "c": 4, "n": 5, "d": 8, "y": 5, "x": 4}


def model(text: str) -> Model:
    found = check_text(text)
    assert found.ok, found.diagnostics
    return found.models["M"].ir


def operations(of: Model) -> list[str]:
    return [node.op for node in optimized(of, TORCH, verify).definition.graph.walk()]


def values(of: Model) -> list[Tensor]:
    torch.manual_seed(0)
    found = []
    for value in of.definition.graph.inputs:
        shape = [SIZES[str(axis.size)] for axis in value.type.axes]
        mask = value.type.elem == "bool"
        found.append((torch.rand(shape) < 0.7) if mask else torch.randn(shape, dtype=torch.float64))
        if mask:
            found[-1][..., 0] = True  # no query without keys: the two ways differ on what no key means
    return found


def outputs(of: Model, *, fused: bool) -> Tensor:
    net = load(emit(of, TORCH if fused else ()), "M").M().double().eval()
    torch.manual_seed(1)
    result: Tensor = net(*values(of))
    return result


def same(of: Model) -> None:
    torch.testing.assert_close(outputs(of, fused=True), outputs(of, fused=False), rtol=1e-10, atol=1e-10)


LAYOUTS = st.permutations(["b", "h", "n"]).map(tuple)
SCALES = [
    "scores * 0.5 * e ** -0.25",
    "2 * (scores / sqrt(size(e)))",
    "scores / sqrt(size(e))",
    "scores * 0.5",
    "scores",
    "2 * scores",
    "scores * e ** -0.5",
]
MASKS = {
    "none": ("", "scores"),
    "causal": ("", "scores |> causal_mask"),
    "bool": (", mask: bool[q, k]", "select(mask, scores, -inf)"),
    "added": (", mask: [b, h, q, k]", "(scores + mask)"),
}


def layout(names: tuple[str, ...], n: str, last: str) -> str:
    return " ".join((*(n if name == "n" else name for name in names), last))


@given(LAYOUTS, LAYOUTS, LAYOUTS, LAYOUTS, st.sampled_from(SCALES), st.sampled_from(sorted(MASKS)), st.booleans())
@settings(max_examples=40)
def test_attention_in_any_layout(
    q: tuple[str, ...], k: tuple[str, ...], v: tuple[str, ...], y: tuple[str, ...], scale: str, mask: str, swapped: bool
) -> None:
    given_mask, masked = MASKS[mask]
    left, right, values_of, out = layout(q, "q", "e"), layout(k, "k", "e"), layout(v, "k", "f"), layout(y, "q", "f")
    product = f"{right}, {left} -> b h q k" if swapped else f"{left}, {right} -> b h q k"
    comma = ", ".join
    text = f"""
use std.attention (causal_mask)
block B(qs: [{comma(left.split())}], ks: [{comma(right.split())}], vs: [{comma(values_of.split())}]{given_mask}) -> [{
        comma(out.split())
    }]:
    scores = einsum["{product}"]({"ks, qs" if swapped else "qs, ks"})
    scores = {scale.replace("size(e)", "e")}
    p = {masked} |> softmax[k]
    return einsum["b h q k, {values_of} -> {out}"](p, vs)
model M = B[]
"""
    of = model(text)
    found = operations(of)
    assert "attention" in found
    assert "softmax" not in found
    same(of)


HEAD = """
block B(qs: [b, q, e], ks: [b, k, e], vs: [b, k, f], mask: bool[q, k]) -> [b, q, f]:
    scores = einsum["b q e, b k e -> b q k"](qs, ks)
"""
SUM = 'return einsum["b q k, b k f -> b q f"](p, vs)'
LEFT_ALONE = {
    "scores are read twice": f"p = scores |> softmax[k]\n    {SUM} * sum(scores)",
    "over queries": f"p = scores |> softmax[q]\n    {SUM}",
    "a finite mask": f"p = select(mask, scores, -1.0) |> softmax[k]\n    {SUM}",
    "scaled after a sum": f"p = ((scores + cast[float](mask)) * 0.5) |> softmax[k]\n    {SUM}",
    "a negative scale": f"p = (select(mask, scores, -inf) * -1.0) |> softmax[k]\n    {SUM}",
}


@pytest.mark.parametrize("why", sorted(LEFT_ALONE))
def test_what_is_no_attention_stays(why: str) -> None:
    assert "attention" not in operations(model(f"{HEAD}    {LEFT_ALONE[why]}\nmodel M = B[]\n"))


WRITTEN_OUT = {
    "layer_norm": """
block B(x: [b, n, d]) -> [b, n, d]:
    m = x |> mean[d] |> rearrange["b n -> b n 1"]
    s = mean[d]((x - m) ** 2) |> rearrange["b n -> b n 1"]
    return (x - m) / sqrt(s + 1e-5)
""",
    "rms_norm": """
block B(x: [b, n, d]) -> [b, n, d]:
    s = mean[d](x * x) |> rearrange["b n -> b n 1"]
    return x * rsqrt(s + 1e-6)
""",
    "linear": """
block B[d=8](x: [b, n, d]) -> [b, n, 3]:
    param w: [3, d] = normal
    param bias: [3] = normal
    return einsum["b n d, o d -> b n o"](x, w) + bias
""",
    "conv": """
block B[c=4](image: [b, c, y, x]) -> [b, 3, y, x]:
    param w: [3, c, 3, 3] = normal
    param bias: [3] = normal
    return conv[pad=1](image, w) + (bias |> rearrange["c -> c 1 1"])
""",
}


@pytest.mark.parametrize("op", sorted(WRITTEN_OUT))
def test_norms_and_biases_written_out(op: str) -> None:
    text = f"{WRITTEN_OUT[op]}model M = B[]\n"
    of = model(text)
    found = operations(of)
    assert op in found
    assert not {"mean", "add", "sqrt", "rsqrt"} & set(found)
    torch.manual_seed(0)
    args = values(of)
    nets = [load(emit(of, passes), "M").M().double() for passes in (TORCH, ())]
    nets[1].load_state_dict(nets[0].state_dict())
    torch.testing.assert_close(nets[0](*args), nets[1](*args), rtol=1e-10, atol=1e-10)


def test_the_pass_of_this_name_looks_into_what_is_called() -> None:
    """A norm that a function holds, which the graph of the model only calls."""
    text = (
        "block norm(x: [b, d]) -> [b, d]:\n    m = mean[-1, keepdim=true](x)\n"
        "    v = mean[-1, keepdim=true]((x - m) ** 2)\n    return (x - m) * rsqrt(v + 1e-5)\n\n"
        "block Net(x: [b, 4]) -> [b, 4]:\n    return norm(x)\n\nmodel M = Net\n"
    )
    assert [node.op for node in fused(model(text)).model.definition.graph.walk()] == ["layer_norm"]

"""Tensor parallel parts of a module, as each device has them: their sum is the whole, or they refuse to run."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn

import ogive

PROGRAM = """
use std.nn (Linear)
use std.attention (rotate)

## Each part has heads of its own.
block Apart[d, heads](x: [b, n, d]) -> [b, n, d]
where d % heads == 0:
    q = x |> Linear[d, d] as col_q |> rearrange["b n (h e) -> b h n e", h=heads]
    k = x |> Linear[d, d] as col_k |> rearrange["b n (h e) -> b h n e", h=heads]
    v = x |> Linear[d, d] as col_v |> rearrange["b n (h e) -> b h n e", h=heads]
    return attention(q, k, v) |> rearrange["b h n e -> b n (h e)"] |> Linear[d, d] as row_out

block Grouped[d, heads, kv_heads, e](x: [b, n, d]) -> [b, n, d]
where heads % kv_heads == 0:
    q = x |> Linear[d, heads * e] as col_q |> rearrange["b n (h e) -> b h n e", h=heads]
    k = x |> Linear[d, kv_heads * e] as col_k |> expand["b n (g e) -> b (g r) n e", e=e, r=heads // kv_heads]
    v = x |> Linear[d, kv_heads * e] as col_v |> expand["b n (g e) -> b (g r) n e", e=e, r=heads // kv_heads]
    return attention(q, k, v) |> rearrange["b h n e -> b n (h e)"] |> Linear[heads * e, d] as row_out

## Queries, keys and values of a head side by side: a part of the rows is some heads.
block Interleaved[d, heads](x: [b, n, d]) -> [b, n, d]
where d % heads == 0:
    q, k, v = x |> Linear[d, 3*d] as col_qkv |> split["b n (h t e) -> t b h n e", t=3, h=heads]
    return attention(q, k, v) |> rearrange["b h n e -> b n (h e)"] |> Linear[d, d] as row_out

## First all queries: a part of the rows is no part of the heads.
block Fused[d, heads](x: [b, n, d]) -> [b, n, d]
where d % heads == 0:
    q, k, v = x |> Linear[d, 3*d] as col_qkv |> split["b n (t h e) -> t b h n e", t=3, h=heads]
    return attention(q, k, v) |> rearrange["b h n e -> b n (h e)"] |> Linear[d, d] as row_out

block Chunked[d, heads](x: [b, n, d]) -> [b, n, d]
where d % heads == 0:
    q, k, v = x |> Linear[d, 3*d] as col_qkv |> split["b n (t d) -> t b n d", t=3]
    q = q |> rearrange["b n (h e) -> b h n e", h=heads]
    k = k |> rearrange["b n (h e) -> b h n e", h=heads]
    v = v |> rearrange["b n (h e) -> b h n e", h=heads]
    return attention(q, k, v) |> rearrange["b h n e -> b n (h e)"] |> Linear[d, d] as row_out

block Joined[d, heads](x: [b, n, d]) -> [b, n, d]
where d % heads == 0:
    q, k, v = x |> Linear[d, 3*d] as col_qkv |> rearrange["b n (q + k + v) -> b n q, b n k, b n v", q=d, k=d, v=d]
    q = q |> rearrange["b n (h e) -> b h n e", h=heads]
    k = k |> rearrange["b n (h e) -> b h n e", h=heads]
    v = v |> rearrange["b n (h e) -> b h n e", h=heads]
    return attention(q, k, v) |> rearrange["b h n e -> b n (h e)"] |> Linear[d, d] as row_out

## The numbers of a head apart from each other: a part of the rows is a part of every head.
block Strided[d, heads](x: [b, n, d]) -> [b, n, d]
where d % heads == 0:
    q = x |> Linear[d, d] as col_q |> rearrange["b n (e h) -> b h n e", h=heads]
    k = x |> Linear[d, d] as col_k |> rearrange["b n (e h) -> b h n e", h=heads]
    v = x |> Linear[d, d] as col_v |> rearrange["b n (e h) -> b h n e", h=heads]
    return attention(q, k, v) |> rearrange["b h n e -> b n (h e)"] |> Linear[d, d] as row_out

block StridedOut[d, heads](x: [b, n, d]) -> [b, n, d]
where d % heads == 0:
    q = x |> Linear[d, d] as col_q |> rearrange["b n (h e) -> b h n e", h=heads]
    k = x |> Linear[d, d] as col_k |> rearrange["b n (h e) -> b h n e", h=heads]
    v = x |> Linear[d, d] as col_v |> rearrange["b n (h e) -> b h n e", h=heads]
    return attention(q, k, v) |> rearrange["b h n e -> b n (e h)"] |> Linear[d, d] as row_out

block Gated[d, ff](x: [b, n, d]) -> [b, n, d]:
    gate, up = x |> Linear[d, 2*ff] as col_both |> split["b n (t f) -> t b n f", t=2]
    return (silu(gate) * up) |> Linear[ff, d] as row_out

block GatedApart[d, ff](x: [b, n, d]) -> [b, n, d]:
    gate = x |> Linear[d, ff] as col_gate |> silu
    return (gate * (x |> Linear[d, ff] as col_up)) |> Linear[ff, d] as row_out

## In a loop, where the head's width is a static.
block Layers[d, heads, e, depth](x: [b, n, d]) -> [b, n, d]
where d == heads * e:
    repeat depth as layers:
        x = x |> Apart[d, heads] as attn
    return x

model A = Apart[d=16, heads=4]
model G = Grouped[d=16, heads=4, kv_heads=2, e=6]
model I = Interleaved[d=16, heads=4]
model F = Fused[d=16, heads=4]
model C = Chunked[d=16, heads=4]
model J = Joined[d=16, heads=4]
model S = Strided[d=16, heads=4]
model T = StridedOut[d=16, heads=4]
model U = Gated[d=16, ff=24]
model V = GatedApart[d=16, ff=24]
model L = Layers[d=16, heads=4, e=4, depth=1]
"""
MODELS = ogive.source(PROGRAM).models


def part(net: nn.Module, rank: int, count: int) -> nn.Module:
    """What one device has: rows of the layers `col_`, columns of the layers `row_`, of which the first has the bias."""
    made = deepcopy(net)
    for path, module in made.named_modules():
        name = path.rpartition(".")[2]
        if isinstance(module, nn.Linear) and name.startswith("col_"):
            module.weight = nn.Parameter(module.weight.chunk(count, 0)[rank])
            module.bias = nn.Parameter(module.bias.chunk(count, 0)[rank])
        if isinstance(module, nn.Linear) and name.startswith("row_"):
            module.weight = nn.Parameter(module.weight.chunk(count, 1)[rank])
            module.bias = nn.Parameter(module.bias * (rank == 0))
    return made


def together(net: nn.Module, x: Tensor, count: int) -> Tensor:
    made: Tensor = sum(part(net, rank, count)(x) for rank in range(count))
    return made


@pytest.mark.parametrize("name", ["A", "G", "I", "V", "L"])
def test_parts_of_heads_and_hidden_units_are_right(name: str) -> None:
    net, x = MODELS[name].torch().double(), torch.randn(2, 5, 16, dtype=torch.float64)
    torch.testing.assert_close(together(net, x, 2), net(x))


@pytest.mark.parametrize("count", [2, 4])
@pytest.mark.parametrize("name", ["F", "C", "J", "U", "S", "T"])
def test_parts_of_what_is_fused_refuse_to_run(name: str, count: int) -> None:
    """They would mix queries with keys, a gate with what it gates, one head with another."""
    net, x = MODELS[name].torch().double(), torch.randn(2, 5, 16, dtype=torch.float64)
    net(x)
    with pytest.raises((RuntimeError, ValueError)):
        together(net, x, count)

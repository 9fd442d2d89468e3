"""Maps of weights that hold several things in one, shared by torch's styles: right or refused."""

from __future__ import annotations

import torch
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module

import ogive

HEAD = "use std.nn (Linear)\n"
ATTENTION = """
block Attention[d, heads](x: [{b}, n, d]) -> [{b}, n, d]
where d % heads == 0:
    {qkv}
    y = attention[causal=true](q, k, v)
    return y |> rearrange["{b} h n e -> {b} n (h e)"] |> Linear[d, d] as out
model M = Attention[d=16, heads=4]
"""
FUSED = "q, k, v = x |> Linear[d, 3 * d] as wide |> "
GATED = """
block Gated[d, ff](x: [*b, d]) -> [*b, d]:
    {cut}
    return (silu(gate) * up) |> Linear[ff, d] as out
model M = Gated[d=16, ff=24]
"""
GROUPED = """
block Grouped[d, heads, e](x: [b, n, d]) -> [b, n, d]:
    x = x |> Linear[d, heads * e] as wide |> rearrange["b n (h e) -> (b n) h e", h=heads]
    x = x |> rearrange["(b n) h e -> b n (h e)", b=b] |> gelu
    return x |> Linear[heads * e, d] as out
model M = Grouped[d=16, heads=4, e=8]
"""


def attention(qkv: str, b: str = "b") -> str:
    """Attention whose queries, keys and values come so from x."""
    return HEAD + ATTENTION.format(b=b, qkv=qkv)


def gated(cut: str) -> str:
    """A gated map whose halves are cut so."""
    return HEAD + GATED.format(cut="gate, up = x |> Linear[d, 2 * ff] as wide |> " + cut)


# a program, and whether stretches of the rows of `wide` make sense on their own
PROGRAMS = {
    "in thirds, then heads": (attention(FUSED + 'split["b n (t h e) -> t b h n e", t=3, h=heads]'), False),
    "beside any axes": (attention(FUSED + 'split["*b n (t h e) -> t *b h n e", t=3, h=heads]', b="*b"), False),
    "in heads, then thirds": (attention(FUSED + 'split["b n (h t e) -> t b h n e", t=3, h=heads]'), True),
    "three of the same width": (
        attention(
            "q, k, v = x |> Linear[d, 3 * d] as wide"
            ' |> rearrange["b n (d + f + g) -> b n d, b n f, b n g", d=d, f=d, g=d]\n'
            + "\n".join(f'    {x} = {x} |> rearrange["b n (h e) -> b h n e", h=heads]' for x in "qkv")
        ),
        False,
    ),
    "queries alone": (
        attention(
            'q = x |> Linear[d, d] as wide |> rearrange["b n (h e) -> b h n e", h=heads]\n'
            '    k, v = x |> Linear[d, 2 * d] as kv |> split["b n (h t e) -> t b h n e", t=2, h=heads]'
        ),
        True,
    ),
    "halves": (gated('split["... (t f) -> t ... f", t=2]'), False),
    "pairs": (gated('split["... (f t) -> t ... f", t=2]'), True),
    "heads without attention": (HEAD + GROUPED, True),
}


def right_or_refused() -> None:
    """Each program computes what it does on one device where stretches make sense, and raises where they do not."""
    mesh = init_device_mesh("cpu", (2,))
    for what, (text, fits) in PROGRAMS.items():
        torch.manual_seed(0)
        net = ogive.source(text).models["M"].torch()
        x = torch.randn(3, 5, 16)
        wanted = net(x)
        plan = {"wide": ColwiseParallel(), "kv": ColwiseParallel(), "out": RowwiseParallel()}
        parallelize_module(net, mesh, {name: style for name, style in plan.items() if hasattr(net, name)})
        try:
            found = net(x)
        except (RuntimeError, ValueError):
            assert not fits, f"{what}: refused"
        else:
            assert fits, f"{what}: taken, {(found - wanted).abs().max()} apart"
            torch.testing.assert_close(found, wanted)

"""What becomes experts treats each token alone: blocks that do are taken, with equal results; others are refused."""

from __future__ import annotations

import pytest
import torch

import ogive
from ogive.grammar.diagnostics import ArchError

HEAD = """use std.nn (DropPath, Dropout, LayerNorm, Linear, RMSNorm, glu)

block F(x: [b, n, 6]) -> [b, n, 6]:
"""
TAIL = """

block Net(x: [b, n, 6]) -> [b, n, 6]:
    return x |> F as mlp

model M = Net[]
"""


def model(*lines: str) -> ogive.Model:
    """A model whose block `F` has this body."""
    return ogive.source(HEAD + "\n".join(f"    {line}" for line in lines) + TAIL).models["M"]


@pytest.mark.parametrize(
    "body",
    [
        ["return x |> LayerNorm |> Linear[6, 12] as up |> glu |> RMSNorm |> Linear[6, 6] as down"],
        ["a, c = x |> Linear[6, 12] as up |> split['b n (t d) -> t b n d', t=2]",
         "return silu(a) * c |> Linear[6, 6] as down"],
        ["y = x |> Linear[6, 12] as up |> rearrange['b n (h e) -> n h b e', h=3] |> softmax[-1]",
         "return y |> rearrange['n h b e -> b n (h e)'] |> Linear[12, 6] as down"],
        ["param w: [6, 4] = normal", "y = einsum['b n d, d e -> b e n'](x, w)",
         "return y |> rearrange['b e n -> b n e'] |> Linear[4, 6]"],
        ["y = x |> Linear[6, 4]", "return concat[-1](y[..., :2], relu(y)) |> cumsum[-1]"],
        ["y = x |> Linear[6, 6]", "return y - expand['b n -> b n d', d=6](mean[-1](y)) + zeros[n, 6]"],
        ["y = x |> rearrange['b n d -> (b n) d'] |> Linear[6, 6] |> Dropout[0.0]",
         "return y |> rearrange['(b n) d -> b n d', b=b]"],
        ["y = x |> rearrange['b n d -> n b d'] |> Linear[6, 6] |> Dropout[0.0]",
         "return y |> rearrange['n b d -> b n d']"],
        ["param w: [6, 3, 2] = normal", "y = einsum['b n d, d h e -> b n h e'](x, w)",
         "p = softmax[-1](einsum['b n h e, b n k e -> b n h k'](y, y))",
         "return einsum['b n h k, b n k e -> b n h e'](p, y) |> rearrange['b n h e -> b n (h e)']"],
        ["param w: [6, 6] = normal", "y = sum[-1](stack[-1](x[..., 0], x[..., 1]))",
         "return (x @ w) / 2 - expand['b n -> b n d', d=6](y)"],
        ["y = x |> Linear[6, 6]", "if training:", "    y = 1.0 * y", "else:", "    y = y", "return y"],
    ],
)  # fmt: skip
def test_equal_experts_give_what_the_block_gives(body: list[str]) -> None:
    plain = model(*(line.replace("silu(a) * c |>", "(silu(a) * c) |>").replace("'", '"') for line in body))
    found = plain.deploy("expert_average[at=F, experts=3]")
    net, other = plain.torch().double(), found.torch().double()
    other.load_state_dict(found.convert(net.state_dict(), dtype=None))
    x = torch.randn(2, 5, 6, dtype=torch.float64)
    torch.testing.assert_close(other.train()(x), net.train()(x), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("body", "op"),
    [
        (['y = x |> Linear[6, 6]', 'return y - expand["b d -> b n d", n=n](mean[1](y))'], "mean"),
        (['y = x |> Linear[6, 6]', 'return y + expand["n d -> b n d", b=b](reduce["b n d -> n d", max](y))'], "reduce"),
        (['return x |> Linear[6, 6] |> cumsum[1]'], "cumsum"),
        (['return x |> Linear[6, 6] |> flip[1]'], "flip"),
        (['return (x |> Linear[6, 6]) / n'], "div"),
        (['p = cast[float](arange[n])', 'return (x |> Linear[6, 6]) + expand["n -> n d", d=6](p)'], "arange"),
        (['y = x |> Linear[6, 6]', 'p = einsum["b n d, b m d -> b n m"](y, y) |> softmax[-1]',
          'return einsum["b n m, b m d -> b n d"](p, y)'], "einsum"),
        (['y = x |> Linear[6, 6]', 'return einsum["b n d, b m d, b m e -> b n e"](y, y, y)'], "einsum"),
        (['y = x |> Linear[6, 6]', 'return attention(y, y, y)'], "attention"),
        (['return x |> Linear[6, 6] |> softmax[1]'], "softmax"),
        (['return x |> Linear[6, 6] |> DropPath[0.5]'], "dropout"),
        (['y = x |> Linear[6, 6] |> rearrange["b n d -> b (n d)"] |> relu',
          'return y |> rearrange["b (n d) -> b n d", d=6]'], "rearrange"),
    ],
)  # fmt: skip
def test_a_block_in_which_tokens_meet_is_refused(body: list[str], op: str) -> None:
    with pytest.raises(ArchError, match=rf"`F` is not known to treat each token alone: `{op}`( in line \d+)? sees"):
        model(*body).deploy("expert_average[at=F, experts=2]")

"""Expressions: elements, sizes, pipelines, patterns, slices, labels. Programs right and wrong."""

from __future__ import annotations

import pytest

from check.programs import check, errors

GOOD = {
    "literals adapt": """
block f(x: [b], i: int[b], m: bool[b]) -> [b]:
    j = i + 1
    return select(m, x * 2, -inf) + b
""",
    "comparison is bool": """
block f(x: [b, n]) -> bool[b, n]:
    return x > 0 and x < 1
""",
    "int division": """
block f(i: int[b]) -> int[b]:
    return i // 2 + i % 3
""",
    "size division is float": """
block f(x: [b, n]) -> [b, n]:
    return x * (n / 2) * (1 / sqrt(n))
""",
    "size functions": """
block f(x: [b, n]) -> [b, min(n, 7), max(n, 3), ceil_div(n, 4), n**2, n % 5 + 1]:
    return zeros[b, min(n, 7), max(n, 3), ceil_div(n, 4), n**2, n % 5 + 1]
""",
    "where forms": """
block f(x: [b, n, m, k]) -> [b]
where n % 4 == 0, m in {1, 2, 3}, k % 6 in {0, 5}, n >= m and k > 2 or k == 5:
    return reduce["b n m k -> b", sum](x)
""",
    "pipe tuple": """
block f(q: [b, n, d], k: [b, m, d], v: [b, m, d]) -> [b, n, d]:
    return (q, k, v) |> attention
""",
    "compose": """
use std.nn (Linear)
block F[d](x: [b, d]) -> [b, d]:
    mlp = Linear[d, 4*d] >> relu >> Linear[4*d, d]
    return mlp(x) + mlp(x)
""",
    "preset": """
use std.nn (LayerNorm)
block F(x: [b, d], y: [b, e]) -> [b, d + e]:
    norm = LayerNorm[eps=1e-3, ...]
    return concat[1](norm(x), norm(y))
""",
    "tied weights": """
use std.nn (Embedding)
block F[v, d](ids: int[b, n]) -> [b, n, v]:
    wte = Embedding[v, d]
    return einsum["b n d, v d -> b n v"](wte(ids), wte.weight)
model M = F[10, 4]
""",
    "literal 1 broadcasts": """
block f(x: [b, n, d], y: [b, 1, d], z: [d]) -> [b, n, d]:
    return x + y + z
""",
    "patterns": """
block f(x: [b, n, h * 4]) -> [b, n, h, 4]:
    y = x |> rearrange["b n (h p) -> b h n p", p=4]
    z = y |> reduce["b h n p -> b n", mean]
    u = z |> expand["b n -> b n d", d=3]
    v, w = x |> rearrange["b n (q + k) -> b n q, b n k", q=1, k=h*4 - 1]
    return y |> rearrange["b h n p -> b n h p"]
""",
    "slices": """
block f(x: [b, n, d]) -> [b, d]
where n >= 4:
    y = x[:, 1:3]
    z = x[..., :1]
    u = x[:, ::2]
    v = x[:, -1]
    return x[:, 0] + v
""",
    "take gather put": """
block f(x: [b, n, d], i: int[b, k], j: int[b, n, d], y: [b, 1, d]) -> [b, n, d]:
    a = take[d](x, i)
    c = gather[n](x, j)
    return put[n, 0](x, y) + c
""",
    "compile time functions": """
const widths = [64 * 2**i for i in range(4)]
block f(x: [b]) -> [b]:
    n = len(widths) + sum(widths) + prod([1, 2]) + max(widths) + min(3, 4)
    for a, c in zip(widths, reversed(widths)):
        x = x * a / c
    for p in permutations([0, 1]):
        x = x + p[0]
    return x * n * floor(log2(8)) * ceil(1.5) * pi * exp(1.0) * log(2.0)
""",
    "constant": """
block f(x: [b, 2]) -> [b, 2]:
    return x * constant[[1.0, 2.0]]
""",
    "recursion": """
block f[n: nat](x: [b, d]) -> [b, d * 2**n]:
    if n == 0:
        return x
    return f[n - 1](concat[1](x, x))
model M = f[3]
""",
    "stop_gradient": """
block f(x: [b]) -> [b]:
    return stop_gradient(x) + grad_as(x, 2 * x)
""",
    "labels survive": """
block f(x: [b, n, d]) -> [b, n]
where n >= 3:
    y = relu(x[:, :2]) * 2
    z = softmax[n](y)
    return mean[d](x)
""",
    "label by callee": """
block keep(x: [*b, c]) -> [*b, c]:
    return relu(x)
block f(x: [b, n, d]) -> [b, n, d]:
    return softmax[n](keep(x))
""",
    "position": """
block f(x: [n, n]) -> [n, n]:
    return softmax[-1](x)
""",
}

# what is wrong -> the codes of the errors, and the program
BAD = {
    "float literal with ints": (
        ["E0501"],
        """
block f(i: int[b]) -> int[b]:
    return i * 0.5
""",
    ),
    "preset name is template": (
        ["E0201"],
        """
use std.nn (LayerNorm)
block F(x: [b, d]) -> [b, d]:
    norm = LayerNorm[eps=1e-3, ...]
    return x * norm.weight
""",
    ),
    "sizes never broadcast": (
        ["E0301"],
        """
block f(x: [b, n], y: [b, m]) -> [b, n]:
    return x + y
""",
    ),
    "pack meets only itself": (
        ["E0301"],
        """
block f(x: [*b, d], y: [*c, d]) -> [*b, d]:
    return x + y
""",
    ),
    "slice outside": (
        ["E0304"],
        """
block f(x: [b, n, d]) -> [b, d]:
    return x[:, 1]
""",
    ),
    "endless recursion": (
        ["E0701"],
        """
block f[n: nat](x: [b]) -> [b]:
    return f[n + 1](x)
model M = f[0]
""",
    ),
    "label twice": (
        ["E0305"],
        """
block f(x: [n, n]) -> [n, n]:
    return softmax[n](x)
""",
    ),
    "label missing": (
        ["E0305"],
        """
block f(x: [b, n]) -> [b, n]:
    return mean[k](x)
""",
    ),
    "position out of range": (
        ["E0304"],
        """
block f(x: [b, n]) -> [b, n]:
    return softmax[2](x)
""",
    ),
    "transposed": (
        ["E0305"],
        """
block f(x: [b, i, j], y: [b, j, i]) -> [b, i, j]
where i == j:
    return x + y
""",
    ),
    "not proved equal is E0301 alone": (
        ["E0301"],
        """
block f(x: [b, i, j], y: [b, j, i]) -> [b, i, j]:
    return x + y
""",
    ),
}


@pytest.mark.parametrize("name", GOOD)
def test_right(name: str) -> None:
    program = check(GOOD[name])
    assert not [(d.code, d.message) for d in program.diagnostics if d.severity == "error"]
    assert GOOD[name].count("\nmodel ") == len(program.models)


@pytest.mark.parametrize("name", BAD)
def test_wrong(name: str) -> None:
    codes, source = BAD[name]
    assert errors(source) == codes

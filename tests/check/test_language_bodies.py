"""Bodies: binding, weights, choices, loops, collecting, conditions. Programs right and wrong."""

from __future__ import annotations

import pytest

from check.programs import check, errors, signatures

GOOD = {
    "require is a constraint": """
block f(x: [b, n]) -> [b, n // 2]:
    require n % 2 == 0
    return x[:, ::2]
block g(x: [b, n]) -> [b, n // 2]:
    return f(x)
""",
    "flows up": """
block half(x: [b, n]) -> [b, n // 2]
where n % 2 == 0:
    return x[:, :n // 2]
block g(x: [b, n]) -> [b, k]:
    return half(half(x))
""",
    "assume": """
block f(x: [b, n], y: [b, m]) -> [b, n]:
    assume n == m
    return x + y
""",
    "pin exact": """
block half(x: [b, n]) -> [b, n // 2]
where n % 2 == 0:
    return x[:, :n // 2]
model M = half where n % 2 == 0
""",
    "rebinding": """
block f(x: [b, n]) -> [b, 2*n]:
    y = x
    y = concat[1](y, y)
    k = 1
    k = k + 1
    l = [1]
    l = l + [2]
    return y * k * l[1]
""",
    "assert type relabels": """
block f(x: [b, n, n]) -> [b, q, k]:
    s: [b, q, k] = x
    return softmax[k](s)
""",
    "param takes name of static": """
block F[d, bias=true](x: [b, d]) -> [b, d]:
    if bias:
        param bias: [d] = zeros
    if given(bias):
        x = x + bias
    return x
model A = F[d=4]
model B = F[d=4, bias=false]
""",
    "param init": """
block F[d](x: [b, d]) -> [b, d]:
    param a: [d, d] = kaiming_uniform[a=5**0.5]
    param c: [d] = constant[0.5] keep clamp[-3, 3]
    param e: [d] = 2 * normal[std=0.1]
    state m: [d] = zeros
    update m = 0.9 * m + 0.1 * mean[0](x)
    return x @ a + c + e + m
""",
    "init from outside": """
use std.nn (Linear)
block F[d](x: [b, d]) -> [b, d]:
    init Linear.weight = normal[std=0.02]
    init up.bias = ones
    return x |> Linear[d, d] as up
""",
    "if elif else": """
block f[k: nat](x: [b, n]) -> [b, n]:
    if k == 0:
        y = x
    elif k == 1:
        y = 2 * x
    else:
        y = 3 * x
    return y
model A = f[0]
model B = f[2]
""",
    "conditional expression": """
block f[k: nat](x: [b, n]) -> [b, n]:
    return 2 * x if k > 0 else x
model A = f[0]
""",
    "training keeps both": """
block f(x: [b, n]) -> [b, n]:
    if training:
        x = dropout[0.1](x)
    return x
""",
    "repeat": """
use std.nn (Linear)
block F[depth: nat](x: [b, d]) -> [b, d]:
    repeat depth as layers:
        x = x |> Linear[d, d]
    return x
model Z = F[d=3, depth=0]
""",
    "repeat with": """
block f[n](x: [b, d], cache: [n, b, d]) -> [b, d]:
    repeat n with past in cache, i in range(n):
        x = x + past * i
    return x
""",
    "repeat yield": """
block f[n](x: [b, d]) -> [n, b, d]:
    repeat n:
        x = 2 * x
        yield ys = x
    return ys
""",
    "for changes types": """
use std.vision (Conv)
block F[widths: list](x: [b, 3, h, w]) -> [b, c, h, w]:
    cin = 3
    for i, c in enumerate(widths) as stages:
        x = x |> Conv[cin, c, 3, pad=1]
        cin = c
    return x
model M = F[[4, 8, 16]]
""",
    "lists of tensors": """
block f(x: [b, n]) -> [b, 3*n]:
    skips = []
    for i in range(3):
        skips = skips + [x * (i + 1)]
    a, c, d = skips
    return concat[1](*skips) + concat[1](a, c, skips[-1])
""",
    "scan": """
block f(x: [b, n, d]) -> (h: [b, d], ys: [b, n, d]):
    scan x_t in x along n carry h = zeros[b, d]:
        h = tanh(h + x_t)
        yield ys = h
    return h, ys
""",
    "scan several, reverse": """
block f(x: [b, n, d], y: [b, n, d]) -> [b, d]:
    scan x_t in x, y_t in y along n reverse carry h = zeros[b, d], c = zeros[b, d]:
        c = c + y_t
        h = h * c + x_t
    return h
""",
    "tap": """
block f(x: [b, n]) -> [b, n]:
    tap p = softmax[n](x)
    return p
""",
}

# what is wrong -> the codes of the errors, and the program
BAD = {
    "pin missing": (
        ["E0401"],
        """
block half(x: [b, n]) -> [b, n // 2]
where n % 2 == 0:
    return x[:, :n // 2]
model M = half where n % 2 == 0, n >= 4
""",
    ),
    "pin none": (
        ["E0401"],
        """
block plain(x: [b, n]) -> [b, n]:
    return x
model M = plain where n >= 4
""",
    ),
    "assert type wrong": (
        ["E0301"],
        """
block f(x: [b, n]) -> [b, n]:
    y: [b, 2*n] = x
    return x
""",
    ),
    "init matches nothing": (
        ["E0201"],
        """
use std.nn (Linear)
block F[d](x: [b, d]) -> [b, d]:
    init Embedding.weight = normal[std=0.02]
    return x |> Linear[d, d] as up
""",
    ),
    "return in loop": (
        ["E0601"],
        """
block f(x: [b, n]) -> [b, n]:
    repeat 3:
        return x
""",
    ),
}

SIGNATURES = {
    "flows up": {"g": "(x: [b, n]) -> [b, n//4]"},
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


@pytest.mark.parametrize("name", SIGNATURES)
def test_signatures(name: str) -> None:
    found = signatures(GOOD[name])
    assert {block: found[block] for block in SIGNATURES[name]} == SIGNATURES[name]

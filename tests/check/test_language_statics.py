"""Statics and types: kinds, inference, packs, expressions in inputs, optional inputs; programs right and wrong."""

from __future__ import annotations

import pytest

from check.programs import check, errors, signatures

GOOD = {
    "default kinds": """
block f[a, k=3, m=0, s=-1, r=0.5, t=true, u="zeros", l=[1, 2]](x: [b, a]) -> [b, a]:
    return x * (k + m + s) * r
""",
    "nat may be 0, int negative": """
block f[n: nat, i: int](x: [b]) -> [b]:
    return x * n * i
block g(x: [b]) -> [b]:
    return f[0, -3](x)
""",
    "axis static": """
block f[a: axis](x: [b, n, d]) -> [b, n, d]:
    return softmax[a](x)
block g(x: [b, n, d]) -> [b, n, d]:
    return f[n](x) + f[-1](x)
""",
    "block static": """
use std.nn (Linear)
block Twice[F: block](x: [b, d]) -> [b, d]:
    return F(F(x))
block G(x: [b, d]) -> [b, d]:
    return Twice[Linear[d, d]](x) + Twice[relu](x)
""",
    "typed block static proved once": """
use std.nn (Linear)
block Res[F: [*b, d] -> [*b, d]](x: [*b, d]) -> [*b, d]:
    return x + F(x)
block G(x: [b, d]) -> [b, d]:
    return Res[Linear[d, d]](x)
""",
    "inferred statics": """
use std.nn (Linear, LayerNorm)
block G(x: [b, d]) -> [b, 10]:
    return x |> LayerNorm |> Linear[dout=10]
""",
    "input sizes in brackets": """
use std.nn (Linear)
block mlp(x: [*b, d]) -> [*b, d]:
    return relu(x)
block g(x: [b, 768]) -> [b, 768]:
    return mlp[d=768](x)
""",
    "no inputs": """
block table[n, d]() -> [n, d]:
    return zeros[n, d]
block positions[n] -> [n]:
    return cast[float](arange[n])
block g(x: [n, d]) -> [n, d]:
    return x + table[n, d] + rearrange["n -> n 1"](positions[n])
""",
    "empty axis allowed": """
block f(cache: [b, p, d], x: [b, n, d]) -> [b, p + n, d]
where p >= 0:
    return concat[1](cache, x)
""",
    "union kinds": """
block f[k: size | list](x: [b]) -> [b]:
    return x * sum(per_axis(k, 2))
block g(x: [b]) -> [b]:
    return f[3](x) + f[[1, 2]](x)
""",
    "element types": """
block f(ids: int[b, n], m: bool[n, n], z: complex[b, k], h: f16[b], w: bf16[b],
        s: f32[b], t: f64[b], i: i32[b], j: i64[b], c: []) -> []:
    return c
""",
    "packs": """
block f(x: [*b, d], y: [*b, k]) -> [*b, d + k]:
    return concat[-1](x, y)
block g(x: [a, b, c, d], y: [a, b, c, k]) -> [a, b, c, d + k]:
    return f(x, y)
block h(x: [d], y: [k]) -> [d + k]:
    return f(x, y)
""",
    "unnamed pack": """
block f(x: [..., d]) -> [..., d]:
    return relu(x)
block g(x: [b, n, d]) -> [b, n, d]:
    return f(x)
""",
    "splice list": """
block f[sizes: list](x: [b]) -> [b, *sizes]:
    return rearrange["b -> b 1 1"](x) * zeros[b, *sizes]
block g(x: [b]) -> [b, 3, 4]:
    return f[[3, 4]](x)
""",
    "input expression": """
block f(x: [b, c, 2*h, 2*w]) -> [b, c, h, w]:
    return x[:, :, ::2, ::2]
""",
    "output names determined": """
use std.vision (Conv)
block f(x: [b, 3, h, w]) -> [b, 8, k, l]:
    return x |> Conv[3, 8, 3, stride=2, pad=1]
""",
    "optional": """
block f(x: [b, d], mask: bool[b, d]?) -> [b, d]:
    y = x
    if given(mask):
        y = select(mask, x, 0)
    return y
block g(x: [b, d]) -> [b, d]:
    return f(x)
block h(x: [b, d], m: bool[b, d]) -> [b, d]:
    return f(x, m)
block k(x: [b, d], m: bool[b, d]?) -> [b, d]:
    return f(x, m)
""",
    "optional output": """
block f[both: bool](x: [b, d]) -> (y: [b, d], z: [b, d]?):
    if both:
        z = 2 * x
    return x, z
block g(x: [b, d]) -> [b, d]:
    y, z = f[true](x)
    return y + z
""",
    "given on absent": """
block f[k: bool](x: [b]) -> [b]:
    if k:
        y = 2 * x
    return y if given(y) else x
model M = f[false]
model N = f[true]
""",
    "module import": """
use std.vision as vision
use std.nn (Linear as Dense)
block F(x: [b, 3, h, w]) -> [b, 3, h, w]:
    y = x |> Dense[dout=4]
    return x |> vision.Conv[3, 3, 1]
""",
    "model of statics, sizes symbolic": """
block f[d](x: [b, n, d]) -> [b, n, d]:
    return x
model M = f[d=4]
""",
    "over": """
block f(x: [d]) -> [d]:
    return x / sum(x)
block g(x: [b, d]) -> [b, d]:
    return over[b, f](x)
""",
    "each": """
use std.nn (Linear)
block G(x: [e, b, d]) -> [e, b, d]:
    return each[e, Linear[d, d, ...]](x)
model M = G[e=3, d=4]
""",
    "edition": """
ogive 1
block f(x: [b]) -> [b]:
    return x
""",
    "soft keywords are names": """
block f(x: [b]) -> [b]:
    state = x
    scan = 2 * state
    keep = scan + 1
    init = keep
    update = init
    tap = update
    return tap
""",
    "primes": """
block f(x: [b, n']) -> [b, n']:
    x' = x + 1
    return x'
""",
}

# what is wrong -> the codes of the errors, and the program
BAD = {
    "size is at least 1": (
        ["E0404"],
        """
block f[k=3](x: [b]) -> [b]:
    return x * k
block g(x: [b]) -> [b]:
    return f[k=0](x)
""",
    ),
    "nat not negative": (
        ["E0404"],
        """
block f[n: nat](x: [b]) -> [b]:
    return x * n
block g(x: [b]) -> [b]:
    return f[-1](x)
""",
    ),
    "bool not a number": (
        ["E0404"],
        """
block f[t=true](x: [b]) -> [b]:
    return x
block g(x: [b]) -> [b]:
    return f[t=1](x)
""",
    ),
    "typed block misfit at F": (
        ["E0301"],
        """
use std.nn (Linear)
block Res[F: [*b, d] -> [*b, d]](x: [*b, d]) -> [*b, d]:
    return x + F(x)
block G(x: [b, d]) -> [b, d]:
    return Res[Linear[d, 2*d]](x)
""",
    ),
    "input sizes in brackets disagree": (
        ["E0301"],
        """
block mlp(x: [*b, d]) -> [*b, d]:
    return relu(x)
block g(x: [b, 767]) -> [b, 767]:
    return mlp[d=768](x)
""",
    ),
    "later applications agree": (
        ["E0301"],
        """
use std.nn (Linear)
block G(x: [b, d], y: [b, 2*d]) -> [b, 4]:
    f = Linear[dout=4]
    return f(x) + f(y)
""",
    ),
    "two packs": (
        ["E0303"],
        """
block f(x: [*a, *b]) -> [*a, *b]:
    return x
""",
    ),
    "pack mismatch": (
        ["E0301"],
        """
block f(x: [*b, d], y: [*b, k]) -> [*b, d + k]:
    return concat[-1](x, y)
block g(x: [a, d], y: [c, k]) -> [a, d + k]:
    return f(x, y)
""",
    ),
    "optional output absent": (
        ["E0502"],
        """
block f[both: bool](x: [b, d]) -> (y: [b, d], z: [b, d]?):
    if both:
        z = 2 * x
    return x, z
block g(x: [b, d]) -> [b, d]:
    y, z = f[false](x)
    return y + z
""",
    ),
    "absent": (
        ["E0502"],
        """
block f[k: bool](x: [b]) -> [b]:
    if k:
        y = x
    return y
model M = f[false]
""",
    ),
    "unknown in module": (
        ["E0201"],
        """
use std.vision as vision
block F(x: [b, 3, h, w]) -> [b, 3, h, w]:
    return x |> vision.Convv[3, 3, 1]
""",
    ),
    "model with missing static": (
        ["E0402"],
        """
block f[d](x: [b, n]) -> [b, n]:
    return x * d
model M = f
""",
    ),
    "wrong outputs": (
        ["E0301"],
        """
block f(x: [b]) -> (y: [b], z: [b]):
    return x
""",
    ),
    "unpack count": (
        ["E0407"],
        """
block f(x: [b, 2*d]) -> [b, d]:
    a, c, e = x |> split["b (t d) -> t b d", t=2]
    return a
""",
    ),
}

SIGNATURES = {
    "default kinds": {"f": "(x: [b, a]) -> [b, a]"},
    "typed block static proved once": {"Res": "(x: [*b, d]) -> [*b, d]"},
    "input expression": {"f": "(x: [b, c, 2*h, 2*w]) -> [b, c, h, w]"},
    "output names determined": {"f": "(x: [b, 3, h, w]) -> [b, 8, (h + 1)//2, (w + 1)//2]"},
    "model of statics, sizes symbolic": {"M": "(x: [b, n, 4]) -> [b, n, 4]"},
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

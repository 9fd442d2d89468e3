"""Random bodies in which weights are read in more than one way: as they are, turned, computed with, in loops."""

from __future__ import annotations

import re

from hypothesis import strategies as st

WIDTH = 4
TYPES = f"(x: [b, n, {WIDTH}]) -> [b, n, {WIDTH}]"
MATRICES = (
    "{w}", '({w} |> rearrange["i o -> o i"])', "relu({w})", "(2 * {w})", "softmax[-1]({w})", "flip[0]({w})",
    "concat[0]({w}[:2], {w}[2:])", '({w} + ({w} |> rearrange["i o -> o i"]))', "matmul({w}, {w})", "tril({w})",
    "stop_gradient({w})", "select({w} > 0, {w}, 0)", "roll[0, 1]({w})",
)  # fmt: skip
APPLIED = (
    "matmul(x, {m})", "linear(x, {m})", 'einsum["b n i, i o -> b n o"](x, {m})',
    'einsum["b n i, o i -> b n o"](x, {m})', 'einsum["o i, b n i -> b n o"]({m}, x)', "linear(x, {m}, {v})",
    "matmul(x, {m}) + {v}", "matmul({v} * x, {m})",
)  # fmt: skip
VECTORS = ("{v}", "(-{v})", "exp({v})", "{w}[0]", "{w}[:, 1]", "sum[0]({w})", "mean[-1]({w})", "({v} + {w}[2])")
NORMS = (
    "x |> LayerNorm", "x |> RMSNorm", "layer_norm(x, {v}, {u})", "rms_norm(x, {v})", "layer_norm(x, {v})", "x * {v}",
    "x / 2 + {v}", "x |> LayerScale", "x",
)  # fmt: skip
AFTER = ("relu(x)", "x", "x", "x + y", "gelu(x) + y", "x - mean[-2](x) |> rearrange['b d -> b 1 d']")


@st.composite
def steps(draw: st.DrawFn, weights: tuple[str, ...], vectors: tuple[str, ...], count: int) -> list[str]:
    """A norm or a scale, a map by some form of a weight, and what follows."""
    found: list[str] = []
    for _ in range(count):
        w, v, u = draw(st.sampled_from(weights)), draw(st.sampled_from(vectors)), draw(st.sampled_from(vectors))
        matrix = draw(st.sampled_from(MATRICES)).format(w=w)
        vector = draw(st.sampled_from(VECTORS)).format(v=v, w=w)
        found.append("y = x")
        found.append(f"x = {draw(st.sampled_from(NORMS)).format(v=v, u=u)}")
        found.append(f"x = {draw(st.sampled_from(APPLIED)).format(m=matrix, v=vector)}")
        found.append(f"x = {draw(st.sampled_from(AFTER[:-1]))}")
    return found


@st.composite
def bodies(draw: st.DrawFn) -> str:
    """A body of one to three parts: steps, or steps in a loop, which may read weights from outside of it."""
    lines = [
        f"param w: [{WIDTH}, {WIDTH}]",
        f"param u: [{WIDTH}, {WIDTH}]",
        f"param g: [{WIDTH}]",
        f"param c: [{WIDTH}]",
    ]
    lines.append(f"f = Linear[{WIDTH}, {WIDTH}]")
    weights, vectors = ("w", "u", "f.weight"), ("g", "c", "f.bias")
    for part in range(draw(st.integers(1, 3))):
        kind = draw(st.sampled_from(["plain", "plain", "repeat", "numbered", "scan", "call"]))
        count = draw(st.integers(1, 2))
        k, t = f"k{part}", f"t{part}"
        own = [f"param {k}: [{WIDTH}, {WIDTH}]", f"param {t}: [{WIDTH}]"]
        if kind in ("plain", "call"):
            lines += draw(steps(weights, vectors, count))
            lines += ["x = f(x)"] if kind == "call" else []
            continue
        if kind == "scan":
            below = [
                re.sub(r"\b([xy])\b", rf"\g<1>{part}", s).replace("b n", "b")
                for s in draw(steps(weights, vectors, count))
            ]
            head = [f"scan each in x along n carry h = zeros[b, {WIDTH}]:", f"    x{part} = each + h"]
            tail = [f"    h = x{part} / 2", f"    yield z{part} = x{part}", f"x = z{part}"]
            lines += [*head, *(f"    {line}" for line in below), *tail]
            continue
        below = [*own, *draw(steps((*weights, k), (*vectors, t), count))]
        number = " with i in range(2)" if kind == "numbered" else ""
        lines += [f"repeat 2 as loop{part}{number}:", *(f"    {line}" for line in below)]
        lines += ["    x = x * (1 + i)"] if number else []
    return "\n".join([*lines, "return x"])


KERNELS = (
    "{k}", '({k} |> rearrange["o i p q -> i o p q"])', "relu({k})", "(2 * {k})", "flip[2]({k})", "{k}[:, :, 1:2, 1:2]",
    "{k}[:, :, :, 1:2]", "concat[2]({k}, {k})", "({k} - {m})", "einsum['o i p q, o -> o i p q']({k}, {v})", "abs({k})",
)  # fmt: skip
WINDOWS = (
    "conv(x, {k})", "conv[pad=1](x, {k}, {v})", "conv[stride=2, pad=1](x, {k})", "conv[groups=2](x, {k}[:, :2])",
    "conv_transpose(x, {k})", "conv_transpose[stride=2](x, {k}, {v})", "conv[pad=1, pad_mode='replicate'](x, {k})",
    "conv[groups=4](x, {k}[:, :1])", "conv[dilation=2, pad=2](x, {k})",
)  # fmt: skip
AROUND = (
    "x |> BatchNorm", "x", "einsum['b c h w, c -> b c h w'](x, {v})", "avg_pool[3, stride=1, pad=1](x)", "x / 2", "-x",
    "relu(x)", "x + 0.5", "x |> pad[2, 1, 1]", "x |> Conv[4, 4, 1]", "x |> Conv[4, 4, 3, pad=1] |> BatchNorm",
)  # fmt: skip


@st.composite
def pictures(draw: st.DrawFn) -> str:
    """A body over images whose kernels are read in several forms, what is before and after them folded or not."""
    lines = [
        "param k: [4, 4, 3, 3]",
        "param m: [4, 4, 3, 3]",
        "param g: [4]",
        "param c: [4]",
        "f = Conv[4, 4, 3, pad=1]",
        "x = f(x)",
    ]
    for _ in range(draw(st.integers(1, 3))):
        kernel = draw(st.sampled_from(KERNELS))
        names = {
            name: draw(st.sampled_from(found)) for name, found in (("k", ("k", "m", "f.weight")), ("m", ("k", "m")))
        }
        v = draw(st.sampled_from(("g", "c", "f.bias", "sum[1](k[:, :, 0, 0])")))
        made = kernel.format(**names, v=v)
        for _ in range(draw(st.integers(0, 2))):
            lines.append(f"x = {draw(st.sampled_from(AROUND)).format(v=v)}")
        lines.append(f"x = {draw(st.sampled_from(WINDOWS)).format(k=made, v=v)}")
        lines.append(f"x = {draw(st.sampled_from(AROUND)).format(v=v)}")
    lines += ["x = f(x)"] if draw(st.booleans()) else []
    return "\n".join([*lines, "return x"])

"""Bodies of a loop that use the number `i` of the iteration, in every place where a number may stand."""

from __future__ import annotations

BLOCKS = """use std.nn (Linear, DropPath, LayerScale)
block Scaled[c: float](x: [*b]) -> [*b]:
    return c * x
block Start[c: float](x: [*b, d]) -> [*b, d]:
    param w: [d] = constant[c]
    return x + w
block Drawn[c: float](x: [*b, d]) -> [*b, d]:
    param w: [d] = c * exp(uniform[0, c + 1])
    return x + w
block Turned[k: int](x: [*b, d]) -> [*b, d]:
    param w: [d] = constant[k]
    return roll[-1, k](x) + k * w
block clip[c: float](w: [*b]) -> [*b]:
    return clamp[-c, c](w)
block Kept[c: float](x: [*b, d]) -> [*b, d]:
    param w: [d] = constant[7] keep clip[c]
    param v: [d] = uniform[0, 5] keep clamp[0, c]
    return x + w * v
block Counted[c: float](x: [*b, d]) -> [*b, d]:
    state m: [d] = constant[c]
    update m = m + c
    return x + m
block Inner[k: int](x: [*b, d]) -> [*b, d]:
    repeat 2 as g with j in range(2):
        param w: [d] = constant[k * 10 + j] keep clamp[j, k * 10 + j]
        x = x + w
    return x
block Placed[c: float](x: [*b, 4]) -> [*b, 4]:
    f = Linear[4, 4]
    init f.weight = constant[c]
    init f.bias = c * ones[4]
    keep f.weight = clip[c]
    return f(x)
block energy(x: [n, 4]) -> []:
    return sum(x * x * x)
"""

# how weights start, where they stay, what blocks with weights are told
STARTS = (
    "param w: [4] = constant[0.5 * i + 1]\nx = x + w",
    "param w: [4] = constant[i / 3] keep clip[i + 1]\nx = x + w",
    "param w: [4] = normal[std=1 / (i + 1)]\nparam v: [4] = uniform[-i - 1, i + 1]\nx = x + w * v",
    "param w: [4] = i * ones[4]\nparam v: [4] = normal[seed=3] / (i + 1)\nx = x + w * v",
    "param w: [4] = constant[9] keep clamp[0, i]\nx = x + w",
    "x = x |> Placed[i]",
    "state m: [4] = constant[i]\nstate k: [4] = i * ones[4]\nupdate m = m + i\nx = x + m + k",
    "x = x |> Start[i] |> Start[0.5 * i] |> LayerScale[init=0.1 * (i + 1)]",
    "x = x |> Drawn[i] |> Counted[i]",
    "x = x |> Turned[i] |> Turned[-i]",
    "x = x |> Kept[i]",
    "x = x |> Inner[i]",
    "repeat 2 as g with j in range(2):\n    param w: [4] = (i + 10 * j) * ones[4] keep clamp[i, i + j]\n    x = x + w",
    "repeat 2 as g with j in range(2):\n    x = x |> Kept[i + 10 * j] |> Start[j]\n    x = x * (j + 1)",
    "repeat 2 as g:\n    x = x |> Start[i] |> Scaled[i + 1]",
    "x = over[n, Start[i]](x)",
    "f = Linear[4, 4]\nparam t: [20] = initial[f] * i\nx = f(x, weights=t * i)",
    "f = Linear[4, 4]\nx = f(x, weight=f.weight * i)\nparam t: [4] = i * norm[-1](f.weight)\nx = x + t",
)

# values and settings
VALUES = (
    "x = x |> Scaled[0.5 * i]\nx = x * sqrt(i + 1) + exp(0.1 * i) + min(i, 1) + max(i, 1)",
    "x = x |> DropPath[0.1 * i] |> dropout[0.1 * i]",
    "x = leaky_relu[slope=0.1 * i](x) + elu[alpha=i](x) + softplus[beta=i + 1](x)",
    "x = clamp[-i - 1, i + 1](x) + hardtanh[lo=-i - 1](x) + minimum(x, i) + maximum(i, x)",
    "x = roll[-1, i](x) + full[4, v=i] + lerp(x, i, 0.5)",
    "x = abs(x) ** i + i ** tanh(x) + x / (i + 1) + (i + 1) / (abs(x) + 1)",
    "x = x // (i + 1) + (i + 1) // (abs(x) + 1) + x % (i + 1) + (i + 1) % (abs(x) + 1)",
    "x = select(x > i, x, i)",
    "x = layer_norm[eps=0.1 * (i + 1)](x) + rms_norm[eps=i](x)",
    "scan s in x along n carry h = zeros[4]:\n    h = h / 2 + s * i\n    yield z = h + i\nx = z",
    "x = grad[energy](x * i) + over[n, Scaled[i]](x)",
    "tap t = x * i\nx = x * (i / n) + i * n",
)


def looped(body: str) -> str:
    """A model with a loop of this body."""
    return _model("repeat 3 as h with i in range(3):", body)


def unrolled(body: str) -> str:
    """The same with a loop of compile time, whose weights stand at the same paths."""
    text = body.replace("repeat 2 as g with j in range(2):", "for j in range(2) as g:")
    return _model("for i in range(3) as h:", text)


def _model(head: str, body: str) -> str:
    lines = "\n".join(f"        {line}" for line in body.splitlines())
    return f"{BLOCKS}block B(x: [n, 4]) -> [n, 4]:\n    {head}\n{lines}\n    return x\nmodel M = B\n"

"""Programs whose values are made of constants: a body over `x: [n]`, with the blocks that they use."""

from __future__ import annotations

BLOCKS = """
block cube[n](x: [n]) -> []:
    return sum(x * x * x) / 3

block third(x: []) -> []:
    return x / 3 + 0.1

"""
RAMP = "linspace[0.1, 1.0, n]"
EXPRESSIONS = {
    "zeros": "zeros[n] + 0.1",
    "ones": "ones[n] / 3",
    "full": "full[n, v=0.1]",
    "arange": "cast[float](arange[n]) * 0.1",
    "linspace": RAMP,
    "eye": "sum[0](eye[n]) / 3",
    "cumsum": "cumsum[0](ones[n] * 0.1)",
    "softmax": f"softmax[0]({RAMP})",
    "exp": f"exp({RAMP})",
    "gelu": f"gelu({RAMP})",
    "power": f"2.5 ** {RAMP}",
    "root": f"{RAMP} ** 0.3",
    "one_hot": "cast[float](one_hot[n](arange[n]))[0] / 3",
    "tril": "sum[0](tril(ones[n, n])) / 3",
    "number": "0.1 / 3.0",
    "numbers_of_sizes": "sqrt(n) / 3",
    "cast_bool": "cast[float](arange[n] < 2) / 3",
    "select": "select(arange[n] < 2, 0.1, 0.3)",
    "select_nested": "select(arange[n] < 2, select(arange[n] < 1, 0.1, 0.2), 0.3)",
    "select_of_one": "select(sum(arange[n]) < 2, 0.1, 0.3)",
    "select_of_sizes": "select(arange[n] < 2, n / 3, 1.0 / n)",
    "select_tensor": "select(arange[n] < 2, zeros[n] + 0.1, 0.3)",
    "maximum": f"maximum({RAMP}, 0.2)",
    "matmul": "sum[0](matmul(ones[n, n] / 3, ones[n, n] / 7))",
    "inverse": "sum[0](inverse(eye[n] * 3.0))",
    "fourier": f"irfft[-1, sizes=[n]](rfft[-1]({RAMP}))",
    "fourier_of_reals": "real(ifft[-1](linspace[0.1, 1.0, n]))",
    "fourier_by_root": "real(ifft[-1, norm=\"ortho\"](fft[-1, norm=\"forward\"](linspace[0.1, 1.0, n])))",
    "complex": f"real(complex({RAMP}, zeros[n]))",
    "conv": "sum(conv(ones[1, 1, n] / 3, ones[1, 1, 2] / 7))",
    "concat": f"concat[0]({RAMP}, zeros[1])[:n]",
    "pad": "pad[0, 1, 0, value=0.1](linspace[0.1, 0.7, n - 1])",
    "logsumexp": f"logsumexp({RAMP})",
    "norm": f"norm({RAMP})",
    "std": f"std({RAMP})",
    "sort": f"sort[0]({RAMP})",
    "topk": f"topk[0, 1]({RAMP})[0]",
    "expand": f'expand[" -> n", n=n](sum({RAMP}))',
    "stack": f"sum[0](stack[0]({RAMP}, ones[n]))",
    "einsum": f'einsum["i, j -> i"]({RAMP}, ones[n] / 3)',
    "linear_scan": f"linear_scan[0]({RAMP}, ones[n] / 3)",
    "layer_norm": f"layer_norm[1]({RAMP})",
    "attention": "attention(ones[1, n, n] / 3, ones[1, n, n] / 7, ones[1, n, n] / 9)[0, 0]",
    "grad": f"grad[cube]({RAMP})",
    "over": f"over[0, third]({RAMP})",
    "drawn": "0.0 * (randn[n] + rand[n] + bernoulli[n, p=0.5] + cast[float](permutation[n])) + 0.1",
}  # fmt: skip
BODIES = {
    "repeat": "h = zeros[n]\nrepeat 3:\n    h = h + 0.1\nreturn x + h",
    "repeat_yields": "h = zeros[n]\nrepeat 3:\n    h = h + 0.1\n    yield ys = h / 3\nreturn x + sum[0](ys)",
    "repeat_numbers": "h = zeros[n]\nrepeat 3 with i in range(3):\n    h = h + 0.1 * i\nreturn x + h",
    "repeat_yields_numbers": "repeat 2 with i in range(2):\n    yield ys = i * 0.1 + zeros[n]\nreturn x + sum[0](ys)",
    "repeat_of_constants": "h = 0.1 * ones[n]\nrepeat 3:\n    h = cumsum[0](ones[n]) / 3 + h\nreturn x + h",
    "repeat_with_weights": (
        "h = full[n, v=0.1]\nrepeat 3 as l:\n    param w: [n] = ones\n    h = h * w / 3\nreturn x + h"
    ),
    "if_training": f"if training:\n    h = ones[n] / 3\nelse:\n    h = {RAMP}\nreturn x + h",
    "scan": (
        f"c: [n] = {RAMP}\nscan t in c along n carry h = zeros[]:\n    h = h / 3 + t\n    yield ys = h\nreturn x + ys"
    ),
    "state": f"state s: [n] = {RAMP}\nupdate s = s + 0.1\nreturn x + s / 3",
    "param": "param w: [n] = constant[0.1]\nreturn x + w / 3",
    "input_gone": "x = x > 0.5\nreturn select(x, 0.1, 0.3)",
    "input_gone_before_a_tap": f"x = x > 0.5\ntap t = select(x, {RAMP}, 0.3)\nreturn cast[float](x) / 3",
    "each_its_own": f"h = over[0, third]({RAMP})\nreturn x + h",
}


def text(body: str, *, whole: bool, known: bool) -> str:
    """The program over floats or over whole numbers, its size known or not."""
    head = f"block Net{'[n=5]' if known else ''}({'x0: int[n]' if whole else 'x: [n]'}) -> [n]:"
    lines = ["x = 0.1 * cast[float](x0)", *body.split("\n")] if whole else body.split("\n")
    return BLOCKS + "\n".join([head, *(f"    {line}" for line in lines), "model M = Net", ""])


PROGRAMS = {**{name: f"return x + {value}" for name, value in EXPRESSIONS.items()}, **BODIES}

"""What a reader sees of a figure, and programs that a reader must be able to tell apart."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import permutations

from ogive.backends.diagram.figure.geometry import Dot, Path, Text
from ogive.backends.diagram.from_ir.make import figure_of
from ogive.backends.diagram.from_ir.options import Options
from ogive.backends.diagram.layout.compose import draw
from ogive.compiler.driver.workspace import Workspace
from ogive.compiler.ir.model import Definition

LIBRARY = "use std.nn (Linear, LayerNorm, RMSNorm, BatchNorm, GroupNorm, InstanceNorm, Dropout)\n"
BLOCKS = """
block less(u: [*b], v: [*b]) -> [*b]:
    return u - exp(v)
block two(u: [*b], v: [*b]) -> (s: [*b], t: [*b]):
    return u - v, v / u
block K[d](u: [*b, d]) -> [*b, d]:
    return u |> Linear[d, d]
block maybe(u: [*b], v: [*b]?, w: [*b]?) -> [*b]:
    if given(v):
        u = u - v
    if given(w):
        u = u / w
    return u
"""
TYPES = {"m": "bool[n, n, n]", "i": "int[n, n, n]", "j": "int[n]", "s": "[]", "w": "[n]"}
HEAD = LIBRARY + BLOCKS
SIZES = "where n % 4 == 0, n > 4:\n"
IMAGE = "use std.vision (Conv, ConvTranspose)\n"
WINDOW = "block A{}(x: [b, 8, 16, 16], k: [8, 8, 3, 3], k2: [8, 4, 3, 3]) -> []:\n    return mean({})\n"


def picture(made: Definition, settings: bool = False) -> tuple[str, ...]:
    """The ink of a figure with all blocks open; what is only in its metadata is not seen."""
    items = draw(figure_of(made, Options(depth=99, settings=settings))).items
    return tuple(sorted(_ink(item) for item in items))


def _ink(item: Path | Dot | Text) -> str:
    if isinstance(item, Path):
        return f"{item.style} {item.commands}"
    return f"{item.x} {item.y}" + (f" {item.text} {item.style} {item.size}" if isinstance(item, Text) else "")


def blocks(text: str) -> list[Definition]:
    """The blocks `A0`, `A1`, ... of a text."""
    program = Workspace().check("ogive 1\n" + text, "<text>")
    assert program.ok, [(d.message, d.span and d.span.begin()) for d in program.diagnostics if d.severity == "error"]
    found = {report.name: report.definition for report in program.blocks if report.name[1:].isdigit()}
    return [made for made in found.values() if made is not None]


def cube(number: int, body: str) -> str:
    """A block of cubes, of which no size tells an axis from another; `;` parts lines, inner ones have `!`."""
    *lines, last = body.split("; ")
    lines = [f"        {line[1:]}" if line.startswith("!") else f"    {line}" for line in lines]
    return _header(number, body) + " -> [n, n, n]\n" + SIZES + "\n".join([*lines, f"    return {last}\n"])


def _header(number: int, body: str) -> str:
    read = [name for name in "xyzmijsw" if name == "x" or re.search(rf"\b{name}\b", re.sub('".*?"', "", body))]
    inputs = [f"{name}: {TYPES.get(name, '[n, n, n]')}" for name in read]
    return f"block A{number}({', '.join(inputs)})"


SWAPPED = (
    "{} - {}", "{} / {}", "{} ** {}", "atan2({}, {})", "mod({}, {})", "less({}, {})", "stack[0]({}, {})[1]",
    "stack[1]({}, {})[:, 0]", "concat[0]({}, {})[:n]", "{} @ {}", "grad_as({}, {})", "solve({}, {})",
    "solve_triangular({}, {})", "solve_triangular[upper=true]({}, {})", "linear_scan[0]({}, {})",
    "linear_scan[1]({}, {})", "cast[float]({} < {})", "cast[float]({} <= {})", "cast[float]({} > {})",
    "p, q = two({}, {}); p", "p, q = two({}, {}); q", "p, q = two({}, {}); p - q", "p, q = two({}, {}); q - p",
    "put[0]({}, {}[:1])", "put[0, start=n-1]({}, {}[:1])", "put[0]({}, {})", "scatter_add[0]({}, i, {})",
    "scatter_add[1]({}, i, {})", "scatter[0, max]({}, i, {})", "scatter[0, min]({}, i, {})",
    'einsum["a b c, a d c -> a b d"]({}, {})',
    'einsum["a b c, b c d -> a d c"]({}, {})', "take[0]({}, j) - {}", "{} - take[0]({}, j)", "lerp({}, {}, 0.5)",
    "lerp({}, 0.5, {})", "lerp(0.5, {}, {})", "lerp({}, 0.25, {})", "select(m, {}, {})", "abs(complex({}, {})) - x",
    "maybe({}, {}, none)", "maybe({}, none, {})",
)  # fmt: skip
THREE = (
    "select({} > 0, {}, {})", "lerp({}, {}, {})", "attention({}, {}, {})", "attention[causal=true]({}, {}, {})",
    "attention({}, {}, {}, m)", "linear_scan[1]({}, {}, {}[:, 0])", "maybe({}, {}, {})",
)  # fmt: skip
AXES = (
    "softmax[{}](x)", "log_softmax[{}](x)", "cumsum[{}](x)", "cumprod[{}](x)", "cummax[{}](x)", "cummin[{}](x)",
    "flip[{}](x)", "roll[{}, 1](x)", "roll[{}, 2](x)", "roll[{}, -1](x)", "sort[{}](x)", "sort[{}, descending=true](x)",
    "cast[float](argsort[{}](x))", "cast[float](argsort[{}, descending=true](x))", "gather[{}](x, i)",
    "take[{}](x, j)", "v, p = topk[{}, n](x); v", "v, p = topk[{}, n](x); cast[float](p)", "abs(fft[{}](x))",
    "real(fft[{}](x))", "layer_norm[axes=[{}]](x) * 2", "concat[{}](y, x)[:n, :n, :n]",
)  # fmt: skip
ALONE = (
    "x + y", "x * y", "minimum(x, y)", "maximum(x, y)", "x", "y", "-x", "x * 2", "x * 3", "2 - x", "x - 2", "x / 2",
    "2 / x", "x ** 2", "2 ** x", "x + 2", "x % 2", "2 % x", "x // 2", "select(m, x, 0)", "select(m, 0, x)",
    "select(m, x, 1)", "clamp[-1, 1](x)", "clamp[-1, 2](x)", "clamp[0, 2](x)", "softplus(x)", "softplus[2.0](x)",
    "elu(x)", "elu[2.0](x)", "leaky_relu(x)", "leaky_relu[0.2](x)", "hardtanh(x)", "hardtanh[-2, 2](x)",
    "cast[float](isnan(x))", "cast[float](isinf(x))", "cast[float](isfinite(x))", "tril(x)", "triu(x)",
    "tril[diagonal=1](x)", "tril[diagonal=-1](x)", "triu[diagonal=1](x)", "layer_norm(x)", "rms_norm(x)",
    "dropout[0.1](x)", "dropout[0.5](x)", "group_norm[n](x)", "group_norm[1](x)", "batch_norm_train(x)[0]",
    "inverse(x)", "cholesky(x)", "x @ y @ z", "x @ (y @ z)", "x + w", "x - w", "w - x", "x * s", "x / s", "s / x",
    "x - s", "s - x", "s * w * x", "zeros[n, n, n]", "ones[n, n, n]", "full[n, n, n, v=0.5]", "full[n, n, n, v=0.25]",
    "randn[n, n, n]", "rand[n, n, n]", "bernoulli[n, n, n, p=0.5]", "bernoulli[n, n, n, p=0.25]",
    "cast[float](randint[n, n, n, n=10])", "cast[float](randint[n, n, n, n=20])", "x + cast[float](arange[n])",
    "x + linspace[0, 1, n]", "x + linspace[0, 2, n]", "x + eye[n]", "x + ones[n, n]", "x + ones[n]",
    "take[0](x, permutation[n])", "x + cast[float](one_hot[n](j))", "x |> Linear[n, n]",
    "x |> Linear[n, n, bias=false]",
    "x |> LayerNorm", "x |> RMSNorm", "x |> BatchNorm", "x |> GroupNorm[1]",
    "x |> GroupNorm[n]", "x |> InstanceNorm", "x |> InstanceNorm[affine=true]", "x |> K[n]",
    'rearrange["(a e) b c -> (e a) b c", e=4](x)', 'rearrange["a b (c e) -> a b (e c)", e=2](x)',
    'rearrange["a b (c e) -> a b (e c)", e=4](x)', 'rearrange["a (b f) (c e) -> a (b e) (c f)", e=2, f=2](x)',
    'einsum["a b c, a b d -> a c d"](x, y)', 'expand["a -> a b n", n=n, b=n](w)', 'expand["a -> b a n", n=n, b=n](w)',
    'expand["a -> b n a", n=n, b=n](w)', "maybe(x, none, none) * 2",
    "f = Linear[n, n]; f(f(x))", "f = Linear[n, n]; g = Linear[n, n]; g(f(x))", "f = K[n]; f(f(x))",
    "f = K[n]; g = K[n]; g(f(x))", "f = Linear[n, n]; f(x) + f(y)", "f = Linear[n, n]; g = Linear[n, n]; f(x) + g(y)",
    "f = Linear[n, n]; g = Linear[n, n]; f(relu(g(f(x))))", "f = Linear[n, n]; g = Linear[n, n]; g(relu(g(f(x))))",
    "f = Linear[n, n]; repeat 3:; !x = f(x); x", "repeat 3:; !x = x |> Linear[n, n]; x",
    "f = K[n]; repeat 3:; !x = f(x); x", "repeat 3:; !x = x |> K[n]; x",
    "f = Linear[n, n]; f(x) + linear(y, f.weight)", "f = Linear[n, n]; g = Linear[n, n]; g(f(x)) + linear(y, f.weight)",
    "f = Linear[n, n]; g = Linear[n, n]; g(f(x)) + linear(y, g.weight)",
)  # fmt: skip
ONE = (
    "relu", "gelu", "gelu_tanh", "exp", "silu", "sigmoid", "tanh", "sqrt", "rsqrt", "abs", "stop_gradient", "round",
    "floor", "ceil", "trunc", "sign", "mish", "relu6", "hardswish", "hardsigmoid", "log", "log1p", "expm1", "log2",
    "log10", "erf", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "asinh", "acosh", "atanh", "lgamma",
    "digamma",
)  # fmt: skip
REDUCED = (
    "sum", "mean", "max", "min", "prod", "logsumexp", "std", "var", "var[{}, unbiased=true]", "norm", "norm[{}, p=1]",
)  # fmt: skip
BODIES = (
    "a, b = b, a", "a, b = a - b, a", "a, b = b, a - b", "a = a - b", "b = a - b", "a = b", "a = relu(a)",
    "a = a - x; !b = b - y", "a = a - y; !b = b - x", "a = a - z",
)  # fmt: skip


def cubes() -> Iterator[str]:
    """Bodies of functions that all differ."""
    for form in SWAPPED:
        yield from (form.format(*names) for names in permutations("xy"))
    for form in THREE:
        yield from (form.format(*names) for names in permutations("xyz"))
    for axis in range(3):
        yield from (form.format(axis) for form in AXES)
        kept = "abc".replace("abc"[axis], "")
        grown = " ".join("abc"[:axis] + "n" + "abc"[axis + 1 :]).replace("n", "n")
        for name in REDUCED:
            call = name.format(axis) if "[" in name else f"{name}[{axis}]"
            yield f'expand["{" ".join(kept)} -> {grown}", n=n]({call}(x))'
    yield from (f'rearrange["a b c -> {" ".join(order)}"](x) * 3' for order in permutations("abc"))
    yield from (f"{name}(x)" for name in ONE)
    for body in BODIES:
        for result in ("a - b", "b - a", "a", "b"):
            yield f"a = x; b = y; repeat 3:; !{body}; {result}"
            yield f"a = relu(y); b = x; repeat 3:; !{body}; {result}"
    yield from ALONE


IMAGES = (
    "conv(x, k)", "conv[pad=1](x, k)", "conv[stride=2](x, k)", "conv[stride=(1, 2)](x, k)", "conv[dilation=2](x, k)",
    "conv[groups=2](x, k2)", "conv_transpose(x, k)", "conv_transpose[stride=2](x, k)",
    "conv_transpose[stride=2, out_pad=1](x, k)", "max_pool[2](x)", "max_pool[2, stride=1](x)", "max_pool[3](x)",
    "max_pool[(2, 3)](x)", "max_pool[(3, 2)](x)", "avg_pool[2](x)", "adaptive_avg_pool[1](x)",
    "adaptive_max_pool[1](x)",
    "adaptive_avg_pool[2](x)", "interpolate[scale=2](x)", "interpolate[scale=3](x)",
    'interpolate[scale=2, mode="bilinear"](x)', "x |> Conv[8, 8, 3]", "x |> Conv[8, 8, 3, pad=1]",
    "x |> Conv[8, 8, 3, groups=8]", "x |> Conv[8, 8, 3, groups=2]", "x |> Conv[8, 8, 3, bias=false]",
    "x |> Conv[8, 8, 1]", "x |> Conv[8, 16, 1]", "x |> Conv[8, 8, 3, stride=2]", "x |> Conv[8, 8, 3, dilation=2]",
    "x |> ConvTranspose[8, 8, 3]", "x |> ConvTranspose[8, 8, 3, stride=2]",
)  # fmt: skip


@dataclass(frozen=True)
class Statement:
    """A form with the values that it reads."""

    form: str
    reads: tuple[str, ...]


FORMS: dict[int, tuple[str, ...]] = {
    1: ("relu({})", "{} * 2", "softmax[1]({})", "softmax[2]({})", "flip[0]({})", "roll[2, 1]({})", "K[n]({})",
        "Linear[n, n]({})", "cumsum[0]({})", "cumsum[1]({})", "tril({})", "exp({})"),
    2: ("{} - {}", "{} / {}", "less({}, {})", "{} @ {}", "stack[0]({}, {})[0]", "select(m, {}, {})",
        'einsum["a b c, a d c -> a b d"]({}, {})', "concat[1]({}, {})[:, 2:n+2]", "linear_scan[1]({}, {})"),
    3: ("lerp({}, {}, {})", "select({} > 0, {}, {})", "attention({}, {}, {})"),
}  # fmt: skip


def program(random_: random.Random) -> list[Statement]:
    """A straight program of which each value is read."""
    values, made = ["x", "y", "z"], []
    for number in range(random_.randint(3, 7)):
        arity = random_.choice((1, 2, 2, 2, 3))
        reads = [random_.choice(values) for _ in range(arity)]
        reads[random_.randrange(arity)] = values[-1]  # so that little is left unread
        made.append(Statement(random_.choice(FORMS[arity]), tuple(reads)))
        values.append(f"v{number}")
    return made


def written(number: int, statements: list[Statement]) -> str:
    """The block of a program, with its last two values as results."""
    lines = [f"v{k} = {s.form.format(*s.reads)}" for k, s in enumerate(statements)]
    body = "".join(f"    {line}\n" for line in lines)
    head = _header(number, "x y z m") + " -> (p: [n, n, n], q: [n, n, n])\n" + SIZES
    return f"{head}{body}    return v{len(lines) - 1}, v{len(lines) - 2}\n"


def meaning(statements: list[Statement]) -> tuple[str, str]:
    """The results as terms: two programs of equal meaning may share a picture. Each layer has weights of its own."""
    known = {name: name for name in "xyz"}
    for k, s in enumerate(statements):
        form = s.form if "[n" not in s.form else f"{k}: {s.form}"
        known[f"v{k}"] = f"({form.format(*(known[name] for name in s.reads))})"
    return known[f"v{len(statements) - 1}"], known[f"v{len(statements) - 2}"]


def changed(statements: list[Statement], random_: random.Random) -> list[Statement]:
    """The program after one change: operands swapped, another operation, or another operand."""
    at = random_.randrange(len(statements))
    old = statements[at]
    kind = random_.randrange(3)
    if kind == 0:
        new = replace(old, reads=tuple(random_.sample(old.reads, len(old.reads))))
    elif kind == 1:
        new = replace(old, form=random_.choice(FORMS[len(old.reads)]))
    else:
        place = random_.randrange(len(old.reads))
        other = random_.choice(["x", "y", "z", *(f"v{k}" for k in range(at))])
        new = replace(old, reads=(*old.reads[:place], other, *old.reads[place + 1 :]))
    return [*statements[:at], new, *statements[at + 1 :]]

"""Random chains of operations: what the optimizers of ONNX Runtime make of them computes what torch does."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
import pytest
import torch

import ogive
from ogive.backends.onnx_model.export import Settings, exported
from ogive.backends.onnx_model.serialize.external_data import arrays
from ogive.backends.onnx_model.serialize.write import whole
from onnx_model.harness import array, checked, session

LETTERS = "abcdefghijk"
LARGEST = 4000  # numbers in a value
CLOSE, TIMES = 1e-5, 4  # of the largest number, and how many times what torch is off


@dataclass(frozen=True)
class Axis:
    """A number of entries; `open` where the program does not know it."""

    size: int
    open: bool = False

    def times(self, other: Axis) -> Axis:
        return Axis(self.size * other.size, self.open or other.open)


@dataclass
class Chain:
    """A program that is being written, and the axes of its last value `x`."""

    draw: random.Random
    axes: tuple[Axis, ...]
    lines: list[str] = field(default_factory=list)
    params: list[str] = field(default_factory=list)

    @property
    def rank(self) -> int:
        return len(self.axes)

    @property
    def names(self) -> str:
        return LETTERS[: self.rank]

    @property
    def count(self) -> int:
        return prod(axis.size for axis in self.axes)

    @property
    def by_name(self) -> dict[str, Axis]:
        return dict(zip(self.names, self.axes, strict=True))

    def any(self) -> int:
        return self.draw.randrange(self.rank)

    def closed(self) -> int | None:
        """An axis whose size the program knows."""
        found = [i for i, axis in enumerate(self.axes) if not axis.open]
        return self.draw.choice(found) if found else None

    def line(self, text: str, axes: tuple[Axis, ...] | None = None) -> None:
        self.axes = self.axes if axes is None else axes
        names = ", ".join(f"{letter}{len(self.lines)}" for letter in self.names)  # an axis is not taken for another
        self.lines.append(f"    x: [{names}] = {text}")

    def changed(self, at: int, axis: Axis) -> tuple[Axis, ...]:
        return (*self.axes[:at], axis, *self.axes[at + 1 :])

    def param(self, *shape: int) -> str:
        name = f"w{len(self.params)}"
        self.params.append(f"    param {name}: [{', '.join(map(str, shape))}] = normal[std=0.5]")
        return name


def transposed(c: Chain) -> None:
    order = c.draw.sample(range(c.rank), c.rank)
    right = " ".join(c.names[i] for i in order)
    c.line(f'rearrange["{" ".join(c.names)} -> {right}"](x)', tuple(c.axes[i] for i in order))


def merged(c: Chain) -> None:
    if c.rank > 2:
        i = c.draw.randrange(c.rank - 1)
        names = [*c.names[:i], f"({c.names[i]} {c.names[i + 1]})", *c.names[i + 2 :]]
        axes = (*c.axes[:i], c.axes[i].times(c.axes[i + 1]), *c.axes[i + 2 :])
        c.line(f'rearrange["{" ".join(c.names)} -> {" ".join(names)}"](x)', axes)


def cut(c: Chain) -> None:
    found = [(i, n) for i, axis in enumerate(c.axes) for n in (2, 3) if axis.size % n == 0 and not axis.open]
    if not found or c.rank > 4:
        return
    i, n = c.draw.choice(found)
    one, two = c.draw.choice((("y", "z"), ("z", "y")))
    left = [*c.names[:i], "(y z)", *c.names[i + 1 :]]
    right = [*c.names[:i], one, two, *c.names[i + 1 :]]
    if c.draw.random() < 0.5:
        right = c.draw.sample(right, len(right))
    axes = {**c.by_name, "y": Axis(n), "z": Axis(c.axes[i].size // n)}
    c.line(f'rearrange["{" ".join(left)} -> {" ".join(right)}", y={n}](x)', tuple(axes[name] for name in right))


def padded(c: Chain) -> None:
    i, mode = c.any(), c.draw.choice(("constant", "constant", "reflect", "replicate", "circular"))
    axis = c.axes[i]
    least = 1 if axis.open else axis.size
    most = {"reflect": least - 1, "circular": least}.get(mode, 3)
    before, after = (c.draw.randint(0, min(3, most)) for _ in range(2))
    setting = f', mode="{mode}"' if mode != "constant" else ", value=0.5" if c.draw.random() < 0.5 else ""
    wider = Axis(axis.size + before + after, axis.open)
    c.line(f"pad[{i}, before={before}, after={after}{setting}](x)", c.changed(i, wider))


def sliced(c: Chain) -> None:
    items, axes = [], []
    for axis in c.axes:
        low = c.draw.randint(0, axis.size - 1)
        high = c.draw.randint(low + 1, axis.size)
        step = c.draw.choice((1, 1, 1, 2))
        whole_ = axis.open or c.draw.random() < 0.5
        items.append(":" if whole_ else f"{low}:{high}:{step}")
        axes.append(axis if whole_ else Axis(-(-(high - low) // step)))
    c.line(f"x[{', '.join(items)}]", tuple(axes))


def indexed(c: Chain) -> None:
    i = c.closed()
    if c.rank > 2 and i is not None:
        at = [":"] * i + [str(c.draw.randrange(c.axes[i].size))]
        c.line(f"x[{', '.join(at)}]", (*c.axes[:i], *c.axes[i + 1 :]))


def along(*texts: str) -> Callable[[Chain], None]:
    """Operations along one axis, which keep the shape."""

    def step(c: Chain) -> None:
        c.line(c.draw.choice(texts).format(i=c.any(), by=c.draw.randint(-4, 4)))

    return step


def reduced(c: Chain) -> None:
    """A reduction that is spread again beside x."""
    axes = c.draw.sample(range(c.rank), c.draw.randint(1, c.rank - 1))
    kept = [name for i, name in enumerate(c.names) if i not in axes]
    right = ["1" if i in axes else name for i, name in enumerate(c.names)]
    op = c.draw.choice(("mean", "max", "min", "sum", "std", "norm", "logsumexp"))
    spread = f'rearrange["{" ".join(kept)} -> {" ".join(right)}"]({op}[{", ".join(map(str, axes))}](x))'
    c.line(c.draw.choice(("x - {}", "x * tanh({})", "x + {}")).format(spread))


def dropped(c: Chain) -> None:
    if c.rank > 2:
        i, op = c.any(), c.draw.choice(("mean", "max", "sum", "var", "prod"))
        c.line(f"{op}[{i}](tanh(x))", (*c.axes[:i], *c.axes[i + 1 :]))


def normalized(c: Chain) -> None:
    i = c.closed()
    if i is not None:
        size = c.axes[i].size
        c.line(f"rms_norm[axes={i}](x, {c.param(size)})" if c.draw.random() < 0.5 else
               f"layer_norm[axes={i}](x, {c.param(size)}, {c.param(size)})")  # fmt: skip


def by_hand(c: Chain) -> None:
    """Norms and softmax as one writes them, over the last axis."""
    if not c.axes[-1].open:
        last = c.axes[-1].size
        row = f'"{" ".join(c.names[:-1])} -> {" ".join(c.names[:-1])} 1"'
        mean = f"rearrange[{row}](mean[-1](x))"
        root = f"rearrange[{row}](sqrt(mean[-1]((x - {mean}) * (x - {mean})) + 1e-3))"
        length = f"rearrange[{row}](sqrt(mean[-1](x * x) + 1e-3))"
        weight, bias = c.param(last), c.param(last)
        texts = (
            f"(x - {mean}) / {root} * {weight} + {bias}", f"(x - {mean}) / {root}", f"x / {length} * {weight}",
            f"layer_norm(x + tanh(x) + {bias}, {weight}, {bias})", f"softmax[-1](x * 0.5 + {bias})",
            f"gelu(x + {bias})", f"rms_norm(x + tanh(x), {weight})",
            f"exp(x - rearrange[{row}](max[-1](x))) / rearrange[{row}](sum[-1](exp(x - rearrange[{row}](max[-1](x)))))",
        )  # fmt: skip
        c.line(c.draw.choice(texts))


def apart(c: Chain) -> None:
    """Parts of an axis, put together in another order."""
    i = c.closed()
    if i is not None and c.axes[i].size > 1:
        at, size = c.draw.randint(1, c.axes[i].size - 1), c.axes[i].size
        before = ", ".join([*[":"] * i, ""])
        parts = [f"x[{before}:{at}]", f"x[{before}{at}:]", f"tanh(x[{before}{at}:])"]
        chosen = c.draw.choice(((1, 0), (0, 1), (0, 2), (2, 0)))
        c.line(f"concat[{i}]({parts[chosen[0]]}, {parts[chosen[1]]})")
        rows = [f"x[{before}{k}]" for k in range(size)]
        if c.draw.random() < 0.3:
            c.draw.shuffle(rows)
            c.line(f"stack[{i}]({', '.join(rows)})")


def joined(c: Chain) -> None:
    i = c.any()
    text = c.draw.choice((f"concat[{i}](x, x * 0.5)", f"concat[{i}](tanh(x), x)"))
    c.line(text, c.changed(i, c.axes[i].times(Axis(2))))


def stacked(c: Chain) -> None:
    if c.rank < 5:
        i = c.draw.randint(0, c.rank)
        c.line(f"stack[{i}](x, tanh(x))", (*c.axes[:i], Axis(2), *c.axes[i:]))


def taken(c: Chain) -> None:
    i = c.closed()
    if i is not None:
        places = [c.draw.randrange(c.axes[i].size) for _ in range(c.draw.randint(1, 4))]
        c.line(f"take[{i}](x, constant[{places}])", c.changed(i, Axis(len(places))))


def contracted(c: Chain) -> None:
    i, to = c.closed(), c.draw.randint(1, 4)
    if i is None:
        return
    right = [*c.names[:i], "z", *c.names[i + 1 :]]
    if c.draw.random() < 0.4:
        right = c.draw.sample(right, len(right))
    axes = {**c.by_name, "z": Axis(to)}
    text = f'einsum["{" ".join(c.names)}, {c.names[i]} z -> {" ".join(right)}"](x, {c.param(c.axes[i].size, to)})'
    c.line(text, tuple(axes[name] for name in right))


def product(c: Chain) -> None:
    """A product with itself, as attention has it."""
    if c.rank > 2:
        rest, row, last = c.names[:-2], c.names[-2], c.names[-1]
        text = f'einsum["{" ".join(c.names)}, {" ".join((*rest, "z", last))} -> {" ".join((*rest, row, "z"))}"]'
        c.line(f"softmax[-1]({text}(x, tanh(x)) * 0.3)", (*c.axes[:-1], c.axes[-2]))


def shifted(c: Chain) -> None:
    i = c.closed()
    if i is not None:
        right = ["a", *["1"] * (c.rank - 1 - i)]
        c.line(f'x {c.draw.choice("+*")} rearrange["a -> {" ".join(right)}"]({c.param(c.axes[i].size)})')


def windowed(c: Chain) -> None:
    if c.rank < 3 or c.axes[1].open:
        return
    channels, spatial = c.axes[1].size, c.axes[2:]
    match c.draw.choice(("conv", "conv", "max_pool", "avg_pool", "interpolate", "group_norm", "batch")):
        case "conv":
            out = c.draw.randint(1, 4)
            weight = c.param(out, channels, *[3] * len(spatial))
            c.line(f"conv[pad=1](x, {weight}, {c.param(out)}) * 0.3", c.changed(1, Axis(out)))
        case "max_pool" | "avg_pool" as op if min(axis.size for axis in spatial) > 2:
            c.line(f"{op}[3, stride=1, pad=1](x)")
        case "interpolate":
            mode = c.draw.choice(({3: "linear", 4: "bilinear", 5: "trilinear"}[c.rank], "nearest"))
            twice = tuple(axis.times(Axis(2)) for axis in spatial)
            c.line(f'interpolate[scale=2, mode="{mode}"](x)', (*c.axes[:2], *twice))
        case "group_norm" if prod(axis.size for axis in spatial) > 1:
            groups = next(g for g in (3, 2, 1) if channels % g == 0)
            c.line(f"group_norm[{groups}](x, {c.param(channels)}, {c.param(channels)})")
        case _:
            mean, scale = c.param(channels), c.param(channels)
            c.line(f"batch_norm(x, {mean}, {scale} * {scale} + 0.5, {scale}, {mean})")


PLAIN = (
    "relu(x)", "gelu(x)", "tanh(x)", "silu(x)", "x * x", "x - 0.25", "-x", "x / 2", "1 / (1 + x * x)", "round(x)",
    "clamp[-1, 1](x)", "relu6(x)", "abs(x)", "sigmoid(x)", "exp(-abs(x))", "select(x > 0, x, -0.1 * x)",
    # what an optimizer knows by sight, or nearly so
    "select(not (x > 0), x, 0.5)", "cast[float](cast[int](x * 4))", "clamp[0, 0.5](relu(x))", "relu(clamp[-0.5, 1](x))",
    "clamp[-3, 2](clamp[-1, 4](x))", "0.5 * x * (1 + erf(x / sqrt(2)))", "x * sigmoid(1.702 * x)", "x * sigmoid(-x)",
    "0.5 * x * (1 + tanh(0.7978845608 * (x + 0.044715 * x * x * x)))", "(x + 0) * 1 - 0", "(1 / (x * x + 1)) * x",
    "x ** 2", "x ** 3 * 0.1", "x * 0.3 * 0.5 + 1 + 2", "tanh(x) + tanh(x)", "elu(x)", "leaky_relu(x)", "hardswish(x)",
    "-(-x)", "abs(abs(x))", "cast[float](x > 0) * x", "minimum(x, 1 - x)", "softplus(x)", "mish(x)", "floor(x * 2)",
)  # fmt: skip
AXIS = (
    "softmax[{i}](x)", "cumsum[{i}](x) * 0.3", "flip[{i}](x)", "sort[{i}](x)", "log_softmax[{i}](x)",
    "roll[{i}, {by}](x)", "roll[{i}, {by}](x)",
)  # fmt: skip
STEPS: tuple[Callable[[Chain], None], ...] = (
    transposed, transposed, transposed, transposed, merged, cut, cut, padded, padded, sliced, sliced, indexed,
    along(*AXIS), along(*AXIS), along(*PLAIN), along(*PLAIN), reduced, dropped, normalized, joined, stacked, taken,
    contracted, contracted, product, shifted, windowed, windowed, windowed, by_hand, by_hand, apart,
)  # fmt: skip


def program(seed: int) -> tuple[str, tuple[int, ...]]:
    """A program whose value is `x` after some steps, and the shape of its input, of which half are open."""
    draw = random.Random(seed)
    start = tuple(Axis(draw.randint(1, 6), draw.random() < 0.4) for _ in range(draw.randint(3, 4)))
    c = Chain(draw, start)
    outputs: list[tuple[Axis, ...]] = []
    for _ in range(draw.randint(4, 14)):
        before, lines, params = c.axes, len(c.lines), len(c.params)
        draw.choice(STEPS)(c)
        if c.count > LARGEST:
            c.axes, c.lines, c.params = before, c.lines[:lines], c.params[:params]
        if draw.random() < 0.1:
            c.lines.append(f"    y{len(outputs)} = x")
            outputs.append(c.axes)
    outputs.append(c.axes)
    c.lines.append(f"    y{len(outputs) - 1} = x")
    types = ", ".join(f"o{at}: [{_type(axes, f'p{at}_')}]" for at, axes in enumerate(outputs))
    results = ", ".join(f"y{at}" for at in range(len(outputs)))
    body = "\n".join([*c.params, *c.lines, f"    return {results}"])
    source = f"block F(x: [{_type(start, 'n')}]) -> ({types}):\n{body}\nmodel M = F\n"
    return source, tuple(axis.size for axis in start)


def _type(axes: tuple[Axis, ...], name: str) -> str:
    return ", ".join(f"{name}{i}" if axis.open else str(axis.size) for i, axis in enumerate(axes))


FEW, MANY = 40, 2000


def seeds() -> list[Any]:
    """Some always, many where time allows."""
    return [*range(FEW), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(FEW, MANY))]


@pytest.mark.parametrize("seed", seeds())
def test_optimizers_leave_chains_right(seed: int) -> None:
    """Where float32 is too coarse for the chain, torch is off too."""
    source, shape = program(seed)
    model = ogive.source(source).models["M"]
    torch.manual_seed(seed)
    net, x = model.torch().eval(), torch.randn(shape)
    settings = Settings(opset=(20, 23, 26)[seed % 3], functions=seed % 4 == 3)
    proto = whole(exported(model.ir, arrays(net), settings))
    checked(proto)
    got = session(proto).run(None, {"x": array(x)})
    with torch.no_grad():
        own = results(net(x))
        exact = results(net.double()(x.double()))
    for y, z, o in zip(got, exact, own, strict=True):
        assert y.shape == z.shape, source
        assert gap(y, z) <= CLOSE + TIMES * gap(o, z), f"{gap(y, z)}, torch {gap(o, z)}\n{source}"


def results(found: Any) -> list[np.ndarray]:
    return [array(y) for y in (found if isinstance(found, tuple) else (found,))]


def gap(y: np.ndarray, exact: np.ndarray) -> float:
    """The largest difference, relative to the largest number."""
    return float(np.abs(y - exact).max() / max(1.0, np.abs(exact).max()))

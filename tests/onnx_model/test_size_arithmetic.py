"""Arithmetic on sizes: what ONNX Runtime computes with its default optimizations, and torch, is what Python computes.

Random formulas stand as values, shapes, bounds of slices, indices, padding, shifts, and with the index of an iteration.
"""

from __future__ import annotations

import math
import random
from typing import Any

import numpy as np
import pytest
import torch

import ogive
from ogive.backends.onnx_model.export import Settings, exported
from ogive.backends.onnx_model.serialize.external_data import arrays
from ogive.backends.onnx_model.serialize.write import whole
from onnx_model.harness import array, checked, session

NAMES = ("a", "b", "c")
SIZES = ((1, 1, 1), (1, 2, 3), (5, 1, 2), (3, 4, 1), (2, 7, 8), (8, 3, 5))
LARGEST = 2**40  # of a value: what is tried is arithmetic, not overflow
PYTHON: dict[str, Any] = {
    "ceil_div": lambda a, b: -(-a // b), "min": min, "max": max, "sqrt": math.sqrt, "log2": math.log2,
    "floor": math.floor, "ceil": math.ceil,
}  # fmt: skip


class Formulas:
    """Random formulas over the sizes `a`, `b`, `c`, and over more names where given."""

    def __init__(self, seed: int, names: tuple[str, ...] = NAMES) -> None:
        self.draw, self.names = random.Random(seed), names

    def whole(self, depth: int = 3) -> str:
        """An integer, which may be negative."""
        if depth == 0 or self.draw.random() < 0.15:
            return self.draw.choice((*self.names, *self.names, str(self.draw.randint(0, 9)), "1"))
        match self.draw.choice(("+", "-", "*", "//", "//", "%", "%", "**", "min", "max", "ceil_div", "-x")):
            case "+" | "-" | "*" as op:
                return f"({self.whole(depth - 1)} {op} {self.whole(depth - 1)})"
            case "//" | "%" as op:
                return f"({self.whole(depth - 1)} {op} {self.positive(depth - 1)})"
            case "**":
                exponent = self.draw.choice(("2", "3", f"({self.draw.choice(self.names)} % 4)", "0"))
                base = "2" if self.draw.random() < 0.5 or "%" in exponent else self.whole(depth - 2 if depth > 1 else 0)
                return f"({base} ** {exponent})"
            case "ceil_div":
                return f"ceil_div({self.whole(depth - 1)}, {self.positive(depth - 1)})"
            case "-x":
                return f"(0 - {self.whole(depth - 1)})"
            case name:
                return f"{name}({self.whole(depth - 1)}, {self.whole(depth - 1)})"

    def positive(self, depth: int) -> str:
        """An integer that is surely at least 1."""
        name, number = self.draw.choice(NAMES), self.draw.randint(1, 9)
        plain = (str(number), name, f"({name} + {number})", f"({number} * {name})")
        return self.draw.choice(plain) if depth <= 0 else self.draw.choice((*plain, f"max({self.whole(depth)}, 1)"))

    def real(self, depth: int = 2) -> str:
        """A number that is no integer."""
        x = self.whole(depth)
        kinds = (
            f"({x} / {self.positive(depth)})", f"(0.29 * {x} * 100)", f"sqrt({self.positive(depth)})",
            f"floor({x} * 0.1 + 0.7 / 0.1)", f"ceil(log2({self.positive(depth)}))", f"({x} // 0.3)", f"({x} % 0.7)",
            f"floor(sqrt({self.draw.choice(NAMES)} ** 2))", f"(2.5 % {self.positive(depth)})",
            f"min({x}, 2.5)", f"({self.positive(depth)} ** 0.5)",
        )  # fmt: skip
        return self.draw.choice(kinds)


def value(text: str, sizes: tuple[int, ...], **more: int) -> Any:
    """What Python computes."""
    return eval(text, {"__builtins__": {}}, {**PYTHON, **dict(zip(NAMES, sizes, strict=True)), **more})


def fitting(make: Any, **more: int) -> str:
    """A formula whose values are small at all sizes."""
    while True:
        text = make()
        if all(abs(value(text, sizes, **more)) < LARGEST for sizes in SIZES):
            return str(text)


def program(seed: int) -> tuple[str, Any]:
    """A program of a dozen formulas, and its outputs by numpy."""
    formulas = Formulas(seed)
    values = [fitting(formulas.whole) for _ in range(6)]
    reals = [fitting(formulas.real) for _ in range(3)]
    shape, low, high, at, shift, wide, factor = (fitting(formulas.whole) for _ in range(7))
    turned = fitting(Formulas(seed, (*NAMES, "i")).whole, i=3)
    source = f"""
block F(x: [a, b, c]) -> (v: int[6], r: [4], s: [s0, 2], l: int[l0], t: int[], h: int[32], p: int[p0], f: int[32],
    u: int[1]):
    g = arange[32]
    v = constant[[{", ".join(values)}]]
    z = sum(x) * 0
    r = stack[0]({", ".join(f"z + {real}" for real in reals)}, z)
    s = zeros[max(min({shape}, 6), 1), 2] + 1
    l = g[min(max({low}, 0), 7):8 + min(max({high}, 0), 8)]
    t = g[min(max({at}, 0), 31)]
    h = roll[0, {shift}](g)
    p = pad[0, before=min(max({wide}, 0), 4), after=1](g)
    f = g * ({factor})
    u = zeros[1, type=int]
    repeat a with i in range(a):
        u = u * 3 + ({turned})
    return v, r, s, l, t, h, p, f, u
model M = F
"""

    def expected(sizes: tuple[int, ...]) -> list[np.ndarray]:
        g = np.arange(32)
        number = {name: value(text, sizes) for name, text in zip(
            ("shape", "low", "high", "at", "shift", "wide", "factor"), (shape, low, high, at, shift, wide, factor),
            strict=True,
        )}  # fmt: skip
        total = 0
        for i in range(sizes[0]):
            total = total * 3 + value(turned, sizes, i=i)
        return [
            np.array([value(text, sizes) for text in values]),
            np.array([*(value(text, sizes) for text in reals), 0.0], np.float64),
            np.ones((max(min(number["shape"], 6), 1), 2)),
            g[min(max(number["low"], 0), 7) : 8 + min(max(number["high"], 0), 8)],
            g[min(max(number["at"], 0), 31)],
            np.roll(g, number["shift"]),
            np.pad(g, (min(max(number["wide"], 0), 4), 1)),
            g * number["factor"],
            np.array([total]),
        ]

    return source, expected


FEW, MANY = 25, 500  # programs, of 17 formulas each


def seeds() -> list[Any]:
    """Some always, many where time allows."""
    return [*range(FEW), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(FEW, MANY))]


@pytest.mark.parametrize("seed", seeds())
def test_random_formulas(seed: int) -> None:
    source, expected = program(seed)
    model = ogive.source(source).models["M"]
    net = model.torch().double()
    runs = []
    for functions in (False, True):
        proto = whole(exported(model.ir, arrays(net), Settings(dtype="f64", functions=functions)))
        checked(proto)
        runs.append(session(proto))
    for sizes in SIZES:
        x = torch.zeros(sizes, dtype=torch.double)
        wanted = expected(sizes)
        for found in ([array(y) for y in net(x)], *(run.run(None, {"x": array(x)}) for run in runs)):
            for name, got, exact in zip("vrslthpfu", found, wanted, strict=True):
                np.testing.assert_allclose(got, exact, rtol=1e-12, atol=1e-12, err_msg=f"{name} at {sizes}\n{source}")


@pytest.mark.parametrize("by", [-5, -1, 0, 1, 3, 7])
@pytest.mark.parametrize("opset", [20, 23, 26])
def test_rolls_by_numbers(by: int, opset: int) -> None:
    model = ogive.source(f"block F(x: [b, n]) -> [b, n]:\n    return roll[1, {by}](x)\nmodel M = F\n").models["M"]
    run = session(whole(exported(model.ir, {}, Settings(opset=opset))))
    for n in range(1, 9):
        x = np.arange(2 * n, dtype=np.float32).reshape(2, n)
        np.testing.assert_array_equal(run.run(None, {"x": x})[0], np.roll(x, by, 1))


def test_a_power_of_a_size_is_no_whole_number_where_its_exponent_may_be_negative() -> None:
    def conditions(formula: str) -> tuple[str, ...]:
        return ogive.source(f"block F(x: [n]) -> [n]:\n    return x * {formula}\nmodel M = F\n").models["M"].conditions

    assert conditions("2 ** (n - 2)") == ("n >= 2",)
    assert conditions("2 ** (n - 1)") == ()
    assert conditions("2 ** (0 - n)") == ()


def test_a_long_formula_of_a_loop_index_is_computed_in_the_iteration() -> None:
    model = ogive.source("""
block F(x: [a, b]) -> [a, b]:
    repeat a with i in range(a):
        x = x * 2 + i * (i + b) // (3 * a + 7 * b + 1) + (i * a + 1) * (b + 2) * 3
    return x
model M = F
""").models["M"]
    x, wanted = torch.randn(3, 5), 0
    for i in range(3):
        wanted = wanted * 2 + i * (i + 5) // (3 * 3 + 7 * 5 + 1) + (i * 3 + 1) * (5 + 2) * 3
    torch.testing.assert_close(model.torch()(x), 8 * x + wanted)

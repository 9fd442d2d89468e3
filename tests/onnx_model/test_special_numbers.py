"""NaN, infinities, signed zeros, ties and large integers: one meaning, but for the rows of a table that is run here."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import ogive
from ogive.backends.onnx_model.export import Settings, exported
from ogive.backends.onnx_model.serialize.external_data import arrays
from ogive.backends.onnx_model.serialize.write import whole
from onnx_model.harness import session

PAGE = Path(__file__).parents[2] / "docs" / "onnx.md"
NAN, INF = math.nan, math.inf
Pair = tuple[np.ndarray, np.ndarray]  # of torch, of ONNX Runtime
Both = dict[str, Pair]


def all_of(codes: Mapping[str, str], inputs: Sequence[str], dtype: str = "f32") -> Callable[..., Both]:
    """A function that gives what torch and ONNX Runtime compute of arrays, of one model; by code, types of results."""
    names = "xyz"[: len(inputs)]
    signature = ", ".join(f"{name}: {type}" for name, type in zip(names, inputs, strict=True))
    outputs = ", ".join(f"y{i}: {type}" for i, type in enumerate(codes.values()))
    lines = "".join(f"    y{i} = {code}\n" for i, code in enumerate(codes))
    results = ", ".join(f"y{i}" for i in range(len(codes)))
    text = f"block F({signature}) -> ({outputs}):\n{lines}    return {results}\nmodel M = F\n"
    model = ogive.source(text).models["M"]
    kind = {"f32": torch.float, "f64": torch.double}[dtype]
    net = model.torch().eval().to(kind)
    runtime = session(whole(exported(model.ir, arrays(net), Settings(dtype=dtype))))
    taken = [value.name for value in runtime.get_inputs()]

    def run(*given: Any) -> Both:
        operands = [torch.as_tensor(np.asarray(x)) for x in given]
        operands = [x.to(kind) if x.is_floating_point() else x for x in operands]
        feeds = {name: x.numpy() for name, x in zip(taken, operands, strict=True)}
        theirs = net(*operands)
        theirs = [theirs] if isinstance(theirs, torch.Tensor) else theirs
        pairs = zip(theirs, runtime.run(None, feeds), strict=True)
        return {code: (y.numpy(), z) for code, (y, z) in zip(codes, pairs, strict=True)}

    return run


def both(code: str, inputs: Sequence[str], output: str, dtype: str = "f32") -> Callable[..., Pair]:
    """As `all_of`, of one code."""
    run = all_of({code: output}, inputs, dtype)
    return lambda *given: run(*given)[code]


def same(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Where both are equal, or NaN, or as near as float32 goes."""
    if a.dtype.kind != "f":
        equal: np.ndarray = a == b
        return equal
    with np.errstate(invalid="ignore"):
        near = np.abs(a - b) <= 1e-5 * np.maximum(1, np.abs(a))
    found: np.ndarray = (a == b) | (np.isnan(a) & np.isnan(b)) | (near & np.isfinite(a) & np.isfinite(b))
    return found


# the table


def rows() -> list[tuple[str, ...]]:
    section = PAGE.read_text(encoding="utf-8").partition("## Special numbers")[2].partition("\n## ")[0]
    lines = [line.strip("|") for line in section.splitlines() if line.startswith("| `")]
    return [tuple(cell.strip() for cell in line.split(" | ")) for line in lines]


def value(cell: str) -> np.ndarray:
    return np.array(eval(cell.strip("`"), {"nan": NAN, "inf": INF}))


def allowed(cell: str, found: np.ndarray, x: np.ndarray) -> bool:
    """Whether the result is one of those that the cell lists, or one that the row can give at all."""
    if cell != "open":
        return any(same(np.broadcast_to(value(each), found.shape), found).all() for each in cell.split(" or "))
    places = found.dtype.kind == "i" and x.dtype.kind == "f"
    return bool((0 <= found).all() and (found < x.size).all()) if places else found.shape != ()


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0])
def test_a_row_of_the_table_is_true(row: tuple[str, ...]) -> None:
    program, operand, of_torch, of_runtime = row
    code = program.split("`")[1]
    integers, places = "integers" in program, "places" in program and "topk" in code
    x = value(operand).astype(np.int64 if integers else np.float64)
    shape = np.shape(value((of_runtime if of_torch == "open" else of_torch).split(" or ")[0]))
    elem = "int" if integers or places or code.startswith("arg") else ""
    output = f"{elem}[{', '.join(map(str, shape))}]"
    if code.startswith("topk"):
        code = f"[{code}][0][{int(places)}]"
    run = both(code, [f"{'int' if integers else ''}[{x.size}]"], output, "f64" if "in f64" in program else "f32")
    theirs, ours = run(x)
    assert allowed(of_torch, theirs, x), theirs
    assert allowed(of_runtime, ours, x), ours


# all else

SPECIAL = [1.0, NAN, 2.5, -0.0, 0.0, -INF, INF, -1.0, 0.5, 1.5, -0.5, -2.5, 3.5, -7.3, 1e30, -1e30, 1e-20, 88.0, -104.0]
UNARY = """exp expm1 log log1p log2 log10 sqrt rsqrt sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh erf
    lgamma digamma abs sign floor ceil trunc round relu gelu
    gelu_tanh silu sigmoid softplus elu leaky_relu hardswish hardsigmoid hardtanh mish relu6 -x clamp[-1.0,1.0]
    clamp[0.5,inf] clamp[-inf,0.5] softplus[2.0] x**0.5 x**-0.5 x**2 x**3 x**-2 x**1.5 x**0 2**x (-2)**x x//2 x//-3
    x//0.1 x%2 x%-3 x%0.1 3%x -3//x maximum(x,0.5) minimum(0.5,x) x*0 1/x""".split()
# where the table has another row, or float32 itself has no answer (the sine of 1e30)
LEFT_OUT = {
    "sign": [NAN], "gelu": [INF, -INF], "digamma": [-0.0],
    "sin": [1e30, -1e30], "cos": [1e30, -1e30], "tan": [1e30, -1e30],
}  # fmt: skip
LENGTHS = (1, 3, 8, 17, 33)  # kernels take several numbers at once, and those left over one by one


def test_operations_of_one_number() -> None:
    codes = {op if set("x(") & set(op.replace("exp", "").replace("max", "")) else f"{op}(x)": op for op in UNARY}
    run = all_of(dict.fromkeys(codes, "[n]"), ["[n]"])
    for length in LENGTHS:
        x = np.resize(np.array(SPECIAL, np.float32), (max(length, len(SPECIAL)) // length + 1) * length)
        for piece in x.reshape(-1, length):
            for code, (theirs, ours) in run(piece).items():
                left = [repr(float(np.float32(at))) for at in LEFT_OUT.get(codes[code], [])]
                counted = np.array([repr(float(at)) not in left for at in piece])
                wrong = counted & ~same(theirs, ours)
                assert not wrong.any(), (code, piece[wrong], theirs[wrong], ours[wrong])


PAIRS = np.array(list(itertools.product(SPECIAL, SPECIAL)), np.float32).T.copy()
TINY = 1e-15  # divisors of 1e30 below it: torch gives NaN where the quotient is more than a float holds


def test_operations_of_two_numbers() -> None:
    codes = {f"x {op} y": "[n]" for op in ("+", "-", "*", "/", "//", "%", "**")}
    codes |= {f"x {op} y": "bool[n]" for op in ("==", "!=", "<", "<=", ">", ">=")}
    codes |= {"maximum(x, y)": "[n]", "minimum(x, y)": "[n]", "atan2(x, y)": "[n]"}
    codes |= {f"is{kind}(x)": "bool[n]" for kind in ("nan", "inf", "finite")}
    a, b = PAIRS
    found = all_of(codes, ["[n]", "[n]"])(a, b)
    for code, (theirs, ours) in found.items():
        wrong = ~same(theirs, ours)
        if "//" in code or "%" in code:
            wrong &= (b == 0) | ~(np.abs(b) < TINY)
        assert not wrong.any(), (code, a[wrong], b[wrong], theirs[wrong], ours[wrong])
    for name in ("maximum", "minimum"):
        assert same(found[f"{name}(x, y)"][0], getattr(np, name)(a, b)).all()


WHOLE = [0, 1, -1, 2, -2, 3, -3, 7, -7, 2**53 + 1, 2**62, -(2**62), 2**63 - 1, -(2**63)]


@pytest.mark.parametrize("elem", ["int", "i32"])
def test_integers_wrap_around_and_divide_downwards(elem: str) -> None:
    """The smallest integer divided by -1 too, which processors refuse."""
    kind = {"int": np.int64, "i32": np.int32}[elem]
    numbers = [x for x in WHOLE if elem == "int" or abs(x) < 8] + ([] if elem == "int" else [2**31 - 1, -(2**31)])
    a, b = np.array(list(itertools.product(numbers, numbers)), kind).T.copy()
    a, b = a[b != 0], b[b != 0]
    codes = {f"x {op} y": elem for op in ("+", "-", "*", "//", "%")} | {"x < y": "bool", "x == y": "bool"}
    found = all_of({code: f"{given}[n]" for code, given in codes.items()}, [f"{elem}[n]", f"{elem}[n]"])(a, b)
    top = 2 ** (8 * np.dtype(kind).itemsize)
    for code, (theirs, ours) in found.items():
        assert (theirs == ours).all(), (code, a[theirs != ours], b[theirs != ours])
        exact = [eval(code, {"x": int(x), "y": int(y)}) for x, y in zip(a, b, strict=True)]
        assert ours.tolist() == [x if type(x) is bool else (x + top // 2) % top - top // 2 for x in exact]


@pytest.mark.parametrize("elem", ["int", "i32"])
def test_bits_of_integers(elem: str) -> None:
    """Those of two's complement; what leaves at the top is gone, and the sign stays at the bottom."""
    bits = 64 if elem == "int" else 32
    numbers = [0, 1, -1, 2, 3, -3, 7, 2 ** (bits - 1) - 1, -(2 ** (bits - 1)), 2 ** (bits - 2) + 5]
    kind = {"int": np.int64, "i32": np.int32}[elem]
    a, b = np.array(list(itertools.product(numbers, numbers)), kind).T.copy()
    signs = {"bitwise_and(x, y)": "x & y", "bitwise_or(x, y)": "x | y", "bitwise_xor(x, y)": "x ^ y"}
    signs |= {"bitwise_not(x)": "~x", "bitwise_and(x, 6)": "x & 6", "bitwise_xor(-2, x)": "-2 ^ x"}
    signs |= {f"shift_left(x, {n})": f"x << {n}" for n in (0, 1, bits - 1)}
    signs |= {f"shift_right(x, {n})": f"x >> {n}" for n in (0, 1, bits - 1)}
    signs |= {f"shift_left(x, bitwise_and(y, {bits - 1}))": f"x << (y & {bits - 1})"}
    signs |= {f"shift_right(x, bitwise_and(y, {bits - 1}))": f"x >> (y & {bits - 1})"}
    found = all_of(dict.fromkeys(signs, f"{elem}[n]"), [f"{elem}[n]", f"{elem}[n]"])(a, b)
    top = 2**bits
    for code, (theirs, ours) in found.items():
        exact = [eval(signs[code], {"x": int(x), "y": int(y)}) for x, y in zip(a, b, strict=True)]
        assert theirs.tolist() == ours.tolist() == [(x + top // 2) % top - top // 2 for x in exact], code


def test_integers_by_a_literal_and_to_a_literal_power() -> None:
    x = np.array(WHOLE)
    codes = [f"x {op} ({literal})" for op in ("//", "%") for literal in (3, -3, 1, -1, 2**62, -(2**63))]
    codes += [f"x ** {power}" for power in (0, 1, 2, 3, 5, 22)]
    for code, (theirs, ours) in all_of(dict.fromkeys(codes, "int[n]"), ["int[n]"])(x).items():
        exact = [(eval(code, {"x": int(a)}) + 2**63) % 2**64 - 2**63 for a in x]
        assert theirs.tolist() == ours.tolist() == exact, code


@pytest.mark.parametrize("op", ["//", "%"])
def test_integers_by_zero_stop_the_run(op: str) -> None:
    model = ogive.source(f"block F(x: int[n], y: int[n]) -> int[n]:\n    return x {op} y\nmodel M = F\n").models["M"]
    x, zero = np.array([1, -1]), np.array([1, 0])
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        model.torch()(torch.as_tensor(x), torch.as_tensor(zero))
    runtime = session(whole(exported(model.ir, {}, Settings())))
    with pytest.raises(Exception, match="modulo by zero"):
        runtime.run(None, {"x": x, "y": zero})


@settings(max_examples=200, deadline=None)
@given(st.floats(-1e6, 1e6), st.floats(0.01, 100), st.booleans())
def test_quotients_of_floats_are_those_of_their_values(a: float, b: float, below: bool) -> None:
    """Not of what a floating-point division makes of them: 1.0 // 0.1 is 9.0."""
    b = -b if below else b
    down = Fraction(a) // Fraction(b)
    found = divided()(np.array([a]), np.array([b]))
    for name, exact in (("//", float(down)), ("%", float(Fraction(a) - down * Fraction(b)))):
        theirs, ours = found[f"x {name} y"]
        assert theirs[0] == ours[0] == exact


@functools.cache
def divided() -> Callable[..., Both]:
    return all_of({"x // y": "[n]", "x % y": "[n]"}, ["[n]", "[n]"], "f64")


ORDERED = {"sort[-1](x)": "[b, n]", "sort[-1, descending=true](x)": "[b, n]", "argmax[-1](x)": "int[b]",
    "max[-1](x)": "[b]", "min[-1](x)": "[b]", "softmax[-1](x)": "[b, n]", "log_softmax[-1](x)": "[b, n]",
    "logsumexp[-1](x)": "[b]", "cumsum[-1](x)": "[b, n]",
    "cumprod[-1](x)": "[b, n]", "cummax[-1](x)": "[b, n]", "cummin[-1](x)": "[b, n]", "argmin[-1](x)": "int[b]",
    "sum[-1](x)": "[b]", "mean[-1](x)": "[b]",
    "prod[-1](x)": "[b]", "var[-1](x)": "[b]", "norm[-1](x)": "[b]",
}  # fmt: skip


def test_ties_and_infinities_along_an_axis() -> None:
    """NaN where it has no order: else it is in the table."""
    rows_ = [[2, 2, 1, 2], [0.0, -0.0, 0.0, -0.0], [-INF, INF, INF, 0], [-INF, -INF, 1, 1], [INF, INF, INF, INF]]
    x = np.array([*rows_, [1, NAN, -INF, 2]], np.float32)
    run = all_of(ORDERED, ["[b, n]"])
    for repeats in (1, 5, 40):
        for code, (theirs, ours) in run(np.tile(x, repeats)).items():
            counted = slice(None) if "softmax" in code or "sum" in code or "mean" in code else slice(-1)
            assert same(theirs, ours)[counted].all(), (code, theirs, ours)


def test_whole_numbers_have_an_order_to_the_last_digit() -> None:
    x = np.array([[2**53 + 1, 2**53, -(2**63)], [2**62, 2**62 + 1, 2**63 - 1]])
    codes = {"max[-1](x)": "int[b]", "argsort[-1](x)": "int[b, n]", "cumsum[-1](x)": "int[b, n]"}
    for code, (theirs, ours) in all_of(codes, ["int[b, n]"])(x).items():
        assert (theirs == ours).all(), code


def test_whole_settings_beside_integers_keep_their_digits() -> None:
    n = 2**53 + 1
    x = np.array([2**60, -(2**60), n, -n, 3])
    codes = {f"clamp[-{n}, {n}](x)": "int[n]", f"full[n, v={n}, type=int]": "int[n]"}
    codes[f"pad[0, before=1, after=0, value={n}](x)[:-1]"] = "int[n]"
    found = list(all_of(codes, ["int[n]"])(x).values())
    for (theirs, ours), exact in zip(found, (np.clip(x, -n, n), np.full(5, n), [n, *x[:-1]]), strict=True):
        assert theirs.tolist() == ours.tolist() == list(exact)


def test_casts_cut_off_towards_zero() -> None:
    x = np.array([0.5, -0.5, 1.9, -1.9, 2.0**31 - 128, NAN, 0.0, -0.0], np.float32)
    theirs, ours = both("cast[int](x)", ["[n]"], "int[n]")(x[:5])
    assert theirs.tolist() == ours.tolist() == [0, 0, 1, -1, 2**31 - 128]
    theirs, ours = both("cast[bool](x)", ["[n]"], "bool[n]")(x)
    assert theirs.tolist() == ours.tolist() == [True, True, True, True, True, True, False, False]

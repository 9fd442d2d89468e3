"""Values of compile time: membership in lists, several loops in a list, whole numbers of floats, lists by iteration."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import ogive
from ogive.backends.onnx_model.export import Settings, exported
from ogive.backends.onnx_model.serialize.external_data import arrays
from ogive.backends.onnx_model.serialize.write import whole
from ogive.compiler.driver.workspace import check_text
from ogive.compiler.elaborate.rules.builtins import BUILTINS
from ogive.compiler.sizes import size
from onnx_model.harness import session


def numbers(text: str) -> list[float]:
    """A list of compile time as a tensor gives it back."""
    net = ogive.source(f"block f(x: [b]) -> [{len(eval_python(text))}]:\n    return constant[{text}] + 0 * x[0]\n")
    found: list[float] = net["f"].torch()(torch.zeros(2)).tolist()
    return found


def eval_python(text: str) -> list[float]:
    """What Python makes of the same text."""
    found: list[float] = eval(text, {"range": range})
    return found


LOOPS = [
    "[i * 10.0 + j for i in range(3) for j in range(2)]",
    "[i + j + 0.5 for i in range(4) if i > 1 for j in [1, 2, 5]]",
    "[i + 0.5 * j for i in range(4) for j in range(i)]",
    "[i + 0.5 for i in range(4) for j in range(3) if j in [i, 2]]",
    "[a + b + c + 0.5 for a in range(2) for b in range(2) for c in range(2) if a != c]",
]


@pytest.mark.parametrize("text", LOOPS)
def test_loops_of_a_list_are_those_of_python(text: str) -> None:
    assert numbers(text) == eval_python(text)


def test_names_of_loops_are_gone_behind_the_list() -> None:
    text = "block f(x: [b]) -> [b]:\n    i = 7\n    a = [i * j for i in range(2) for j in range(2)]\n    return x * i\n"
    net = ogive.source(text)["f"].torch()
    assert net(torch.ones(1)).item() == 7
    found = check_text(text.replace("x * i", "x * j"), "a.arch").diagnostics
    assert [each.code for each in found if each.severity == "error"] == ["E0201"]


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 2**80), st.integers(-2, 2))
def test_whole_functions_are_exact(n: int, beside: int) -> None:
    for value in (n, max(1, n * n + beside), max(1, 2 ** (n % 90) + beside)):
        root = BUILTINS["isqrt"].run(size(value)).number
        assert root**2 <= value < (root + 1) ** 2
        up, down = (BUILTINS[name].run(size(value)).number for name in ("ceil_log2", "floor_log2"))
        assert 2**down <= value < 2 ** (down + 1)
        assert 2**up >= value > (2 ** (up - 1) if up else 0)
        assert BUILTINS["gcd"].run(size(value), size(n)).number == math.gcd(value, n)
        assert BUILTINS["lcm"].run(size(value), size(n)).number == math.lcm(value, n)


@pytest.mark.parametrize("share", [0.25, 0.5, 0.7])
@pytest.mark.parametrize("d", [3, 5, 10])
def test_sizes_of_rounded_floats(d: int, share: float) -> None:
    text = f"""
use std.nn (Linear)
block F[d](x: [b, d]) -> (u: [b, ceil(d * {share})], v: [b, floor(d * {share}) + 1], w: [b, round(d * {share}) + 1]):
    u = x |> Linear[d, ceil(d * {share})]
    v = zeros[b, floor(d * {share}) + 1]
    w = x |> Linear[d, round(d * {share}) + 1]
    return u, v, w
model M = F[{d}]
"""
    found = ogive.source(text).models["M"].torch()(torch.randn(2, d))
    wanted = [math.ceil(d * share), math.floor(d * share) + 1, round(d * share) + 1]
    assert [y.shape[1] for y in found] == wanted


def chosen(condition: str, statics: str) -> float:
    head = "block f[n, mode: str, opts: list](x: [b, n]) -> [b, n]"
    text = f"{head}:\n    if {condition}:\n        return x + 1\n    return x\n"
    net = ogive.source(f"{text}model M = f[{statics}]\n").models["M"].torch()
    return float(net(torch.zeros(1, int(statics.split(",")[0])))[0, 0])


@pytest.mark.parametrize(
    ("condition", "statics", "holds"),
    [
        ('mode in ["a", "b"]', '3, "a", [1]', True),
        ('mode in ["a", "b"]', '3, "c", [1]', False),
        ("n in opts", '3, "a", [1, 3]', True),
        ("n in opts", '3, "a", [1, 4]', False),
        ("n in [len(opts), 2]", '3, "a", [1, 4, 5]', True),
        ("not (n in opts)", '3, "a", []', True),
        ("n in [k + 1 for k in opts]", '3, "a", [2]', True),
        ("mode in opts", '3, "a", ["x", "a"]', True),
        ("n in {3, 4} and mode in opts", '3, "b", ["x", "a"]', False),
    ],
)
def test_membership_in_lists(condition: str, statics: str, holds: bool) -> None:
    assert chosen(condition, statics) == float(holds)


def test_membership_of_open_sizes_is_a_condition() -> None:
    text = "block f(x: [b], y: [c]) -> [b]\nwhere b in {c, 2*c}:\n    return x + sum(y)\nmodel M = f\n"
    net = ogive.source(text).models["M"].torch()
    for b in (3, 6):
        net(torch.zeros(b), torch.zeros(3))
    with pytest.raises(ValueError, match=r"b == c or b == 2\*c|b|c"):
        net(torch.zeros(4), torch.zeros(3))


def test_a_list_by_iteration() -> None:
    text = """
block F[d](x: [b, d]) -> [b, d]:
    pairs = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]
    repeat 3 as layers with s in [1.0, 0.5, -2.0], m in pairs, on in [true, false, true], i in range(3):
        param w: [d] = constant[1.0 / (i + 1)]
        x = select(on, x * w * s + m[0] - m[1], x)
    return x
model M = F[4]
"""
    model = ogive.source(text).models["M"]
    net, x = model.torch(), torch.randn(2, 4)
    wanted = x
    for i, (s, (u, v), on) in enumerate(zip([1.0, 0.5, -2.0], [(1, 2), (3, 4), (5, 6)], [1, 0, 1], strict=True)):
        wanted = wanted / (i + 1) * s + u - v if on else wanted
    found = net(x)
    torch.testing.assert_close(found, wanted)
    runtime = session(whole(exported(model.ir, arrays(net), Settings())))
    np.testing.assert_allclose(runtime.run(None, {"x": x.numpy()})[0], wanted.numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["sqrt", "exp", "log2", "ceil", "round", "sum"])
def test_a_name_of_both_kinds_is_an_operation_where_a_block_is_wanted(name: str) -> None:
    text = f"block f(x: [b, n]) -> [b, n]:\n    y = over[b, {name}](x)\n    return x + sum(y)\n"
    assert not [each for each in check_text(text, "a.arch").diagnostics if each.severity == "error"]


WRONG = [
    ("    repeat 2 with m in [1.0]:\n        x = x * m\n", "E0301", "`1` iterations are given to a loop of `2`"),
    ('    repeat 1 with m in ["a"]:\n        x = x\n', "E0407", "a list of numbers"),
    ("    repeat m in range(3):\n        x = x\n", "E0407", "`repeat` takes a number of iterations"),
    ("    x = x * isqrt(b)\n", "E0602", "known when the model runs alone"),
    ("    x = x * ceil_log2(0)\n", "E0410", "`ceil_log2` takes whole numbers from 1 on, not 0"),
    ("    if x in [1, 2]:\n        x = x\n", "E0407", "not of tensors"),
    ("    y = [i for i in range(2) for j in x]\n", "E0602", "a tensor cannot be looped over"),
    ("    y = [i for i in 3 for j in range(2)]\n", "E0407", "a list is needed here"),
]


@pytest.mark.parametrize(("body", "code", "said"), WRONG)
def test_wrong_use_is_reported(body: str, code: str, said: str) -> None:
    found = check_text(f"block f(x: [b]) -> [b]:\n{body}    return x\n", "a.arch").diagnostics
    errors = [each for each in found if each.severity == "error"]
    assert [each.code for each in errors] == [code], errors
    assert said in errors[0].message

"""Element-wise operations against torch and against formulas."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ogive.compiler.ir.model import Const, Scalar
from ogive.compiler.ops import elementwise
from ogive.compiler.sizes import size
from ops.cases import Case, check, numbers
from ops.harness import Collected, Names, infer, lowered, refused


def positive(*tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
    return tuple(x.abs() + 0.1 for x in tensors)


def small(*tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
    return tuple(x.tanh() * 0.9 for x in tensors)


def nonzero(a: torch.Tensor, b: torch.Tensor) -> tuple[torch.Tensor, ...]:
    return a, b + torch.where(b >= 0, 1, -1).to(b.dtype)


def counted(*tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
    return tuple(x.abs() + 1 for x in tensors)


def turned(*tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Whole numbers on both sides of 0."""
    return tuple(x * (1 - 2 * (x % 2)) for x in tensors)


def _bits(a: torch.Tensor, b: torch.Tensor | int, join: Callable[..., Any]) -> torch.Tensor:
    """Whole numbers below 128, joined bit by bit."""
    parts = [join(a // 2**k % 2, b // 2**k % 2) * 2**k for k in range(7)]
    return torch.stack(parts).sum(0)


def unary(op: str, reference: Callable[[torch.Tensor], torch.Tensor], **more: Any) -> Case:
    return Case(op, ("b n d",), reference, **more)


INF = float("inf")
CASES = [
    Case("add", ("b n d", "d"), lambda a, b: a + b),
    Case("add", ("n d", Const(2)), lambda a: a + 2),
    Case("add", ("1 d", "n 1"), lambda a, b: a + b),
    Case("add", ("int: n", Const(size(3))), lambda a: a + 3),
    Case("sub", ("n d", "b n d"), lambda a, b: a - b),
    Case("sub", (Const(1), "n d"), lambda b: 1 - b),
    Case("mul", ("n d", "n 1"), lambda a, b: a * b),
    Case("mul", ("complex: n d", Const(0.5)), lambda a: a * 0.5),
    Case("div", ("n d", "d"), lambda a, b: a / b, prepare=nonzero),
    Case("div", ("n d", Const(Scalar("sqrt", (2,)))), lambda a: a / math.sqrt(2)),
    Case("div", (Const(1.0), "n d"), lambda b: 1 / b, prepare=positive),
    Case("floordiv", ("int: n d", "int: d"), lambda a, b: torch.floor(a / b).long(), prepare=nonzero, high=9),
    Case("floordiv", ("n d", Const(0.5)), lambda a: torch.floor(a / 0.5)),
    Case("floordiv", ("n d", "d"), lambda a, b: torch.floor(a / b), prepare=nonzero),
    Case("floordiv", (Const(7), "n d"), lambda b: torch.floor(7 / b), prepare=positive),
    Case("floordiv", (Const(7), "int: n d"), lambda b: torch.floor(7 / b).long(), prepare=counted, high=9),
    Case("mod", ("int: n d", Const(3)), lambda a: a - 3 * torch.floor(a / 3).long(), high=9),
    Case("mod", ("n d", "n d"), lambda a, b: a - b * torch.floor(a / b), prepare=nonzero),
    Case("mod", ("n d", Const(0.5)), lambda a: a - 0.5 * torch.floor(a / 0.5)),
    Case(
        "mod", (Const(Scalar("sqrt", (50,))), "d"), lambda b: 50**0.5 - b * torch.floor(50**0.5 / b), prepare=positive
    ),
    Case("mod", (Const(7), "int: n d"), lambda b: 7 - b * torch.floor(7 / b).long(), prepare=counted, high=9),
    Case("pow", ("n d", Const(2)), lambda a: a * a),
    Case("pow", ("n d", Const(0.5)), lambda a: a.sqrt(), prepare=positive),
    Case("pow", (Const(2), "n d"), lambda b: torch.exp(b * math.log(2))),
    Case("pow", ("n d", "d"), lambda a, b: torch.exp(b * a.log()), prepare=positive),
    unary("neg", lambda x: 0 - x),
    Case("eq", ("int: n d", "int: n d"), lambda a, b: ~((a < b) | (a > b))),
    Case("eq", ("bool: n d", Const(True)), lambda a: a),
    Case("ne", ("n d", Const(0)), lambda a: (a < 0) | (a > 0)),
    Case("lt", ("n 1", "n"), lambda a, b: b > a),
    Case("le", ("int: n", "int: n"), lambda a, b: ~(a > b)),
    Case("gt", ("n d", Const(0.5)), lambda a: a.clamp(min=0.5) != 0.5),
    Case("ge", (Const(0), "n d"), lambda b: b <= 0),
    Case("minimum", ("n d", "d"), lambda a, b: torch.where(a < b, a, b)),
    Case("minimum", ("n d", Const(0.5)), lambda a: torch.where(a < 0.5, a, 0.5)),
    Case("maximum", (Const(0), "int: n d"), lambda b: torch.where(b > 0, b, 0)),
    Case("maximum", ("n d", "b n d"), lambda a, b: torch.where(a > b, a, b)),
    Case("select", ("bool: n d", "n d", "d"), lambda c, a, b: c * a + ~c * b),
    Case("select", ("bool: q k", "b q k", Const(-INF)), lambda c, a: a + torch.log(c.to(a.dtype))),
    Case("select", ("bool: n", Const(1.0), Const(-1)), lambda c: 2.0 * c - 1),
    Case("lerp", ("n d", "n d", Const(0.1)), lambda a, b: 0.9 * a + 0.1 * b),
    Case("lerp", ("n d", "d", "n 1"), lambda a, b, t: (1 - t) * a + t * b),
    Case("logical_and", ("bool: n d", "bool: d"), lambda a, b: ~(~a | ~b)),
    Case("logical_or", ("bool: n d", "bool: d"), lambda a, b: ~(~a & ~b)),
    Case("logical_not", ("bool: n d",), lambda a: a.logical_not()),
    unary("exp", lambda x: math.e**x),
    unary("expm1", lambda x: math.e**x - 1),
    unary("log", lambda x: torch.log2(x) / math.log2(math.e), prepare=positive),
    unary("log1p", lambda x: (1 + x).log(), prepare=positive),
    unary("log2", lambda x: x.log() / math.log(2), prepare=positive),
    unary("log10", lambda x: x.log() / math.log(10), prepare=positive),
    unary("sqrt", lambda x: x**0.5, prepare=positive),
    unary("rsqrt", lambda x: x**-0.5, prepare=positive),
    unary("sin", lambda x: torch.cos(x - math.pi / 2)),
    unary("cos", lambda x: 1 - 2 * (x / 2).sin() ** 2),
    unary("tan", lambda x: x.sin() / x.cos(), prepare=small),
    unary("asin", lambda x: 2 * (x / (1 + (1 - x * x).sqrt())).atan(), prepare=small),
    unary("acos", lambda x: math.pi / 2 - x.asin(), prepare=small),
    unary("atan", lambda x: (x / (1 + x * x).sqrt()).asin()),
    Case("atan2", ("n d", "d"), lambda a, b: torch.complex(b.expand_as(a), a).angle()),
    Case("atan2", ("n d", Const(0.5)), lambda a: (2 * a).atan()),
    Case("atan2", (Const(1), "n d"), lambda b: math.pi / 2 - b.atan()),
    unary("sinh", lambda x: (x.exp() - (-x).exp()) / 2),
    unary("cosh", lambda x: (x.exp() + (-x).exp()) / 2),
    unary("tanh", lambda x: 1 - 2 / ((2 * x).exp() + 1)),
    unary("asinh", lambda x: (x + (x * x + 1).sqrt()).log()),
    unary("acosh", lambda x: (x + (x * x - 1).sqrt()).log(), prepare=counted),
    unary("atanh", lambda x: ((1 + x) / (1 - x)).log() / 2, prepare=small),
    unary("erf", lambda x: 2 * torch.special.ndtr(x * math.sqrt(2)) - 1),
    unary("lgamma", lambda x: torch.special.gammaln(x), prepare=positive),
    unary("digamma", lambda x: torch.special.psi(x), prepare=positive),
    unary("abs", lambda x: (x * x).sqrt()),
    Case("abs", ("complex: n",), lambda x: (x.real**2 + x.imag**2).sqrt()),
    unary("sign", lambda x: (x > 0).to(x.dtype) - (x < 0).to(x.dtype)),
    unary("floor", lambda x: -torch.ceil(-x)),
    unary("ceil", lambda x: -torch.floor(-x)),
    unary("trunc", lambda x: x.abs().floor() * x.sign()),
    Case("ceil", ("int: n",), lambda x: x),
    Case("trunc", ("int: n",), lambda x: x),
    unary("round", lambda x: (x + 0.5).floor()),
    unary("isfinite", lambda x: ~(x.isnan() | x.isinf()), prepare=lambda x: (1 / x.round(),)),
    unary("isnan", lambda x: x != x, prepare=lambda x: (x.round() / x.round(),)),
    unary("isinf", lambda x: x.abs() == INF, prepare=lambda x: (1 / x.round(),)),
    Case("isnan", ("int: n",), lambda x: x < x),
    Case("isinf", ("int: n",), lambda x: x < x),
    Case("bitwise_and", ("int: n d", "int: d"), lambda a, b: _bits(a, b, lambda x, y: x * y), high=90),
    Case("bitwise_or", ("int: n d", Const(12)), lambda a: _bits(a, 12, lambda x, y: (x + y) > 0), high=90),
    Case("bitwise_xor", ("int: n d", "int: n d"), lambda a, b: _bits(a, b, lambda x, y: x != y), high=90),
    Case("bitwise_not", ("int: n d",), lambda a: -1 - a, high=90),
    Case("shift_left", ("int: n d", Const(3)), lambda a: 8 * a, high=90),
    Case("shift_left", (Const(5), "int: n d"), lambda b: 5 * 2**b, high=9),
    Case("shift_left", ("int: n d", "int: n d"), lambda a, b: a * 2**b, high=9),
    Case("shift_right", ("int: n d", Const(2)), lambda a: (a / 4).floor().long(), prepare=turned, high=90),
    Case("shift_right", ("int: n d", "int: d"), lambda a, b: (a / 2**b).floor().long(), high=9),
    unary("clamp", lambda x: x.minimum(torch.ones_like(x)).maximum(-torch.ones_like(x)), statics={"lo": -1, "hi": 1}),
    unary("clamp", lambda x: x.relu(), statics={"lo": 0, "hi": INF}),
    Case("clamp", ("int: n",), lambda x: x.clamp(1, 3), {"lo": 1.0, "hi": 3.0}, high=9),
    unary("cast", lambda x: x.trunc().long(), statics={"type": "int"}),
    unary("cast", lambda x: x != 0, statics={"type": "bool"}),
    unary("cast", lambda x: x.double(), statics={"type": "f64"}),
    unary("cast", lambda x: torch.complex(x, 0 * x), statics={"type": "complex"}),
    Case("cast", ("int: n",), lambda x: x * 1.0, statics={"type": "float"}),
    unary("relu", lambda x: (x + x.abs()) / 2),
    unary("gelu", lambda x: x * torch.special.ndtr(x)),
    unary("gelu_tanh", lambda x: x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) / 2),
    unary("silu", lambda x: x / (1 + (-x).exp())),
    unary("sigmoid", lambda x: 1 / (1 + (-x).exp())),
    unary("softplus", lambda x: (1 + x.exp()).log()),
    unary("softplus", lambda x: (1 + (3 * x).exp()).log() / 3, statics={"beta": 3.0}),
    unary("elu", lambda x: torch.where(x > 0, x, x.exp() - 1)),
    unary("elu", lambda x: torch.where(x > 0, x, 0.5 * (x.exp() - 1)), statics={"alpha": 0.5}),
    unary("leaky_relu", lambda x: torch.where(x > 0, x, 0.2 * x), statics={"slope": 0.2}),
    unary("hardswish", lambda x: x * (x + 3).clamp(0, 6) / 6),
    unary("hardsigmoid", lambda x: (x + 3).clamp(0, 6) / 6),
    unary("hardtanh", lambda x: x.clamp(-1, 1)),
    unary("hardtanh", lambda x: x.clamp(-0.5, 2), statics={"lo": -0.5, "hi": 2.0}),
    unary("mish", lambda x: x * torch.tanh((1 + x.exp()).log())),
    unary("relu6", lambda x: x.clamp(0, 6), prepare=lambda x: (9 * x,)),
]


@pytest.mark.parametrize("case", CASES, ids=str)
@settings(max_examples=12, deadline=None)
@given(number=numbers(), seed=st.integers(0, 9))
def test_rule_and_values(case: Case, number: Callable[[str, int], int], seed: int) -> None:
    check(case, number, seed)


def test_every_operation_has_a_case() -> None:
    assert {case.op for case in CASES} == {spec.name for spec in elementwise.OPS}


REFUSED = [
    ("add", ("n", "int: n"), "E0501", 1, "cast[float](x)"),
    ("add", ("int: n", "n"), "E0501", 0, "cast[float](x)"),
    ("add", ("int: n", Const(0.5)), "E0501", 0, "cast[float](x)"),
    ("add", ("bool: n", Const(1)), "E0501", 0, "cast[float](x)"),
    ("add", ("f16: n", "bf16: n"), "E0501", 1, "cast[f16](x)"),
    ("mul", ("bool: n", "bool: n"), "E0501", 0, "cast[float](x)"),
    ("div", ("int: n", Const(2)), "E0501", 0, "cast[float](x), or `//` to round down"),
    ("pow", ("int: n", Const(-1)), "E0501", 0, "cast[float](x)"),
    ("lt", ("complex: n", "complex: n"), "E0501", 0, "cast[float](x)"),
    ("exp", ("int: n",), "E0501", 0, "cast[float](x)"),
    ("logical_and", ("n", "n"), "E0501", 0, "cast[bool](x)"),
    ("select", ("n", "n", "n"), "E0501", 0, "cast[bool](x)"),
    ("select", ("bool: n", "n", "int: n"), "E0501", 2, "cast[float](x)"),
    ("select", ("bool: n", "bool: n", Const(1)), "E0501", 1, "cast[float](x)"),
    ("add", ("*b d", "c d"), "E0301", 1, ""),
    ("add", ("*b d", "*c d"), "E0301", 1, ""),
    ("add", ("*b d", "1 d"), "E0301", 1, ""),
]


@pytest.mark.parametrize(("op", "inputs", "code", "operand", "help"), REFUSED)
def test_refused(op: str, inputs: tuple[Any, ...], code: str, operand: int, help: str) -> None:
    names = Names()
    error = refused(op, [names.operand(item) for item in inputs])
    assert (error.code, error.operand, error.help) == (code, operand, help)


def test_sizes_never_broadcast() -> None:
    names, checker = Names(), Collected()
    infer("add", [names.type("b n d"), names.type("m d")], checker=checker)
    disagreements = [(str(c), text, operand) for c, text, operand in checker.constraints if c.unknowns]
    assert ("n == m", "adds `m` to `n`, at axis -2", 1) in disagreements


def test_packs_meet_themselves() -> None:
    names = Names()
    for left, right in [("*b n d", "d"), ("*b n d", "*b n d"), ("d", "*b d"), ("b c *s", "b c *s")]:
        ((result,), _) = infer("mul", [names.type(left), names.type(right)])
        longer = max(left, right, key=len)
        assert str(result) == str(names.type(longer))


def test_labels() -> None:
    names = Names()
    ((result,), _) = infer("add", [names.type("b =n =d"), names.type("q=n e=d")])
    assert [axis.label for axis in result.axes] == ["b", "q", "e"]
    ((result,), _) = infer("add", [names.type("1 d"), names.type("n 1")])
    assert [axis.label for axis in result.axes] == ["n", "d"]


@pytest.mark.parametrize(
    ("op", "inputs", "statics", "text"),
    [
        ("gelu_tanh", ("n",), {}, 'F.gelu(x0, approximate="tanh")'),
        ("clamp", ("n",), {"lo": 0, "hi": INF}, "x0.clamp(min=0)"),
        ("leaky_relu", ("n",), {}, "F.leaky_relu(x0)"),
        ("leaky_relu", ("n",), {"slope": 0.2}, "F.leaky_relu(x0, negative_slope=0.2)"),
        ("minimum", ("n", Const(1)), {}, "x0.clamp(max=1)"),
        ("floordiv", ("n", Const(2)), {}, 'torch.div(x0, 2, rounding_mode="floor")'),
        ("floordiv", ("int: n", Const(2)), {}, "x0 // 2"),
        ("mod", ("n", Const(2)), {}, "x0 % 2"),
        ("mod", (Const(2), "n"), {}, "x1.new_full((), 2) % x1"),
        ("cast", ("n",), {"type": "float"}, "x0"),
        ("cast", ("n",), {"type": "int"}, "x0.long()"),
        ("logical_not", ("bool: n",), {}, "~x0"),
    ],
)
def test_source(op: str, inputs: tuple[Any, ...], statics: dict[str, Any], text: str) -> None:
    names = Names()
    types = [names.operand(item) for item in inputs]
    assert lowered(op, types, statics, names.values({"n": 3})) == text

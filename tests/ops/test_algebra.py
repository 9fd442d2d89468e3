"""Transforms, complex numbers, linear systems, recurrences and gradients by hand."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import ogive
from ogive.compiler.ir.model import Const
from ogive.compiler.ops import algebra, fourier
from ops.cases import Case, check, numbers
from ops.harness import Collected, Names, function_of, infer, lowered, node_of, refused

T = torch.Tensor


def dft(x: T, dim: int, sign: int = -1) -> T:
    """The transform by its sum."""
    n = x.shape[dim]
    k = torch.arange(n, dtype=torch.double)
    turn = torch.polar(torch.ones(n, n, dtype=torch.double), sign * 2 * math.pi * k[:, None] * k / n)
    y = torch.einsum("...n,nk->...k", x.to(torch.complex128).movedim(dim, -1), turn).movedim(-1, dim)
    return y.to(torch.complex64 if x.dtype in (torch.float, torch.complex64) else torch.complex128)


def regular(a: T, *rest: T) -> tuple[T, ...]:
    """Far from singular."""
    return (a + 4 * torch.eye(a.shape[-1], dtype=a.dtype), *rest)


def definite(a: T) -> tuple[T, ...]:
    return (a @ a.transpose(-1, -2) + torch.eye(a.shape[-1], dtype=a.dtype),)


def by_steps(a: T, b: T, h: T | None = None, dim: int = 1) -> T:
    a = a.expand(b.shape)
    h = torch.zeros_like(b.select(dim, 0)) if h is None else h
    steps = []
    for t in range(b.shape[dim]):
        h = a.select(dim, t) * h + b.select(dim, t)
        steps.append(h)
    return torch.stack(steps, dim)


def columns(a: T, b: T) -> T:
    return a.inverse() @ b


CASES = [
    Case("fft", ("b n",), lambda x: dft(x, -1)),
    Case("fft", ("complex: b n d",), lambda x: dft(x, 1) / x.shape[1] ** 0.5, {"axes": ("n",), "norm": "ortho"}),
    Case("fft", ("b h w",), lambda x: dft(dft(x, 1), 2), {"axes": (1, 2)}),
    Case("ifft", ("complex: b n d",), lambda x: dft(x, 1, 1) / x.shape[1], {"axes": ("n",)}),
    Case("rfft", ("b n",), lambda x: dft(x, -1)[..., : x.shape[-1] // 2 + 1]),
    Case(
        "rfft", ("b c h w",), lambda x: dft(dft(x, 3), 2)[..., : x.shape[-1] // 2 + 1], {"axes": ("h", "w")}
    ),
    Case("rfft", ("b n d",), lambda x: dft(x, 1)[:, : x.shape[1] // 2 + 1], {"axes": (1,)}),
    Case("irfft", ("complex: b n",), lambda x: torch.fft.irfft(x, 2 * x.shape[-1] - 2), low=2),
    Case(
        "irfft", ("complex: b m d",), lambda x: torch.fft.irfft(x, 2 * x.shape[1] - 1, dim=1),
        lambda names: {"axes": ("m",), "sizes": (2 * names["m"] - 1,)},
    ),
    Case(
        "irfft", ("complex: h w",), lambda x: torch.fft.irfft2(x, (3, 6), norm="forward"),
        {"axes": (0, 1), "sizes": (3, 6), "norm": "forward"},
    ),
    Case("complex", ("n d", "d"), lambda a, b: a + 1j * b),
    Case("complex", ("n d", Const(0)), lambda a: a + 0j),
    Case("complex", (Const(1.0), "n"), lambda b: 1 + 1j * b),
    Case("real", ("complex: n d",), lambda x: (x + x.conj()).abs() / 2 * torch.sign(torch.view_as_real(x)[..., 0])),
    Case("imag", ("complex: n d",), lambda x: torch.view_as_real(x)[..., 1]),
    Case("conj", ("complex: n d",), lambda x: torch.complex(x.real, -x.imag)),
    Case("solve", ("b n n", "b n"), lambda a, b: columns(a, b[..., None])[..., 0], prepare=regular),
    Case("solve", ("b n n", "1 n"), lambda a, b: columns(a, b[..., None])[..., 0], prepare=regular),
    Case("solve", ("b n n", "b n k"), columns, prepare=regular),
    Case("solve", ("n n", "b n k"), columns, prepare=regular),
    Case("solve_triangular", ("b n n", "b n k"), lambda a, b: columns(a.tril(), b), prepare=regular),
    Case("solve_triangular", ("n n", "b n k"), lambda a, b: columns(a.triu(), b), {"upper": True}, prepare=regular),
    Case(
        "solve_triangular", ("n n", "n k"),
        lambda a, b: columns(a.tril(-1) + torch.eye(a.shape[-1], dtype=a.dtype), b), {"unitriangular": True},
    ),
    Case("cholesky", ("b n n",), lambda a: torch.linalg.cholesky_ex(a)[0], prepare=definite),
    Case("inverse", ("b n n",), lambda a: a.mT @ torch.linalg.pinv(a @ a.mT), prepare=regular),
    Case("det", ("b n n",), lambda a: torch.linalg.eigvals(a).prod(-1).real, prepare=regular),
    Case("linear_scan", ("b n d", "b n d", None), by_steps, {"axis": "n"}),
    Case("linear_scan", ("b n d", "b n d", "b d"), by_steps, {"axis": 1}),
    Case("linear_scan", ("d", "b n d", "d"), by_steps, {"axis": "n"}),
    Case("linear_scan", ("b n 1", "b n d", None), lambda a, b: by_steps(a, b, dim=2), {"axis": -1}),
    Case("linear_scan", ("complex: n", "complex: n", None), lambda a, b: by_steps(a, b, dim=0), {"axis": 0}),
    Case("stop_gradient", ("int: n",), lambda x: x),
    Case("grad_as", ("b n", "b n"), lambda value, surrogate: value),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=str)
@settings(max_examples=15, deadline=None)
@given(number=numbers(), seed=st.integers(0, 9))
def test_rule_and_values(case: Case, number: Callable[[str, int], int], seed: int) -> None:
    check(case, number, seed)


def test_every_operation_has_a_case() -> None:
    assert {case.op for case in CASES} == {spec.name for spec in (*algebra.OPS, *fourier.OPS)}


@pytest.mark.parametrize("start", [False, True])
def test_an_exported_scan_is_that_of_the_module(start: bool) -> None:
    """Its steps are one node of the program, which other lengths take too."""
    body = "    return linear_scan[1](a, x@)\nmodel M = F\n"
    text = f"block F(a: [b, n, d], x: [b, n, d], h: [b, d]) -> [b, n, d]:\n{body}"
    net = ogive.source(text.replace("@", ", h" if start else "")).models["M"].torch().double()
    args = [torch.rand(2, 5, 3).double(), torch.randn(2, 5, 3).double(), torch.randn(2, 3).double()]
    length = torch.export.Dim("n", min=2, max=64)
    shapes: Any = ({1: length}, {1: length}, {})
    program = torch.export.export(net, tuple(args), dynamic_shapes=shapes).module()
    for n in (5, 2, 9):
        a, x = torch.rand(2, n, 3).double(), torch.randn(2, n, 3).double()
        torch.testing.assert_close(program(a, x, args[2]), by_steps(a, x, args[2] if start else None, 1))


@settings(max_examples=30, deadline=None)
@given(length=st.integers(1, 70), seed=st.integers(0, 99))
def test_scan_of_any_length_and_its_gradient(length: int, seed: int) -> None:
    torch.manual_seed(seed)
    names = Names()
    types = [names.type("n d"), names.type("n d"), names.type("d")]
    op = function_of(node_of("linear_scan", types, {"axis": 0}), types, names.values({"n": length, "d": 2}))
    shapes: Any = ((length, 2), (length, 2), (2,))
    a, b, h = (torch.randn(*shape, dtype=torch.double, requires_grad=True) for shape in shapes)
    scale = torch.randn(length, 2, dtype=torch.double)
    y, expected = op(0.9 * a.tanh(), b, h), by_steps(0.9 * a.tanh(), b, h, 0)
    torch.testing.assert_close(y, expected)
    found = torch.autograd.grad((y * scale).sum(), (a, b, h))
    torch.testing.assert_close(found, torch.autograd.grad((expected * scale).sum(), (a, b, h)))


@pytest.mark.parametrize("width", [1, 8])
def test_a_long_scan_equals_the_loop_to_1e6(width: int) -> None:
    torch.manual_seed(width)
    names = Names()
    types = [names.type("n d"), names.type("n d"), names.type("d")]
    op = function_of(node_of("linear_scan", types, {"axis": 0}), types, names.values({"n": 4096, "d": width}))
    a, b = torch.rand(4096, width, requires_grad=True), torch.randn(4096, width, requires_grad=True)
    h = torch.randn(width, requires_grad=True)
    y, expected = op(a, b, h), by_steps(a, b, h, 0)
    g = torch.randn(4096, width)
    ours, theirs = (torch.autograd.grad(each, (a, b, h), g) for each in (y, expected))
    for found, wanted in zip((y, *ours), (expected, *theirs), strict=True):
        torch.testing.assert_close(found, wanted, rtol=0, atol=1e-6 * float(wanted.detach().abs().max()))


def test_gradients_by_hand() -> None:
    names = Names()
    types = [names.type("n"), names.type("n")]
    values = names.values({"n": 3})
    straight = function_of(node_of("grad_as", types), types, values)
    x = torch.tensor([0.3, 1.7, -2.2], requires_grad=True)
    y = straight(x.round(), x * 2)
    assert y.tolist() == x.round().tolist()
    assert torch.autograd.grad(y.sum(), x)[0].tolist() == [2, 2, 2]
    stopped = function_of(node_of("stop_gradient", types[:1]), types[:1], values)
    assert not stopped(x).requires_grad


REFUSED = [
    ("rfft", ("complex: n",), {}, "E0501", 0),
    ("irfft", ("n",), {}, "E0501", 0),
    ("fft", ("*b n",), {"axes": (0,)}, "E0304", 0),
    ("fft", ("n n",), {"axes": ("n",)}, "E0305", 0),
    ("fft", ("b n",), {"axes": (-1, 1)}, "E0305", 0),
    ("fft", ("b n",), {"norm": "unitary"}, "E0408", None),
    ("irfft", ("complex: h w",), {"axes": (0, 1), "sizes": (3,)}, "E0408", None),
    ("complex", ("complex: n", "n"), {}, "E0501", 1),
    ("complex", ("f64: n", "f64: n"), {}, "E0501", 0),  # complex numbers are of the float type of the model
    ("fft", ("f32: n",), {}, "E0501", 0),
    ("rfft", ("bf16: n",), {}, "E0501", 0),
    ("real", ("n",), {}, "E0501", 0),
    ("det", ("n",), {}, "E0303", 0),
    ("solve", ("b n n", "n"), {}, "E0303", 1),
    ("solve_triangular", ("n n", "n"), {}, "E0303", 1),
    ("linear_scan", ("n d", "n d", "n d"), {"axis": 0}, "E0301", 2),
    ("linear_scan", ("n d", "int: n d", None), {"axis": 0}, "E0501", 1),
    ("grad_as", ("n", "b n"), {}, "E0301", 1),
]


@pytest.mark.parametrize(("op", "inputs", "statics", "code", "operand"), REFUSED)
def test_refused(op: str, inputs: tuple[Any, ...], statics: dict[str, Any], code: str, operand: int | None) -> None:
    names = Names()
    error = refused(op, [names.operand(item) for item in inputs], statics)
    assert (error.code, error.operand) == (code, operand)


def test_labels_packs_and_constraints() -> None:
    names, checker = Names(), Collected()
    ((result,), _) = infer("rfft", [names.type("*b h w")], {"axes": ("h", "w")})
    assert str(result) == "complex[*b, h, w//2 + 1]"
    assert [axis.label for axis in result.axes[1:]] == ["h", "w"]
    ((result,), _) = infer("det", [names.type("*b n m")], checker=checker)
    assert str(result) == "[*b]"
    assert ("n == m", "`det` takes a square matrix, not `n` by `m`") in [(str(c), t) for c, t, _ in checker.constraints]


@pytest.mark.parametrize(
    ("op", "inputs", "statics", "text"),
    [
        ("rfft", ("b n",), {}, "torch.fft.rfft(x0)"),
        ("rfft", ("b c h w",), {"axes": ("h", "w")}, "torch.fft.rfftn(x0, dim=(2, -1))"),
        ("irfft", ("complex: b m d",), {"axes": (1,), "sizes": (8,)}, "torch.fft.irfft(x0, n=8, dim=1)"),
        ("linear_scan", ("*b n d", "*b n d", None), {"axis": "n"}, "linear_scan(x0, x1, -2)"),
        ("real", ("complex: n",), {}, "x0.real"),
    ],
)
def test_source(op: str, inputs: tuple[Any, ...], statics: dict[str, Any], text: str) -> None:
    names = Names()
    types = [names.operand(item) for item in inputs]
    assert lowered(op, types, statics, names.values({"n": 3})) == text

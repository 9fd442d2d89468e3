"""Every operation that has a form of its own for complex numbers in ONNX, against torch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnxruntime
import pytest
import torch

import ogive
from ogive.backends.onnx_model.export import Settings, exported
from ogive.backends.onnx_model.ops.complex import COMPLEX
from ogive.backends.onnx_model.serialize.write import whole
from onnx_model.harness import checked

# operation -> (types, expression)
CASES: dict[str, Sequence[str]] = {
    "add": ("x + y", "x + 1.5", "2 + x"),
    "sub": ("x - y", "x - 1.5", "2 - x"),
    "mul": ("x * y", "x * 1.5", "cast[complex](real(x)) * y"),
    "div": ("x / (y + complex(3.0, 0.5))", "x / 1.5", "1 / (x + complex(3.0, 0.5))"),
    "pow": ("x ** 1", "x ** 2", "x ** 5", "x ** 3.0"),
    "exp": ("exp(x)",),
    "sqrt": ("sqrt(x + complex(3.0, 0.5))",),
    "abs": ("abs(x)",),
    "eq": ("x == y", "x == x"),
    "ne": ("x != y", "x != x"),
    "isfinite": ("isfinite(x)", "isfinite(x / (x - x + complex(1e-38, 0.0)))"),
    "isnan": ("isnan(x)", "isnan(complex(log(real(x)), imag(x)))"),
    "isinf": ("isinf(x)", "isinf(complex(real(x), imag(x) / 0))"),
    "select": ("select(real(x) > 0, x, y)", "select(real(x) > 0, x, 0)"),
    "lerp": ("lerp(x, y, cast[complex](sigmoid(real(x))))",),
    "cast": ("cast[complex](real(x))",),
    "ones": ("x + ones[n, n, type=complex]",),
    "full": ("x + full[n, n, v=0.5, type=complex]",),
    "matmul": ("x @ y",),
    "linear": ("linear(x, y)", "linear(x, y, y[0])"),
    "einsum": ('einsum["a b, b c -> a c"](x, y)',),
    "gather": ("gather[0](x, cast[int](real(x) > 0))",),
    "pad": ("pad[0, 1, 2](x)", 'pad[1, 1, 1, mode="reflect"](x)'),
    "tril": ("tril[0](x)", "tril[1](x)", "tril[-2](x)"),
    "triu": ("triu[0](x)", "triu[1](x)", "triu[-2](x)"),
}
KINDS = {"abs": "", "eq": "bool", "ne": "bool", "isfinite": "bool", "isnan": "bool", "isinf": "bool"}  # of results
SIDES = {"pad[0, 1, 2](x)": "n + 3, n", 'pad[1, 1, 1, mode="reflect"](x)': "n, n + 2"}


def test_each_has_a_case() -> None:
    assert CASES.keys() == COMPLEX.keys()


@pytest.mark.parametrize(("op", "body"), [(op, body) for op, bodies in CASES.items() for body in bodies])
def test_it_is_that_of_torch(op: str, body: str) -> None:
    kind, side = KINDS.get(op, "complex"), SIDES.get(body, "n, n")
    head = f"block F(x: complex[n, n], y: complex[n, n]) -> {kind}[{side}]\nwhere n >= 2:\n"
    model = ogive.source(f"{head}    return {body}\nmodel M = F\n")["M"]
    generator = torch.Generator().manual_seed(0)
    x, y = (torch.randn(4, 4, dtype=torch.complex64, generator=generator) for _ in range(2))
    with torch.no_grad():
        wanted = model.torch()(x, y)
    proto = whole(exported(model.ir, {}, Settings()))
    checked(proto)
    session = onnxruntime.InferenceSession(proto.SerializeToString())
    given = {"x": torch.view_as_real(x).numpy(), "y": torch.view_as_real(y).numpy()}
    feeds = {value.name: given[value.name] for value in session.get_inputs()}
    (got,) = session.run(None, feeds)
    pairs = torch.view_as_real(wanted) if wanted.is_complex() else wanted
    np.testing.assert_allclose(got, pairs.numpy(), rtol=1e-5, atol=1e-5)

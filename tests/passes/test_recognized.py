"""What fusion recognizes is what it is: masks that let a query see what is before it, and norms written by hand."""

from __future__ import annotations

import itertools
import random

import pytest
import torch

from ogive.backends.pytorch.module.file import emit
from ogive.backends.pytorch.module.module import load
from ogive.compiler.driver.workspace import check_text
from ogive.compiler.ir.model import Model, Node
from ogive.compiler.passes.infra.driver import optimized
from ogive.compiler.passes.pipelines.lowering import TORCH

ATTENTION = """
block B(x: [b, n, e], y: [b, @, e]) -> [b, n, e]:
    scores = einsum["b i e, b j e -> b i j"](x, y) / sqrt(e)
    row, column = expand["i -> i 1"](arange[n]), arange[@]
    p = select(MASK, scores, -inf) |> softmax[-1]
    return einsum["b i j, b j e -> b i e"](p, y)
model M = B[]
"""


def _nodes(text: str) -> tuple[Model, list[Node]]:
    checked = check_text(text)
    assert checked.ok, (text, checked.diagnostics)
    ir = checked.models["M"].ir
    return ir, list(optimized(ir, TORCH).definition.graph.walk())


def _close(ir: Model, *args: torch.Tensor) -> None:
    fused, plain = (load(emit(ir, passes), "M").M().double().eval() for passes in (TORCH, ()))
    torch.testing.assert_close(fused(*args), plain(*args), rtol=1e-9, atol=1e-9, equal_nan=True)


def _shifted(draw: random.Random, name: str) -> tuple[str, int]:
    text, total = name, 0
    for _ in range(draw.randrange(3)):
        by = draw.choice([1, 2, 3])
        form, shift = draw.choice([("({x} + {c})", by), ("({c} + {x})", by), ("({x} - {c})", -by)])
        text, total = form.format(x=text, c=by), total + shift
    return text, total


@pytest.mark.parametrize("extra", [0, 2])
def test_a_mask_is_causal_where_the_last_query_sees_all_and_none_sees_what_is_after_it(extra: int) -> None:
    draw = random.Random(extra)
    found = {True: 0, False: 0}
    n = 4
    x, y = torch.randn(2, n, 3, dtype=torch.double), torch.randn(2, n + extra, 3, dtype=torch.double)
    rows, columns = torch.arange(n)[:, None], torch.arange(n + extra)
    for _ in range(60):
        (row, up), (column, right) = _shifted(draw, "row"), _shifted(draw, "column")
        sign = draw.choice(["<=", "<", ">=", ">"])
        text = f"{column} {sign} {row}" if sign[0] == "<" else f"{row} {sign} {column}"
        strict = len(sign) == 1
        if draw.random() < 0.3:  # that it is causal is not left to luck
            row = f"(row + {extra + right + strict})"
            up = extra + right + strict
            text = f"{column} {sign} {row}" if sign[0] == "<" else f"{row} {sign} {column}"
        mask = columns + right + strict <= rows + up
        causal = bool((mask == (columns <= rows + extra)).all())
        ir, nodes = _nodes(ATTENTION.replace("@", f"n + {extra}" if extra else "n").replace("MASK", text))
        (attention,) = [node for node in nodes if node.op == "attention"]
        assert bool(attention.attr("causal")) is causal, text
        _close(ir, x, y)
        found[causal] += 1
    assert min(found.values()) > 5


TOPS = ["x", "(x - m)", "(y - m)", "(x - k)", "(m - x)", "(x + m)"]
UNDER = ["mean[-1](x * x)", "mean[-1]((x - m) ** 2)", "mean[-1](y ** 2)", "mean[-1]((x - k) ** 2)", "mean[-1](x * y)",
         "mean[-1]((x + m) ** 2)", "var[-1, unbiased=false](x)", "var[-1, unbiased=true](x)", "mean[0](x * x)",
         "mean[-1]((x - m) ** 3)"]  # fmt: skip
NORMS = {
    ("x", 0): "rms_norm", ("(x - k)", 3): "rms_norm", ("(x + m)", 5): "rms_norm",  # of the sum or the difference
    ("(x - m)", 1): "layer_norm", ("(x - m)", 6): "layer_norm",
}  # fmt: skip


@pytest.mark.parametrize("top", TOPS)
def test_a_norm_is_one_where_it_is_written_as_one(top: str) -> None:
    x, y = torch.rand(5, 5, dtype=torch.double) + 1, torch.rand(5, 5, dtype=torch.double)
    for at, under in enumerate(UNDER):
        text = (
            "block B(x: [n, n], y: [n, n]) -> [n, n]:\n"
            '    m = mean[-1](x) |> expand["i -> i 1"]\n    k = mean[-1](y) |> expand["i -> i 1"]\n'
            f'    s = abs({under}) |> expand["i -> i 1"]\n    return {top} / sqrt(s + 1e-5)\nmodel M = B[]\n'
        ).replace("abs(", "abs(" if "3" in under or "y)" in under else "(")
        ir, nodes = _nodes(text)
        ops = {node.op for node in nodes} & {"layer_norm", "rms_norm"}
        wanted = NORMS.get((top, at))
        assert ops == ({wanted} if wanted else set()), text
        _close(ir, x, y)


def test_scores_that_are_read_elsewhere_are_kept() -> None:
    for masked, read in itertools.product(("", "given", "training"), (False, True)):
        choice = f"    if {'given(see)' if masked == 'given' else masked}:\n        s = select(see, s, -inf)\n"
        text = (
            "block B(x: [b, n, e], see: bool[n, n]SIGN) -> [b, n, e]:\n"
            '    s = einsum["b i e, b j e -> b i j"](x, x) / sqrt(e)\n'
            f"{choice if masked else ''}    p = s |> softmax[-1]\n"
            f'    return einsum["b i j, b j e -> b i e"](p, x){" + sum(s) * 0.5" if read else ""}\nmodel M = B[]\n'
        )
        ir, nodes = _nodes(text.replace("SIGN", "?" if masked == "given" else ""))
        assert ("attention" in {node.op for node in nodes}) is not read, text
        _close(ir, torch.randn(2, 4, 3, dtype=torch.double), torch.ones(4, 4).tril() > 0)

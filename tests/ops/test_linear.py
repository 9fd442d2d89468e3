"""Contractions against sums over every index, and as the product that a person would write."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from ogive.compiler.ir.types import TensorType
from ogive.compiler.ops import linear
from ogive.compiler.ops.spec import Pattern
from ops.cases import Case, check, numbers
from ops.harness import Collected, Names, function_of, infer, lowered, node_of, refused


def by_hand(pattern: str, *tensors: torch.Tensor) -> torch.Tensor:
    """The product of all tensors with one axis for each name, summed over those that the right lacks."""
    left, right = pattern.split("->")
    sides = [side.split() for side in left.split(",")]
    names = list(dict.fromkeys(name for side in sides for name in side))
    total = torch.ones((), dtype=tensors[0].dtype)
    for side, x in zip(sides, tensors, strict=True):
        ordered = x.permute([side.index(name) for name in names if name in side])
        sizes = dict(zip(side, x.shape, strict=True))
        total = total * ordered.reshape([sizes.get(name, 1) for name in names])
    out = right.split()
    summed = [i for i, name in enumerate(names) if name not in out]
    total = total.sum(summed) if summed else total
    kept = [name for name in names if name in out]
    return total.permute([kept.index(name) for name in out])


def product(pattern: str, *inputs: str) -> Case:
    return Case(
        "einsum",
        inputs or tuple(pattern.split("->")[0].split(",")),
        lambda *xs: by_hand(pattern, *xs),
        {"pattern": Pattern(pattern)},
    )


def grouped(x: torch.Tensor, w: torch.Tensor, sizes: torch.Tensor) -> torch.Tensor:
    owners = torch.repeat_interleave(torch.arange(len(w)), sizes)
    rows = [row @ w[owner] for row, owner in zip(x, owners, strict=False)]
    return torch.stack([*rows, *[torch.zeros_like(w[0, 0])] * (len(x) - len(rows))])


CASES = [
    product("b n d, v d -> b n v"),
    product("b n d, d e -> b n e"),
    product("v d, b n d -> b n v"),
    product("b h q e, b h k e -> b h q k"),
    product("b h q k, b h k e -> b h q e"),
    product("b q h e, b k h e -> b h q k"),
    product("b h e q, b h k e -> b h k q"),
    product("q k, b k d -> b q d"),
    product("b c h w, c -> b c h w"),
    product("i, j -> i j"),
    product("i, i ->"),
    product("b i, b i -> b"),
    product("m k, k -> m"),
    product("k, k n -> n"),
    product("i j -> j i"),
    product("i j k -> k"),
    product("i j k ->"),
    product("a b, b c, c d -> a d"),
    product("b i, b j, b k -> i j k"),
    product("a i, b i -> a"),
    product("b i j, b -> i j b"),
    product("i, -> i"),
    product("i k, k j -> i j", "int: i k", "int: k j"),
    Case("einsum", ("b n", "b n"), lambda x, y: x * y, {"pattern": Pattern("..., ... -> ...")}),
    Case("einsum", ("b 6", "2 3 d"), lambda x, w: x @ w.flatten(0, 1), {"pattern": Pattern("b (h e), h e d -> b d")}),
    Case("einsum", ("b n", "n d"), lambda x, w: (x @ w).flatten(), {"pattern": Pattern("b n, n d -> (b d)")}),
    Case("matmul", ("b m k", "b k n"), torch.matmul),
    Case("matmul", ("m k", "b k n"), torch.matmul),
    Case("matmul", ("b 1 m k", "h k n"), torch.matmul),
    Case("matmul", ("k", "k"), torch.matmul),
    Case("matmul", ("b m k", "k"), torch.matmul),
    Case("matmul", ("k", "b k n"), torch.matmul),
    Case("matmul", ("complex: m k", "complex: k n"), torch.matmul),
    Case("linear", ("b n i", "o i", "o"), F.linear),
    Case("linear", ("i", "o i", None), F.linear),
    Case("grouped_matmul", ("6 k", "g k m", "int: g"), grouped),
    Case("grouped_matmul", ("7 k", "3 k m", "i32: 3"), grouped, high=3),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case} {case.statics}"[:70])
@settings(max_examples=8, deadline=None)
@given(number=numbers(), seed=st.integers(0, 999))
def test_rule_and_reference_agree_with_torch(case: Case, number: Callable[[str, int], int], seed: int) -> None:
    check(case, number, seed)


def test_every_operation_has_a_case() -> None:
    assert {case.op for case in CASES} == {spec.name for spec in linear.OPS}


@pytest.mark.parametrize("floating", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("sizes", [(2, 0, 3), (0, 0, 0), (5, 1, 1), (0, 7, 0)])
def test_grouped_rows_in_every_form_of_the_helper(sizes: tuple[int, ...], floating: torch.dtype) -> None:
    """In a graph, and by the kernel for bfloat16, whose rows are aligned: values and both derivatives."""
    names = Names()
    types = [names.type("n k"), names.type("3 k m"), names.type("int: 3")]
    run = function_of(node_of("grouped_matmul", types), types, names.values({"n": 7, "k": 3, "m": 5}))
    x, w = torch.randn(7, 3, dtype=floating), torch.randn(3, 3, 5, dtype=floating)
    given, counts = (x.requires_grad_(), w.requires_grad_()), torch.tensor(sizes)
    wanted = grouped(x, w, counts) + 0 * (x.sum() + w.sum())
    exact = torch.autograd.grad(wanted.sin().sum(), given)
    close = 2e-2 if floating == torch.bfloat16 else 1e-5
    graph = torch.export.export(Whole(run), (x, w, counts), strict=False).module()
    for made in (run(x, w, counts), graph(x, w, counts)):
        torch.testing.assert_close(made, wanted, rtol=close, atol=close)
        for got, right in zip(torch.autograd.grad(made.sin().sum(), given), exact, strict=True):
            torch.testing.assert_close(got, right, rtol=close, atol=close)


class Whole(torch.nn.Module):
    """A function as a module."""

    def __init__(self, run: Callable[..., torch.Tensor]) -> None:
        super().__init__()
        self.run = run

    def forward(self, *args: torch.Tensor) -> torch.Tensor:
        return self.run(*args)


@st.composite
def products(draw: st.DrawFn) -> str:
    """Two or three operands over names a ... e in any order, and some of the names as the result."""
    sides = [draw(st.lists(st.sampled_from("abcde"), unique=True, max_size=4)) for _ in range(draw(st.integers(1, 3)))]
    known = sorted({name for side in sides for name in side})
    out = draw(st.permutations(known))[: draw(st.integers(0, len(known)))]
    return f"{', '.join(' '.join(side) for side in sides)} -> {' '.join(out)}"


@settings(max_examples=300, deadline=None)
@given(pattern=products(), number=numbers(), seed=st.integers(0, 99))
def test_any_product_is_the_sum_by_hand(pattern: str, number: Callable[[str, int], int], seed: int) -> None:
    check(product(pattern), number, seed)


RANKS: list[tuple[int, ...]] = [(), (2,), (2, 3)]
PACKED = [
    ("*p h q e", "*p h k e", "*p h q k"),
    ("*p n d", "v d", "*p n v"),
    ("*p d", "*p d", "*p"),
    ("*p n d", "d", "*p n d"),
    ("n d", "*p d", "*p n"),
    ("*p q h e", "*p k h e", "*p h q k"),
    ("*p d", "*p d", "d"),
]


@pytest.mark.parametrize("rank", RANKS)
@pytest.mark.parametrize(("a", "b", "out"), PACKED)
def test_packs_of_any_rank(a: str, b: str, out: str, rank: tuple[int, ...]) -> None:
    names = Names()
    types: list[TensorType] = [names.type(a), names.type(b)]
    node = node_of("einsum", types, {"pattern": Pattern(f"{a}, {b} -> {out}")})
    values = names.values({**dict.fromkeys(names.known, 4), "*p": 1})

    def shape(text: str) -> list[int]:
        return [n for name in text.split() for n in (rank if name == "*p" else (4,))]

    x, y = torch.randn(shape(a)), torch.randn(shape(b))
    letters = [side.replace("*p", "...").replace(" ", "") for side in (a, b, out)]
    if "*p" not in out and "*p" in a:  # torch's own einsum sums no dots away
        x, y = x.reshape(-1, 4), y.reshape(-1, 4)
        expected = (x * y).sum(0)
        x, y = x.reshape(shape(a)), y.reshape(shape(b))
    else:
        expected = torch.einsum(f"{letters[0]},{letters[1]}->{letters[2]}", x, y)
    torch.testing.assert_close(function_of(node, types, values)(x, y), expected)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("b n d, v d -> b n v", "F.linear(x0, x1)"),
        ("v d, b n d -> b n v", "F.linear(x1, x0)"),
        ("b n d, d v -> b n v", "x0 @ x1"),
        ("*b h q e, *b h k e -> *b h q k", "x0 @ x1.mT"),
        ("*b h q k, *b h k e -> *b h q e", "x0 @ x1"),
        ("b q h e, b k h e -> b h q k", 'torch.einsum("bqhe,bkhe->bhqk", x0, x1)'),
        ("..., ... -> ...", "x0 * x1"),
        ("b c h w, c -> b c h w", "x0 * x1[:, None, None]"),
        ("... d, ... d -> ...", "(x0 * x1).sum(-1)"),
        ("b n d, d -> b n", "x0 @ x1"),
        ("i j -> j i", "x0.transpose(0, 1)"),
        ("b n d -> b d", "x0.sum(1)"),
    ],
)
def test_source_reads_as_written_by_hand(pattern: str, text: str) -> None:
    names = Names()
    sides = pattern.split("->")[0].split(",")
    types = [names.type(side.replace("*b", "b").replace("...", "m n")) for side in sides]
    assert lowered("einsum", types, {"pattern": Pattern(pattern)}, {}) == text


@pytest.mark.parametrize(
    ("op", "inputs", "pattern", "code"),
    [
        ("einsum", ("b n", "b n d"), "b n, b n -> b", "E0303"),
        ("einsum", ("b n", "b n"), "b n, b n -> b k", "E0303"),
        ("einsum", ("b n", "int: b n"), "b n, b n -> b", "E0501"),
        ("einsum", ("bool: b n", "bool: b n"), "b n, b n -> b", "E0501"),
        ("einsum", ("n n",), "n n -> n", "E0303"),
        ("einsum", ("b 3", "3 d"), "b 3, 3 d -> b d", "E0303"),
        ("einsum", ("b n", "b n"), "b n -> b", "E0303"),
        ("einsum", ("b n", "b n"), "b n, b n -> b, n", "E0303"),
        ("einsum", ("b n", "b"), "..., ... -> ...", "E0303"),
        ("matmul", ("b n", "int: n d"), None, "E0501"),
        ("matmul", ("b n", ""), None, "E0303"),
        ("linear", ("b i", "o h i", None), None, "E0303"),
        ("grouped_matmul", ("n k", "k m", "int: g"), None, "E0303"),
        ("grouped_matmul", ("b n k", "g k m", "int: g"), None, "E0303"),
        ("grouped_matmul", ("n k", "g k m", "int:"), None, "E0303"),
        ("grouped_matmul", ("n k", "g k m", "g"), None, "E0501"),
        ("grouped_matmul", ("int: n k", "int: g k m", "int: g"), None, "E0501"),
    ],
)
def test_refused(op: str, inputs: tuple[Any, ...], pattern: str | None, code: str) -> None:
    types = [Names().operand(item) for item in inputs]
    assert refused(op, types, {"pattern": Pattern(pattern)} if pattern else {}).code == code


def test_labels_are_those_of_the_pattern() -> None:
    names = Names()
    (scores,), _ = infer(
        "einsum",
        [names.type("b h n e"), names.type("b h n e")],
        {"pattern": Pattern("*b h q e, *b h k e -> *b h q k")},
    )
    assert [axis.label for axis in scores.axes] == ["b", "h", "q", "k"]


def test_a_matrix_product_says_what_it_contracts() -> None:
    names, checker = Names(), Collected()
    infer("matmul", [names.type("b d_ff"), names.type("d e")], {}, checker)
    assert checker.constraints[0][1:] == ("contracts `d_ff` with `d`", 1)

"""Operations that go by data or by order, against loops and formulas."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ogive.compiler.ops import index
from ogive.compiler.sizes import size
from ops.cases import Case, check, numbers
from ops.harness import Collected, Names, function_of, infer, lowered, node_of, refused


def places(x: torch.Tensor) -> Iterator[tuple[int, ...]]:
    return product(*map(range, x.shape))


def taken(x: torch.Tensor, i: torch.Tensor, axis: int) -> torch.Tensor:
    """One entry after the other."""
    parts = [x.select(axis, int(i[place])) for place in places(i)]
    if not parts:
        parts = [x.select(axis, int(i))]
    rest = [n for j, n in enumerate(x.shape) if j != axis]
    return torch.stack(parts, axis).reshape(*rest[:axis], *i.shape, *rest[axis:])


def gathered(x: torch.Tensor, i: torch.Tensor, axis: int) -> torch.Tensor:
    y = torch.empty(i.shape, dtype=x.dtype)
    for place in places(i):
        y[place] = x[(*place[:axis], int(i[place]), *place[axis + 1 :])]
    return y


def added(x: torch.Tensor, i: torch.Tensor, src: torch.Tensor, axis: int) -> torch.Tensor:
    y = x.clone()
    for place in places(src):
        at = i[place] if i.dim() == src.dim() else i[place[axis]]
        y[(*place[:axis], int(at), *place[axis + 1 :])] += src[place]
    return y


def joining(axis: int, op: str, own: bool = True) -> Callable[..., torch.Tensor]:
    return lambda x, i, src: joined(x, i, src, axis, op, own)


def joined(x: torch.Tensor, i: torch.Tensor, src: torch.Tensor, axis: int, op: str, own: bool) -> torch.Tensor:
    """The entries of each place in a list."""
    found: dict[tuple[int, ...], list[torch.Tensor]] = {place: [x[place]] if own else [] for place in places(x)}
    for place in places(src):
        at = i[place] if i.dim() == src.dim() else i[place[axis]]
        found[(*place[:axis], int(at), *place[axis + 1 :])].append(src[place])
    y = x.clone()
    for place, entries in found.items():
        if entries:
            both = torch.stack(entries)
            join: Callable[[int], torch.Tensor] = getattr(both, {"max": "amax", "min": "amin"}.get(op, op))
            y[place] = join(0)
    return y


def distinct(x: torch.Tensor, i: torch.Tensor, src: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """No place is named twice along the first axis."""
    if i.dim() == 1:
        return x, torch.randperm(len(x)).repeat(2)[: len(i)].to(i.dtype), src
    return x, i, src


def replaced(x: torch.Tensor, i: torch.Tensor, src: torch.Tensor) -> torch.Tensor:
    y = x.clone()
    for place, at in enumerate(i):
        y[at] = src[place]
    return y


def written(x: torch.Tensor, y: torch.Tensor, start: int) -> torch.Tensor:
    z = x.clone()
    z[:, start : start + y.shape[1]] = y
    return z


def hot(i: torch.Tensor) -> torch.Tensor:
    return (i.unsqueeze(-1) == torch.arange(5)).long()


def ordered(x: torch.Tensor) -> torch.Tensor:
    return torch.stack([x.kthvalue(k + 1, 0).values for k in range(x.shape[0])])


def lower_part(x: torch.Tensor, by: int) -> torch.Tensor:
    n, m = x.shape[-2:]
    return torch.where(torch.arange(m) <= torch.arange(n)[:, None] + by, x, torch.zeros((), dtype=x.dtype))


CASES = [
    Case("take", ("v d", "int: b n"), lambda x, i: taken(x, i, 0), {"axis": 0}, low=2),
    Case("take", ("int: v d", "int: b n"), lambda x, i: taken(x, i, 0), {"axis": 0}, low=2),
    Case("take", ("b n d", "int: i j"), lambda x, i: taken(x, i, 1), {"axis": "n"}, low=2),
    Case("take", ("b n d", "i32: i"), lambda x, i: taken(x, i, 1), {"axis": 1}, low=2),
    Case("take", ("b n d", "i32: i j"), lambda x, i: taken(x, i, 2), {"axis": -1}, low=2),
    Case("take", ("b n d", "int:"), lambda x, i: taken(x, i, 1), {"axis": 1}, low=2),
    Case("take", ("n", "int: b n"), lambda x, i: taken(x, i, 0), {"axis": 0}, low=2),
    Case("gather", ("b n d", "int: b k d"), lambda x, i: gathered(x, i, 1), {"axis": 1}, low=2),
    Case("gather", ("b n", "i32: b k"), lambda x, i: gathered(x, i, 1), {"axis": -1}, low=2),
    Case("scatter_add", ("b n", "int: b k", "b k"), lambda x, i, s: added(x, i, s, 1), {"axis": 1}, low=2),
    Case("scatter_add", ("n d", "i32: k d", "k d"), lambda x, i, s: added(x, i, s, 0), {"axis": 0}, low=2),
    Case("scatter_add", ("n d", "int: k", "k d"), lambda x, i, s: added(x, i, s, 0), {"axis": 0}, low=2),
    Case("scatter_add", ("n", "i32: k", "k"), lambda x, i, s: added(x, i, s, 0), {"axis": 0}, low=2),
    Case("scatter", ("b n", "int: b k", "b k"), joining(1, "max"), {"axis": 1, "op": "max"}, low=2),
    Case("scatter", ("n d", "i32: k", "k d"), joining(0, "min"), {"axis": 0, "op": "min"}, low=2),
    Case("scatter", ("n d", "int: k", "k d"), joining(0, "mean"), {"axis": 0, "op": "mean"}, low=2),
    Case("scatter", ("b n d", "int: k", "b k d"), joining(1, "sum"), {"axis": 1, "op": "sum"}, low=2),
    Case("scatter", ("n d", "int: k d", "k d"), joining(0, "prod"), {"axis": 0, "op": "prod"}, low=2),
    *(
        Case(
            "scatter",
            ("n d", "int: k", "k d"),
            joining(0, op, False),
            {"axis": 0, "op": op, "include_self": False},
            low=2,
        )
        for op in ("sum", "mean", "max", "min", "prod")
    ),
    Case(
        "scatter",
        ("int: n", "int: k", "int: k"),
        joining(0, "max", False),
        {"axis": 0, "op": "max", "include_self": False},
        low=2,
    ),
    Case(
        "scatter",
        ("int: n", "i32: k", "int: k"),
        joining(0, "min", False),
        {"axis": 0, "op": "min", "include_self": False},
        low=2,
    ),
    Case("scatter", ("n d", "int: 2", "2 d"), replaced, {"axis": 0}, prepare=distinct, low=2),
    Case("scatter", ("n", "i32: 2", "2"), replaced, {"axis": 0}, prepare=distinct, low=2),
    Case("scatter", ("bool: n", "int: 2", "bool: 2"), replaced, {"axis": 0}, prepare=distinct, low=2),
    Case("put", ("b n d", "b 2 d"), lambda x, y: written(x, y, 0), {"axis": 1, "start": 0}, low=2),
    Case("put", ("b n d", "b 1 d"), lambda x, y: written(x, y, 1), {"axis": "n", "start": 1}, low=2),
    Case("put", ("b n", "b 1", "int:"), lambda x, y, i: written(x, y, int(i)), {"axis": 1}, low=2),
    Case("put", ("b n", "b 2", "i32:"), lambda x, y, i: written(x, y, int(i) + 1), {"axis": 1, "start": 1}, low=4),
    Case("one_hot", ("int: b n",), hot, {"n": 5}, high=5),
    Case("one_hot", ("i32:",), hot, {"n": 5}, high=5),
    Case("topk", ("b n",), lambda x: [y[:, :2] for y in x.sort(1, descending=True)], {"axis": 1, "k": 2}, low=2),
    Case("topk", ("n b",), lambda x: [y[:1] for y in x.sort(0, descending=True)], {"axis": "n", "k": 1}),
    Case("sort", ("b n",), ordered, {"axis": 0}),
    Case("sort", ("b n",), lambda x: -torch.sort(-x).values, {"axis": -1, "descending": True}),
    Case("argsort", ("b n",), lambda x: x.sort(0).indices, {"axis": 0}),
    Case("argsort", ("b n",), lambda x: (-x).sort(1).indices, {"axis": 1, "descending": True}),
    Case("argmax", ("b n",), lambda x: x.max(1).indices, {"axis": 1}),
    Case("argmax", ("n b",), lambda x: x.max(0).indices, {"axis": "n"}),
    Case("argmin", ("b n",), lambda x: x.min(1).indices, {"axis": 1}),
    Case(
        "cumprod", ("b n",), lambda x: torch.stack([x[:, : i + 1].prod(1) for i in range(x.shape[1])], 1), {"axis": 1}
    ),
    Case(
        "cumprod",
        ("i32: n b",),
        lambda x: torch.stack([x[: i + 1].prod(0) for i in range(len(x))]),
        {"axis": 0},
        high=9,
    ),
    Case("cummax", ("b n",), lambda x: torch.stack([x[:, : i + 1].amax(1) for i in range(x.shape[1])], 1), {"axis": 1}),
    Case(
        "cummax", ("int: n",), lambda x: torch.stack([x[: i + 1].amax(0) for i in range(len(x))]), {"axis": 0}, high=9
    ),
    Case("cummin", ("n b",), lambda x: torch.stack([x[: i + 1].amin(0) for i in range(len(x))]), {"axis": 0}),
    Case(
        "cummin", ("i32: n",), lambda x: torch.stack([x[: i + 1].amin(0) for i in range(len(x))]), {"axis": 0}, high=9
    ),
    Case("cumsum", ("b n",), lambda x: x @ lower_part(x.new_ones(x.shape[1], x.shape[1]), 0).T, {"axis": 1}),
    Case("cumsum", ("i32: n",), lambda x: torch.stack([x[: i + 1].sum() for i in range(len(x))]), {"axis": 0}, high=9),
    Case("diag", ("b n =n",), lambda x: (x * torch.eye(x.shape[1])).sum(-1)),
    Case("diag", ("int: n =n",), lambda x: (x * torch.eye(len(x), dtype=x.dtype)).sum(-1)),
    Case("tril", ("b n m",), lambda x: lower_part(x, 0)),
    Case("tril", ("bool: n m",), lambda x: lower_part(x, -1), {"diagonal": -1}),
    Case("triu", ("b n m",), lambda x: x - lower_part(x, -1)),
    Case("triu", ("n m",), lambda x: x - lower_part(x, 0), {"diagonal": 1}),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case} {case.statics}")
@settings(max_examples=8, deadline=None)
@given(number=numbers(), seed=st.integers(0, 999))
def test_rule_and_reference_agree_with_torch(case: Case, number: Callable[[str, int], int], seed: int) -> None:
    check(case, number, seed)


def test_every_operation_has_a_case() -> None:
    assert {case.op for case in CASES} == {spec.name for spec in index.OPS}


@pytest.mark.parametrize("rank", [(), (2,), (2, 3)])
@pytest.mark.parametrize(
    ("op", "more", "statics"),
    [
        ("take", "i", {"axis": -2}),
        ("take", "i j", {"axis": -2}),
        ("argmax", None, {"axis": -1}),
        ("cumsum", None, {"axis": -2}),
        ("sort", None, {"axis": -2}),
        ("tril", None, {}),
    ],
)
def test_packs_of_any_rank(op: str, more: str | None, statics: Any, rank: tuple[int, ...]) -> None:
    """The code for a tensor of unknown rank does to each of its matrices what the code for one matrix does."""
    x = torch.randn(*rank, 4, 4)
    extra = [] if more is None else [torch.randint(4, (3,) * len(more.split()))]
    results = []
    for axes in ("*p n d", "p n d"):
        names = Names()
        types = [names.type(axes), *([] if more is None else [names.type(f"int: {more}")])]
        node = node_of(op, types, statics)
        values = names.values({**dict.fromkeys(names.known, 4), "p": 1, "*p": 1})
        given = x if "*" in axes else x.reshape(-1, 4, 4)
        results.append(function_of(node, types, values)(given, *extra))
    assert torch.equal(results[0].reshape(results[1].shape), results[1])
    assert results[0].shape[: len(rank)] == rank


@pytest.mark.parametrize(
    ("op", "inputs", "statics", "text"),
    [
        ("take", ("v d", "int: b n"), {"axis": 0}, "F.embedding(x1, x0)"),
        ("take", ("b n d", "int: i j"), {"axis": 1}, "x0[:, x1]"),
        ("take", ("*b n d", "int: i j"), {"axis": -2}, "x0[..., x1, :]"),
        ("take", ("b n d", "int: i"), {"axis": 1}, "x0.index_select(1, x1)"),
        ("gather", ("b n", "int: b k"), {"axis": 1}, "x0.gather(-1, x1)"),
        ("topk", ("b n",), {"axis": 1, "k": 2}, "x0.topk(2)"),
        ("sort", ("b n",), {"axis": 0}, "x0.sort(dim=0).values"),
        ("tril", ("n m",), {}, "x0.tril()"),
        ("put", ("b n", "b 2"), {"axis": 1}, "x0.slice_scatter(x1, -1, 0, 2)"),
    ],
)
def test_source_reads_as_written_by_hand(op: str, inputs: tuple[str, ...], statics: Any, text: str) -> None:
    names = Names()
    types = [names.type(item) for item in inputs]
    assert lowered(op, types, statics, names.values(dict.fromkeys(names.known, 4))) == text


@pytest.mark.parametrize(
    ("op", "inputs", "statics", "code", "operand"),
    [
        ("take", ("v d", "b n"), {"axis": 0}, "E0501", 1),
        ("take", ("v d", "int: b n"), {"axis": "w"}, "E0305", 0),
        ("gather", ("b n", "int: b"), {"axis": 0}, "E0303", 1),
        ("scatter_add", ("b n", "int: b k", "int: b k"), {"axis": 1}, "E0501", 1),
        ("scatter_add", ("b n d", "int: b k", "b k d"), {"axis": 1}, "E0303", 1),
        ("scatter_add", ("bool: b", "int: k", "bool: k"), {"axis": 0}, "E0501", 0),
        ("put", ("b n", "b n", "int: b"), {"axis": 1}, "E0303", 2),
        ("one_hot", ("b",), {"n": 3}, "E0501", 0),
        ("topk", ("bool: b",), {"axis": 0, "k": 1}, "E0501", 0),
        ("cumsum", ("bool: b",), {"axis": 0}, "E0501", 0),
        ("tril", ("b",), {}, "E0303", 0),
    ],
)
def test_refused(op: str, inputs: tuple[str, ...], statics: Any, code: str, operand: int) -> None:
    error = refused(op, [Names().type(item) for item in inputs], statics)
    assert (error.code, error.operand) == (code, operand)


def test_what_is_taken_or_written_must_be_there() -> None:
    names, checker = Names(), Collected()
    infer("topk", [names.type("b n")], {"axis": 1, "k": names["k"]}, checker)
    infer("put", [names.type("b n"), names.type("b m")], {"axis": 1, "start": size(2)}, checker)
    texts = [str(condition) for condition, _, _ in checker.constraints if condition.unknowns]
    assert texts == ["k <= n", "m + 2 <= n"]


def test_labels() -> None:
    names = Names()
    (taken,), _ = infer("take", [names.type("b n d"), names.type("int: i j")], {"axis": "n"})
    assert [axis.label for axis in taken.axes] == ["b", "i", "j", "d"]
    (values, indices), _ = infer("topk", [names.type("b n")], {"axis": "n", "k": 2})
    assert [axis.label for axis in values.axes] == [axis.label for axis in indices.axes] == ["b", "n"]

"""Which softmaxes surely have an entry in each row: never one that has none at some sizes, and the masks in use."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import ogive
from ogive.compiler.ir.model import Definition, Model
from ogive.compiler.passes.analysis.rows import mark_rows, takes_rows
from ogive.compiler.passes.pipelines.lowering import lowered

INDEX = st.recursive(
    st.sampled_from(["row", "arange[k]", "0", "1", "3"]),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*"]), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        st.tuples(inner, st.sampled_from(["//", "%"]), st.sampled_from(["2", "3"])).map(lambda t: f"({' '.join(t)})"),
        inner.map(lambda a: f"abs({a})"),
        st.tuples(inner, st.sampled_from(["k", "q", "k - q"])).map(lambda t: f"({t[0]} + ({t[1]}))"),
    ),
    max_leaves=3,
)
TRUTH = st.recursive(
    st.tuples(INDEX, st.sampled_from(["<", "<=", "==", "!=", ">="]), INDEX).map(" ".join),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["logical_and", "logical_or"]), inner).map(
            lambda t: f"{t[1]}({t[0]}, {t[2]})"
        ),
        inner.map(lambda a: f"logical_not({a})"),
    ),
    max_leaves=3,
)
SIZES = [(q, k) for q in range(1, 6) for k in range(1, 6)]


def marked(model: Model) -> list[bool]:
    """Whether each softmax of a model is marked, those of blocks that it uses once."""
    found: dict[str, list[bool]] = {}

    def walk(definition: Definition) -> None:
        if definition.name not in found:
            nodes = list(definition.graph.walk())
            found[definition.name] = [bool(node.attr("whole")) for node in nodes if takes_rows(node)]
            for node in nodes:
                if node.callee is not None:
                    walk(node.callee)

    walk(lowered(model).definition)
    return [each for flags in found.values() for each in flags]


def masked(mask: str, where: str = "") -> str:
    """A softmax of scores that `mask` hides; the other output is the mask."""
    return (
        f"block F(x: [q, d], y: [k, d]) -> (p: [q, k], m: bool[q, k])\n{where}:\n"
        f'    s = einsum["q d, k d -> q k"](x, y)\n    row = expand["q -> q 1"](arange[q])\n'
        f"    m = logical_and({mask}, ones[q, k, type=bool])\n"
        "    return softmax[-1](select(m, s, -inf)), m\nmodel M = F\n"
    ).replace(")\n:", "):")


@settings(max_examples=30, deadline=None)
@given(TRUTH)
def test_a_row_that_is_said_to_have_an_entry_has_one(mask: str) -> None:
    program = masked(mask)
    if "row" not in mask and "arange" not in mask:
        return
    try:
        model = ogive.source(program).models["M"]
    except ogive.ArchError:
        return  # numbers alone are compared at compile time
    (whole,) = marked(model.ir)
    net = model.torch()
    for q, k in SIZES:
        p, m = net(torch.randn(q, 2), torch.randn(k, 2))
        empty = ~m.any(-1)
        assert not (whole and empty.any()), (mask, q, k)
        assert not p.isnan().any()
        assert (p.sum(-1) == 0).equal(empty)


@pytest.mark.parametrize("axis", ["q", "k"])
def test_slices_of_a_scan_are_any_of_them(axis: str) -> None:
    """The softmax of each row, or of each column, of masked scores."""
    for mask in (
        "arange[k] <= row", "arange[k] >= row", "row < 1", "row >= q - 1", "arange[k] < 1", "arange[k] >= k - 1",
        "row != arange[k]", "row >= 0",
    ):  # fmt: skip
        other = "k" if axis == "q" else "q"
        program = masked(mask).replace(
            "    return softmax[-1](select(m, s, -inf)), m\n",
            f"    scan t in select(m, s, -inf) along {axis} carry h = sum(x):\n        h = 0.5 * h\n"
            f"        yield ps = softmax[-1](t)\n    return ps, m\n",
        )
        model = ogive.source(program).models["M"]
        (whole,) = marked(model.ir)
        net = model.torch()
        for q, k in SIZES:
            p, m = net(torch.randn(q, 2), torch.randn(k, 2))
            dim = 1 if other == "k" else 0
            empty = ~m.any(dim)
            assert not (whole and empty.any()), (mask, q, k)
            assert (p.sum(dim) == 0).equal(empty), (mask, q, k)


# one mask out of `m`, by entries that move
MOVES = (
    """m, _ = split["t q k -> t q k"](stack[0](m, logical_or(row < 1, m)))""",
    """_, m = split["q (t k) -> t q k", t=2](concat[-1](logical_or(row < 1, m), m))""",
    """m, _ = split["(q + r) k -> q k, r k", r=1](concat[0](m, zeros[1, k, type=bool]))""",
    """m = rearrange["k q -> q k"](flip[0](rearrange["q k -> k q"](m)))""",
    """m = roll[1, 0](m)""",
    """m = rearrange["(q k) -> q k", q=q](rearrange["q k -> (q k)"](m))""",
    """m = concat[-1](m, ones[q, 1, type=bool])[:, :k]""",
    """m = stack[1](m, logical_or(row < 1, m))[:, 0]""",
    """m = rearrange["q k, r k -> (q + r) k"](m[:1], m[1:])""",
    """m = expand["q k -> q k t", t=2](m)[..., 1]""",
)


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(["arange[k] <= row", "arange[k] < row", "row != arange[k]", "arange[k] >= row"]),
       st.lists(st.sampled_from(MOVES), min_size=1, max_size=3))  # fmt: skip
def test_masks_whose_entries_move(mask: str, moves: list[str]) -> None:
    program = masked(mask)
    for move in moves:
        program = program.replace("    return", f"    {move}\n    return")
    model = ogive.source(program).models["M"]
    whole = marked(model.ir)[-1]
    net = model.torch()
    for q, k in SIZES[5:]:
        p, m = net(torch.randn(q, 2), torch.randn(k, 2))
        empty = ~m.any(-1)
        assert not (whole and empty.any()), (moves, q, k)
        assert (p.sum(-1) == 0).equal(empty)


PROVED = {
    "arange[k] <= row + (k - q)": "where q <= k",
    "row >= arange[k]": "",
    "abs(arange[k] - row) <= 2": "where q == k",
    "logical_and(arange[k] <= row, row - arange[k] < 4)": "where q == k",
    "row // 4 == arange[k] // 4": "where q == k",
    "logical_or(arange[k] == 0, (row - arange[k]) % 3 == 0)": "",
    "logical_not(arange[k] > row)": "",
    "arange[k] == k - 1": "",
    "tril(ones[q, k, type=bool])": "where q == k",
    "logical_or(row - arange[k] < 3, arange[k] < 2)": "",
}


@pytest.mark.parametrize("mask", PROVED)
def test_masks_in_use_leave_an_entry(mask: str) -> None:
    assert marked(ogive.source(masked(mask, PROVED[mask])).models["M"].ir) == [True]


@pytest.mark.parametrize(
    "mask", ["arange[k] < row", "row != arange[k]", "arange[k] <= row + (k - q)", "arange[k] > row"]
)
def test_masks_that_hide_a_row_at_some_size_do_not(mask: str) -> None:
    assert marked(ogive.source(masked(mask)).models["M"].ir) == [False]


BLOCKS = """
use std.attention (causal_mask)
use std.nn (Linear)
block probs(s: [b, q, k]) -> [b, q, k]:
    t = s * 2
    t = t + 1
    t = t * 3
    t = t - 1
    t = t * 0.5
    t = t + 2
    return softmax[k](t)
block Given[d](x: [b, n, d], mask: bool[b, n]?) -> [b, n, n]:
    s = einsum["b i d, b j d -> b i j"](x, x |> Linear[d, d])
    if given(mask):
        s = select(mask |> expand["b k -> b 1 k"], s, -inf)
    return probs(s)
block Open(x: [b, q, k]) -> [b, q, k]:
    return probs(x)
block Stepped[d](x: [b, n, d]) -> [b, n, n]:
    s = einsum["b i d, b j d -> b i j"](x, x |> Linear[d, d])
    repeat 3 as layers:
        s = s + (s |> causal_mask |> softmax[-1])
    return s
block Log[d](x: [b, n, d]) -> [b, n, d]:
    return softmax[-1](log(x |> Linear[d, d] |> relu))
block Kept[d](x: [b, n, d]) -> [b, n, d]:
    state seen: [d] = zeros
    return softmax[-1](x * 0 + seen)
block Mixed[d](x: [b, n, d]) -> [b, n, d]:
    param w: [d] = constant[-inf]
    param v: [d] = zeros
    return softmax[-1](w + zeros[d]) + softmax[-1](v) * x
block Sink[d](x: [b, n, d], mask: bool[n, n]) -> [b, n, n + 1]:
    s = einsum["b i d, b j d -> b i j"](x, x)
    s = select(mask, s, -inf)
    return concat[-1](s, zeros[b, n, 1]) |> softmax[-1]
model H = Stepped[d=4]
model A = Given[d=4]
model B = Open
model C = Log[d=4]
model D = Kept[d=4]
model E = Mixed[d=4]
model G = Sink[d=4]
"""


@pytest.mark.parametrize(
    ("name", "flags"),
    [
        ("A", [False]),
        ("B", [False]),
        ("C", [False]),
        ("D", [False]),
        ("E", [False, True]),
        ("G", [True]),
        ("H", [True]),
    ],
)
def test_what_comes_from_elsewhere(name: str, flags: list[bool]) -> None:
    """Through calls, choices, loops; logarithms, states and inputs of a model may be -∞, sums of products are not."""
    assert marked(ogive.source(BLOCKS).models[name].ir) == flags


def test_sizes_of_a_model_are_known() -> None:
    text = masked("arange[k] <= row + (k - q)").replace("model M = F", "")
    text = text.replace("block F(x: [q, d], y: [k, d])", "block F[q, k](x: [q, d], y: [k, d])")
    for q, k in itertools.product((2, 3), (2, 3)):
        model = ogive.source(f"{text}model M = F[q={q}, k={k}]\n").models["M"]
        assert marked(model.ir) == [q <= k]


SAME_NAMES = """
block S[k: nat](x: [*b, n]) -> [*b, n]:
    y = x
    if k == 1:
        y = softmax[n](select(x > 0, x, -inf))
    if k == 2:
        y = softmax[n](tanh(x))
    return y

block G(x: [b, 4]) -> ([b, 4], [b, 4], [b, 4]):
    return S[0](x), S[1](x), S[2](x)

model M = G
"""


def test_specializations_of_one_name_are_looked_at_each_by_itself() -> None:
    """A model as it was elaborated: of three called `S`, only the rows of the last surely have an entry."""
    model = ogive.source(SAME_NAMES)["M"]
    assert isinstance(model, ogive.Model)
    calls = [node.callee for node in mark_rows(model.ir).definition.graph.nodes if node.callee is not None]
    marks = [[bool(node.attr("whole")) for node in callee.graph.nodes if node.op == "softmax"] for callee in calls]
    assert marks == [[], [False], [True]]

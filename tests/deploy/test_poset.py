"""The laws of poset pools: closed forms, counts, duality, composition; and pooling in models."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Sequence
from typing import Any

import networkx as nx
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from deploy.closure import least_cut
from ogive.backends.pytorch.module.module import build
from ogive.compiler.driver.workspace import check_text
from ogive.compiler.passes.conversion.result import PassError
from ogive.compiler.passes.posets.pool import poset_pool
from ogive.compiler.posets.closed_form import closed_form
from ogive.compiler.posets.poset import Poset, PosetError, antichain, chain, product
from ogive.compiler.posets.syntax import NAMES, read

COVERS = (9, 16, 12, 6, 10, 10, 9, 6, 8, 9, 7, 7, 8, 5, 6, 7)  # upsets of the 16 posets on 4 elements, by number


@st.composite
def posets(draw: st.DrawFn, most: int = 9) -> Poset:
    """A poset whose elements are numbered upwards, then shuffled."""
    size = draw(st.integers(1, most))
    pairs = [pair for pair in itertools.combinations(range(size), 2) if draw(st.booleans())]
    return Poset.of(size, pairs).relabelled(draw(st.permutations(range(size))))


def numbers(size: int, seed: int) -> list[int]:
    """Small whole numbers, many of them tied."""
    generator = random.Random(seed)
    return [generator.randint(-4, 4) for _ in range(size)]


OPS: dict[str, Callable[[list[float]], float]] = {"add": sum, "max": max, "relu": lambda v: max(v[0], 0)}


def evaluated(poset: Poset, x: Sequence[float]) -> float:
    """The closed form on numbers."""
    return closed_form(poset).run(list(x), lambda op, values: OPS[op](values))


@given(posets(), st.integers())
@settings(max_examples=150, deadline=None)
def test_closed_form_is_the_definition(poset: Poset, seed: int) -> None:
    x = numbers(poset.size, seed)
    assert evaluated(poset, x) == poset.value(x)


@given(posets(7), st.integers())
@settings(max_examples=60, deadline=None)
def test_minimum_cut_gives_the_same(poset: Poset, seed: int) -> None:
    x = numbers(poset.size, seed)
    assert least_cut(poset, x) == poset.value(x)


@given(posets(7))
@settings(max_examples=60, deadline=None)
def test_upsets_are_as_many_as_antichains(poset: Poset) -> None:
    graph: nx.DiGraph[Any] = nx.DiGraph()
    graph.add_nodes_from(range(poset.size))
    graph.add_edges_from(poset.covers)
    count = sum(1 for _ in nx.antichains(graph))
    assert len(poset.upsets) == count
    assert poset.has_more_upsets_than(count - 1)
    assert not poset.has_more_upsets_than(count)


@given(posets(6), st.integers(), st.integers(1, 5))
@settings(max_examples=60, deadline=None)
def test_pools_are_sublinear_and_monotone(poset: Poset, seed: int, factor: int) -> None:
    x, y = numbers(poset.size, seed), numbers(poset.size, seed + 1)
    f = poset.value
    assert f([0] * poset.size) == 0
    assert f([factor * v for v in x]) == factor * f(x)
    assert f([a + b for a, b in zip(x, y, strict=True)]) <= f(x) + f(y)
    high, low = [list(map(pick, x, y)) for pick in (max, min)]
    assert f(high) + f(low) >= f(x) + f(y)
    assert max(0, sum(x)) <= f(x) <= sum(max(v, 0) for v in x)
    assert f(x) == sum(x) + poset.dual.value([-v for v in x])


@given(posets(5), st.integers(), st.data())
@settings(max_examples=60, deadline=None)
def test_one_more_relation_never_raises_the_pool(poset: Poset, seed: int, data: st.DataObject) -> None:
    free = [(a, b) for a in range(poset.size) for b in range(poset.size) if a != b and (b, a) not in poset.pairs]
    if free:
        more = Poset.of(poset.size, [*poset.pairs, data.draw(st.sampled_from(free))])
        assert more.value(numbers(poset.size, seed)) <= poset.value(numbers(poset.size, seed))


@given(posets(3), st.lists(posets(3), min_size=3, max_size=3), st.integers())
@settings(max_examples=60, deadline=None)
def test_lexicographic_sum_is_the_expanded_poset(outer: Poset, parts: list[Poset], seed: int) -> None:
    parts = parts[: outer.size]
    whole = outer.compose(*parts)
    x = numbers(whole.size, seed)
    starts = list(itertools.accumulate((part.size for part in parts), initial=0))
    slices = [x[a:b] for a, b in itertools.pairwise(starts)]
    best = 0.0
    for mask in outer.upsets:
        chosen = [i for i in range(outer.size) if mask >> i & 1]
        least = [i for i in chosen if not any((j, i) in outer.pairs for j in chosen)]
        best = max(best, sum(parts[i].value(slices[i]) if i in least else sum(slices[i]) for i in chosen))
    assert whole.value(x) == best


def test_the_numbered_posets_are_the_16_of_four_elements() -> None:
    found = [read(f"#{number}") for number in range(16)]
    assert tuple(len(poset.upsets) for poset in found) == COVERS
    graphs = [nx.DiGraph(list(poset.pairs)) for poset in found]
    for a, b in itertools.combinations(range(16), 2):
        same = len(found[a].pairs) == len(found[b].pairs) and nx.is_isomorphic(graphs[a], graphs[b])
        assert not same, (a, b)
    assert max(closed_form(poset).cost for poset in found) <= 10


def test_sums_and_windows() -> None:
    assert len(product(3).upsets) == 20
    assert chain(1).below(antichain(2)).below(chain(1)).pairs == read("diamond").pairs
    assert (chain(2) + chain(2)).pairs == read("a<b, c<d").pairs


@pytest.mark.parametrize("text", ["a<b, b<a", "a<z", "nonsense", "#16", "a<<b", "a<B"])
def test_what_is_no_poset_is_refused(text: str) -> None:
    with pytest.raises(PosetError):
        read(text)


NET = """use std.nn (BatchNorm)
use std.vision (Conv)

block Net(x: [b, 3, h, w]) -> [b, 4, h', w']:
    y = x |> Conv[3, 4, 3, pad=1] {act}
    return y |> max_pool[2{more}]

model M = Net[]
"""


def pooled(
    order: str, x: Tensor, *, relu: bool = False, ceil: bool = False, scale: float = 1.0
) -> tuple[Tensor, Tensor]:
    """A poset pool in a model, beside the definition of it."""
    text = NET.format(act="|> relu" if relu else "", more=", ceil=true" if ceil else "")
    ir = check_text(text).models["M"].ir
    passed = poset_pool(ir, order=order, scale=scale)
    net = build(passed.model).double()
    y = net.get_submodule("conv")(x)
    y = F.relu(y) if relu else y
    y = F.pad(y, (0, y.shape[3] % 2, 0, y.shape[2] % 2)) if ceil else y
    windows = F.unfold(y.flatten(0, 1)[:, None], 2, stride=2)
    sums = torch.stack([windows[:, [i for i in range(4) if m >> i & 1]].sum(1) for m in read(order).upsets])
    wanted = scale * sums.amax(0).view(y.shape[0], y.shape[1], y.shape[2] // 2, y.shape[3] // 2)
    return net(x), wanted


@pytest.mark.parametrize("order", ["#0", "#7", "#12", "diamond", "chain", "a<c, b<d"])
@pytest.mark.parametrize("ceil", [False, True])
def test_the_pass_puts_poset_pools_in_the_place_of_others(order: str, ceil: bool) -> None:
    for size in ((8, 8), (7, 9)):
        found, wanted = pooled(order, torch.randn(2, 3, *size, dtype=torch.float64), ceil=ceil, scale=0.5)
        torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12)


def test_after_a_relu_every_poset_is_four_times_the_average() -> None:
    x = torch.randn(2, 3, 8, 8, dtype=torch.float64)
    for order in ("#1", "#13", "diamond"):
        found, wanted = pooled(order, x, relu=True)
        torch.testing.assert_close(found, wanted)


NAMED = [name for name in NAMES if name not in ("chain", "antichain")]
# expressions of the library, beside the same in Python
VALUES: list[tuple[str, Poset]] = [
    *((name, read(name)) for name in NAMED),
    ("chain[4]", chain(4)),
    ("antichain[4]", antichain(4)),
    ("chain[1]", chain(1)),
    ("dual[wye]", read("wye").dual),
    ("disjoint_sum[chain[2], vee]", chain(2) + read("vee")),
    ("ordinal_sum[antichain[2], chain[2]]", antichain(2).below(chain(2))),
    ("product[chain[3], chain[3]]", product(3)),
    ("lexicographic_sum[chain[2], [antichain[2], wedge]]", chain(2).compose(antichain(2), read("wedge"))),
    ("lexicographic_sum[zigzag, [chain[2], chain[1], antichain[2], chain[1]]]",
     read("zigzag").compose(chain(2), chain(1), antichain(2), chain(1))),
    ('poset("a<b, c<{b,d}", 5)', read("a<b, c<{b,d}", 5)),
]  # fmt: skip
LIBRARY = f"""use std.posets (PosetPool, chain, antichain, dual, disjoint_sum, ordinal_sum, product, lexicographic_sum,
                {", ".join(NAMED)})
"""


def best(poset: Poset, windows: Tensor) -> Tensor:
    """The definition, on places of windows along axis 1."""
    return torch.stack([windows[:, [i for i in range(poset.size) if m >> i & 1]].sum(1) for m in poset.upsets]).amax(0)


@pytest.mark.parametrize(("text", "poset"), VALUES, ids=[text for text, _ in VALUES])
def test_the_library_says_the_same(text: str, poset: Poset) -> None:
    net = (
        f"block Net(x: [b, c, h, w]) -> [b, c, h', w']:\n    return x |> PosetPool[{text}, [1, {poset.size}], [1, 2]]\n"
    )
    program = check_text(f"{LIBRARY}\n{net}\nmodel M = Net[]\n")
    pool = build(program.models["M"].ir).double()
    x = torch.randn(2, 3, 2, 9, dtype=torch.float64)
    over = -(9 - poset.size) % 2  # windows that overhang are filled with zeros
    windows = F.unfold(F.pad(x, (0, over)).flatten(0, 1)[:, None], (1, poset.size), stride=(1, 2))
    torch.testing.assert_close(pool(x), best(poset, windows).view(2, 3, 2, -1))


@pytest.mark.parametrize("size", [(6, 8), (7, 5), (2, 2), (1, 1)])
def test_the_default_window_is_two_by_two(size: tuple[int, int]) -> None:
    program = check_text(
        "block Net(x: [b, c, h, w]) -> [b, c, h', w']:\n    return x |> poset_pool[\"a<{b,c}<d\"]\n\nmodel M = Net[]\n"
    )
    assert not [d for d in program.diagnostics if d.severity == "error"]
    x = torch.randn(2, 3, *size, dtype=torch.float64)
    filled = F.pad(x, (0, size[1] % 2, 0, size[0] % 2))
    windows = F.unfold(filled.flatten(0, 1)[:, None], 2, stride=2)
    found = build(program.models["M"].ir).double()(x)
    torch.testing.assert_close(found, best(read("diamond"), windows).view_as(found))


@pytest.mark.parametrize(
    ("order", "word"),
    [
        ('"a<b, b<a"', "cycle"),
        ('"a<z"', "element"),
        ("[[0, 1], [1, 0]]", "matrix"),
        ("chain[3]", "matrix"),
        ("7", "list"),
    ],
)
def test_the_library_refuses_what_is_no_poset(order: str, word: str) -> None:
    text = f"block Net(x: [b, c, h, w]) -> [b, c, h', w']:\n    return x |> PosetPool[{order}]\n\nmodel M = Net[]\n"
    found = [d for d in check_text(f"{LIBRARY}\n{text}").diagnostics if d.severity == "error"]
    assert found
    assert word in found[0].message


def test_refusals() -> None:
    ir = check_text(NET.format(act="", more="")).models["M"].ir
    for options in ({"order": "a<b, b<a"}, {"order": "what"}, {"pools": "min"}, {"pools": "avg"}, {"at": "Other"}):
        with pytest.raises(PassError):
            poset_pool(ir, **options)  # type: ignore[arg-type]

"""Pools of posets over windows of more than nine places, against a minimum cut; and what is too large."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from typing import Any

import networkx as nx
import pytest
import torch

import ogive
from deploy.closure import least_cut
from ogive.compiler.posets.closed_form import closed_form
from ogive.compiler.posets.poset import Poset, PosetError
from ogive.compiler.posets.syntax import read
from ogive.grammar.diagnostics import ArchError


def computed(poset: Poset, x: list[float]) -> float:
    """The closed form on numbers."""
    apply: dict[str, Callable[[list[float]], float]] = {"add": sum, "max": max, "relu": lambda v: max(v[0], 0.0)}
    return closed_form(poset).run(x, lambda op, values: apply[op](values))


@pytest.mark.parametrize(
    ("order", "sides"),
    [("chain", [4, 4]), ("antichain", [4, 4]), ("product", [4, 4]), ("product", [5, 5]), ("chain", [1, 12]),
     ("diamond + diamond * diamond + diamond", [4, 4]), ("chain(4) * antichain(12)", [2, 8])],
)  # fmt: skip
@pytest.mark.parametrize("by", ["pass", "library"])
def test_large_windows_are_those_of_a_minimum_cut(order: str, sides: list[int], by: str) -> None:
    pool = f"max_pool[{sides}]" if by == "pass" else f'poset_pool["{order}", kernel={sides}, stride={sides}]'
    text = f"block Net(x: [b, 1, {sides[0]} * h, {sides[1]} * w]) -> [b, 1, h', w']:\n    return x |> {pool}\n"
    model = ogive.source(text + "\nmodel M = Net[]\n").models["M"]
    net = (model.deploy(f'poset_pool[order="{order}"]') if by == "pass" else model).torch().double()
    x = torch.randn(3, 1, *sides, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    poset = read(order, sides[0] * sides[1])
    wanted = [least_cut(poset, [float(v) for v in window.flatten()]) for window in x]
    torch.testing.assert_close(net(x).flatten(), torch.tensor(wanted, dtype=torch.float64), rtol=0, atol=1e-9)


@pytest.mark.parametrize("size", [12, 16, 20])
@pytest.mark.parametrize("share", [0.1, 0.3])
def test_random_large_orders(size: int, share: float) -> None:
    draw = random.Random(size)
    poset = Poset.of(size, [pair for pair in itertools.combinations(range(size), 2) if draw.random() < share])
    x = [draw.gauss(0, 1) for _ in range(size)]
    assert computed(poset, x) == pytest.approx(least_cut(poset, x), abs=1e-9)
    graph: nx.DiGraph[Any] = nx.DiGraph()
    graph.add_nodes_from(range(size))
    graph.add_edges_from(poset.pairs)
    assert len(poset.upsets) == sum(1 for _ in nx.antichains(graph))


def test_a_form_that_takes_too_many_operations_is_refused() -> None:
    text = "block Net(x: [b, 2, 9 * h, 9 * w]) -> [b, 2, h, w]:\n    return x |> max_pool[9]\n\nmodel M = Net[]\n"
    model = ogive.source(text).models["M"]
    with pytest.raises(ArchError, match=r"at most 64 places"):
        model.deploy("poset_pool[order=chain]")
    with pytest.raises(PosetError, match="more than 4096 operations"):
        closed_form(two_rows(32))


def two_rows(size: int) -> Poset:
    """Random pairs between two rows: prime, so that the closed form branches on each element."""
    draw = random.Random(1)
    pairs = [(i, size + j) for i in range(size) for j in range(size) if draw.random() < 0.15]
    return Poset.of(2 * size, pairs)


@pytest.mark.parametrize("text", ["n", "z, a<b", "a<b, e", "(a<b, c) + (a<b)"])
def test_elements_that_are_not_there(text: str) -> None:
    """A lone letter says nothing of the order, but it is no slip that may pass: `n` is not the name of a poset."""
    with pytest.raises(PosetError, match=r"is none of 4 elements|has 5 elements, and the window 4"):
        read(text, 4)


def test_a_lone_element_in_parentheses_counts() -> None:
    assert read("(a<b, c) + (a)", 4) == read("a<b", 4)

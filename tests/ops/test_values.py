"""Constants, grids and random values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ogive.compiler.ir.model import Scalar
from ogive.compiler.ir.types import Axis
from ogive.compiler.ops import random, values
from ops.cases import Case, check, numbers
from ops.harness import Names, function_of, infer, lowered, node_of, refused


def axes(text: str, **more: Any) -> Callable[[Names], dict[str, Any]]:
    return lambda names: {"sizes": tuple(map(names.axis, text.split())), **more}


def sized(name: str, **more: Any) -> Callable[[Names], dict[str, Any]]:
    return lambda names: {name: names["n"], **more}


CASES = [
    Case("zeros", (), None, axes("b 3 d")),
    Case("zeros", (), None, axes("b d", type="bool")),
    Case("zeros", (), None, axes("d", type="complex")),
    Case("zeros", (), lambda: torch.tensor(0.0), axes("")),
    Case("ones", ("x",), None, axes("b d")),
    Case("ones", (), lambda: torch.tensor([1, 1]), axes("2", type="int")),
    Case("full", (), lambda: torch.tensor([[0.5], [0.5]]), axes("2 1", v=0.5)),
    Case("full", (), lambda: torch.tensor([0.25]), axes("1", v=Scalar("/", (1, 4)))),
    Case("full", (), lambda: torch.tensor([3]), axes("1", v=3.0, type="int")),
    Case("full", (), lambda: torch.tensor(0.5), {"v": 0.5}),
    Case("arange", (), None, sized("n")),
    Case("arange", (), lambda: torch.tensor([0, 1, 2]), {"n": 3}),
    Case("linspace", (), None, sized("n", lo=0.0, hi=1.0)),
    Case("linspace", (), lambda: torch.tensor([-1.0, 0.0, 1.0]), {"lo": -1, "hi": 1, "n": 3}),
    Case("eye", (), lambda: torch.tensor([[1.0, 0.0], [0.0, 1.0]]), {"n": 2}),
    Case("constant", (), lambda: torch.tensor([[1, 2], [3, 4]]), {"list": ((1, 2), (3, 4))}),
    Case("constant", (), lambda: torch.tensor([1, 0.5]), {"list": (1, Scalar("/", (1, 2)))}),
    Case("constant", (), lambda: torch.tensor([True, False]), {"list": (True, False)}),
    Case("randn", (), None, axes("b d")),
    Case("rand", (), None, axes("b d")),
    Case("randint", (), None, axes("b d", n=7)),
    Case("permutation", (), None, sized("n")),
    Case("bernoulli", (), None, axes("b 1", p=0.3)),
    Case("bernoulli", (), lambda: torch.tensor([1.0, 1.0]), axes("2", p=1)),
    Case("dropout", ("b d",), lambda x: 0 * x, {"p": 1.0}),
    Case("dropout", ("b d",), lambda x: x, {"p": 0.0}),
]


@pytest.mark.parametrize("case", CASES, ids=str)
@settings(max_examples=12, deadline=None)
@given(number=numbers(), seed=st.integers(0, 9))
def test_rule_and_values(case: Case, number: Callable[[str, int], int], seed: int) -> None:
    check(case, number, seed)


def test_every_operation_has_a_case() -> None:
    assert {case.op for case in CASES} == {spec.name for spec in (*values.OPS, *random.OPS)}


def drawn(op: str, statics: dict[str, Any], training: bool = True) -> torch.Tensor:
    torch.manual_seed(0)
    types = [Names().type("100 100")] if op == "dropout" else []
    found = function_of(node_of(op, types, statics), types, {})(
        *(torch.ones(100, 100) for _ in types), anchor=torch.empty(()), training=training
    )
    assert isinstance(found, torch.Tensor)
    return found


def test_distributions() -> None:
    sizes = {"sizes": tuple(map(Names().axis, ("100", "100")))}
    normal, uniform = drawn("randn", sizes), drawn("rand", sizes)
    torch.testing.assert_close(torch.stack([normal.mean(), normal.std()]), torch.tensor([0.0, 1.0]), atol=0.05, rtol=0)
    assert 0 <= uniform.min() < 0.01
    assert 0.99 < uniform.max() < 1
    assert {*drawn("randint", {**sizes, "n": 3}).flatten().tolist()} == {0, 1, 2}
    assert drawn("permutation", {"n": 50}).sort().values.tolist() == list(range(50))
    assert {*drawn("bernoulli", {**sizes, "p": 0.2}).flatten().tolist()} == {0, 1}
    assert abs(drawn("bernoulli", {**sizes, "p": 0.2}).mean() - 0.2) < 0.02


def test_dropout_keeps_the_mean_and_rests_when_deployed() -> None:
    assert abs(drawn("dropout", {"p": 0.2}).mean() - 1) < 0.02
    assert {*drawn("dropout", {"p": 0.2}).flatten().tolist()} == {0, 1.25}
    assert bool((drawn("dropout", {"p": 0.2}, training=False) == 1).all())


REFUSED = [
    ("constant", (), {"list": ((1, 2), (3,))}, "E0408"),
    ("constant", (), {"list": (1, "a")}, "E0404"),
    ("bernoulli", (), {"sizes": (), "p": 1.5}, "E0408"),
    ("dropout", ("b d",), {"p": -0.1}, "E0408"),
    ("dropout", ("int: b",), {"p": 0.1}, "E0501"),
    ("zeros", (), {"sizes": (), "type": "f8"}, "E0408"),
    ("full", (), {"v": 0.5, "type": "int"}, "E0501"),
    ("full", (), {"v": 0.5, "type": "bool"}, "E0501"),
]


@pytest.mark.parametrize(("op", "inputs", "statics", "code"), REFUSED)
def test_refused(op: str, inputs: tuple[str, ...], statics: dict[str, Any], code: str) -> None:
    names = Names()
    assert refused(op, [names.operand(item) for item in inputs], statics).code == code


def test_axes_keep_the_labels_of_their_names() -> None:
    names = Names()
    ((result,), _) = infer("zeros", [], {"sizes": (names.axis("b"), Axis(names["n"] * 2))})
    assert [axis.label for axis in result.axes] == ["b", None]


@pytest.mark.parametrize(
    ("op", "statics", "text"),
    [
        ("zeros", axes("n 3"), "anchor.new_zeros(4, 3)"),
        ("ones", axes("n", type="int"), "anchor.new_ones(4, dtype=torch.long)"),
        ("full", axes("n", v=float("inf")), 'anchor.new_full((4,), float("inf"))'),
        ("arange", sized("n"), "torch.arange(4, device=anchor.device)"),
        ("constant", lambda names: {"list": (1, names["n"])}, "torch.tensor([1, 4], device=anchor.device)"),
        ("randn", axes("n"), "torch.randn(4, dtype=anchor.dtype, device=anchor.device)"),
    ],
)
def test_source(op: str, statics: Callable[[Names], dict[str, Any]], text: str) -> None:
    names = Names()
    given = statics(names)
    assert lowered(op, [], given, names.values({"n": 4})) == text

"""A case of an operation, and the laws that every case must obey."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from hypothesis import assume
from hypothesis import strategies as st

from ogive.compiler.ir.types import TensorType
from ops.harness import Collected, Names, assert_types, function_of, node_of, tensor


@dataclass(frozen=True)
class Case:
    """An operation on operands ("b n", "int: b", a Const, None) with statics, and what it should compute.

    `statics` may be a function of the names, for statics that are sizes. `reference` takes the tensors; without one,
    types alone are compared (random values). `prepare` changes drawn tensors into legal ones.
    """

    op: str
    inputs: tuple[Any, ...]
    reference: Callable[..., Any] | None
    statics: Mapping[str, Any] | Callable[[Names], Mapping[str, Any]] = field(default_factory=dict)
    prepare: Callable[..., tuple[torch.Tensor, ...]] | None = None
    floatings: tuple[torch.dtype, ...] = (torch.float, torch.double)
    low: int = 1  # the smallest size drawn
    high: int = 2  # integers are drawn below this
    given: tuple[Any, ...] = ()  # conditions that the checker proves

    def __str__(self) -> str:
        return f"{self.op}({', '.join(map(str, self.inputs))})"


@st.composite
def numbers(draw: st.DrawFn) -> Callable[[str, int], int]:
    """Sizes by name: the same name is the same number."""
    found: dict[str, int] = {}

    def number(name: str, low: int) -> int:
        if name not in found:
            found[name] = draw(st.integers(low, low + 4))
        return found[name]

    return number


def check(case: Case, number: Callable[[str, int], int], seed: int) -> None:
    """The rule's type at these sizes is that of what torch computes, and its values are the reference's."""
    names = Names()
    types = [names.operand(item) for item in case.inputs]
    statics = case.statics(names) if callable(case.statics) else case.statics
    checker = Collected(case.given)
    node = node_of(case.op, types, statics, checker)
    values = names.values({name: number(name, case.low) for name in names.known})
    assume(checker.holds(values))
    floating = case.floatings[seed % len(case.floatings)]
    torch.manual_seed(seed)
    operands = [tensor(type, values, floating, case.high) for type in types if isinstance(type, TensorType)]
    if case.prepare is not None:
        operands = list(case.prepare(*operands))
    results = function_of(node, types, values)(*operands, anchor=torch.empty((), dtype=floating))
    assert_types(results, node, values, floating)
    if case.reference is not None:
        _close(results, case.reference(*operands))


def _close(results: Any, expected: Any) -> None:
    got = (results,) if isinstance(results, torch.Tensor) else tuple(results)
    wanted = (expected,) if isinstance(expected, torch.Tensor) else tuple(expected)
    for value, reference in zip(got, wanted, strict=True):
        torch.testing.assert_close(value, reference, rtol=1e-4, atol=1e-5, equal_nan=True, check_dtype=False)

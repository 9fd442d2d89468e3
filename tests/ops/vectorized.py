"""An operation as a model that applies it at every index of an axis, and operands for it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ogive.compiler.ir.attributes import OverAttrs
from ogive.compiler.ir.model import Definition, Graph, Model, Node, Static, Value
from ogive.compiler.ir.types import Axis, TensorType
from ogive.compiler.sizes import Unknown, size
from ops.cases import Case
from ops.harness import Collected, Names, function_of, node_of, tensor

LENGTH = 3


@dataclass
class VectorizedCase:
    """A case at some sizes: one row of operands for each index, and the operation on one of them."""

    node: Node
    kinds: list[TensorType]
    values: dict[Unknown, int]
    function: Callable[..., Any]
    rows: list[tuple[Tensor, ...]]

    def subsets(self) -> Iterator[tuple[bool, ...]]:
        """Which operands have the axis: all of them, and each alone."""
        count = len(self.kinds)
        yield (True,) * count
        if count > 1:
            yield from (tuple(at == index for at in range(count)) for index in range(count))

    def operands(self, mapped: Sequence[bool]) -> list[Tensor]:
        """Stacked rows for operands with the axis, the first row for the others."""
        columns = zip(*self.rows, strict=True)
        return [torch.stack(column) if m else column[0] for column, m in zip(columns, mapped, strict=True)]

    def loop(self, given: Sequence[Tensor], mapped: Sequence[bool]) -> tuple[Tensor, ...]:
        """Index by index, in Python."""
        rows = [self.function(*(x[i] if m else x for x, m in zip(given, mapped, strict=True))) for i in range(LENGTH)]
        if isinstance(rows[0], Tensor):
            return (torch.stack(rows),)
        return tuple(torch.stack(column) for column in zip(*rows, strict=True))

    def model(self, mapped: Sequence[bool]) -> Model:
        """`over` the axis, which stands first."""
        n = Axis(size(Unknown("n_lifted")))
        outside, inside = [], []
        for at, (type, has) in enumerate(zip(self.kinds, mapped, strict=True)):
            outside.append(Value(f"x{at}", type.with_axes(n, *type.axes) if has else type, f"x{at}"))
            inside.append(Value(f"i{at}", type, f"x{at}"))
        order = sorted(range(len(mapped)), key=lambda at: not mapped[at])
        numbered = iter(range(len(inside)))
        inputs = tuple(f"i{next(numbered)}" if isinstance(x, str) else x for x in self.node.inputs)
        region = Graph(
            tuple(inside[at] for at in order),
            (Node(self.node.op, inputs, self.node.outputs, self.node.attrs),),
            tuple(value.name for value in self.node.outputs),
        )
        results = tuple(
            Value(f"z{at}", value.type.with_axes(n, *value.type.axes)) for at, value in enumerate(self.node.outputs)
        )
        many = sum(mapped)
        zeros = (0,) * many
        told = OverAttrs(n.size, many, zeros, (0,) * len(results))
        over = Node.of(told, tuple(outside[at].name for at in order), results, (region,))
        graph = Graph(tuple(outside), (over,), tuple(value.name for value in results))
        statics = tuple(Static(u.name, "size", u) for u in self.values if u.kind == "size")
        sizes = (*(u for u in self.values if u.kind != "size"), *n.size.unknowns)
        block = Definition(
            "Op", "Op", statics, sizes, graph, tuple(f"y{at}" for at in range(len(results))), (False,) * len(outside),
            (), (),
        )  # fmt: skip
        bindings = tuple((u, number) for u, number in self.values.items() if u.kind == "size")
        return Model("Op", block, bindings, ())


def vectorized_case(case: Case, floating: torch.dtype = torch.double, seed: int = 0, depth: int = 0) -> VectorizedCase:
    """The case at sizes that it allows, its function as inside of so many `grad`."""
    names = Names()
    types = [names.operand(item) for item in case.inputs]
    statics = case.statics(names) if callable(case.statics) else case.statics
    checker = Collected(case.given)
    node = node_of(case.op, types, statics, checker)
    draw = random.Random(seed)
    for _ in range(200):
        values = names.values({name: draw.randint(case.low, case.low + 4) for name in names.known})
        if checker.holds(values):
            break
    else:
        raise AssertionError(f"no sizes fit {case}")
    torch.manual_seed(seed)
    kinds = [type for type in types if isinstance(type, TensorType)]
    text = function_of(node, types, values, depth)

    def row() -> tuple[Tensor, ...]:
        drawn = tuple(tensor(type, values, floating, case.high) for type in kinds)
        return drawn if case.prepare is None else tuple(case.prepare(*drawn))

    anchor = torch.empty((), dtype=floating)
    rows = [row() for _ in range(LENGTH)]
    return VectorizedCase(node, kinds, values, lambda *xs: text(*xs, anchor=anchor, training=False), rows)

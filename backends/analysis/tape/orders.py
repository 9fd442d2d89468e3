"""What looks at the order of numbers: extrema, sorting, comparisons. It rises with its operands, or lies in a range."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from ogive.backends.analysis.tape.steps import Ends, Run, over
from ogive.backends.analysis.tape.unroll import Meaning, OnTape, TapeRule, Unroller, UnrollFrame
from ogive.compiler.ir.model import Node

Args = Sequence[Meaning]


def _rising(machine: Unroller, frame: UnrollFrame, node: Node, args: Args, chosen: bool = False) -> list[Meaning]:
    run = machine.partial(frame, node, args)
    return [machine.ranged(frame, node, args, run, _ends(run), chosen)]


def _ends(run: Run) -> Callable[[Sequence[Ends]], Ends]:
    return lambda ends: (over(run, *(low for low, _ in ends)), over(run, *(high for _, high in ends)))


def _largest(machine: Unroller, frame: UnrollFrame, node: Node, args: Args) -> Sequence[Meaning]:
    """The largest of some entries is none below any of them."""
    return _rising(machine, frame, node, args, chosen=True)


def _smallest(machine: Unroller, frame: UnrollFrame, node: Node, args: Args) -> Sequence[Meaning]:
    return _rising(machine, frame, node, args)


def _values_and_places(machine: Unroller, frame: UnrollFrame, node: Node, args: Args) -> Sequence[Meaning]:
    """`sort` and `topk`: values rise with the operand, places may be any."""
    found: list[Meaning] = []
    many = len(node.outputs) > 1
    (x, *_) = args
    assert isinstance(x, OnTape)
    for at, value in enumerate(node.outputs):
        run = machine.partial(frame, node, args, at if many else None)
        ends = _ends(run) if value.type.elem not in ("int", "i64", "i32") else _between(0, max(x.shape) - 1, run)
        found.append(machine.ranged(frame, node, args, run, ends))
    return found


def _between(low: float, high: float, run: Run) -> Callable[[Sequence[Ends]], Ends]:
    """Anything from low to high."""

    def ends(given: Sequence[Ends]) -> Ends:
        like = over(run, *(a for a, _ in given))
        return torch.full_like(like, low), torch.full_like(like, high)

    return ends


def _place(machine: Unroller, frame: UnrollFrame, node: Node, args: Args) -> Sequence[Meaning]:
    (x,) = args
    assert isinstance(x, OnTape)
    run = machine.partial(frame, node, args)
    return [machine.ranged(frame, node, args, run, _between(0, max(x.shape) - 1, run))]


def _truth(machine: Unroller, frame: UnrollFrame, node: Node, args: Args) -> Sequence[Meaning]:
    """A condition: 0 or 1, or either."""
    run = machine.partial(frame, node, args)
    return [machine.ranged(frame, node, args, run, _between(0, 1, run))]


def _compared(holds: Callable[[Tensor, Tensor], Tensor]) -> TapeRule:
    """A comparison a < b in this sense: it holds for all of the box where the largest a and the least b meet it."""

    def rule(machine: Unroller, frame: UnrollFrame, node: Node, args: Args) -> Sequence[Meaning]:
        run = machine.partial(frame, node, args)
        swap = node.op in ("gt", "ge")

        def ends(given: Sequence[Ends]) -> Ends:
            each = iter(given)
            a, b = (next(each) if isinstance(arg, OnTape) else (arg, arg) for arg in args)
            a, b = (b, a) if swap else (a, b)
            return holds(a[1], b[0]).double(), holds(a[0], b[1]).double()  # type: ignore[arg-type]

        return [machine.ranged(frame, node, args, run, ends)]

    return rule


ORDERS: Mapping[str, Any] = MappingProxyType(
    {
        **dict.fromkeys(("max", "max_pool", "adaptive_max_pool", "cummax"), _largest),
        **dict.fromkeys(("min", "cummin", "floor", "ceil", "round", "trunc", "sign"), _smallest),
        **dict.fromkeys(("sort", "topk"), _values_and_places),
        **dict.fromkeys(("argmax", "argmin", "argsort"), _place),
        **dict.fromkeys(("eq", "ne", "any", "all", "one_hot", "isfinite", "isnan", "isinf"), _truth),
        **dict.fromkeys(("logical_and", "logical_or", "logical_not"), _truth),
        **dict.fromkeys(("lt", "gt"), _compared(torch.lt)),
        **dict.fromkeys(("le", "ge"), _compared(torch.le)),
    }
)

"""Products: with constants they are affine, of two values that depend on the box they are bilinear."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from ogive.backends.analysis.tape.curve_table import curve_of
from ogive.backends.analysis.tape.functions import function_of
from ogive.backends.analysis.tape.steps import CurveStep, ProductStep, Run
from ogive.backends.analysis.tape.unroll import Meaning, OnTape, TapeRule, Unroller, UnrollFrame, filled
from ogive.compiler.ir.model import Node

Args = Sequence[Meaning]


def multiplied(machine: Unroller, frame: UnrollFrame, node: Node, a: Meaning, b: Meaning) -> OnTape:
    """A b, entry by entry."""
    if isinstance(a, OnTape) and isinstance(b, OnTape):
        return bilinear(machine, frame, node, a, b, torch.mul, 1, pointwise=True)
    run = filled(torch.mul, (a, b))
    sizes = filled(torch.mul, [each if isinstance(each, OnTape) else each.abs() for each in (a, b) if each is not None])
    return machine.affine(frame, node, (a, b), run, 1, sizes)


def bilinear(
    machine: Unroller, frame: UnrollFrame, node: Node, a: OnTape, b: OnTape, run: Run, terms: int,
    pointwise: bool = False,
) -> OnTape:  # fmt: skip
    """A product of two values that depend on the box; the square of one is a curve."""
    if pointwise and a.step == b.step:
        curve = curve_of("pow", {"power": 2.0}, torch.square, frame.sizes)
        assert curve is not None
        return machine.add(CurveStep(a.shape, curve, (a.step,), machine.origin(frame, node)))
    shapes = (a.shape, b.shape)
    shape = tuple(run(*(torch.zeros(each, dtype=torch.float64) for each in shapes)).shape)
    origin = machine.origin(frame, node)
    return machine.add(ProductStep(shape, run, (a.step, b.step), shapes, origin, terms, pointwise))


def _mul(machine: Unroller, frame: UnrollFrame, node: Node, args: Args) -> Sequence[Meaning]:
    return [multiplied(machine, frame, node, args[0], args[1])]


def contracted(terms: Callable[[Sequence[tuple[int, ...]]], int]) -> TapeRule:
    """The rule of an operation that is linear in each of its first two operands, a third is added. `terms` says of the
    shapes of the operands how many products an entry sums.
    """

    def rule(machine: Unroller, frame: UnrollFrame, node: Node, args: Args) -> Sequence[Meaning]:
        shapes = [tuple(arg.shape) for arg in args if arg is not None]
        factors = args[:2] if node.op != "einsum" else args
        free = [arg for arg in factors if isinstance(arg, OnTape)]
        if len(free) > 2 or (len(args) > 2 and node.op == "einsum" and len(free) > 1):
            return machine.not_known(frame, node, "more than two factors depend on the box")
        summed = terms(shapes)
        if len(free) < 2:
            run = machine.partial(frame, node, args)
            return [machine.affine(frame, node, args, run, summed + 1, _sizes(machine, frame, node, args))]
        plain = _without_bias(machine, frame, node)
        made = bilinear(machine, frame, node, free[0], free[1], plain, summed)
        bias = args[2] if len(args) > 2 and node.op != "einsum" else None
        if bias is None:
            return [made]
        given: list[Meaning] = [made, bias]
        shape = (-1,) if node.op == "linear" else (-1, *(1 for _ in made.shape[2:]))
        run = filled(lambda y, b: y + b.reshape(shape), given)
        return [machine.affine(frame, node, given, run, 1, _added(given, shape))]

    return rule


def _added(given: Sequence[Meaning], shape: tuple[int, ...]) -> Run:
    """|J| of y + b."""
    bias = given[1]
    still = bias if isinstance(bias, OnTape) else torch.zeros_like(bias)  # type: ignore[arg-type]
    return filled(lambda y, b: y + b.reshape(shape), [given[0], still])


def _without_bias(machine: Unroller, frame: UnrollFrame, node: Node) -> Run:
    """The operation as a function of its first two operands."""
    if node.op in ("matmul", "mul", "einsum"):
        return machine.function(frame, node)
    inputs = (*node.inputs[:2], None)
    types = [frame.types[each] if isinstance(each, str) else None for each in inputs]
    return function_of(Node(node.op, inputs, node.outputs, node.attrs), types, frame.sizes)


def _sizes(machine: Unroller, frame: UnrollFrame, node: Node, args: Args) -> Run:
    """|J| r: the sizes of the factors that are known, and no bias that is."""
    function = machine.function(frame, node)
    fixed: list[Tensor | None] = []
    for at, arg in enumerate(args):
        if isinstance(arg, Tensor) and isinstance(node.inputs[at], str):
            fixed.append(torch.zeros_like(arg) if at == 2 and node.op != "einsum" else arg.abs())
        elif arg is not None and isinstance(arg, OnTape):
            fixed.append(None)

    def run(*radii: Tensor) -> Tensor:
        given = iter(radii)
        made: Tensor = function(*(next(given) if each is None else each for each in fixed))
        return made

    return run


def _linear(shapes: Sequence[tuple[int, ...]]) -> int:
    return shapes[0][-1]


def _conv(shapes: Sequence[tuple[int, ...]]) -> int:
    return prod(shapes[1][1:])


def _conv_transpose(shapes: Sequence[tuple[int, ...]]) -> int:
    return shapes[1][0] * prod(shapes[1][2:])


def _einsum(shapes: Sequence[tuple[int, ...]]) -> int:
    """No more than all entries of the largest operand."""
    return max(map(prod, shapes))


def _batch_norm(machine: Unroller, frame: UnrollFrame, node: Node, args: Args) -> Sequence[Meaning]:
    """(x - mean) / √(variance + eps) weight + bias, of running statistics."""
    x, *rest = args
    if not isinstance(x, OnTape) or any(isinstance(each, OnTape) for each in rest):
        return machine.not_known(frame, node, "statistics, weight or bias depend on the box")
    run = machine.partial(frame, node, args)
    still = run(torch.zeros(x.shape, dtype=torch.float64))

    def magnitude(r: Tensor) -> Tensor:
        return (run(r) - still).abs()

    return [machine.affine(frame, node, args, run, 4, magnitude)]


PRODUCTS: Mapping[str, Any] = MappingProxyType(
    {
        "mul": _mul,
        "matmul": contracted(_linear),
        "linear": contracted(_linear),
        "einsum": contracted(_einsum),
        "conv": contracted(_conv),
        "conv_transpose": contracted(_conv_transpose),
        "batch_norm": _batch_norm,
    }
)

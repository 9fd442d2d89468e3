"""For each operation, the steps that it takes of values that depend on the box."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from types import MappingProxyType

import torch
from torch import Tensor

from ogive.backends.analysis.tape.curve_table import CURVED, curve_of
from ogive.backends.analysis.tape.functions import number_at
from ogive.backends.analysis.tape.norms import NORMS
from ogive.backends.analysis.tape.orders import ORDERS
from ogive.backends.analysis.tape.products import PRODUCTS, multiplied
from ogive.backends.analysis.tape.softmax import SOFTMAX
from ogive.backends.analysis.tape.steps import CurveStep, Run, over
from ogive.backends.analysis.tape.unroll import Meaning, OnTape, TapeRule, Unroller, UnrollFrame, filled
from ogive.compiler.ir.model import Const, Node
from ogive.compiler.ir.types import FLOATS, INTS

Args = Sequence[Meaning]
SHORT_PRODUCT = 64  # factors of `prod` that are multiplied one by one


def _moved(machine: Unroller, frame: UnrollFrame, node: Node, args: Args) -> Sequence[Meaning]:
    """Entries are moved, copied or left out, beside constants."""
    many = len(node.outputs) > 1
    return [
        machine.affine(frame, node, args, machine.partial(frame, node, args, at if many else None), 0)
        for at in range(len(node.outputs))
    ]


def _placed(machine: Unroller, frame: UnrollFrame, node: Node, args: Args) -> Sequence[Meaning]:
    """Entries at places that are known."""
    if not all(isinstance(arg, Tensor) or arg is None for arg in args[1 if node.op != "put" else 2 :]) and node.op in (
        "take", "gather",
    ):  # fmt: skip
        return machine.not_known(frame, node, "places depend on the box")
    if node.op == "put" and isinstance(args[2], OnTape):
        return machine.not_known(frame, node, "places depend on the box")
    return _moved(machine, frame, node, args)


def _summed(machine: Unroller, frame: UnrollFrame, node: Node, args: Args) -> Sequence[Meaning]:
    """Sums and means with weights that are not negative."""
    (x,) = (arg for arg in args if isinstance(arg, OnTape))
    run = machine.partial(frame, node, args)
    made = machine.affine(frame, node, args, run, 0)
    many = max(_count(x.shape) // max(_count(made.shape), 1), 1) if node.op != "cumsum" else max(x.shape, default=1)
    machine.tape.steps.pop()
    return [machine.affine(frame, node, args, run, 2 * many)]


def _count(shape: Sequence[int]) -> int:
    found = 1
    for each in shape:
        found *= each
    return found


def _pointwise_affine(machine: Unroller, frame: UnrollFrame, node: Node, args: Args) -> Sequence[Meaning]:
    """Sums, differences and multiples entry by entry: |J| r is how far each operand alone moves the result."""
    run = machine.partial(frame, node, args)
    shapes = [arg.shape for arg in args if isinstance(arg, OnTape)]

    def magnitude(*radii: Tensor) -> Tensor:
        zeros = [torch.zeros(shape, dtype=torch.float64) for shape in shapes]
        still = run(*zeros)
        moved = [run(*(r if i == at else z for i, z in enumerate(zeros))) for at, r in enumerate(radii)]
        return sum(((each - still).abs() for each in moved), torch.zeros_like(still))

    return [machine.affine(frame, node, args, run, len(shapes) + 1, magnitude)]


def _curve(machine: Unroller, frame: UnrollFrame, node: Node, args: Args) -> Sequence[Meaning]:
    """A function of one number."""
    (x,) = (arg for arg in args if isinstance(arg, OnTape))
    curve = curve_of(node.op, dict(node.attrs), machine.partial(frame, node, args), frame.sizes)
    if curve is None:
        run = machine.partial(frame, node, args)
        return [machine.ranged(frame, node, args, run, lambda ends: _rising(run, ends))]
    return [machine.add(CurveStep(x.shape, curve, (x.step,), machine.origin(frame, node)))]


def _rising(run: Run, ends: Sequence[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    return over(run, *(low for low, _ in ends)), over(run, *(high for _, high in ends))


def _cast(machine: Unroller, frame: UnrollFrame, node: Node, args: Args) -> Sequence[Meaning]:
    """Between floats the number itself; to integers it is cut off."""
    (x,) = args
    assert isinstance(x, OnTape)
    target = node.attr("type")
    if target in FLOATS:
        return [machine.affine(frame, node, args, lambda x: x * 1, 0)]
    if target in INTS:
        return [machine.ranged(frame, node, args, torch.trunc, lambda ends: _rising(torch.trunc, ends))]
    return machine.not_known(frame, node, f"a cast to `{target}`")


def _quotient(machine: Unroller, frame: UnrollFrame, node: Node, args: Args) -> Sequence[Meaning]:
    """A / b: a multiple, or a times 1 / b."""
    a, b = args
    if not isinstance(b, OnTape):
        return _pointwise_affine(machine, frame, node, args)
    curve = curve_of("reciprocal", {}, torch.reciprocal, frame.sizes)
    assert curve is not None
    inverse = machine.add(CurveStep(b.shape, curve, (b.step,), machine.origin(frame, node)))
    if isinstance(a, Tensor) and a.ndim == 0 and float(a) == 1:
        return [inverse]
    return [multiplied(machine, frame, node, a, inverse)]


def _power(machine: Unroller, frame: UnrollFrame, node: Node, args: Args) -> Sequence[Meaning]:
    """X to a power that is a number, or e^(b ln a)."""
    a = args[0]
    power = node.inputs[1]
    if isinstance(a, OnTape) and isinstance(power, Const):
        number = float(number_at(power, frame.sizes))
        curve = curve_of("pow", {"power": number}, partial(torch.pow, exponent=number), frame.sizes)
        if number == 1:
            return [a]
        if curve is not None:
            return [machine.add(CurveStep(a.shape, curve, (a.step,), machine.origin(frame, node)))]
    return machine.not_known(frame, node, "a power that depends on the box")


def _lerp(machine: Unroller, frame: UnrollFrame, node: Node, args: Args) -> Sequence[Meaning]:
    if isinstance(args[2], OnTape):
        return machine.not_known(frame, node, "a weight that depends on the box")
    return _pointwise_affine(machine, frame, node, args)


def _extremum(machine: Unroller, frame: UnrollFrame, node: Node, args: Args) -> Sequence[Meaning]:
    """max(a, b) = b + relu(a - b); min(a, b) = b - relu(b - a)."""
    b = args[1]
    sign = 1.0 if node.op == "maximum" else -1.0
    gap = machine.affine(frame, node, args, filled(lambda a, b: sign * (a - b), args), 1,
                         _spread(args))  # fmt: skip
    curve = curve_of("relu", {}, torch.relu, frame.sizes)
    assert curve is not None
    above = machine.add(CurveStep(gap.shape, curve, (gap.step,), machine.origin(frame, node)))
    more: list[Meaning] = [b, above]
    return [machine.affine(frame, node, more, filled(lambda b, r: b + sign * r, more), 1, _spread(more))]


def _spread(args: Args) -> Run:
    """|±a| + |±b|, without constants."""
    zero = [arg if isinstance(arg, OnTape) else torch.zeros_like(arg) for arg in args]  # type: ignore[arg-type]
    return filled(torch.add, zero)


def _select(machine: Unroller, frame: UnrollFrame, node: Node, args: Args) -> Sequence[Meaning]:
    """One of two, by a condition; where this depends on the box it may be either."""
    if not isinstance(args[0], OnTape):
        return _moved(machine, frame, node, args)
    run = machine.partial(frame, node, args)
    known = [None if isinstance(arg, OnTape) else arg for arg in args]

    def ends(given: Sequence[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
        each = iter(given)
        (c_low, c_high), a, b = (next(each) if arg is None else (arg[None], arg[None]) for arg in known)
        never, always = c_high == 0, c_low != 0
        low = torch.where(always, a[0], torch.where(never, b[0], torch.minimum(a[0], b[0])))
        high = torch.where(always, a[1], torch.where(never, b[1], torch.maximum(a[1], b[1])))
        return low, high

    return [machine.ranged(frame, node, args, run, ends)]


def _product_over(machine: Unroller, frame: UnrollFrame, node: Node, args: Args) -> Sequence[Meaning]:
    """`prod`: one factor after the other."""
    (x,) = args
    assert isinstance(x, OnTape)
    axes = tuple(node.attr("axes") or range(len(x.shape)))
    lengths = [x.shape[axis] for axis in axes]
    kept = [n for at, n in enumerate(x.shape) if at not in axes]
    if _count(lengths) > SHORT_PRODUCT or _count(lengths) == 0:
        return machine.not_known(frame, node, "a product of many factors")
    order = (*(at for at in range(len(x.shape)) if at not in axes), *axes)
    flat = machine.affine(frame, node, [x], lambda x: x.permute(order).reshape(*kept, -1), 0)
    made: OnTape = machine.affine(frame, node, [flat], lambda x: x[..., 0], 0)
    for at in range(1, flat.shape[-1]):
        one = machine.affine(frame, node, [flat], lambda x, at=at: x[..., at], 0)
        made = multiplied(machine, frame, node, made, one)
    shape = machine.partial(frame, node, args)(torch.zeros(x.shape, dtype=torch.float64)).shape
    return [machine.affine(frame, node, [made], lambda x: x.reshape(shape), 0)]


def _resampled(machine: Unroller, frame: UnrollFrame, node: Node, args: Args) -> Sequence[Meaning]:
    if node.op == "interpolate" and node.attr("mode") not in ("nearest", "linear", "bilinear", "area", "trilinear"):
        return machine.not_known(frame, node, f"mode `{node.attr('mode')}`")
    if node.op == "grid_sample" and isinstance(args[1], OnTape):
        return machine.not_known(frame, node, "places depend on the box")
    return _summed(machine, frame, node, args)


def _reduced(machine: Unroller, frame: UnrollFrame, node: Node, args: Args) -> Sequence[Meaning]:
    """`reduce` with a pattern, by what it does."""
    op = node.attr("op")
    if op in ("sum", "mean"):
        return _summed(machine, frame, node, args)
    if op in ("max", "min"):
        found: Sequence[Meaning] = ORDERS[op](machine, frame, node, args)
        return found
    return machine.not_known(frame, node, f"`reduce` by `{op}`")


MOVES = (
    "rearrange", "expand", "split", "concat", "stack", "flip", "roll", "pad", "slice", "diag", "tril", "triu",
    "stop_gradient",
)  # fmt: skip
SUMS = ("sum", "mean", "cumsum", "avg_pool", "adaptive_avg_pool", "unfold", "fold")

TAPE_RULES: Mapping[str, TapeRule] = MappingProxyType(
    {
        **dict.fromkeys(MOVES, _moved),
        **dict.fromkeys(("take", "gather", "put"), _placed),
        **dict.fromkeys(SUMS, _summed),
        **dict.fromkeys(("interpolate", "grid_sample"), _resampled),
        **dict.fromkeys(("add", "sub", "neg"), _pointwise_affine),
        **dict.fromkeys(CURVED, _curve),
        **dict.fromkeys(("maximum", "minimum"), _extremum),
        "div": _quotient,
        "pow": _power,
        "lerp": _lerp,
        "cast": _cast,
        "select": _select,
        "prod": _product_over,
        "reduce": _reduced,
        **PRODUCTS,
        **ORDERS,
        **NORMS,
        **SOFTMAX,
    }
)

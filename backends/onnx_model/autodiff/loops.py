"""The way back through a `scan`: a `Scan` in the other direction, which runs each step again from the states before.

Backpropagation through time: Werbos 1990, "Backpropagation through time: what it does and how to do it".
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from ogive.backends.onnx_model.autodiff.backward import flow_back
from ogive.backends.onnx_model.autodiff.steps import Steps
from ogive.backends.onnx_model.autodiff.tape import Noted
from ogive.backends.onnx_model.graph.errors import OnnxError
from ogive.backends.onnx_model.walk_state import Lowering
from ogive.compiler.ir.model import Node
from ogive.compiler.ir.types import Axis, TensorType


@dataclass(frozen=True, slots=True)
class LoweredLoop:
    """A loop as it was lowered. `body` gives the next states and the yields of a step, with their types."""

    node: Node
    starts: Sequence[str]
    sources: Sequence[str]  # what it steps through
    captured: Sequence[str]
    results: tuple[str, ...]  # last states, then yields
    entries: Sequence[str]  # the states before each step, stacked on a first axis
    inner: Sequence[tuple[str, TensorType]]  # of states and slices
    axes: Sequence[int]
    out_axis: int
    reverse: bool  # whether it steps from the end
    body: Callable[[Sequence[str]], Sequence[tuple[str, TensorType]]]


def backwards(
    walker: Lowering, loop: LoweredLoop, flows: Mapping[str, str], dependent: Collection[str]
) -> Mapping[str, str]:
    """What flows back to first states, slices and captures from what flows back to last states and yields."""
    graph, node, carry = walker.builder, loop.node, len(loop.starts)
    if walker.tape is not None:
        raise OnnxError(f"`grad` of a `grad` through `{node.op}` is not supported in ONNX", node.span)
    if any(graph.paired(x) for x in (*loop.starts, *loop.sources, *loop.results)):
        raise OnnxError(f"`grad` through `{node.op}` of complex numbers is not supported in ONNX", node.span)
    shared = [x for x in dict.fromkeys(loop.captured) if x in dependent]
    steps = Steps(graph, lambda noted: None)
    later = [flows.get(name) or _zeros(steps, name) for name in loop.results]
    sums = [_zeros(steps, name) for name in shared]
    slices = [(hint, type) for hint, type in loop.inner[carry:]]
    yielded = [(at, graph.type(name)) for at, name in enumerate(loop.results) if at >= carry]
    dropped = [type.with_axes(*_without(type, loop.out_axis)) for _, type in yielded]
    inner = [
        *(("flow", type) for _, type in loop.inner[:carry]),
        *(("sum", graph.type(name)) for name in shared),
        *loop.inner[:carry],
        *slices,
        *(("flow", type) for type in dropped),
    ]

    def step(names: Sequence[str]) -> list[tuple[str, TensorType]]:
        given = iter(names)
        flowing = [next(given) for _ in range(carry)]
        totals = [next(given) for _ in shared]
        states = [next(given) for _ in range(carry)]
        slice_ = [next(given) for _ in slices]
        flowing += given
        tape = walker.tape = list[Noted]()
        taps, walker.taps = walker.taps, None  # what is seen is seen once
        results = loop.body([*states, *slice_])
        walker.tape, walker.taps = None, taps
        back: dict[str, str] = {}
        for (name, _), flow in zip(results, flowing, strict=True):
            back[name] = steps.both("add", back[name], flow) if name in back else flow
        flow_back(steps, tape, back, {*states, *slice_, *shared}, node)
        found = [back.get(name) or _zeros(steps, name) for name in states]
        found += [steps.both("add", total, back[name]) if name in back else total
                  for total, name in zip(totals, shared, strict=True)]  # fmt: skip
        found += [back.get(name) or _zeros(steps, name) for name in slice_]
        types = [type for _, type in (*inner[: carry + len(shared)], *slices)]
        return list(zip(found, types, strict=True))

    made = graph.scan(
        [*later[:carry], *sums],
        [*loop.entries, *loop.sources, *later[carry:]],
        inner,
        step,
        [*[0] * carry, *loop.axes[: len(slices)], *[loop.out_axis] * len(yielded)],
        list(loop.axes[: len(slices)]),
        not loop.reverse,
    )
    found: dict[str, str] = {}
    for name, flow in zip((*loop.starts, *shared, *loop.sources), made, strict=True):
        graph.types.setdefault(flow, graph.type(name))
        if name in dependent:
            found[name] = steps.both("add", found[name], flow) if name in found else flow
    return found


def _zeros(steps: Steps, like: str) -> str:
    return steps.both("mul", like, 0.0)


def _without(type: TensorType, axis: int) -> tuple[Axis, ...]:
    return (*type.axes[:axis], *type.axes[axis + 1 :])

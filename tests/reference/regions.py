"""Loops, choices, vectorized blocks and derivatives, as the language page says what they mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ogive.compiler.ir.attributes import CustomGradAttrs, LoopAttrs, VectorizedAttrs
from ogive.compiler.ir.model import Node, Value
from reference.arrays import Array, Numbers, cut, gradient, grid, pick, stack
from reference.store import Key, Layer, together
from reference.world import dtype_of, shape_of

if TYPE_CHECKING:
    from reference.interpreter import Frame, Machine

Results = Sequence["Array | None"]


def at(x: Array | None, axis: int, index: int) -> Array:
    """One entry along an axis, which is dropped."""
    assert x is not None
    return pick(x, grid(x.shape).take(index, axis))


def loop(machine: Machine, frame: Frame, node: Node, loop: LoopAttrs) -> Results:
    """`repeat` and `scan`: the region once an iteration, in order; what it yields is collected."""
    values = machine.inputs(frame, node)
    parts = loop.parts(values)
    carried = parts.carried
    count = loop.count.at(frame.env)
    scan = node.op == "scan"
    axes = [frame_axis(frame, node, loop.carried + i, axis) for i, axis in enumerate(loop.slice_axes)]
    order = range(count - 1, -1, -1) if loop.reverse else range(count)
    collected: list[list[Array | None]] = [[] for _ in loop.results(node.outputs).yielded]
    iterations, index = frame.iterations, loop.index
    for number in order:
        if not scan:
            frame.iterations = (*iterations, number)
        if index is not None:
            frame.env[index] = number
        here = [at(x, axis, number) for x, axis in zip(parts.sliced, axes, strict=True)]
        results = loop.results(machine.region(frame, node.regions[0], [*carried, *here, *parts.captured]))
        carried = results.carried
        for rows, value in zip(collected, results.yielded, strict=True):
            rows.append(value)
    frame.iterations = iterations
    made = zip(loop.results(node.outputs).yielded, collected, strict=True)
    return [*carried, *(_collected(frame, loop, value, rows) for value, rows in made)]


def _collected(frame: Frame, loop: LoopAttrs, value: Value, found: list[Array | None]) -> Array | None:
    """What is yielded, in all iterations or in none."""
    rows = [row for row in found if row is not None]
    assert len(rows) in (0, len(found))
    if found and not rows:
        return None
    before = value.type.axes[: loop.yield_axis]
    axis = sum(len(frame.packs[a.pack]) if a.pack is not None else 1 for a in before)
    if not rows:
        return Array(np.zeros(shape_of(value.type, frame.env, frame.packs), dtype_of(value.type.elem)))
    return stack(rows[::-1] if loop.reverse else rows, axis)


def frame_axis(frame: Frame, node: Node, operand: int, position: int) -> int:
    """A position in the type of an operand as an axis."""
    name = node.inputs[operand]
    assert isinstance(name, str)
    axes = frame.types[name].axes[:position]
    return sum(len(frame.packs[axis.pack]) if axis.pack is not None else 1 for axis in axes)


def vectorized(machine: Machine, frame: Frame, node: Node, told: VectorizedAttrs) -> Results:
    """`over` and `each`: the region at every index, all of which go through its statements together.

    A state that they share becomes, where it is written, the mean of what they make of it, and this is what they read
    afterwards. Here they run one by one: again and again, until all is known that they read.
    """
    settled: list[dict[Key, Numbers]] = []
    before = machine.world.mark()
    around = machine.store.layers[-1] if machine.store.layers else Layer()
    while True:
        rows, layers = _indices(machine, frame, node, told, settled)
        found = _agreed(together(layers), around)
        if len(settled) == len(found) or not any(layer.read for layer in layers):
            break
        settled = found[: len(settled) + 1]
        machine.world.back_to(before)
    around.read = around.read or any(layer.read for layer in layers)
    for event in found:
        for (path, lanes), value in event.items():
            machine.store.write(path, lanes, value)
    return [
        _rejoined(frame, node.outputs[i], told.out_axes[i], [row[i] for row in rows]) for i in range(len(node.outputs))
    ]


def _agreed(found: Sequence[dict[Key, Numbers]], around: Layer) -> list[dict[Key, Numbers]]:
    """What is written, as far as it is known what the indices of an axis around this one make of it together."""
    at, agreed = len(around.events), []
    for event in found:
        known = [value for each in around.settled[at : at + len(event)] for value in each.items()]
        agreed.append(event | {key: value for key, value in known if key in event})
        at += len(event)
    return agreed


def _indices(
    machine: Machine, frame: Frame, node: Node, told: VectorizedAttrs, settled: Sequence[dict[Key, Numbers]]
) -> tuple[list[Results], list[Layer]]:
    """The region at every index, and what it writes."""
    values = machine.inputs(frame, node)
    parts, count = told.parts(values), told.size.at(frame.env)
    axes = [frame_axis(frame, node, i, axis) for i, axis in enumerate(told.in_axes)]
    store, world, outer, taps = machine.store, machine.world, frame.index, machine.world.taps
    rows: list[Results] = []
    layers: list[Layer] = []
    seen: list[dict[str, list[Array]]] = []
    for index in range(count):
        here = [at(x, axis, index) for x, axis in zip(parts.sliced, axes, strict=True)]
        if node.op == "each":
            frame.index = index
        store.layers.append(Layer(settled))
        world.taps = {}
        rows.append(machine.region(frame, node.regions[0], [*here, *parts.captured]))
        layers.append(store.layers.pop())
        seen.append(world.taps)
    frame.index, world.taps = outer, {path: list(entries) for path, entries in taps.items()}
    for path in dict.fromkeys(path for each in seen for path in each):
        lists = [each[path] for each in seen]
        world.taps.setdefault(path, []).extend(stack(entries, 0) for entries in zip(*lists, strict=True))
    return rows, layers


def _rejoined(frame: Frame, value: Value, place: int, rows: list[Array | None]) -> Array:
    axis = sum(len(frame.packs[a.pack]) if a.pack is not None else 1 for a in value.type.axes[:place])
    found = [row for row in rows if row is not None]
    assert len(found) == len(rows)
    if not found:  # no index: no entries
        return Array(np.zeros(shape_of(value.type, frame.env, frame.packs), dtype_of(value.type.elem)))
    return stack(found, axis)


def grad(machine: Machine, frame: Frame, node: Node) -> Results:
    """The derivative of the scalar that the region gives, in the first of its operands."""
    values = machine.inputs(frame, node)
    first = values[0]
    assert first is not None
    variable = Array(first.value, ((first, lambda g: g),), leaf=True)
    machine.world.deriving += 1
    (y,) = machine.region(frame, node.regions[0], [variable, *values[1:]])
    machine.world.deriving -= 1
    assert y is not None
    return [machine.world.derived(gradient(y, [variable])[0])]


def custom_grad(machine: Machine, frame: Frame, node: Node, told: CustomGradAttrs) -> Results:
    """The value of one region, with the derivative in its operand that another makes; the rest is derived as ever."""
    values = machine.inputs(frame, node)
    operand = values[0]
    assert operand is not None
    inner, more = told.forward(values).captured, told.backward(values).captured
    (y,) = machine.region(frame, node.regions[0], [cut(operand), *inner])
    assert y is not None
    machine.world.cuts = True
    iterations, index = frame.iterations, frame.index

    def back(g: Array) -> Array:
        frame.iterations, frame.index = iterations, index
        (found,) = machine.region(frame, node.regions[1], [operand, g, *more])
        assert found is not None
        return found

    return [Array(y.value, ((y, lambda g: g), (operand, back)))]

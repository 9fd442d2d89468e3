"""Pools of posets over what is never negative are averages: "Order theory in the context of machine learning", 2024.

The largest upset is then the whole window, f(x) = Σ x, whatever the order. The gradient is that of the average too,
where what makes an entry zero lets no gradient through, as a ReLU does.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod

from ogive.compiler.ir.model import Definition, Graph, Model, Node, Operand
from ogive.compiler.ir.substitute import Fresh
from ogive.compiler.ir_tools.graph_builder import Building
from ogive.compiler.ops import Trait, has
from ogive.compiler.passes.conversion.result import Note
from ogive.compiler.passes.infra.driver import optimized
from ogive.compiler.passes.infra.rewrite import rules_pass
from ogive.compiler.passes.posets.nodes import Window, averaged
from ogive.compiler.passes.posets.signs import is_pool, never_negative
from ogive.compiler.sizes import Size, maximum, size


def flat_origin(graph: Graph, operand: Operand) -> str:
    """The operation that makes a value positive, or zero with a gradient of zero; "" where there is none."""
    maker = never_negative(graph, operand)
    return maker.op if maker is not None and has(maker.op, Trait.FLAT_AT_ZERO) else ""


def why(origin: str, places: int) -> str:
    """What the report says of such a pool."""
    after = "a ReLU" if origin == "relu" else f"`{origin}`"
    return f"after {after} the pool of every poset is {places} times the average"


def average_pools(model: Model) -> tuple[Model, tuple[Note, ...]]:
    """The model with the pools of posets over what is never negative as averages, and the report."""
    notes: list[Note] = []

    def of(definition: Definition) -> Definition:
        def average(node: Node, graph: Graph, fresh: Fresh) -> list[Node] | None:
            origin = flat_origin(graph, node.inputs[0]) if node.op == "call" and is_pool(node) else ""
            window = _window(node, graph) if origin else None
            if window is None:
                return None
            source = str(node.inputs[0])
            build = Building(fresh, {source: graph.values[source].type}, span=node.span)
            places = prod(window.kernel)
            averaged(build, source, window, float(places))
            line = f", line {node.span.begin()[0]}" if node.span is not None else ""
            text = f"the poset's pool became an average: {why(origin, places)}"
            notes.append(Note(True, f"{definition.name}{line}", text))
            return [*build.nodes[:-1], replace(build.nodes[-1], outputs=node.outputs)]

        return rules_pass((average,))(definition)

    found = optimized(model, (of,))
    return (found, tuple(notes)) if notes else (model, ())


def _window(node: Node, graph: Graph) -> Window | None:
    """The windows of the library's block: zeros fill what overhangs after the last of them."""
    kernel, stride = (_sides(node, name) for name in ("kernel", "stride"))
    if not all(side.is_number for side in kernel):
        return None
    result, source = node.outputs[0].type, graph.values[str(node.inputs[0])].type
    zero = (size(0),) * len(kernel)
    ends = zip(source.axes[2:], result.axes[2:], kernel, stride, strict=True)
    after = tuple(maximum(size(0), (windows.size - 1) * step + side - axis.size) for axis, windows, side, step in ends)
    return Window(tuple(side.number for side in kernel), stride, (size(1),) * len(kernel), zero, after, result)


def _sides(node: Node, name: str) -> tuple[Size, ...]:
    """A setting of the block for both axes."""
    assert node.callee is not None
    static = next(static for static in node.callee.statics if static.name == name)
    value = dict(node.bindings)[static.unknown] if static.unknown is not None else static.value
    return tuple(value) if isinstance(value, tuple | list) else (value, value)

"""The pass `poset_pool`: chosen pools become pools of a poset, in closed form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod

from ogive.compiler.ir import Const, Definition, Graph, Model, Node, Value
from ogive.compiler.passes.deploy_passed import Note, Passed, PassError, unchanged
from ogive.compiler.passes.frame import optimized
from ogive.compiler.passes.rewrite import Rule, rules_pass
from ogive.compiler.passes.substitute import Fresh
from ogive.compiler.poset import Poset, PosetError, read
from ogive.compiler.poset_form import closed_form
from ogive.compiler.sizes import Size, ceil_div, size
from ogive.compiler.types import Axis, TensorType

POOLS = {"max": ("max_pool",), "avg": ("avg_pool",), "any": ("max_pool", "avg_pool")}
MOST = 9  # elements of a window


def poset_pool(model: Model, *, order: str = "diamond", pools: str = "max", at: str = "", scale: float = 1.0) -> Passed:
    """Replace the pools of a kind ("max", "avg", "any") by that of a poset; `at` names the block that holds them.

    `scale` multiplies the result: other pools have other means and deviations. What follows a ReLU becomes an average,
    which is what every poset pool is on numbers that are not negative.
    """
    if pools not in POOLS:
        raise PassError("E0810", f"`pools` is one of {', '.join(POOLS)}, not `{pools}`")
    posets: dict[int, Poset] = {}
    notes: list[Note] = []

    def swapped(definition: Definition) -> Definition:
        if at and at not in (definition.name, definition.block.rpartition(".")[2]):
            return definition
        return rules_pass((_rule(definition.name, order, POOLS[pools], posets, scale, notes),))(definition)

    result = optimized(model, (swapped,))
    if not any(note.done for note in notes):
        raise PassError(
            "E0811", f"no {pools} pool of {model.name}{f' in `{at}`' if at else ''} fits a poset{_why(notes)}"
        )
    return Passed(result, unchanged(model, result), tuple(dict.fromkeys(notes)))


def _why(notes: Sequence[Note]) -> str:
    return f": {notes[0].text}" if notes else ""


def _rule(
    place: str, order: str, ops: tuple[str, ...], posets: dict[int, Poset], scale: float, notes: list[Note]
) -> Rule:
    def swap(node: Node, graph: Graph, fresh: Fresh) -> list[Node] | None:
        if node.op not in ops or any(note.path == f"{place}.{node.outputs[0].name}" for note in notes):
            return None
        path = f"{place}.{node.outputs[0].name}"
        window = _window(node)
        if window is None:
            notes.append(
                Note(False, path, f"{node.op}: windows that overlap, are padded or are larger than {MOST} stay")
            )
            return None
        poset = posets.setdefault(prod(window), _poset(order, prod(window)))
        maker = graph.producers.get(str(node.inputs[0]))
        if maker is not None and maker.op == "relu":
            text = f"after a ReLU the pool of every poset is {prod(window)} times the average"
            notes.append(Note(True, path, f"{node.op} became an average: {text}"))
            return _average(node, graph, fresh, float(prod(window) * scale))
        notes.append(Note(True, path, f"{node.op} became the pool of {poset}"))
        return _pool(node, graph, fresh, poset, window, scale)

    return swap


def _poset(order: str, elements: int) -> Poset:
    try:
        return read(order, elements)
    except PosetError as error:
        raise PassError("E0810", f"order {order!r}: {error}") from None


def _window(node: Node) -> tuple[int, ...] | None:
    """The window of a pool whose windows lie side by side, without padding."""
    kernel, stride, pad = (node.attr(key) for key in ("kernel", "stride", "pad"))
    ones = all(step == size(1) for step in node.attr("dilation", ()))
    if kernel != stride or any(side != size(0) for side in pad) or not ones:
        return None
    if not all(side.is_number for side in kernel) or prod(side.number for side in kernel) > MOST:
        return None
    return tuple(side.number for side in kernel)


def _average(node: Node, graph: Graph, fresh: Fresh, factor: float) -> list[Node]:
    """The average times a factor; windows that overhang are filled with zeros, as those of posets are."""
    nodes: list[Node] = []
    source = str(node.inputs[0])
    if node.attr("ceil"):
        source = _filled(node, source, graph.values[source].type, fresh, nodes)
    made = fresh.value(node.outputs[0].type)
    attrs = (("kernel", node.attr("kernel")), ("stride", node.attr("stride")), ("pad", node.attr("pad")),
             ("ceil", False), ("count_include_pad", True))  # fmt: skip
    nodes.append(Node("avg_pool", (source,), (made,), attrs, span=node.span))
    return [*nodes, Node("mul", (made.name, Const(factor)), node.outputs, span=node.span)]


def _pool(node: Node, graph: Graph, fresh: Fresh, poset: Poset, window: tuple[int, ...], scale: float) -> list[Node]:
    nodes: list[Node] = []
    result = node.outputs[0].type
    source = str(node.inputs[0])
    if node.attr("ceil"):
        source = _filled(node, source, graph.values[source].type, fresh, nodes)
    elements = [_element(node, source, place, window, result, fresh, nodes) for place in _places(window)]

    def apply(op: str, operands: list[str]) -> str:
        made = fresh.value(result)
        nodes.append(Node({"max": "maximum"}.get(op, op), tuple(operands), (made,), span=node.span))
        return made.name

    name = closed_form(poset).run(elements, apply)
    if scale != 1:
        nodes.append(Node("mul", (name, Const(float(scale))), (fresh.value(result),), span=node.span))
    nodes[-1] = replace(nodes[-1], outputs=node.outputs)
    return nodes


def _places(window: tuple[int, ...]) -> list[tuple[int, ...]]:
    places: list[tuple[int, ...]] = [()]
    for count in window:
        places = [(*place, at) for place in places for at in range(count)]
    return places


def _element(
    node: Node, source: str, place: tuple[int, ...], window: tuple[int, ...], result: TensorType, fresh: Fresh,
    nodes: list[Node],
) -> str:  # fmt: skip
    """One place of each window: every k-th entry."""
    items: list[tuple[object, ...]] = [("all",), ("all",)]
    for at, step, axis in zip(place, window, result.axes[2:], strict=True):
        items.append(("slice", size(at), (axis.size - 1) * step + at + 1, size(step)))
    value = fresh.value(result)
    nodes.append(Node("slice", (source,), (value,), (("items", tuple(items)),), span=node.span))
    return value.name


def _filled(node: Node, source: str, type: TensorType, fresh: Fresh, nodes: list[Node]) -> str:
    """Zeros on the right and below, up to whole windows."""
    for at, step in enumerate(node.attr("kernel"), 2):
        length: Size = type.axes[at].size
        after = ceil_div(length, step) * step - length
        axes = (*type.axes[:at], Axis(length + after, type.axes[at].label), *type.axes[at + 1 :])
        type = type.with_axes(*axes)
        attrs = (("axis", at), ("before", size(0)), ("after", after), ("mode", "constant"), ("value", 0.0))
        value = Value(fresh.name("filled"), type)
        nodes.append(Node("pad", (source,), (value,), attrs, span=node.span))
        source = value.name
    return source

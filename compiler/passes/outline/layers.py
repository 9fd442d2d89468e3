"""Operations and the weights of one place become layers again: what `fold` made is emitted as modules."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from ogive.compiler.ir.attributes import WeightAttrs
from ogive.compiler.ir.model import (
    Bindings,
    CallAttrs,
    Definition,
    Graph,
    Init,
    Instance,
    Member,
    Node,
    Operand,
    Static,
    Value,
    Weight,
)
from ogive.compiler.ir.types import Axis, TensorType
from ogive.compiler.ir_tools.unchecked_rules import Trusting
from ogive.compiler.ops import OPS
from ogive.compiler.passes.infra.driver import map_nodes
from ogive.compiler.sizes import Size, Unknown, size


@dataclass(frozen=True, slots=True)
class LayerRow:
    """A block of the library around one operation: its input, its weights, and those of its statics that are sizes.

    `shape` gives the weight, up to its window, from these sizes and the number of groups; `sizes` is its inverse, for
    the first two axes of a weight. `channels` is the axis of the input that one of them measures: the first.
    """

    block: str
    names: tuple[str, ...]
    channels: int | None
    shape: Callable[[list[Size], Size], list[Size]]
    sizes: Callable[[list[Size], Size], list[Size]]
    at: int = 0
    weight: int = 1
    bias: int | None = 2


def _same(sizes: list[Size], groups: Size) -> list[Size]:
    return sizes


def _turned(sizes: list[Size], groups: Size) -> list[Size]:
    return sizes[::-1]


ROWS: Mapping[str, LayerRow] = MappingProxyType(
    {
        "conv": LayerRow(
            "std.vision.Conv", ("cin", "cout"), 1, lambda s, g: [s[1], s[0] // g], lambda w, g: [w[1] * g, w[0]]
        ),
        "conv_transpose": LayerRow(
            "std.vision.ConvTranspose",
            ("cin", "cout"),
            1,
            lambda s, g: [s[0], s[1] // g],
            lambda w, g: [w[0], w[1] * g],
        ),
        "linear": LayerRow("std.nn.Linear", ("din", "dout"), -1, _turned, _turned),
        "take": LayerRow("std.nn.Embedding", ("n", "d"), None, _same, _same, 1, 0, None),
        "layer_norm": LayerRow("std.nn.LayerNorm", ("d",), -1, _same, _same),
        "rms_norm": LayerRow("std.nn.RMSNorm", ("d",), -1, _same, _same, bias=None),
        "group_norm": LayerRow("std.nn.GroupNorm", ("c",), 1, _same, _same),
    }
)


def layered(definition: Definition) -> Definition:
    """The definition with a call of a layer in the place of each operation that has the weights of one place."""
    found = _Layers(definition)
    graph = map_nodes(definition.graph, found.layer)
    if not found.instances:
        return definition
    read = _operands(graph)
    return replace(definition, graph=_without(graph, read), members=tuple(_members(definition, found.instances)))


def _operands(graph: Graph) -> set[str]:
    outputs = {str(x) for inner in _graphs(graph) for x in inner.outputs}
    return outputs | {name for node in graph.walk() for name in node.operands}


def _graphs(graph: Graph) -> list[Graph]:
    return [graph, *(region for node in graph.walk() for region in node.regions)]


def _without(graph: Graph, read: set[str]) -> Graph:
    """The graph without reads of weights that only their layers need."""
    nodes = []
    for node in graph.nodes:
        if node.op == "weight" and node.outputs[0].name not in read:
            continue
        nodes.append(replace(node, regions=tuple(_without(region, read) for region in node.regions)))
    return Graph(graph.inputs, tuple(nodes), graph.outputs)


def _members(definition: Definition, instances: Mapping[str, Instance]) -> list[Member]:
    members: list[Member] = []
    done: set[str] = set()
    for member in definition.members:
        place = member.path.rpartition(".")[0]
        if not isinstance(member, Weight) or place not in instances:
            members.append(member)
        elif place not in done:
            members.append(instances[place])
            done.add(place)
    return members


class _Layers:
    """The layers of one definition, by place."""

    def __init__(self, definition: Definition) -> None:
        self.values = {name: value for graph in _graphs(definition.graph) for name, value in graph.values.items()}
        self.paths = {n.outputs[0].name: n.path for n in definition.graph.walk() if n.op == "weight"}
        self.below: dict[str, set[str]] = {}
        for member in definition.members:
            parts = member.path.split(".")
            for count in range(1, len(parts)):
                self.below.setdefault(".".join(parts[:count]), set()).add(member.path)
        self.instances: dict[str, Instance] = {}
        self.made: dict[object, Definition] = {}

    def layer(self, node: Node) -> Node:
        """The call of a layer in the place of an operation, where all that has its path are the same."""
        row = ROWS.get(node.op)
        place = None if row is None else self.place(row, node)
        if row is None or place is None:
            return node
        callee, bindings = self.block(row, node)
        known = self.instances.setdefault(place, Instance(place, callee, bindings, span=node.span))
        if known.definition is not callee:
            return node  # one place used in two ways: the first is the layer, the others read its weights
        inputs = (node.inputs[row.at],)
        return Node.of(CallAttrs(callee, bindings, place), inputs, node.outputs, span=node.span)

    def place(self, row: LayerRow, node: Node) -> str | None:
        """The path that has a `weight`, perhaps a `bias`, and nothing else, and both are those of the operation."""
        x, weight, bias = (_operand(node, at) for at in (row.at, row.weight, row.bias))
        if not isinstance(x, str) or not isinstance(weight, str) or not isinstance(bias, str | None):
            return None
        stem = self.paths.get(weight, "").rpartition(".")[0]
        wanted = {"weight": weight} if bias is None else {"weight": weight, "bias": bias}
        if not stem or any(self.paths.get(value) != f"{stem}.{name}" for name, value in wanted.items()):
            return None
        if self.below[stem] != {f"{stem}.{name}" for name in wanted}:
            return None
        return stem if _usual(row, node, self.values[x].type, self.values[weight].type) else None

    def block(self, row: LayerRow, node: Node) -> tuple[Definition, Bindings]:
        """The layer around an operation, one for all that differ in sizes alone, and its sizes here."""
        x, weight = (self.values[str(node.inputs[at])].type for at in (row.at, row.weight))
        biased = _operand(node, row.bias) is not None
        window = weight.sizes[2:]
        known = row.sizes([*weight.sizes[:2]], _groups(node))
        depthwise = row.channels is not None and _groups(node) == known[0] != size(1)
        settings = tuple((name, value) for name, value in node.attrs if not (depthwise and name == "groups"))
        key = (node.op, settings, depthwise, window, biased, x.elem, tuple(axis.pack for axis in x.axes))
        if key not in self.made:
            self.made[key] = _built(row, node, x, window, biased, depthwise)
        callee = self.made[key]
        rest = [axis.size for at, axis in enumerate(x.axes) if at != _channels(row, x)]
        unknowns = (*(static.unknown for static in callee.statics if static.unknown is not None), *callee.sizes)
        return callee, tuple(zip(unknowns, (*known, *rest), strict=True))


def _operand(node: Node, at: int | None) -> Operand:
    return node.inputs[at] if at is not None and at < len(node.inputs) else None


def _usual(row: LayerRow, node: Node, x: TensorType, weight: TensorType) -> bool:
    """Whether the operation is as the layer has it: over the last axis, along the first of a table."""
    at = _channels(row, x)
    if at is not None and x.axes[at].pack is not None:
        return False
    if node.op in ("layer_norm", "rms_norm"):
        return bool(node.attr("axes") == (len(x.axes) - 1,))
    return node.op != "take" or (node.attr("axis") == 0 and len(weight.axes) == 2)


def _channels(row: LayerRow, x: TensorType) -> int | None:
    return None if row.channels is None else row.channels % len(x.axes)


def _groups(node: Node) -> Size:
    return size(node.attr("groups", 1))


def _built(
    row: LayerRow, node: Node, operand: TensorType, window: tuple[Size, ...], biased: bool, depthwise: bool
) -> Definition:
    """The block: the operation on an input whose other axes are sizes of its own.

    A depthwise one has as many groups as channels, whatever their number: widths do not tell it from another.
    """
    statics = [Unknown(name) for name in row.names]
    if depthwise:
        node = replace(node, attrs=tuple((k, size(statics[0]) if k == "groups" else v) for k, v in node.attrs))
    own: list[Unknown] = []
    axes: list[Axis] = []
    for at, axis in enumerate(operand.axes):
        if at == _channels(row, operand):
            axes.append(Axis(size(statics[0])))
        else:
            own.append(Unknown(*((f"s{at}",) if axis.pack is None else (axis.pack, 1, "pack"))))
            axes.append(Axis(size(own[-1]), pack=axis.pack))
    shape = row.shape([size(unknown) for unknown in statics], _groups(node))
    values = {
        row.at: _value("x", operand.elem, axes),
        row.weight: _value("weight", "float", map(Axis, (*shape, *window))),
    }
    if biased and row.bias is not None:
        values[row.bias] = _value("bias", "float", (Axis(size(statics[-1])),))
    inputs = [values.get(at) for at in range(len(node.inputs))]
    given = {static.name: node.attr(static.name, static.default) for static in OPS[node.op].statics}
    if "axes" in given:  # norms are over the last axis, and from the left it may stand behind a pack
        given["axes"] = (-1,)
    (result,), _ = OPS[node.op].rule(Trusting(), given, [value.type if value is not None else None for value in inputs])
    weights = [value for value in values.values() if value.name != "x"]
    nodes = [Node.of(WeightAttrs(value.name), (), (value,)) for value in weights]
    operands = tuple(None if value is None else value.name for value in inputs)
    nodes.append(Node(node.op, operands, (Value("y", result),), node.attrs))
    return Definition(
        row.block.rpartition(".")[2], row.block, tuple(_settings(row, node, statics, window, biased)), tuple(own),
        Graph((values[row.at],), tuple(nodes), ("y",)), (None,), (False,),
        tuple(Weight(value.name, value.type, "param", Init("zeros")) for value in weights), (),
    )  # fmt: skip


def _settings(
    row: LayerRow, node: Node, sizes: list[Unknown], window: tuple[Size, ...], biased: bool
) -> Iterator[Static]:
    """The statics of the block of the library, those that are no sizes as they stand."""
    yield from (Static(unknown.name, "size", unknown) for unknown in sizes)
    if window:
        yield Static("kernel", "list", value=window)
    yield from (Static(key, "any", value=value) for key, value in node.attrs if key not in ("axes", "axis"))
    if row.bias is not None:
        yield Static("bias", "bool", value=biased)


def _value(name: str, elem: str, axes: Iterable[Axis]) -> Value:
    return Value(name, TensorType(elem, tuple(axes)), name)

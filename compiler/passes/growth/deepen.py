"""The pass `deepen`: layers are put in behind activations, and the network computes what it did."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase

from ogive.compiler.ir.attributes import ChoiceAttrs, WeightAttrs
from ogive.compiler.ir.model import Graph, Init, Model, Node, Value, Weight
from ogive.compiler.ir.substitute import Fresh, open_settings, with_numbers
from ogive.compiler.ir.types import Axis
from ogive.compiler.ir.weights import weights
from ogive.compiler.ir_tools.unchecked_rules import Trusting
from ogive.compiler.ops import OPS
from ogive.compiler.ops.pointwise_facts import PointwiseFacts
from ogive.compiler.ops.spec import Pattern
from ogive.compiler.passes.cleanup.deploy_flatten import flattened
from ogive.compiler.passes.conversion.graph import conversion
from ogive.compiler.passes.conversion.result import Note, Passed, PassError
from ogive.compiler.passes.conversion.scope import ConversionScope
from ogive.compiler.passes.outline.block_names import named_after_blocks
from ogive.compiler.passes.outline.driver import in_blocks
from ogive.compiler.sizes import Size, size

LAYERS = {"linear": -1, "conv": 1, "conv_transpose": 1}  # the axis of channels
BETWEEN = frozenset(("batch_norm", "batch_norm_train", "group_norm", "layer_norm", "rms_norm"))  # layer and activation
FAR = 4  # nodes between a layer and its activation


def deepen(model: Model, *, after: str = "*", residual: bool = False) -> Passed:
    """A layer behind the activation of each layer whose weight has a path like `after`, activated alike.

    Its map is the identity at first, which changes nothing where σ(σ(x)) = σ(x) (relu; Net2DeeperNet, Chen et al.
    2016, arXiv:1511.05641); behind any other activation it is refused. With `residual` it is a branch
    y + W₂ σ(W₁ y), where W₁ is the identity and W₂ is 0, behind activations of every kind. Channels of convolutions
    are mapped at each position, by a kernel of 1.
    """
    flat, origins = flattened(model, trained=True)
    deeper = _Deeper(flat, after, residual)
    graph = deeper.graph(flat.definition.graph)
    if not deeper.made:
        reasons = "; ".join(dict.fromkeys(note.text for note in deeper.notes[:3])) or f"no activated layer is `{after}`"
        raise PassError("E0811", f"nothing of {model.name} is deepened: {reasons}")
    members = (*flat.definition.members, *deeper.made)
    result = replace(flat, definition=replace(flat.definition, graph=graph, members=members))
    shown = in_blocks(result, origins)
    root = ConversionScope("", size(1), Fresh(set()))
    counts = {info.path: info.iterations for info in weights(result)}
    for weight in deeper.made:
        start = _start(root, weight, counts[weight.path], weight.path in deeper.identities)
        root.targets[weight.path] = (start, weight)
    taken, targets = root.close()
    return named_after_blocks(Passed(shown, conversion(model, shown, taken, targets), tuple(deeper.notes)))


def _start(root: ConversionScope, weight: Weight, iterations: Sequence[int], identity: bool) -> str:
    """The identity, or 0, for all iterations."""
    shape = [axis.size.number for axis in weight.type.axes]
    if not identity:
        return root.op("zeros", sizes=tuple(Axis(size(n)) for n in (*iterations, *shape)))
    eye = root.op("eye", n=size(shape[0]))
    loops = [f"l{at}" for at in range(len(iterations))]
    pattern = f"i j -> {' '.join([*loops, 'i', 'j', *['1'] * (len(shape) - 2)])}"
    sizes = {name: size(number) for name, number in zip(loops, iterations, strict=True)}
    return root.op("expand", eye, pattern=Pattern(pattern, sizes)) if len(shape) > 2 or loops else eye


def _activation(node: Node) -> PointwiseFacts | None:
    """What is true of a function of one float that is no straight line; None of all else."""
    spec, told = OPS.get(node.op), with_numbers(node)
    if spec is None or spec.pointwise is None or len(node.inputs) != 1 or open_settings(told):
        return None
    facts = spec.pointwise(dict(told.attrs))
    straight = facts.homogeneous is not None and facts.homogeneous[0] == facts.homogeneous[1]
    return facts if node.outputs[0].type.floating and not straight else None


def _given(layer: Node, weight: Weight) -> Size | None:
    """How many channels a layer gives."""
    sizes = weight.type.sizes
    if layer.op == "conv_transpose":
        return sizes[1] * size(layer.attr("groups"))
    return sizes[0] if len(sizes) >= 2 else None


@dataclass(slots=True)
class _Deeper:
    """Rewrites graphs; `made` are the new weights, those of `identities` start as one."""

    model: Model
    after: str
    residual: bool
    made: list[Weight] = field(default_factory=list)
    identities: set[str] = field(default_factory=set)
    notes: list[Note] = field(default_factory=list)
    fresh: Fresh = field(init=False)

    def __post_init__(self) -> None:
        self.fresh = Fresh.of(self.model.definition.graph)

    def graph(self, graph: Graph) -> Graph:
        """A graph with new layers in it, and in its loops."""
        renamed: dict[str, str] = {}
        nodes: list[Node] = []
        for node in graph.nodes:
            read = tuple(renamed.get(x, x) if isinstance(x, str) else x for x in node.inputs)
            inside = node.regions if isinstance(node.structure, ChoiceAttrs) else tuple(map(self.graph, node.regions))
            node = replace(node, inputs=read, regions=inside)
            nodes.append(node)
            layer = self.layer(graph, node)
            if layer is not None:
                new = list(self.behind(node, *layer))
                nodes += new
                if new:
                    renamed[node.outputs[0].name] = new[-1].outputs[0].name
        outputs = tuple(renamed.get(x, x) if isinstance(x, str) else x for x in graph.outputs)
        return Graph(graph.inputs, tuple(nodes), outputs)

    def layer(self, graph: Graph, node: Node) -> tuple[str, Weight] | None:
        """The layer that a node activates: its operation and its weight."""
        if _activation(node) is None:
            return None
        name = str(node.inputs[0])
        for _ in range(FAR):
            maker = graph.producers.get(name)
            first, second = (*maker.inputs, None, None)[:2] if maker is not None else (None, None)
            if maker is not None and maker.op in LAYERS:
                held = graph.producers.get(second) if isinstance(second, str) else None
                path = held.path if held is not None else ""
                found = next((m for m in self.model.definition.weights if m.path == path), None)
                if found is None or not fnmatchcase(found.path, self.after):
                    return None
                type = node.outputs[0].type
                at_channels = len(type.axes) > abs(LAYERS[maker.op]) and type.sizes[LAYERS[maker.op]]
                return (maker.op, found) if at_channels == _given(maker, found) else None
            between = maker is not None and (maker.op in BETWEEN or isinstance(maker.structure, ChoiceAttrs))
            if not between or not isinstance(first, str):
                return None
            name = first
        return None

    def behind(self, node: Node, op: str, weight: Weight) -> Iterator[Node]:
        """What is put in behind an activation."""
        facts = _activation(node)
        same = facts is not None and facts.idempotent
        if not same and not self.residual:
            text = f"{node.op} of {node.op} is not {node.op}: a layer there needs `residual=true`"
            self.notes.append(Note(False, weight.path, text))
            return
        y = node.outputs[0]
        base = weight.path.removesuffix(".weight")
        paths = [self.free(f"{base}_deeper")]
        paths += [self.free(f"{base}_branch")] if self.residual else []
        z = yield from self.mapped(y, op, paths[0], weight, identity=True)
        active = replace(y, name=self.fresh.name(y.name))
        yield replace(node, inputs=(z.name,), outputs=(active,))
        if self.residual:
            w = yield from self.mapped(active, op, paths[1], weight, identity=False)
            total = replace(y, name=self.fresh.name(y.name))
            yield Node("add", (y.name, w.name), (total,), span=node.span)
        self.notes.append(Note(True, weight.path, f"behind {node.op}: {' and '.join(paths)}"))

    def free(self, path: str) -> str:
        """The path, or one with a number behind it, that no weight stands at or below: layers may be applied twice."""
        taken = {m.path.rpartition(".")[0] for m in (*self.model.definition.weights, *self.made)}
        taken |= {m.path for m in self.model.definition.members}
        number = 2
        name = path
        while any(each == name or each.startswith(f"{name}.") for each in taken):
            name, number = f"{path}_{number}", number + 1
        return name

    def mapped(self, y: Value, op: str, path: str, like: Weight, *, identity: bool) -> Generator[Node, None, Value]:
        """A map of the channels of a value, with weights of its own."""
        axis = LAYERS[op]
        channels = Axis(y.type.axes[axis].size)
        ones = (Axis(size(1)),) * (len(y.type.axes) - 2 if axis == 1 else 0)
        kernel = Weight(f"{path}.weight", y.type.with_axes(channels, channels, *ones), "param", like.init)
        bias = Weight(f"{path}.bias", y.type.with_axes(channels), "param", Init("zeros"))
        self.made += [kernel, bias]
        if identity:
            self.identities.add(kernel.path)
        operands = [y.name]
        for member in (kernel, bias):
            value = Value(self.fresh.name("weight"), member.type)
            operands.append(value.name)
            yield Node.of(WeightAttrs(member.path, 0), (), (value,))
        name = "linear" if axis == -1 else "conv"
        spec = OPS[name]
        given = {static.name: static.default for static in spec.statics}
        _, attrs = spec.rule(Trusting(), given, [y.type, kernel.type, bias.type])
        made = replace(y, name=self.fresh.name(y.name))
        yield Node(name, tuple(operands), (made,), tuple(attrs.items()))
        return made

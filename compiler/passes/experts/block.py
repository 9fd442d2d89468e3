"""A feed-forward block as experts: each token goes to one, at random; in use their mean is one block.

Huang et al. 2023, "Experts weights averaging", arXiv:2308.06093.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ogive.compiler.ir.attributes import EachAttrs, PhaseAttrs, UpdateAttrs, WeightAttrs
from ogive.compiler.ir.model import CallAttrs, Definition, Graph, Init, Node, Scalar, Weight
from ogive.compiler.ir.substitute import Fresh
from ogive.compiler.ir.types import Axis, TensorType
from ogive.compiler.ir_tools.graph_builder import Building
from ogive.compiler.passes.cleanup.deploy_flatten import all_members
from ogive.compiler.passes.cleanup.flatten import InlineContext, inlined
from ogive.compiler.passes.conversion.result import PassError
from ogive.compiler.passes.experts.partition import partitioned
from ogive.compiler.passes.experts.tokenwise import mixing
from ogive.compiler.sizes import Size, Unknown, size

COUNTER = "averaged"  # the state that counts steps while the share grows


@dataclass(frozen=True, slots=True)
class Experts:
    """How many experts, how far a step moves each to the mean of the others, and how tokens are cut into groups."""

    count: int
    share: float
    warmup: int
    partition: str

    @property
    def pull(self) -> float:
        """What a step takes off the deviation from the mean: share N / (N - 1)."""
        return self.share * self.count / (self.count - 1)


def experts(block: Definition, options: Experts) -> Definition:
    """The block with experts in its place."""
    weights = _weights(block)
    x = block.graph.inputs[0]
    fresh = Fresh({x.name})
    stacked = {weight.path: _stacked(weight.type, options.count) for weight in weights}
    regions = (_training(block, stacked, options, fresh), _used(block, stacked, fresh))
    result = block.graph.values[str(block.graph.outputs[0])]
    out = fresh.value(result.type, result.hint)
    phase = Node.of(PhaseAttrs(), (x.name,), (out,), regions, span=block.span)
    members = [replace(weight, type=stacked[weight.path], init=_init(weight)) for weight in weights]
    if options.warmup:
        members.append(Weight(COUNTER, TensorType("int", ()), "state", Init("zeros")))
    return replace(
        block, name=f"{block.name}Experts", block=f"{block.block}Experts", members=tuple(members),
        graph=Graph((x,), (phase,), (out.name,)), step=_step(stacked, options),
        doc=f"{block.doc}\n{options.count} experts while training, their mean in use.".strip(),
    )  # fmt: skip


def plain_of(definition: Definition) -> Definition | None:
    """The block of which a definition made experts: the one that it calls in use."""
    nodes = definition.graph.nodes
    if definition.step is None or len(nodes) != 1 or nodes[0].op != "phase":
        return None
    last = nodes[0].regions[1].nodes[-1]
    return last.callee if last.supplied else None


def _weights(block: Definition) -> list[Weight]:
    vectorized: set[str] = set()
    members = list(all_members(block, {}, "", (), vectorized))
    weights = [member for member in members if isinstance(member, Weight)]
    if len(weights) != len(members):
        raise PassError(
            "E0811", f"`{block.name}` holds loops or vectorized blocks: experts have no one axis to stack on"
        )
    if any(weight.kind == "state" for weight in weights):
        raise PassError("E0811", f"`{block.name}` keeps states, which have no mean of experts")
    if any(weight.keep is not None for weight in weights) or _bounded(block):
        raise PassError("E0811", f"`{block.name}` keeps weights in bounds; averaging would leave them")
    if not weights:
        raise PassError("E0811", f"`{block.name}` has no weights to average")
    if any(weight.path == COUNTER for weight in weights):
        raise PassError("E0811", f"`{block.name}` has a weight `{COUNTER}`, which is what experts call their steps")
    inputs, outputs = block.graph.inputs, block.graph.outputs
    if len(inputs) != 1 or len(outputs) != 1 or len(inputs[0].type.axes) < 2 or inputs[0].type.rank is None:
        raise PassError("E0811", f"`{block.name}` is not a map of tokens [..., d]: one input, one output")
    result = block.graph.values[str(outputs[0])].type
    if result.sizes[:-1] != inputs[0].type.sizes[:-1]:
        raise PassError("E0811", f"`{block.name}` changes more than the last axis of {inputs[0].type}")
    _not_frozen(block)
    mixer = mixing(block, {weight.path: weight.type for weight in weights})
    if mixer is not None:
        here = mixer.span is not None and block.span is not None and mixer.span.chunk.path == block.span.chunk.path
        place = f"`{mixer.op}`" + (f" in line {mixer.span.begin()[0]}" if here and mixer.span is not None else "")
        text = f"`{block.name}` is not known to treat each token alone: {place} sees others, or their number"
        raise PassError("E0811", text)
    return weights


def _bounded(block: Definition) -> bool:
    return any(instance.keeps or _bounded(instance.definition) for instance in block.instances)


def _not_frozen(block: Definition) -> None:
    """Refuse a weight that is read without its gradient, or handed over from elsewhere."""
    read = {node.outputs[0].name: node.path for node in block.graph.walk() if node.op == "weight"}
    for node in block.graph.walk():
        if node.op == "stop_gradient" and node.inputs[0] in read:
            path = read[str(node.inputs[0])]
            raise PassError("E0811", f"`{path}` of `{block.name}` is frozen: experts that do not learn stay equal")
        if node.supplied:
            raise PassError("E0811", f"`{block.name}` ties weights: {', '.join(path for path, _ in node.supplied)}")
    for instance in block.instances:
        _not_frozen(instance.definition)


def _stacked(type: TensorType, count: int) -> TensorType:
    return TensorType(type.elem, (Axis(size(count)), *type.axes))


def _init(weight: Weight) -> Init:
    """The initializer of one expert, for the stack: what counts axes must not count that of the experts."""
    init = weight.init
    if init.name != "kaiming_uniform":
        return init
    slope = next((value for name, value in init.attrs if name == "a"), 0.0)
    fan: Size = size(1)
    for axis in weight.type.axes[1:]:
        fan = fan * axis.size
    square = Scalar("+", (1.0, Scalar("**", (slope, 2))))
    bound = Scalar("sqrt", (Scalar("/", (6.0, Scalar("*", (square, fan)))),))
    return Init("uniform", (("lo", Scalar("neg", (bound,))), ("hi", bound)))


def _read(stacked: dict[str, TensorType], fresh: Fresh) -> dict[str, Node]:
    return {path: Node.of(WeightAttrs(path), (), (fresh.value(type),)) for path, type in stacked.items()}


def _step(stacked: dict[str, TensorType], options: Experts) -> Graph:
    """W_i -> W_i + p (mean - W_i), all at once: the mean stays; p = share N / (N - 1), which grows over the warmup."""
    fresh = Fresh(set())
    build = Building(fresh, {})
    pull: str | float = options.pull
    if options.warmup:
        type = TensorType("int", ())
        before = build.add(Node.of(WeightAttrs(COUNTER), (), (fresh.value(type, "before"),)))
        count = build.op("add", before, size(1))
        build.nodes.append(Node.of(UpdateAttrs(COUNTER), (count,), ()))
        grown = build.op("minimum", build.op("div", build.op("cast", count, type="float"), float(options.warmup)), 1.0)
        pull = build.op("mul", grown, options.pull)
    for path, node in _read(stacked, fresh).items():
        weight = build.add(node)
        apart = build.op("sub", build.op("mean", weight, axes=(0,)), weight)
        build.nodes.append(Node.of(UpdateAttrs(path), (build.op("add", weight, build.op("mul", apart, pull)),), ()))
    return Graph((), tuple(build.nodes), ())


def _used(block: Definition, stacked: dict[str, TensorType], fresh: Fresh) -> Graph:
    """The block itself, with the mean of each weight."""
    x = fresh.value(block.graph.inputs[0].type)
    build = Building(fresh, {x.name: x.type})
    means = {path: build.op("mean", build.add(node), axes=(0,)) for path, node in _read(stacked, fresh).items()}
    out = fresh.value(block.graph.values[str(block.graph.outputs[0])].type)
    unknowns = [*(s.unknown for s in block.statics if s.unknown is not None), *block.sizes]
    same = tuple((unknown, size(unknown)) for unknown in unknowns)
    told = CallAttrs(block, same, supplied=tuple(means.items()))
    call = Node.of(told, (x.name,), (out,), span=block.span)
    return Graph((x,), (*build.nodes, call), (out.name,))


def _training(block: Definition, stacked: dict[str, TensorType], options: Experts, fresh: Fresh) -> Graph:
    """Random groups of tokens, an expert for each, and the tokens back in their places."""
    x = fresh.value(block.graph.inputs[0].type)
    build = Building(fresh, {x.name: x.type})

    def apply(groups: str, rows: Size) -> str:
        return _each(block, stacked, options.count, rows, groups, build)

    out = partitioned(build, x, options.count, options.partition, apply)
    return Graph((x,), tuple(build.nodes), (out,))


def _each(
    block: Definition, stacked: dict[str, TensorType], count: int, rows: Size, groups: str, build: Building
) -> str:
    """The block on each group of tokens [g, rows, d] with the weights of its expert: batched products."""
    source = block.graph.inputs[0].type
    ones = [size(1)] * (len(source.axes) - 2)
    sizes: dict[Unknown, Size] = {}
    for axis, new in zip(source.axes[:-1], [*ones, rows], strict=True):
        found = [unknown for unknown in block.sizes if axis.size == size(unknown)]
        if not found:
            raise PassError("E0811", f"`{block.name}` takes {source}: the axes of its tokens are not free")
        sizes[found[0]] = new
    ones_text = " 1" * len(ones)
    vectorized = build.shaped(groups, f"g c d -> g{ones_text} c d") if ones else groups
    reads = [build.add(node) for node in _read(stacked, build.fresh).values()]
    inner = [build.fresh.value(TensorType(t.elem, t.axes[1:])) for t in (build.types[n] for n in (vectorized, *reads))]
    weights = {path: value.name for path, value in zip(stacked, inner[1:], strict=True)}
    place = InlineContext("", sizes, weights, {block.graph.inputs[0].name: inner[0].name})
    nodes, (out,) = inlined(block.graph, place, build.fresh, {value.name: value.type for value in inner})
    output = str(out)
    made = {value.name: value.type for node in nodes for value in node.outputs}[output]
    region = Graph(tuple(inner), tuple(nodes), (output,))
    outside = build.fresh.value(TensorType(made.elem, (Axis(size(count)), *made.axes)))
    zeros = (0,) * len(inner)
    told = EachAttrs(size(count), len(inner), zeros, (0,))
    result = build.add(Node.of(told, (vectorized, *reads), (outside,), (region,)))
    return build.shaped(result, f"g{ones_text} c d -> g c d") if ones else result

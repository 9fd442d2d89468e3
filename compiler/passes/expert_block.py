"""A feed-forward block as experts: each token goes to one, at random; in use their mean is one block.

Huang et al. 2023, "Experts weights averaging", arXiv:2308.06093. There is no router: tokens are permuted at random and
cut into groups of equal size, up to one token.
"""

from __future__ import annotations

from dataclasses import replace

from ogive.compiler.ir import Definition, Graph, Init, Node, Scalar, Value, Weight
from ogive.compiler.passes.deploy_flat import _Flat, _Place, all_members
from ogive.compiler.passes.deploy_passed import PassError
from ogive.compiler.passes.expert_build import Building
from ogive.compiler.passes.substitute import Fresh
from ogive.compiler.sizes import Size, Unknown, ceil_div, size
from ogive.compiler.types import Axis, TensorType


def experts(block: Definition, count: int, share: float) -> Definition:
    """The block with `count` experts. After each step W_i moves by `share` to the mean of the others."""
    weights = _weights(block)
    x = block.graph.inputs[0]
    fresh = Fresh({x.name})
    stacked = {weight.path: _stacked(weight.type, count) for weight in weights}
    regions = (_training(block, stacked, count, fresh), _used(block, stacked, fresh))
    result = block.graph.values[str(block.graph.outputs[0])]
    out = fresh.value(result.type, result.hint)
    phase = Node("phase", (x.name,), (out,), (), regions, span=block.span)
    members = tuple(
        replace(weight, type=stacked[weight.path], init=_init(weight), keep=_shared(stacked[weight.path], count, share))
        for weight in weights
    )
    return replace(
        block, name=f"{block.name}Experts", block=f"{block.block}Experts", members=members,
        graph=Graph((x,), (phase,), (out.name,)),
        doc=f"{block.doc}\n{count} experts while training, their mean in use.".strip(),
    )  # fmt: skip


def _weights(block: Definition) -> list[Weight]:
    lifted: set[str] = set()
    members = list(all_members(block, {}, "", (), lifted))
    weights = [member for member in members if isinstance(member, Weight)]
    if len(weights) != len(members):
        raise PassError("E0811", f"`{block.name}` holds loops or lifted blocks: experts have no one axis to stack on")
    if any(weight.kind == "state" for weight in weights):
        raise PassError("E0811", f"`{block.name}` keeps states, which have no mean of experts")
    if any(weight.keep is not None for weight in weights):
        raise PassError("E0811", f"`{block.name}` keeps weights in bounds; averaging would leave them")
    if not weights:
        raise PassError("E0811", f"`{block.name}` has no weights to average")
    inputs, outputs = block.graph.inputs, block.graph.outputs
    if len(inputs) != 1 or len(outputs) != 1 or len(inputs[0].type.axes) < 2 or inputs[0].type.rank is None:
        raise PassError("E0811", f"`{block.name}` is not a map of tokens [..., d]: one input, one output")
    result = block.graph.values[str(outputs[0])].type
    if result.sizes[:-1] != inputs[0].type.sizes[:-1]:
        raise PassError("E0811", f"`{block.name}` changes more than the last axis of {inputs[0].type}")
    return weights


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


def _shared(type: TensorType, count: int, share: float) -> Graph:
    """W_i -> mean + rho (W_i - mean), rho = 1 - share N / (N - 1): all at once, so that the mean stays."""
    x = Value("w", type)
    build = Building(Fresh({"w"}), {"w": type})
    rho = 1 - share * count / (count - 1)
    mean = build.op("mean", "w", axes=(0,))
    apart = build.op("sub", "w", mean)
    out = build.op("add", mean, build.op("mul", rho, apart))
    return Graph((x,), tuple(build.nodes), (out,))


def _read(stacked: dict[str, TensorType], fresh: Fresh) -> dict[str, Node]:
    return {path: Node("weight", (), (fresh.value(type),), path=path) for path, type in stacked.items()}


def _used(block: Definition, stacked: dict[str, TensorType], fresh: Fresh) -> Graph:
    """The block itself, with the mean of each weight."""
    x = fresh.value(block.graph.inputs[0].type)
    build = Building(fresh, {x.name: x.type})
    means = {path: build.op("mean", build.add(node), axes=(0,)) for path, node in _read(stacked, fresh).items()}
    nodes, output = _body(block, {}, x.name, means, fresh, trained=False)
    return Graph((x,), (*build.nodes, *nodes), (output,))


def _body(
    block: Definition, sizes: dict[Unknown, Size], x: str, weights: dict[str, str], fresh: Fresh, *, trained: bool
) -> tuple[list[Node], str]:
    """The operations of the block on other weights."""
    flat = _Flat(fresh, {}, set(), trained)
    source = block.graph.inputs[0].name
    nodes, outputs = flat.graph(block.graph, {source: x}, _Place("", sizes, weights, {source: x}))
    return nodes, str(outputs[0])


def _training(block: Definition, stacked: dict[str, TensorType], count: int, fresh: Fresh) -> Graph:
    """Random groups of tokens, an expert for each, and the tokens back in their places."""
    x = fresh.value(block.graph.inputs[0].type)
    build = Building(fresh, {x.name: x.type})
    tokens: Size = size(1)
    for axis in x.type.axes[:-1]:
        tokens = tokens * axis.size
    slots = ceil_div(tokens, count)
    places = [f"a{at}" for at in range(len(x.type.axes) - 1)]
    flat = build.shaped(x.name, f"{' '.join(places)} d -> ({' '.join(places)}) d")
    order = build.op("permutation", n=tokens)
    # group g takes places [g T / N, (g + 1) T / N) of the order; the last slot of a small group repeats a token
    starts = build.op("floordiv", build.op("mul", build.op("arange", n=size(count)), tokens), size(count))
    at = build.op("add", build.shaped(starts, "g -> g 1"), build.op("arange", n=slots))
    chosen = build.op("take", order, build.op("minimum", at, tokens - 1), axis=0)
    groups = build.op("take", flat, chosen, axis=0)
    made = _each(block, stacked, count, slots, groups, build)
    # token t stands at place p of the order: in group ((p + 1) N - 1) / T
    place = build.op("argsort", order, axis=0)
    after = build.op("mul", build.op("add", place, size(1)), size(count))
    group = build.op("floordiv", build.op("sub", after, size(1)), tokens)
    start = build.op("floordiv", build.op("mul", group, tokens), size(count))
    slot = build.op("add", build.op("mul", group, slots), build.op("sub", place, start))
    back = build.op("take", build.shaped(made, "g c d -> (g c) d"), slot, axis=0)
    given = {name: axis.size for name, axis in zip(places, x.type.axes, strict=False)}
    out = build.shaped(back, f"({' '.join(places)}) d -> {' '.join(places)} d", **given)
    return Graph((x,), tuple(build.nodes), (out,))


def _each(
    block: Definition, stacked: dict[str, TensorType], count: int, slots: Size, groups: str, build: Building
) -> str:
    """The block on each group with the weights of its expert: batched products."""
    source = block.graph.inputs[0].type
    ones = [size(1)] * (len(source.axes) - 2)
    sizes: dict[Unknown, Size] = {}
    for axis, new in zip(source.axes[:-1], [*ones, slots], strict=True):
        found = [unknown for unknown in block.sizes if axis.size == size(unknown)]
        if not found:
            raise PassError("E0811", f"`{block.name}` takes {source}: the axes of its tokens are not free")
        sizes[found[0]] = new
    ones_text = " 1" * len(ones)
    lifted = build.shaped(groups, f"g c d -> g{ones_text} c d") if ones else groups
    reads = [build.add(node) for node in _read(stacked, build.fresh).values()]
    inner = [build.fresh.value(TensorType(t.elem, t.axes[1:])) for t in (build.types[n] for n in (lifted, *reads))]
    weights = {path: value.name for path, value in zip(stacked, inner[1:], strict=True)}
    nodes, output = _body(block, sizes, inner[0].name, weights, build.fresh, trained=True)
    made = {value.name: value.type for node in nodes for value in node.outputs}[output]
    region = Graph(tuple(inner), tuple(nodes), (output,))
    outside = build.fresh.value(TensorType(made.elem, (Axis(size(count)), *made.axes)))
    zeros = (0,) * len(inner)
    attrs = (("size", size(count)), ("mapped", len(inner)), ("in_axes", zeros), ("out_axes", (0,)))
    result = build.add(Node("each", (lifted, *reads), (outside,), attrs, (region,)))
    return build.shaped(result, f"g{ones_text} c d -> g c d") if ones else result

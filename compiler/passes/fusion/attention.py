"""Recognizes attention: scores by einsum or matmul, scale, masks, softmax over keys, dropout, and the sum of values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from ogive.compiler.ir.model import Attrs, Const, Graph, Node, Operand, Scalar, Value
from ogive.compiler.ir.substitute import Fresh
from ogive.compiler.ir.types import Axis, TensorType
from ogive.compiler.ops.recipe import Atom, AxisGroup, AxisPattern, Side
from ogive.compiler.passes.fusion.causal_mask import sees_earlier
from ogive.compiler.passes.infra.rewrite import producer
from ogive.compiler.sizes import Size, size

Names = tuple[str, ...]  # one name for each axis of a tensor


@dataclass(frozen=True, slots=True)
class Product:
    """A contraction of two tensors, an operand each, by the names of their axes."""

    a: str
    b: str
    left: Names
    right: Names
    out: Names


@dataclass(slots=True)
class Scores:
    """What stands between the product of queries and keys and the softmax."""

    product: Product
    scales: list[Operand | Scalar | float] = field(default_factory=list)  # factors
    causal: bool = False
    mask: str | None = None


@dataclass(frozen=True, slots=True)
class Roles:
    """The axes of the scores by what they do."""

    batch: Names
    query: str
    key: str
    width: str


def attention(node: Node, graph: Graph, fresh: Fresh) -> Sequence[Node] | None:
    """Attention: Σ_k softmax_k(scale · q·k + mask) v is one kernel, whatever the layout of heads.

    The scores, the softmax and what is between are read by nothing else; a mask is added or set to -∞ after scaling.
    """
    for product in products(node, graph):
        dropped, weights = _dropped(graph, product.a)
        softmax = producer(graph, weights, "softmax")
        if softmax is None:
            continue
        axis = softmax.attr("axis")
        found = _scores(softmax.inputs[0], graph, graph.values[softmax.outputs[0].name].type, axis)
        if found is None:
            continue
        made = _fused(node, graph, fresh, product, found, axis, dropped)
        if made is not None:
            return made
    return None


def _dropped(graph: Graph, name: str) -> tuple[object, str]:
    node = producer(graph, name, "dropout")
    if node is not None and isinstance(node.inputs[0], str):
        return node.attr("p"), node.inputs[0]
    return None, name


def products(node: Node, graph: Graph) -> list[Product]:
    """A node as a contraction of two tensors, in both orders."""
    if len(node.inputs) != 2 or not all(isinstance(x, str) for x in node.inputs):
        return []
    a, b = (str(x) for x in node.inputs)
    if node.op == "einsum":
        recipe: AxisPattern = node.attr("recipe")
        sides = [_plain(side) for side in (*recipe.inputs, *recipe.outputs)]
        left, right, out = sides if all(sides) else (None, None, None)
    elif node.op == "matmul":
        left, right, out = _matmul(graph.values[a].type, graph.values[b].type)
    else:
        return []
    if left is None or right is None or out is None:
        return []
    return [Product(a, b, left, right, out), Product(b, a, right, left, out)]


def _plain(side: Side) -> Names | None:
    """The names of axes of which none is composed."""
    if any(place.joined or len(place.parts[0]) != 1 for place in side):
        return None
    names = tuple(place.parts[0][0].name for place in side)
    return names if len(set(names)) == len(names) else None


def _matmul(a: TensorType, b: TensorType) -> tuple[Names | None, Names | None, Names | None]:
    count = len(a.axes)
    if count < 2 or len(b.axes) != count or a.axes[:-2] != b.axes[:-2]:
        return None, None, None
    batch = tuple(f"b{i}" for i in range(count - 2))
    return (*batch, "m", "k"), (*batch, "k", "n"), (*batch, "m", "n")


def _scores(operand: Operand, graph: Graph, type: TensorType, axis: int) -> Scores | None:
    """Walk from the softmax up to the product of queries and keys."""
    scales: list[Operand | Scalar | float] = []
    causal, mask = False, None
    while isinstance(operand, str):
        node = producer(graph, operand)
        if node is None:
            return None
        found = products(node, graph)
        if found:
            return Scores(found[0], scales, causal, mask)
        scaled = _scale(node)
        if scaled is not None:
            operand, factor = scaled
            scales.append(factor)
            continue
        if mask is not None or not _after_scaling(node, scales):
            return None
        masked = _masked(node, graph, type, axis)
        if masked is None or (causal and masked[1] is None):
            return None
        operand, mask = masked
        causal = causal or mask is None
    return None


def _after_scaling(node: Node, scales: Sequence[object]) -> bool:
    """A sum must come after all scaling; -∞ may come before a positive factor."""
    return not scales or node.op == "select"


def _scale(node: Node) -> tuple[str, Operand | Scalar | float] | None:
    match node:
        case (
            Node(op="mul", inputs=(str() as x, Const(value=value)))
            | Node(op="mul", inputs=(Const(value=value), str() as x))
        ):
            factor: object = value
        case Node(op="div", inputs=(str() as x, Const(value=value))):
            factor = Scalar("/", (1, value))
        case _:
            return None
    return (x, factor) if _positive(value) else None  # type: ignore[return-value]


def is_scaling(node: Node) -> Operand:
    """What a node scales by a positive number, if that is what it does."""
    scaled = _scale(node)
    return scaled[0] if scaled is not None else None


def _positive(value: object) -> bool:
    match value:
        case bool():
            return False
        case int() | float():
            return value > 0
        case Size():
            low = value.range[0]
            return low is not None and low > 0
        case Scalar(fn="sqrt" | "exp", args=_):
            return True
        case Scalar(fn="**" | "/" | "*", args=args):
            return all(_positive(arg) for arg in args[:1]) and (value.fn == "**" or all(map(_positive, args)))
        case _:
            return False


def _masked(node: Node, graph: Graph, type: TensorType, axis: int) -> tuple[str, str | None] | None:
    """The masked scores and the mask, None for the causal one. A mask must align with the scores from the right."""
    last = len(type.axes) - 1
    match node:
        case Node(op="select", inputs=(str() as condition, str() as scores, Const(value=value))) if value == float(
            "-inf"
        ):
            if axis == last and sees_earlier(condition, graph, type.axes[last - 1].size, type.axes[last].size):
                return scores, None
            mask = condition
        case Node(op="add", inputs=(str() as a, str() as b)):
            first = producer(graph, a)
            scores, mask = (a, b) if first is not None and graph.values[a].type.axes == type.axes else (b, a)
        case _:
            return None
    rank = len(graph.values[mask].type.axes)
    whole = graph.values[scores].type
    return (scores, mask) if axis == last and 2 <= rank <= last + 1 and whole.axes == type.axes else None


def _roles(qk: Product, axis: int) -> Roles | None:
    """The one query axis, the one key axis, the one axis contracted; all others run through."""
    inner = [name for name in qk.left if name in qk.right and name not in qk.out]
    queries = [name for name in qk.left if name not in qk.right]
    keys = [name for name in qk.right if name not in qk.left]
    batch = tuple(name for name in qk.out if name in qk.left and name in qk.right)
    if len(inner) != 1 or len(queries) != 1 or len(keys) != 1 or qk.out[axis] != keys[0]:
        return None
    if {*queries, *keys, *batch} != set(qk.out):
        return None
    return Roles(batch, queries[0], keys[0], inner[0])


def _fused(
    node: Node, graph: Graph, fresh: Fresh, pv: Product, scores: Scores, axis: int, dropped: object
) -> Sequence[Node] | None:
    qk = scores.product
    if qk.out[axis] not in qk.right:
        qk = Product(qk.b, qk.a, qk.right, qk.left, qk.out)
    roles = _roles(qk, axis)
    if roles is None:
        return None
    outer = dict(zip(pv.left, qk.out, strict=True))  # names of the second product in those of the first
    right = tuple(outer.get(name, f"{name}'") for name in pv.right)
    out = tuple(outer.get(name, f"{name}'") for name in pv.out)
    values = [name for name in right if name not in qk.out]
    if len(values) != 1 or set(right) != {*roles.batch, roles.key, values[0]}:
        return None
    if set(out) != {*roles.batch, roles.query, values[0]}:
        return None
    if scores.mask is not None and qk.out != (*roles.batch, roles.query, roles.key):
        return None
    if scores.causal and qk.out[-2:] != (roles.query, roles.key):
        return None
    nodes: list[Node] = []
    q, scales_q = _unscaled(qk.a, graph)
    k, scales_k = _unscaled(qk.b, graph)
    q = _moved(q, graph, qk.left, (*roles.batch, roles.query, roles.width), fresh, nodes, node)
    k = _moved(k, graph, qk.right, (*roles.batch, roles.key, roles.width), fresh, nodes, node)
    v = _moved(pv.b, graph, right, (*roles.batch, roles.key, values[0]), fresh, nodes, node)
    sizes = {name: axis for name, axis in _axes(graph, qk, pv, right).items()}
    attrs = _attrs(scores, [*scores.scales, *scales_q, *scales_k], sizes, roles, dropped)
    inputs: tuple[Operand, ...] = (q, k, v, scores.mask)
    result = (*roles.batch, roles.query, values[0])
    (value,) = node.outputs
    if result == out:
        return [*nodes, replace(node, op="attention", inputs=inputs, attrs=attrs)]
    middle = fresh.value(TensorType(value.type.elem, tuple(sizes[name] for name in result)))
    nodes.append(replace(node, op="attention", inputs=inputs, attrs=attrs, outputs=(middle,)))
    return [*nodes, _rearranged(middle, result, out, value, node)]


def _unscaled(name: str, graph: Graph) -> tuple[str, list[Operand | Scalar | float]]:
    """Queries or keys before they were scaled."""
    node = producer(graph, name)
    scaled = _scale(node) if node is not None else None
    return (scaled[0], [scaled[1]]) if scaled is not None else (name, [])


def _axes(graph: Graph, qk: Product, pv: Product, right: Names) -> dict[str, Axis]:
    found: dict[str, Axis] = {}
    for name, names in ((pv.b, right), (qk.b, qk.right), (qk.a, qk.left)):
        found.update(zip(names, graph.values[name].type.axes, strict=True))
    return found


def _moved(name: str, graph: Graph, have: Names, want: Names, fresh: Fresh, nodes: list[Node], model: Node) -> str:
    """The operand with its axes in another order."""
    if have == want:
        return name
    type = graph.values[name].type
    axes = dict(zip(have, type.axes, strict=True))
    value = fresh.value(TensorType(type.elem, tuple(axes[axis] for axis in want)))
    nodes.append(_rearranged(graph.values[name], have, want, value, model))
    return value.name


def _rearranged(source: Value, have: Names, want: Names, target: Value, model: Node) -> Node:
    atoms = {
        name: AxisGroup(((Atom(name, axis.size, axis.pack),),), axis.pack is not None)
        for name, axis in zip(have, source.type.axes, strict=True)
    }
    recipe = AxisPattern((tuple(atoms[name] for name in have),), (tuple(atoms[name] for name in want),))
    return Node("rearrange", (source.name,), (target,), (("recipe", recipe),), span=model.span)


def default_scale(node: Node, graph: Graph, fresh: Fresh) -> Sequence[Node] | None:
    """attention[scale=1/√d] = attention, which scales so by itself."""
    if node.op != "attention" or node.attr("scale") is None:
        return None
    if not _is_default(node.attr("scale"), graph.values[str(node.inputs[0])].type.axes[-1].size):
        return None
    return [replace(node, attrs=tuple((key, None if key == "scale" else value) for key, value in node.attrs))]


def _attrs(
    scores: Scores, scales: list[Operand | Scalar | float], sizes: dict[str, Axis], roles: Roles, dropped: object
) -> Attrs:
    aligned = sizes[roles.query].size == sizes[roles.key].size
    attrs: Attrs = (
        ("causal", scores.causal),
        ("scale", _factor(scales, sizes[roles.width].size)),
        ("aligned", aligned),
    )
    return (*attrs, ("dropout", dropped)) if dropped is not None else attrs


def _factor(scales: Sequence[Operand | Scalar | float], width: Size) -> object:
    """The product of the factors; None for 1/sqrt(width), which is what attention does by itself."""
    if len(scales) == 1 and _is_default(scales[0], width):
        return None
    total: object = 1.0
    for factor in scales:
        total = factor if total == 1.0 else Scalar("*", (total, factor))
    return total


def _is_default(factor: object, width: Size) -> bool:
    match factor:
        case Scalar(fn="/", args=(1 | 1.0, Scalar(fn="sqrt", args=(inner,)))):
            return _same(inner, width)
        case Scalar(fn="/", args=(1 | 1.0, Scalar(fn="**", args=(inner, 0.5)))):
            return _same(inner, width)
        case Scalar(fn="**", args=(inner, -0.5)):
            return _same(inner, width)
        case Scalar(fn="/", args=(1 | 1.0, float() | int() as number)):
            return width.is_number and abs(number * number - width.number) < 1e-9 * width.number
        case float() | int():
            return width.is_number and abs(factor * factor * width.number - 1) < 1e-9
        case _:
            return False


def _same(a: object, b: Size) -> bool:
    return (size(a) if isinstance(a, int) else a) == b

"""What each operation of PyTorch is here."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch.fx import Node

from ogive.backends.from_torch.builder import BlockBody, Operation
from ogive.backends.from_torch.code import TracedCode, binary, call, literal, number
from ogive.backends.from_torch.layout_ops import name_of
from ogive.backends.from_torch.trace import Untraceable, dtype, expression, shape

FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
INTEGERS = (torch.int8, torch.int16, torch.int32, torch.int64, torch.uint8)


def argument(node: Node, place: int, name: str, default: Any = None) -> Any:
    """An argument by place or name."""
    if len(node.args) > place:
        return node.args[place]
    return node.kwargs.get(name, default)


def unary(name: str) -> Operation:
    """`x |> name`."""

    def write(body: BlockBody, node: Node) -> TracedCode | None:
        return body.first(node.args[0]).then(name)

    return write


def typed(body: BlockBody, node: Any, to: torch.dtype) -> TracedCode:
    """An operand as elements of a type: types never mix."""
    code = body.operand(node)
    if isinstance(node, Node) and isinstance(node.meta.get("val"), torch.Tensor) and dtype(node) != to:
        if dtype(node) in FLOATS and to in FLOATS:
            return code
        return TracedCode(f"cast[{element(to)}]({code.text})")
    return code


def element(of: torch.dtype) -> str:
    """The name of an element type."""
    if of in FLOATS:
        return "float"
    if of in INTEGERS:
        return "int"
    if of == torch.bool:
        return "bool"
    raise Untraceable(f"elements of {of}")


def two(operator: str) -> Operation:
    """`left operator right`."""

    def write(body: BlockBody, node: Node) -> TracedCode | None:
        left, right = node.args[:2]
        common = torch.result_type(*(_sample(each) for each in (left, right)))
        first, second = typed(body, left, common), typed(body, right, common)
        alpha = node.kwargs.get("alpha", 1)
        if alpha != 1:
            second = binary("*", literal(alpha), second)  # type: ignore[arg-type]
        if operator in ("and", "or") and common != torch.bool:
            raise Untraceable("bits of numbers")
        if operator.isidentifier() and operator not in ("and", "or"):
            return TracedCode(f"{operator}({first.text}, {second.text})")
        return binary(operator, first, second)

    return write


def _sample(node: Any) -> Any:
    if isinstance(node, Node) and isinstance(node.meta["val"], torch.Tensor):
        return torch.ones([1] * node.meta["val"].dim(), dtype=dtype(node))
    return 1 if isinstance(node, Node) else node


def _axes(node: Node, given: Any, source: Node) -> str:
    rank = len(shape(source))
    axes = [given] if isinstance(given, int) else list(given) if given else list(range(rank))
    return ", ".join(str(axis if axis < 0 or rank - axis > 2 else axis - rank) for axis in axes)


def reduction(name: str) -> Operation:
    """A reduction over axes."""

    def write(body: BlockBody, node: Node) -> TracedCode | None:
        source = node.args[0]
        assert isinstance(source, Node)
        axes = argument(node, 1, "dim")
        kept = ", keepdim=true" if argument(node, 2, "keepdim", False) else ""
        if axes is None or axes == []:
            return body.first(source).then(name)
        code = body.first(source)
        if dtype(node) in FLOATS and dtype(source) not in FLOATS:
            code = code.then("cast[float]")
        return code.then(f"{name}[{_axes(node, axes, source)}{kept}]")

    return write


def _softmax(name: str) -> Operation:
    def write(body: BlockBody, node: Node) -> TracedCode | None:
        source = node.args[0]
        assert isinstance(source, Node)
        return body.first(source).then(f"{name}[{_axes(node, node.args[1], source)}]")

    return write


def _gelu(body: BlockBody, node: Node) -> TracedCode | None:
    return body.first(node.args[0]).then("gelu_tanh" if node.kwargs.get("approximate") == "tanh" else "gelu")


def _pow(body: BlockBody, node: Node) -> TracedCode | None:
    base, power = node.args
    if power == 0.5:
        return body.first(base).then("sqrt")
    shown = int(power) if isinstance(power, float) and power.is_integer() and not isinstance(base, float) else power
    return binary("**", body.operand(base), body.operand(shown))


def _extreme(name: str) -> Operation:
    """The larger of two, or the largest of an axis."""

    def write(body: BlockBody, node: Node) -> TracedCode | None:
        if len(node.args) > 1 and isinstance(node.args[1], Node):
            return two(f"{name}imum")(body, node)
        if len(node.args) == 1:
            return body.first(node.args[0]).then(name)
        raise Untraceable(f"`{node.target}` has no operation here")

    return write


def _hardtanh(body: BlockBody, node: Node) -> TracedCode | None:
    low, high = argument(node, 1, "min_val", -1.0), argument(node, 2, "max_val", 1.0)
    return body.first(node.args[0]).then("relu6" if (low, high) == (0.0, 6.0) else f"clamp[{low}, {high}]")


def _clamp(body: BlockBody, node: Node) -> TracedCode | None:
    low, high = argument(node, 1, "min"), argument(node, 2, "max")
    code = body.operand(node.args[0])
    if low is not None and high is not None:
        return code.then(f"clamp[{literal(low).text}, {literal(high).text}]")
    if low is not None:
        return TracedCode(f"maximum({code.text}, {literal(low).text})")
    return TracedCode(f"minimum({code.text}, {literal(high).text})")


def _linear(body: BlockBody, node: Node) -> TracedCode | None:
    if (step := body.applied(node.args[1])) is not None:
        return body.first(node.args[0]).then(step)
    return call("linear", *(body.operand(each) for each in node.args if each is not None))


def _addmm(body: BlockBody, node: Node) -> TracedCode | None:
    bias, left, right = node.args
    return binary("+", binary("@", body.operand(left), body.operand(right)), body.operand(bias))


def _matmul(body: BlockBody, node: Node) -> TracedCode | None:
    return binary("@", body.operand(node.args[0]), body.operand(node.args[1]))


def _einsum(body: BlockBody, node: Node) -> TracedCode | None:
    equation, operands = node.args[:2]
    assert isinstance(equation, str)
    spaced = " ".join(equation.replace(" ", "").replace("->", ">").replace("...", ".")).replace("  ", " ")
    text = spaced.replace(" ,", ",").replace(">", "->").replace(".", "...")
    return call(f'einsum["{text}"]', *(body.operand(each) for each in operands))  # type: ignore[union-attr]


def _attention(body: BlockBody, node: Node) -> TracedCode | None:
    q, k, v = (body.operand(each) for each in node.args[:3])
    mask = argument(node, 3, "attn_mask")
    settings = ["causal=true"] if argument(node, 5, "is_causal", False) or node.meta.get("causal") else []
    scale = node.kwargs.get("scale")
    query = node.args[0]
    assert isinstance(query, Node)
    if isinstance(scale, float) and not math.isclose(scale, float(shape(query)[-1]) ** -0.5, rel_tol=1e-12):
        settings.append(f"scale={scale!r}")
    operands = (q, k, v) if mask is None else (q, k, v, body.operand(mask))
    if argument(node, 6, "enable_gqa", node.kwargs.get("enable_gqa", False)):
        times = shape(query)[-3] // shape(node.args[1])[-3]  # type: ignore[arg-type]
        wide = f'expand["b g n e -> b (g r) n e", r={number(int(times), "groups")}]'
        operands = (q, k.then(wide), v.then(wide), *operands[3:])
    brackets = f"[{', '.join(settings)}]" if settings else ""
    return TracedCode(f"attention{brackets}({', '.join(each.text for each in operands)})")


def _split(body: BlockBody, node: Node) -> TracedCode | None:
    source, axis = node.args[0], argument(node, 2, "dim", 0)
    assert isinstance(source, Node)
    parts = node.meta["val"]
    rank = parts[0].dim()
    axis = axis % rank
    shown = axis - rank if rank - axis <= 2 else axis
    sizes = [body.sizes.code(expression(part.shape[axis]), "d").text for part in parts]
    body.unpack(_items(node, len(parts)), body.first(source).then(f"split[{shown}, [{', '.join(sizes)}]]"))
    return None


def _unbind(body: BlockBody, node: Node) -> TracedCode | None:
    source, axis = node.args[0], argument(node, 1, "dim", 0)
    assert isinstance(source, Node)
    rank = len(shape(source))
    labels = list("bmnhijkl"[:rank])
    labels[axis % rank] = "t"
    rest = [label for i, label in enumerate(labels) if i != axis % rank]
    step = f'split["{" ".join(labels)} -> t {" ".join(rest)}"]'
    code = body.first(source)
    if axis == 0 and code.stages and code.stages[-1].startswith('rearrange["') and "-> (" not in code.stages[-1]:
        code = TracedCode(code.head, code.level, (*code.stages[:-1], code.stages[-1].replace("rearrange", "split", 1)))
    else:
        code = code.then(step)
    body.unpack(_items(node, len(node.meta["val"])), code)
    return None


def _items(node: Node, count: int) -> list[Node | None]:
    found: list[Node | None] = [None] * count
    for user in node.users:
        index = user.args[1]
        assert isinstance(index, int)
        found[index] = user
    return found


def _cat(body: BlockBody, node: Node) -> TracedCode | None:
    tensors, axis = node.args[0], argument(node, 1, "dim", 0)
    operands = [body.operand(each, 40) for each in tensors]  # type: ignore[union-attr]
    return TracedCode(
        f"{'stack' if name_of(node) == 'stack' else 'concat'}[{axis}]({', '.join(o.text for o in operands)})"
    )


def _slice(body: BlockBody, node: Node) -> TracedCode | None:
    """Slices in a row are one."""
    source = node.args[0]
    assert isinstance(source, Node)
    rank = len(shape(source))
    axis, start, stop, step = (argument(node, i, n, d) for i, n, d in
                               ((1, "dim", 0), (2, "start", None), (3, "end", None), (4, "step", 1)))  # fmt: skip
    whole = shape(source)[axis % rank]
    low = _bound(body, start, whole)
    high = "" if stop is None or (isinstance(stop, int) and stop > 2**60) else _bound(body, stop, whole)
    part = f"{low}:{high}" + (f":{step}" if step != 1 else "")
    items = [":"] * (axis % rank) + [part]
    return TracedCode(f"{body.operand(source).at(10)}[{', '.join(items)}]")


def _bound(body: BlockBody, at: Any, whole: Any) -> str:
    if at is None or at == 0:
        return ""
    size = expression(at)
    if size.is_Integer and int(size) < 0:
        size = whole + size
    return body.sizes.code(size, "at").text


def _select(body: BlockBody, node: Node) -> TracedCode | None:
    source, axis, index = node.args[:3]
    assert isinstance(source, Node)
    assert isinstance(axis, int)
    sizes = shape(source)
    axis, size = axis % len(sizes), expression(index)
    if size.is_Integer and int(size) < 0:
        size = sizes[axis] + size
    text = str(int(size)) if size.is_Integer else body.sizes.code(size).text
    return TracedCode(f"{body.operand(source).at(10)}[{', '.join([':'] * axis + [text])}]")


def _topk(body: BlockBody, node: Node) -> TracedCode | None:
    source, count = node.args[:2]
    assert isinstance(source, Node)
    assert isinstance(count, int)
    if not argument(node, 3, "largest", True):
        raise Untraceable("the smallest of an axis")
    step = f"topk[{_axes(node, argument(node, 2, 'dim', -1), source)}, {number(count, 'k')}]"
    body.unpack(_items(node, 2), body.first(source).then(step))
    return None


def _index(body: BlockBody, node: Node) -> TracedCode | None:
    """Entries of one axis by their numbers."""
    source, places = node.args
    assert isinstance(source, Node)
    assert isinstance(places, list | tuple)
    given = [(axis, each) for axis, each in enumerate(places) if each is not None]
    if len(given) != 1 or not isinstance(given[0][1], Node) or dtype(given[0][1]) not in INTEGERS:
        raise Untraceable(f"`{node.target}` by {len(given)} tensors has no operation here")
    axis, index = given[0]
    return TracedCode(f"take[{axis}]({body.operand(source).text}, {body.operand(index).text})")


def _where(body: BlockBody, node: Node) -> TracedCode | None:
    c, a, b = node.args
    return TracedCode(
        f"select({body.operand(c).text}, {typed(body, a, dtype(node)).text}, {typed(body, b, dtype(node)).text})"
    )


def _masked_fill(body: BlockBody, node: Node) -> TracedCode | None:
    x, c, filled = node.args
    return TracedCode(f"select({body.operand(c).text}, {body.operand(filled).text}, {body.operand(x).text})")


def _cast(body: BlockBody, node: Node) -> TracedCode | None:
    source = node.args[0]
    assert isinstance(source, Node)
    if dtype(source) in FLOATS and dtype(node) in FLOATS:
        return body.first(source)
    return body.first(source).then(f"cast[{element(dtype(node))}]")


def _arange(body: BlockBody, node: Node) -> TracedCode | None:
    (size,) = shape(node)
    code = TracedCode(f"arange[{body.sizes.code(size).text}]")
    numbers = [each for each in node.args if not isinstance(each, torch.dtype)]
    if len(numbers) == 3 and numbers[2] != 1:
        code = binary("*", literal(numbers[2]), code)  # type: ignore[arg-type]
    if len(numbers) > 1 and numbers[0] != 0:
        code = binary("+", code, body.operand(numbers[0]))
    return call("cast[float]", code) if dtype(node) in FLOATS else code


def _filled(body: BlockBody, node: Node) -> TracedCode | None:
    name = name_of(node)
    sizes = ", ".join(body.sizes.code(size).text for size in shape(node))
    kind = "" if dtype(node) in FLOATS else f"type={element(dtype(node))}"
    inner = ", ".join(each for each in (sizes, kind) if each)
    if "full" in name or name in ("scalar_tensor",):
        filled = argument(node, 0 if name == "scalar_tensor" else 2 if name == "new_full" else 1, "fill_value")
        if not sizes:
            return literal(filled)
        return TracedCode(f"full[{sizes}, v={literal(filled).text}{f', {kind}' if kind else ''}]")
    return TracedCode(f"{'ones' if 'ones' in name else 'zeros'}[{inner}]")


def _embedding(body: BlockBody, node: Node) -> TracedCode | None:
    return TracedCode(f"take[0]({body.operand(node.args[0]).text}, {body.operand(node.args[1]).text})")


def _dropout(body: BlockBody, node: Node) -> TracedCode | None:
    return body.first(node.args[0]).then(f"dropout[{node.args[1]}]")


def _roll(body: BlockBody, node: Node) -> TracedCode | None:
    code = body.first(node.args[0])
    for by, axis in zip(node.args[1], node.args[2], strict=True):  # type: ignore[arg-type]
        code = code.then(f"roll[{axis}, {by}]")
    return code


def _pad(body: BlockBody, node: Node) -> TracedCode | None:
    source, pads = node.args[:2]
    assert isinstance(source, Node)
    assert isinstance(pads, list | tuple)
    mode, filled = argument(node, 2, "mode", "constant"), argument(node, 3, "value", 0.0) or 0.0
    code, rank = body.first(source), len(shape(source))
    settings = f', mode="{mode}"' if mode != "constant" else f", value={filled}" if filled else ""
    for i in range(len(pads) // 2):
        low, high = pads[2 * i], pads[2 * i + 1]
        if low or high:
            code = code.then(f"pad[{rank - 1 - i}, {body.operand(low).text}, {body.operand(high).text}{settings}]")
    return code


def _to(change: Callable[[TracedCode], TracedCode]) -> Operation:
    def write(body: BlockBody, node: Node) -> TracedCode | None:
        return change(body.operand(node.args[0]))

    return write


UNARY = dict.fromkeys(
    "abs acos acosh asin asinh atan atanh ceil cos cosh erf exp expm1 floor hardsigmoid hardswish log log10 log1p log2 "
    "relu relu6 round rsqrt sigmoid sign silu sin sinh softplus sqrt tan tanh trunc mish logical_not isnan".split()
)
TWO = {
    "add": "+", "sub": "-", "mul": "*", "div": "/", "eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">",
    "ge": ">=", "logical_and": "and", "logical_or": "or", "__and__": "and", "__or__": "or", "bitwise_and": "and",
    "bitwise_or": "or", "maximum": "maximum", "minimum": "minimum", "remainder": "%", "floor_divide": "//",
}  # fmt: skip

REDUCTIONS = {
    "mean": "mean", "sum": "sum", "amax": "max", "amin": "min", "any": "any", "all": "all", "prod": "prod",
}  # fmt: skip

TABLE: dict[str, Operation] = {
    **{name: unary(name) for name in UNARY},
    **{name: two(ours) for name, ours in TWO.items()},
    **{name: reduction(ours) for name, ours in REDUCTIONS.items()},
    "max": _extreme("max"),
    "min": _extreme("min"),
    "neg": _to(lambda code: TracedCode(f"-{code.at(8)}", 8)),
    "square": _to(lambda code: binary("**", code, TracedCode("2"))),
    "reciprocal": _to(lambda code: binary("/", TracedCode("1"), code)), "bitwise_not": unary("logical_not"),
    "rsub": lambda body, node: binary("-", body.operand(node.args[1]), body.operand(node.args[0])),
    "softmax": _softmax("softmax"), "_softmax": _softmax("softmax"), "log_softmax": _softmax("log_softmax"),
    "cumsum": _softmax("cumsum"), "gelu": _gelu, "pow": _pow, "hardtanh": _hardtanh, "clamp": _clamp,
    "clamp_min": _clamp, "linear": _linear, "addmm": _addmm, "matmul": _matmul, "bmm": _matmul, "mm": _matmul,
    "einsum": _einsum, "scaled_dot_product_attention": _attention, "split": _split, "split_with_sizes": _split,
    "chunk": _split, "unbind": _unbind, "cat": _cat, "concat": _cat, "stack": _cat, "slice": _slice, "select": _select,
    "where": _where, "masked_fill": _masked_fill, "to": _cast, "_to_copy": _cast, "type_as": _cast, "arange": _arange,
    "full": _filled, "zeros": _filled, "ones": _filled, "full_like": _filled, "zeros_like": _filled,
    "ones_like": _filled, "new_ones": _filled, "new_zeros": _filled, "new_full": _filled, "scalar_tensor": _filled,
    "embedding": _embedding,
    "topk": _topk,
    "index": _index, "dropout": _dropout, "roll": _roll, "pad": _pad,
}  # fmt: skip

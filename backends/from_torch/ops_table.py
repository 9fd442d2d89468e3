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
from ogive.backends.from_torch.refused import Untraceable
from ogive.backends.from_torch.trace import dtype, shape

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


def _div(body: BlockBody, node: Node) -> TracedCode | None:
    """A quotient, as it is, rounded down or cut off."""
    how = node.kwargs.get("rounding_mode")
    if how is None:
        left, right = node.args[:2]
        if not all(
            isinstance(each, int) or (isinstance(each, Node) and dtype(each) in INTEGERS) for each in (left, right)
        ):
            return two("/")(body, node)
        return binary("/", *(typed(body, each, torch.float32) for each in (left, right)))
    if how == "floor":
        return two("//")(body, node)
    code = two("/")(body, node)
    if code is None or dtype(node) not in FLOATS:
        raise Untraceable("whole numbers whose quotient is cut off", node)
    return code.then("trunc")


def _sample(node: Any) -> Any:
    if isinstance(node, Node) and isinstance(node.meta["val"], torch.Tensor):
        return torch.ones([1] * node.meta["val"].dim(), dtype=dtype(node))
    return 1 if isinstance(node, Node) else node


def axes_of(node: Node, given: Any, source: Node) -> str:
    """Axes between brackets, the last two from the end."""
    rank = len(shape(source))
    axes = [given] if isinstance(given, int) else list(given) if given else list(range(rank))
    return ", ".join(str(axis if axis < 0 or rank - axis > 2 else axis - rank) for axis in axes)


def where_largest(code: TracedCode, name: str, node: Node, source: Node, kept: bool) -> TracedCode:
    """The place of the largest entry of an axis, which stays with one entry if `kept`."""
    axis, rank = argument(node, 1, "dim"), len(shape(source))
    code = code.then(f"{name}[{axes_of(node, axis, source)}]")
    if not kept:
        return code
    labels = list("bmnhijkl"[:rank])
    left = " ".join(each for i, each in enumerate(labels) if i != axis % rank)
    labels[axis % rank] = "1"
    return code.then(f'rearrange["{left} -> {" ".join(labels)}"]')


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
        if name in ("argmax", "argmin"):
            return where_largest(code, name, node, source, bool(kept))
        if dtype(node) in FLOATS and dtype(source) not in FLOATS:
            code = code.then("cast[float]")
        return code.then(f"{name}[{axes_of(node, axes, source)}{kept}]")

    return write


def softmax(name: str) -> Operation:
    """An operation along one axis."""

    def write(body: BlockBody, node: Node) -> TracedCode | None:
        source = node.args[0]
        assert isinstance(source, Node)
        return body.first(source).then(f"{name}[{axes_of(node, node.args[1], source)}]")

    return write


def _gelu(body: BlockBody, node: Node) -> TracedCode | None:
    return body.first(node.args[0]).then("gelu_tanh" if node.kwargs.get("approximate") == "tanh" else "gelu")


def _pow(body: BlockBody, node: Node) -> TracedCode | None:
    base, power = node.args
    if power == 0.5:
        return body.first(base).then("sqrt")
    if isinstance(power, Node) and dtype(node) in FLOATS:
        return binary("**", typed(body, base, dtype(node)), typed(body, power, dtype(node)))
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
    bias = argument(node, 2, "bias")
    owner, given = (
        body.traced.weights.get(each, "") if isinstance(each, Node) else "" for each in (node.args[1], bias)
    )
    own = bias is not None and owner.rpartition(".")[0] == given.rpartition(".")[0]
    if (step := body.applied(node.args[1], own)) is not None:
        code = body.first(node.args[0]).then(step)
        return code if own or bias is None else binary("+", code, body.operand(bias))
    return call("linear", *(body.operand(each) for each in node.args if each is not None))


def _addmm(body: BlockBody, node: Node) -> TracedCode | None:
    bias, left, right = node.args
    return binary("+", binary("@", body.operand(left), body.operand(right)), body.operand(bias))


def _matmul(body: BlockBody, node: Node) -> TracedCode | None:
    left, right = node.args[:2]
    assert isinstance(left, Node)
    assert isinstance(right, Node)
    rank = len(shape(left))
    if body.spelled and 3 <= rank <= 5 and shape(left)[:-2] == shape(right)[:-2]:
        batch = " ".join("bhg"[: rank - 2])
        rule = f"{batch} q d, {batch} d k -> {batch} q k"
        return call(f'einsum["{rule}"]', body.operand(left), body.operand(right))
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


def _to(change: Callable[[TracedCode], TracedCode]) -> Operation:
    def write(body: BlockBody, node: Node) -> TracedCode | None:
        return change(body.operand(node.args[0]))

    return write


UNARY = dict.fromkeys(
    "abs acos acosh asin asinh atan atanh ceil cos cosh erf exp expm1 floor hardsigmoid hardswish log log10 log1p log2 "
    "relu relu6 round rsqrt sigmoid sign silu sin sinh sqrt tan tanh trunc mish logical_not isnan".split()
)
TWO = {
    "add": "+", "sub": "-", "mul": "*", "eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">",
    "ge": ">=", "logical_and": "and", "logical_or": "or", "__and__": "and", "__or__": "or", "bitwise_and": "and",
    "bitwise_or": "or", "maximum": "maximum", "minimum": "minimum", "remainder": "%", "floor_divide": "//",
}  # fmt: skip

REDUCTIONS = {"amax": "max", "amin": "min", **{each: each for each in "mean sum any all prod argmax argmin".split()}}

TABLE: dict[str, Operation] = {
    **{name: unary(name) for name in UNARY},
    **{name: two(ours) for name, ours in TWO.items()},
    **{name: reduction(ours) for name, ours in REDUCTIONS.items()},
    "max": _extreme("max"),
    "min": _extreme("min"),
    "div": _div,
    "neg": _to(lambda code: TracedCode(f"-{code.at(8)}", 8)),
    "square": _to(lambda code: binary("**", code, TracedCode("2"))),
    "reciprocal": _to(lambda code: binary("/", TracedCode("1"), code)), "bitwise_not": unary("logical_not"),
    "rsub": lambda body, node: binary("-", body.operand(node.args[1]), body.operand(node.args[0])),
    "softmax": softmax("softmax"), "_softmax": softmax("softmax"), "log_softmax": softmax("log_softmax"),
    "cumsum": softmax("cumsum"), "gelu": _gelu, "pow": _pow, "hardtanh": _hardtanh, "clamp": _clamp,
    "clamp_min": _clamp, "linear": _linear, "addmm": _addmm, "matmul": _matmul, "bmm": _matmul, "mm": _matmul,
    "einsum": _einsum, "scaled_dot_product_attention": _attention,
    "where": _where, "masked_fill": _masked_fill, "to": _cast, "_to_copy": _cast, "type_as": _cast, "arange": _arange,
    "full": _filled, "zeros": _filled, "ones": _filled, "full_like": _filled, "zeros_like": _filled,
    "ones_like": _filled, "new_ones": _filled, "new_zeros": _filled, "new_full": _filled, "scalar_tensor": _filled,
    "zero": _filled,
    "embedding": _embedding, "dropout": _dropout,
}  # fmt: skip

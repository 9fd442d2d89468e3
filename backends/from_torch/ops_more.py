"""Operations that fewer models have: activations of other shapes, norms, order, copies along axes."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch.fx import Node

from ogive.backends.from_torch.builder import BlockBody, Operation
from ogive.backends.from_torch.code import TracedCode, binary, literal, number
from ogive.backends.from_torch.layout_ops import name_of
from ogive.backends.from_torch.ops_table import FLOATS, argument, axes_of, softmax, unary
from ogive.backends.from_torch.refused import Untraceable
from ogive.backends.from_torch.trace import dtype, expression, shape

LABELS = "bmnhijkl"


def _source(node: Node) -> Node:
    source = node.args[0]
    assert isinstance(source, Node)
    return source


def _with(name: str, *settings: tuple[int, str, Any, str], library: str = "") -> Operation:
    """`x |> name[...]`: each setting by its place, name, default, and what it is called here."""

    def write(body: BlockBody, node: Node) -> TracedCode | None:
        if library:
            body.use(library, name)
        told = []
        for place, theirs, default, ours in settings:
            value = argument(node, place, theirs, default)
            if value != default or not ours:
                told.append(f"{ours}={literal(value).text}" if ours else literal(value).text)
        return body.first(node.args[0]).then(f"{name}[{', '.join(told)}]" if told else name)

    return write


def _elu(body: BlockBody, node: Node) -> TracedCode | None:
    alpha, scale, inner = (argument(node, i, n, 1) for i, n in ((1, "alpha"), (2, "scale"), (3, "input_scale")))
    if inner != 1 or scale != 1:
        raise Untraceable("an `elu` of other scales", node)
    return body.first(node.args[0]).then("elu" if alpha == 1 else f"elu[alpha={literal(alpha).text}]")


def _softplus(body: BlockBody, node: Node) -> TracedCode | None:
    beta = argument(node, 1, "beta", 1)
    code = body.first(node.args[0])
    if beta == 1:
        return code.then("softplus")
    return binary("/", binary("*", body.operand(node.args[0]), literal(beta)).then("softplus"), literal(beta))


def _glu(body: BlockBody, node: Node) -> TracedCode | None:
    axis, rank = argument(node, 1, "dim", -1), len(shape(node))
    if axis % rank == rank - 1:
        return body.first(node.args[0]).then(body.use("std.nn", "glu"))
    labels = list(LABELS[:rank])
    labels[axis % rank] = "c"
    moved = " ".join([*(each for each in labels if each != "c"), "c"])
    code = body.first(node.args[0]).then(f'rearrange["{" ".join(labels)} -> {moved}"]')
    return code.then(body.use("std.nn", "glu")).then(f'rearrange["{moved} -> {" ".join(labels)}"]')


def _spread(name: str) -> Operation:
    """Variance and deviation, which torch corrects by 1 unless told otherwise."""

    def write(body: BlockBody, node: Node) -> TracedCode | None:
        axes = argument(node, 1, "dim")
        if str(node.target).endswith("correction"):
            by = node.kwargs.get("correction", 1)
            kept = node.kwargs.get("keepdim", False)
        else:
            by = int(argument(node, 2, "unbiased", True))
            kept = argument(node, 3, "keepdim", False)
        if by not in (0, 1):
            raise Untraceable(f"a correction by {by}", node)
        settings = [axes_of(node, axes, _source(node))] + (["unbiased=true"] if by else [])
        settings += ["keepdim=true"] if kept else []
        return body.first(node.args[0]).then(f"{name}[{', '.join(settings)}]")

    return write


def _norm(body: BlockBody, node: Node) -> TracedCode | None:
    name = name_of(node)
    p = argument(node, 1, "ord" if name == "linalg_vector_norm" else "p", 2)
    axes, kept = argument(node, 2, "dim"), argument(node, 3, "keepdim", False)
    settings = [axes_of(node, axes, _source(node))] if axes is not None and axes != [] else []
    if p is not None and p != 2:
        settings.append(f"p={'inf' if p == math.inf else literal(p).text}")
    settings += ["keepdim=true"] if kept else []
    return body.first(node.args[0]).then(f"norm[{', '.join(settings)}]" if settings else "norm")


def _logsumexp(body: BlockBody, node: Node) -> TracedCode | None:
    kept = ", keepdim=true" if argument(node, 2, "keepdim", False) else ""
    return body.first(node.args[0]).then(f"logsumexp[{axes_of(node, node.args[1], _source(node))}{kept}]")


def _flip(body: BlockBody, node: Node) -> TracedCode | None:
    code = body.first(node.args[0])
    for axis in node.args[1]:  # type: ignore[union-attr]
        code = code.then(f"flip[{axes_of(node, axis, _source(node))}]")
    return code


def _triangle(body: BlockBody, node: Node) -> TracedCode | None:
    diagonal = argument(node, 1, "diagonal", 0)
    return body.first(node.args[0]).then(name_of(node) + (f"[{diagonal}]" if diagonal else ""))


def _along(name: str) -> Operation:
    """`name[axis](x, i)`."""

    def write(body: BlockBody, node: Node) -> TracedCode | None:
        source, axis, index = node.args[:3]
        assert isinstance(source, Node)
        return TracedCode(
            f"{name}[{axes_of(node, axis, source)}]({body.operand(source, 40).text}, {body.operand(index, 40).text})"
        )

    return write


def _repeat(body: BlockBody, node: Node) -> TracedCode | None:
    """Copies along axes: an axis of 1 is expanded, a longer one is walked several times."""
    source, times = _source(node), list(node.args[1])  # type: ignore[arg-type]
    sizes = shape(source)
    new = len(times) - len(sizes)
    labels = list(LABELS[: len(sizes)])
    left = ["1" if size == 1 else label for size, label in zip(sizes, labels, strict=True)]
    right, given = [], []
    for i, count in enumerate(times):
        old = "" if i < new else left[i - new]
        by = expression(count)
        if by == 1:
            right.append(old or "1")
            continue
        label = "rstuvw"[i]
        given.append(f"{label}={body.sizes.code(by, 'factor').text}")
        right.append(label if old in ("", "1") else f"({label} {old})")
    if not given and not new:
        return body.first(source)
    if not given:
        return body.first(source).then(f'rearrange["{" ".join(left)} -> {" ".join(right)}"]')
    return body.first(source).then(f'expand["{" ".join(left)} -> {" ".join(right)}", {", ".join(given)}]')


def _repeat_each(body: BlockBody, node: Node) -> TracedCode | None:
    times, axis = node.args[1], argument(node, 2, "dim")
    if axis is None or not isinstance(times, int):
        raise Untraceable(f"`{node.target}` has no operation here", node)
    labels = list(LABELS[: len(shape(node))])
    right = list(labels)
    right[axis] = f"({labels[axis]} r)"
    step = f'expand["{" ".join(labels)} -> {" ".join(right)}", r={number(times, "factor")}]'
    return body.first(node.args[0]).then(step)


def _sort(body: BlockBody, node: Node) -> TracedCode | None:
    axis, falling = argument(node, 1, "dim", -1), argument(node, 2, "descending", False)
    if str(node.target).endswith("stable"):
        axis, falling = argument(node, 2, "dim", -1), argument(node, 3, "descending", False)
    inner = f"[{axes_of(node, axis, _source(node))}{', descending=true' if falling else ''}]"
    if name_of(node) == "argsort":
        return body.first(node.args[0]).then(f"argsort{inner}")
    source = body.operand(node.args[0])
    if not source.text.startswith("§"):
        body.name(_source(node), source)
        source = body.bound[_source(node)]
    for user in node.users:
        body.bind(user, source.then(("sort", "argsort")[int(user.args[1])] + inner))  # type: ignore[arg-type]
    return None


def _one_hot(body: BlockBody, node: Node) -> TracedCode | None:
    return body.first(node.args[0]).then(f"one_hot[{body.sizes.code(shape(node)[-1], 'vocab').text}]")


def _weight_norm(body: BlockBody, node: Node) -> TracedCode | None:
    v, g, axis = node.args[0], node.args[1], argument(node, 2, "dim", 0)
    assert isinstance(v, Node)
    axes = [i for i in range(len(shape(v))) if axis == -1 or i != axis]  # -1 stands for no axis
    direction = body.operand(v)
    length = direction.then(f"norm[{axes_of(node, axes, v)}, keepdim=true]")
    return binary("/", binary("*", body.operand(g), direction), length)


def _addc(operator: str) -> Operation:
    def write(body: BlockBody, node: Node) -> TracedCode | None:
        x, a, b = node.args[:3]
        term = binary(operator, body.operand(a), body.operand(b))
        by = node.kwargs.get("value", 1)
        term = term if by == 1 else binary("*", literal(by), term)  # type: ignore[arg-type]
        return binary("+", body.operand(x), term)

    return write


def _baddbmm(body: BlockBody, node: Node) -> TracedCode | None:
    x, a, b = node.args[:3]
    beta, alpha = argument(node, 3, "beta", 1), argument(node, 4, "alpha", 1)
    product = binary("@", body.operand(a), body.operand(b))
    product = product if alpha == 1 else binary("*", product, literal(alpha))
    if beta == 0:
        return product
    start = body.operand(x)
    return binary("+", start if beta == 1 else binary("*", start, literal(beta)), product)


def _outer(body: BlockBody, node: Node) -> TracedCode | None:
    return TracedCode(f'einsum["n, m -> n m"]({body.operand(node.args[0]).text}, {body.operand(node.args[1]).text})')


def _mv(body: BlockBody, node: Node) -> TracedCode | None:
    rule = "n m, m -> n" if name_of(node) == "mv" else "n, n ->"
    return TracedCode(f'einsum["{rule}"]({body.operand(node.args[0]).text}, {body.operand(node.args[1]).text})')


def _unequal(body: BlockBody, node: Node) -> TracedCode | None:
    if dtype(node) != torch.bool:
        raise Untraceable("bits of numbers", node)
    return binary("!=", body.operand(node.args[0]), body.operand(node.args[1]))


def _pixel_shuffle(body: BlockBody, node: Node) -> TracedCode | None:
    by = node.args[1]
    assert isinstance(by, int)
    if len(shape(node)) != 4:
        raise Untraceable("`pixel_shuffle` of other than images", node)
    if name_of(node) == "pixel_shuffle":
        return body.first(node.args[0]).then(f"{body.use('std.vision', 'pixel_shuffle')}[{by}]")
    return body.first(node.args[0]).then(f'rearrange["b c (h i) (w j) -> b (c i j) h w", i={by}, j={by}]')


def _channel_shuffle(body: BlockBody, node: Node) -> TracedCode | None:
    step = f'rearrange["b (g c) ... -> b (c g) ...", g={number(node.args[1], "groups")}]'  # type: ignore[arg-type]
    return body.first(node.args[0]).then(step)


def _lerp(body: BlockBody, node: Node) -> TracedCode | None:
    return TracedCode(f"lerp({', '.join(body.operand(each, 40).text for each in node.args)})")


def _clamp_max(body: BlockBody, node: Node) -> TracedCode | None:
    return TracedCode(f"minimum({body.operand(node.args[0]).text}, {body.operand(node.args[1]).text})")


def _scatter(body: BlockBody, node: Node) -> TracedCode | None:
    """A part written over: a run of places of an axis, or one."""
    x, y, axis = node.args[0], node.args[1], argument(node, 2, "dim", 0)
    assert isinstance(x, Node)
    assert isinstance(y, Node)
    rank = len(shape(x))
    if name_of(node) == "select_scatter":
        start = expression(node.args[3])
        labels = LABELS[: rank - 1]
        left, right = " ".join(labels), " ".join([*labels[: axis % rank], "1", *labels[axis % rank :]])
        part = body.operand(y).then(f'rearrange["{left} -> {right}"]')
    else:
        start = expression(argument(node, 3, "start", 0) or 0)
        if argument(node, 5, "step", 1) != 1:
            raise Untraceable("every second entry of an axis is written over", node)
        part = body.operand(y)
    if start.is_Integer and int(start) < 0:
        start = shape(x)[axis % rank] + start
    at = "" if start == 0 else f", start={body.sizes.code(start, 'at').text}"
    return TracedCode(f"put[{axes_of(node, axis, x)}{at}]({body.operand(x, 40).text}, {part.text})")


def _copy(body: BlockBody, node: Node) -> TracedCode | None:
    """What is written over a whole tensor."""
    into, new = node.args[:2]
    assert isinstance(into, Node)
    if isinstance(new, Node) and shape(new) == shape(into):
        code = body.operand(new)
        return code if (dtype(new) in FLOATS) == (dtype(into) in FLOATS) else code.then("cast[float]")
    sizes = ", ".join(body.sizes.code(size).text for size in shape(into))
    if isinstance(new, Node) and shape(new):
        raise Untraceable(f"`{node.target}` of other axes", node)
    return TracedCode(f"full[{sizes}, v={body.operand(new).text}]")


MORE: dict[str, Operation] = {
    "leaky_relu": _with("leaky_relu", (1, "negative_slope", 0.01, "slope")), "elu": _elu,
    "celu": _with("celu", (1, "alpha", 1.0, "alpha"), library="std.nn"),
    "selu": _with("selu", library="std.nn"), "log_sigmoid": _with("log_sigmoid", library="std.nn"),
    "hardshrink": _with("hardshrink", (1, "lambd", 0.5, "width"), library="std.nn"),
    "softshrink": _with("softshrink", (1, "lambd", 0.5, "width"), library="std.nn"),
    "threshold": _with("threshold", (1, "threshold", None, "limit"), (2, "value", None, "value"), library="std.nn"),
    "softplus": _softplus, "glu": _glu, "var": _spread("var"), "std": _spread("std"), "linalg_vector_norm": _norm,
    "norm": _norm, "logsumexp": _logsumexp, "flip": _flip, "tril": _triangle, "triu": _triangle,
    "gather": _along("gather"), "index_select": _along("take"), "repeat": _repeat, "tile": _repeat,
    "repeat_interleave": _repeat_each, "sort": _sort, "argsort": _sort, "one_hot": _one_hot,
    "_weight_norm": _weight_norm, "addcmul": _addc("*"), "addcdiv": _addc("/"), "baddbmm": _baddbmm,
    "outer": _outer, "mv": _mv, "dot": _mv, "logical_xor": _unequal, "bitwise_xor": _unequal, "lerp": _lerp,
    "pixel_shuffle": _pixel_shuffle, "pixel_unshuffle": _pixel_shuffle, "channel_shuffle": _channel_shuffle,
    "isfinite": unary("isfinite"), "isinf": unary("isinf"), "clamp_max": _clamp_max, "cumprod": softmax("cumprod"),
    "slice_scatter": _scatter, "select_scatter": _scatter, "copy": _copy, "fill": _copy,
}  # fmt: skip

"""Operations that few models have: scatter, windows, linear algebra, transforms, distances, bits."""

from __future__ import annotations

from typing import Any

import torch
from torch.fx import Node

from ogive.backends.from_torch.builder import BlockBody, Operation
from ogive.backends.from_torch.code import TracedCode, binary, call, literal, number
from ogive.backends.from_torch.layout_ops import name_of
from ogive.backends.from_torch.ops_table import INTEGERS, argument, axes_of, two, unary
from ogive.backends.from_torch.refused import Untraceable
from ogive.backends.from_torch.trace import dtype, shape


def _source(node: Node) -> Node:
    source = node.args[0]
    assert isinstance(source, Node)
    return source


def _scattered(body: BlockBody, node: Node) -> TracedCode | None:
    """Entries written to places, or joined there."""
    name = name_of(node)
    x, axis, index, src = node.args[:4]
    how = argument(node, 4, "reduce", "" if name != "scatter_add" else "sum")
    how = {"": "", "add": "sum", "multiply": "prod", "amax": "max", "amin": "min"}.get(how, how)
    inner = axes_of(node, axis, _source(node))
    assert isinstance(index, Node)
    code = body.operand(src, 40)
    if not isinstance(src, Node) or not shape(src):
        kind = "" if dtype(node).is_floating_point else ", type=int"
        sizes = ", ".join(body.sizes.code(size).text for size in shape(index))
        code = TracedCode(f"full[{sizes}, v={code.text}{kind}]")
    elif shape(src) != shape(index):
        raise Untraceable("entries are written from a part of a tensor", node)
    operands = ", ".join(each.text for each in (body.operand(x, 40), body.operand(index, 40), code))
    if how == "sum" and argument(node, 5, "include_self", True):
        return TracedCode(f"scatter_add[{inner}]({operands})")
    inner += f", {how}" if how else ""
    inner += "" if argument(node, 5, "include_self", True) else ", include_self=false"
    return TracedCode(f"scatter[{inner}]({operands})")


def _index_add(body: BlockBody, node: Node) -> TracedCode | None:
    x, axis, index, src = node.args[:4]
    code = body.operand(src, 40)
    alpha = node.kwargs.get("alpha", 1)
    code = code if alpha == 1 else binary("*", literal(alpha), code)  # type: ignore[arg-type]
    operands = ", ".join(each.text for each in (body.operand(x, 40), body.operand(index, 40), code))
    return TracedCode(f"scatter_add[{axes_of(node, axis, _source(node))}]({operands})")


def _index_put(body: BlockBody, node: Node) -> TracedCode | None:
    """A number in place of the entries that a mask of all axes names."""
    x, places, value = node.args[:3]
    assert isinstance(places, list | tuple)
    mask = places[0] if len(places) == 1 else None
    if not isinstance(mask, Node) or dtype(mask) != torch.bool or argument(node, 3, "accumulate", False):
        raise Untraceable(f"`{node.target}` has no operation here", node)
    if shape(mask) != shape(_source(node)) or (isinstance(value, Node) and shape(value)):
        raise Untraceable(f"`{node.target}` by a mask of other axes", node)
    return TracedCode(f"select({body.operand(mask, 40).text}, {body.operand(value).text}, {body.operand(x, 40).text})")


def _each(values: Any) -> str:
    row = list(values) if isinstance(values, list | tuple) else [values]
    shown = [number(int(each), "k") for each in row]
    return shown[0] if len(set(shown)) == 1 else f"[{', '.join(shown)}]"


def _windows(body: BlockBody, node: Node) -> TracedCode | None:
    """Windows as torch has them: an axis for all entries of one, an axis for all of them."""
    kernel, dilation, pad, stride = (_each(each) for each in node.args[1:5])
    settings = ", ".join(f"{k}={v}" for k, v in (("stride", stride), ("pad", pad), ("dilation", dilation)))
    return (
        body.first(node.args[0])
        .then(f"unfold[{kernel}, {settings}]")
        .then('rearrange["b c i j h w -> b (c i j) (h w)"]')
    )


def _grid_sample(body: BlockBody, node: Node) -> TracedCode | None:
    x, grid, mode, pad, corners = node.args[:5]
    if mode not in (0, 1):
        raise Untraceable("a grid that is read bicubically", node)
    settings = [f'mode="{("bilinear", "nearest")[mode]}"'] if mode else []  # type: ignore[index]
    settings += [f'pad_mode="{("zeros", "border", "reflection")[pad]}"'] if pad else []  # type: ignore[index]
    settings += ["align_corners=true"] if corners else []
    inner = f"[{', '.join(settings)}]" if settings else ""
    return TracedCode(f"grid_sample{inner}({body.operand(x, 40).text}, {body.operand(grid, 40).text})")


def _rms_norm(body: BlockBody, node: Node) -> TracedCode | None:
    sizes, weight = node.args[1], argument(node, 2, "weight")
    eps = argument(node, 3, "eps")
    eps = float(torch.finfo(torch.float32).eps) if eps is None else eps
    axes = "" if weight is not None or len(sizes) == 1 else f", axes={len(sizes)}"  # type: ignore[arg-type]
    return call(f"rms_norm[eps={eps!r}{axes}]", *(body.operand(e) for e in (node.args[0], weight) if e is not None))


def _transform(name: str) -> Operation:
    def write(body: BlockBody, node: Node) -> TracedCode | None:
        sizes, source = argument(node, 1, "n"), _source(node)
        axes = argument(node, 2, "dim", [-2, -1] if name_of(node).endswith("2") else -1)
        row = [axes] if isinstance(axes, int) else list(axes) if axes is not None else list(range(len(shape(source))))
        shown = [str(each if each < 0 else each - len(shape(source))) for each in row]
        settings = [] if shown == ["-1"] else [f"axes={shown[0] if len(shown) == 1 else '[' + ', '.join(shown) + ']'}"]
        if sizes is not None:
            given = list(sizes) if isinstance(sizes, list | tuple) else [sizes]
            if name != "irfft":
                raise Untraceable("a transform of a part of an axis", node)
            settings.append(f"sizes=[{', '.join(body.operand(each).text for each in given)}]")
        norm = argument(node, 3, "norm")
        settings += [f'norm="{norm}"'] if norm not in (None, "backward") else []
        return body.first(source).then(f"{name}[{', '.join(settings)}]" if settings else name)

    return write


def _cosine(body: BlockBody, node: Node) -> TracedCode | None:
    a, b = (body.operand(each, 20) for each in node.args[:2])
    axis, eps = axes_of(node, argument(node, 2, "dim", 1), _source(node)), argument(node, 3, "eps", 1e-8)
    lengths = [TracedCode(f"maximum({each.then(f'norm[{axis}]').text}, {eps!r})") for each in (a, b)]
    return binary("/", binary("*", a, b).then(f"sum[{axis}]"), binary("*", *lengths))


def _distance(body: BlockBody, node: Node) -> TracedCode | None:
    p, eps = argument(node, 2, "p", 2.0), argument(node, 3, "eps", 1e-6)
    apart = binary("+", binary("-", body.operand(node.args[0]), body.operand(node.args[1])), literal(eps))
    settings = ["-1"] + ([f"p={literal(p).text}"] if p != 2 else [])
    settings += ["keepdim=true"] if argument(node, 4, "keepdim", False) else []
    return apart.then(f"norm[{', '.join(settings)}]")


def _bilinear(body: BlockBody, node: Node) -> TracedCode | None:
    a, b, weight = (body.operand(each, 40) for each in node.args[:3])
    code = call('einsum["... i, o i j, ... j -> ... o"]', a, weight, b)
    bias = argument(node, 3, "bias")
    return code if bias is None else binary("+", code, body.operand(bias))


def _bits(name: str, of_truths: str) -> Operation:
    """Bits of whole numbers, or truths."""

    def write(body: BlockBody, node: Node) -> TracedCode | None:
        if dtype(node) in INTEGERS:
            return TracedCode(f"{name}({', '.join(body.operand(each).text for each in node.args[:2])})")
        return two(of_truths)(body, node)

    return write


def _bag(body: BlockBody, node: Node) -> TracedCode | None:
    """Rows of a table, joined for each of rows of equal length."""
    weight, flat, starts = node.args[:3]
    assert isinstance(flat, Node)
    ids: Any = flat.args[0] if name_of(flat) in ("view", "reshape", "flatten") else None
    step = starts.args[2] if isinstance(starts, Node) and name_of(starts) == "arange" and len(starts.args) > 2 else None
    regular = isinstance(ids, Node) and len(shape(ids)) == 2 and step is not None
    if (
        not regular
        or argument(node, 6, "per_sample_weights") is not None
        or argument(node, 8, "padding_idx", -1) not in (-1, None)
    ):
        raise Untraceable(f"`{node.target}` of bags of several lengths has no operation here", node)
    how = ("sum", "mean", "max")[int(argument(node, 4, "mode", 0))]
    for user in node.users:
        if user.users and user.args[1] != 0:
            raise Untraceable(f"result {user.args[1]} of `{node.target}` has no operation here", node)
        code = TracedCode(f"take[0]({body.operand(weight).text}, {body.operand(ids).text})")
        body.bind(user, code.then(f"{how}[-2]"))
    return None


def _triangular(body: BlockBody, node: Node) -> TracedCode | None:
    if not node.kwargs.get("left", True):
        raise Untraceable("equations from the right", node)
    settings = [name for name in ("upper", "unitriangular") if node.kwargs.get(name, False)]
    inner = f"[{', '.join(f'{each}=true' for each in settings)}]" if settings else ""
    return TracedCode(f"solve_triangular{inner}({', '.join(body.operand(each, 40).text for each in node.args[:2])})")


def _solve(body: BlockBody, node: Node) -> TracedCode | None:
    if not node.kwargs.get("left", True):
        raise Untraceable("equations from the right", node)
    return TracedCode(f"solve({', '.join(body.operand(each, 40).text for each in node.args[:2])})")


def _linspace(body: BlockBody, node: Node) -> TracedCode | None:
    low, high, count = node.args[:3]
    if isinstance(low, Node) or isinstance(high, Node):
        raise Untraceable("numbers at equal distances between values", node)
    return TracedCode(f"linspace[{literal(low).text}, {literal(high).text}, {body.operand(count).text}]")  # type: ignore[arg-type]


def _eye(body: BlockBody, node: Node) -> TracedCode | None:
    sizes = shape(node)
    if sizes[0] != sizes[1] or not dtype(node).is_floating_point:
        raise Untraceable("a unit matrix that is none", node)
    return TracedCode(f"eye[{body.sizes.code(sizes[0]).text}]")


def _diagonal(body: BlockBody, node: Node) -> TracedCode | None:
    rank = len(shape(_source(node)))
    axes = sorted(argument(node, i, name, i - 2) % rank for i, name in ((2, "dim1"), (3, "dim2")))
    if argument(node, 1, "offset", 0) or axes != [rank - 2, rank - 1]:
        raise Untraceable("a diagonal beside the main one", node)
    return body.first(node.args[0]).then("diag")


REST: dict[str, Operation] = {
    "atan2": two("atan2"), "scatter": _scattered, "scatter_add": _scattered, "scatter_reduce": _scattered,
    "index_add": _index_add, "index_put": _index_put, "im2col": _windows, "grid_sampler": _grid_sample,
    "grid_sampler_2d": _grid_sample, "grid_sampler_3d": _grid_sample, "rms_norm": _rms_norm,
    **{f"fft_{name}{n}": _transform(name) for name in ("fft", "ifft", "rfft", "irfft") for n in ("", "2", "n")},
    "real": unary("real"), "imag": unary("imag"), "conj": unary("conj"), "lgamma": unary("lgamma"),
    "digamma": unary("digamma"), "cosine_similarity": _cosine, "pairwise_distance": _distance,
    "bilinear": _bilinear, "bitwise_and": _bits("bitwise_and", "and"), "bitwise_or": _bits("bitwise_or", "or"),
    "__and__": _bits("bitwise_and", "and"), "__or__": _bits("bitwise_or", "or"), "embedding_bag": _bag,
    "linalg_inv": unary("inverse"), "inverse": unary("inverse"), "linalg_cholesky": unary("cholesky"),
    "linalg_det": unary("det"), "linalg_solve": _solve, "linalg_solve_triangular": _triangular,
    "linspace": _linspace, "eye": _eye, "diagonal": _diagonal,
    "erfc": lambda body, node: binary("-", literal(1), body.operand(node.args[0]).then("erf")),
    "vdot": lambda body, node: call('einsum["n, n ->"]', *(body.operand(each) for each in node.args[:2])),
}  # fmt: skip

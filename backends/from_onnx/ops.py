"""What each operator of ONNX is in PyTorch. Shapes are lists of whole numbers, and stay that as long as they can."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ogive.backends.from_onnx.read import OnnxRefused
from ogive.backends.from_onnx.values import TYPES, Attributes, Operator, listed, tensor
from ogive.backends.from_onnx.windows import avg_pool, conv, conv_transpose, max_pool, pad


def _pairwise(of_numbers: Callable[[Any, Any], Any], of_tensors: Callable[[Any, Any], Any]) -> Operator:
    def run(a: Attributes, x: Any, y: Any) -> Any:
        if isinstance(x, Tensor) or isinstance(y, Tensor):
            # a number adapts to the tensor beside it, a list of them is one
            return of_tensors(*(tensor(each) if isinstance(each, list) else each for each in (x, y)))
        if not isinstance(x, list) and not isinstance(y, list):
            return _bounded(of_numbers(x, y))
        length = max(len(each) if isinstance(each, list) else 1 for each in (x, y))
        xs, ys = (each * length if len(each) == 1 else each for each in (listed(x), listed(y)))
        return [_bounded(of_numbers(p, q)) for p, q in zip(xs, ys, strict=True)]

    return run


def _bounded(number: Any) -> Any:
    """A whole number that 64 bits hold."""
    if isinstance(number, int) and not -(2**63) <= number < 2**63:
        raise OnnxRefused("a size that 64 bits do not hold")
    return number


def _power(x: Any, y: Any) -> Any:
    if isinstance(x, int) and isinstance(y, int) and not -64 < y < 64:
        return float(x) ** y
    return x**y


def _unary(function: Callable[[Tensor], Any]) -> Operator:
    return lambda a, x: function(tensor(x))


def _whole(x: Any, y: Any) -> Any:
    return x // y if isinstance(x, int | torch.SymInt) and isinstance(y, int | torch.SymInt) else x / y


def _div(x: Any, y: Any) -> Any:
    both = all(not isinstance(each, Tensor) or not each.is_floating_point() for each in (x, y))
    return torch.div(x, y, rounding_mode="trunc") if both else x / y


def _axes(a: Attributes, given: Any) -> list[int] | None:
    axes = a.get("axes") if given is None else listed(given)
    return None if not axes else [int(each) for each in axes]


def _reduced(function: Callable[..., Tensor]) -> Operator:
    def run(a: Attributes, x: Any, axes: Any = None) -> Any:
        found, kept = _axes(a, axes), bool(a.get("keepdims", 1))
        if isinstance(x, list):
            return [math.prod(x)] if kept else math.prod(x)
        if found is None:
            found = [] if a.get("noop_with_empty_axes", 0) else list(range(x.dim()))
        return function(x, found, kept) if found else x

    return run


def _each_axis(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def run(x: Tensor, axes: list[int], kept: bool) -> Tensor:
        for axis in sorted((each % x.dim() for each in axes), reverse=True):
            x = function(x, axis, keepdim=kept)
        return x

    return run


def _reshape(a: Attributes, x: Any, shape: Any) -> Any:
    sizes = listed(shape)
    if isinstance(x, list):
        return x
    if not isinstance(x, Tensor):
        return [x] if sizes else x
    sizes = [x.shape[i] if isinstance(each, int) and each == 0 else each for i, each in enumerate(sizes)]
    return x.reshape(sizes)


def _squeeze(a: Attributes, x: Any, axes: Any = None) -> Any:
    if isinstance(x, list):
        return x[0]
    found = _axes(a, axes)
    return x.squeeze() if found is None else x.squeeze(tuple(found))


def _unsqueeze(a: Attributes, x: Any, axes: Any = None) -> Any:
    found = _axes(a, axes) or []
    if not isinstance(x, Tensor):
        return [x] if not isinstance(x, list) else tensor(x).unsqueeze(found[0])
    rank = x.dim() + len(found)
    for axis in sorted(each % rank for each in found):
        x = x.unsqueeze(axis)
    return x


def _slice(a: Attributes, x: Any, starts: Any = None, ends: Any = None, axes: Any = None, steps: Any = None) -> Any:
    begin = listed(a["starts"] if starts is None else starts)
    end = listed(a["ends"] if ends is None else ends)
    found = listed(axes) if axes is not None else a.get("axes") or list(range(len(begin)))
    by = listed(steps) if steps is not None else [1] * len(begin)
    if isinstance(x, list):
        return x[begin[0] : end[0] : by[0]]
    for axis, low, high, step in zip(found, begin, end, by, strict=True):
        if step < 0:
            if step != -1 or not isinstance(low, int) or (low != -1 and low < 2**31):
                raise OnnxRefused("a part of an axis from its end")
            x = x.flip(axis)
            continue
        index = [slice(None)] * x.dim()
        index[axis] = slice(low, None if isinstance(high, int) and high >= 2**31 - 1 else high, step)
        x = x[tuple(index)]
    return x


def _gather(a: Attributes, x: Any, index: Any) -> Any:
    axis = a.get("axis", 0)
    if isinstance(x, list):
        return [x[i] for i in index] if isinstance(index, list) else x[index]
    if isinstance(index, int):
        return x.select(axis, index)
    places = tensor(index)
    if x.dim() and axis % x.dim() == 0 and x.is_floating_point() and x.dim() == 2:
        return F.embedding(places, x)
    if places.dim() == 1:
        return x.index_select(axis, places)
    flat = x.index_select(axis, places.reshape(-1))
    axis %= x.dim()
    return flat.reshape([*x.shape[:axis], *places.shape, *x.shape[axis + 1 :]])


def _concat(a: Attributes, *xs: Any) -> Any:
    if not any(isinstance(each, Tensor) for each in xs):
        return [size for each in xs for size in listed(each)]
    return torch.cat([each.reshape(1) if each.dim() == 0 else each for each in map(tensor, xs)], a["axis"])


def _split(a: Attributes, x: Tensor, sizes: Any = None) -> Any:
    parts = a.get("split") if sizes is None else listed(sizes)
    axis = a.get("axis", 0)
    return torch.split(x, list(parts), axis) if parts else x.chunk(int(a.get("num_outputs") or a["outputs"]), axis)


def _expand(a: Attributes, x: Any, shape: Any) -> Any:
    x, sizes = tensor(x), listed(shape)
    sizes = [1] * (x.dim() - len(sizes)) + sizes
    ours = [1] * (len(sizes) - x.dim()) + list(x.shape)
    return x.expand([o if isinstance(s, int) and s == 1 else s for o, s in zip(ours, sizes, strict=True)])


def _batch_norm(a: Attributes, x: Tensor, w: Tensor, b: Tensor, mean: Tensor, var: Tensor) -> Tensor:
    return F.batch_norm(x, mean, var, w, b, False, 0.1, a.get("epsilon", 1e-5))


def _layer_norm(a: Attributes, x: Tensor, w: Tensor, b: Tensor | None = None) -> Tensor:
    axis = a.get("axis", -1) % x.dim()
    return F.layer_norm(x, list(x.shape[axis:]), w, b, a.get("epsilon", 1e-5))


def _gemm(a: Attributes, x: Tensor, y: Tensor, c: Tensor | None = None) -> Tensor:
    alpha, beta = a.get("alpha", 1.0), a.get("beta", 1.0)
    x = x.t() if a.get("transA", 0) else x
    if a.get("transB", 0) and alpha == beta == 1.0 and (c is None or c.dim() == 1):
        return F.linear(x, y, c)
    found = x @ (y.t() if a.get("transB", 0) else y)
    found = found if alpha == 1.0 else alpha * found
    return found if c is None else found + (c if beta == 1.0 else beta * c)


def _clip(a: Attributes, x: Tensor, low: Any = None, high: Any = None) -> Tensor:
    low, high = (a.get("min"), a.get("max")) if low is None and high is None else (low, high)
    return x if low is None and high is None else x.clamp(low, high)


def _cast(a: Attributes, x: Any) -> Any:
    kind = TYPES.get(a["to"])
    if kind is None:
        raise OnnxRefused(f"numbers of type {a['to']}")
    if not isinstance(x, Tensor):
        return x if not kind.is_floating_point else (float(x) if isinstance(x, int) else tensor(x).to(kind))
    return x.to(kind)


def _where(a: Attributes, c: Any, x: Any, y: Any) -> Any:
    if isinstance(c, list) and not isinstance(x, Tensor) and not isinstance(y, Tensor):
        xs, ys = (each * len(c) if len(each) == 1 else each for each in (listed(x), listed(y)))
        return [p if t else q for t, p, q in zip(c, xs, ys, strict=True)]
    return torch.where(tensor(c), *(tensor(each) if isinstance(each, list) else each for each in (x, y)))


def _filled(a: Attributes, shape: Any) -> Any:
    value = a.get("value", 0.0)
    sizes = listed(shape)
    number = value[0] if isinstance(value, list) else value.item() if isinstance(value, Tensor) else value
    if (
        isinstance(number, int)
        and not isinstance(number, bool)
        and len(sizes) == 1
        and isinstance(sizes[0], int)
        and (sizes[0] <= 64)
    ):
        return [number] * sizes[0]
    return torch.full(sizes, number)


def _range(a: Attributes, start: Any, stop: Any, step: Any) -> Tensor:
    return torch.arange(start, stop, step)


def _top_k(a: Attributes, x: Tensor, k: Any) -> Any:
    return tuple(x.topk(listed(k)[0], a.get("axis", -1), bool(a.get("largest", 1))))


def _trilu(a: Attributes, x: Tensor, k: Any = 0) -> Tensor:
    return x.triu(int(k)) if a.get("upper", 1) else x.tril(int(k))


def _resize(a: Attributes, x: Tensor, roi: Any = None, scales: Any = None, sizes: Any = None) -> Tensor:
    mode = {"nearest": "nearest", "linear": "bilinear", "cubic": "bicubic"}[a.get("mode", "nearest")]
    how = a.get("coordinate_transformation_mode", "half_pixel")
    if how not in ("half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel") or x.dim() != 4:
        raise OnnxRefused(f"`Resize` by `{how}`")
    if (mode == "nearest") != (how == "asymmetric"):
        raise OnnxRefused(f"`Resize` of mode `{mode}` by `{how}`")
    corners = True if how == "align_corners" else None if mode == "nearest" else False
    if sizes is not None:
        return F.interpolate(x, size=listed(sizes)[2:], mode=mode, align_corners=corners)
    by = scales.tolist() if isinstance(scales, Tensor) else listed(scales)
    return F.interpolate(x, scale_factor=[float(each) for each in by[2:]], mode=mode, align_corners=corners)


def _attention(a: Attributes, q: Tensor, k: Tensor, v: Tensor, mask: Any = None, *more: Any) -> Tensor:
    if any(each is not None for each in more) or a.get("softcap", 0.0) or q.dim() != 4:
        raise OnnxRefused("attention with a cache, a cap, or heads in one axis")
    groups = q.shape[1] != k.shape[1]
    return F.scaled_dot_product_attention(
        q, k, v, mask, is_causal=bool(a.get("is_causal", 0)), scale=a.get("scale"), enable_gqa=groups
    )


def _depth_to_space(a: Attributes, x: Tensor) -> Tensor:
    if a.get("mode", "DCR") != "CRD":
        raise OnnxRefused("`DepthToSpace` of mode `DCR`")
    return F.pixel_shuffle(x, a["blocksize"])


def _shape(a: Attributes, x: Any) -> list[Any]:
    sizes = list(x.shape) if isinstance(x, Tensor) else [len(x)] if isinstance(x, list) else []
    return sizes[a.get("start", 0) : a.get("end")]


TABLE: dict[str, Operator] = {
    "Add": _pairwise(lambda x, y: x + y, torch.add), "Sub": _pairwise(lambda x, y: x - y, lambda x, y: x - y),
    "Mul": _pairwise(lambda x, y: x * y, torch.mul), "Div": _pairwise(_whole, _div),
    "Pow": _pairwise(_power, torch.pow), "Mod": _pairwise(lambda x, y: x % y, torch.remainder),
    "Equal": _pairwise(lambda x, y: bool(x == y), torch.eq), "Less": _pairwise(lambda x, y: bool(x < y), torch.lt),
    "Greater": _pairwise(lambda x, y: bool(x > y), torch.gt), "And": lambda a, x, y: torch.logical_and(x, y),
    "LessOrEqual": _pairwise(lambda x, y: bool(x <= y), torch.le), "Or": lambda a, x, y: torch.logical_or(x, y),
    "GreaterOrEqual": _pairwise(lambda x, y: bool(x >= y), torch.ge), "Not": _unary(torch.logical_not),
    "Neg": lambda a, x: -x, "Abs": _unary(torch.abs), "Exp": _unary(torch.exp), "Log": _unary(torch.log),
    "Sqrt": _unary(torch.sqrt), "Reciprocal": _unary(torch.reciprocal), "Erf": _unary(torch.erf),
    "Tanh": _unary(torch.tanh), "Sigmoid": _unary(torch.sigmoid), "Relu": _unary(torch.relu),
    **{n: _unary(getattr(torch, n.lower())) for n in "Tan Asin Acos Atan Sinh Cosh Asinh Acosh Atanh".split()},
    "Softsign": _unary(F.softsign),
    "Sin": _unary(torch.sin), "Cos": _unary(torch.cos), "Floor": _unary(torch.floor), "Ceil": _unary(torch.ceil),
    "Round": _unary(torch.round), "Sign": _unary(torch.sign), "Softplus": _unary(F.softplus),
    "HardSwish": _unary(F.hardswish), "Mish": _unary(F.mish), "Swish": _unary(F.silu),
    "Gelu": lambda a, x: F.gelu(x, approximate=a.get("approximate", "none")),
    "LeakyRelu": lambda a, x: F.leaky_relu(x, a.get("alpha", 0.01)), "Elu": lambda a, x: F.elu(x, a.get("alpha", 1.0)),
    "Selu": _unary(F.selu), "PRelu": lambda a, x, w: torch.where(x < 0, x * w, x),
    "HardSigmoid": lambda a, x: (x * a.get("alpha", 0.2) + a.get("beta", 0.5)).clamp(0.0, 1.0),
    "Softmax": lambda a, x: torch.softmax(x, a.get("axis", -1)),
    "LogSoftmax": lambda a, x: torch.log_softmax(x, a.get("axis", -1)), "Clip": _clip,
    "Min": _pairwise(min, lambda x, y: torch.minimum(tensor(x), tensor(y))),
    "Max": _pairwise(max, lambda x, y: torch.maximum(tensor(x), tensor(y))),
    "MatMul": lambda a, x, y: x @ y, "Gemm": _gemm, "Einsum": lambda a, *xs: torch.einsum(a["equation"], *xs),
    "Conv": conv, "ConvTranspose": conv_transpose, "MaxPool": max_pool, "AveragePool": avg_pool,
    "GlobalAveragePool": lambda a, x: x.mean(tuple(range(2, x.dim())), keepdim=True),
    "GlobalMaxPool": lambda a, x: x.amax(tuple(range(2, x.dim())), keepdim=True),
    "BatchNormalization": _batch_norm, "LayerNormalization": _layer_norm,
    "InstanceNormalization": lambda a, x, w, b: F.instance_norm(x, None, None, w, b, eps=a.get("epsilon", 1e-5)),
    "GroupNormalization": lambda a, x, w, b: F.group_norm(x, a["num_groups"], w, b, a.get("epsilon", 1e-5)),
    "RMSNormalization": lambda a, x, w: x * torch.rsqrt((x * x).mean(-1, True) + a.get("epsilon", 1e-5)) * w,
    "Reshape": _reshape, "Transpose": lambda a, x: x.permute(a.get("perm", list(range(x.dim()))[::-1])),
    "Flatten": lambda a, x: x.reshape([math.prod(x.shape[: a.get("axis", 1)]), math.prod(x.shape[a.get("axis", 1) :])]),
    "Squeeze": _squeeze, "Unsqueeze": _unsqueeze, "Concat": _concat, "Split": _split, "Slice": _slice,
    "Gather": _gather, "GatherElements": lambda a, x, i: torch.gather(x, a.get("axis", 0), i), "Expand": _expand,
    "Tile": lambda a, x, r: x.repeat(listed(r)), "Pad": pad, "Where": _where, "Cast": _cast,
    "CastLike": lambda a, x, y: tensor(x).to(y.dtype), "Identity": lambda a, x: x, "Dropout": lambda a, x, *_: x,
    "ReduceMean": _reduced(torch.mean), "ReduceSum": _reduced(torch.sum), "ReduceMax": _reduced(torch.amax),
    "ReduceMin": _reduced(torch.amin), "ReduceProd": _reduced(_each_axis(torch.prod)),
    "ReduceL2": _reduced(lambda x, axes, kept: torch.linalg.vector_norm(x, 2, axes, kept)),
    "ArgMax": lambda a, x: x.argmax(a.get("axis", 0), bool(a.get("keepdims", 1))),
    "ArgMin": lambda a, x: x.argmin(a.get("axis", 0), bool(a.get("keepdims", 1))), "TopK": _top_k,
    "CumSum": lambda a, x, axis: x.cumsum(int(listed(axis)[0])), "Trilu": _trilu, "Range": _range, "Shape": _shape,
    "Size": lambda a, x: math.prod(x.shape), "ConstantOfShape": _filled, "Resize": _resize, "Attention": _attention,
    "DepthToSpace": _depth_to_space, "IsNaN": _unary(torch.isnan), "Sum": lambda a, *xs: sum(xs[1:], xs[0]),
}  # fmt: skip

# whose first operand may be a shape or a number; that of all others is a tensor
_OF_NUMBERS = frozenset(
    "Add Sub Mul Div Pow Mod Equal Less Greater LessOrEqual GreaterOrEqual Min Max Sum Reshape Unsqueeze Slice Gather "
    "Concat Cast CastLike Where ConstantOfShape Range Shape Size ReduceProd ReduceSum Identity Split Neg".split()
)


def applied(op: str, attributes: Attributes, *given: Any) -> Any:
    """What an operator gives."""
    if op not in _OF_NUMBERS and given and isinstance(given[0], list | int | float):
        given = (tensor(given[0]), *given[1:])
    return TABLE[op](attributes, *given)

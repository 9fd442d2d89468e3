"""The rule of `cost` for each operation: FLOPs beside multiply-adds, and what its derivative reads.

A FLOP is one number that an element-wise function makes, whichever function it is, or one that a reduction takes in.
Moving numbers, drawing them and looking them up takes none, and neither do the comparisons of a sort.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from types import MappingProxyType

from ogive.compiler.analysis.cost.products import elements, scores
from ogive.compiler.ir.model import Const, Node
from ogive.compiler.ir.types import TensorType
from ogive.compiler.sizes import Size, size

Types = Sequence[TensorType]  # of the operands that are given
Flops = Callable[[Node, Types, TensorType], Size]
Reads = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Work:
    """`flops` of one run (None: nobody has said how many), and for each operand what the derivative in it `reads`:
    names of operands, `y` for the result, `mask` and `index` for a float and an integer for each of its entries,
    `rows` and `channels` for numbers for each row or channel that is looked at together, `normed` for the result before
    a weight, `copy` for one of the operand, `empty` for marks of rows.
    """

    flops: Flops | None
    reads: Reads = field(default_factory=dict)


def _each_result(count: int) -> Flops:
    return lambda node, types, result: count * elements(result.axes)


def _each_operand(count: int) -> Flops:
    return lambda node, types, result: count * elements(types[0].axes)


NOTHING: Flops = lambda node, types, result: size(0)  # noqa: E731
ONE, TAKEN = _each_result(1), _each_operand(1)


def _x(flops: Flops | None, reads: str) -> Work:
    return Work(flops, {"x": reads} if reads else {})


def _bias(node: Node, types: Types, result: TensorType) -> Size:
    return elements(result.axes) if len(node.inputs) > 2 and node.inputs[2] is not None else size(0)


def _windows(node: Node, types: Types, result: TensorType) -> Size:
    return prod(map(size, node.attr("kernel")), start=elements(result.axes))


def _affine(count: int) -> Flops:
    """So many for each number, and one for each weight and bias."""

    def flops(node: Node, types: Types, result: TensorType) -> Size:
        first = 3 if node.op == "batch_norm" else 1
        return (count + sum(x is not None for x in node.inputs[first:])) * elements(result.axes)

    return flops


def _attention(node: Node, types: Types, result: TensorType) -> Size:
    masked = len(node.inputs) > 3 and node.inputs[3] is not None
    return (6 + masked) * scores(types)  # the scale, the mask, and softmax


TAPS = {"nearest": 0, "nearest-exact": 0, "linear": 2, "bilinear": 4, "trilinear": 8, "bicubic": 16}


def _resampled(node: Node, types: Types, result: TensorType) -> Size:
    """A product and a sum for each entry that a result is made of."""
    mode = node.attr("mode")
    return elements(types[0].axes) if mode == "area" else 2 * TAPS[mode] * elements(result.axes)


def _sampled(node: Node, types: Types, result: TensorType) -> Size:
    taps = 2 ** types[1].axes[-1].size.number if node.attr("mode") == "bilinear" else 0
    return 2 * taps * elements(result.axes)


def _square(node: Node, types: Types, result: TensorType) -> Size:
    """Nothing for a factor 1 or a power 1; else one for each result."""
    return size(0) if any(isinstance(x, Const) and x.value == 1 for x in node.inputs[1:]) else elements(result.axes)


_FUNCTIONS = {
    "y": "exp expm1 sqrt rsqrt tan tanh relu sigmoid",
    "x": "log log1p log2 log10 sin cos asin acos atan sinh cosh asinh acosh atanh erf lgamma digamma abs clamp gelu "
    "gelu_tanh silu softplus elu leaky_relu hardswish hardsigmoid hardtanh mish relu6 isfinite",
    "": "neg sign floor ceil trunc round isnan isinf bitwise_and bitwise_or bitwise_xor bitwise_not "
    "shift_left shift_right eq ne lt le gt ge logical_and logical_or logical_not add sub",
}
_REDUCTIONS = {
    "sum": _x(TAKEN, ""),
    "mean": _x(TAKEN, ""),
    "max": _x(TAKEN, "x y"),
    "min": _x(TAKEN, "x y"),
    "prod": _x(TAKEN, "x y"),
    "var": _x(_each_operand(4), "x"),
    "std": _x(_each_operand(4), "x y"),
    "logsumexp": _x(_each_operand(3), "x y"),
    "any": _x(TAKEN, ""),
    "all": _x(TAKEN, ""),
    "norm": _x(_each_operand(2), "x y"),
}
_MOVES = (
    "rearrange expand split concat stack flip roll pad slice put diag tril triu one_hot argmax argmin zeros "
    "ones full arange linspace eye constant randn rand randint permutation bernoulli cast real imag conj "
    "stop_gradient grad_as"
)
WORK: Mapping[str, Work] = MappingProxyType(
    {
        **{name: _x(ONE, reads) for reads, names in _FUNCTIONS.items() for name in names.split()},
        **{name: Work(NOTHING) for name in _MOVES.split()},
        **_REDUCTIONS,
        "mul": Work(_square, {"a": "b", "b": "a"}),
        "div": Work(_square, {"a": "b", "b": "a b"}),
        "pow": Work(ONE, {"a": "a b", "b": "a b y"}),
        "minimum": Work(ONE, {"a": "a b", "b": "a b"}),
        "maximum": Work(ONE, {"a": "a b", "b": "a b"}),
        "floordiv": Work(ONE, {"a": "a b", "b": "a b"}),
        "mod": Work(ONE, {"a": "a b", "b": "a b"}),
        "complex": Work(NOTHING, {"re": "re im", "im": "re im"}),
        "atan2": Work(ONE, {"a": "a b", "b": "a b"}),
        "select": Work(NOTHING, {"a": "c", "b": "c"}),
        "lerp": Work(_each_result(3), {"a": "t", "b": "t", "t": "a b"}),
        "take": _x(NOTHING, "i"),
        "gather": _x(NOTHING, "x i"),
        "scatter_add": Work(lambda node, types, result: elements(types[-1].axes), {"src": "i"}),
        "scatter": Work(lambda node, types, result: elements(types[-1].axes), dict.fromkeys(("x", "src"), "x i src y")),
        "topk": _x(NOTHING, "index"),
        "argsort": _x(NOTHING, "index"),
        "sort": _x(NOTHING, "index"),
        "cumsum": _x(ONE, ""),
        "cumprod": _x(ONE, "x y"),
        "cummax": _x(ONE, "x index"),
        "cummin": _x(ONE, "x index"),
        "dropout": _x(_each_result(2), "mask"),
        "softmax": _x(_each_result(5), "y"),
        "log_softmax": _x(_each_result(5), "y"),
        "attention": Work(_attention, dict.fromkeys("qkv", "q k v y rows")),
        "einsum": Work(NOTHING, {"xs": "xs"}),
        "matmul": Work(NOTHING, {"a": "b", "b": "a"}),
        "grouped_matmul": Work(NOTHING, {"x": "w", "w": "x"}),
        "linear": Work(_bias, {"x": "w", "w": "x"}),
        "conv": Work(_bias, {"x": "w", "w": "x"}),
        "conv_transpose": Work(_bias, {"x": "w", "w": "x"}),
        "interpolate": _x(_resampled, ""),
        "unfold": _x(NOTHING, ""),
        "fold": _x(TAKEN, ""),
        "grid_sample": Work(_sampled, {"x": "x grid", "grid": "x grid"}),
        "max_pool": _x(_windows, "x index"),
        "avg_pool": _x(_windows, "x"),
        "adaptive_avg_pool": _x(TAKEN, "x"),
        "adaptive_max_pool": _x(TAKEN, "x index"),
        "layer_norm": Work(_affine(5), dict.fromkeys(("x", "weight", "bias"), "x weight bias rows")),
        "rms_norm": Work(_affine(3), {"x": "x weight rows", "weight": "normed rows"}),
        "group_norm": Work(_affine(5), {"x": "x weight rows", "weight": "x rows"}),
        "batch_norm": Work(_affine(2), {"x": "weight", "weight": "x"}),
        "batch_norm_train": Work(_affine(5), {"x": "x weight channels", "weight": "x channels"}),
        # n log n, and more than one way to count it
        "fft": _x(None, ""),
        "ifft": _x(None, ""),
        "rfft": _x(None, "x"),
        "irfft": _x(None, ""),
    }
)


# where a row may hold nothing but -∞, torch looks for such rows first
GUARDED: Mapping[str, Work] = MappingProxyType(
    {
        "softmax": _x(_each_result(6), "x y empty"),
        "log_softmax": _x(_each_result(6), "x y empty"),
        "logsumexp": _x(_each_operand(4), "x copy y empty"),
    }
)


def work_of(node: Node) -> Work | None:
    """The rule for a node; a `reduce` is that of the reduction it names."""
    if node.op == "adaptive_avg_pool" and all(each == size(1) for each in node.attr("size")):
        return WORK["mean"]
    if node.op in GUARDED and not node.attr("whole"):
        return GUARDED[node.op]
    return WORK.get(node.attr("op") if node.op == "reduce" else node.op)

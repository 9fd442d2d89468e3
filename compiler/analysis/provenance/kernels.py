"""Provenance by contractions, convolutions, pools and norms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ogive.compiler.analysis.frame.interpreter import DomainFrame
from ogive.compiler.analysis.provenance.dims import ONE, Dim, product
from ogive.compiler.analysis.provenance.rules import (
    DimMaker,
    Dims,
    ProvenanceRule,
    aligned,
    frozen,
    given_at,
    positions,
    result,
)
from ogive.compiler.ir.model import Node
from ogive.compiler.sizes import size


def linear(maker: DimMaker, frame: DomainFrame[Dims], node: Node, given: Sequence[Dims]) -> Sequence[Dims]:
    """y[..., o] = Σ x[..., i] w[o, i]: the input's last axis is that of the weight, the output's is its first."""
    x, w = given[:2]
    maker.same(node, x[-1], w[1])
    if (bias := given_at(node, given, 2)) is not None:
        maker.same(node, w[0], bias[0])
    return [(*x[:-1], w[0])]


def matmul(maker: DimMaker, frame: DomainFrame[Dims], node: Node, given: Sequence[Dims]) -> Sequence[Dims]:
    """Rows of the first, columns of the second; what is summed over is one."""
    a, b = given
    maker.same(node, a[-1], b[-1] if len(b) == 1 else b[-2])
    kept = (*a[-2:-1], *(b[-1:] if len(b) > 1 else ()))
    axes = result(node).type.axes
    rank = len(axes) - len(kept)
    return [(*aligned(maker, node, (a[:-2], b[:-2]), rank, axes[:rank]), *kept)]


def grouped_matmul(maker: DimMaker, frame: DomainFrame[Dims], node: Node, given: Sequence[Dims]) -> Sequence[Dims]:
    """Rows of the first, columns of the second; groups are known by number, and so are the rows in them."""
    x, w, sizes = given
    maker.same(node, x[1], w[1])
    for dim in (x[0], w[0], sizes[0]):
        frozen(dim, node, "counts entries of it")
    return [(x[0], w[2])]


def attention(maker: DimMaker, frame: DomainFrame[Dims], node: Node, given: Sequence[Dims]) -> Sequence[Dims]:
    """Queries and keys have one width, keys and values one length, and all of them the same heads."""
    q, k, v = given[:3]
    maker.same(node, q[-1], k[-1])
    maker.same(node, k[-2], v[-2])
    axes = result(node).type.axes
    batch = aligned(maker, node, (q[:-2], k[:-2], v[:-2]), len(axes) - 2, axes[:-2])
    if (mask := given_at(node, given, 3)) is not None:
        scores = (*batch, q[-2], k[-2])
        for back, dim in enumerate(reversed(mask), 1):
            if dim.found.size != ONE:
                maker.same(node, scores[-back], dim)
    return [(*batch, q[-2], v[-1])]


def conv(maker: DimMaker, frame: DomainFrame[Dims], node: Node, given: Sequence[Dims]) -> Sequence[Dims]:
    """Channels of the input are those of the weight, in each of its groups; the output's are its first axis."""
    x, w = given[:2]
    for dim in w[2:]:
        frozen(dim, node, "has a kernel of this length", channels=False)
    groups = size(node.attr("groups"))
    if groups == ONE:
        maker.same(node, x[1], w[1])
    else:
        each = Dim(groups)
        maker.same(node, x[1], product((each, w[1])))
        maker.same(node, w[0], product((each, Dim(w[0].found.size // groups))))
        maker.name(node, {"groups": each})
    if (bias := given_at(node, given, 2)) is not None:
        maker.same(node, w[0], bias[0])
    return [(x[0], w[0], *(positions(axis, node) for axis in result(node).type.axes[2:]))]


def conv_transpose(maker: DimMaker, frame: DomainFrame[Dims], node: Node, given: Sequence[Dims]) -> Sequence[Dims]:
    """As `conv`, with the axes of the weight exchanged."""
    x, w = given[:2]
    for dim in w[2:]:
        frozen(dim, node, "has a kernel of this length", channels=False)
    groups = size(node.attr("groups"))
    maker.same(node, x[1], w[0])
    channels = w[1]
    if groups != ONE:
        each = Dim(groups)
        maker.same(node, w[0], product((each, Dim(w[0].found.size // groups))))
        channels = product((each, w[1]))
        maker.name(node, {"groups": each})
    if (bias := given_at(node, given, 2)) is not None:
        maker.same(node, channels, bias[0])
    return [(x[0], channels, *(positions(axis, node) for axis in result(node).type.axes[2:]))]


def spatial(maker: DimMaker, frame: DomainFrame[Dims], node: Node, given: Sequence[Dims]) -> Sequence[Dims]:
    """Batch and channels stay, positions are new; those that are seen together stay as many."""
    for dim in given[0][2:]:
        if not all(leaf.frozen for leaf in dim.leaves()):
            frozen(dim, node, "sees its neighbours together", channels=False)
    return [(*given[0][:2], *(positions(axis, node) for axis in result(node).type.axes[2:]))]


def normed(maker: DimMaker, frame: DomainFrame[Dims], node: Node, given: Sequence[Dims]) -> Sequence[Dims]:
    """The axes of weight and bias are those that are normalized."""
    x = given[0]
    over = [x[at] for at in node.attr("axes")]
    for at in range(1, len(given)):
        if (dims := given_at(node, given, at)) is not None:
            for a, b in zip(over, dims, strict=True):
                maker.same(node, a, b)
    return [x]


def channels(maker: DimMaker, frame: DomainFrame[Dims], node: Node, given: Sequence[Dims]) -> Sequence[Dims]:
    """Statistics, weight and bias have the channels of the operand; so have statistics that are given back."""
    x = given[0]
    if node.op == "group_norm":
        groups = size(node.attr("groups"))
        each = Dim(groups)
        maker.same(node, x[1], product((each, Dim(x[1].found.size // groups))))
        maker.name(node, {"groups": each})
    for at in range(1, len(given)):
        if (dims := given_at(node, given, at)) is not None:
            maker.same(node, x[1], dims[0])
    return [x, *((x[1],),) * (len(node.outputs) - 1)]


KERNELS: Mapping[str, ProvenanceRule] = {
    "linear": linear,
    "matmul": matmul,
    "grouped_matmul": grouped_matmul,
    "attention": attention,
    "conv": conv,
    "conv_transpose": conv_transpose,
    **dict.fromkeys(
        ("max_pool", "avg_pool", "adaptive_avg_pool", "adaptive_max_pool", "interpolate", "unfold", "fold"), spatial
    ),
    "layer_norm": normed,
    "rms_norm": normed,
    "batch_norm": channels,
    "batch_norm_train": channels,
    "group_norm": channels,
}

"""Provenance by operations that move, cut, reduce and combine entries: patterns, slices, element-wise work."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from ogive.compiler.analysis.frame.interpreter import DomainFrame
from ogive.compiler.analysis.provenance.dims import ONE, Dim, FrozenBy, joined, product
from ogive.compiler.ir.model import Node, Operand, Value
from ogive.compiler.ir.types import Axis
from ogive.compiler.ops import OPS
from ogive.compiler.ops.recipe import AxisGroup, AxisPattern, Part
from ogive.compiler.sizes import size

Dims = tuple[Dim, ...]


class DimMaker(Protocol):
    """The interpreter, as rules see it."""

    def same(self, node: Node, a: Dim, b: Dim) -> Dim:
        """Two dimensions that meet."""

    def name(self, node: Node, dims: Mapping[str, Dim]) -> None:
        """Dimensions that attributes speak of."""


ProvenanceRule = Callable[[DimMaker, DomainFrame[Dims], Node, Sequence[Dims]], Sequence[Dims]]


def frozen(dim: Dim, node: Node, reason: str, channels: bool = True) -> Dim:
    """The dimension, which must stay as it is; its entries are `channels`, or places."""
    dim.freeze(FrozenBy(f"`{node.op}` {reason}", node.span, channels))
    return dim


def positions(axis: Axis, node: Node) -> Dim:
    """A new dimension of an axis whose entries are places in space, time or order."""
    return frozen(Dim(axis.size), node, "makes positions of it", channels=False)


def aligned(maker: DimMaker, node: Node, given: Sequence[Dims], rank: int, sizes: Sequence[Axis]) -> Dims:
    """The dimensions of operands that align from the right."""
    result: list[Dim | None] = [None] * rank
    for dims in given:
        for back in range(1, min(len(dims), rank) + 1):
            dim, known = dims[-back], result[-back]
            if dim.found.size == ONE and sizes[-back].size != ONE:
                continue
            result[-back] = dim if known is None else maker.same(node, known, dim)
    return tuple(Dim(axis.size) if dim is None else dim for dim, axis in zip(result, sizes, strict=True))


def elementwise(maker: DimMaker, frame: DomainFrame[Dims], node: Node, given: Sequence[Dims]) -> Sequence[Dims]:
    """Each result has the axes of its operands."""
    return [aligned(maker, node, given, len(v.type.axes), v.type.axes) for v in node.outputs]


# patterns


def pattern(maker: DimMaker, frame: DomainFrame[Dims], node: Node, given: Sequence[Dims]) -> Sequence[Dims]:
    """Atoms of one name are one dimension; axes are products of atoms, or several laid end to end."""
    recipe: AxisPattern = node.attr("recipe")
    atoms: dict[str, Dim] = {}
    for dims, side in zip(given, recipe.inputs, strict=True):
        for dim, group in zip(dims, side, strict=True):
            maker.same(node, _group(group, atoms), dim)
    results = [tuple(_group(group, atoms) for group in side) for side in recipe.outputs]
    if len(results) == 1 and len(results[0]) == len(node.outputs[0].type.axes) + 1:
        first, *rest = results[0]  # one result for each index of the first axis
        frozen(first, node, "takes its entries apart")
        results = [tuple(rest)] * len(node.outputs)
    maker.name(node, atoms)
    return results


def _group(group: AxisGroup, atoms: dict[str, Dim]) -> Dim:
    return joined([_part(part, atoms) for part in group.parts])


def _part(part: Part, atoms: dict[str, Dim]) -> Dim:
    return product([atoms.setdefault(atom.name, Dim(atom.size)) for atom in part]) if part else Dim(ONE)


# axes


def concat(maker: DimMaker, frame: DomainFrame[Dims], node: Node, given: Sequence[Dims]) -> Sequence[Dims]:
    """The axes of operands laid end to end; the others are one."""
    at = node.attr("axis")
    first = given[0]
    for dims in given[1:]:
        for place, dim in enumerate(dims):
            if place != at:
                maker.same(node, first[place], dim)
    return [(*first[:at], joined([dims[at] for dims in given]), *first[at + 1 :])]


def stack(maker: DimMaker, frame: DomainFrame[Dims], node: Node, given: Sequence[Dims]) -> Sequence[Dims]:
    """A new axis, whose entries are the operands."""
    at, first = node.attr("axis"), given[0]
    for dims in given[1:]:
        for a, b in zip(first, dims, strict=True):
            maker.same(node, a, b)
    return [(*first[:at], positions(node.outputs[0].type.axes[at], node), *first[at:])]


def slices(maker: DimMaker, frame: DomainFrame[Dims], node: Node, given: Sequence[Dims]) -> Sequence[Dims]:
    """Whole axes stay; a run of entries is a part of its axis; one entry alone freezes it."""
    (dims,) = given
    items = [*node.attr("items"), *[("all",)] * (len(dims) - len(node.attr("items")))]
    found: list[Dim] = []
    for dim, item in zip(dims, items, strict=True):
        if item[0] == "all":
            found.append(dim)
        elif item[0] == "index":
            frozen(dim, node, "takes one entry of it")
        else:
            found.append(_run(maker, node, dim, item))
    return [tuple(found)]


def _run(maker: DimMaker, node: Node, dim: Dim, item: tuple[object, ...]) -> Dim:
    low, high, step = (size(each) for each in item[1:])  # type: ignore[arg-type]
    whole, length = dim.found.size, high - low
    if low == size(0) and high == whole and step == ONE:
        return dim
    parts = [each for each in (low, length, whole - high) if each != size(0)]
    if step != ONE or any(each.range[0] is None or each.range[0] < 1 for each in parts):
        frozen(dim, node, "cuts it where sizes decide, or with steps")
        return frozen(Dim(-(-length // step)), node, "cuts it where sizes decide, or with steps")
    cut = [Dim(each) for each in parts]
    maker.same(node, joined(cut), dim)
    return cut[0 if low == size(0) else 1]


def _axes(node: Node) -> tuple[int, ...]:
    axes = node.attr("axes")
    return (node.attr("axis"),) if axes is None else tuple(axes)


def reduced(maker: DimMaker, frame: DomainFrame[Dims], node: Node, given: Sequence[Dims]) -> Sequence[Dims]:
    """The axes that are left."""
    gone = _axes(node)
    return [tuple(dim for at, dim in enumerate(given[0]) if at not in gone)]


def along(maker: DimMaker, frame: DomainFrame[Dims], node: Node, given: Sequence[Dims]) -> Sequence[Dims]:
    """The same axes, of which one has an order."""
    for at in _axes(node):
        frozen(given[0][at], node, "goes along it")
    return [given[0]] * len(node.outputs)


def mixed(maker: DimMaker, frame: DomainFrame[Dims], node: Node, given: Sequence[Dims]) -> Sequence[Dims]:
    """The same axes: entries of one are seen together, in no order."""
    return [given[0]]


def chosen(maker: DimMaker, frame: DomainFrame[Dims], node: Node, given: Sequence[Dims]) -> Sequence[Dims]:
    """Places along an axis, which is gone, or as long as so many of them."""
    at = node.attr("axis")
    frozen(given[0][at], node, "asks which entry of it")
    kept = [(*given[0][:at], positions(v.type.axes[at], node), *given[0][at + 1 :]) if node.op == "topk" else
            (*given[0][:at], *given[0][at + 1 :]) for v in node.outputs]  # fmt: skip
    return kept


def pad(maker: DimMaker, frame: DomainFrame[Dims], node: Node, given: Sequence[Dims]) -> Sequence[Dims]:
    """A longer axis is another one."""
    at, (dims,) = node.attr("axis"), given
    if node.attr("before") == size(0) == node.attr("after"):
        return [dims]
    frozen(dims[at], node, "adds entries to it")
    return [(*dims[:at], positions(node.outputs[0].type.axes[at], node), *dims[at + 1 :])]


def take(maker: DimMaker, frame: DomainFrame[Dims], node: Node, given: Sequence[Dims]) -> Sequence[Dims]:
    """Entries by numbers: the axis that is looked up must keep its order."""
    at, (dims, index) = node.attr("axis"), given
    frozen(dims[at], node, "looks entries up in it by number")
    return [(*dims[:at], *index, *dims[at + 1 :])]


def gather(maker: DimMaker, frame: DomainFrame[Dims], node: Node, given: Sequence[Dims]) -> Sequence[Dims]:
    """As `take`, with a number for each entry of the other axes."""
    at, (dims, index) = node.attr("axis"), given
    frozen(dims[at], node, "looks entries up in it by number")
    others = [maker.same(node, a, b) for place, (a, b) in enumerate(zip(dims, index, strict=True)) if place != at]
    return [(*others[:at], index[at], *others[at:])]


def one_hot(maker: DimMaker, frame: DomainFrame[Dims], node: Node, given: Sequence[Dims]) -> Sequence[Dims]:
    """A new axis of classes."""
    return [(*given[0], positions(node.outputs[0].type.axes[-1], node))]


def triangle(maker: DimMaker, frame: DomainFrame[Dims], node: Node, given: Sequence[Dims]) -> Sequence[Dims]:
    """The last two axes have an order."""
    for dim in given[0][-2:]:
        frozen(dim, node, "compares places of it")
    return [given[0]]


def made(maker: DimMaker, frame: DomainFrame[Dims], node: Node, given: Sequence[Dims]) -> Sequence[Dims]:
    """Values that are the same everywhere have axes of any length."""
    return [tuple(Dim(axis.size) for axis in value.type.axes) for value in node.outputs]


def ordered(maker: DimMaker, frame: DomainFrame[Dims], node: Node, given: Sequence[Dims]) -> Sequence[Dims]:
    """Values that differ from place to place."""
    return [tuple(positions(axis, node) for axis in value.type.axes) for value in node.outputs]


_NAMES: Mapping[ProvenanceRule, str] = {
    pattern: "rearrange expand split einsum reduce",
    reduced: "sum mean max min prod var std logsumexp any all norm",
    along: "flip roll sort argsort cumsum cumprod cummax cummin",
    mixed: "softmax log_softmax",
    chosen: "topk argmax argmin",
    triangle: "tril triu",
    made: "zeros ones full",
    ordered: "arange linspace eye constant randn rand randint permutation bernoulli",
    elementwise: "dropout grad_as",
}
RULES: Mapping[str, ProvenanceRule] = {
    **{name: elementwise for name, spec in OPS.items() if spec.kind == "elementwise"},
    **{name: rule for rule, names in _NAMES.items() for name in names.split()},
    "concat": concat,
    "stack": stack,
    "slice": slices,
    "pad": pad,
    "take": take,
    "gather": gather,
    "one_hot": one_hot,
}


def given_at(node: Node, given: Sequence[Dims], at: int) -> Dims | None:
    """The dimensions of an operand that may be left out."""
    operand: Operand = node.inputs[at] if at < len(node.inputs) else None
    return given[at] if isinstance(operand, str) else None


def result(node: Node) -> Value:
    """The first result."""
    return node.outputs[0]

"""The rule of signals for each operation: what becomes of typical entries."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from ogive.backends.analysis.signals.context import SignalFrame, SignalWalk
from ogive.backends.analysis.signals.field import UNKNOWN, Field, OfNormal
from ogive.backends.analysis.signals.pointwise import NAMES, computed
from ogive.backends.analysis.signals.products import PRODUCTS
from ogive.compiler.ir.model import Const, Node
from ogive.compiler.ir.types import FLOATS
from ogive.compiler.ops import OPS
from ogive.compiler.sizes import Size

Rule = Callable[[SignalWalk, SignalFrame, Node, Sequence[Field]], Sequence[Field]]
ALIKE = "positions are taken as equal, so that what is mixed over them is not made smaller"
APART = "examples and positions are taken as uncorrelated"


def _all(node: Node, found: Field) -> list[Field]:
    return [found] * len(node.outputs)


def _same(self: SignalWalk, frame: SignalFrame, node: Node, given: Sequence[Field]) -> Sequence[Field]:
    """Entries are moved, or repeated."""
    return _all(node, given[0])


def _alike(self: SignalWalk, frame: SignalFrame, node: Node, given: Sequence[Field]) -> Sequence[Field]:
    """Entries are pooled over positions."""
    self.assume(node, ALIKE)
    return _all(node, replace(given[0], weight=None))


def _bool(self: SignalWalk, frame: SignalFrame, node: Node, given: Sequence[Field]) -> Sequence[Field]:
    return _all(node, UNKNOWN)


def _reduce(self: SignalWalk, frame: SignalFrame, node: Node, given: Sequence[Field]) -> Sequence[Field]:
    """Means and largest entries over positions; of others nothing is said."""
    kind = node.op if node.op != "reduce" else str(node.attr("op"))
    if kind in ("mean", "max", "min"):
        return _alike(self, frame, node, given)
    if given[0].values is None:
        return _all(node, UNKNOWN)
    return self.not_known(frame, node, "the sum over an axis depends on how its entries go together")


def _joined(self: SignalWalk, frame: SignalFrame, node: Node, given: Sequence[Field]) -> Sequence[Field]:
    """A mixture, by the sizes of the parts along the axis."""
    parts = [each for each in given if each.values is not None]
    if len(parts) < len(given) or not parts:
        return _all(node, UNKNOWN)
    if len(parts) == 1 or len(node.outputs) > 1:
        return _all(node, parts[0])
    shares = [1.0] * len(parts)
    if node.op == "concat":
        axis = node.attr("axis")
        types = [frame.graph.values[x].type for x in node.inputs if isinstance(x, str)]
        sizes = [self.number(frame, type.axes[axis].size) for type in types]
        if None not in sizes:
            shares = [float(each or 0) for each in sizes]
    total, entries, order = sum(shares), self.draws.entries, self.draws.order()
    pieces, start, laid = [], 0, 0.0
    for part, share in zip(parts, shares, strict=True):
        laid += share
        end = round(entries * laid / total)
        assert part.values is not None
        pieces.append(part.values.expand(entries)[order[start:end]])
        start = end
    normals = {part.normal for part in parts}
    values = torch.cat(pieces)[torch.argsort(order)]
    return [Field(values, normal=normals.pop() if len(normals) == 1 else None)]


def _pointwise(self: SignalWalk, frame: SignalFrame, node: Node, given: Sequence[Field]) -> Sequence[Field]:
    """Entry by entry. A function of a normal number is noted; sums and multiples of normal numbers are such."""
    if any(each.mixing for each in given):
        return [replace(next(each for each in given if each.mixing))]
    if any(each.values is None for each in given):
        return [UNKNOWN]
    values = computed(node)(*(each.values for each in given))
    spec = OPS[node.op]
    if spec.pointwise is not None:
        facts, (x, *_) = spec.pointwise(dict(node.attrs)), given
        if facts.homogeneous is not None and facts.homogeneous[0] == facts.homogeneous[1]:
            normal = None if x.normal is None else x.normal * facts.homogeneous[0] ** 2
            return [Field(values, normal=normal, via=x.via)]
        return [Field(values, via=None if x.normal is None else OfNormal(node.op, facts, x.normal))]
    a, b = given[0], given[-1]
    scaled = node.op in ("mul", "div") and (_fixed(b) or (node.op == "mul" and _fixed(a)))
    summed = node.op in ("add", "sub") and all(each.normal is not None or _is_zero(each) for each in given)
    normal = (a.normal is not None or b.normal is not None) if scaled else summed
    return [Field(values, normal=float(values.detach().square().mean()) if normal else None)]


def _fixed(field: Field) -> bool:
    """One number for all entries."""
    return field.values is not None and not field.values.shape


def _is_zero(field: Field) -> bool:
    return _fixed(field) and field.values is not None and float(field.values.detach()) == 0


def _select(self: SignalWalk, frame: SignalFrame, node: Node, given: Sequence[Field]) -> Sequence[Field]:
    """A mask that fills in a literal is passed by; of two signals the first is taken."""
    _, a, b = given
    if isinstance(node.inputs[1], Const):
        return [b]
    if not isinstance(node.inputs[2], Const):
        self.assume(node, "the first of two signals is taken at all places")
    return [a]


def _softmax(self: SignalWalk, frame: SignalFrame, node: Node, given: Sequence[Field]) -> Sequence[Field]:
    return [Field(mixing=True)]


def _take(self: SignalWalk, frame: SignalFrame, node: Node, given: Sequence[Field]) -> Sequence[Field]:
    """Rows of a table, which are drawn as its entries are."""
    return [replace(given[0], weight=None)]


def _norm(self: SignalWalk, frame: SignalFrame, node: Node, given: Sequence[Field]) -> Sequence[Field]:
    """To unit variance; what is not known comes out as normal numbers."""
    x, *rest = given
    if node.op in ("batch_norm_train", "group_norm"):
        self.assume(node, APART)
    values, normal = x.values, x.normal is not None
    if values is None:
        values, normal = self.draws.normal(), True
    elif not values.shape:
        values, normal = values.expand(self.draws.entries), False
    centred = values if node.op == "rms_norm" else values - values.mean()
    values = centred / (centred.square().mean() + float(node.attr("eps") or 0)).sqrt()
    return [_affine(values, normal, rest), *[UNKNOWN] * (len(node.outputs) - 1)]


def _batch_norm(self: SignalWalk, frame: SignalFrame, node: Node, given: Sequence[Field]) -> Sequence[Field]:
    """By the statistics that are kept."""
    x, mean, variance, *rest = given
    if x.values is None or mean.values is None or variance.values is None:
        return [UNKNOWN]
    values = (x.values - mean.values) / (variance.values + float(node.attr("eps") or 0)).sqrt()
    return [_affine(values, x.normal is not None and _is_zero(mean) and _fixed(variance), rest)]


def _affine(values: Any, normal: bool, rest: Sequence[Field]) -> Field:
    """Times a weight and plus a bias, as far as these are given and known."""
    for at, each in enumerate(rest):
        if each.values is None:
            continue
        normal = normal and _fixed(each) and (at == 0 or _is_zero(each))
        values = values * each.values if at == 0 else values + each.values
    return Field(values, normal=float(values.detach().square().mean()) if normal else None)


def _dropout(self: SignalWalk, frame: SignalFrame, node: Node, given: Sequence[Field]) -> Sequence[Field]:
    """Entries become 0, the others as much larger."""
    (x, *_) = given
    rate = node.attr("p")
    if x.values is None or not isinstance(rate, int | float) or rate >= 1:
        return [x]
    kept = self.draws.order() < round(self.draws.entries * (1 - rate))
    return [Field(x.values * kept.to(torch.float64) / (1 - rate))]


def _filled(self: SignalWalk, frame: SignalFrame, node: Node, given: Sequence[Field]) -> Sequence[Field]:
    """A number everywhere."""
    value = {"zeros": 0.0, "ones": 1.0}.get(node.op, node.attr("value"))
    if isinstance(value, Size) and value.is_number:
        value = value.number
    plain = isinstance(value, int | float) and not isinstance(value, bool) and node.outputs[0].type.elem in FLOATS
    return [Field(torch.tensor(float(value), dtype=torch.float64)) if plain else UNKNOWN]


def _randn(self: SignalWalk, frame: SignalFrame, node: Node, given: Sequence[Field]) -> Sequence[Field]:
    return [Field(self.draws.normal(), normal=1.0)]


RULES: Mapping[str, Rule] = {
    **dict.fromkeys("rearrange expand split flip roll pad slice tril triu gather conj real".split(), _same),
    **dict.fromkeys(
        "max_pool avg_pool adaptive_avg_pool adaptive_max_pool interpolate grid_sample unfold fold".split(), _alike
    ),
    **dict.fromkeys(
        "eq ne lt le gt ge logical_and logical_or logical_not isfinite isnan isinf bitwise_and bitwise_or bitwise_xor "
        "bitwise_not shift_left shift_right arange one_hot argmax argmin any all randint permutation bernoulli argsort "
        "eye constant linspace".split(),
        _bool,
    ),
    **dict.fromkeys("reduce sum mean max min prod var std logsumexp norm".split(), _reduce),
    **dict.fromkeys(("concat", "stack"), _joined),
    **dict.fromkeys(NAMES, _pointwise),
    **dict.fromkeys(("layer_norm", "rms_norm", "group_norm", "batch_norm_train"), _norm),
    **dict.fromkeys(("zeros", "ones", "full"), _filled),
    "batch_norm": _batch_norm,
    "select": _select,
    "softmax": _softmax,
    "take": _take,
    "dropout": _dropout,
    "randn": _randn,
    **PRODUCTS,
}

"""The rules of products: with a weight that is drawn, of two signals, of shares that sum to 1 with what they mix."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import prod

from ogive.backends.analysis.signals.context import SignalFrame, SignalWalk
from ogive.backends.analysis.signals.field import UNKNOWN, DrawnWeight, Field, FreshPair, FreshProduct, LayerSignal
from ogive.compiler.ir.model import Node
from ogive.compiler.ops.recipe import atoms_of
from ogive.compiler.sizes import Size, size

MIXED = "values are mixed over positions by shares that sum to 1; the positions are taken as equal"


def product(
    self: SignalWalk,
    frame: SignalFrame,
    node: Node,
    x: Field,
    w: Field,
    fans: tuple[float, float],
    bias: Field,
    width: float,
) -> Field:
    """X by a drawn weight with so many terms ahead and back."""
    drawn = w.weight
    assert drawn is not None
    if x.values is None:
        return UNKNOWN
    if drawn.unit:
        return replace(x, weight=None)
    if drawn.mean != 0 and self.options.c_w is None:
        self.not_known(frame, node, f"the entries of `{drawn.path}` do not start around 0")
        return UNKNOWN
    ahead, back = fans
    c_w = ahead * drawn.variance if self.options.c_w is None else self.options.c_w
    c_b = 0.0
    if bias.weight is not None:
        c_b = bias.weight.variance + bias.weight.mean**2
    if bias.values is not None and self.options.c_w is not None:
        c_b = self.options.c_b or 0.0
    row = LayerSignal(
        drawn.path.removesuffix(".weight"), node.op, node.span, x.square or 0.0, 0.0, c_w, c_b,
        x.via if x.normal is None else None, width,
    )  # fmt: skip
    self.layers.append(row)

    def met(square: float) -> None:
        row.gradient = (row.gradient or 0.0) + square

    values = FreshProduct.apply(x.values, self.draws, c_w, c_w * back / ahead, met)  # type: ignore[no-untyped-call]
    if self.options.c_w is None and bias.values is not None:
        values = values + bias.values
        centred = bias.weight is None or bias.weight.mean == 0
    else:
        values, centred = values + self.draws.normal() * c_b**0.5 if c_b else values, True
    row.variance = float(values.detach().square().mean())
    return Field(values, normal=row.variance if centred else None)


def pair(self: SignalWalk, a: Field, b: Field, terms: tuple[float, float, float]) -> Field:
    """Two signals, or two weights, that are summed over."""
    if a.values is None or b.values is None:
        return UNKNOWN
    if a.weight is not None and b.weight is not None:
        variance = terms[0] * (a.weight.variance + a.weight.mean**2) * (b.weight.variance + b.weight.mean**2)
        path = f"{a.weight.path} · {b.weight.path}"
        values = self.draws.normal() * variance**0.5
        return Field(values.requires_grad_(), normal=variance, weight=DrawnWeight(path, 0.0, variance))
    entries = self.draws.entries
    values = FreshPair.apply(  # type: ignore[no-untyped-call]
        a.values.expand(entries), b.values.expand(entries), self.draws, terms
    )
    return Field(values, normal=float(values.detach().square().mean()))


def _sizes(self: SignalWalk, frame: SignalFrame, *parts: Sequence[Size]) -> list[float] | None:
    """Products of sizes as numbers."""
    numbers = [[self.number(frame, each) for each in part] for part in parts]
    if any(None in part for part in numbers):
        return None
    return [float(prod(each or 0 for each in part)) for part in numbers]


def two(
    self: SignalWalk, frame: SignalFrame, node: Node, a: Field, b: Field,
    summed: Sequence[Size], only_a: Sequence[Size], only_b: Sequence[Size],
) -> Field:  # fmt: skip
    """A product of two operands: what is summed, and what only one of them has."""
    for shares, other in ((a, b), (b, a)):
        if shares.mixing:
            self.assume(node, MIXED)
            return replace(other, weight=None)
    found = _sizes(self, frame, summed)
    if found is None:
        self.not_known(frame, node, "how many terms it sums depends on sizes: give them")
        return UNKNOWN
    (terms,) = found
    if not summed:
        if a.values is None or b.values is None:
            return UNKNOWN
        return Field(a.values * b.values)
    if (a.weight is None) == (b.weight is None):
        backs = [_sizes(self, frame, each) for each in (only_b, only_a)]
        first, second = (1.0 if each is None else each[0] for each in backs)
        return pair(self, a, b, (terms, first, second))
    x, w, more = (a, b, only_b) if b.weight is not None else (b, a, only_a)
    back = _sizes(self, frame, more)
    if back is None:
        self.not_known(frame, node, "the width of the weight depends on sizes: give them")
        return UNKNOWN
    return product(self, frame, node, x, w, (terms, back[0]), UNKNOWN, terms)


def _einsum(self: SignalWalk, frame: SignalFrame, node: Node, given: Sequence[Field]) -> Sequence[Field]:
    recipe = node.attr("recipe")
    sides = [{atom.name: atom.size for atom in atoms_of(side)} for side in (*recipe.inputs, *recipe.outputs)]
    *inputs, out = sides
    found, names = given[0], inputs[0]
    if len(given) == 1:
        return [found if set(names) <= set(out) else UNKNOWN]
    for at, (each, more) in enumerate(zip(given[1:], inputs[1:], strict=True), 1):
        wanted = {*out, *(name for later in inputs[at + 1 :] for name in later)}
        summed = [length for name, length in names.items() if name in more and name not in wanted]
        only_a = [length for name, length in names.items() if name not in more and name in wanted]
        only_b = [length for name, length in more.items() if name not in names and name in wanted]
        found = two(self, frame, node, found, each, summed, only_a, only_b)
        names = {name: length for name, length in {**names, **more}.items() if name in wanted}
    return [found]


def _matmul(self: SignalWalk, frame: SignalFrame, node: Node, given: Sequence[Field]) -> Sequence[Field]:
    a, b = (frame.graph.values[str(x)].type.axes for x in node.inputs)
    rows = [axis.size for axis in a[-2:-1]]
    columns = [axis.size for axis in b[-1:]] if len(b) > 1 else []
    return [two(self, frame, node, given[0], given[1], [a[-1].size], rows, columns)]


def _weighted(fans: Callable[[Node, Sequence[Size]], tuple[Sequence[Size], Sequence[Size], float]]) -> Callable[
    [SignalWalk, SignalFrame, Node, Sequence[Field]], Sequence[Field]
]:  # fmt: skip
    """An operation x, w, b?; `fans` gives what is multiplied for a result, for an entry of x, and a divisor."""

    def rule(self: SignalWalk, frame: SignalFrame, node: Node, given: Sequence[Field]) -> Sequence[Field]:
        x, w, *rest = given
        if w.weight is None:
            reason = "its weight is computed: how its entries are drawn is not told"
            return self.not_known(frame, node, reason) if x.values is not None else [UNKNOWN]
        shape = [axis.size for axis in frame.graph.values[str(node.inputs[1])].type.axes]
        ahead, back, divisor = fans(node, shape)
        numbers = _sizes(self, frame, ahead, back)
        if numbers is None:
            return self.not_known(frame, node, "the shape of its weight depends on sizes: give them")
        bias = rest[0] if rest else UNKNOWN
        transposed = node.op == "conv_transpose"
        terms = (numbers[0] / (divisor if transposed else 1), numbers[1] / (1 if transposed else divisor))
        return [product(self, frame, node, x, w, terms, bias, self.number(frame, ahead[0]) or 1)]

    return rule


def _conv(node: Node, shape: Sequence[Size]) -> tuple[Sequence[Size], Sequence[Size], float]:
    """Away from borders: c_in k / groups terms for a result; c_out k / groups / stride for an entry of x."""
    out, inner, *kernel = shape
    groups = size(node.attr("groups"))
    each = out.number // groups.number if out.is_number and groups.is_number else out
    return [inner, *kernel], [size(each), *kernel], _strides(node)


def _conv_transpose(node: Node, shape: Sequence[Size]) -> tuple[Sequence[Size], Sequence[Size], float]:
    into, out, *kernel = shape
    groups = size(node.attr("groups"))
    each = into.number // groups.number if into.is_number and groups.is_number else into
    return [size(each), *kernel], [out, *kernel], _strides(node)


def _strides(node: Node) -> float:
    strides = [size(each) for each in node.attr("stride")]
    return float(prod(each.number if each.is_number else 1 for each in strides))


def _attention(self: SignalWalk, frame: SignalFrame, node: Node, given: Sequence[Field]) -> Sequence[Field]:
    self.assume(node, MIXED)
    return [replace(given[2], weight=None)]


PRODUCTS: Mapping[str, Callable[..., Sequence[Field]]] = {
    "linear": _weighted(lambda node, shape: ([shape[1]], [shape[0]], 1.0)),
    "conv": _weighted(_conv),
    "conv_transpose": _weighted(_conv_transpose),
    "einsum": _einsum,
    "matmul": _matmul,
    "attention": _attention,
}

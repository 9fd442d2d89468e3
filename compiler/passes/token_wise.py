"""Whether a block treats each token alone: else what it makes of a group of tokens is not what it makes of all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ogive.compiler.ir import Const, Definition, Graph, Node, Scalar
from ogive.compiler.ops import OPS
from ogive.compiler.ops.recipe import Recipe, Side
from ogive.compiler.passes.flat import Place, inlined
from ogive.compiler.passes.substitute import Fresh
from ogive.compiler.sizes import Size, Unknown
from ogive.compiler.types import Axis

Tokens = tuple[int, ...]  # where the axes of tokens are among those of a value; none: the value is the same for all
ANYWHERE = ("rearrange", "expand", "zeros", "ones", "full", "randn", "rand", "randint", "bernoulli", "reduce", "split",
            "einsum", "slice")  # what may know how many tokens there are: that shapes its result alone  # fmt: skip
PLACES = ("arange", "linspace", "eye", "permutation")  # what tells tokens apart by their places
ALONG = ("softmax", "log_softmax", "concat", "flip", "roll", "pad", "topk", "sort", "argsort", "cumsum")


def mixing(block: Definition) -> str:
    """The first operation of a block [..., d] -> [..., d'] in which a token meets another or its place; "" if none."""
    x = block.graph.inputs[0]
    nodes, outputs = inlined(block.graph, Place("", {}, {}, {x.name: x.name}), Fresh({x.name}), {x.name: x.type})
    tokens = tuple(range(len(x.type.axes) - 1))
    lengths = frozenset(unknown for axis in x.type.axes[:-1] for unknown in axis.size.unknowns)
    walk = _Walk(lengths, {x.name: tokens}, {x.name: len(x.type.axes)})
    found = walk.graph(Graph((x,), tuple(nodes), outputs))
    if not found and walk.tokens.get(str(outputs[0])) != tokens:
        return nodes[-1].op if nodes else x.name
    return found


@dataclass(slots=True)
class _Walk:
    """Follows the axes of tokens through a graph."""

    lengths: frozenset[Unknown]  # how many tokens there are
    tokens: dict[str, Tokens]
    ranks: dict[str, int]

    def graph(self, graph: Graph) -> str:
        """The first operation that mixes tokens, or ""."""
        for node in graph.nodes:
            found = self.phases(node) if node.op == "phase" else self.results(node)
            if found is None:
                return node.op
            if isinstance(found, str):
                return found
            self.tokens.update((value.name, tokens) for value, tokens in zip(node.outputs, found, strict=True))
            self.ranks.update((value.name, len(value.type.axes)) for value in node.outputs)
        return ""

    def phases(self, node: Node) -> list[Tokens] | str | None:
        """Both phases must keep tokens apart, and leave them in the same places."""
        made = []
        for region in node.regions:
            for value, operand in zip(region.inputs, node.inputs, strict=True):
                self.tokens[value.name] = self.of(operand)
                self.ranks[value.name] = len(value.type.axes)
            found = self.graph(region)
            if found:
                return found
            made.append([self.of(output) for output in region.outputs])
        return made[0] if made[0] == made[1] else None

    def of(self, operand: object) -> Tokens:
        return self.tokens.get(operand, ()) if isinstance(operand, str) else ()

    def results(self, node: Node) -> list[Tokens] | None:
        """Where the tokens are in each result; None where they mix, or where that is not known."""
        if node.op not in ANYWHERE and self.counts((node.inputs, tuple(value for _, value in node.attrs))):
            return None
        if not any(map(self.of, node.operands)):
            places = node.op in PLACES and any(self.counts(value.type.axes) for value in node.outputs)
            return None if places else [()] * len(node.outputs)
        found = self.rule(node)
        return None if found is None else [found] * len(node.outputs) if isinstance(found, tuple) else found

    def rule(self, node: Node) -> Tokens | list[Tokens] | None:
        spec = OPS.get(node.op)
        if spec is None or node.regions:
            return None
        if isinstance(node.attr("recipe"), Recipe):
            return self.named(node, node.attr("recipe"))
        first = self.of(node.inputs[0])
        if spec.kind == "elementwise" or node.op == "dropout":
            return self.aligned(node)
        if any(map(self.of, node.operands[1:])) and node.op != "concat":
            return None  # tokens that choose, or that are weights
        if node.op in ("linear", "matmul"):
            return None if len(node.inputs) > 1 and self.ranks[str(node.inputs[1])] != 2 else first
        if node.op in ("layer_norm", "rms_norm"):
            return None if set(first) & set(node.attr("axes")) else first
        if node.op in ALONG:
            same = all(self.of(x) == first for x in node.operands)
            return first if same and node.attr("axis") not in first else None
        if spec.kind == "reduction":
            return _without(first, set(node.attr("axes")))
        if node.op == "slice":
            items = node.attr("items")
            whole = all(items[at] == ("all",) for at in first)
            return _without(first, {at for at, item in enumerate(items) if item[0] == "index"}) if whole else None
        return None

    def aligned(self, node: Node) -> Tokens | None:
        """Shapes meet at their ends."""
        rank = len(node.outputs[0].type.axes)
        found = {tuple(at + rank - self.ranks[x] for at in self.of(x)) for x in node.operands if self.of(x)}
        return found.pop() if len(found) == 1 else None

    def named(self, node: Node, recipe: Recipe) -> list[Tokens] | None:
        """Axes of tokens stand alone in a pattern, on both sides."""
        found: set[tuple[str, ...] | None] = set()
        for operand, side in zip(node.inputs, recipe.inputs, strict=True):
            if self.of(operand):
                found.add(_names(side, self.of(operand)))
        names = found.pop() if len(found) == 1 else None
        if names is None:
            return None
        results = [_places(side, names) for side in recipe.outputs]
        if len(results) < len(node.outputs):  # split along a first axis, which the results lack
            results = [None if place is None else _without(place, {0}) for place in results] * len(node.outputs)
        return None if None in results else [place for place in results if place is not None]

    def counts(self, value: Any) -> bool:
        """Whether a setting or a literal hangs on how many tokens there are."""
        match value:
            case Size():
                return not value.unknowns.isdisjoint(self.lengths)
            case Const(value=inner) | Axis(size=inner):
                return self.counts(inner)
            case Scalar(args=items) | tuple(items) | list(items):
                return any(map(self.counts, items))
            case _:
                return False


def _without(tokens: Tokens, axes: set[int]) -> Tokens | None:
    """Where the axes of tokens are once others are gone."""
    return None if axes & set(tokens) else tuple(at - sum(axis < at for axis in axes) for at in tokens)


def _names(side: Side, tokens: Tokens) -> tuple[str, ...] | None:
    parts = [side[at].parts for at in tokens]
    alone = all(len(part) == 1 and len(part[0]) == 1 for part in parts)
    return tuple(part[0][0].name for part in parts) if alone else None


def _places(side: Side, names: tuple[str, ...]) -> Tokens | None:
    found = [
        at
        for name in names
        for at, place in enumerate(side)
        if [p[0].name for p in place.parts if len(p) == 1] == [name]
    ]
    return tuple(found) if len(found) == len(names) else None

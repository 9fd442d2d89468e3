"""Splits along the outermost factor of an axis: the parts are cut first, and moved one by one.

Where parts are cut after the move, their gradients are stacked and moved back: two copies instead of one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ogive.compiler.ir import Definition, Graph, Node
from ogive.compiler.ops.recipe import Place, Recipe, Side
from ogive.compiler.passes.compose import simple
from ogive.compiler.passes.rewrite import rules_pass
from ogive.compiler.passes.substitute import Fresh
from ogive.compiler.types import Axis, TensorType


def parts_first(node: Node, graph: Graph, fresh: Fresh) -> Sequence[Node] | None:
    """Split(... (t c) -> t ...) = rearrange of each part of split(... (t c) -> t ... c)."""
    if node.op != "split" or len(node.attr("recipe").outputs) != 1 or len(node.outputs) < 2:
        return None
    recipe: Recipe = node.attr("recipe")
    (source,), (result,) = recipe.inputs, recipe.outputs
    turn = result[0].parts[0] if simple(source) and simple(result) else ()
    at = next((i for i, place in enumerate(source) if turn and place.parts[0][:1] == turn), None)
    if at is None or len(source[at].parts[0]) < 2:
        return None
    rest = Place((source[at].parts[0][1:],))
    part: Side = (*source[:at], rest, *source[at + 1 :])
    if part == result[1:]:
        return None
    type = TensorType(node.outputs[0].type.elem, tuple(Axis(place.size) for place in part))
    cut = tuple(fresh.value(type, value.hint) for value in node.outputs)
    first = replace(node, outputs=cut, attrs=(("recipe", Recipe((source,), ((result[0], *part),))),))
    moves = [
        Node("rearrange", (piece.name,), (value,), (("recipe", Recipe((part,), (result[1:],))),), span=node.span)
        for piece, value in zip(cut, node.outputs, strict=True)
    ]
    return [first, *moves]


def split_apart(definition: Definition) -> Definition:
    """The rule of this file, wherever it applies."""
    return rules_pass((parts_first,))(definition)

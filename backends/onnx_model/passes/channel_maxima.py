"""The largest of each group of channels: a `MaxPool` along them, where a `Reshape` would need arithmetic of shapes."""

from __future__ import annotations

from dataclasses import replace

from ogive.compiler.ir.model import Graph, Node
from ogive.compiler.ir.substitute import Fresh
from ogive.compiler.ir_tools.graph_builder import Building
from ogive.compiler.ops.recipe import AxisPattern, Side
from ogive.compiler.passes.infra.rewrite import producer, rules_pass
from ogive.compiler.sizes import Size


def pooled(node: Node, graph: Graph, fresh: Fresh) -> list[Node] | None:
    """Max over m of `b (c m) h w -> b c m h w` = a pool of m channels, side by side, over the image as a volume."""
    if node.op != "max" or node.attr("axes") != (2,) or not node.outputs[0].type.floating:
        return None
    maker = producer(graph, node.inputs[0], "rearrange")
    group = _group(maker.attr("recipe")) if maker is not None else None
    if maker is None or group is None:
        return None
    source = str(maker.inputs[0])
    build = Building(fresh, {source: graph.values[source].type}, span=node.span)
    volume = build.shaped(source, "b k h w -> b 1 k h w")
    most = build.op("max_pool", volume, kernel=(group, 1, 1), stride=(group, 1, 1))
    build.shaped(most, "b 1 c h w -> b c h w")
    return [*build.nodes[:-1], replace(build.nodes[-1], outputs=node.outputs)]


def _group(recipe: AxisPattern) -> Size | None:
    """The m of `b (c m) h w -> b c m h w`, where h and w are both open: `Reshape` infers one axis alone."""
    if len(recipe.inputs) != 1 or len(recipe.outputs) != 1:
        return None
    (have,), (want,) = recipe.inputs, recipe.outputs
    if len(have) != 4 or any(place.joined or place.pack for place in (*have, *want)):
        return None
    flat = [place.atoms for place in want]
    if len(flat) != 5 or any(len(atoms) != 1 for atoms in flat) or not _cut(have, want):
        return None
    m, h, w = (flat[at][0].size for at in (2, 3, 4))
    return m if m.is_number and not h.is_number and not w.is_number else None


def _cut(have: Side, want: Side) -> bool:
    """Whether the channels alone are cut in two."""
    b, c, m, h, w = (place.atoms for place in want)
    return [place.atoms for place in have] == [b, (*c, *m), h, w]


channel_maxima = rules_pass((pooled,))

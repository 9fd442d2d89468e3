"""What is absent where a graph is put into another: nodes that hold regions do without it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from ogive.compiler.ir.model import Graph, Node


def without_inputs(node: Node, gone: Collection[int]) -> tuple[Node, tuple[str, ...]]:
    """A node without the inputs at some places: a carried value that is absent stays so. With it go the names that
    stand for nothing now, those inside of its regions and those of its results.
    """
    carried = {at for at in gone if node.loop is not None and node.loop.carries(at)}
    nothing = [region.inputs[at].name for region in node.regions for at in gone]
    nothing += [node.outputs[at].name for at in sorted(carried)]
    regions = tuple(
        Graph(_left(region.inputs, gone), region.nodes, _left(region.outputs, carried)) for region in node.regions
    )
    found = replace(
        node,
        inputs=_left(node.inputs, gone),
        outputs=_left(node.outputs, carried),
        regions=regions,
        structure=None if node.structure is None else node.structure.without_inputs(gone),
    )
    return found, tuple(nothing)


def without_results(node: Node, given: Sequence[bool] | None = None) -> tuple[Node, tuple[int, ...]]:
    """A node without the results that none of its regions gives, or those that are told; and their places."""
    told = node.structure
    if not node.regions or told is None:
        return node, ()
    stays = [told.stays(at) for at in range(len(node.outputs))]
    if given is None:
        sides = zip(*(region.outputs for region in node.regions), strict=True)
        given = [any(x is not None for x in found) for found in sides]
    gone = tuple(at for at, there in enumerate(given) if not there and not stays[at])
    if not gone:
        return node, ()
    regions = tuple(Graph(r.inputs, r.nodes, _left(r.outputs, gone)) for r in node.regions)
    structure = told.without_yields(gone)
    return replace(node, outputs=_left(node.outputs, gone), regions=regions, structure=structure), gone


def _left(items: tuple[Any, ...], gone: Collection[int]) -> tuple[Any, ...]:
    return tuple(item for at, item in enumerate(items) if at not in gone)

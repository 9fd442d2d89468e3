"""The most bytes that are alive at once: values are freed after the last node that reads them."""

from __future__ import annotations

from collections.abc import Collection

from ogive.compiler.analysis.cost.summary import CostFrame
from ogive.compiler.analysis.frame.result import Largest
from ogive.compiler.sizes import Size, added, size


def most(frame: CostFrame, results: Collection[str]) -> Largest:
    """Over the nodes of a graph in their order, without its inputs; `results` stay to the end.

    While a block runs, its caller holds what it was handed and what is read later.
    """
    last: dict[str, int] = {}
    for at, node in enumerate(frame.graph.nodes):
        for name in node.operands:
            last[frame.known[name].root] = at
    alive: dict[str, Size] = {}
    peaks: list[Size] = []
    for at, node in enumerate(frame.graph.nodes):
        before = added(alive.values())
        for value in node.outputs:
            root = frame.known[value.name].root
            if root in frame.owned:
                alive[root] = frame.owned[root]
        peaks += [before + inner for inner in frame.peaks[at].of] if at in frame.peaks else []
        peaks.append(added(alive.values()))
        for root in [root for root in alive if last.get(root, at) <= at and root not in results]:
            del alive[root]
    return Largest.joined(peaks or [size(0)])

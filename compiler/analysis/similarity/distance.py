"""How many edits lead from one graph to another: nodes that come, go or change their label, edges that come or go."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass

from ogive.compiler.analysis.similarity.labelled import ROUNDS, LabelledGraph

SMALL = 8  # nodes up to which the least number of edits is searched for


@dataclass(frozen=True, slots=True)
class GraphDistance:
    """`edits` are enough; `exact` says that fewer are not. `similarity` is 1 for graphs that are alike, else below."""

    edits: int
    exact: bool
    similarity: float
    nodes: tuple[int, int]


def distance(a: LabelledGraph, b: LabelledGraph) -> GraphDistance:
    """The distance of two graphs. 0 only for graphs that are alike: then nodes are matched one by one."""
    edits = edits_of(a, b, matched(a, b))
    exact = edits == 0
    if not exact and max(len(a.nodes), len(b.nodes)) <= SMALL:
        edits, exact = _least(a, b), True
    elif not exact and a.hash == b.hash and _alike(a, b):
        edits, exact = 0, True
    size = sum(len(each.nodes) + sum(1 for _ in each.edges) for each in (a, b))
    similarity = 1.0 if not edits else round(1 - edits / max(size, edits + 1), 6)
    return GraphDistance(edits, exact, similarity, (len(a.nodes), len(b.nodes)))


def matched(a: LabelledGraph, b: LabelledGraph) -> dict[int, int]:
    """Pairs of nodes: those that look most alike first, and among these what reads pairs that are matched."""
    found: dict[int, int] = {}
    taken: set[int] = set()
    levels = list(zip(a.colours(), b.colours(), strict=True))[::-1]
    for ours, theirs in levels:
        free: dict[str, list[int]] = defaultdict(list)
        for at, colour in enumerate(theirs):
            if at not in taken:
                free[colour].append(at)
        for at, colour in enumerate(ours):
            if at in found or not free[colour]:
                continue
            wanted = [found.get(source) for source in a.nodes[at].inputs]
            best = max(free[colour], key=lambda other: _agree(wanted, b.nodes[other].inputs))
            free[colour].remove(best)
            found[at] = best
            taken.add(best)
    rest = [at for at in range(len(b.nodes)) if at not in taken]
    for at, node in enumerate(a.nodes):  # a change of label costs less than one that goes and one that comes
        if at in found or not rest:
            continue
        wanted = [found.get(source) for source in node.inputs]
        best = max(rest, key=lambda other: _agree(wanted, b.nodes[other].inputs))
        rest.remove(best)
        found[at] = best
    return found


def _agree(wanted: list[int | None], inputs: tuple[int, ...]) -> int:
    return sum(mine == other for mine, other in zip(wanted, inputs, strict=False))


def edits_of(a: LabelledGraph, b: LabelledGraph, pairs: dict[int, int]) -> int:
    """The edits of one way to match nodes."""
    changed = sum(a.nodes[x].label != b.nodes[y].label for x, y in pairs.items())
    alone = len(a.nodes) + len(b.nodes) - 2 * len(pairs)
    ours = Counter((pairs.get(x, -1 - x), pairs.get(y, -1 - y), at) for x, y, at in a.edges)
    theirs = Counter(b.edges)
    return changed + alone + (ours - theirs).total() + (theirs - ours).total()


def _least(a: LabelledGraph, b: LabelledGraph) -> int:
    """By search through all ways to match nodes: for a handful of them."""
    best = edits_of(a, b, matched(a, b))
    others = len(b.nodes)

    def search(at: int, pairs: dict[int, int], used: frozenset[int]) -> None:
        nonlocal best
        changed = sum(a.nodes[x].label != b.nodes[y].label for x, y in pairs.items())
        if changed + (at - len(pairs)) >= best:
            return
        if at == len(a.nodes):
            best = min(best, edits_of(a, b, pairs))
            return
        for other in range(others):
            if other not in used:
                search(at + 1, {**pairs, at: other}, used | {other})
        search(at + 1, pairs, used)

    search(0, {}, frozenset())
    return best


def _alike(a: LabelledGraph, b: LabelledGraph) -> bool:
    """Whether one is the other with its nodes renamed."""
    from networkx import MultiDiGraph, is_isomorphic  # heavy: only where hashes leave it open

    made = []
    for graph in (a, b):
        net: MultiDiGraph[int] = MultiDiGraph()
        colours = graph.colours(ROUNDS)[-1]
        net.add_nodes_from((at, {"colour": colour}) for at, colour in enumerate(colours))
        net.add_edges_from((x, y, {"at": at}) for x, y, at in graph.edges)
        made.append(net)
    found: bool = is_isomorphic(made[0], made[1], node_match=lambda x, y: x["colour"] == y["colour"])
    return found

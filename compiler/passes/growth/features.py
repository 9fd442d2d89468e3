"""The pass `merge_features`: channels that are given alike become one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ogive.compiler.analysis.groups.coupled import CoupledGroup, coupled
from ogive.compiler.analysis.provenance.dims import Dim
from ogive.compiler.analysis.provenance.domain import provenance
from ogive.compiler.ir.model import Model
from ogive.compiler.ir.weights import WeightInfo, weights
from ogive.compiler.passes.cleanup.deploy_flatten import flattened
from ogive.compiler.passes.conversion.looks import Looks
from ogive.compiler.passes.conversion.result import Note, Passed, PassError
from ogive.compiler.passes.growth.mixing import Mix, Readers, Term, given_by, mixed, readers_of, uneven
from ogive.compiler.passes.outline.block_names import named_after_blocks
from ogive.compiler.passes.outline.driver import in_blocks
from ogive.compiler.passes.pruning.remove import Kept, Removal

Matrix = list[list[float]]
Cluster = tuple[int, ...]


def merge_features(model: Model, looks: Looks, *, beta: float = 0.0, of: str = "*", tolerance: float = 0.0) -> Passed:
    """Channels whose weights that give them are near each other become their mean, and their readers the sum.

    Iterative feature merging (Chen et al. 2024): in each group the two nearest, while they are at most `beta` times as
    far apart as the farthest two, by squares. Only what gives channels counts, norms and their statistics too: equal
    channels may be read differently, so with `beta` 0 nothing is lost. Means of what gives and sums of what reads are
    exact behind every function of one number; sums of what gives, as in the code of the authors, behind ReLUs alone.
    """
    if not 0 <= beta <= 1:
        raise PassError("E0810", f"`beta` is a share from 0 to 1, not {beta:g}")
    if tolerance < 0:
        raise PassError("E0810", f"`tolerance` of `merge_features` is a share from 0 on, not {tolerance:g}")
    flat, origins = flattened(model, trained=True)
    found, readers = provenance(flat), readers_of(flat)
    infos = {info.path: info for info in weights(model)}
    meets = uneven(found)
    groups = [group for group in coupled(found) if given_by(group, readers, of)]
    mixes: dict[Dim, Mix] = {}
    kept: dict[Dim, Kept] = {}
    notes: list[Note] = []
    for group in groups:
        left = _left(group, meets)
        if left:
            notes.append(Note(False, group.name, left))
            continue
        clusters = _clusters(group, infos, looks, readers, beta)
        before, after = group.channels.number, len(clusters[0])
        notes.append(Note(after < before, group.name, f"{before} -> {after} channels"))
        if after < before:
            mixes[group.leaf] = _mix(clusters)
            kept[group.leaf] = (tuple(range(after)),)
    if not mixes:
        reasons = "; ".join(dict.fromkeys(note.text for note in notes[:3])) or f"no channels come from a weight `{of}`"
        raise PassError("E0811", f"nothing of {model.name} is merged: {reasons}")
    shown = in_blocks(Removal(found, kept).model(model.name), origins)
    passed = Passed(shown, mixed(model, shown, found, mixes, readers), tuple(notes))
    return named_after_blocks(replace(passed, lossy="merge_features", tolerance=tolerance) if beta else passed)


def _left(group: CoupledGroup, meets: Mapping[Dim, str]) -> str:
    """Why a group stays as it is."""
    if group.prunable != "yes":
        return (group.frozen or group.seen)[0].reason
    if group.leaf in meets:
        return meets[group.leaf]
    return "" if group.channels.is_number else "how many channels it has depends on the inputs"


def _clusters(
    group: CoupledGroup, infos: Mapping[str, WeightInfo], looks: Looks, readers: Readers, beta: float
) -> list[list[Cluster]]:
    """For each iteration the channels that become one, as many clusters in each."""
    channels = group.channels.number
    turns = infos[group.places[0].path].count if group.loop else 1
    total = [[[0.0] * channels for _ in range(channels)] for _ in range(turns)]
    for place in group.places:
        if place.axis in readers.axes.get(place.path, ()):
            continue
        where = [place.index.indices(channel) for channel in range(channels)]
        for turn, found in enumerate(looks.distances(place.path, place.axis)):
            rows = total[turn if group.loop else 0]
            for a in range(channels):
                for b in range(channels):
                    rows[a][b] += sum(found[x][y] for x, y in zip(where[a], where[b], strict=True))
    orders = [_merged(rows, beta) for rows in total]
    steps = min(map(len, orders))
    return [_after(channels, order[:steps]) for order in orders]


def _merged(distances: Matrix, beta: float) -> list[tuple[int, int]]:
    """Pairs of clusters, by their first channels, in the order in which they merge; distances are between means."""
    rows = [list(row) for row in distances]
    counts = dict.fromkeys(range(len(rows)), 1)
    limit = beta * max(max(row) for row in rows)
    found = []
    while len(counts) > 1:
        nearest, a, b = min((rows[a][b], a, b) for a in counts for b in counts if a < b)
        if nearest > limit:
            break
        na, nb = counts[a], counts[b]
        for other in counts:
            mean = (na * rows[a][other] + nb * rows[b][other]) / (na + nb) - na * nb * nearest / (na + nb) ** 2
            rows[a][other] = rows[other][a] = max(mean, 0.0)
        counts[a] = na + counts.pop(b)
        found.append((a, b))
    return found


def _after(channels: int, order: Sequence[tuple[int, int]]) -> list[Cluster]:
    clusters: dict[int, Cluster] = {channel: (channel,) for channel in range(channels)}
    for a, b in order:
        clusters[a] = tuple(sorted((*clusters[a], *clusters.pop(b))))
    return list(clusters.values())


def _mix(turns: Sequence[Sequence[Cluster]]) -> Mix:
    """Means of what gives, sums of what reads."""
    most = max(len(cluster) for clusters in turns for cluster in clusters)

    def terms(clusters: Sequence[Cluster], mean: bool) -> tuple[Term, ...]:
        return tuple(
            (
                tuple(cluster[at] if at < len(cluster) else cluster[0] for cluster in clusters),
                tuple((1 / len(c) if mean else 1.0) if at < len(c) else 0.0 for c in clusters),
            )
            for at in range(most)
        )

    return Mix(tuple(terms(each, True) for each in turns), tuple(terms(each, False) for each in turns))

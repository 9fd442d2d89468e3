"""What a channel of a group is worth: its weights, its scales in norms, or what the loss would do without it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import sqrt

from ogive.compiler.analysis.groups.coupled import CoupledGroup
from ogive.compiler.ir.model import Graph
from ogive.compiler.ir.weights import WeightInfo
from ogive.compiler.passes.conversion.looks import Looks

NORMS = {"batch_norm": 3, "batch_norm_train": 1, "group_norm": 1}  # at which operand the scale is
Rows = tuple[tuple[float, ...], ...]  # for each iteration, a number for each channel


@dataclass(frozen=True, slots=True)
class Scored:
    """A group and what each of its channels is worth, in each iteration of its loop."""

    group: CoupledGroup
    scores: Rows


@dataclass(frozen=True, slots=True)
class Saliency:
    """Sums over all learned entries of channels of groups; `scales` are the weights that count, where not all do."""

    infos: Mapping[str, WeightInfo]
    looks: Looks
    scales: Mapping[str, None] | None = None
    known: dict[tuple[str, str], Rows] = field(default_factory=dict)

    def scored(self, by: str, groups: Sequence[CoupledGroup]) -> list[Scored]:
        """The groups with their scores."""
        if by == "hesso":
            return self._mixed(groups)
        return [Scored(group, SCORES[by](self, group)) for group in groups]

    def sums(self, what: str, group: CoupledGroup) -> Rows:
        """For each channel a sum over its entries; of a group that all iterations share, over all of these."""
        key = (what, group.name)
        if key not in self.known:
            channels = group.channels.number
            turns = self.infos[group.places[0].path].count if group.loop else 1
            total = [[0.0] * channels for _ in range(turns)]
            for place in group.places:
                info = self.infos[place.path]
                if info.kind != "param" or (self.scales is not None and place.path not in self.scales):
                    continue
                for turn, found in enumerate(self.looks.sums(what, place.path, place.axis)):
                    row = total[turn if group.loop else 0]
                    for channel in range(channels):
                        row[channel] += sum(found[at] for at in place.index.indices(channel))
            self.known[key] = tuple(tuple(row) for row in total)
        return self.known[key]

    def entries(self, group: CoupledGroup) -> int:
        """How many learned numbers a channel has."""
        found = 0
        for place in group.places:
            info = self.infos[place.path]
            if info.kind == "param":
                inside = len(place.index.indices(0)) * (1 if group.loop else info.count)
                found += info.elements // info.count // info.shape[place.axis] * inside
        return found

    def _mixed(self, groups: Sequence[CoupledGroup]) -> list[Scored]:
        """HESSO (Chen et al. 2024, arXiv:2409.09085): five scores, each over its norm over all channels, a fifth each.

        They are |w|, |w| / √n, cos(w, g) + 1, |w·g| and (w·g)² / 2 of the entries w of a channel and their gradient g.
        """
        mixed = [[[0.0] * len(row) for row in self.sums("energy", group)] for group in groups]
        for score in FIVE:
            found = [score(self, group) for group in groups]
            norm = sqrt(sum(each * each for rows in found for row in rows for each in row)) or 1.0
            for rows, total in zip(found, mixed, strict=True):
                for row, sums in zip(rows, total, strict=True):
                    for at, each in enumerate(row):
                        sums[at] += each / norm / len(FIVE)
        return [Scored(group, tuple(tuple(row) for row in total)) for group, total in zip(groups, mixed, strict=True)]


Score = Callable[[Saliency, CoupledGroup], Rows]


def magnitude(of: Saliency, group: CoupledGroup) -> Rows:
    """The norm of the entries, over its mean in the group."""
    return tuple(_over_mean([sqrt(each) for each in row]) for row in of.sums("energy", group))


def taylor(of: Saliency, group: CoupledGroup) -> Rows:
    """|w·g|: how the loss changes without the channel, to first order (Molchanov et al. 2019, arXiv:1906.10771)."""
    return _each(abs, of.sums("slope", group))


def fisher(of: Saliency, group: CoupledGroup) -> Rows:
    """Σ w² / 2[F⁻¹]: how it changes, to second order (M-FAC: Frantar et al. 2021, arXiv:2107.03356)."""
    return of.sums("curvature", group)


def _norm(of: Saliency, group: CoupledGroup) -> Rows:
    return _each(sqrt, of.sums("energy", group))


def _average(of: Saliency, group: CoupledGroup) -> Rows:
    root = sqrt(of.entries(group))
    return _each(lambda each: sqrt(each) / root, of.sums("energy", group))


def _cosine(of: Saliency, group: CoupledGroup) -> Rows:
    kinds = (of.sums(what, group) for what in ("energy", "gradient", "slope"))
    return tuple(
        tuple(wg / (sqrt(ww * gg) or 1.0) + 1 for ww, gg, wg in zip(*rows, strict=True))
        for rows in zip(*kinds, strict=True)
    )


def _half_square(of: Saliency, group: CoupledGroup) -> Rows:
    return _each(lambda each: each * each / 2, of.sums("slope", group))


def _each(function: Callable[[float], float], rows: Rows) -> Rows:
    return tuple(tuple(map(function, row)) for row in rows)


SCORES: Mapping[str, Score] = {"magnitude": magnitude, "bn_scale": magnitude, "taylor": taylor, "fisher": fisher}
FIVE: tuple[Score, ...] = (_norm, _average, _cosine, taylor, _half_square)
NAMES = ("magnitude", "bn_scale", "taylor", "hesso", "fisher")


def _over_mean(row: Sequence[float]) -> tuple[float, ...]:
    mean = sum(row) / len(row)
    return tuple(each / mean for each in row) if mean > 0 else tuple(row)


def scales_of(graph: Graph) -> dict[str, None]:
    """The weights that scale channels in norms."""
    found: dict[str, None] = {}
    paths = {node.outputs[0].name: node.path for node in graph.walk() if node.op == "weight"}
    for node in graph.walk():
        at = NORMS.get(node.op)
        operand = node.inputs[at] if at is not None and at < len(node.inputs) else None
        if isinstance(operand, str) and operand in paths:
            found[paths[operand]] = None
        found.update(_scales_inside(node.regions, node.inputs, paths))
    return found


def _scales_inside(regions: Sequence[Graph], inputs: Sequence[object], paths: Mapping[str, str]) -> dict[str, None]:
    """Those that a region is handed: the arms of a phase."""
    found: dict[str, None] = {}
    for region in regions:
        handed = {
            value.name: paths[operand]
            for value, operand in zip(region.inputs, inputs, strict=False)
            if isinstance(operand, str) and operand in paths
        }
        for node in region.nodes:
            at = NORMS.get(node.op)
            operand = node.inputs[at] if at is not None and at < len(node.inputs) else None
            if isinstance(operand, str) and operand in handed:
                found[handed[operand]] = None
    return found

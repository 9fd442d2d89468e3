"""The pass `prune`: the weakest channels of coupled groups are taken away, with all that weights hold of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, sqrt

from ogive.compiler.analysis.cost.report import multiply_adds as multiply_adds_of
from ogive.compiler.analysis.groups.coupled import CoupledGroup, coupled
from ogive.compiler.analysis.provenance.dims import Dim
from ogive.compiler.analysis.provenance.domain import Provenance, provenance
from ogive.compiler.ir.model import Graph, Model
from ogive.compiler.ir.weights import WeightInfo, weights
from ogive.compiler.ir_tools.open_sizes import open_sizes
from ogive.compiler.passes.cleanup.deploy_flatten import flattened
from ogive.compiler.passes.conversion.result import Note, Passed, PassError
from ogive.compiler.passes.outline.block_names import named_after_blocks
from ogive.compiler.passes.outline.driver import in_blocks
from ogive.compiler.passes.pruning.remove import Kept, Removal, masked, shortened
from ogive.compiler.sizes import Unknown
from ogive.grammar.spelling import close

Energies = Callable[[str, int], Sequence[Sequence[float]]]  # path, axis -> for each iteration Σ w² of each entry
SCORES, SCOPES = ("magnitude", "bn_scale"), ("global", "layer")
NUMBERS = (224, 64, 32, 1024, 16, 8, 4, 2, 1)  # sizes at which multiply-adds are compared
HALVINGS, TINY = 10, 1e-9
NORMS = {"batch_norm": 3, "batch_norm_train": 1, "group_norm": 1}  # at which operand the scale is


@dataclass(frozen=True, slots=True)
class Scored:
    """A group and what each of its channels weighs, in each iteration of its loop, over their mean."""

    group: CoupledGroup
    scores: tuple[tuple[float, ...], ...]


def prune(
    model: Model, energies: Energies, *, by: str = "magnitude", keep: float | None = None,
    multiply_adds: float | None = None, scope: str = "global", round_to: int = 1,
) -> Passed:  # fmt: skip
    """Keep a share of the channels that may go (half of them), those with the largest score; or as many as leave no
    more than a share of the `multiply_adds`.

    `by` "magnitude" is the norm of all learned entries that a channel has in the group (Li et al. 2017,
    arXiv:1608.08710, over coupled weights: Fang et al. 2023, arXiv:2301.12900), "bn_scale" the size of its scales in
    batch and group norms (Liu et al. 2017, arXiv:1708.06519). With the `scope` "global" scores, over their mean in each
    group, are compared across groups, with "layer" every group keeps the share. What is kept is rounded up to a
    multiple of `round_to`. The result equals the source with 0 in the place of every entry that goes.
    """
    _options(by, keep, multiply_adds, scope, round_to)
    flat, origins = flattened(model, trained=True)
    found = provenance(flat)
    infos = {info.path: info for info in weights(model)}
    groups = coupled(found)
    scales = _scales(flat.definition.graph)
    scored, notes = [], []
    for group in groups:
        left = _left(group, scales if by == "bn_scale" else None)
        if left:
            notes.append(Note(False, group.name, left))
        else:
            scored.append(Scored(group, _scores(group, infos, energies, scales if by == "bn_scale" else None)))
    if multiply_adds is None:
        kept = _kept(scored, 0.5 if keep is None else keep, scope, round_to)
    else:
        kept = _cheap(model, found, scored, multiply_adds, lambda share: _kept(scored, share, scope, round_to))
    for each in scored:
        before, after = each.group.channels.number, len(kept[each.group.leaf][0])
        text = f"{before} -> {after} channels of {_weights(each.group)}"
        notes.append(Note(after < before, each.group.name, text))
    removal = _removal(found, kept)
    if not removal.kept:
        reasons = "; ".join(dict.fromkeys(note.text for note in notes[:3]))
        raise PassError("E0811", f"nothing of {model.name} is pruned: {reasons or 'it has no channels'}")
    result = removal.model(model.name)
    shown = in_blocks(result, origins)
    passed = Passed(shown, shortened(model, shown, removal), tuple(notes), reference=lambda: masked(model, removal))
    return named_after_blocks(passed)


def _removal(found: Provenance, kept: Mapping[Dim, Kept]) -> Removal:
    return Removal(found, {leaf: stays for leaf, stays in kept.items() if _less(leaf, stays)})


def _cheap(
    model: Model, found: Provenance, scored: Sequence[Scored], share: float, kept: Callable[[float], dict[Dim, Kept]]
) -> dict[Dim, Kept]:
    """As many channels as leave no more than a share of the multiply-adds. Raises PassError where the fewest do not."""
    sizes = _at(model)
    whole = multiply_adds_of(model).at(sizes)

    def part(some: dict[Dim, Kept]) -> float:
        return multiply_adds_of(_removal(found, some).model(model.name)).at(sizes) / max(whole, 1)

    low, high = 0.0, 1.0
    best = kept(TINY)
    least = part(best) if scored else 1.0
    if least > share:
        text = (
            f"`multiply_adds={share:g}` of `prune`: with one channel in each group {model.name} still takes {least:.2f}"
        )
        raise PassError("E0811", text)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        some = kept(middle)
        if part(some) <= share:
            low, best = middle, some
        else:
            high = middle
    return best


def _at(model: Model) -> dict[Unknown, int]:
    """Sizes of the inputs at which multiply-adds are compared: the same for all, the first that is allowed."""
    open_ = open_sizes(model)
    for number in NUMBERS:
        sizes = {**dict(model.bindings), **dict.fromkeys(open_, number)}
        if all(condition.at(sizes) for condition in model.conditions):
            return sizes
    names = ", ".join(unknown.name for unknown in open_)
    raise PassError("E0810", f"`multiply_adds` of `prune` needs numbers for {names}: `specialize` first")


def _options(by: str, keep: float | None, multiply_adds: float | None, scope: str, round_to: int) -> None:
    for name, value, known in (("by", by, SCORES), ("scope", scope, SCOPES)):
        if value not in known:
            text = f"`{name}` of `prune` is one of {', '.join(known)}, not `{value}`"
            raise PassError("E0810", text, close(value, known))
    if keep is not None and multiply_adds is not None:
        raise PassError("E0810", "`prune` takes `keep`, the share of channels, or `multiply_adds`, not both")
    for name, share in (("keep", keep), ("multiply_adds", multiply_adds)):
        if share is not None and not 0 < share <= 1:
            raise PassError("E0810", f"`{name}` is a share above 0, up to 1, not {share}")
    if round_to < 1:
        raise PassError("E0810", f"`round_to` is a number of channels from 1 on, not {round_to}")


def _left(group: CoupledGroup, scales: Mapping[str, None] | None) -> str:
    """Why a group stays as it is."""
    if group.prunable != "yes":
        return (group.frozen or group.seen)[0].reason
    if not group.channels.is_number:
        return "how many channels it has depends on the inputs"
    if scales is not None and not any(place.path in scales for place in group.places):
        return "no batch norm or group norm scales it"
    return ""


def _weights(group: CoupledGroup) -> str:
    paths = list(dict.fromkeys(place.path for place in group.places))
    more = f" and {len(paths) - 2} more" if len(paths) > 2 else ""
    return ", ".join(paths[:2]) + more


def _scales(graph: Graph) -> dict[str, None]:
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


def _scores(
    group: CoupledGroup, infos: Mapping[str, WeightInfo], energies: Energies, scales: Mapping[str, None] | None
) -> tuple[tuple[float, ...], ...]:
    """What each channel weighs; of a group that all iterations share, in all of them together."""
    channels = group.channels.number
    turns = infos[group.places[0].path].count if group.loop else 1
    total = [[0.0] * channels for _ in range(turns)]
    for place in group.places:
        info = infos[place.path]
        if info.kind != "param" or (scales is not None and place.path not in scales):
            continue
        for turn, squares in enumerate(energies(place.path, place.axis)):
            row = total[turn if group.loop else 0]
            for channel in range(channels):
                row[channel] += sum(squares[at] for at in place.index.indices(channel))
    return tuple(_over_mean([sqrt(each) for each in row]) for row in total)


def _over_mean(row: Sequence[float]) -> tuple[float, ...]:
    mean = sum(row) / len(row)
    return tuple(each / mean for each in row) if mean > 0 else tuple(row)


def _kept(scored: Sequence[Scored], keep: float, scope: str, round_to: int) -> dict[Dim, Kept]:
    """The channels that stay, in each iteration as many."""
    every = sorted((score for each in scored for row in each.scores for score in row), reverse=True)
    least = every[max(ceil(keep * len(every)), 1) - 1] if every else 0.0
    found: dict[Dim, Kept] = {}
    for each in scored:
        channels = each.group.channels.number
        if scope == "global":
            wanted = max(sum(score >= least for score in row) for row in each.scores)
        else:
            wanted = ceil(keep * channels)
        count = min(channels, -(-max(wanted, 1) // round_to) * round_to)
        found[each.group.leaf] = tuple(_best(row, count) for row in each.scores)
    return found


def _best(row: Sequence[float], count: int) -> tuple[int, ...]:
    """The places of the largest, in their order; of equals the first."""
    order = sorted(range(len(row)), key=lambda at: (-row[at], at))
    return tuple(sorted(order[:count]))


def _less(leaf: Dim, kept: Kept) -> bool:
    return len(kept[0]) < leaf.found.size.number

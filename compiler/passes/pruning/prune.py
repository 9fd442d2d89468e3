"""The pass `prune`: the weakest channels of coupled groups are taken away, with all that weights hold of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import ceil

from ogive.compiler.analysis.cost.report import multiply_adds as multiply_adds_of
from ogive.compiler.analysis.groups.coupled import CoupledGroup, coupled
from ogive.compiler.analysis.provenance.dims import Dim
from ogive.compiler.analysis.provenance.domain import Provenance, provenance
from ogive.compiler.ir.model import Model
from ogive.compiler.ir.weights import weights
from ogive.compiler.ir_tools.open_sizes import open_sizes
from ogive.compiler.passes.cleanup.deploy_flatten import flattened
from ogive.compiler.passes.conversion.looks import Looks
from ogive.compiler.passes.conversion.result import Note, Passed, PassError
from ogive.compiler.passes.outline.block_names import named_after_blocks
from ogive.compiler.passes.outline.driver import in_blocks
from ogive.compiler.passes.pruning.constants import left_over
from ogive.compiler.passes.pruning.remove import Kept, Removal, masked, shortened
from ogive.compiler.passes.pruning.saliency import NAMES, Saliency, Scored, scales_of
from ogive.compiler.sizes import Unknown
from ogive.grammar.spelling import close

SCOPES = ("global", "layer", "scale")
NUMBERS = (224, 64, 32, 1024, 16, 8, 4, 2, 1)  # sizes at which multiply-adds are compared
HALVINGS, TINY = 10, 1e-9


def prune(
    model: Model, looks: Looks, *, by: str = "magnitude", keep: float | None = None,
    multiply_adds: float | None = None, scope: str = "global", round_to: int = 1,
) -> Passed:  # fmt: skip
    """Keep a share of the channels that may go (half of them), those with the largest score; or as many as leave no
    more than a share of the `multiply_adds`.

    `by` "magnitude" is the norm of all learned entries that a channel has in the group (Li et al. 2017,
    arXiv:1608.08710, over coupled weights: Fang et al. 2023, arXiv:2301.12900), "bn_scale" the size of its scales in
    batch and group norms (Liu et al. 2017, arXiv:1708.06519), both over their mean in each group; "taylor", "fisher"
    and "hesso" ask how the loss on data changes (`saliency`). With the `scope` "global" scores are compared across
    groups, with "scale" across those of features of one size, with "layer" every group keeps the share. What is kept is
    rounded up to a multiple of `round_to`. The result equals the source with 0 in the place of every entry that goes;
    where a function of 0 is not 0, what it gives goes into the bias of the map that reads it.
    """
    _options(by, keep, multiply_adds, scope, round_to)
    flat, origins = flattened(model, trained=True)
    found = provenance(flat)
    infos = {info.path: info for info in weights(model)}
    scales = scales_of(flat.definition.graph) if by == "bn_scale" else None
    asked, notes = [], []
    for group in coupled(found):
        left = _left(group, scales)
        if left:
            notes.append(Note(False, group.name, left))
        else:
            asked.append(group)
    scored = Saliency(infos, looks, scales).scored(by, asked)
    parts = partition(found, scored, scope)
    if multiply_adds is None:
        kept = _kept(parts, 0.5 if keep is None else keep, scope, round_to)
    else:
        kept = _cheap(model, found, scored, multiply_adds, lambda share: _kept(parts, share, scope, round_to))
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
    more = left_over(found, removal.kept)
    notes += [
        Note(True, each.bias, f"{each.constant:g} of each channel that goes, times {each.weight}") for each in more
    ]
    made = shortened(model, shown, removal, more=more)
    passed = Passed(shown, made, tuple(notes), reference=lambda: masked(model, removal, more))
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
    for name, value, known in (("by", by, NAMES), ("scope", scope, SCOPES)):
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


def partition(found: Provenance, scored: Sequence[Scored], scope: str) -> list[list[Scored]]:
    """Groups whose scores are compared: all, each for itself, or those of one scale of features."""
    parts: dict[object, list[Scored]] = {}
    for at, each in enumerate(scored):
        key = at if scope == "layer" else _scale(found, each.group.leaf) if scope == "scale" else ()
        parts.setdefault(key, []).append(each)
    return list(parts.values())


def _scale(found: Provenance, leaf: Dim) -> tuple[str, ...]:
    """How many places features have, where these channels are first met in images; () where they never are."""
    for dims in found.values.values():
        if len(dims) > 2 and any(each is leaf for each in dims[1].leaves()):
            return tuple(str(dim.found.size) for dim in dims[2:])
    return ()


def _kept(parts: Sequence[Sequence[Scored]], keep: float, scope: str, round_to: int) -> dict[Dim, Kept]:
    """The channels that stay, in each iteration as many."""
    kept: dict[Dim, Kept] = {}
    for part in parts:
        every = sorted((score for each in part for row in each.scores for score in row), reverse=True)
        least = every[max(ceil(keep * len(every)), 1) - 1]
        for each in part:
            channels = each.group.channels.number
            above = max(sum(score >= least for score in row) for row in each.scores)
            wanted = ceil(keep * channels) if scope == "layer" else above
            count = min(channels, -(-max(wanted, 1) // round_to) * round_to)
            kept[each.group.leaf] = tuple(_best(row, count) for row in each.scores)
    return kept


def _best(row: Sequence[float], count: int) -> tuple[int, ...]:
    """The places of the largest, in their order; of equals the first."""
    order = sorted(range(len(row)), key=lambda at: (-row[at], at))
    return tuple(sorted(order[:count]))


def _less(leaf: Dim, kept: Kept) -> bool:
    return len(kept[0]) < leaf.found.size.number

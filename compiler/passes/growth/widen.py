"""The pass `widen`: groups of coupled channels grow, and the network computes what it did."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from math import ceil

from ogive.compiler.analysis.groups.coupled import CoupledGroup, coupled
from ogive.compiler.analysis.provenance.dims import Dim
from ogive.compiler.analysis.provenance.domain import Provenance, provenance
from ogive.compiler.analysis.provenance.zeros import Zeros, visible
from ogive.compiler.ir.model import Model
from ogive.compiler.ir.weights import weights
from ogive.compiler.passes.cleanup.deploy_flatten import flattened
from ogive.compiler.passes.conversion.result import Note, Passed, PassError
from ogive.compiler.passes.outline.block_names import named_after_blocks
from ogive.compiler.passes.outline.driver import in_blocks
from ogive.compiler.passes.pruning.remove import Kept, Removal, shortened

LARGEST = 64.0  # times as many channels


def widen(model: Model, *, factor: float = 2.0, of: str = "*", round_to: int = 1) -> Passed:
    """Each group of channels `factor` times as wide; `of` is a pattern of paths, that of a weight that gives them.

    A new channel is a copy of an old one, in turn, but 0 in the weights by which others read it: those that must be 0
    lest something be added to what was computed, as few as that takes. So the result equals the source, and a new
    channel differs from the one that it copies as soon as its readers have learned. Net2WiderNet (Chen et al. 2016,
    arXiv:1511.05641) shares the readers' weights among the copies, which stay equal unless noise parts them. Channels
    that an operation sees all together (a layer norm over them, softmax, an input, an output) stay as many; how many
    there are is rounded up to a multiple of `round_to`.
    """
    if not 1 < factor <= LARGEST:
        raise PassError("E0810", f"`factor` is a number above 1, up to {LARGEST:g}, not {factor:g}")
    if round_to < 1:
        raise PassError("E0810", f"`round_to` is a number of channels from 1 on, not {round_to}")
    flat, origins = flattened(model, trained=True)
    found = provenance(flat)
    params = [info.path for info in weights(model) if info.kind == "param"]
    counts = {info.path: info.count for info in weights(model)}
    groups = coupled(found)
    zeroed = _zeroed(found, {group.leaf for group in groups if not _left(group)}, params)
    asked = [group for group in groups if any(fnmatchcase(path, of) for path in _givers(group, zeroed))]
    if not asked:
        raise PassError("E0811", f"no channels of {model.name} come from a weight `{of}`")
    notes = [Note(False, group.name, reason) for group in asked if (reason := _left(group))]
    kept: dict[Dim, Kept] = {}
    for group in asked:
        if _left(group):
            continue
        before = group.channels.number
        after = -(-ceil(factor * before) // round_to) * round_to
        readers = [path for path, leaves in zeroed.items() if group.leaf in leaves]
        if not readers:
            notes.append(Note(False, group.name, "no weight reads them alone"))
            continue
        turns = counts[group.places[0].path] if group.loop else 1
        kept[group.leaf] = (tuple(at % before for at in range(after)),) * turns
        notes.append(Note(True, group.name, f"{before} -> {after} channels; 0 at first: {_some(readers)}"))
    if not kept:
        reasons = "; ".join(dict.fromkeys(note.text for note in notes[:3]))
        raise PassError("E0811", f"nothing of {model.name} is widened: {reasons}")
    growth = Removal(found, kept)

    def factors(path: str, dim: Dim) -> Sequence[float] | None:
        new = list(_new(growth, dim, zeroed.get(path, frozenset())))
        return [float(not each) for each in new] if any(new) else None

    result = growth.model(model.name)
    shown = in_blocks(result, origins)
    return named_after_blocks(Passed(shown, shortened(model, shown, growth, factors), tuple(notes)))


def _left(group: CoupledGroup) -> str:
    """Why a group stays as it is."""
    if group.prunable != "yes":
        return (group.frozen or group.seen)[0].reason
    return "" if group.channels.is_number else "how many channels it has depends on the inputs"


def _givers(group: CoupledGroup, zeroed: Mapping[str, Zeros]) -> list[str]:
    """The weights of a group that do not read its channels."""
    return [place.path for place in group.places if group.leaf not in zeroed.get(place.path, ())]


def _some(paths: Sequence[str]) -> str:
    return ", ".join(paths[:2]) + (f" and {len(paths) - 2} more" if len(paths) > 2 else "")


def _zeroed(found: Provenance, leaves: set[Dim], params: Sequence[str]) -> dict[str, Zeros]:
    """At which leaves each weight must be 0 where a channel is new: as few as there can be, the last in the source."""
    zeroed = {
        path: frozenset(leaf for dim in found.weights[path] for leaf in dim.leaves()) & leaves
        for path in params
        if path in found.weights
    }
    always = visible(found, zeroed).keys() & leaves  # statistics alone are no weights that can be 0
    zeroed = {path: own - always for path, own in zeroed.items()}
    for path, own in list(zeroed.items()):
        if own:
            seen = visible(found, {**zeroed, path: frozenset()})
            zeroed[path] = frozenset(leaf for leaf in own if leaf in seen)
    return zeroed


def _new(growth: Removal, dim: Dim, zeroed: Zeros) -> Iterator[bool]:
    """Which entries of a dimension, as long as it is then, belong to new channels of these leaves."""
    here = dim.found
    if not here.kind:
        before, after = here.size.number, growth.size(here).number
        yield from (at >= before and here in zeroed for at in range(after))
    elif here.kind == "joined":
        for part in here.parts:
            yield from _new(growth, part, zeroed)
    else:
        found = [False]
        for part in here.parts:
            inner = list(_new(growth, part, zeroed))
            found = [outer or each for outer in found for each in inner]
        yield from found

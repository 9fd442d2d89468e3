"""The passes `shrink` and `drop_layers`: a smaller network to train, whatever the weights are."""

from __future__ import annotations

from dataclasses import replace
from fnmatch import fnmatchcase
from math import ceil

from ogive.compiler.analysis.groups.coupled import coupled
from ogive.compiler.analysis.provenance.dims import Dim
from ogive.compiler.analysis.provenance.domain import provenance
from ogive.compiler.ir.attributes import RepeatAttrs
from ogive.compiler.ir.model import Graph, Init, Loop, Model, Node, Weight
from ogive.compiler.ir.substitute import Fresh
from ogive.compiler.ir.weights import weights
from ogive.compiler.passes.cleanup.deploy_flatten import flattened
from ogive.compiler.passes.conversion.graph import conversion
from ogive.compiler.passes.conversion.result import Note, Passed, PassError
from ogive.compiler.passes.conversion.scope import ConversionScope
from ogive.compiler.passes.outline.block_names import named_after_blocks
from ogive.compiler.passes.outline.driver import in_blocks
from ogive.compiler.passes.pruning.remove import Kept, Removal, shortened, whole_weight
from ogive.compiler.sizes import size
from ogive.grammar.spelling import close


def shrink(model: Model, *, factor: float = 0.5, of: str = "*", round_to: int = 1, tolerance: float = 0.0) -> Passed:
    """Each group of channels with so large a part of them, the first ones: the step of N2N (Ashok et al. 2018,
    arXiv:1709.06030) that makes a student of a teacher. `of` is a pattern of paths, that of a weight of the group.
    """
    if not 0 < factor < 1:
        raise PassError("E0810", f"`factor` of `shrink` is a share between 0 and 1, not {factor:g}")
    if round_to < 1:
        raise PassError("E0810", f"`round_to` is a number of channels from 1 on, not {round_to}")
    flat, origins = flattened(model, trained=True)
    found = provenance(flat)
    asked = [group for group in coupled(found) if any(fnmatchcase(place.path, of) for place in group.places)]
    kept: dict[Dim, Kept] = {}
    notes = []
    for group in asked:
        if group.frozen or not group.channels.is_number:
            reason = group.frozen[0].reason if group.frozen else "how many channels it has depends on the inputs"
            notes.append(Note(False, group.name, reason))
            continue
        before = group.channels.number
        after = min(-(-ceil(factor * before) // round_to) * round_to, before)
        notes.append(Note(after < before, group.name, f"{before} -> {after} channels"))
        if after < before:
            kept[group.leaf] = (tuple(range(after)),)
    if not kept:
        reasons = "; ".join(dict.fromkeys(note.text for note in notes[:3])) or f"no channels are those of `{of}`"
        raise PassError("E0811", f"nothing of {model.name} shrinks: {reasons}")
    removal = Removal(found, kept)
    shown = in_blocks(removal.model(model.name), origins)
    made = shortened(model, shown, removal)
    return named_after_blocks(Passed(shown, made, tuple(notes), lossy="shrink", tolerance=_tolerance(tolerance)))


def drop_layers(model: Model, *, at: str, layers: tuple[int, ...], tolerance: float = 0.0) -> Passed:
    """Iterations of the `repeat` at a path are gone; the others keep their order and their weights."""
    flat, origins = flattened(model, trained=True)
    loops = flat.definition.loops
    if at not in loops:
        known = ", ".join(loops) or "none"
        raise PassError("E0810", f"`drop_layers` finds no `repeat` at `{at}`; there are: {known}", close(at, loops))
    count = loops[at].count
    if not count.is_number:
        raise PassError("E0811", f"how often `{at}` runs depends on the inputs")
    gone = sorted(set(layers))
    if not gone or gone[0] < 0 or gone[-1] >= count.number or len(gone) >= count.number:
        text = f"`layers` are some of 0 to {count.number - 1}, not {list(layers)}; one is left at least"
        raise PassError("E0810", text)
    stays = [turn for turn in range(count.number) if turn not in gone]
    _refuse_shared(flat.definition.graph, at)
    graph = _fewer(flat.definition.graph, at, len(stays))
    members = tuple(
        replace(member, count=size(len(stays))) if isinstance(member, Loop) and member.path == at else member
        for member in flat.definition.members
    )
    result = replace(flat, definition=replace(flat.definition, graph=graph, members=members))
    shown = in_blocks(result, origins)
    root = ConversionScope("", size(1), Fresh(set()))
    depth = at.split(".").count("*")
    index = root.op("constant", list=tuple(stays))
    for info in weights(model):
        if info.path.startswith(f"{at}.*."):
            name = root.op("take", whole_weight(root, info), index, axis=depth)
            root.targets[info.path] = (name, Weight(info.path, root.types[name], info.weight.kind, Init("zeros")))
    taken, targets = root.close()
    notes = (Note(True, at, f"{count.number} -> {len(stays)} iterations: {', '.join(map(str, gone))} are gone"),)
    made = conversion(model, shown, taken, targets)
    return named_after_blocks(Passed(shown, made, notes, lossy="drop_layers", tolerance=_tolerance(tolerance)))


def _tolerance(tolerance: float) -> float:
    if tolerance < 0:
        raise PassError("E0810", f"`tolerance` is a share from 0 on, not {tolerance:g}")
    return tolerance


def _refuse_shared(graph: Graph, at: str) -> None:
    for node in graph.walk():
        told = node.structure
        if isinstance(told, RepeatAttrs) and told.path == at:
            if told.sliced or len(node.outputs) > told.carried:
                raise PassError("E0811", f"`{at}` takes or gives something for each iteration: all are needed")
            if told.index is not None:
                raise PassError("E0811", f"what `{at}` computes depends on the number of the iteration")


def _fewer(graph: Graph, at: str, count: int) -> Graph:
    def node(each: Node) -> Node:
        told = each.structure
        inside = replace(each, regions=tuple(_fewer(region, at, count) for region in each.regions))
        if isinstance(told, RepeatAttrs) and told.path == at:
            return replace(inside, structure=replace(told, count=size(count)))
        return inside

    return replace(graph, nodes=tuple(map(node, graph.nodes)))

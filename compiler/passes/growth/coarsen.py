"""The passes `coalesce` and `decoalesce`: a network with a share of the channels, and back to equal copies of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from ogive.compiler.analysis.groups.coupled import CoupledGroup, coupled
from ogive.compiler.analysis.provenance.dims import Dim
from ogive.compiler.analysis.provenance.domain import Provenance, provenance
from ogive.compiler.ir.model import Const, Graph, Model, Node
from ogive.compiler.ir.substitute import Fresh
from ogive.compiler.passes.cleanup.deploy_flatten import flattened
from ogive.compiler.passes.cleanup.flatten import Origins
from ogive.compiler.passes.conversion.result import Note, Passed, PassError
from ogive.compiler.passes.growth.mixing import Mix, Readers, Term, given_by, mixed, readers_of, uneven
from ogive.compiler.passes.outline.block_names import named_after_blocks
from ogive.compiler.passes.outline.driver import in_blocks
from ogive.compiler.passes.pruning.remove import Kept, Removal

LARGEST = 64
NORMED = "normalizes over it"  # a norm sees equal copies as it sees one of each


def coalesce(model: Model, *, factor: int = 2, of: str = "*") -> Passed:
    """One channel for each run of `factor` beside each other: their mean in weights that give them, their sum in those
    that read them. `of` is a pattern of paths, that of a weight that gives them.

    Zou et al. 2024, arXiv:2404.07999. Heads go whole. A table that a map reads too counts as what gives channels, and
    the map is multiplied by `factor`. The result equals the source with the mean of its run in the place of each
    channel, which is what `verify` compares. After `decoalesce` it gives the weights back.
    """
    plan = _planned(model, "coalesce", factor, of)
    kept: dict[Dim, Kept] = {}
    mixes, means = {}, {}
    for leaf in plan.leaves:
        before = leaf.found.size.number
        kept[leaf] = (tuple(range(0, before, factor)),)
        runs = [tuple(range(at, before, factor)) for at in range(factor)]
        mixes[leaf] = Mix((_terms(runs, 1 / factor),), (_terms(runs, 1.0),))
        whole = [tuple(at - at % factor + turn for at in range(before)) for turn in range(factor)]
        means[leaf] = Mix((_terms(whole, 1 / factor),), (_terms(whole, 1 / factor),))
    passed = plan.passed(model, kept, mixes, float(factor))
    return replace(passed, reference=lambda: mixed(model, model, plan.found, means, plan.readers))


def decoalesce(model: Model, *, factor: int = 2, of: str = "*") -> Passed:
    """Each channel `factor` times, beside each other: copies in weights that give them, equal shares in those that
    read them. The result computes what the source does, also behind norms over the channels.

    Zou et al. 2024, arXiv:2404.07999. Copies stay equal while they are trained alike: interpolate with other weights,
    or draw noise. Where channels meet without a weight (scores of attention, sums over them) they stay as many.
    """
    plan = _planned(model, "decoalesce", factor, of)
    kept: dict[Dim, Kept] = {}
    mixes = {}
    for leaf in plan.leaves:
        copies = tuple(at // factor for at in range(factor * leaf.found.size.number))
        kept[leaf] = (copies,)
        mixes[leaf] = Mix((_terms([copies], 1.0),), (_terms([copies], 1 / factor),))
    return plan.passed(model, kept, mixes, 1 / factor)


def _terms(rows: list[tuple[int, ...]], factor: float) -> tuple[Term, ...]:
    return tuple((row, (factor,) * len(row)) for row in rows)


@dataclass(frozen=True, slots=True)
class CoarsePlan:
    """A flat model, what its axes are, and the leaves whose channels change."""

    flat: Model
    origins: Origins
    found: Provenance
    readers: Readers
    leaves: tuple[Dim, ...]
    notes: tuple[Note, ...]

    def passed(self, model: Model, kept: Mapping[Dim, Kept], mixes: Mapping[Dim, Mix], by: float) -> Passed:
        """The result; maps that read a table which gives channels elsewhere are multiplied."""
        removal = Removal(self.found, kept)
        result = removal.model(model.name)
        tied = frozenset(name for name in self.readers.tied if self._reads(name))
        graph = _scaled(result.definition.graph, tied, by, Fresh.of(result.definition.graph))
        result = replace(result, definition=replace(result.definition, graph=graph))
        shown = in_blocks(result, self.origins)
        counts = {leaf: (leaf.found.size.number, mix.channels) for leaf, mix in mixes.items()}
        names = {group.leaf: group.name for group in coupled(self.found)}
        notes = [Note(True, names[leaf], f"{a} -> {b} channels") for leaf, (a, b) in counts.items()]
        made = mixed(model, shown, self.found, mixes, self.readers)
        return named_after_blocks(Passed(shown, made, (*self.notes, *notes)))

    def _reads(self, name: str) -> bool:
        """Whether what a map sums over changes."""
        maker = next(
            node for node in self.flat.definition.graph.walk() if node.outputs and node.outputs[0].name == name
        )
        dims = self.found.values[str(maker.inputs[0])]
        return any(leaf in self.leaves for leaf in dims[-1].leaves())


def _planned(model: Model, name: str, factor: int, of: str) -> CoarsePlan:
    if not 2 <= factor <= LARGEST:
        raise PassError("E0810", f"`factor` of `{name}` is a whole number from 2 to {LARGEST}, not {factor}")
    flat, origins = flattened(model, trained=True)
    found = provenance(flat)
    meets = uneven(found)
    readers = readers_of(flat)
    asked = [group for group in coupled(found) if given_by(group, readers, of)]
    if not asked:
        raise PassError("E0811", f"no channels of {model.name} come from a weight `{of}`")
    reasons = {group.leaf: _left(group, meets, factor if name == "coalesce" else 1) for group in asked}
    notes = tuple(Note(False, group.name, reasons[group.leaf]) for group in asked if reasons[group.leaf])
    leaves = tuple(group.leaf for group in asked if not reasons[group.leaf])
    if not leaves:
        raise PassError(
            "E0811", f"nothing of {model.name} changes: {'; '.join(dict.fromkeys(n.text for n in notes[:3]))}"
        )
    return CoarsePlan(flat, origins, found, readers, leaves, notes)


def _left(group: CoupledGroup, meets: Mapping[Dim, str], multiple: int) -> str:
    """Why a group stays as it is."""
    if group.frozen:
        return group.frozen[0].reason
    others = [seen.reason for seen in group.seen if not seen.reason.endswith(NORMED)]
    if others:
        return others[0]
    if group.leaf in meets:
        return meets[group.leaf]
    if not group.channels.is_number:
        return "how many channels it has depends on the inputs"
    if group.channels.number % multiple:
        return f"{group.channels.number} channels are no runs of {multiple}"
    return ""


def _scaled(graph: Graph, tied: frozenset[str], by: float, fresh: Fresh) -> Graph:
    """What some maps read is multiplied."""
    return replace(graph, nodes=tuple(each for node in graph.nodes for each in _nodes(graph, node, tied, by, fresh)))


def _nodes(graph: Graph, node: Node, tied: frozenset[str], by: float, fresh: Fresh) -> Iterator[Node]:
    inside = tuple(_scaled(region, tied, by, fresh) for region in node.regions)
    node = replace(node, regions=inside)
    if not node.outputs or node.outputs[0].name not in tied:
        yield node
        return
    read = graph.values[str(node.inputs[0])]
    more = replace(read, name=fresh.name("scaled"))
    yield Node("mul", (read.name, Const(by)), (more,), span=node.span)
    yield replace(node, inputs=(more.name, *node.inputs[1:]))

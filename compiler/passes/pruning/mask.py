"""The pass `mask`: entries of weights are 0, in a pattern; shapes stay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import floor, prod

from ogive.compiler.ir.attributes import WeightAttrs
from ogive.compiler.ir.model import Graph, Init, Member, Model, Node, Value, Weight
from ogive.compiler.ir.substitute import Fresh
from ogive.compiler.ir.types import Axis, TensorType
from ogive.compiler.ir.weights import WeightInfo, weights
from ogive.compiler.passes.cleanup.deploy_flatten import flattened
from ogive.compiler.passes.conversion.graph import Conversion, conversion
from ogive.compiler.passes.conversion.result import Note, Passed, PassError
from ogive.compiler.passes.conversion.scope import ConversionScope
from ogive.compiler.passes.outline.block_names import named_after_blocks
from ogive.compiler.passes.outline.driver import in_blocks
from ogive.compiler.passes.pruning.patterns import PATTERNS, Units, mask_of, units_of
from ogive.compiler.passes.quantization.sites import kept_as_it_is, learned, linear_maps
from ogive.compiler.sizes import size
from ogive.grammar.spelling import close

DISTRIBUTIONS = ("uniform", "erk")


def mask(
    model: Model, *, pattern: str = "unstructured", density: float = 0.5, distribution: str = "uniform",
    dynamic: bool = False, m: int = 4, side: int = 4, keep: tuple[str, ...] | str = (),
) -> Passed:  # fmt: skip
    """The weights of linear maps with 0 in the place of what is smallest, so that a share `density` is left.

    `pattern` "unstructured" chooses entries, "n_m" of each `m` inputs beside each other, "block" squares of `side`
    outputs and inputs, "channel" outputs. `distribution` "uniform" gives each weight the share, "erk" more to small
    ones, in proportion to the sum of the axes over their product (Evci et al. 2020, arXiv:1911.11134), the same in
    all. The mask is a state, made from the weights; `dynamic` makes it anew from these in each run, and gradients go
    to all of them. `keep` are patterns of paths that stay as they are. The result equals the source with these entries
    0, and `analyze cost` counts the multiply-adds of what is left.
    """
    _options(pattern, density, distribution, m, side)
    flat, origins = flattened(model, trained=True)
    infos = {info.path: info for info in weights(flat)}
    notes: list[Note] = []
    units = _units(flat, infos, (keep,) if isinstance(keep, str) else keep, pattern, (m, side), notes)
    if not units:
        reasons = "; ".join(dict.fromkeys(note.text for note in notes[:3])) or "no linear map reads a learned weight"
        raise PassError("E0811", f"nothing of {model.name} is masked: {reasons}")
    counts = _counts(units, infos, density, distribution)
    states = {} if dynamic else {path: _state(infos, path) for path in units}
    graph = _Masking(units, counts, states, Fresh.of(flat.definition.graph)).graph(flat.definition.graph)
    members: list[Member] = []
    for member in flat.definition.members:
        path = member.path
        if isinstance(member, Weight) and member.init.reads_weights:  # of a block that the mask may take apart
            member = replace(member, init=Init("zeros"))
        if isinstance(member, Weight) and path in units:
            members.append(replace(member, nonzero=counts[path] * units[path].entries))
            members += [states[path]] if path in states else []
        else:
            members.append(member)
    result = replace(flat, definition=replace(flat.definition, graph=graph, members=tuple(members)))
    shown = in_blocks(result, origins)
    for path, each in units.items():
        total, left = infos[path].elements // infos[path].count, counts[path] * each.entries
        notes.append(Note(True, path, f"{left:,} of {total:,} entries are left"))
    made = _conversion(model, shown, infos, units, counts, {path: state.path for path, state in states.items()})
    passed = Passed(
        shown, made, tuple(notes), reference=lambda: _conversion(model, model, infos, units, counts, {})
    )  # fmt: skip
    return named_after_blocks(passed)


def _options(pattern: str, density: float, distribution: str, m: int, side: int) -> None:
    for name, value, known in (("pattern", pattern, PATTERNS), ("distribution", distribution, DISTRIBUTIONS)):
        if value not in known:
            text = f"`{name}` of `mask` is one of {', '.join(known)}, not `{value}`"
            raise PassError("E0810", text, close(value, known))
    if not 0 < density <= 1:
        raise PassError("E0810", f"`density` is a share above 0, up to 1, not {density:g}")
    if m < 2 or side < 1:
        raise PassError("E0810", f"`m` is a number from 2 on, `side` one from 1 on, not {m} and {side}")
    if pattern == "n_m" and (abs(density * m - round(density * m)) > 1e-9 or round(density * m) < 1):
        raise PassError(
            "E0810", f"of {m} entries `density={density:g}` leaves {density * m:g}: a whole number is asked"
        )
    if pattern == "n_m" and distribution != "uniform":
        raise PassError("E0810", "`pattern=n_m` leaves as many of each m everywhere: `distribution=uniform`")


def _units(
    flat: Model, infos: Mapping[str, WeightInfo], keep: Sequence[str], pattern: str, sizes: tuple[int, int],
    notes: list[Note],
) -> dict[str, Units]:  # fmt: skip
    """What goes or stays together in each weight that is masked."""
    known, found = learned(flat), dict[str, Units]()
    graphs = [flat.definition.graph, *(region for node in flat.definition.graph.walk() for region in node.regions)]
    paths = dict.fromkeys(path for graph in graphs for each in linear_maps(graph) for path in each.weights.values())
    for path in paths:
        if path not in known:
            continue
        if kept_as_it_is(path, keep):
            notes.append(Note(False, path, "`keep` names it"))
            continue
        units = units_of(pattern, infos[path].shape, *sizes)
        if isinstance(units, str):
            notes.append(Note(False, path, units))
        else:
            found[path] = units
    return found


def _counts(
    units: Mapping[str, Units], infos: Mapping[str, WeightInfo], density: float, distribution: str
) -> dict[str, int]:
    """How many units of each weight are left; entries together as near to the share as units allow."""
    shares = dict.fromkeys(units, density)
    if distribution == "erk":
        shares = erk({path: infos[path].shape for path in units}, {path: infos[path].count for path in units}, density)
    exact = {path: shares[path] * each.count for path, each in units.items()}
    counts = {path: max(floor(number + 1e-9), 1) for path, number in exact.items()}
    sizes = {path: each.entries * infos[path].count for path, each in units.items()}
    wanted = density * sum(sizes[path] * each.count for path, each in units.items())
    for path in sorted(units, key=lambda path: (counts[path] - exact[path], path)):
        have = sum(counts[each] * sizes[each] for each in units)
        if counts[path] < units[path].count and counts[path] < exact[path] and have + sizes[path] / 2 <= wanted:
            counts[path] += 1
    return counts


def erk(shapes: Mapping[str, Sequence[int]], many: Mapping[str, int], density: float) -> dict[str, float]:
    """Shares in proportion to the sum of the axes over their product; what would be above 1 is 1."""
    raw = {path: sum(shape) / prod(shape) for path, shape in shapes.items()}
    sizes = {path: prod(shape) * many[path] for path, shape in shapes.items()}
    full: set[str] = set()
    while True:
        budget = density * sum(sizes.values()) - sum(sizes[path] for path in full)
        factor = budget / (sum(raw[path] * sizes[path] for path in raw if path not in full) or 1.0)
        above = {path for path in raw if path not in full and factor * raw[path] > 1}
        if not above:
            return {path: 1.0 if path in full else factor * raw[path] for path in raw}
        full |= above


def _state(infos: Mapping[str, WeightInfo], path: str) -> Weight:
    """The mask of a weight, at a free path."""
    name = f"{path}_mask"
    while name in infos:
        name += "_"
    type = TensorType("float", tuple(Axis(size(number)) for number in infos[path].shape))
    return Weight(name, type, "state", Init("ones"))


@dataclass(slots=True)
class _Masking:
    """Puts a product with a mask behind each reading of a weight; without a state the mask is computed there."""

    units: Mapping[str, Units]
    counts: Mapping[str, int]
    states: Mapping[str, Weight]
    fresh: Fresh

    def graph(self, graph: Graph) -> Graph:
        """A graph and those in it."""
        nodes: list[Node] = []
        for node in graph.nodes:
            told = node.structure
            if isinstance(told, WeightAttrs) and node.path in self.units and not told.stacked:
                nodes += self.masked(node)
            else:
                nodes.append(replace(node, regions=tuple(map(self.graph, node.regions))))
        return Graph(graph.inputs, tuple(nodes), graph.outputs)

    def masked(self, node: Node) -> list[Node]:
        """The weight under another name, its mask, and the product under the name of the weight."""
        (value,) = node.outputs
        scope = ConversionScope("", size(1), self.fresh)
        plain = Value(self.fresh.name("weight"), value.type)
        scope.add(replace(node, outputs=(plain,)))
        if node.path in self.states:
            state = self.states[node.path]
            held = Value(self.fresh.name("mask"), value.type)
            scope.add(Node.of(WeightAttrs(state.path, 0), (), (held,)))
            last = scope.op("mul", plain.name, held.name)
        else:
            whole = scope.op("stop_gradient", plain.name)
            kept = scope.op("mul", whole, mask_of(scope, whole, self.units[node.path], self.counts[node.path], 0))
            last = scope.op("add", plain.name, scope.op("sub", kept, whole))
        *before, final = scope.nodes
        assert final.outputs[0].name == last, final
        return [*before, replace(final, outputs=(value,), span=node.span)]


def _conversion(
    source: Model, result: Model, infos: Mapping[str, WeightInfo], units: Mapping[str, Units],
    counts: Mapping[str, int], states: Mapping[str, str],
) -> Conversion:  # fmt: skip
    """Masks from weights; or where there are no states, weights times their masks."""
    root = ConversionScope("", size(1), Fresh(set()))
    for path, each in units.items():
        info = infos[path]
        if result is not source and path not in states:
            continue  # dynamic: the weights are as they were
        loops = len(info.iterations)
        type = TensorType(info.elem, tuple(Axis(size(number)) for number in (*info.iterations, *info.shape)))
        value = Value(root.fresh.name("weight"), type)
        root.add(Node.of(WeightAttrs(path, loops), (), (value,)))
        made = mask_of(root, value.name, each, counts[path], loops)
        if path in states:
            root.targets[states[path]] = (made, Weight(states[path], type, "state", Init("ones")))
        else:
            product = root.op("mul", value.name, made)
            root.targets[path] = (product, Weight(path, type, "param", Init("zeros")))
    taken, targets = root.close()
    return conversion(source, result, taken, targets)

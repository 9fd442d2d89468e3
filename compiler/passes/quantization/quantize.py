"""The pass `quantize`: weights, and what maps read and give, are rounded to 256 steps, as integers of 8 bits have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from ogive.compiler.ir.attributes import ChoiceAttrs, LoopAttrs, WeightAttrs
from ogive.compiler.ir.model import Graph, Init, Member, Model, Node, Value, Weight
from ogive.compiler.ir.substitute import Fresh
from ogive.compiler.ir.types import Axis, TensorType
from ogive.compiler.ir.weights import WeightInfo, weights
from ogive.compiler.passes.cleanup.deploy_flatten import flattened
from ogive.compiler.passes.conversion.compose import chained
from ogive.compiler.passes.conversion.graph import Conversion, conversion
from ogive.compiler.passes.conversion.looks import Looks, Span
from ogive.compiler.passes.conversion.result import Note, Passed, PassError
from ogive.compiler.passes.conversion.scope import ConversionScope
from ogive.compiler.passes.outline.block_names import named_after_blocks
from ogive.compiler.passes.outline.driver import in_blocks
from ogive.compiler.passes.quantization.sites import (
    LinearMap,
    SteppedClasses,
    channel_axis,
    kept_as_it_is,
    learned,
    linear_maps,
    result_site,
)
from ogive.compiler.passes.quantization.steps import LARGEST, LEAST, MOST, SCALAR, RoundedSteps, Rounding
from ogive.compiler.passes.weight_folding.driver import fold
from ogive.compiler.sizes import size
from ogive.grammar.spelling import close

TARGETS = ("onnx",)
TINY = 1e-30  # the step of a channel of zeros


def quantize(
    model: Model, looks: Looks, *, to: str = "onnx", keep: tuple[str, ...] | str = (), activations: bool = True,
    tolerance: float = 0.0,
) -> Passed:  # fmt: skip
    """Weights of linear maps in 8 bits, and what these read and give, on steps that data choose.

    x becomes (clip(round(x / s) + z) - z) s. Of a weight s is the largest number of each channel of the result over
    127, and z = 0; of all else the span that data show, with 0 in it, over 255 steps (Jacob et al. 2018,
    arXiv:1712.05877). What is only moved, or laid beside each other, has the same steps. The model is folded first;
    `keep` are patterns of paths of weights, or of blocks, whose maps stay as they are. An ONNX file has the weights in
    8 bits. Lossy: what is lost is reported, and the result is written where it is at most `tolerance` of the largest
    number of an output, or where losses are allowed.
    """
    if to not in TARGETS:
        raise PassError("E0810", *_no_target(to))
    if tolerance < 0:
        raise PassError("E0810", f"`tolerance` of `quantize` is a share from 0 on, not {tolerance:g}")
    first = fold(model)
    flat, origins = flattened(first.model)
    plan = _Plan(flat, (keep,) if isinstance(keep, str) else keep, activations)
    plan.graph(flat.definition.graph)
    if not plan.stepped:
        raise PassError("E0811", f"nothing of {model.name} is quantized: {plan.why}")
    spans = _spans(first.conversion, flat, plan, looks) if plan.zeros else {}
    graph = plan.rounding.graph(flat.definition.graph)
    result = replace(flat, definition=replace(flat.definition, graph=graph, members=_members(flat, plan.states)))
    shown = in_blocks(result, origins)
    step = _conversion(first.model, shown, plan, spans, {info.path: info for info in weights(result)})
    notes = (*(note for note in first.notes if note.done), *plan.notes)
    made = Passed(
        shown, chained(first.conversion, step), notes, deployed=True, lossy="quantize", tolerance=tolerance
    )  # fmt: skip
    return named_after_blocks(made)


def _no_target(to: str) -> tuple[str, str]:
    if to == "torchao":
        return (
            "`quantize[to=torchao]` is not written: its kernels need a GPU, or a compiler when they run",
            'call `torchao.quantization.quantize_` on `model.deploy("fold").torch()`: its layers are nn.Linear',
        )
    return f"`to` of `quantize` is onnx, not `{to}`", close(to, TARGETS)


@dataclass(slots=True)
class _Plan:
    """What is rounded: steps by the stem of their states; `stepped` are the weights, by path."""

    model: Model
    keep: Sequence[str]
    activations: bool
    rounding: Rounding = field(init=False)
    learned: dict[str, Weight] = field(init=False)
    stepped: dict[str, RoundedSteps] = field(default_factory=dict)
    states: dict[str, Weight] = field(default_factory=dict)
    zeros: dict[str, str] = field(default_factory=dict)  # the scale of results -> the offset
    notes: list[Note] = field(default_factory=list)
    why: str = "no linear map reads a learned weight"

    def __post_init__(self) -> None:
        self.rounding, self.learned = Rounding(Fresh.of(self.model.definition.graph)), learned(self.model)

    def graph(self, graph: Graph) -> None:
        """Plan a graph, and those in it that run once for each of their readings."""
        maps = [each for each in linear_maps(graph) if self._asked(each)]
        classes = SteppedClasses(graph)
        sites: list[tuple[str, str, tuple[str, int] | None]] = []  # value, stem, reader where it is for one alone
        for each in maps:
            for at, path in each.weights.items():
                self._weight(graph, each, at, path)
            path = next(iter(each.weights.values()))  # beside the weight, since nothing can stand below one
            stem = path.removesuffix("weight") if path.endswith(".weight") else f"{path}_"
            result = result_site(graph, each)
            if result is not None:
                sites.append((result, f"{stem}output", None))
            for number, at in enumerate(each.others):
                name = f"{stem}input" if not number else f"{stem}input_{number + 1}"
                sites.append((str(each.node.inputs[at]), name, (each.node.outputs[0].name, at)))
        if self.activations:
            self._results(graph, classes, sites)
        self._weights_read(graph)
        for node in graph.nodes:
            if isinstance(node.structure, LoopAttrs | ChoiceAttrs):
                for region in node.regions:
                    self.graph(region)
            elif node.regions:
                self.notes.append(Note(False, node.path or node.op, f"what `{node.op}` holds stays as it is"))

    def _asked(self, found: LinearMap) -> bool:
        """Whether a map is to be quantized."""
        node = found.node
        paths = list(found.weights.values())
        if any(path not in self.learned for path in paths):
            return False
        if any(kept_as_it_is(path, self.keep) for path in paths):
            self.why = "`keep` names all of its maps"
            self.notes.append(Note(False, paths[0], "`keep` names it"))
            return False
        return all(value.type.floating for value in node.outputs)

    def _weight(self, graph: Graph, found: LinearMap, at: int, path: str) -> None:
        if path in self.stepped:
            return
        axis = channel_axis(self.model, graph, found, at)
        scale = self._state(f"{path}_scale", None if axis is None else self.learned[path].type.axes[axis])
        self.stepped[path] = RoundedSteps(scale, axis=axis)
        length = "" if axis is None else f", a scale for each of {self.learned[path].type.axes[axis]}"
        self.notes.append(Note(True, path, f"8 bits{length}"))

    def _weights_read(self, graph: Graph) -> None:
        """Each reading of a weight that is rounded, by whatever reads it."""
        for node in graph.nodes:
            if isinstance(node.structure, WeightAttrs) and node.path in self.stepped and not node.structure.stacked:
                self.rounding.values[node.outputs[0].name] = self.stepped[node.path]

    def _results(
        self, graph: Graph, classes: SteppedClasses, sites: Sequence[tuple[str, str, tuple[str, int] | None]]
    ) -> None:
        for node in graph.nodes:
            if node.op == "concat":
                classes.root(node.outputs[0].name)
        known: dict[str, RoundedSteps] = {}
        for value, stem, reader in sites:
            if not graph.values[value].type.floating:
                continue
            root = classes.root(value)
            if root not in known:
                scale = self._state(f"{stem}_scale", None)
                known[root] = RoundedSteps(scale, self._state(f"{stem}_zero", None))
                self.zeros[scale] = known[root].zero
            if reader is None:
                self.rounding.values[value] = known[root]
            else:
                self.rounding.operands[reader] = known[root]

    def _state(self, path: str, axis: Axis | None) -> str:
        """A new state at a free path."""
        name, number = path, 2
        taken = {member.path for member in self.model.definition.members} | self.states.keys()
        while name in taken:
            name, number = f"{path}_{number}", number + 1
        type = SCALAR if axis is None else TensorType("float", (Axis(axis.size),))
        self.states[name] = Weight(name, type, "state", Init("ones"))
        return name


def _members(flat: Model, states: Mapping[str, Weight]) -> tuple[Member, ...]:
    """The members, with each state behind the last that stands at its place."""
    left = dict(states)
    found: list[Member] = []
    for member in reversed(flat.definition.members):
        stem = member.path.rpartition(".")[0]
        own = [path for path in left if path.rpartition(".")[0] == stem]
        found += [left.pop(path) for path in reversed(own)]
        found.append(member)
    return (*reversed(found), *left.values())


def _spans(folded: Conversion, flat: Model, plan: _Plan, looks: Looks) -> Mapping[str, Sequence[Span]]:
    """The smallest and the largest number of each value that is rounded."""
    probe = replace(plan.rounding, fresh=Fresh.of(flat.definition.graph), probing=True)
    scales = {path: plan.states[path] for path in plan.zeros}
    graph = probe.graph(flat.definition.graph)
    probed = replace(flat, definition=replace(flat.definition, graph=graph, members=_members(flat, scales)))
    root = ConversionScope("", size(1), Fresh(set()))
    infos = {info.path: info for info in weights(probed)}
    for path, weight in scales.items():
        sizes = tuple(Axis(size(number)) for number in infos[path].iterations)
        root.targets[path] = (root.op("ones", sizes=sizes), weight)
    taken, targets = root.close()
    return looks.spans(chained(folded, conversion(folded.result, probed, taken, targets)), list(scales))


def _conversion(
    source: Model, result: Model, plan: _Plan, spans: Mapping[str, Sequence[Span]], infos: Mapping[str, WeightInfo]
) -> Conversion:
    """Weights stay; steps of weights come from these, all others from data."""
    root = ConversionScope("", size(1), Fresh(set()))
    for path, steps in plan.stepped.items():
        root.targets[steps.scale] = (_weight_scale(root, infos[path], steps.axis), plan.states[steps.scale])
    for scale, zero in plan.zeros.items():
        turns = [_steps(*span) for span in spans[scale]]
        for at, path in enumerate((scale, zero)):
            numbers = [turn[at] for turn in turns]
            root.targets[path] = (_numbers(root, numbers, infos[scale].iterations), plan.states[path])
    taken, targets = root.close()
    return conversion(source, result, taken, targets)


def _weight_scale(root: ConversionScope, info: WeightInfo, axis: int | None) -> str:
    """The largest number of each channel over 127."""
    loops = len(info.iterations)
    kind = TensorType(info.elem, tuple(Axis(size(number)) for number in (*info.iterations, *info.shape)))
    from_source = WeightAttrs(info.path, loops)
    name = root.fresh.name("weight")
    root.add(Node.of(from_source, (), (Value(name, kind),)))
    gone = tuple(loops + at for at in range(len(info.shape)) if at != axis)
    top = root.op("max", root.op("abs", name), axes=gone)
    return root.op("maximum", root.op("div", top, float(LARGEST)), TINY)


def _numbers(root: ConversionScope, numbers: Sequence[float], iterations: Sequence[int]) -> str:
    nested: list[object] = list(numbers)
    for count in reversed(iterations[1:]):
        nested = [tuple(nested[at : at + count]) for at in range(0, len(nested), count)]
    if iterations:
        return root.op("constant", list=tuple(nested))
    return root.shaped(root.op("constant", list=tuple(nested)), "1 -> ")


def _steps(low: float, high: float) -> tuple[float, float]:
    """Scale and offset for all numbers of a span, and 0."""
    low, high = min(low, 0.0), max(high, 0.0)
    scale = (high - low) / (MOST - LEAST) or 1.0
    return scale, float(LEAST + round(-low / scale))

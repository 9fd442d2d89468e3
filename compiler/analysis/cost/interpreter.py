"""The domain of costs: each graph is summed up once for each choice of what derivatives go through."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from ogive.compiler.analysis.cost.liveness import most
from ogive.compiler.analysis.cost.products import elements, products, scores
from ogive.compiler.analysis.cost.storage import PLAIN, Order, bytes_each, copied, laid, permuted
from ogive.compiler.analysis.cost.summary import Below, CostFrame, CostSummary, Counts, Held, Mask, Result
from ogive.compiler.analysis.cost.work import Work, work_of
from ogive.compiler.analysis.frame.interpreter import NO_RULE, AbstractInterpreter, UnknownOp
from ogive.compiler.analysis.frame.result import Largest
from ogive.compiler.ir.attributes import (
    ChoiceAttrs,
    CustomGradAttrs,
    GradAttrs,
    LoopAttrs,
    VectorizedAttrs,
    WeightAttrs,
)
from ogive.compiler.ir.model import CallAttrs, Definition, Graph, Node, Operand, Value
from ogive.compiler.ir.types import FLOATS, TensorType
from ogive.compiler.ops import OPS
from ogive.compiler.sizes import Size, Unknown, size

NUMBER = Held("")  # a number of the text
STORED = Held("a weight", trains=True)  # the memory of all weights: they are counted as parameters
FLOATING = ("complex", *FLOATS)
BESIDE = ("mask", "index", "rows", "channels", "normed", "copy", "empty", "scores", "dropped", "scores_mask")
CARRYING = ("mul", "add", "sub", "cast", "rearrange", "stop_gradient")  # a weight and its mask, and where they lie
UNCOUNTED = "how many FLOPs it takes is not established: only its memory is counted"
Masks = tuple[Mask, Mask]  # for each input: live, trains
Bound = frozenset[tuple[Unknown, Size]]


class CostInterpreter(AbstractInterpreter[CostFrame, Held]):
    """`floats` is the type of the model's floats."""

    __slots__ = ("done", "floats", "numbers", "sparse")

    def __init__(self, floats: str = "f32", *, training: bool = False) -> None:
        super().__init__(training=training)
        self.floats = floats
        self.done: dict[tuple[int, Masks, Bound], CostSummary] = {}  # of definitions, by identity
        self.numbers: dict[Unknown, Size] = {}  # sizes of the definition that is walked, where they are known
        self.sparse: dict[str, int] = {}  # its weights under masks, and how many of their entries are not 0

    @property
    def rules(self) -> Mapping[str, Callable[[CostFrame, Node, Sequence[Held]], Sequence[Held]]]:
        """One for all: what differs is in `Work`."""
        raise AssertionError("see `operation`")

    def definition(self, definition: Definition, masks: Masks, bound: Bound) -> CostSummary:
        """What a definition costs in its own sizes, of which some are `bound` to numbers: so loops have no turns."""
        key = (id(definition), masks, bound)
        if key not in self.done:
            outside = self.numbers, self.sparse
            self.numbers = dict(bound)
            self.sparse = {each.path: each.nonzero for each in definition.weights if each.nonzero is not None}
            self.done[key] = self.summary(definition.graph, masks)
            self.numbers, self.sparse = outside
        return self.done[key]

    def summary(self, graph: Graph, masks: Masks) -> CostSummary:
        """What a graph costs where derivatives go through some of its inputs."""
        frame = CostFrame(graph)
        for at, (value, live, trains) in enumerate(zip(graph.inputs, *masks, strict=True)):
            frame.known[value.name], frame.inputs[value.name] = Held(value.name, live, trains), at
        for at, node in enumerate(graph.nodes):
            frame.at = at
            for value, held in zip(node.outputs, self.node(frame, node), strict=True):
                self.bind(frame, value, held)
        outputs = [self.read(frame, output) for output in graph.outputs]
        results = tuple(
            Result(
                frame.inputs.get(each.root),
                each.root == STORED.root,
                each.root in frame.saved,
                each.live,
                each.trains,
                each.order,
            )
            for each in outputs
        )
        peak = Largest(()) if self.training else most(frame, {each.root for each in outputs})
        kept = frozenset(frame.kept)
        return CostSummary(frame.counts, results, kept, peak, tuple(frame.below), tuple(frame.unknown))

    def literal(self, frame: CostFrame, operand: Operand) -> Held:
        return NUMBER

    def opaque(self, frame: CostFrame, value: Value) -> Held:
        return self.made(frame, value)

    def not_known(self, frame: CostFrame, node: Node, reason: str) -> Sequence[Held]:
        frame.unknown[UnknownOp("", node.op, reason, node.span)] = None
        return [self.opaque(frame, value) for value in node.outputs]

    def each(self, elem: str) -> int:
        """What a number takes."""
        return bytes_each(elem, self.floats)

    def bytes(self, type: TensorType) -> Size:
        """What a tensor takes."""
        return elements(type.axes) * self.each(type.elem)

    def made(
        self, frame: CostFrame, value: Value, live: bool = False, trains: bool = False, order: Order | None = PLAIN
    ) -> Held:
        """A value with memory of its own."""
        taken = self.bytes(value.type)
        frame.owned[value.name] = taken
        frame.counts = replace(frame.counts, activations=frame.counts.activations + taken)
        return Held(value.name, live, trains, order)

    def save(self, frame: CostFrame, held: Held, taken: Size) -> None:
        """Backward keeps a value; each memory counts once, weights do not."""
        if held.root in frame.inputs:
            frame.kept.add(frame.inputs[held.root])
        elif held.root in frame.owned and held.root not in frame.saved:
            frame.saved.add(held.root)
            frame.counts = replace(frame.counts, saved=frame.counts.saved + taken)

    # operations

    def operation(self, frame: CostFrame, node: Node) -> Sequence[Held]:
        work, given = work_of(node), self.inputs(frame, node)
        live = [each.live for each in given]
        on = any(live) and node.op != "stop_gradient"
        types = [frame.graph.values[x].type for x in node.inputs if isinstance(x, str)]
        lives = [each.live for each, x in zip(given, node.inputs, strict=True) if isinstance(x, str)]
        ahead, back = products(node, types, lives)
        nonzero = self.nonzero(frame, node, given)
        if nonzero is not None:
            ahead, back = (each * nonzero[0] // nonzero[1] for each in (ahead, back))
        frame.counts += Counts(ahead, back if on else size(0))
        if work is None or work.flops is None:
            frame.unknown[UnknownOp("", node.op, NO_RULE if work is None else UNCOUNTED, node.span)] = None
        elif types or node.outputs:
            frame.counts += Counts(flops=work.flops(node, types or [node.outputs[0].type], node.outputs[0].type))
        dropped = node.op == "dropout" and not self.training
        trains = any(each.trains for each in given) and node.op != "stop_gradient"
        found = []
        for value, (view, order) in zip(node.outputs, laid(node, [each.order for each in given]), strict=True):
            here = trains and value.type.elem in FLOATING
            if (view or dropped) and given[0].root:
                found.append(Held(given[0].root, on, here, order, given[0].nonzero))
            else:
                found.append(self.made(frame, value, on, here, order))
        if work is not None and trains and not dropped:
            self.backward(frame, node, work, given, found)
        if nonzero is not None and node.op in CARRYING:
            found = [replace(each, nonzero=nonzero[0]) for each in found]
        return found

    def nonzero(self, frame: CostFrame, node: Node, given: Sequence[Held]) -> tuple[int, int] | None:
        """How many entries of a weight under a mask that it reads are not 0, and how many it has."""
        for operand, held in zip(node.inputs, given, strict=True):
            if held.nonzero is not None and isinstance(operand, str):
                total = elements(frame.graph.values[operand].type.axes)
                return (held.nonzero, total.number) if total.is_number else None
        return None

    def backward(self, frame: CostFrame, node: Node, work: Work, given: Sequence[Held], found: Sequence[Held]) -> None:
        """Keep what the derivative of an operation reads."""
        names, result = _operands(node), node.outputs[0]
        if node.op == "attention" and self.apart(node, given):
            self.step_by_step(frame, node, given)
            return
        for name in dict.fromkeys(name for name, held in zip(names, given, strict=True) if held.trains):
            for read in work.reads.get(name, "").split():
                if read == "y":
                    self.save(frame, found[0], self.bytes(result.type))
                elif read in BESIDE:
                    self.beside(frame, node, read)
                else:
                    self.save_operands(frame, node, read, name, given)

    def step_by_step(self, frame: CostFrame, node: Node, given: Sequence[Held]) -> None:
        """Keep scaled queries and keys, which are new, the values, and the weights of all pairs, before and behind a
        dropout and its mask.
        """
        for at in range(2):
            operand = str(node.inputs[at])
            self.keep(frame, f"{operand} scaled", self.bytes(frame.graph.values[operand].type))
        operand = str(node.inputs[2])
        self.keep(frame, f"{operand} copied", self.bytes(frame.graph.values[operand].type))
        self.beside(frame, node, "scores")
        if node.attr("dropout") is not None and self.training:
            self.beside(frame, node, "dropped")
            self.beside(frame, node, "scores_mask")

    def apart(self, node: Node, given: Sequence[Held]) -> bool:
        """Whether torch computes it step by step: where it drops out, a mask is learned, or axes are not four."""
        dropped = node.attr("dropout") is not None and self.training
        return dropped or (len(given) > 3 and given[3].trains) or len(node.outputs[0].type.axes) != 4

    def beside(self, frame: CostFrame, node: Node, what: str) -> None:
        """Keep what an operation makes for its derivative alone."""
        types = [frame.graph.values[x].type for x in node.inputs if isinstance(x, str)]
        number, axes = self.each("float"), node.outputs[0].type.axes
        match what:
            case "rows" if node.op == "group_norm":
                taken = 2 * axes[0].size * size(node.attr("groups")) * number
            case "rows":
                taken = elements(axes[:-1]) * number * (2 if node.op == "layer_norm" else 1)
            case "channels":
                taken = 2 * axes[1].size * number
            case "scores" | "dropped" | "scores_mask":
                taken = scores(types) * number
            case "empty":  # the largest of each row, and a mark
                lost = node.attr("axes") or (node.attr("axis"),)
                rows = elements(axis for at, axis in enumerate(types[0].axes) if at not in lost)
                taken = rows * (number + 1)
            case "copy":
                taken = self.bytes(types[0])
            case _:
                taken = elements(axes) * (self.each("int") if what == "index" else number)
        self.keep(frame, f"{node.outputs[0].name} {what}", taken)

    def keep(self, frame: CostFrame, name: str, taken: Size) -> None:
        """Count something that is no value of the graph, once."""
        if name not in frame.saved:
            frame.saved.add(name)
            frame.counts = replace(frame.counts, saved=frame.counts.saved + taken)

    def save_operands(self, frame: CostFrame, node: Node, read: str, name: str, given: Sequence[Held]) -> None:
        """Keep the operands of a name, or copies of them that a product makes first."""
        labels = _operands(node)
        for at, label in enumerate(labels):
            operand = node.inputs[at]
            alone = read == "xs" and sum(held.trains for held in given) == 1 and given[at].trains
            if label != read or not isinstance(operand, str) or alone:
                continue
            moved = permuted(node, at) if node.op == "einsum" else copied(node, at, given[at].order)
            if moved and given[at].root != STORED.root:
                self.keep(frame, f"{operand} copied", self.bytes(frame.graph.values[operand].type))
            else:
                self.save_operand(frame, operand, given[at])

    def save_operand(self, frame: CostFrame, operand: Operand, held: Held) -> None:
        """Keep an operand where it is."""
        if isinstance(operand, str):
            self.save(frame, held, frame.owned.get(held.root, size(0)))

    # structure

    def visit_weight(self, frame: CostFrame, node: Node, told: WeightAttrs) -> Sequence[Held]:
        return [replace(STORED, nonzero=self.sparse[node.path]) if node.path in self.sparse else STORED]

    def visit_call(self, frame: CostFrame, node: Node, told: CallAttrs) -> Sequence[Held]:
        assert node.callee is not None, node
        if node.callee.foreign is not None:
            return self.visit_extern(frame, node, node.callee.foreign.structure)  # type: ignore[arg-type]
        given = self.inputs(frame, node)
        bound = ((unknown, told_size.subs(self.numbers)) for unknown, told_size in node.bindings)
        numbers = frozenset((unknown, found) for unknown, found in bound if found.is_number)
        summary = self.definition(node.callee, _masks(given), numbers)
        return self.use(frame, node, summary, dict(node.bindings), node.callee)

    def visit_loop(self, frame: CostFrame, node: Node, told: LoopAttrs) -> Sequence[Held]:
        """What a loop carries is live where any iteration makes it so."""
        masks = _masks(self.inputs(frame, node))
        while True:
            summary = self.summary(node.regions[0], masks)
            live = _joined(masks[0], summary.live, told.carried)
            trains = _joined(masks[1], summary.trains, told.carried)
            if (live, trains) == masks:
                return self.iterated(frame, node, summary, told.count, told.carried)
            masks = live, trains

    def visit_vectorized(self, frame: CostFrame, node: Node, told: VectorizedAttrs) -> Sequence[Held]:
        summary = self.summary(node.regions[0], _masks(self.inputs(frame, node)))
        return self.iterated(frame, node, summary, told.size, 0)

    def visit_choice(self, frame: CostFrame, node: Node, told: ChoiceAttrs) -> Sequence[Held]:
        return self.use(frame, node, self.summary(self.taken(node, told), _masks(self.inputs(frame, node))))

    def visit_custom_grad(self, frame: CostFrame, node: Node, told: CustomGradAttrs) -> Sequence[Held]:
        given = self.inputs(frame, node)
        inside = told.forward(given)
        summary = self.summary(node.regions[0], _masks([*inside.given, *inside.captured]))
        if any(each.live for each in given):
            second = node.regions[1]
            nothing = (False,) * len(second.inputs)
            back = self.summary(second, (nothing, nothing)).counts.ahead
            summary = replace(summary, counts=replace(summary.counts, back=back))
        return self.use(frame, node, summary)

    def visit_grad(self, frame: CostFrame, node: Node, told: GradAttrs) -> Sequence[Held]:
        """The products of the function and of its derivative; a derivative of these has two factors to go through."""
        given = self.inputs(frame, node)
        first = (True, *(False,) * (len(given) - 1))
        inner = self.summary(node.regions[0], (first, (False,) * len(given)))
        counts = inner.counts
        total, live = counts.ahead + counts.back, any(each.live for each in given)
        frame.counts += Counts(total, 2 * total if live else size(0), counts.flops, counts.activations)
        frame.below += inner.below
        frame.unknown.update(dict.fromkeys(inner.unknown))
        reason = "the FLOPs beside multiply-adds of the way back, and what it keeps, are not counted"
        frame.unknown[UnknownOp("", node.op, reason, node.span)] = None
        return [self.made(frame, value, live, any(each.trains for each in given)) for value in node.outputs]

    def use(
        self, frame: CostFrame, node: Node, summary: CostSummary, sizes: Mapping[Unknown, Size] | None = None,
        callee: Definition | None = None,
    ) -> list[Held]:  # fmt: skip
        """Add what runs once at a node; its results are those of the graph."""
        sizes = sizes or {}
        given = self.inputs(frame, node)
        counts = summary.counts.subs(sizes)
        peak = Largest(tuple(each.subs(sizes) for each in summary.peak.of))
        if callee is not None:
            frame.below.append(Below(node.path, callee, summary, sizes, size(1), node))
            frame.unknown.update((each.below(node.path), None) for each in summary.unknown)
        else:
            frame.below += summary.below
            frame.unknown.update(dict.fromkeys(summary.unknown))
        frame.counts += counts
        frame.peaks[frame.at] = peak
        for at in sorted(summary.kept):
            self.save_operand(frame, node.inputs[at], given[at])
        found = []
        for value, result in zip(node.outputs, summary.results, strict=True):
            if result.input is not None and given[result.input].root:
                found.append(Held(given[result.input].root, result.live, result.trains, result.order))
                continue
            if result.weight:
                found.append(Held(STORED.root, result.live, result.trains, result.order))
                continue
            frame.owned[value.name] = self.bytes(value.type)
            if result.saved:
                frame.saved.add(value.name)
            found.append(Held(value.name, result.live, result.trains, result.order))
        return found

    def iterated(self, frame: CostFrame, node: Node, summary: CostSummary, times: Size, carried: int) -> list[Held]:
        """Add what runs so often; every iteration keeps what it was handed."""
        given, region = self.inputs(frame, node), node.regions[0]
        frame.counts += summary.counts.times(times)
        if times.subs(self.numbers) == size(0):  # what it carries comes out as it went in, and what it stacks is empty
            frame.below += [replace(each, times=times) for each in summary.below]
            return [
                given[at] if at < carried and given[at].root else self.made(frame, value)
                for at, value in enumerate(node.outputs)
            ]
        frame.peaks[frame.at] = summary.peak
        frame.below += [replace(each, times=times * each.times) for each in summary.below]
        frame.unknown.update(dict.fromkeys(summary.unknown))
        for at in sorted(summary.kept):
            self.save_operand(frame, node.inputs[at], given[at])
            if at < carried and not summary.results[at].saved and summary.results[at].input is None:
                more = (times - 1) * self.bytes(region.inputs[at].type)
                frame.counts = replace(frame.counts, saved=frame.counts.saved + more)
        found = []
        for at, (value, result) in enumerate(zip(node.outputs, summary.results, strict=True)):
            frame.owned[value.name] = self.bytes(value.type)
            if at < carried and result.saved:
                frame.saved.add(value.name)
            elif at >= carried:  # stacked
                frame.counts = replace(frame.counts, activations=frame.counts.activations + self.bytes(value.type))
            found.append(Held(value.name, result.live, result.trains, result.order))
        return found


def _masks(given: Sequence[Held]) -> Masks:
    return tuple(each.live for each in given), tuple(each.trains for each in given)


def _joined(mask: Mask, more: Mask, carried: int) -> Mask:
    return (*(a or b for a, b in zip(mask[:carried], more[:carried], strict=True)), *mask[carried:])


def _operands(node: Node) -> list[str]:
    """The name of each input in the signature of its operation."""
    names = [name.strip().rstrip("?") for name in OPS[node.op].inputs.split(",")]
    if names[0].startswith("*"):
        return [names[0][1:]] * len(node.inputs)
    return names[: len(node.inputs)]

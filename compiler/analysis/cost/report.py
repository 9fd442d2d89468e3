"""The analysis `cost`: totals of a model, and a row for each block in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from ogive.compiler.analysis.cost.interpreter import CostInterpreter, Masks
from ogive.compiler.analysis.cost.summary import Below, CostSummary, Counts
from ogive.compiler.analysis.frame.result import AnalysisResult, AnalysisRow, Cell, Largest
from ogive.compiler.ir.model import Model
from ogive.compiler.ir.weights import weights
from ogive.compiler.sizes import Size, Unknown, size

CONVENTION = (
    "a multiply-add is 2 matmul FLOPs; other FLOPs are one for each number that an element-wise function makes or a "
    "reduction takes; in use, with every optional input; saved: what backward keeps in training, without weights"
)
COLUMNS = ("parameters", "multiply_adds", "other_flops", "activations", "saved")


def multiply_adds(model: Model) -> Size:
    """The multiply-adds of one run in use, symbolic where sizes of inputs stay open."""
    return _summary(model, CostInterpreter()).counts.ahead.subs(_known(model))


def cost(source: Model, lowered: Model, floats: str) -> AnalysisResult:
    """The cost of a model whose form for targets is `lowered`, with `floats` of some type."""
    used, trained = CostInterpreter(floats), CostInterpreter(floats, training=True)
    summary, training = _summary(lowered, used), _summary(lowered, trained)
    known = _known(lowered)
    counts, kept = summary.counts.subs(known), training.counts.subs(known)
    inputs = lowered.definition.graph.inputs
    taken = [used.bytes(value.type).subs(known) for value in inputs]
    saved = sum((taken[at] for at in sorted(training.kept)), kept.saved)
    held = sum(taken, size(0))
    infos = weights(source)
    states = sum(info.elements for info in infos if info.kind == "state")
    learned = sum(info.elements for info in infos if info.kind == "param")
    stored = sum(info.elements * used.each(info.elem) for info in infos)
    blocks = _blocks(summary, training, known)
    below = _parameters(source)
    rows = [
        AnalysisRow(
            path, block.op,
            {"parameters": below.get(path, 0), **_fields(block.counts), "saved": block.saved, "times": block.times},
            block.below.node.span,
        )
        for path, block in blocks.items()
    ]  # fmt: skip
    fields: dict[str, Cell] = {"parameters": learned, **_fields(counts), "saved": saved}
    first = AnalysisRow("", lowered.definition.block, {**fields, "times": 1}, lowered.definition.span)
    totals: dict[str, Cell] = {
        **fields,
        "states": states,
        "weight_bytes": stored,
        "input_bytes": held,
        "peak": Largest(tuple(each.subs(known) + held + stored for each in summary.peak.of)),
    }
    unknown = tuple(dict.fromkeys((*summary.unknown, *training.unknown)))
    return AnalysisResult(
        "cost", source.name, {"dtype": floats}, CONVENTION, totals, (first, *rows), unknown, columns=COLUMNS,
        chart="multiply_adds",
    )  # fmt: skip


def _fields(counts: Counts) -> dict[str, Cell]:
    return {
        "multiply_adds": counts.ahead,
        "matmul_flops": 2 * counts.ahead,
        "other_flops": counts.flops,
        "activations": counts.activations,
    }


def _known(model: Model) -> dict[Unknown, Size]:
    return {unknown: size(value) for unknown, value in model.bindings}


def _summary(model: Model, interpreter: CostInterpreter) -> CostSummary:
    nothing = (False,) * len(model.definition.graph.inputs)
    masks: Masks = (nothing, nothing)
    return interpreter.definition(model.definition, masks, frozenset(_known(model).items()))


def _parameters(model: Model) -> dict[str, int]:
    """Learned numbers at and below each path, those of all iterations together."""
    found: dict[str, int] = {}
    for info in weights(model):
        if info.kind == "param":
            parts = info.path.split(".")
            for at in range(1, len(parts)):
                path = ".".join(parts[:at])
                found[path] = found.get(path, 0) + info.elements
    return found


@dataclass(frozen=True, slots=True)
class CostedBlock:
    """A block at a path: all its uses together."""

    op: str
    below: Below
    counts: Counts
    times: Size
    saved: Size = field(default_factory=lambda: size(0))


def _blocks(summary: CostSummary, training: CostSummary, known: Mapping[Unknown, Size]) -> dict[str, CostedBlock]:
    """The blocks with weights by their paths, in the order in which they run."""
    found: dict[str, CostedBlock] = {}
    for path, each, counts, times in _uses(summary, known, "", size(1)):
        before = found.get(path)
        block = CostedBlock(each.definition.block, each, counts, times)
        if before is not None:
            block = replace(block, counts=before.counts + counts, times=before.times + times)
        found[path] = block
    for path, each, counts, times in _uses(training, known, "", size(1)):
        before = found.get(path) or CostedBlock(each.definition.block, each, Counts(), times)
        found[path] = replace(before, saved=before.saved + counts.saved)
    return found


def _uses(
    summary: CostSummary, known: Mapping[Unknown, Size], prefix: str, times: Size
) -> Iterator[tuple[str, Below, Counts, Size]]:
    """Every use of a block with weights, with what it costs in all its runs."""
    for each in summary.below:
        inside = {unknown: value.subs(known) for unknown, value in each.bindings.items()}
        many = times * each.times.subs(known)
        path = prefix
        if each.path:
            path = f"{prefix}.{each.path}" if prefix else each.path
            yield path, each, each.summary.counts.subs(inside).times(many), many
        yield from _uses(each.summary, inside, path, many)

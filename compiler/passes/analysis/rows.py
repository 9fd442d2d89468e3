"""Finds the softmaxes all of whose rows surely have an entry that is not -∞: they need no care.

Softmax over a row of nothing but -∞ is 0, with gradient 0. Targets whose kernels say NaN write this out, except where
the attribute `whole` says that there is no such row: nothing masks it, or a mask leaves an entry at every size.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ogive.compiler.ir.model import Definition, Model, Node
from ogive.compiler.passes.analysis.entries import Entries, whole_frame
from ogive.compiler.passes.analysis.frames import AnalysisFrame, Index
from ogive.compiler.passes.infra.driver import map_nodes, named_apart, optimized
from ogive.compiler.sizes import FALSE, TRUE, Condition, Facts, Size, Unknown, all_of, compare, ge, le, size

ROWS = frozenset(("softmax", "log_softmax", "logsumexp", "attention"))  # and `reduce` by `logsumexp`
VISITS = 2000  # uses of definitions that are looked at: rows of the others are not known to have an entry


def takes_rows(node: Node) -> bool:
    """Whether it is a softmax or a relative of it."""
    return node.op in ROWS or (node.op == "reduce" and node.attr("op") == "logsumexp")


def mark_rows(model: Model) -> Model:
    """The model with `whole` at each softmax, log-softmax, logsumexp and attention of which it is proved."""
    if not _holds(model.definition, {}):
        return model
    model = named_apart(model)  # what is found is kept by the names of definitions
    looked = _Rows(model)
    looked.visit(whole_frame(model.definition, looked.sizes))

    def marked(definition: Definition) -> Definition:
        def mark(node: Node) -> Node:
            key = (definition.name, node.outputs[0].name) if takes_rows(node) else None
            return replace(node, attrs=(*node.attrs, ("whole", True))) if looked.found.get(key) else node  # type: ignore[arg-type]

        graph = map_nodes(definition.graph, mark)
        return definition if graph is definition.graph else replace(definition, graph=graph)

    return optimized(model, (marked,))


def _holds(definition: Definition, known: dict[int, bool]) -> bool:
    """Whether there is a softmax in a definition or below it."""
    if id(definition) not in known:
        nodes = list(definition.graph.walk())
        known[id(definition)] = any(
            takes_rows(node) or (node.callee is not None and _holds(node.callee, known)) for node in nodes
        )
    return known[id(definition)]


class _Rows:
    def __init__(self, model: Model) -> None:
        self.sizes = {unknown: size(number) for unknown, number in model.bindings}
        definition = model.definition
        stated = (*definition.conditions, *definition.facts, *model.conditions)
        self.facts = Facts.of(condition.subs(self.sizes) for condition in stated)
        self.entries = Entries()
        self.found: dict[tuple[str, str], bool] = {}  # of the softmaxes that were looked at, at all their uses
        self.seen: set[object] = set()
        self.known: dict[int, bool] = {}
        self.left = VISITS

    def visit(self, frame: AnalysisFrame) -> None:
        """Look at the softmaxes of a graph and of what it holds and calls."""
        for node in frame.graph.nodes:
            if takes_rows(node):
                key = (frame.definition.name, node.outputs[0].name)
                self.found[key] = self.found.get(key, True) and self.whole(frame, node)
            for inner in self.entries.inside(frame, node) if node.regions else ():
                self.visit(inner)
            if node.callee is not None and _holds(node.callee, self.known):
                self._call(frame, node, node.callee)

    def _call(self, frame: AnalysisFrame, node: Node, callee: Definition) -> None:
        (inner,) = self.entries.inside(frame, node)
        use = (callee.name, tuple(inner.sizes.items()), tuple(self._known(frame, x) for x in node.inputs))
        if use in self.seen:
            return
        self.seen.add(use)
        self.left -= 1
        if self.left < 0:
            self._give_up(callee)
        else:
            self.visit(inner)

    def _known(self, frame: AnalysisFrame, operand: object) -> object:
        """What is known of an operand of a call: two uses of which the same is known are one."""
        if not isinstance(operand, str):
            return str(operand)
        type = frame.graph.values[operand].type
        if type.floating:
            self.entries.fresh()
            sure = self.entries.finite(frame, operand, self.entries.anywhere(frame, operand)) == TRUE
            return sure or (id(frame), operand)
        if operand in frame.graph.producers or operand in frame.given:
            return (id(frame), operand)
        return False

    def _give_up(self, definition: Definition) -> None:
        for node in definition.graph.walk():
            if takes_rows(node):
                self.found[definition.name, node.outputs[0].name] = False
            if node.callee is not None:
                self._give_up(node.callee)

    def whole(self, frame: AnalysisFrame, node: Node) -> bool:
        """Whether each row has an entry, at all sizes."""
        for lengths, axes, index in self._witnesses(frame, node):
            self.entries.fresh()
            inside = [all_of(ge(index[axis], 0), le(index[axis], lengths[axis] - 1)) for axis in axes]
            holds = self._seen(frame, node, index)
            if holds == FALSE:
                continue
            facts = self.facts
            for axis, (at, length) in enumerate(zip(index, lengths, strict=True)):
                facts = facts if axis in axes else facts.assume(le(at, length - 1))
            if facts.holds(all_of(*inside, holds)):
                return True
        return False

    def _seen(self, frame: AnalysisFrame, node: Node, index: Index) -> Condition:
        """Where the entry is not -∞; of attention, where the query sees the key."""
        if node.op != "attention":
            return self.entries.finite(frame, node.inputs[0], index)
        queries, keys = (frame.type(str(x)).axes[-2].size for x in node.inputs[:2])
        causal = compare("<=", index[-1], index[-2] + (keys - queries)) if node.attr("causal") else TRUE
        mask = node.inputs[3]
        if not isinstance(mask, str):
            return causal
        type = frame.type(mask)
        place = tuple(
            size(0) if axis.size.is_number and axis.size.number == 1 else at
            for axis, at in zip(type.axes, index[len(index) - len(type.axes) :], strict=True)
        )
        seen = (
            self.entries.truth(frame, mask, place)[0]
            if type.elem == "bool"
            else self.entries.finite(frame, mask, place)
        )
        return all_of(causal, seen)

    def _witnesses(self, frame: AnalysisFrame, node: Node) -> Iterator[tuple[list[Size], tuple[int, ...], Index]]:
        """For any row, entries of it that may be seen: any, the one on the diagonal, the first, the last."""
        lengths, axes = self._shape(frame, node)
        row = [size(Unknown(f"#{at}", 0)) for at in range(len(lengths))]
        yield lengths, (), tuple(row)
        choices: list[list[Size]] = []
        for axis in axes:
            found = [row[at] + (lengths[axis] - lengths[at]) for at in range(len(row)) if at not in axes]
            found += [row[at] for at in range(len(row)) if at not in axes]
            found = [*reversed(found), size(0), lengths[axis] - 1]
            choices.append(list(dict.fromkeys(found)))
        for number in range(max(map(len, choices), default=0)):
            index = list(row)
            for axis, found in zip(axes, choices, strict=True):
                index[axis] = found[min(number, len(found) - 1)]
            yield lengths, axes, tuple(index)

    def _shape(self, frame: AnalysisFrame, node: Node) -> tuple[list[Size], tuple[int, ...]]:
        """The sizes of the tensor of which rows are taken, and the axes of a row."""
        if node.op != "attention":
            lengths = [axis.size for axis in frame.type(str(node.inputs[0])).axes]
            if node.op == "reduce":
                return lengths, ()
            axes = node.attr("axes")
            return lengths, tuple(axes) if axes is not None else (int(node.attr("axis", len(lengths) - 1)),)
        queries, keys = (frame.type(str(x)).axes[-2].size for x in node.inputs[:2])
        batch = [axis.size for axis in frame.type(node.outputs[0].name).axes[:-2]]
        return [*batch, queries, keys], (len(batch) + 1,)

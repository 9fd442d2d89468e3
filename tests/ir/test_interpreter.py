"""One walk over the IR: a method for each structural operation, and an error for what a walk does not handle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import get_args

import pytest

from ir.structures import BLOCK, SAMPLES
from ogive.compiler.ir.attributes import ChoiceAttrs, LoopAttrs, VectorizedAttrs
from ogive.compiler.ir.model import STRUCTURES, Const, Graph, Node, Operand, Value
from ogive.compiler.ir_tools.interpreter import Interpreter, NotHandledError
from ogive.compiler.ir_tools.rewriter import LocalRewriter, Rewriter, Rewriting

GROUPS = {"loop": LoopAttrs, "vectorized": VectorizedAttrs, "choice": ChoiceAttrs}
Frame = dict[str, str]


class Plain(Interpreter[Frame, str]):
    """Handles operations and nothing else: a value means the operation that gives it."""

    def read(self, frame: Frame, operand: Operand) -> str:
        return frame[operand] if isinstance(operand, str) else "literal" if isinstance(operand, Const) else "absent"

    def bind(self, frame: Frame, value: Value, meaning: str) -> None:
        frame[value.name] = meaning

    def operation(self, frame: Frame, node: Node) -> Sequence[str]:
        return [f"{node.op}({', '.join(self.inputs(frame, node))})"] * len(node.outputs)


@pytest.mark.parametrize("name", sorted(STRUCTURES))
def test_what_is_not_handled_is_an_error(name: str) -> None:
    with pytest.raises(NotHandledError, match=f"Plain does not handle `{name}`"):
        Plain().node({}, Node.of(SAMPLES[name], (), ()))


@pytest.mark.parametrize("name", sorted(STRUCTURES))
def test_each_structure_has_a_method_of_its_own(name: str) -> None:
    def seen(self: Plain, frame: Frame, node: Node, told: object) -> Sequence[str]:
        return [f"{node.op} as {told}"]

    told = SAMPLES[name]
    groups = [f"visit_{group}" for group, kinds in GROUPS.items() if type(told) in get_args(kinds)]
    for method in (f"visit_{name}", *groups):
        own = type("Own", (Plain,), {method: seen})
        assert own().node({}, Node.of(told, (), ())) == [f"{name} as {told}"]


def test_values_mean_what_their_operations_give() -> None:
    graph = Graph(BLOCK.graph.inputs, (), tuple(value.name for value in BLOCK.graph.inputs))
    assert Plain().region({}, graph, ["x", "rows", "t", "m"]) == ("x", "rows", "t", "m")
    energy = next(node.callee for node in BLOCK.graph.walk() if node.callee is not None and node.callee.stateless)
    assert Plain().region({}, energy.graph, ["x"]) == ("sum(pow(x, literal))",)


class Bare(Rewriter[Rewriting]):
    """Rewrites operations and nothing else."""

    def start(self, graph: Graph) -> Rewriting:
        return Rewriting(graph.inputs)


class Squares(LocalRewriter[Rewriting]):
    """Each `x ** 2` becomes x, and each sum is made twice, of which the second counts."""

    def start(self, graph: Graph) -> Rewriting:
        return Rewriting(graph.inputs)

    def operation(self, frame: Rewriting, node: Node) -> Sequence[Operand]:
        if node.op == "pow":
            return [self.read(frame, node.inputs[0])]
        if node.op == "sum":
            self.keep(frame, node)
            (value,) = node.outputs
            return self.keep(frame, replace(node, outputs=(replace(value, name=f"{value.name}.again"),)))
        return self.keep(frame, node)


@pytest.mark.parametrize("name", sorted(STRUCTURES))
def test_a_rewriter_refuses_what_it_does_not_handle(name: str) -> None:
    with pytest.raises(NotHandledError, match=f"Bare does not handle `{name}`"):
        Bare().node(Rewriting(), Node.of(SAMPLES[name], (), ()))


def test_a_rewriter_gives_the_same_graph_where_nothing_changes() -> None:
    class Kept(LocalRewriter[Rewriting]):
        def start(self, graph: Graph) -> Rewriting:
            return Rewriting(graph.inputs)

    assert Kept().rewritten(BLOCK.graph) is BLOCK.graph


def test_a_rewriter_changes_regions_and_what_reads_its_results() -> None:
    def ops(graph: Graph) -> list[str]:
        return [node.op for node in graph.walk()]

    changed = Squares().rewritten(BLOCK.graph)
    before, after = ops(BLOCK.graph), ops(changed)
    assert after.count("pow") == 0
    assert after.count("sum") == 2 * before.count("sum")
    assert [op for op in after if op in STRUCTURES] == [op for op in before if op in STRUCTURES]
    for graph in (changed, *(region for node in changed.walk() for region in node.regions)):
        known = {value.name for value in graph.inputs}
        for node in graph.nodes:
            assert set(node.operands) <= known, node
            known.update(value.name for value in node.outputs)
        assert {x for x in graph.outputs if isinstance(x, str)} <= known

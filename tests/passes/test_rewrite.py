"""Rules are applied until none applies, in regions at every depth, and what did not change stays the same object."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from ogive.compiler.driver.workspace import check_text
from ogive.compiler.ir.model import Graph, Node
from ogive.compiler.ir.substitute import Fresh
from ogive.compiler.passes.infra.rewrite import settled

BODIES = {
    "flat": "    y = -(-x)\n",
    "twice": "    y = -(-(-(-x)))\n",
    "in a loop": "    y = x\n    repeat 2:\n        y = -(-y) + 1\n",
    "in an arm": "    y = x\n    if training:\n        y = 2 * -(-y)\n",
    "in a step": "    scan t in x along n carry h = sum(x):\n        h = -(-t) + h\n        yield y = h\n",
    "in an arm in a loop": "    y = x\n    repeat 2:\n        if training:\n"
    "           y = -(-(-(-y)))\n        y = -(-y)\n",
    "nowhere": "    y = x\n    repeat 2:\n        if training:\n            y = 3 * y\n",
}


def _forward(node: Node, graph: Graph, fresh: Fresh) -> Sequence[Node] | None:
    """-(-x) is x * 1."""
    inner = graph.producers.get(str(node.inputs[0])) if node.op == "neg" else None
    if inner is None or inner.op != "neg":
        return None
    return [Node("abs", inner.inputs, node.outputs)]


def _ops(graph: Graph) -> list[str]:
    return [node.op for node in graph.walk()]


@pytest.mark.parametrize("body", BODIES)
def test_a_rule_is_applied_wherever_it_fits(body: str) -> None:
    text = f"block F(x: [n]) -> [n]:\n{BODIES[body]}    return y\nmodel M = F\n"
    graph = check_text(text).models["M"].ir.definition.graph
    found = settled(graph, (_forward,), lambda: Fresh.of(graph))
    assert _ops(found).count("neg") == 0
    assert _ops(found).count("abs") == _ops(graph).count("neg") // 2
    others = [op for op in _ops(graph) if op != "neg"]
    assert [op for op in _ops(found) if op != "abs"] == others
    assert (found is graph) is (body == "nowhere")
    assert settled(found, (_forward,), lambda: Fresh.of(found)) is found

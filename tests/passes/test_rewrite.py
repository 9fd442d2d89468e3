"""Rules are applied until none applies, in regions at every depth, and what did not change stays the same object."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from ogive.compiler.driver.workspace import check_text
from ogive.compiler.ir.model import Graph, Node, Weight
from ogive.compiler.ir.substitute import Fresh
from ogive.compiler.passes.infra.driver import optimized
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


HOLDS = {
    "a start": "    param w: [d, d] = f(eye[d])\n    y = x @ w\n",
    "a constraint": "    param w: [d, d] = normal keep f\n    y = x @ w\n",
    "the start of a layer": "    init lin.weight = f(eye[d])\n    y = x |> Linear[d, d] as lin\n",
    "a constraint of a layer": "    keep lin.weight = f\n    y = x |> Linear[d, d] as lin\n",
    "an iteration": "    repeat 2:\n        x = f(x)\n    y = x\n",
    "an arm": "    y = x\n    if training:\n        y = f(x)\n",
}


@pytest.mark.parametrize("place", HOLDS)
def test_a_pass_reaches_what_is_called_from(place: str) -> None:
    text = "use std.nn (Linear)\nblock f(x: [n, d]) -> [n, d]:\n    return sin(x)\nblock F[d](x: [n, d]) -> [n, d]:\n"
    model = check_text(f"{text}{HOLDS[place]}    return y\nmodel M = F[d=4]\n").models["M"].ir
    seen = optimized(model, (lambda definition: replace(definition, doc="seen"),)).definition
    weights = [(m.init.graph, m.keep) for m in seen.members if isinstance(m, Weight)]
    below = [(*(init.graph for _, init in m.inits), *(keep for _, keep in m.keeps)) for m in seen.instances]
    graphs = [seen.graph, *(graph for held in (*weights, *below) for graph in held if graph is not None)]
    called = [node.callee for graph in graphs for node in graph.walk() if node.callee is not None]
    assert "f" in {callee.name for callee in called}
    assert {callee.doc for callee in called} == {"seen"}

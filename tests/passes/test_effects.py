"""Effects: nodes that have one stay where nothing reads them, at every depth; what draws is never merged."""

from __future__ import annotations

import pytest
import torch

import ogive
from ogive.compiler.ir.model import STRUCTURES, Definition
from ogive.compiler.ir_tools.effects import Effect, Effects, own_effect
from ogive.compiler.passes.pipelines.lowering import TORCH, lowered


def nodes(definition: Definition) -> list[tuple[Definition, str]]:
    found = [(definition, node.op) for node in definition.graph.walk()]
    return found + [pair for callee in definition.callees for pair in nodes(callee)]


def test_every_effect_has_an_operation() -> None:
    text = (
        "block F(x: [n]) -> [n]:\n    state m: [3] = zeros\n    update m = m * 0.5\n    assume n >= 2\n"
        "    tap y = x * 2\n    return x + rand[n]\n\nmodel M = F\n"
    )
    definition = ogive.source(text).models["M"].ir.definition
    assert {own_effect(node) for node in definition.graph.walk()} == {
        Effect.NONE, Effect.WRITES, Effect.CHECKS, Effect.SHOWS, Effect.DRAWS,
    }  # fmt: skip
    whole = Effect.WRITES | Effect.CHECKS | Effect.SHOWS | Effect.DRAWS
    assert Effects().of_definition(definition) == whole


def test_every_structure_says_what_it_does() -> None:
    own = {"update": Effect.WRITES, "assume": Effect.CHECKS, "tap": Effect.SHOWS, "initial": Effect.DRAWS}
    assert {name: kind.effect for name, kind in STRUCTURES.items() if kind.effect is not Effect.NONE} == own


def test_equal_initializers_are_drawn_one_by_one() -> None:
    text = (
        "block F[d](x: [b, d]) -> [b, d]:\n    param w: [d] = uniform[0.0, 1.0] - uniform[0.0, 1.0]\n"
        "    return x * w\n\nmodel M = F[8]\n"
    )
    model = ogive.source(text).models["M"]
    (weight,) = model.ir.definition.weights
    graph = weight.init.graph
    assert graph is not None
    assert Effects().of_graph(graph) == Effect.DRAWS
    assert sum(node.op == "initial" for node in graph.nodes) == 2
    assert model.torch().state_dict()["w"].abs().max() > 0


EFFECTS = {
    "update": "    state m: [3] = zeros\n    update m = m * 0.5\n    return x\n",
    "assume": "    assume n >= 2\n    return x\n",
    "tap": "    tap y = x * 2\n    return x\n",
}
AROUND = {
    "itself": "block G(x: [n]) -> [n]:\n    return F(x)\n",
    "unread": "block G(x: [n]) -> [n]:\n    y = F(x)\n    return x\n",
    "loop": "block G(x: [n]) -> [n]:\n    repeat 2 as h:\n        y = F(x)\n    return x\n",
    "phase": "block G(x: [n]) -> [n]:\n    if training:\n        y = F(x)\n    return x\n",
}


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("op", EFFECTS)
def test_it_stays_where_nothing_reads_it(op: str, around: str) -> None:
    text = f"block F(x: [n]) -> [n]:\n{EFFECTS[op]}\n{AROUND[around]}\nmodel M = G\n"
    model = ogive.source(text).models["M"]
    for stage in (model.ir, lowered(model.ir)):
        assert op in {found for _, found in nodes(stage.definition)}


def test_equal_draws_are_two_draws() -> None:
    """Attention that drops weights draws, as `dropout` does: two of them are never one."""
    text = """
block Attend(q: [b, n, d]) -> [b, n, d]:
    weights = (q @ rearrange["b n d -> b d n"](q)) |> softmax[-1] |> dropout[0.5]
    return weights @ q

block F(q: [b, n, d]) -> [b, n, d]:
    return Attend(q) - Attend(q) + (dropout[0.5](q) - dropout[0.5](q))

model M = F
"""
    model = ogive.source(text).models["M"]
    kinds = [op for _, op in nodes(lowered(model.ir, TORCH).definition)]
    assert kinds.count("attention") in (0, 2)
    assert kinds.count("dropout") + kinds.count("attention") == 4
    q = torch.randn(2, 8, 4)
    assert (model.torch().train()(q)).abs().max() > 0.01

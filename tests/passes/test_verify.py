"""The verifier finds planted faults; the reader refuses what is no IR."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from ogive.compiler.driver.workspace import check_text
from ogive.compiler.ir.model import Definition, Graph, Instance, Model, Node, Value
from ogive.compiler.ir.types import Axis, TensorType
from ogive.compiler.ir_text.printer import text
from ogive.compiler.ir_text.reader import NotIR, read
from ogive.compiler.ir_tools.verify import InvalidIR, verify
from ogive.compiler.passes.infra.driver import named_apart
from ogive.compiler.sizes import Unknown, size

SOURCE = """
use std.nn (Linear)
block B[d, depth](x: [b, d]) -> [b, d]:
    param w: [d] = ones
    repeat depth as h:
        x = x + tanh(x |> Linear[d, d] as f) * w
    return x
model M = B[d=4, depth=2]
"""


@pytest.fixture(scope="module")
def model() -> Model:
    return named_apart(check_text(SOURCE).models["M"].ir)


def planted(model: Model, change: Callable[[Graph], Graph]) -> Model:
    definition = model.definition
    return replace(model, definition=replace(definition, graph=change(definition.graph)))


def in_loop(graph: Graph, change: Callable[[Node], Node], op: str) -> Graph:
    (loop,) = (node for node in graph.nodes if node.op == "repeat")
    (body,) = loop.regions
    nodes = tuple(change(node) if node.op == op else node for node in body.nodes)
    region = Graph(body.inputs, nodes, body.outputs)
    return Graph(
        graph.inputs, tuple(replace(n, regions=(region,)) if n is loop else n for n in graph.nodes), graph.outputs
    )


def other_type(value: Value) -> Value:
    return replace(value, type=TensorType("float", (Axis(size(Unknown("z"))),)))


FAULTS: dict[str, tuple[str, Callable[[Graph], Graph]]] = {
    "undefined": ("not defined", lambda g: Graph(g.inputs, g.nodes, ("nothing",))),
    "twice": ("appears twice", lambda g: Graph((*g.inputs, g.inputs[0]), g.nodes, g.outputs)),
    "order": ("not defined before", lambda g: _reversed(g)),
    "callee's type": ("gives", lambda g: in_loop(g, lambda n: replace(n, outputs=(other_type(n.outputs[0]),)), "call")),
    "bindings": ("not bound", lambda g: in_loop(g, lambda n: n.calling(bindings=n.bindings[1:]), "call")),
    "instance": ("no instance", lambda g: in_loop(g, lambda n: n.at("h.*.g"), "call")),
    "operation": ("no such operation", lambda g: in_loop(g, lambda n: replace(n, op="tanhh"), "tanh")),
    "inputs": ("inputs for", lambda g: in_loop(g, lambda n: replace(n, inputs=()), "call")),
    "weight": ("no weight", lambda g: Graph(g.inputs, tuple(_elsewhere(n) for n in g.nodes), g.outputs)),
}


def _reversed(graph: Graph) -> Graph:
    nodes = (replace(node, regions=tuple(map(_reversed, node.regions))) for node in reversed(graph.nodes))
    return Graph(graph.inputs, tuple(nodes), graph.outputs)


def _elsewhere(node: Node) -> Node:
    if node.op == "weight":
        return node.at("v")
    return replace(
        node, regions=tuple(Graph(r.inputs, tuple(map(_elsewhere, r.nodes)), r.outputs) for r in node.regions)
    )


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_a_planted_fault_is_found(model: Model, fault: str) -> None:
    verify(model)
    words, change = FAULTS[fault]
    with pytest.raises(InvalidIR, match=words):
        verify(planted(model, change))


def test_a_fault_of_a_block_below_is_found(model: Model) -> None:
    def broken(definition: Definition) -> Definition:
        return replace(definition, graph=Graph(definition.graph.inputs, (), definition.graph.outputs))

    members = tuple(
        replace(m, definition=broken(m.definition)) if isinstance(m, Instance) else m for m in model.definition.members
    )
    with pytest.raises(InvalidIR):
        verify(replace(model, definition=replace(model.definition, members=members)))


def test_print_and_read_are_inverse(model: Model) -> None:
    assert text(read(text(model))) == text(model)


@pytest.mark.parametrize(
    "line", ["model M = Nothing()", "block B", "definition", "", "definition A 'A'\n    instance f: B{}"]
)
def test_what_is_no_ir_is_refused(line: str) -> None:
    with pytest.raises(NotIR):
        read(line)


def test_an_operation_of_a_table_has_no_path(model: Model) -> None:
    shown = text(model)
    assert " = tanh(" in shown
    for head in (" h.*.w(", "(%x) with w=%x :"):
        changed = shown.replace(" = tanh(", f" = tanh{head}") if head.endswith("(") else re.sub(
            r" = tanh\(([^)]*)\) :", r" = tanh(\1) with w=%x :", shown
        )  # fmt: skip
        assert changed != shown
        with pytest.raises(NotIR, match="no structural operation"):
            read(changed)


def test_a_weight_without_a_path_is_refused(model: Model) -> None:
    changed, count = re.subn(r" = weight \S+?([(\[])", r" = weight\1", text(model))
    assert count
    with pytest.raises(NotIR, match="path"):
        read(changed)

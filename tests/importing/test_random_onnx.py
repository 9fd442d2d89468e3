"""Random graphs of ONNX are imported and give what ONNX Runtime gives, or are refused with a reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

import ogive

KINDS = ["unary", "binary", "constant", "product", "turn", "flat", "soft", "mean", "join", "cut"]
UNARY = ["Relu", "Tanh", "Sigmoid", "Abs", "Erf", "Softplus", "Neg", "Softsign", "Atan", "Ceil"]
BINARY = ["Add", "Sub", "Mul", "Max", "Min"]


class RandomGraph:
    """A graph in the making: nodes, weights, and which values have which shapes (the first axis is free)."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.nodes: list[Any] = []
        self.weights: list[Any] = []
        self.shapes: dict[str, tuple[int, ...]] = {"x": (4, 6), "y": (6,)}
        for _ in range(draw(st.integers(2, 9))):
            self.add()

    def weight(self, value: Any) -> str:
        self.weights.append(numpy_helper.from_array(np.asarray(value), f"w{len(self.weights)}"))
        return str(self.weights[-1].name)

    def node(self, op: str, inputs: list[str], shape: tuple[int, ...], **settings: Any) -> None:
        name = f"v{len(self.nodes)}"
        self.nodes.append(
            helper.make_node(op, inputs, [name], name=f"part{len(self.nodes) % 3}/{op}_{len(self.nodes)}", **settings)
        )
        self.shapes[name] = shape

    def add(self) -> None:
        """One operator more."""
        x = self.draw(st.sampled_from(list(self.shapes)))
        shape, rank = self.shapes[x], len(self.shapes[x]) + 1
        kind = self.draw(st.sampled_from(KINDS))
        if kind == "unary":
            self.node(self.draw(st.sampled_from(UNARY)), [x], shape)
        elif kind == "binary":
            other = self.draw(st.sampled_from([each for each, its in self.shapes.items() if its == shape]))
            self.node(self.draw(st.sampled_from(BINARY)), [x, other], shape)
        elif kind == "constant":
            wide = np.ones(self.draw(st.sampled_from([(), (1,), shape[-1:]])), np.float32)
            value = np.float32(self.draw(st.integers(-8, 8)) / 4) * wide
            self.node(self.draw(st.sampled_from(BINARY)), [x, self.weight(value)], shape)
        elif kind == "product":
            seed = np.random.default_rng(len(self.nodes))
            self.node("MatMul", [x, self.weight(seed.normal(size=(shape[-1], 5)).astype(np.float32))], (*shape[:-1], 5))
        elif kind == "turn" and rank == 3:
            self.node("Transpose", [x], shape[::-1], perm=[0, 2, 1])
        elif kind == "flat" and rank == 3:
            self.node("Reshape", [x, self.weight(np.array([0, -1]))], (shape[0] * shape[1],))
        elif kind == "soft":
            self.node("Softmax", [x], shape, axis=self.draw(st.integers(1, rank - 1)))
        elif kind == "mean" and rank == 3:
            axis = self.draw(st.sampled_from([-1, 1]))
            self.node(
                "ReduceMean", [x, self.weight(np.array([axis]))], shape[:1] if axis == -1 else shape[1:], keepdims=0
            )
        elif kind == "join":
            self.node("Concat", [x, x], (*shape[:-1], 2 * shape[-1]), axis=-1)
        elif kind == "cut" and shape[-1] > 2:
            places = [self.weight(np.array([each])) for each in (1, -1, rank - 1)]
            self.node("Slice", [x, *places], (*shape[:-1], shape[-1] - 2))

    def save(self, path: Path) -> Path:
        ins = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["b", *self.shapes[name]]) for name in ("x", "y")]
        names = [node.output[0] for node in self.nodes]
        read = {each for node in self.nodes for each in node.input}
        outs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names if name not in read]
        ins = [each for each in ins if each.name in read]
        graph = helper.make_graph(self.nodes, "g", ins, outs, self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
        path.write_bytes(model.SerializeToString())
        return path


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.composite(RandomGraph)())
def test_random_graphs(tmp_path_factory: Any, graph: RandomGraph) -> None:
    if not graph.nodes:
        return
    found = ogive.from_onnx(graph.save(tmp_path_factory.mktemp("random") / "net.onnx"))
    assert found.verified is not None
    assert found.verified.notes[-1] == "ONNX Runtime gives the same at 3 choices of sizes"
    assert "b" in found.model.sizes

"""The evaluator of the ONNX standard, with its faults mended one by one (onnx 1.23)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto
from onnx.helper import get_attribute_value
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun
from onnx.reference.ops import op_resize

Numbers = np.ndarray[Any, Any]


class Erf(OpRun):  # type: ignore[misc]
    """The evaluator's own computes in float32, whatever the type."""

    op_domain = ""

    def _run(self, x: Numbers) -> tuple[Numbers]:
        return (np.vectorize(math.erf, otypes=[np.float64])(x).astype(x.dtype) if x.size else x,)


class LogSoftmax(OpRun):  # type: ignore[misc]
    """The evaluator's own is the logarithm of `Softmax`, which is 0 where the result is below -745."""

    op_domain = ""

    def _run(self, x: Numbers, axis: int = -1) -> tuple[Numbers]:
        if not x.size:
            return (x,)
        less = x - x.max(axis=axis, keepdims=True)
        return ((less - np.log(np.exp(less).sum(axis=axis, keepdims=True))).astype(x.dtype),)


class Resize(op_resize.Resize):  # type: ignore[misc]
    """The evaluator's own weighs cubics in float32, as their setting is, and fails where the other axes are empty."""

    op_domain = ""

    def _run(self, x: Numbers, *inputs: Numbers, cubic_coeff_a: float = -0.75, **settings: Any) -> tuple[Numbers, ...]:
        if x.size or not settings["axes"]:
            found: tuple[Numbers, ...] = super()._run(x, *inputs, cubic_coeff_a=float(cubic_coeff_a), **settings)
            return found
        sizes = list(x.shape)
        for at, axis in enumerate(settings["axes"]):  # inputs: a region, factors, and sizes where there are no factors
            sizes[axis] = int(inputs[2][at]) if len(inputs) > 2 else int(x.shape[axis] * inputs[1][at])
        return (np.zeros(sizes, x.dtype),)


MENDED: tuple[type[OpRun], ...] = (Erf, LogSoftmax, Resize)


class Evaluator(ReferenceEvaluator):  # type: ignore[misc]
    """With the mended operations also in functions, which are evaluators of this class."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        settings["new_ops"] = [*(settings.get("new_ops") or ()), *MENDED]
        super().__init__(*args, **settings)


def _attribute(node: NodeProto, name: str, default: Any = None) -> Any:
    found = [get_attribute_value(a) for a in node.attribute if a.name == name]
    return found[0] if found else default


# what it lacks, or does otherwise than the standard says, and is not mended here: the node, in which form, and what
LACKS: tuple[tuple[str, Callable[[NodeProto], bool], str], ...] = (
    ("Scan", lambda n: any(_attribute(n, "scan_input_axes", [])), "Scan along another axis than the first"),
    ("Scan", lambda n: any(_attribute(n, "scan_output_axes", [])), "Scan along another axis than the first"),
    ("Scan", lambda n: any(_attribute(n, "scan_input_directions", [])), "Scan in reverse"),
    ("MaxPool", lambda n: bool(_attribute(n, "ceil_mode", 0)), "MaxPool with ceil_mode has another shape"),
    ("MaxPool", lambda n: any(_attribute(n, "pads", [])), "MaxPool with pads looks beyond them"),
    ("ConvTranspose", lambda n: _attribute(n, "group", 1) > 1, "ConvTranspose with groups of several channels"),
    ("GlobalMaxPool", lambda n: True, "GlobalMaxPool of one spatial axis"),
)


# the same, told by the words of an error
WORDS = (
    ("output shape cannot be null or negative", "pools whose windows lie on the padding alone"),
    ("context dependent implementation", "types inside of functions"),
)


def words_of(error: Exception) -> str:
    """What the evaluator lacks, where an error says so."""
    return next((what for words, what in WORDS if words in str(error)), "")


def evaluated(proto: ModelProto, feeds: Mapping[str, Numbers]) -> list[Numbers]:
    """The outputs. Raises whatever the evaluator raises."""
    with np.errstate(all="ignore"):
        found = Evaluator(proto).run(None, dict(feeds))
    return [np.asarray(y) for y in found]


def lacking(proto: ModelProto) -> str:
    """What the evaluator lacks for a graph; nothing where it can run it."""
    for node in nodes_of(proto):
        for op, test, what in LACKS:
            if node.op_type == op and test(node):
                return what
    return ""


def nodes_of(proto: ModelProto) -> list[NodeProto]:
    """All nodes, those of subgraphs and functions too."""
    found: list[NodeProto] = []

    def visit(nodes: Iterable[NodeProto]) -> None:
        for node in nodes:
            found.append(node)
            for attribute in node.attribute:
                if attribute.HasField("g"):
                    visit(attribute.g.node)

    visit(proto.graph.node)
    for function in proto.functions:
        visit(function.node)
    return found

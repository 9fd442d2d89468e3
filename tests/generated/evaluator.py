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

Numbers = np.ndarray[Any, Any]


class Erf(OpRun):  # type: ignore[misc]
    """The evaluator's own computes in float32, whatever the type."""

    op_domain = ""

    def _run(self, x: Numbers) -> tuple[Numbers]:
        return (np.vectorize(math.erf, otypes=[np.float64])(x).astype(x.dtype) if x.size else x,)


MENDED: tuple[type[OpRun], ...] = (Erf,)


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

"""The analyses `similarity` and `features`: hashes and distances of graphs, and what predictors read of them."""

from __future__ import annotations

from collections import Counter
from typing import Any

from ogive.compiler.analysis.cost.report import multiply_adds
from ogive.compiler.analysis.frame.result import AnalysisResult, AnalysisRow, Cell
from ogive.compiler.analysis.similarity.distance import GraphDistance, distance
from ogive.compiler.analysis.similarity.labelled import LabelledGraph, labelled
from ogive.compiler.ir.model import Model
from ogive.compiler.ir.weights import weights
from ogive.compiler.ops import OPS

SIMILARITY = "nodes are operations with their settings, weights, inputs and outputs; names count for nothing"
FEATURES = "one node in a row, with the numbers of those that it reads; loops once, with their count in their label"
KINDS = tuple(dict.fromkeys(spec.kind for spec in OPS.values()))


def similarity(source: Model, flat: Model) -> AnalysisResult:
    """The hash of a model, whose flattened form is `flat`; `ogive diff --score` compares two."""
    graph = labelled(flat)
    counts = Counter(node.op for node in graph.nodes)
    rows = tuple(AnalysisRow(op, "operation", {"count": count}) for op, count in sorted(counts.items()))
    totals: dict[str, Cell] = {
        "wl_hash": graph.hash, "nodes": len(graph.nodes), "edges": sum(1 for _ in graph.edges),
    }  # fmt: skip
    return AnalysisResult("similarity", source.name, {}, SIMILARITY, totals, rows, columns=("count",), chart="count")


def score(a: Model, b: Model) -> GraphDistance:
    """How far two flattened models are from each other."""
    return distance(labelled(a), labelled(b))


def features(source: Model, flat: Model) -> AnalysisResult:
    """The vector of a performance predictor, and the graph that a graph hypernetwork reads."""
    graph = labelled(flat)
    rows = tuple(
        AnalysisRow(
            node.path, node.op,
            {
                "node": at, "inputs": list(node.inputs), "reads": len(node.inputs), "shape": list(node.shape),
                "label": node.label,
            },
        )
        for at, node in enumerate(graph.nodes)
    )  # fmt: skip
    return AnalysisResult(
        "features", source.name, {}, FEATURES, _vector(source, graph), rows,
        columns=("node", "inputs", "shape"),
    )  # fmt: skip


def _vector(source: Model, graph: LabelledGraph) -> dict[str, Cell]:
    infos = [info for info in weights(source) if info.kind == "param"]
    counts = Counter(OPS[node.op].kind for node in graph.nodes if node.op in OPS)
    ops: dict[str, Any] = dict(sorted(Counter(node.op for node in graph.nodes if node.op in OPS).items()))
    return {
        "parameters": sum(info.elements for info in infos),
        "tensors": sum(info.count for info in infos),
        "layers": sum(info.count for info in infos if len(info.shape) > 1),
        "multiply_adds": multiply_adds(source),
        "nodes": len(graph.nodes),
        "edges": sum(1 for _ in graph.edges),
        "depth": _depth(graph),
        "kinds": {kind: counts[kind] for kind in KINDS},
        "ops": ops,
    }


def _depth(graph: LabelledGraph) -> int:
    """Operations on the longest way."""
    depths: list[int] = []
    for node in graph.nodes:
        below = max((depths[at] for at in node.inputs), default=0)
        depths.append(below + (node.op in OPS))
    return max(depths, default=0)

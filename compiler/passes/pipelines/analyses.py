"""Analyses by name: from Python and from the command line. Each is a function of a model and of options."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from ogive.compiler.analysis.cost.report import cost
from ogive.compiler.analysis.frame.result import AnalysisResult
from ogive.compiler.analysis.groups.report import groups
from ogive.compiler.analysis.similarity.report import features, similarity
from ogive.compiler.ir.model import Model
from ogive.compiler.passes.cleanup.deploy_flatten import deployed
from ogive.compiler.passes.conversion.result import PassError
from ogive.compiler.passes.pipelines.lowering import lowered
from ogive.compiler.passes.scaling.moe import moe_scale
from ogive.compiler.passes.scaling.muon import muon
from ogive.compiler.passes.scaling.report import mup
from ogive.grammar.spelling import close

FLOAT_TYPES = ("f32", "f64", "bf16", "f16")


def cost_of(model: Model, *, dtype: str = "f32") -> AnalysisResult:
    """Parameters, multiply-adds, FLOPs, memory of results and of what backward keeps; floats are of type `dtype`."""
    if dtype not in FLOAT_TYPES:
        text = f"`dtype` of `cost` is one of {', '.join(FLOAT_TYPES)}, not `{dtype}`"
        raise PassError("E0810", text, close(dtype, FLOAT_TYPES))
    return cost(model, lowered(model), dtype)


def groups_of(model: Model) -> AnalysisResult:
    """Coupled channels, and which may be pruned."""
    return groups(model, deployed(model))


def similarity_of(model: Model) -> AnalysisResult:
    """The hash of the graph, which no name is in."""
    return similarity(model, deployed(model))


def features_of(model: Model) -> AnalysisResult:
    """What predictors of performance and graph hypernetworks read."""
    return features(model, deployed(model))


ANALYSES: Mapping[str, Callable[..., AnalysisResult]] = MappingProxyType(
    {
        "cost": cost_of,
        "features": features_of,
        "groups": groups_of,
        "moe_scale": moe_scale,
        "muon": muon,
        "mup": mup,
        "similarity": similarity_of,
    }
)

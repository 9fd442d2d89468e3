"""What `Model.analyze` and `ogive analyze` ask: analyses by name, at sizes of the inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

from ogive.afford import countable
from ogive.compiler.analysis.frame.result import AnalysisResult
from ogive.compiler.ir_tools.open_sizes import open_sizes, unfit_names
from ogive.compiler.passes.conversion.result import PassError
from ogive.compiler.passes.pipelines.analyses import ANALYSES
from ogive.compiler.passes.pipelines.calls import PassCall, calls_of, checked
from ogive.compiler.sizes import Unknown
from ogive.deployed import refused_at
from ogive.grammar.spelling import close
from ogive.refusals import wrong
from ogive.summary import misfit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor, nn

    from ogive.compiler.ir import model as typed


class AnalyzedModel(Protocol):
    """A model as analyses take it."""

    ir: typed.Model
    name: str

    @property
    def sizes(self) -> Sequence[str]:
        """The names of the sizes that its inputs bind."""

    def load_weights(self, weights: Any) -> dict[str, Tensor]:
        """A state dict by the paths of the model."""

    def torch(self) -> nn.Module:
        """A fresh module."""


# those that compute on numbers, where their functions are: torch is loaded for these alone
NUMERIC: Mapping[str, str] = MappingProxyType(
    {
        "bounds": "ogive.backends.analysis.bounds.report:bounds",
        "collapse": "ogive.backends.analysis.measured.collapse:collapse",
        "coordinate_check": "ogive.backends.analysis.coordinates:coordinate_check",
        "criticality": "ogive.backends.analysis.signals.report:criticality",
        "degeneracy": "ogive.backends.analysis.measured.degeneracy:degeneracy",
        "expansion_score": "ogive.backends.analysis.measured.expansion:expansion_score",
        "guidance": "ogive.backends.analysis.measured.guidance:guidance",
        "inductive_bias": "ogive.backends.analysis.measured.bias:inductive_bias",
        "kernel": "ogive.backends.analysis.kernels.report:kernel",
        "lipschitz": "ogive.backends.analysis.lipschitz.report:lipschitz",
        "prune_regimes": "ogive.backends.analysis.measured.regimes:prune_regimes",
    }
)
NAMES = (*ANALYSES, *NUMERIC)


def analyses_of(
    model: AnalyzedModel,
    names: str | Sequence[str | PassCall],
    sizes: Mapping[str, int],
    *,
    weights: Any = None,
    data: Mapping[str, Tensor] | None = None,
    loss: str | None = None,
) -> list[AnalysisResult]:
    """The results of analyses as written, "cost[dtype=bf16], groups", in order. Raises `ArchError`.

    `weights` and `data` are for those that compute on numbers: a state dict of the model's own paths, and tensors by
    the names of inputs, with `target`.
    """
    given = fitting(model, sizes)
    countable(model.ir)
    with refused_at(model.ir):
        texts = [names] if isinstance(names, str) else list(names)
        calls = [call for each in texts for call in _calls(each)]
        return [_one(model, call, given, weights, data, loss) for call in calls]


def as_asked(
    model: AnalyzedModel, name: str | Sequence[str], sizes: Mapping[str, int], **given: Any
) -> AnalysisResult | list[AnalysisResult]:
    """One result for a text, a list of them for a list. Raises `ArchError` also for a text with several names."""
    found = analyses_of(model, name, sizes, **given)
    if not isinstance(name, str):
        return found
    if len(found) > 1:
        raise wrong(f"`{name}` names {len(found)} analyses: ask for one at a time, or give a list")
    return found[0]


def _calls(given: str | PassCall) -> Sequence[PassCall]:
    return (given,) if isinstance(given, PassCall) else calls_of(given, "analyses", "cost[dtype=bf16]")


def _one(
    model: AnalyzedModel, call: PassCall, sizes: Mapping[Unknown, int], weights: Any, data: Any, loss: str | None
) -> AnalysisResult:
    if call.name in ANALYSES:
        return checked(call, ANALYSES, "analysis")(model.ir).at(sizes)
    if call.name not in NUMERIC:
        text = f"there is no analysis `{call.name}`; there are {', '.join(NAMES)}"
        raise PassError("E0810", text, close(call.name, NAMES))
    from ogive.backends.analysis.subject import LOSSES, AnalysisSubject

    if loss is not None and loss not in LOSSES:
        raise PassError("E0810", f"a loss is {' or '.join(LOSSES)}, not `{loss}`", close(loss, LOSSES))
    place, _, name = NUMERIC[call.name].partition(":")
    function: Callable[..., AnalysisResult] = getattr(import_module(place), name)
    state = None if weights is None else model.load_weights(weights)

    def second(target: str, weights: str) -> AnalysisSubject:
        other = _second(target)
        given = other.load_weights(weights) if weights else None
        return AnalysisSubject(other.ir, {}, given, data, loss, other.torch)

    subject = AnalysisSubject(model.ir, sizes, state, data, loss, model.torch, second, model.load_weights)
    return checked(call, {call.name: function}, "analysis")(subject).at(sizes)


def _second(target: str) -> AnalyzedModel:
    """A model as FILE:MODEL. Raises PassError where it is none, `ArchError` where the file has errors."""
    api = import_module("ogive.api")
    path, colon, name = target.rpartition(":")
    if not colon:
        raise PassError("E0810", f'a second model is "FILE:MODEL", not "{target}"')
    models = api.load(path).models
    if name not in models:
        raise PassError("E0810", f"{path} has no model `{name}`; it has {', '.join(models)}", close(name, models))
    found: AnalyzedModel = models[name]
    return found


def fitting(model: AnalyzedModel, sizes: Mapping[str, int]) -> dict[Unknown, int]:
    """Sizes of the inputs by their unknowns. Raises `WrongArgument` where the model has no such, or they do not fit."""
    if said := unfit_names(model.ir, sizes):
        raise wrong(said)
    if said := misfit(model.ir, sizes):
        raise wrong(f"{model.name}: {said}")
    return {unknown: sizes[unknown.name] for unknown in open_sizes(model.ir) if unknown.name in sizes}

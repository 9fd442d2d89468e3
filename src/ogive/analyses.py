"""What `Model.analyze` and `ogive analyze` ask: analyses by name, at sizes of the inputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from ogive.afford import countable
from ogive.compiler.analysis.frame.result import AnalysisResult
from ogive.compiler.ir import model as typed
from ogive.compiler.ir_tools.open_sizes import open_sizes, unfit_names
from ogive.compiler.passes.pipelines.analyses import analyzed
from ogive.compiler.passes.pipelines.calls import calls_of
from ogive.compiler.sizes import Unknown
from ogive.deployed import refused_at
from ogive.refusals import wrong
from ogive.summary import misfit

if TYPE_CHECKING:
    from collections.abc import Sequence


class SizedModel(Protocol):
    """A model whose inputs bind sizes."""

    ir: typed.Model
    name: str

    @property
    def sizes(self) -> Sequence[str]:
        """Their names."""


def analyses_of(model: SizedModel, names: str, sizes: Mapping[str, int]) -> list[AnalysisResult]:
    """The results of analyses as written, "cost[dtype=bf16], groups". Raises `ArchError`."""
    given = fitting(model, sizes)
    countable(model.ir)
    with refused_at(model.ir):
        calls = calls_of(names, "analyses", "cost[dtype=bf16]")
        return [analyzed(model.ir, call).at(given) for call in calls]


def fitting(model: SizedModel, sizes: Mapping[str, int]) -> dict[Unknown, int]:
    """Sizes of the inputs by their unknowns. Raises `WrongArgument` where the model has no such, or they do not fit."""
    if said := unfit_names(model.ir, sizes):
        raise wrong(said)
    if said := misfit(model.ir, sizes):
        raise wrong(f"{model.name}: {said}")
    return {unknown: sizes[unknown.name] for unknown in open_sizes(model.ir) if unknown.name in sizes}

"""The analysis `groups`: a row for each group of coupled channels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ogive.compiler.analysis.frame.result import AnalysisResult, AnalysisRow, Cell
from ogive.compiler.analysis.groups.coupled import CoupledGroup, Place, coupled
from ogive.compiler.analysis.provenance.domain import provenance
from ogive.compiler.ir.model import Model
from ogive.compiler.sizes import size

CONVENTION = (
    "channel i of a group is entry i of every weight in it, where a place says no more; yes: channels whose weights "
    "are all 0 may be taken away, and the outputs stay; changes: they may, but an operation sees them; no: why"
)
COLUMNS = ("channels", "weights", "prunable", "why")


def groups(source: Model, flat: Model) -> AnalysisResult:
    """The groups of a model whose flattened form is `flat`, in use."""
    found = provenance(flat)
    every = coupled(found)
    spans = {weight.path: weight.span for weight in flat.definition.weights}
    rows = tuple(
        AnalysisRow(group.name, group.loop or "", _fields(group), spans.get(group.places[0].path)) for group in every
    )
    totals: dict[str, Cell] = {
        "groups": len(every),
        **{f"prunable_{kind}": sum(group.prunable == kind for group in every) for kind in ("yes", "changes", "no")},
        "channels": sum((group.channels for group in every if group.prunable == "yes"), size(0)),
    }
    return AnalysisResult(
        "groups", source.name, {}, CONVENTION, totals, rows, found.unknown, columns=COLUMNS, chart="channels"
    )


def _fields(group: CoupledGroup) -> dict[str, Cell]:
    why = group.frozen or group.seen
    return {
        "channels": group.channels,
        "weights": len(dict.fromkeys(place.path for place in group.places)),
        "prunable": group.prunable,
        "why": "; ".join(_said(each.reason, each.span) for each in why[:1]),
        "reasons": [_said(each.reason, each.span) for each in why],
        "loop": group.loop,
        "places": [_place(place) for place in group.places],
    }


def _said(reason: str, span: Any) -> str:
    return reason if span is None else f"{reason} ({span.path}:{span.begin()[0]})"


def _place(place: Place) -> Mapping[str, Any]:
    index = place.index
    return {
        "path": place.path,
        "axis": place.axis,
        "offset": index.offset,
        "stride": index.stride,
        "repeats": [{"count": count, "step": step} for count, step in index.repeats],
    }

"""What `ogive check --json` prints; `check.schema.json` in the package says which fields there are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ogive.compiler.driver.reports import BlockReport, ModelReport
from ogive.compiler.driver.workspace import CheckedProgram
from ogive.grammar.diagnostics import Diagnostic
from ogive.grammar.render import place, to_json
from ogive.version import VERSION

SCHEMA = "check.schema.json"
VERSION_OF_SCHEMA = (
    "1.1"  # the first number changes where a field goes or means something else, the second where one comes
)


def as_data(diagnostics: Iterable[Diagnostic], programs: Iterable[CheckedProgram]) -> dict[str, Any]:
    """All that the text of a check holds, as plain data; lines and columns count from 1."""
    programs = list(programs)
    return {
        "schema": VERSION_OF_SCHEMA,
        "ogive": VERSION,
        "diagnostics": [to_json(found) for found in diagnostics],
        "blocks": [{**_entry(block), "doc": block.doc} for program in programs for block in program.blocks],
        "models": [
            {**_entry(model), "parameters": model.parameters}
            for program in programs
            for model in program.models.values()
        ],
    }


def _entry(report: BlockReport | ModelReport) -> Mapping[str, Any]:
    assert report.span is not None, report.name
    return {
        "name": report.name,
        "signature": report.signature,
        "conditions": list(report.conditions),
        **place(report.span),
    }

"""Diagnostics as other tools read them: one line each, workflow commands of GitHub, SARIF 2.1.0."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from ogive.codes import sections
from ogive.grammar.diagnostics import Diagnostic, Edit
from ogive.grammar.render import one_line
from ogive.grammar.source import Span
from ogive.version import VERSION

LEVELS = {"error": "error", "warning": "warning", "hint": "note"}  # of SARIF
COMMANDS = {"error": "error", "warning": "warning", "hint": "notice"}  # of workflows


def concise(diagnostics: Iterable[Diagnostic]) -> str:
    """`net.arch:3:9: E0301 message; help`, a line each."""
    return "\n".join(
        f"{one_line(found.span.path)}:{found.span.begin()[0]}:{found.span.begin()[1]}: {found.code} {_said(found)}"
        for found in diagnostics
    )


def github(diagnostics: Iterable[Diagnostic]) -> str:
    """Workflow commands, which GitHub shows beside the lines of a change."""
    return "\n".join(map(_command, diagnostics))


def sarif(diagnostics: Sequence[Diagnostic]) -> str:
    """A SARIF log, whose columns count characters, with the edits that change no contract as fixes."""
    known, codes = sections(), sorted({found.code for found in diagnostics})
    rules = [{"id": code, "shortDescription": {"text": known[code].title}} for code in codes]
    run = {
        "tool": {"driver": {"name": "ogive", "version": VERSION, "rules": rules}},
        "columnKind": "unicodeCodePoints",
        "results": [_result(found, codes.index(found.code)) for found in diagnostics],
    }
    log = {"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [run]}
    return json.dumps(log, indent=2)


def _said(found: Diagnostic) -> str:
    return one_line("; ".join([found.message, *filter(None, [found.help])]))


def _command(found: Diagnostic) -> str:
    line, column = found.span.begin()
    end_line, end_column = found.span.finish()
    settings = {"file": found.span.path, "line": line, "endLine": end_line}
    if line == end_line:  # GitHub takes columns within one line alone
        settings |= {"col": column, "endColumn": end_column}
    settings |= {"title": f"ogive {found.code}"}
    shown = ",".join(f"{key}={_escaped(str(value), ':,')}" for key, value in settings.items())
    text = "\n".join([found.message, *found.details, *filter(None, [found.help])])
    return f"::{COMMANDS[found.severity]} {shown}::{_escaped(text)}"


def _escaped(text: str, more: str = "") -> str:
    text = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    for char in more:
        text = text.replace(char, f"%{ord(char):02X}")
    return text


def _result(found: Diagnostic, rule: int) -> dict[str, Any]:
    text = "\n".join([found.message, *found.details, *filter(None, [found.help])])
    result: dict[str, Any] = {
        "ruleId": found.code,
        "ruleIndex": rule,
        "level": LEVELS[found.severity],
        "message": {"text": text},
        "locations": [{"physicalLocation": _location(found.span)}],
    }
    if found.labels:
        result["relatedLocations"] = [
            {"physicalLocation": _location(label.span), "message": {"text": label.text}} for label in found.labels
        ]
    if safe := [edit for edit in found.edits if not edit.contract]:
        result["fixes"] = [{"artifactChanges": _changes(safe)}]
    return result


def _changes(edits: Sequence[Edit]) -> list[dict[str, Any]]:
    by_file: dict[str, list[Edit]] = {}
    for edit in edits:
        by_file.setdefault(edit.span.path, []).append(edit)
    return [
        {
            "artifactLocation": {"uri": _uri(path)},
            "replacements": [
                {"deletedRegion": _region(each.span), "insertedContent": {"text": each.text}} for each in mine
            ],
        }
        for path, mine in by_file.items()
    ]


def _location(span: Span) -> dict[str, Any]:
    return {"artifactLocation": {"uri": _uri(span.path)}, "region": _region(span)}


def _region(span: Span) -> dict[str, int]:
    (line, column), (end_line, end_column) = span.begin(), span.finish()
    return {"startLine": line, "startColumn": column, "endLine": end_line, "endColumn": end_column}


def _uri(path: str) -> str:
    pure = PurePath(path)
    return pure.as_uri() if pure.is_absolute() else quote(pure.as_posix())

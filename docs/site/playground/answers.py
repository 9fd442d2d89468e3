"""What the worker of the playground asks of Ogive: a request as JSON in, an answer as JSON out; no framework, no file.

Each answer has `diagnostics`, and beside them what was asked for where there are no errors in the way. The program
comes from anyone: it is checked, formatted, counted, drawn and written as text, never run, and no `extern` is allowed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ogive
from ogive.compiler.driver.partial_graphs import sketches
from ogive.compiler.driver.workspace import CheckedProgram, Workspace, check_text
from ogive.drawn import subjects
from ogive.grammar.diagnostics import ArchError, Diagnostic
from ogive.grammar.files import as_read
from ogive.grammar.formatter import format_text
from ogive.grammar.render import render, to_json

if TYPE_CHECKING:
    from ogive.api import Program
    from ogive.compiler.driver.reports import BlockReport, ModelReport

# beside the examples, so that a program may use one of them; the file itself is never read
PATH = str(Path(ogive.__file__).parent / "examples" / "playground.arch")
SHOWN = "playground.arch"
VIEWS = ("circuit", "overview", "stack", "maps")
DEPTH = 3  # levels of blocks that a drawing may open: it has to be there within seconds
SIDES = (64, 224, 256, 572)  # of the images of feature maps, of which the first that fits is drawn
WORKSPACE = Workspace()

Answer = dict[str, Any]


def answer(request: str) -> str:
    """The answer to `{"kind": ..., "text": ..., ...}`. What is asked for in vain is told in `diagnostics`."""
    asked = json.loads(request)
    try:
        text = as_read(str(asked["text"]), PATH)
        if isinstance(text, Diagnostic):
            raise ArchError((text,))
        found = KINDS[asked["kind"]](text, asked)
    except ArchError as error:
        found = {"diagnostics": list(map(_told, error.diagnostics))}
    return json.dumps(found, ensure_ascii=False)


def check(text: str, asked: Mapping[str, Any]) -> Answer:
    """Findings, what each block and model takes, gives and demands, and the names of what can be drawn."""
    program = _checked(text)
    rows: list[Answer] = [{"kind": "block", **_row(each)} for each in program.blocks]
    rows += [{"kind": "model", **_row(each), "parameters": each.parameters} for each in program.models.values()]
    broken = [] if program.ok else [sketch.name for sketch in sketches(check_text(text, PATH))]  # anew: see `_drawn`
    return {
        "diagnostics": list(map(_told, program.diagnostics)),
        "ok": program.ok,
        "rows": rows,
        "names": list(dict.fromkeys([*broken, *program.models, *subjects(program)])),
    }


def _row(report: BlockReport | ModelReport) -> Answer:
    return {"name": report.name, "signature": report.signature, "conditions": list(report.conditions)}


def fmt(text: str, asked: Mapping[str, Any]) -> Answer:
    """The program in the one style."""
    return {"diagnostics": [], "text": format_text(text, PATH)}


def show(text: str, asked: Mapping[str, Any]) -> Answer:
    """The table of a model: weights, parameters, operations, multiply-adds, also at the sizes that are given."""
    from ogive.backends.diagram.figure.labels import size_label
    from ogive.backends.diagram.render.live import in_line

    model = _program(text)[_name(asked)]
    given = _sizes(asked)
    sizes = {name: given[label] for name in model.sizes if (label := in_line(size_label(name))) in given}
    return {"diagnostics": [], "text": model.summary(**sizes)}


def draw(text: str, asked: Mapping[str, Any]) -> Answer:
    """A page with the drawing of a block or model, in which sizes can be dragged; faults are marked in it."""
    return {"diagnostics": [], "page": _drawn(text, asked, "html")}


def svg(text: str, asked: Mapping[str, Any]) -> Answer:
    """The drawing alone, with numbers for the sizes that are given."""
    return {"diagnostics": [], "text": _drawn(text, asked, "svg")}


def emit(text: str, asked: Mapping[str, Any]) -> Answer:
    """The module of PyTorch: all models of the file, or the block that is named where it has none."""
    program = _program(text)
    return {"diagnostics": [], "text": program.torch_source(only=() if program.models else (_name(asked),))}


KINDS: dict[str, Callable[[str, Mapping[str, Any]], Answer]] = {
    "check": check, "fmt": fmt, "show": show, "draw": draw, "svg": svg, "emit": emit,
}  # fmt: skip


def _checked(text: str) -> CheckedProgram:
    return WORKSPACE.check(text, PATH, extern=False)


def _program(text: str) -> Program:
    from ogive.api import Program

    program = _checked(text)
    errors = tuple(found for found in program.diagnostics if found.severity == "error")
    if errors:
        raise ArchError(errors)
    return Program(program)


def _drawn(text: str, asked: Mapping[str, Any], form: str) -> str:
    from ogive.backends.diagram.diagram import diagram  # the first check does not wait for what draws
    from ogive.backends.diagram.figure.labels import size_label
    from ogive.backends.diagram.from_ir.numbers import open_sizes
    from ogive.backends.diagram.render.live import in_line
    from ogive.backends.diagram.wrong import broken_diagrams
    from ogive.refusals import unknown

    program, name = _checked(text), _name(asked)
    view: Any = asked.get("view") if asked.get("view") in VIEWS else "circuit"
    settings: dict[str, Any] = {"view": view, "depth": min(max(int(asked.get("depth") or 0), 0), DEPTH)}
    found = subjects(program)
    if name in found:
        # the page calls sizes as drawings write them
        sizes, given = open_sizes(found[name]), _sizes(asked) if form == "svg" or view == "maps" else {}
        at = {each: given[label] for each in sizes if (label := in_line(size_label(each))) in given}
        sides = [{"h": side, "w": side} for side in SIDES] if view == "maps" else []  # which feature maps must have
        for numbers in (*(each | at for each in sides), *sides):
            with suppress(ArchError):
                return diagram(found[name], at=numbers, **settings).text(form)
        return diagram(found[name], at=at, **settings).text(form)
    made = broken_diagrams(check_text(text, PATH), name, **settings)  # anew: a workspace forgets what failed
    if name not in made:
        raise unknown(f"no model or block `{name}` that can be drawn", "choose one of the list")
    return made[name].text(form)


def _name(asked: Mapping[str, Any]) -> str:
    return str(asked.get("name", ""))


def _sizes(asked: Mapping[str, Any]) -> dict[str, int]:
    return {str(name): int(value) for name, value in dict(asked.get("sizes") or {}).items()}


def _told(found: Diagnostic) -> Answer:
    """A diagnostic as data, with its text as the command line shows it."""
    told = to_json(found) | {"text": render((found,)).replace(PATH, SHOWN)}
    for place in (told, *told["labels"], *told["edits"]):
        place["here"] = place["file"] == PATH
    return told

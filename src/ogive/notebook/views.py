"""What a cell shows of a program, a block, a model, a deployed model, a module."""

from __future__ import annotations

from functools import singledispatch
from html import escape
from typing import Any

from ogive.api import Block, Program
from ogive.backends.diagram.figure.errors import DiagramError
from ogive.grammar.diagnostics import ArchError
from ogive.grammar.render import render
from ogive.model import DeployedModel, Model
from ogive.notebook import parts
from ogive.notebook.tree import tree_html, tree_of

LARGE = 400  # operations of a body that is drawn without being asked


@singledispatch
def view(of: Any) -> str:
    """HTML for the output of a cell."""
    return parts.card(parts.text(repr(of)))


@view.register
def _program(of: Program) -> str:
    rows = [["", "name", "signature", "parameters"]]
    for name, model in of.models.items():
        rows.append(["model", name, model.signature, _count(model)])
    for name, block in of.blocks.items():
        rows.append(["block", name, block.signature, ""])
    found = [parts.table(rows, 1)] if len(rows) > 1 else [parts.text("nothing is declared")]
    if of.diagnostics:
        found.append(parts.folded(f"{len(of.diagnostics)} warnings and hints", parts.text(render(of.diagnostics))))
    return parts.card(*found)


def _count(model: Model) -> str:
    try:
        return f"{model.parameters:,}"
    except ArchError:  # modules of the user's are not counted without being made
        return ""


@view.register
def _block(of: Block) -> str:
    doc = of._definition.doc if of._definition is not None else ""
    drawn = [("diagram", _picture(of, of._definition))] if of._definition is not None else []
    return parts.card(
        parts.head("block", of.name, of.signature, " ".join(doc.split())),
        parts.conditions(of.conditions),
        *_tabbed(drawn),
    )


@view.register
def _model(of: Model) -> str:
    return parts.card(*_of_model(of), parts.tabs(_of_weights(of)))


@view.register
def _deployed(of: DeployedModel) -> str:
    more = [*_of_weights(of), ("passes", parts.text(of.report())), ("weights from", parts.text(str(of.conversion)))]
    lead = f'<div class="dim">made of {escape(of.source.name)}</div>'
    return parts.card(*_of_model(of), lead, parts.tabs(more))


def _of_model(of: Model) -> list[str]:
    statics = ", ".join(f"{name}={value}" for name, value in of.statics.items())
    return [
        parts.head("model", of.name, of.signature, " ".join(of.ir.doc.split())),
        parts.conditions(of.conditions),
        f'<div class="dim">{escape(statics)}</div>' if statics else "",
        f"<div>{_count(of)} parameters</div>" if _count(of) else "",
    ]


def _of_weights(of: Model) -> list[tuple[str, str]]:
    try:
        weights = {path: (slot.shape, slot.elem, slot.kind) for path, slot in of.slots.items()}
        shown = tree_html(tree_of(weights)) if weights else parts.text("no weights")
    except ArchError as refused:
        shown = parts.text(refused.diagnostics[0].message)
    return [("weights", shown), ("diagram", _picture(of, of.ir.definition))]


def _tabbed(found: list[tuple[str, str]]) -> list[str]:
    return [parts.tabs(found)] if found else []


def _picture(of: Model | Block, definition: Any) -> str:
    if sum(1 for _ in definition.graph.walk()) > LARGE:
        return parts.text(f"a large body: {of.name}.diagram() draws it")
    try:
        drawing = of.diagram(theme="light")  # on white in any notebook
    except (DiagramError, ArchError) as refused:
        return parts.text(str(refused))
    return parts.picture(drawing.bytes("svg").decode(), of.name)


def module_view(net: Any) -> str | None:
    """A module that was emitted: its class and its weights. None for any other, which shows itself."""
    if not type(net).__module__.startswith("ogive_model_"):
        return None
    learned = {id(each) for each in net.parameters()}
    weights = {
        path: (tuple(each.shape), _elem(each.dtype), "param" if id(each) in learned else "state")
        for path, each in net.state_dict(keep_vars=True).items()
    }
    count = sum(each.numel() for each in net.parameters())
    devices = sorted({str(each.device) for each in net.parameters()})
    mode = "training" if net.training else "eval"
    lead = parts.head("module", type(net).__name__, f"{mode}, {', '.join(devices) or 'no weights'}")
    return parts.card(lead, f"<div>{count:,} parameters</div>", tree_html(tree_of(weights)))


def _elem(dtype: Any) -> str:
    names = {"float32": "float", "float64": "f64", "float16": "f16", "bfloat16": "bf16", "int64": "i64", "bool": "bool"}
    name = str(dtype).removeprefix("torch.")
    return names.get(name, name)

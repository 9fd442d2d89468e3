"""`recipe name for Model: pass, pass[...]`: named lists of passes of a file."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from ogive.compiler.passes.conversion.result import PassError
from ogive.compiler.passes.pipelines.calls import PassCall, call_of
from ogive.compiler.passes.pipelines.registry import made
from ogive.grammar import syntax
from ogive.grammar.diagnostics import Diagnostic


@dataclass(frozen=True, slots=True)
class Recipe:
    """A checked recipe: a list of passes."""

    name: str
    model: str
    passes: tuple[PassCall, ...]
    doc: str = ""


def recipe(tree: syntax.Recipe, models: Collection[str]) -> Recipe | list[Diagnostic]:
    """The recipe of a declaration, or what is wrong with it."""
    if tree.model not in models:
        help_ = f"its models are {', '.join(models)}" if models else ""
        return [Diagnostic("E0201", f"there is no model `{tree.model}` in this file", tree.name_span, help=help_)]
    calls, faults = [], []
    for each in tree.passes:
        try:
            call = call_of(each)
            made(call)
            calls.append(call)
        except PassError as error:
            faults.append(Diagnostic(error.code, error.text, each.span, help=error.help))
    return faults or Recipe(tree.name, tree.model, tuple(calls), tree.doc)

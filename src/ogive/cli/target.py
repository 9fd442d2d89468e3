"""The models that FILE:NAME and -D speak of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from ogive.api import Block, Model, load
from ogive.cli.project import settings_here
from ogive.compiler.ir_tools.open_sizes import open_sizes
from ogive.grammar.diagnostics import ArchError, Diagnostic
from ogive.grammar.spelling import close


def model_of(path: Path, name: str | None, statics: dict[str, Any], allow_extern: bool = False) -> list[Model]:
    """The model of that name, a block with these statics, or without a name every model of the file."""
    program = load(path, allow_extern=allow_extern)
    if name is None:
        if statics:
            raise click.UsageError("-D needs the name of a block: FILE:NAME")
        if not program.models:
            raise click.UsageError(f"{path} has no model; name a block and its statics: {path}:NAME -D d=768")
        return list(program.models.values())
    if name not in program:
        hint = f"; {near}" if (near := close(name, list(program))) else ""
        raise click.UsageError(f"{path} has no model or block `{name}`; it has {', '.join(program) or 'none'}{hint}")
    found = program[name]
    if isinstance(found, Block):
        try:
            return [found(**statics)]
        except ArchError as error:
            raise ArchError(tuple(_said_here(each, f"{path}:{name}") for each in error.diagnostics)) from None
    if statics:
        raise click.UsageError(f"`{name}` is a model, all its statics are given; name its block instead")
    return [found]


def _said_here(fault: Diagnostic, target: str) -> Diagnostic:
    """What lacks a static says how a command gives it."""
    if fault.code not in ("E0402", "E0406"):
        return fault
    return replace(fault, details=(*fault.details, f"a command gives statics by -D: `{target} -D NAME=VALUE`"))


def one_model_of(path: Path, name: str | None, statics: dict[str, Any], allow_extern: bool = False) -> Model:
    """As `model_of`, where there must be exactly one."""
    models = model_of(path, name, statics, allow_extern)
    if len(models) > 1:
        names = ", ".join(f"{path}:{model.name}" for model in models)
        raise click.UsageError(f"{path} has {len(models)} models; name one: {names}")
    return models[0]


def sizes_for(model: Model, path: Path, given: Mapping[str, int]) -> dict[str, int]:
    """Numbers for the open sizes of a model: what was given, and what the project says of the others."""
    names = {unknown.name for unknown in open_sizes(model.ir)}
    default = settings_here(path.parent).sizes
    return {name: number for name, number in default.items() if name in names} | dict(given)

"""The models that FILE:NAME and -D speak of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ogive.api import Block, Model, load


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
        raise click.UsageError(f"{path} has no model or block `{name}`; it has {', '.join(program) or 'none'}")
    found = program[name]
    if isinstance(found, Block):
        return [found(**statics)]
    if statics:
        raise click.UsageError(f"`{name}` is a model, all its statics are given; name its block instead")
    return [found]


def one_model_of(path: Path, name: str | None, statics: dict[str, Any], allow_extern: bool = False) -> Model:
    """As `model_of`, where there must be exactly one."""
    models = model_of(path, name, statics, allow_extern)
    if len(models) > 1:
        names = ", ".join(f"{path}:{model.name}" for model in models)
        raise click.UsageError(f"{path} has {len(models)} models; name one: {names}")
    return models[0]

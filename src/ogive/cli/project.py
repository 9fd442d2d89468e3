"""What commands take from the settings of a project where their arguments leave it open."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from ogive.cli.common import below
from ogive.grammar.diagnostics import Diagnostic
from ogive.settings import ProjectSettings, SettingsError, settings_of


@contextmanager
def understood() -> Iterator[None]:
    """What settings cannot say is a mistake of use."""
    try:
        yield
    except SettingsError as error:
        raise click.UsageError(str(error)) from None


def settings_here(path: Path) -> ProjectSettings:
    """The settings of a file or a folder."""
    with understood():
        return settings_of(path)


NAMED = "ogive.cli.named"  # where a context keeps what was named, before folders became files


def files_or_all(context: click.Context, parameter: click.Parameter, given: tuple[Path, ...]) -> tuple[Path, ...]:
    """The files that were named, else those of the project, folders with what is below them."""
    found = given or settings_here(Path.cwd()).paths
    if not found:
        raise click.MissingParameter("", context, parameter)
    context.meta[NAMED] = found
    return below(context, found)


def without_ignored(path: Path, diagnostics: list[Diagnostic]) -> list[Diagnostic]:
    """The findings of a file that its project shows."""
    return settings_here(path.parent).shown(diagnostics)

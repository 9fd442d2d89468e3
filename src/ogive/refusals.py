"""Diagnostics for those who call from Python: as `ArchError`, as what Python itself would raise, and as warnings."""

from __future__ import annotations

import warnings
from collections.abc import Collection
from typing import TypeVar

from ogive.grammar.diagnostics import ArchError, Diagnostic
from ogive.grammar.render import render
from ogive.grammar.source import Chunk, Span


class UnknownName(ArchError, KeyError):
    """A name that nothing here has."""

    __str__ = Exception.__str__  # that of KeyError quotes its text


class WrongArgument(ArchError, TypeError, ValueError):
    """An argument of another kind than is asked for."""


class ArchWarning(UserWarning):
    """Something that works, and that is most likely not meant. `diagnostics` holds every finding."""

    def __init__(self, diagnostics: tuple[Diagnostic, ...]) -> None:
        super().__init__(render(diagnostics))
        self.diagnostics = diagnostics


def refuse(diagnostics: Collection[Diagnostic]) -> None:
    """Raise the errors among them."""
    errors = tuple(found for found in diagnostics if found.severity == "error")
    if errors:
        raise ArchError(errors, render(errors)) from None


def warn(diagnostics: tuple[Diagnostic, ...], depth: int) -> None:
    """Tell the caller, who stands so many calls above."""
    if diagnostics:
        warnings.warn(ArchWarning(diagnostics), stacklevel=depth + 1)


def unknown(text: str, help_: str = "") -> UnknownName:
    """E0201 for a name that was asked for from Python."""
    return _made(UnknownName, "E0201", text, help_)


def wrong(text: str, help_: str = "") -> WrongArgument:
    """E0413 for an argument from Python."""
    return _made(WrongArgument, "E0413", text, help_)


Error = TypeVar("Error", bound=ArchError)


def _made(kind: type[Error], code: str, text: str, help_: str) -> Error:
    found = (Diagnostic(code, text, Span(Chunk("", "<python>"), 0, 0), help=help_),)
    return kind(found, render(found))

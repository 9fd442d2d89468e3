"""What a check reports of blocks and models."""

from __future__ import annotations

from dataclasses import dataclass

from ogive.compiler.ir.model import Definition, Model
from ogive.grammar.source import Span


@dataclass(frozen=True, slots=True)
class BlockReport:
    """A block of the file: its canonical signature, and its conditions, stated and inferred."""

    name: str
    signature: str
    conditions: tuple[str, ...]
    definition: Definition | None = None
    doc: str = ""
    span: Span | None = None  # its name in the source


@dataclass(frozen=True, slots=True)
class ModelReport:
    """An entry point, ready for a backend."""

    name: str
    signature: str
    conditions: tuple[str, ...]
    parameters: int | None
    ir: Model
    span: Span | None = None  # its name in the source

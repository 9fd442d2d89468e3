"""Nodes while a graph is being built: plain objects, turned into protobuf at the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ogive.compiler.ir.types import TensorType


@dataclass(slots=True)
class Made:
    """A node: an operation of a domain, or a call of a function of the model."""

    op: str
    inputs: list[str]
    outputs: list[str]
    attrs: Mapping[str, Any]
    name: str
    domain: str = ""


@dataclass(slots=True)
class Body:
    """A graph: nodes in order, and the values whose types are known."""

    nodes: list[Made] = field(default_factory=list)
    inputs: list[tuple[str, TensorType]] = field(default_factory=list)
    outputs: list[tuple[str, TensorType]] = field(default_factory=list)
    parent: Body | None = None
    seen: dict[object, tuple[str, ...]] = field(default_factory=dict)

    def find(self, key: object) -> tuple[str, ...] | None:
        """The results of an equal node here, or around here."""
        body: Body | None = self
        while body is not None:
            if key in body.seen:
                return body.seen[key]
            body = body.parent
        return None

    @property
    def depth(self) -> int:
        """How many graphs are around it."""
        return 0 if self.parent is None else self.parent.depth + 1

    @property
    def root(self) -> Body:
        """The graph that holds all the others."""
        return self if self.parent is None else self.parent.root

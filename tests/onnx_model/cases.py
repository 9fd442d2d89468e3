"""The cases of every operation, as the tests of the operations have them."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

from ogive.compiler.ir.model import Node
from ops.cases import Case
from ops.harness import Collected, Names, node_of

MODULES = ("algebra", "elementwise", "index", "kernels", "layout", "linear", "norms", "pools", "reduce", "values")
CASES: list[Case] = [case for name in MODULES for case in import_module(f"ops.test_{name}").CASES]


@dataclass(frozen=True)
class Stated:
    """A case as a node over named sizes."""

    case: Case
    names: Names
    types: list[Any]
    node: Node
    checker: Collected


def stated(case: Case) -> Stated:
    """The node of a case."""
    names = Names()
    types = [names.operand(item) for item in case.inputs]
    statics = case.statics(names) if callable(case.statics) else case.statics
    checker = Collected(case.given)
    return Stated(case, names, types, node_of(case.op, types, statics, checker), checker)

"""How the weights of a model start, in numbers: where these make no sense, or are more than a type holds."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from ogive.compiler.ir.attributes import InitialAttrs
from ogive.compiler.ir.model import Attrs, Const, Definition, Init, Instance, Model, Node, Operand, Weight
from ogive.compiler.ir.scalars import value_of
from ogive.compiler.ir.substitute import in_sizes
from ogive.compiler.ir.types import FLOATS, TensorType
from ogive.compiler.ir_tools.verify import weight_type
from ogive.compiler.ops import OPS
from ogive.compiler.ops.held import lost
from ogive.compiler.ops.pointwise_facts import FAR
from ogive.compiler.sizes import Size, Unknown, size
from ogive.grammar.diagnostics import Diagnostic
from ogive.grammar.source import Span

MATRICES = ("xavier_uniform", "xavier_normal", "kaiming_uniform", "kaiming_normal", "orthogonal")
NO_NUMBERS = ("mode", "seed")
BINARY: Mapping[str, Callable[[float, float], float]] = MappingProxyType(
    {"add": operator.add, "sub": operator.sub, "mul": operator.mul, "div": operator.truediv, "pow": math.pow}
)


@dataclass(frozen=True, slots=True)
class Start:
    """A named initializer at a weight: its settings as numbers, those that are none left out."""

    path: str
    name: str
    type: TensorType | None
    settings: Mapping[str, float]
    span: Span | None
    result: float | None = None  # the number that the expression around it gives, where it is one for all entries

    @property
    def rank(self) -> int | None:
        """The number of axes that it fills, where that is known."""
        return None if self.type is None else len(self.type.axes)

    def fault(self) -> tuple[str, str] | None:
        """A code and what is wrong, in any type of floats."""
        of = f"of `{self.name}`, by which `{self.path}` starts,"
        for key, value in self.settings.items():
            if math.isnan(value):
                return "E0501", f"`{key}` {of} is more than floats hold"
        std, lo, hi = (self.settings.get(key) for key in ("std", "lo", "hi"))
        if std is not None and (std < 0 or (std == 0 and self.name == "trunc_normal")):
            least = "above 0" if self.name == "trunc_normal" else "0 or more"
            return "E0404", f"`std` {of} is {least}, this is {std:g}"
        if lo is not None and hi is not None and lo > hi:
            return "E0404", f"`lo` {of} is at most `hi`, and {lo:g} is above {hi:g}"
        if self.rank is not None and self.name in MATRICES and self.rank < 2:
            return "E0404", f"`{self.name}` fills matrices, and `{self.path}` has {_axes(self.rank)}"
        if self.rank is not None and self.name == "eye" and self.rank != 2:
            return "E0404", f"`eye` fills a matrix, and `{self.path}` has {_axes(self.rank)}"
        return None

    def unheld(self, elem: str) -> str | None:
        """What is wrong in a module of this type of floats."""
        own = "float" if self.type is None else self.type.elem
        if own not in FLOATS:
            return None
        elem = elem if own == "float" else own
        for key, value in self.settings.items():
            if lost(value, elem) == "infinite":
                return f"`{key}` of `{self.name}`, by which `{self.path}` starts, is {value:g}: infinite in {elem}"
        if self.result is not None and (math.isinf(self.result) or lost(self.result, elem) == "infinite"):
            shown = "more than floats hold" if math.isinf(self.result) else f"{self.result:g}"
            return f"`{self.name}`, by which `{self.path}` starts, gives {shown}: infinite in {elem}"
        return None


def _axes(rank: int) -> str:
    return "1 axis" if rank == 1 else f"{rank or 'no'} axes"


def misfit(model: Model, span: Span) -> Diagnostic | None:
    """The first weight that cannot start as it should."""
    for start in starts(model):
        fault = start.fault()
        if fault is not None:
            return Diagnostic(*fault, start.span or span)
    return None


def starts(model: Model) -> Iterator[Start]:
    """All named initializers, in the numbers of the model."""
    known = {unknown: size(number) for unknown, number in model.bindings}
    yield from _below(model.definition, known, "", set())


def _below(
    definition: Definition, known: Mapping[Unknown, Size], prefix: str, done: set[tuple[object, ...]]
) -> Iterator[Start]:
    """Those at and below a definition, also of weights that start otherwise in the end: modules run both."""
    key = (id(definition), *known.values())
    if key in done:
        return
    done.add(key)
    for member in definition.members:
        if isinstance(member, Weight):
            yield from _of(member.init, prefix + member.path, member.type, known, member.span)
        elif isinstance(member, Instance):
            for path, init in member.inits:
                type = weight_type(member.definition, path)
                yield from _of(init, f"{prefix}{member.path}.{path}", type, known, member.span)
            inner = {unknown: value.subs(known) for unknown, value in member.bindings}
            yield from _below(member.definition, inner, f"{prefix}{member.path}.", done)


def _of(
    init: Init, path: str, type: TensorType | None, known: Mapping[Unknown, Size], span: Span | None
) -> Iterator[Start]:
    if init.graph is None:
        yield Start(path, init.name, type, _numbers(init.attrs, known), span)
        return
    numbers: dict[str, float] = {}
    for node in init.graph.walk():
        told = node.structure
        settings = _numbers(told.settings, known) if isinstance(told, InitialAttrs) else {}
        if isinstance(told, InitialAttrs):
            yield Start(path, told.name, node.outputs[0].type, settings, span)
        number = _result(node, settings, numbers)
        if number is not None:
            numbers[node.outputs[0].name] = number
            yield Start(path, node.op, node.outputs[0].type, {}, node.span or span, number)


def _result(node: Node, settings: Mapping[str, float], numbers: Mapping[str, float]) -> float | None:
    """What all entries of a result are, where they are one number: ∞ where finite ones give more than floats hold."""
    if isinstance(node.structure, InitialAttrs):
        return {"zeros": 0.0, "ones": 1.0, "constant": settings.get("v")}.get(node.structure.name)
    spec, operands = OPS.get(node.op), [_operand(operand, numbers) for operand in node.inputs]
    given = [number for number in operands if number is not None and math.isfinite(number)]
    if spec is None or not operands or len(given) < len(operands):
        return None
    try:
        if spec.pointwise is not None and len(given) == 1:
            found = spec.pointwise(dict(node.attrs)).value(given[0])
            # beyond `FAR` the facts of what grows as e^x stay where they are
            return math.inf if abs(given[0]) > FAR and abs(found) >= math.exp(FAR) / 2 else found
        return BINARY[node.op](*given) if node.op in BINARY else None
    except OverflowError:
        return math.inf
    except (ValueError, ArithmeticError):  # no number of the reals: what a type makes of it is not ours to say
        return None


def _numbers(settings: Attrs, known: Mapping[Unknown, Size]) -> dict[str, float]:
    found = {key: _number(in_sizes(value, known)) for key, value in settings if key not in NO_NUMBERS}
    return {key: value for key, value in found.items() if value is not None}


def _number(value: Any) -> float | None:
    try:
        number = value_of(value)
        return None if number is None else float(number)
    except OverflowError:
        return math.nan


def _operand(operand: Operand, numbers: Mapping[str, float]) -> float | None:
    return _number(operand.value) if isinstance(operand, Const) else numbers.get(operand or "")

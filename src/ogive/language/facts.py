"""What the check found out about an expression: a few words for a person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ogive.compiler.analysis.cost.report import multiply_adds
from ogive.compiler.elaborate.calls.supplied import elements
from ogive.compiler.elaborate.state.blocks import BlockRef, ConstRef
from ogive.compiler.elaborate.state.graph_builder import Tensor
from ogive.compiler.elaborate.state.specialization import Use
from ogive.compiler.elaborate.state.values import (
    BROKEN,
    Absent,
    AxisRef,
    Builtin,
    Choice,
    Composite,
    Gone,
    InstanceValue,
    OpTemplate,
    PackValue,
    Param,
    Partly,
    Template,
    UnknownStatic,
    kind_of,
)
from ogive.compiler.ir.model import Model, Scalar
from ogive.compiler.sizes import Condition, Size
from ogive.grammar.source import Span
from ogive.language.desk import SeenFile

ITEMS = 8  # of a list that are written out


@dataclass(frozen=True, slots=True)
class Fact:
    """The value of an expression; `last` differs where a loop that is unrolled gives it several."""

    value: Any
    last: Any

    @property
    def varies(self) -> bool:
        """Whether iterations of a loop give it values that read differently."""
        return self.value is not self.last and shown(self.value) != shown(self.last)


def fact(seen: SeenFile, span: Span) -> Fact | None:
    """What stands there, by the proof for all sizes where that came so far."""
    for sheet in seen.sheets(span.chunk):
        found = sheet.values.get((span.start, span.end))
        if found is not None and found[0] is not BROKEN:
            return Fact(*found)
    return None


def instance(seen: SeenFile, span: Span) -> InstanceValue | None:
    """The instance that was applied there."""
    for sheet in seen.sheets(span.chunk):
        found = sheet.uses.get((span.start, span.end))
        if isinstance(found, InstanceValue):
            return found
    return None


def shown(value: Any) -> str:
    """A value in the notation of the language, as short as it can be said."""
    match value:
        case Tensor(type=type) | Param(type=type):
            return type.named
        case Partly() if value.tensor is not None:
            return f"{value.tensor.type.named}?"
        case Size() | Scalar() | float() | Condition():
            return str(value)
        case bool():
            return "true" if value else "false"
        case str():
            return f'"{value}"'
        case None:
            return "none"
        case tuple() if len(value) > ITEMS:
            return f"{len(value)} items"
        case tuple():
            return f"[{', '.join(map(shown, value))}]" if not _tensors(value) else ", ".join(map(shown, value))
        case PackValue(axes=axes):
            return f"[{', '.join(map(str, axes))}]"
        case InstanceValue():
            return f"{value.block.name}{statics_of(value)}"
        case BlockRef() | ConstRef():
            return value.name
        case Template():
            return value.block.name + _brackets(value.statics)
        case OpTemplate():
            return value.spec.name
        case Composite(parts=parts):
            return " >> ".join(map(shown, parts))
        case Builtin():
            return value.name
        case AxisRef(where=where):
            return f"axis {where}"
        case UnknownStatic():
            return value.kind
        case Choice():
            return "known when it runs"
        case Absent() | Gone():
            return ""
        case _:
            return "" if value is BROKEN else kind_of(value)


def _tensors(value: tuple[Any, ...]) -> bool:
    return bool(value) and all(isinstance(each, Tensor) for each in value)


def statics_of(made: InstanceValue, but: frozenset[str] = frozenset()) -> str:
    """The statics of an instance in brackets, those that were inferred too; without those named in `but`."""
    known = made.bound or made.statics
    names = [decl.name for decl in made.block.tree.statics if decl.name not in but]
    return _brackets(tuple((name, known[name]) for name in names if name in known))


def _brackets(given: tuple[tuple[str, Any], ...]) -> str:
    said = [(name, shown(value)) for name, value in given]
    texts = [f"{name}={text}" if text != name else name for name, text in said if text]
    return f"[{', '.join(texts)}]" if texts else ""


def parameters(use: Use) -> Size:
    """How many learned numbers an instance holds, by the sizes of who uses it."""
    return elements(use.definition, dict(use.bindings))


def work(use: Use) -> Size:
    """The multiply-adds of one run of an instance, by the sizes of who uses it."""
    model = Model(use.definition.name, use.definition, (), ())
    return multiply_adds(model).subs(dict(use.bindings))

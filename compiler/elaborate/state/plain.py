"""Values of compile time as plain data: numbers, truth values, strings and lists; blocks as their text."""

from __future__ import annotations

from typing import Any

from ogive.compiler.elaborate.state.blocks import BlockRef
from ogive.compiler.elaborate.state.values import (
    AxisRef,
    Builtin,
    Composite,
    Gradient,
    Handed,
    InstanceValue,
    OpTemplate,
    PackValue,
    RepeatedBlock,
    Template,
    TypedBlock,
    UnknownStatic,
    VectorizedBlock,
)
from ogive.compiler.ir.model import Model, Scalar
from ogive.compiler.ops.spec import Pattern
from ogive.compiler.sizes import Size

Plain = int | float | bool | str | list[Any] | None


def statics_of(model: Model) -> dict[str, Plain]:
    """The statics of a model by name, those left to their defaults too, and the sizes that it fixes."""
    numbers = dict(model.bindings)
    named = {each.name: each for each in model.definition.statics}
    found: dict[str, Plain] = {}
    for name, each in named.items():
        found[name] = plain(each.value) if each.unknown is None else numbers.get(each.unknown)
    sizes = {unknown.name: number for unknown, number in model.bindings if unknown.name not in named}
    return found | dict(sizes)


def plain(value: Any) -> Plain:
    """A value as data."""
    match value:
        case Size():
            return value.number if value.is_number else str(value)
        case None | bool() | int() | float() | str():
            return value
        case tuple() | list():
            return [plain(item) for item in value]
        case AxisRef():
            return value.where
        case _:
            return text(value)


def text(value: Any) -> str:
    """A block as it could be written."""
    match value:
        case BlockRef():
            return value.tree.name
        case Template() | InstanceValue():
            given = value.statics.items() if isinstance(value, InstanceValue) else value.statics
            return _brackets(value.block.tree.name, dict(given))
        case OpTemplate():
            return _brackets(value.spec.name, dict(value.statics))
        case Composite():
            return " >> ".join(map(text, value.parts))
        case Handed():
            return text(value.value)
        case VectorizedBlock():
            return f"{value.kind}[{value.axis}, {text(value.func)}]"
        case RepeatedBlock():
            blocks = ", ".join(map(text, value.blocks))
            return f"repeat[{value.count}, {f'[{blocks}]' if value.cycled else blocks}]"
        case Gradient():
            return f"grad[{text(value.func)}]"
        case TypedBlock() | Builtin() | PackValue() | UnknownStatic():
            return value.name
        case Scalar():
            return _scalar(value.fn, [arg if isinstance(arg, str) else text(arg) for arg in value.args])
        case Pattern():
            return f'"{value.text}"'
        case str():
            return f'"{value}"'
        case None | bool():
            return str(value).lower()
        case tuple() | list():
            return f"[{', '.join(map(text, value))}]"
        case _:
            return str(plain(value)) if isinstance(value, (Size, int, float, AxisRef)) else type(value).__name__


def _scalar(fn: str, args: list[str]) -> str:
    if fn == "static":
        return args[0]
    if fn == "neg":
        return f"-{args[0]}"
    return f"{fn}({', '.join(args)})" if fn.isalnum() else f"({f' {fn} '.join(args)})"


def _brackets(name: str, statics: dict[str, Any]) -> str:
    inner = ", ".join(f"{key}={text(value)}" for key, value in statics.items())
    return f"{name}[{inner}]" if inner else name

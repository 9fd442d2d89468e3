"""The whole signature of an operation, as the header of a block has it."""

from __future__ import annotations

from typing import Any

from ogive.compiler.ops.spec import REQUIRED, OpSpec, StaticSpec

KINDS = {
    "per_axis": "size | list",
    "elem": "element type",
    "op": "reduction",
    "pattern": "str",
    "any": "number | list",
}


def signature(spec: OpSpec) -> str:
    """`softmax[axis: axis](x: [*b]) -> [*b]`: brackets, operands, results."""
    if spec.name == "slice":
        return f"x[start:stop:step, index, ...]{spec.told.types.partition(')')[2]}"
    types = spec.told.types if spec.inputs else spec.told.types.removeprefix("()")
    return f"{spec.name}{brackets(spec)}{types}"


def brackets(spec: OpSpec) -> str:
    """The statics of an operation with their kinds and defaults; nothing where it has none."""
    shown = [_static(static) for static in spec.statics]
    if any(static.kind == "pattern" for static in spec.statics):
        shown.append("name=size, ...")
    return f"[{', '.join(shown)}]" if shown else ""


def _static(static: StaticSpec) -> str:
    if static.kind in ("axes", "sizes"):
        return f"*{static.name}" if static.default in (REQUIRED, ()) else f"{static.name}={value(static.default)}"
    kind = KINDS.get(static.kind, static.kind)
    if static.kind == "per_axis" and static.least == 0:
        kind = "nat | list"
    if static.default is REQUIRED:
        return static.name if kind == "size" else f"{static.name}: {kind}"
    if static.kind in ("bool", "str", "float", "size", "elem") and static.default is not None:
        return f"{static.name}={value(static.default)}"
    return f"{static.name}: {kind} = {value(static.default)}"


def value(given: Any) -> str:
    """A default as the text has it."""
    match given:
        case None:
            return "none"
        case bool():
            return "true" if given else "false"
        case str():
            return given if given == "float" else f'"{given}"'
        case tuple():
            return ", ".join(map(value, given)) if len(given) == 1 else f"({', '.join(map(value, given))})"
        case float():
            return str(given).replace("e-0", "e-")
        case _:
            return str(given)

"""What a model file demands of its inputs: the `where` conditions of the source, checked before a run.

contract = Contract.of(session)          # an InferenceSession, or a ModelProto
problems = contract.check({"x": (1, 3, 224, 200)})
"""

from __future__ import annotations

import ast
import json
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

BINARY: Mapping[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod, ast.Pow: operator.pow,
}  # fmt: skip
COMPARE: Mapping[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt,
    ast.GtE: operator.ge, ast.In: lambda a, b: a in b,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Contract:
    """Shapes of inputs, with names for sizes, and conditions on these."""

    shapes: Mapping[str, tuple[int | str | None, ...]]
    conditions: tuple[str, ...]

    @staticmethod
    def of(model: Any) -> Contract:
        """The contract of a session of ONNX Runtime or of a model as protobuf."""
        if hasattr(model, "get_modelmeta"):
            shapes = {value.name: tuple(value.shape) for value in model.get_inputs()}
            metadata = dict(model.get_modelmeta().custom_metadata_map)
        else:
            inside = {tensor.name for tensor in model.graph.initializer}
            shapes = {v.name: _dims(v) for v in model.graph.input if v.name not in inside}
            metadata = {entry.key: entry.value for entry in model.metadata_props}
        return Contract(shapes, tuple(json.loads(metadata.get("ogive.conditions", "[]"))))

    def check(self, shapes: Mapping[str, Sequence[int]]) -> tuple[str, ...]:
        """What is wrong with inputs of these shapes, as sentences; none where they fit."""
        problems: list[str] = []
        sizes: dict[str, int] = {}
        compound: list[tuple[str, str, int]] = []
        for name, wanted in self.shapes.items():
            given = tuple(shapes.get(name, ()))
            if name not in shapes or len(given) != len(wanted):
                there = _shown(given) if name in shapes else "absent"
                problems.append(f"`{name}` should be {_shown(wanted)}, not {there}")
                continue
            for at, (dim, number) in enumerate(zip(wanted, given, strict=True)):
                if isinstance(dim, str) and not dim.isidentifier():
                    compound.append((f"axis {at} of `{name}`", dim, number))
                elif isinstance(dim, str) and sizes.setdefault(dim, number) != number:
                    problems.append(f"`{dim}` is {sizes[dim]} and {number}, at axis {at} of `{name}`")
                elif isinstance(dim, int) and dim != number:
                    problems.append(f"axis {at} of `{name}` should be {dim}, not {number}")
        return (*problems, *_axes(compound, sizes), *_conditions(self.conditions, sizes))


def _axes(compound: Sequence[tuple[str, str, int]], sizes: Mapping[str, int]) -> list[str]:
    found = []
    for place, text, number in compound:
        wanted = evaluated(text, sizes)
        if wanted is not None and wanted != number:
            found.append(f"{place} should be {text}, which is {wanted}, not {number}")
    return found


def _conditions(conditions: Sequence[str], sizes: Mapping[str, int]) -> list[str]:
    def where(text: str) -> str:
        names = sorted({node.id for node in ast.walk(ast.parse(text, mode="eval")) if isinstance(node, ast.Name)})
        return ", ".join(f"{name} is {sizes[name]}" for name in names if name in sizes)

    return [f"expected {text}, but {where(text)}" for text in conditions if evaluated(text, sizes) is False]


def _dims(value: Any) -> tuple[int | str | None, ...]:
    dims = value.type.tensor_type.shape.dim
    return tuple(dim.dim_param or dim.dim_value for dim in dims)


def _shown(shape: Sequence[int | str | None]) -> str:
    return f"[{', '.join(map(str, shape))}]"


def evaluated(text: str, sizes: Mapping[str, int]) -> int | bool | None:
    """A size or condition in canonical text at these sizes; None where one is not known. Nothing is executed."""
    try:
        found: int | bool = _value(ast.parse(text, mode="eval").body, sizes)
    except KeyError:
        return None
    return found


def _value(node: ast.expr, sizes: Mapping[str, int]) -> Any:
    match node:
        case ast.Constant(value=bool() | int() as value):
            return value
        case ast.Name(id="true" | "false" as name):
            return name == "true"
        case ast.Name(id=name):
            return sizes[name]
        case ast.Set(elts=items):
            return {_value(item, sizes) for item in items}
        case ast.BinOp(left=left, op=op, right=right) if type(op) in BINARY:
            return BINARY[type(op)](_value(left, sizes), _value(right, sizes))
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return -_value(inner, sizes)
        case ast.UnaryOp(op=ast.Not(), operand=inner):
            return not _value(inner, sizes)
        case ast.BoolOp(op=op, values=values):
            parts = [_value(value, sizes) for value in values]
            return all(parts) if isinstance(op, ast.And) else any(parts)
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in COMPARE:
            return COMPARE[type(op)](_value(left, sizes), _value(right, sizes))
        case ast.Call(func=ast.Name(id="min" | "max" as name), args=args):
            return (min if name == "min" else max)(_value(arg, sizes) for arg in args)
        case _:
            raise ValueError(f"no condition: {ast.unparse(node)}")

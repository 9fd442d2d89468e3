"""One operation alone: types from short texts, a checker that collects, and a function made of the lowered node."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F

from ogive.backends.python_text.expr import Code, literal, name
from ogive.backends.python_text.statements import in_order
from ogive.backends.pytorch.ops.helpers import HELPERS
from ogive.backends.pytorch.ops.table import LOWER
from ogive.compiler.ir.model import Const, Node, Operand, Scalar, Value
from ogive.compiler.ir.types import FLOATS, Axis, TensorType
from ogive.compiler.ops import OPS
from ogive.compiler.ops.spec import REQUIRED, OpSpec, ShapeError
from ogive.compiler.sizes import Answer, Condition, Facts, Size, Unknown, eq, ge, size

Types = Sequence[TensorType | Const | None]


@dataclass
class Names:
    """Unknown sizes by name; the same name is the same size."""

    known: dict[str, Unknown] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Size:
        kind = "pack" if name.startswith("*") else "size"
        return size(self.known.setdefault(name, Unknown(name, 1, kind)))  # type: ignore[arg-type]

    def axis(self, term: str) -> Axis:
        """`n`, `3`, `*b`, or `label=n`, `label=3`, `=n` (unlabelled)."""
        label, equals, value = term.rpartition("=")
        found = size(int(value)) if value.isdigit() else self[value]
        if value.startswith("*"):
            return Axis(found, None, value[1:])
        return Axis(found, (label or None) if equals else (None if value.isdigit() else value))

    def type(self, text: str) -> TensorType:
        """`b n d`, `int: b n`, `bool:` (a scalar)."""
        elem, colon, axes = text.rpartition(":")
        return TensorType(elem if colon else "float", tuple(map(self.axis, axes.split())))

    def operand(self, item: Any) -> TensorType | Const | None:
        return self.type(item) if isinstance(item, str) else item

    def values(self, sizes: Mapping[str, int]) -> dict[Unknown, int]:
        return {unknown: sizes[name] for name, unknown in self.known.items() if name in sizes}


@dataclass
class Collected:
    """A checker that believes every constraint and keeps it; two different labels that meet keep the left one."""

    facts: tuple[Condition, ...] = ()
    constraints: list[tuple[Condition, str, int | None]] = field(default_factory=list)

    def equal(self, a: Size, b: Size, text: str, operand: int | None = None) -> None:
        self.require(eq(a, b), text, operand)

    def require(self, condition: Condition, text: str, operand: int | None = None) -> None:
        self.constraints.append((condition, text, operand))

    def inside(self, condition: Condition, text: str) -> None:
        self.require(condition, text)

    def positive(self, size: Size, text: str) -> None:
        self.require(ge(size, 1), text)

    def proves(self, condition: Condition) -> bool:
        return Facts.of(self.facts).decide(condition) is Answer.ALWAYS

    def meet(self, a: Axis, b: Axis, text: str, operand: int | None = None) -> Axis:
        self.equal(a.size, b.size, text, operand)
        return a if a.label is not None else a.labelled(b.label)

    def holds(self, values: Mapping[Unknown, int]) -> bool:
        return all(condition.at(values) for condition, _, _ in self.constraints)


def filled(spec: OpSpec, statics: Mapping[str, Any]) -> dict[str, Any]:
    """The statics with their defaults."""
    found = {s.name: statics.get(s.name, s.default) for s in spec.statics}
    missing = [name for name, value in found.items() if value is REQUIRED]
    assert not missing, f"{spec.name} needs {missing}"
    unknown = statics.keys() - found.keys()
    assert not unknown, f"{spec.name} has no {unknown}"
    return found


def infer(
    name: str, types: Types, statics: Mapping[str, Any] | None = None, checker: Collected | None = None
) -> tuple[tuple[TensorType, ...], dict[str, Any]]:
    """Output types and attributes of the operation."""
    spec = OPS[name]
    rule: Callable[..., Any] = spec.rule
    outputs, attrs = rule(checker or Collected(), filled(spec, statics or {}), tuple(types))
    return outputs, dict(attrs)


def refused(name: str, types: Types, statics: Mapping[str, Any] | None = None) -> ShapeError:
    """The error with which the operation refuses its operands."""
    try:
        outputs, _ = infer(name, types, statics)
    except ShapeError as error:
        return error
    raise AssertionError(f"{name} took {types} and gave {outputs}")


def node_of(
    name: str, types: Types, statics: Mapping[str, Any] | None = None, checker: Collected | None = None
) -> Node:
    """The operation as a node over the values x0, x1, ..."""
    outputs, attrs = infer(name, types, statics, checker)
    if checker is not None:  # the bounds of settings, which the checker asks before the rule
        for static in OPS[name].statics:
            given = (statics or {}).get(static.name)
            for each in given if isinstance(given, tuple | list) else (given,):
                if isinstance(each, Size) and static.least is not None:
                    checker.require(ge(each, static.least), f"`{static.name}`")
    hash(tuple(attrs.items()))
    inputs: list[Operand] = [f"x{i}" if isinstance(t, TensorType) else t for i, t in enumerate(types)]
    values = tuple(Value(f"y{i}", type) for i, type in enumerate(outputs))
    return Node(name, tuple(inputs), values, tuple(attrs.items()))


@dataclass
class Single:
    """A `forward` of one node at given sizes."""

    types: Mapping[str, TensorType]
    values: Mapping[Unknown, int]
    lines: list[str] = field(default_factory=list)
    helpers: dict[str, None] = field(default_factory=dict)
    depth: int = 0  # the `grad` around it

    def type(self, operand: Operand) -> TensorType | None:
        return self.types[operand] if isinstance(operand, str) else None

    def plain(self, operand: Operand) -> bool:
        return isinstance(operand, Const)

    def size(self, size: Size | int) -> Code:
        number = size.at(self.values) if isinstance(size, Size) else size
        return literal(number)

    def scalar(self, value: Scalar | Size | int | float) -> Code:
        if isinstance(value, Size):
            return self.size(value)
        if isinstance(value, Scalar):
            value = number_at(value, self.values)
        return literal(value)

    def condition(self, condition: Condition) -> Code:
        return literal(condition.at(self.values))

    def literal(self, const: Const) -> Code:
        return literal(const.value) if isinstance(const.value, bool) else self.scalar(const.value)

    def told(self, size: Size, operand: Operand) -> bool:
        return False

    def shape(self, sizes: Sequence[Size | int]) -> list[Code]:
        return [self.size(item) for item in sizes]

    def generator(self) -> Code | None:
        return None

    def dropper(self, rate: Scalar | Size | float) -> Code | None:
        return None

    def seeded(self) -> Code | None:
        return None

    def pack(self, pack: str) -> Code:
        raise AssertionError(f"`*{pack}` at given sizes")

    def anchor(self) -> Code:
        return name(next((name for name, type in self.types.items() if type.elem in FLOATS), "anchor"))

    def once(self, code: Code, hint: str) -> Code:
        if code.text.isidentifier():
            return code
        variable = f"{hint}_{len(self.lines)}"
        self.lines.append(f"{variable} = {code}")
        return name(variable)

    def helper(self, helper: str) -> Code:
        self.helpers.setdefault(helper)
        return name(helper)

    def derived(self) -> int:
        return self.depth

    def training(self) -> Code:
        return name("training")


def number_at(value: Any, values: Mapping[Unknown, int]) -> float:
    """A scalar at given sizes."""
    if isinstance(value, Size):
        return value.at(values)
    if not isinstance(value, Scalar):
        return float(value)
    args = [number_at(arg, values) for arg in value.args]
    operators: dict[str, Callable[..., float]] = {
        "+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b, "/": lambda a, b: a / b,
        "**": lambda a, b: a**b, "neg": lambda a: -a, "min": min, "max": max,
    }  # fmt: skip
    return float((operators.get(value.fn) or getattr(math, value.fn))(*args))


def source_of(
    node: Node, types: Mapping[str, TensorType], values: Mapping[Unknown, int], depth: int = 0
) -> tuple[str, Single]:
    """The lowered node as the text of a function `op`, and the context that it was written in."""
    ctx = Single(types, values, depth=depth)
    args = [
        None if operand is None else ctx.literal(operand) if isinstance(operand, Const) else name(operand)
        for operand in node.inputs
    ]
    result = LOWER[node.op](ctx, node, args)
    parameters = ", ".join([*types, "anchor=None", "training=True"])
    body = "\n".join(f"    {line}" for line in [*ctx.lines, f"return {result}"])
    return "\n".join([*(each.text for each in in_order(ctx.helpers, HELPERS)), f"def op({parameters}):", body]), ctx


def lowered(name: str, types: Types, statics: Mapping[str, Any] | None, values: Mapping[Unknown, int]) -> str:
    """The expression that is returned, for tests of how the source reads."""
    node = node_of(name, types, statics)
    text, _ = source_of(node, {f"x{i}": t for i, t in enumerate(types) if isinstance(t, TensorType)}, values)
    return text.rpartition("return ")[2]


def function_of(node: Node, types: Types, values: Mapping[Unknown, int], depth: int = 0) -> Callable[..., Any]:
    """The lowered node as a function of its tensors in order; `anchor` and `training` are keywords."""
    text, _ = source_of(node, {f"x{i}": t for i, t in enumerate(types) if isinstance(t, TensorType)}, values, depth)
    scope: dict[str, Any] = {"torch": torch, "F": F, "math": math, "Tensor": torch.Tensor}
    exec(text, scope)
    return scope["op"]  # type: ignore[no-any-return]


DTYPES = {
    "int": torch.long, "i64": torch.long, "i32": torch.int, "bool": torch.bool,
    "f16": torch.half, "bf16": torch.bfloat16, "f32": torch.float, "f64": torch.double,
}  # fmt: skip


def dtype_of(elem: str, floating: torch.dtype = torch.float) -> torch.dtype:
    """torch's element type; `floating` is that of the model."""
    if elem == "complex":
        return floating.to_complex()
    return DTYPES.get(elem, floating)


def shape_at(type: TensorType, values: Mapping[Unknown, int]) -> tuple[int, ...]:
    """The shape at given sizes."""
    return tuple(axis.size.at(values) for axis in type.axes)


def tensor(
    type: TensorType, values: Mapping[Unknown, int], floating: torch.dtype = torch.float, high: int = 2
) -> torch.Tensor:
    """Random numbers of that type; integers lie in [0, high)."""
    shape, dtype = shape_at(type, values), dtype_of(type.elem, floating)
    if type.elem == "bool":
        return torch.rand(shape) < 0.5
    if not (dtype.is_floating_point or dtype.is_complex):
        return torch.randint(high, shape, dtype=dtype)
    return torch.randn(shape, dtype=dtype)


def assert_types(results: Any, node: Node, values: Mapping[Unknown, int], floating: torch.dtype = torch.float) -> None:
    """What torch computed has the types that the rule gave."""
    got = (results,) if isinstance(results, torch.Tensor) else tuple(results)
    assert len(got) == len(node.outputs)
    for value, output in zip(got, node.outputs, strict=True):
        assert tuple(value.shape) == shape_at(output.type, values), node
        assert value.dtype == dtype_of(output.type.elem, floating), node

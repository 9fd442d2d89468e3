"""One operation at numeric sizes as a function of tensors: its lowering in PyTorch, executed alone, in float64."""

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
from ogive.compiler.ir.model import Const, Node, Operand, Scalar
from ogive.compiler.ir.scalars import FUNCTIONS
from ogive.compiler.ir.types import FLOATS, TensorType
from ogive.compiler.sizes import Condition, Size, Unknown

NumericFunction = Callable[..., Any]
DTYPES = {"int": torch.long, "i64": torch.long, "i32": torch.int, "bool": torch.bool}


def number_at(value: Any, sizes: Mapping[Unknown, int]) -> Any:
    """A literal, a size or a scalar as a number."""
    match value:
        case Const(value=inner):
            return number_at(inner, sizes)
        case Size():
            return value.at(sizes)
        case Scalar(fn=fn, args=args):
            return FUNCTIONS[fn](*(number_at(arg, sizes) for arg in args))
        case _:
            return value


def shape_at(type: TensorType, sizes: Mapping[Unknown, int]) -> tuple[int, ...]:
    """The shape at numbers; a pack stands for one axis."""
    return tuple(axis.size.at(sizes) for axis in type.axes)


@dataclass(slots=True)
class NumericContext:
    """What a lowering asks, answered with numbers (`python_text.functions.context.Context`)."""

    types: Mapping[str, TensorType]
    sizes: Mapping[Unknown, int]
    lines: list[str] = field(default_factory=list)
    helpers: dict[str, None] = field(default_factory=dict)

    def type(self, operand: Operand) -> TensorType | None:
        return self.types.get(operand) if isinstance(operand, str) else None

    def plain(self, operand: Operand) -> bool:
        return isinstance(operand, Const)

    def told(self, size: Size, operand: Operand) -> bool:
        return False

    def size(self, size: Size | int) -> Code:
        return literal(number_at(size, self.sizes))

    def scalar(self, value: Scalar | Size | int | float) -> Code:
        return literal(number_at(value, self.sizes))

    def condition(self, condition: Condition) -> Code:
        return literal(condition.at(self.sizes))

    def literal(self, const: Const) -> Code:
        return literal(number_at(const, self.sizes))

    def shape(self, sizes: Sequence[Size | int]) -> list[Code]:
        return [self.size(item) for item in sizes]

    def pack(self, pack: str) -> Code:
        """Sizes of a pack as starred arguments; it stands for one axis."""
        axes = (axis for type in self.types.values() for axis in type.axes)
        return self.size(next(axis.size for axis in axes if axis.pack == pack))

    def anchor(self) -> Code:
        return name(next((each for each, type in self.types.items() if type.elem in FLOATS), "anchor"))

    def once(self, code: Code, hint: str) -> Code:
        if code.text.isidentifier():
            return code
        variable = f"{hint}_{len(self.lines)}"
        self.lines.append(f"{variable} = {code}")
        return name(variable)

    def helper(self, helper: str) -> Code:
        self.helpers.setdefault(helper)
        return name(helper)

    def generator(self) -> Code | None:
        return None

    def seeded(self) -> Code | None:
        return None

    def dropper(self, rate: Scalar | Size | float) -> Code | None:
        return None

    def derived(self) -> int:
        return 0

    def training(self) -> Code:
        return name("training")


def function_of(node: Node, types: Sequence[TensorType | None], sizes: Mapping[Unknown, int]) -> NumericFunction:
    """The operation as a function of its operands that are tensors, in order; the others are literals or absent."""
    named = {f"x{at}": type for at, type in enumerate(types) if type is not None}
    ctx = NumericContext(named, sizes)
    inputs: list[Operand] = []
    args: list[Code | None] = []
    for at, operand in enumerate(node.inputs):
        inputs.append(f"x{at}" if isinstance(operand, str) else operand)
        args.append(name(f"x{at}") if isinstance(operand, str) else _written(ctx, operand))
    plain = Node(node.op, tuple(inputs), node.outputs, node.attrs)
    result = LOWER[node.op](ctx, plain, args)
    body = "\n".join(f"    {line}" for line in [*ctx.lines, f"return {result}"])
    texts = [each.text for each in in_order(ctx.helpers, HELPERS)]
    head = f"def operation({', '.join([*named, 'anchor=ANCHOR', 'training=False'])}):"
    scope: dict[str, Any] = {
        "torch": torch, "F": F, "math": math, "Tensor": torch.Tensor, "ANCHOR": torch.zeros((), dtype=torch.float64),
        "Any": Any,
    }  # fmt: skip
    exec("\n".join([*texts, head, body]), scope)  # the text is ours: that of the lowering
    return scope["operation"]  # type: ignore[no-any-return]


def _written(ctx: NumericContext, operand: Operand) -> Code | None:
    return ctx.literal(operand) if isinstance(operand, Const) else None

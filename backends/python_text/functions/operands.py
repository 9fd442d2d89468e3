"""The operands of a node that is being lowered."""

from __future__ import annotations

from collections.abc import Sequence

from ogive.backends.python_text.expr import Code
from ogive.backends.python_text.functions.context import Context
from ogive.compiler.ir.model import Operand
from ogive.compiler.ir.types import TensorType

Args = Sequence[Code | None]


def operand(args: Args, index: int = 0) -> Code:
    """An operand that is always there."""
    code = args[index]
    assert code is not None, index
    return code


def type_of(ctx: Context, name: Operand) -> TensorType:
    """The type of an operand that is a tensor."""
    found = ctx.type(name)
    assert found is not None, name
    return found

"""Element types as torch's."""

from __future__ import annotations

from ogive.backends.python_text.expr import Code, attribute, name
from ogive.backends.python_text.functions.context import Context

EXACT = {
    "int": "torch.long", "i64": "torch.long", "i32": "torch.int", "bool": "torch.bool",
    "f16": "torch.half", "bf16": "torch.bfloat16", "f32": "torch.float", "f64": "torch.double",
}  # fmt: skip


def dtype(ctx: Context, elem: str) -> Code:
    """`torch.long`; the model's float type is that of a tensor at hand: `x.dtype`."""
    return name(EXACT[elem]) if elem in EXACT else attribute(ctx.anchor(), "dtype")

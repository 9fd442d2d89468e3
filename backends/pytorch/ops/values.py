"""Constants, grids and random values in torch: type and device are those of a tensor at hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ogive.backends.python_text.expr import NONE, Code, attribute, call, counts, list_of, literal, method, tuple_of
from ogive.backends.python_text.functions.context import Context, Lowering
from ogive.backends.pytorch.ops.dtypes import dtype
from ogive.backends.pytorch.ops.out_of_range import held
from ogive.compiler.ir.model import Node, Scalar
from ogive.compiler.sizes import Size

Args = Sequence[Code | None]


def _sizes(ctx: Context, node: Node) -> list[Code]:
    """The sizes of the result."""
    axes = node.outputs[0].type.axes
    return [ctx.size(axis.size) if axis.pack is None else ctx.pack(axis.pack) for axis in axes]


def _device(ctx: Context) -> Code:
    return attribute(ctx.anchor(), "device")


def _dtype(ctx: Context, node: Node) -> Code:
    return dtype(ctx, node.outputs[0].type.elem)


def _exact(ctx: Context, node: Node) -> Code | None:
    """The type where it is not the float type of the anchor; complex values are made of float parts."""
    return None if node.outputs[0].type.elem in ("float", "complex") else _dtype(ctx, node)


def _as_complex(ctx: Context, node: Node, real: Code) -> Code:
    """The tensor itself, or as the real part of a complex one: torch names complex types by their size alone."""
    if node.outputs[0].type.elem != "complex":
        return real
    part = ctx.once(real, "re")
    return call("torch.complex", part, call("torch.zeros_like", part))


def filled(name: str) -> Lowering:
    """`x.new_zeros(b, d)`."""

    def lower(ctx: Context, node: Node, args: Args) -> Code:
        sizes = counts(_sizes(ctx, node))
        return _as_complex(ctx, node, method(ctx.anchor(), name, *sizes, dtype=_exact(ctx, node)))

    return lower


def full(ctx: Context, node: Node, args: Args) -> Code:
    """`x.new_full((b, d), v)`."""
    sizes, value = tuple_of(_sizes(ctx, node)), held(ctx, node, node.attr("v"), ctx.scalar(node.attr("v")))
    return _as_complex(ctx, node, method(ctx.anchor(), "new_full", sizes, value, dtype=_exact(ctx, node)))


def arange(ctx: Context, node: Node, args: Args) -> Code:
    """`torch.arange(n, device=x.device)`."""
    return call("torch.arange", *_sizes(ctx, node), device=_device(ctx))


def linspace(ctx: Context, node: Node, args: Args) -> Code:
    """`torch.linspace(lo, hi, n, dtype=x.dtype, device=x.device)`."""
    ends = (held(ctx, node, node.attr(key), ctx.scalar(node.attr(key))) for key in ("lo", "hi"))
    return call("torch.linspace", *ends, *_sizes(ctx, node), dtype=_dtype(ctx, node), device=_device(ctx))


def eye(ctx: Context, node: Node, args: Args) -> Code:
    """`torch.eye(n, dtype=x.dtype, device=x.device)`."""
    return call("torch.eye", _sizes(ctx, node)[0], dtype=_dtype(ctx, node), device=_device(ctx))


def _nested(ctx: Context, node: Node, value: Any) -> Code:
    if isinstance(value, tuple):
        return list_of([_nested(ctx, node, item) for item in value])
    if isinstance(value, bool):
        return literal(value)
    return held(ctx, node, value, ctx.scalar(value)) or NONE


def constant(ctx: Context, node: Node, args: Args) -> Code:
    """`torch.tensor([[1, 2], [3, 4]], device=x.device)`."""
    values = _nested(ctx, node, node.attr("list"))
    kind = _dtype(ctx, node) if node.outputs[0].type.elem == "float" else None
    return call("torch.tensor", values, dtype=kind, device=_device(ctx))


def drawn(name: str) -> Lowering:
    """`torch.randn(b, d, dtype=x.dtype, device=x.device)`."""

    def lower(ctx: Context, node: Node, args: Args) -> Code:
        sizes = counts(_sizes(ctx, node))
        return call(name, *sizes, generator=ctx.generator(), dtype=_dtype(ctx, node), device=_device(ctx))

    return lower


def randint(ctx: Context, node: Node, args: Args) -> Code:
    """`torch.randint(n, (b, d), device=x.device)`."""
    sizes = tuple_of(_sizes(ctx, node))
    return call("torch.randint", ctx.size(node.attr("n")), sizes, generator=ctx.generator(), device=_device(ctx))


def permutation(ctx: Context, node: Node, args: Args) -> Code:
    """`torch.randperm(n, device=x.device)`."""
    return call("torch.randperm", *_sizes(ctx, node), generator=ctx.generator(), device=_device(ctx))


def bernoulli(ctx: Context, node: Node, args: Args) -> Code:
    """`torch.bernoulli(x.new_full((b, 1), p))`."""
    p: float | Size | Scalar = node.attr("p")
    odds = method(ctx.anchor(), "new_full", tuple_of(_sizes(ctx, node)), ctx.scalar(p))
    return call("torch.bernoulli", odds, generator=ctx.generator())


def dropout(ctx: Context, node: Node, args: Args) -> Code:
    """`self.dropout(x)`, with a generator where the model takes one; by a function where the rate is that of a call."""
    (x,) = args
    module, generator = ctx.dropper(node.attr("p")), ctx.seeded()
    if module is not None:
        return call(module, x, generator)
    p = ctx.scalar(node.attr("p"))
    if generator is None:
        return call("F.dropout", x, p, ctx.training())
    return call(ctx.helper("seeded_dropout"), x, p, ctx.training(), generator)


LOWER: dict[str, Lowering] = {
    "zeros": filled("new_zeros"),
    "ones": filled("new_ones"),
    "full": full,
    "arange": arange,
    "linspace": linspace,
    "eye": eye,
    "constant": constant,
    "randn": drawn("torch.randn"),
    "rand": drawn("torch.rand"),
    "randint": randint,
    "permutation": permutation,
    "bernoulli": bernoulli,
    "dropout": dropout,
}

"""Constants, grids and random values in ONNX."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ogive.backends.onnx_model.graph.constant_folding import LARGEST
from ogive.backends.onnx_model.graph.elems import NUMPY, ONNX
from ogive.backends.onnx_model.ops.context import Args, Context, Lowering
from ogive.backends.onnx_model.ops.operands import known, operand
from ogive.backends.onnx_model.ops.slices import scalar
from ogive.compiler.ir.model import Node, Scalar
from ogive.compiler.sizes import Size

SMALL = 4096  # numbers that are stored rather than computed


def _sizes(node: Node) -> list[Size]:
    """The sizes of the result."""
    return list(node.outputs[0].type.sizes)


def _repeated(ctx: Context, node: Node, value: Any) -> str:
    """One number everywhere."""
    one, sizes = ctx.number(value, node.outputs[0].type.elem), node.outputs[0].type.sizes
    return ctx.node("Expand", one, ctx.shape(sizes)) if sizes else one


def filled(value: float) -> Lowering:
    """`zeros`, `ones`: stored where they are small and of known size."""

    def lower(ctx: Context, node: Node, args: Args) -> str:
        type = node.outputs[0].type
        if known(type.sizes):
            shape = [item.number for item in type.sizes]
            if prod(shape) <= SMALL:
                return ctx.array(np.full(shape, value, NUMPY[ctx.elem(type.elem)]))
        return _repeated(ctx, node, bool(value) if type.elem == "bool" else value)

    return lower


def full(ctx: Context, node: Node, args: Args) -> str:
    """One number everywhere."""
    return _repeated(ctx, node, node.attr("v"))


def counted(ctx: Context, length: Size) -> str:
    """0, 1, ..., n - 1."""
    if length.is_number and length.number <= LARGEST:
        return ctx.array(np.arange(length.number))
    return ctx.node("Range", ctx.number(0, "int"), scalar(ctx, length), ctx.number(1, "int"))


def arange(ctx: Context, node: Node, args: Args) -> str:
    """`Range`, or the numbers."""
    return counted(ctx, node.outputs[0].type.sizes[0])


def linspace(ctx: Context, node: Node, args: Args) -> str:
    """Lo + (hi - lo) i / (n - 1), of halves in float32, which counts further."""
    length, elem = node.outputs[0].type.sizes[0], ctx.elem("float")
    wide = "f32" if elem in ("f16", "bf16") else elem
    lo, hi = ctx.number(node.attr("lo"), wide), ctx.number(node.attr("hi"), wide)
    steps = ctx.node("Cast", counted(ctx, length), to=ONNX[wide])
    last = ctx.node("Max", ctx.number(length - 1, wide), ctx.number(1.0, wide))
    found = ctx.node("Add", lo, ctx.node("Mul", ctx.node("Sub", hi, lo), ctx.node("Div", steps, last)))
    return found if wide == elem else ctx.node("Cast", found, to=ONNX[elem])


def eye(ctx: Context, node: Node, args: Args) -> str:
    """`EyeLike`, or the numbers."""
    (length, _), elem = node.outputs[0].type.sizes, ctx.elem("float")
    if length.is_number and length.number**2 <= SMALL:
        return ctx.array(np.eye(length.number, dtype=NUMPY[elem]))
    zeros = ctx.node("Expand", ctx.number(0.0, "float"), ctx.shape([length, length]))
    return ctx.node("EyeLike", zeros, dtype=ONNX[elem])


def _leaves(value: Any) -> list[Any]:
    return [leaf for item in value for leaf in _leaves(item)] if isinstance(value, tuple) else [value]


def constant(ctx: Context, node: Node, args: Args) -> str:
    """The numbers of a list; those that are sizes of inputs are put among them at run time."""
    type, leaves = node.outputs[0].type, _leaves(node.attr("list"))
    shape = [item.number for item in type.sizes]
    if all(isinstance(leaf, bool | int | float) or (isinstance(leaf, Size) and leaf.is_number) for leaf in leaves):
        plain = [leaf.number if isinstance(leaf, Size) else leaf for leaf in leaves]
        return ctx.array(np.array(plain).astype(NUMPY[ctx.elem(type.elem)]).reshape(shape))
    parts = [ctx.node("Reshape", ctx.number(leaf, type.elem), ctx.array([1])) for leaf in leaves]
    return ctx.node("Reshape", ctx.node("Concat", *parts, axis=0), ctx.array(shape))


def _like(ctx: Context, sizes: list[Size], value: float = 0.0) -> str:
    """A tensor that gives its shape to random numbers."""
    start = ctx.number(value, "f32")
    return ctx.node("Expand", start, ctx.shape(sizes)) if sizes else start


def drawn(name: str, **attrs: float) -> Lowering:
    """`RandomNormalLike`."""

    def lower(ctx: Context, node: Node, args: Args) -> str:
        drawn_ = ctx.node(name, _like(ctx, _sizes(node)), dtype=ONNX["f32"], **attrs)
        elem = ctx.elem("float")  # the standard draws no bfloat16
        return drawn_ if elem == "f32" else ctx.node("Cast", drawn_, to=ONNX[elem])

    return lower


def randint(ctx: Context, node: Node, args: Args) -> str:
    """⌊n u⌋ for u uniform in [0, 1)."""
    uniform = ctx.node("RandomUniformLike", _like(ctx, _sizes(node)), dtype=ONNX["f32"])
    top = ctx.number(node.attr("n"), "f32")
    whole = ctx.node("Cast", ctx.node("Floor", ctx.node("Mul", uniform, top)), to=ONNX["int"])
    return ctx.node("Min", whole, ctx.number(node.attr("n") - 1, "int"))


def permutation(ctx: Context, node: Node, args: Args) -> str:
    """The order of random numbers."""
    sizes = _sizes(node)
    uniform = ctx.node("RandomUniformLike", _like(ctx, sizes), dtype=ONNX["f32"])
    return ctx.nodes("TopK", 2, uniform, ctx.size(sizes[0]))[1]


def bernoulli(ctx: Context, node: Node, args: Args) -> str:
    """U < p for u uniform in [0, 1): `Bernoulli` of the standard is defined as u > p, which runtimes follow."""
    p: float | Size | Scalar = node.attr("p")
    uniform = ctx.node("RandomUniformLike", _like(ctx, _sizes(node)), dtype=ONNX["f32"])
    return ctx.node("Cast", ctx.node("Less", uniform, ctx.number(p, "f32")), to=ONNX[ctx.elem("float")])


def dropout(ctx: Context, node: Node, args: Args) -> str:
    """x: nothing is dropped in a deployed model."""
    return operand(args)


LOWER: dict[str, Lowering] = {
    "zeros": filled(0.0),
    "ones": filled(1.0),
    "full": full,
    "arange": arange,
    "linspace": linspace,
    "eye": eye,
    "constant": constant,
    "randn": drawn("RandomNormalLike"),
    "rand": drawn("RandomUniformLike"),
    "randint": randint,
    "permutation": permutation,
    "bernoulli": bernoulli,
    "dropout": dropout,
}

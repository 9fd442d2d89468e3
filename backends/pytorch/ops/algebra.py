"""Fourier transforms, complex numbers, linear systems, recurrences and gradients by hand in torch."""

from __future__ import annotations

from collections.abc import Sequence

from ogive.backends.python_text.expr import TRUE, Code, binary, call, literal, method, tuple_of
from ogive.backends.python_text.expr import attribute as part_of
from ogive.backends.python_text.functions.context import Context, Lowering
from ogive.backends.pytorch.ops.dims import dim
from ogive.backends.pytorch.ops.elementwise import function, given
from ogive.backends.pytorch.ops.out_of_range import in_wider
from ogive.compiler.ir.model import Const, Node

Args = Sequence[Code | None]


def fourier(name: str) -> Lowering:
    """`torch.fft.rfft(x)`, `torch.fft.irfftn(x, (h, w), (-2, -1))`."""

    def lower(ctx: Context, node: Node, args: Args) -> Code:
        type, axes, sizes = node.outputs[0].type, node.attr("axes"), node.attr("sizes")
        places = [dim(type, axis) for axis in axes]
        norm = None if node.attr("norm") == "backward" else literal(node.attr("norm"))
        if len(axes) == 1:
            length = None if sizes is None else ctx.size(sizes[0])
            place = None if places == [-1] else places[0]
            return call(f"torch.fft.{name}", args[0], n=length, dim=place, norm=norm)
        lengths = None if sizes is None else tuple_of([ctx.size(item) for item in sizes])
        return call(f"torch.fft.{name}n", args[0], s=lengths, dim=tuple_of(places), norm=norm)

    return lower


def complex_(ctx: Context, node: Node, args: Args) -> Code:
    """`torch.complex(re, im)`; a number is made a tensor like the other part."""
    parts = given(args)
    for place, other in ((0, 1), (1, 0)):
        if isinstance(node.inputs[place], Const):
            parts[other] = ctx.once(parts[other], "part")
            parts[place] = call("torch.full_like", parts[other], parts[place])
    return call("torch.complex", *parts)


def attribute(name: str) -> Lowering:
    """`x.real`."""

    def lower(ctx: Context, node: Node, args: Args) -> Code:
        (x,) = given(args)
        return part_of(x, name)

    return lower


def solve(ctx: Context, node: Node, args: Args) -> Code:
    """`torch.linalg.solve(a, b)`, which takes b for vectors only where its batch axes are exactly those of a."""
    a, b = given(args)
    types = [ctx.type(operand) for operand in node.inputs]
    if not node.attr("vector") or (types[0] and types[1] and types[0].sizes[:-1] == types[1].sizes):
        return call("torch.linalg.solve", a, b)
    return method(call("torch.linalg.solve", a, method(b, "unsqueeze", -1)), "squeeze", -1)


def solve_triangular(ctx: Context, node: Node, args: Args) -> Code:
    """`torch.linalg.solve_triangular(a, b, upper=False)`."""
    unit = TRUE if node.attr("unitriangular") else None
    return call("torch.linalg.solve_triangular", *given(args), upper=node.attr("upper"), unitriangular=unit)


def without_halves(lower: Lowering) -> Lowering:
    """`torch.linalg.inv(wide(x)).to(x.dtype)`: for halves, which the model may be of, torch has no such kernels."""

    def wider(ctx: Context, node: Node, args: Args) -> Code:
        if node.outputs[0].type.elem not in ("float", "f16", "bf16"):
            return lower(ctx, node, args)
        return in_wider(ctx, node, args, lambda found: lower(ctx, node, found), double=False)

    return wider


def linear_scan(ctx: Context, node: Node, args: Args) -> Code:
    """`linear_scan(a, b, dim, h0)`, a helper."""
    a, b, start = args
    place = dim(node.outputs[0].type, node.attr("axis"))
    return call(ctx.helper("linear_scan"), a, b, place, start)


def stop_gradient(ctx: Context, node: Node, args: Args) -> Code:
    """`x.detach()`."""
    (x,) = given(args)
    return method(x, "detach")


def grad_as(ctx: Context, node: Node, args: Args) -> Code:
    """`value.detach() + (surrogate - surrogate.detach())`: the difference is 0 exactly, so the value is exact too."""
    value, surrogate = given(args)
    surrogate = ctx.once(surrogate, "surrogate")
    return binary(method(value, "detach"), "+", binary(surrogate, "-", method(surrogate, "detach")))


LOWER: dict[str, Lowering] = {
    "fft": fourier("fft"),
    "ifft": fourier("ifft"),
    "rfft": fourier("rfft"),
    "irfft": fourier("irfft"),
    "complex": complex_,
    "real": attribute("real"),
    "imag": attribute("imag"),
    "conj": function("torch.conj"),
    "solve": without_halves(solve),
    "solve_triangular": without_halves(solve_triangular),
    "cholesky": without_halves(function("torch.linalg.cholesky")),
    "inverse": without_halves(function("torch.linalg.inv")),
    "det": without_halves(function("torch.linalg.det")),
    "linear_scan": linear_scan,
    "stop_gradient": stop_gradient,
    "grad_as": grad_as,
}

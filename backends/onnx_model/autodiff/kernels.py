"""Derivatives of convolutions, which are convolutions: of what flows back by the weight, and by what flows back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from ogive.backends.onnx_model.autodiff.steps import Flow, Later, Rule, Steps
from ogive.backends.onnx_model.autodiff.tape import Noted
from ogive.backends.onnx_model.graph.errors import OnnxError
from ogive.backends.onnx_model.ops.operands import operand
from ogive.compiler.ir.types import Axis
from ogive.compiler.ops.recipe import Atom, AxisGroup, AxisPattern
from ogive.compiler.sizes import Size, size

ALL = ("all",)


def conv(s: Steps, noted: Noted, g: str) -> Sequence[Flow | Later]:
    """To x its transpose with the same weight."""
    x, w = operand(noted.args), operand(noted.args, 1)
    kernel, settings = s.type(w).sizes[2:], _settings(noted, s.type(w).sizes[2:])

    def back() -> str:
        lengths = zip(s.type(x).sizes[2:], s.type(g).sizes[2:], kernel, *(settings[key] for key in WINDOW), strict=True)
        extra = tuple(n - ((m - 1) * step - 2 * pad + d * (k - 1) + 1) for n, m, k, step, pad, d in lengths)
        more = {"out_pad": extra, "groups": noted.node.attr("groups")}
        return s.apply("conv_transpose", (g, w), s.type(x), **settings, **more)

    return [back, lambda: _weight(s, noted, x, g, settings), *_bias(s, noted, g)]


def conv_transpose(s: Steps, noted: Noted, g: str) -> Sequence[Flow | Later]:
    """To x the convolution with the same weight."""
    x, w = operand(noted.args), operand(noted.args, 1)
    settings = _settings(noted, s.type(w).sizes[2:])
    more = {"groups": noted.node.attr("groups"), "pad_mode": "zeros"}
    return [
        lambda: s.apply("conv", (g, w), s.type(x), **settings, **more),
        lambda: _weight(s, noted, g, x, settings),
        *_bias(s, noted, g),
    ]


WINDOW = ("stride", "pad", "dilation")


def _settings(noted: Noted, kernel: Sequence[Size]) -> dict[str, tuple[Size, ...]]:
    node, op = noted.node, noted.node.op
    if node.attr("pad_mode", "zeros") != "zeros":
        raise OnnxError(f"`grad` through `{op}` with `pad_mode` {node.attr('pad_mode')} is not supported in ONNX")
    pad, dilation = node.attr("pad"), node.attr("dilation")
    if pad == "same":
        reach = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
        if not all(each.is_number and each.number % 2 == 0 for each in reach):
            raise OnnxError(f'`grad` through `{op}` with `pad="same"` of an even kernel is not supported in ONNX')
        pad = tuple(each // 2 for each in reach)
    return {"stride": node.attr("stride"), "pad": pad, "dilation": dilation}


def _weight(s: Steps, noted: Noted, large: str, small: str, settings: Mapping[str, Any]) -> str:
    """The large tensor with the small one for a kernel, the batch for channels: stride and dilation change places."""
    weight, groups = s.type(operand(noted.args, 1)), size(noted.node.attr("groups"))
    kernel, have, seen = weight.sizes[2:], s.type(large).sizes, s.type(small).sizes
    mine = weight.sizes[1]
    b, group, i = (_atom(name, each) for name, each in (("b", have[0]), ("g", groups), ("i", mine)))
    axes = [_place(_atom(f"n{at}", each)) for at, each in enumerate(have[2:])]
    x = s.moved(large, AxisPattern(((_place(b), _place(group, i), *axes),), ((_place(i), _place(group, b), *axes),)))
    o = _atom("o", seen[1])
    steps = [_place(_atom(f"m{at}", each)) for at, each in enumerate(seen[2:])]
    y = s.moved(small, AxisPattern(((_place(b), _place(o), *steps),), ((_place(o), _place(b), *steps),)))
    swapped = {"stride": settings["dilation"], "pad": settings["pad"], "dilation": settings["stride"]}
    rooms = zip(have[2:], seen[2:], *(settings[key] for key in WINDOW), strict=True)
    found = [(n + 2 * pad - step * (m - 1) - 1) // d + 1 for n, m, step, pad, d in rooms]
    made = weight.with_axes(Axis(mine), Axis(seen[1]), *map(Axis, found))
    flow = s.apply("conv", (x, y), made, **swapped, groups=groups, pad_mode="zeros")
    if tuple(found) != tuple(kernel):
        cut = tuple(("slice", size(0), k, size(1)) if k != room else ALL for k, room in zip(kernel, found, strict=True))
        flow = s.apply("slice", (flow,), made.with_axes(*made.axes[:2], *map(Axis, kernel)), items=(ALL, ALL, *cut))
    ends = [_place(_atom(f"k{at}", each)) for at, each in enumerate(kernel)]
    return s.moved(flow, AxisPattern(((_place(i), _place(o), *ends),), ((_place(o), _place(i), *ends),)))


def _atom(name: str, length: Size) -> Atom:
    return Atom(name, length)


def _place(*atoms: Atom) -> AxisGroup:
    return AxisGroup((atoms,))


def _bias(s: Steps, noted: Noted, g: str) -> list[Flow | Later]:
    """The sum over all but the channels."""
    return [lambda: s.total(g, [0, *range(2, len(s.type(g).axes))])] * (len(noted.args) > 2)


RULES: Mapping[str, Rule] = MappingProxyType({"conv": conv, "conv_transpose": conv_transpose})

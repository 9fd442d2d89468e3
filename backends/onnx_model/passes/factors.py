"""Factors beside products of matrices in float64, which ONNX Runtime (1.31) rounds to float32."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ogive.backends.onnx_model.graph.builder import OnnxBuilder
from ogive.backends.onnx_model.graph.nodes import Body, Made
from ogive.backends.onnx_model.passes.post_passes import Stored

THROUGH = ("Transpose", "Identity")  # what its optimizers look through


def keep_factors(body: Body, builder: OnnxBuilder, stored: Mapping[str, Stored]) -> None:
    """A `Sum` of one operand between a `MatMul` and a number by which its operand or result is multiplied.

    Side by side, the number becomes `alpha` of a fused product, an attribute of float32.
    """
    makers = {name: made for made in body.nodes for name in made.outputs}
    feeding = _feeding(body)
    nodes: list[Made] = []
    for made in body.nodes:
        nodes.append(made)
        for value in made.attrs.values():
            if isinstance(value, Body):
                keep_factors(value, builder, stored)
        if made.op not in ("Mul", "Div"):
            continue
        for at, name in enumerate(made.inputs):
            other = made.inputs[1 - at]
            if not _rounded(name, builder, stored, made.op == "Div"):
                continue
            if _product(other, makers):
                nodes.insert(-1, _sum(other, between := builder.name(f"{other}/Sum"), builder))
                made.inputs[1 - at] = between
            if (result := made.outputs[0]) in feeding:
                made.outputs[0] = builder.name(f"{result}/Mul")
                nodes.append(_sum(made.outputs[0], result, builder))
    body.nodes = nodes


def _sum(x: str, result: str, builder: OnnxBuilder) -> Made:
    return Made("Sum", [x], [result], {}, builder.name(f"{result}/node"))


def _feeding(body: Body) -> set[str]:
    """What products of matrices read."""
    found: set[str] = set()
    for made in reversed(body.nodes):
        if made.op == "MatMul" or (made.op in THROUGH and made.outputs[0] in found):
            found.update(made.inputs)
    return found


def _product(name: str, makers: Mapping[str, Made]) -> bool:
    """Whether it is a product of matrices."""
    made = makers.get(name)
    while made is not None and made.op in THROUGH:
        made = makers.get(made.inputs[0])
    return made is not None and made.op == "MatMul"


def _rounded(name: str, builder: OnnxBuilder, stored: Mapping[str, Stored], inverse: bool) -> bool:
    """Whether it is one number that float32 may not hold, or one with such an inverse."""
    constant = builder.constants.get(name)
    if constant is not None:
        if constant.size != 1 or constant.dtype != np.float64:
            return False
        with np.errstate(divide="ignore", over="ignore"):
            factor = (1 / constant if inverse else constant).item()
            return float(np.float32(factor)) != factor
    weight = stored.get(name)
    return weight is not None and weight.dtype == np.float64 and int(np.prod(weight.shape)) == 1

"""Factors beside products of matrices in float64, which ONNX Runtime (1.31) rounds to float32.

Side by side, a number becomes `alpha` of a fused product, an attribute of float32. It need not be a number here: the
runtime computes what depends on weights and on shapes alone, and writes functions out where they are called.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np

from ogive.backends.onnx_model.graph.builder import RANDOM, OnnxBuilder
from ogive.backends.onnx_model.graph.nodes import Body, Made
from ogive.backends.onnx_model.passes.post_passes import Stored
from ogive.compiler.ir.types import TensorType

THROUGH = ("Transpose", "Identity")  # what its optimizers look through
BITS = 6  # float32 holds the product of four numbers of so many


def keep_factors(builder: OnnxBuilder, stored: Mapping[str, Stored]) -> None:
    """A `Sum` of one operand between a product and a number by which its operand or result is multiplied."""
    _Factors(builder, stored).keep(builder.body)


def keep_factors_of_function(builder: OnnxBuilder, inputs: Collection[str], outputs: Collection[str]) -> None:
    """The same in the body of a function: what it takes may be numbers or products, and be multiplied behind it."""
    _Factors(builder, {}, frozenset(inputs), frozenset(outputs)).keep(builder.body)


@dataclass(frozen=True, slots=True)
class _Factors:
    """What is known of the values of a graph or function."""

    builder: OnnxBuilder
    stored: Mapping[str, Stored]
    inputs: frozenset[str] = frozenset()  # of a function
    outputs: frozenset[str] = frozenset()
    fixed: set[str] = field(default_factory=set)  # computed from weights and shapes alone
    makers: dict[str, Made] = field(default_factory=dict)

    def keep(self, body: Body) -> None:
        for made in body.nodes:
            self.makers.update(dict.fromkeys(made.outputs, made))
            if made.op == "Shape" or (made.op not in RANDOM and all(map(self._is_fixed, made.inputs))):
                self.fixed.update(made.outputs)
        feeding = self._feeding(body)
        nodes: list[Made] = []
        for made in body.nodes:
            nodes.append(made)
            for value in made.attrs.values():
                if isinstance(value, Body):
                    self.keep(value)
            at = self._factor(made)
            if at is None or not self._rounded(made.inputs[at], made.op == "Div"):
                continue
            if self._product(other := made.inputs[1 - at]):
                nodes.insert(-1, self._sum(other, between := self.builder.name(f"{other}/Sum")))
                made.inputs[1 - at] = between
            if (result := made.outputs[0]) in feeding:
                made.outputs[0] = self.builder.name(f"{result}/Mul")
                nodes.append(self._sum(made.outputs[0], result))
        body.nodes = nodes

    def _sum(self, x: str, result: str) -> Made:
        return Made("Sum", [x], [result], {}, self.builder.name(f"{result}/node"))

    def _is_fixed(self, name: str) -> bool:
        known = (self.builder.constants, self.stored, self.inputs, self.fixed)
        return not name or any(name in names for names in known)

    def _factor(self, made: Made) -> int | None:
        """Which operand is one number by which the other is multiplied or divided."""
        places = {"Mul": (1, 0), "Div": (1,)}.get(made.op, ())
        return next((at for at in places if self._one_number(made.inputs[at])), None)

    def _one_number(self, name: str) -> bool:
        """Whether it may be one number to the runtime, of float64."""
        constant, weight = self.builder.constants.get(name), self.stored.get(name)
        if constant is not None:
            return constant.size == 1 and constant.dtype == np.float64
        if weight is not None:
            return weight.dtype == np.float64 and math.prod(weight.shape) == 1
        return self._is_fixed(name) and self._may_be_one(self.builder.types.get(name))

    def _may_be_one(self, type: TensorType | None) -> bool:
        if type is None:
            return self.builder.floating == "f64"
        sizes = [axis.size for axis in type.axes]
        return self.builder.elem(type.elem) == "f64" and all(not s.is_number or s.number == 1 for s in sizes)

    def _rounded(self, name: str, inverse: bool) -> bool:
        """Whether products with it, or its inverse, may be no numbers of float32."""
        constant = self.builder.constants.get(name)
        if constant is None:
            return True
        with np.errstate(divide="ignore", over="ignore"):
            factor = float((1 / constant if inverse else constant).item())
        if not math.isfinite(factor) or factor == 0:
            return False
        part, exponent = math.frexp(factor)
        return not (part * 2**BITS).is_integer() or not -100 < exponent < 100

    def _product(self, name: str) -> bool:
        """Whether it is a product of matrices, or may be one of a function."""
        while (made := self.makers.get(name)) is not None and not made.domain:
            if made.op in THROUGH:
                name = made.inputs[0]
            elif (at := self._factor(made)) is not None:
                name = made.inputs[1 - at]
            else:
                return made.op == "MatMul"
        return made is not None or name in self.inputs

    def _feeding(self, body: Body) -> set[str]:
        """What products of matrices read, and functions."""
        found = set(self.outputs)
        for made in reversed(body.nodes):
            if made.op == "MatMul" or made.domain or (made.op in THROUGH and made.outputs[0] in found):
                found.update(made.inputs)
            elif made.outputs[0] in found and (at := self._factor(made)) is not None:
                found.add(made.inputs[1 - at])
        return found

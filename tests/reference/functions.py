"""Smooth functions of one number, with their derivatives."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from reference.arrays import Array, add, constant, div, mul, neg, scale, sub, through
from reference.special import erf as erf_of
from reference.special import lgamma as lgamma_of
from reference.special import polygamma

_short = 0.0  # by how much the slope of a sigmoid is off, where kernels are imitated


@contextmanager
def kernels_slopes(unit: float) -> Iterator[None]:
    """Slopes of sigmoids as kernels compute them: 1 less the sigmoid is exact to a place of 1, not of its own."""
    global _short  # the rules of operations know no world
    before, _short = _short, unit
    try:
        yield
    finally:
        _short = before


def exp(x: Array) -> Array:
    y = np.exp(x.value)
    return through(x, y, lambda: exp(x))


def expm1(x: Array) -> Array:
    return through(x, np.expm1(x.value), lambda: exp(x))


def log(x: Array) -> Array:
    return through(x, np.log(x.value), lambda: div(constant(1.0), x))


def log1p(x: Array) -> Array:
    return through(x, np.log1p(x.value), lambda: div(constant(1.0), add(x, constant(1.0))))


def sqrt(x: Array) -> Array:
    return through(x, np.sqrt(x.value), lambda: div(constant(0.5), sqrt(x)))


def rsqrt(x: Array) -> Array:
    return div(constant(1.0), sqrt(x))


def sin(x: Array) -> Array:
    return through(x, np.sin(x.value), lambda: cos(x))


def cos(x: Array) -> Array:
    return through(x, np.cos(x.value), lambda: neg(sin(x)))


def tanh(x: Array) -> Array:
    return through(x, np.tanh(x.value), lambda: sub(constant(1.0), square(tanh(x))))


def square(x: Array) -> Array:
    return mul(x, x)


def asinh(x: Array) -> Array:
    return through(x, np.arcsinh(x.value), lambda: rsqrt(add(square(x), constant(1.0))))


def atanh(x: Array) -> Array:
    return through(x, np.arctanh(x.value), lambda: div(constant(1.0), sub(constant(1.0), square(x))))


def acosh(x: Array) -> Array:
    return through(x, np.arccosh(x.value), lambda: rsqrt(sub(square(x), constant(1.0))))


def tan(x: Array) -> Array:
    return through(x, np.tan(x.value), lambda: add(square(tan(x)), constant(1.0)))


def asin(x: Array) -> Array:
    return through(x, np.arcsin(x.value), lambda: rsqrt(sub(constant(1.0), square(x))))


def acos(x: Array) -> Array:
    return through(x, np.arccos(x.value), lambda: neg(rsqrt(sub(constant(1.0), square(x)))))


def atan(x: Array) -> Array:
    return through(x, np.arctan(x.value), lambda: div(constant(1.0), add(square(x), constant(1.0))))


def atan2(a: Array, b: Array) -> Array:
    """The angle of (b, a)."""

    def share(of: Array) -> Array:
        return div(of, add(square(a), square(b)))

    return Array(np.arctan2(a.value, b.value), ((a, lambda g: mul(g, share(b))), (b, lambda g: neg(mul(g, share(a))))))


def sinh(x: Array) -> Array:
    return through(x, np.sinh(x.value), lambda: cosh(x))


def cosh(x: Array) -> Array:
    return through(x, np.cosh(x.value), lambda: sinh(x))


def log2(x: Array) -> Array:
    return through(x, np.log2(x.value), lambda: div(constant(1 / math.log(2)), x))


def log10(x: Array) -> Array:
    return through(x, np.log10(x.value), lambda: div(constant(1 / math.log(10)), x))


def erf(x: Array) -> Array:
    return through(x, erf_of(x.value), lambda: scale(exp(neg(square(x))), 2 / math.sqrt(math.pi)))


def psi(x: Array, order: int) -> Array:
    """The polygamma function."""
    return through(x, polygamma(order, x.value), lambda: psi(x, order + 1))


def lgamma(x: Array) -> Array:
    return through(x, lgamma_of(x.value), lambda: psi(x, 0))


def digamma(x: Array) -> Array:
    return psi(x, 0)


def sigmoid(x: Array) -> Array:
    """1 / (1 + e^-x), by the side on which e does not overflow."""
    z = np.exp(-np.abs(x.value))
    y = np.where(x.value >= 0, 1 / (1 + z), z / (1 + z))
    return through(x, y, lambda: mul(sigmoid(x), add(sigmoid(neg(x)), constant(_short)) if _short else sigmoid(neg(x))))


def softplus_of(x: Array) -> Array:
    """ln(1 + e^x)."""
    y = np.maximum(x.value, 0) + np.log1p(np.exp(-np.abs(x.value)))
    return through(x, y, lambda: sigmoid(x))


def phi(x: Array) -> Array:
    """The distribution of a normal number; erfc keeps its small values."""
    y = np.vectorize(lambda t: 0.5 * math.erfc(-t / math.sqrt(2)), otypes=[np.float64])(x.value)
    return through(x, y, lambda: scale(exp(scale(square(x), -0.5)), 1 / math.sqrt(2 * math.pi)))


def gelu(x: Array, short: bool = False) -> Array:
    """x Φ(x); `short`: with numbers of float32 in it, as the function of the ONNX standard has them."""
    inside = scale(x, float(np.float32(math.sqrt(2))) / math.sqrt(2)) if short else x
    return mul(x, phi(inside))


def gelu_tanh(x: Array, short: bool = False) -> Array:
    third, factor = 0.044715, math.sqrt(2 / math.pi)
    if short:
        third, factor = float(np.float32(third)), float(np.float32(factor))
    cube = add(x, scale(mul(x, square(x)), third))
    return scale(mul(x, add(tanh(scale(cube, factor)), constant(1.0))), 0.5)


def silu(x: Array) -> Array:
    return mul(x, sigmoid(x))


def mish(x: Array) -> Array:
    return mul(x, tanh(softplus_of(x)))

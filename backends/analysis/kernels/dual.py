"""E[σ(u) σ(v)] and E[σ'(u) σ'(v)] of normal pairs with variances p, q and covariance c: closed forms, else quadrature.

Cho, Saul 2009 (homogeneous functions); Williams 1997 (erf); Tsuchida et al. 2021, arXiv:2002.08517 (GELU).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from math import pi

import torch
from torch import Tensor

from ogive.compiler.ops.pointwise_facts import PointwiseFacts

Pair = tuple[Tensor, Tensor]
NODES = 48


def dual(op: str, facts: PointwiseFacts, function: Callable[[Tensor], Tensor], p: Tensor, q: Tensor, c: Tensor) -> Pair:
    """The two expectations."""
    if facts.homogeneous is not None:
        return _homogeneous(*facts.homogeneous, p, q, c)
    closed = CLOSED.get(op)
    return closed(p, q, c) if closed is not None else _quadrature(function, p, q, c)


def _homogeneous(a: float, b: float, p: Tensor, q: Tensor, c: Tensor) -> Pair:
    """Of a min(x, 0) + b max(x, 0)."""
    s = (p * q - c * c).clamp(min=0).sqrt()
    angle = torch.atan2(s, c)
    f = (a - b) ** 2 / (2 * pi)
    slope = (a * a + b * b) / 2 - f * angle
    return f * s + slope * c, slope


def _erf(p: Tensor, q: Tensor, c: Tensor) -> Pair:
    square = (1 + 2 * p) * (1 + 2 * q)
    return 2 / pi * torch.asin(2 * c / square.sqrt()), 4 / pi / (square - 4 * c * c).sqrt()


def _sin(p: Tensor, q: Tensor, c: Tensor) -> Pair:
    damped = torch.exp(-(p + q) / 2) / 2
    return damped * (torch.exp(c) - torch.exp(-c)), damped * (torch.exp(c) + torch.exp(-c))


def _cos(p: Tensor, q: Tensor, c: Tensor) -> Pair:
    value, slope = _sin(p, q, c)
    return slope, value


def _exp(p: Tensor, q: Tensor, c: Tensor) -> Pair:
    found = torch.exp((p + q) / 2 + c)
    return found, found


def _gelu(p: Tensor, q: Tensor, c: Tensor) -> Pair:
    product = (1 + p) * (1 + q)
    delta = (product - c * c).sqrt()
    angle = torch.atan2(c, delta)
    value = c / 4 + ((c * c + p * q * delta**2) / (product * delta) + c * angle) / (2 * pi)
    slope = 1 / 4 + angle / (2 * pi) + (1 / delta**2 + (1 - p * q) / product + 1) * c / (2 * pi * delta)
    return value, slope


CLOSED: Mapping[str, Callable[[Tensor, Tensor, Tensor], Pair]] = {
    "erf": _erf, "sin": _sin, "cos": _cos, "exp": _exp, "gelu": _gelu,
}  # fmt: skip


def _quadrature(function: Callable[[Tensor], Tensor], p: Tensor, q: Tensor, c: Tensor) -> Pair:
    """By Gauss and Hermite, in two directions that are drawn apart."""
    nodes, weights = hermite(NODES)
    first = p.clamp(min=1e-300).sqrt()
    along = c / first
    rest = (q - along**2).clamp(min=0).sqrt()
    u = first[..., None, None] * nodes[:, None]
    v = along[..., None, None] * nodes[:, None] + rest[..., None, None] * nodes[None, :]
    w = weights[:, None] * weights[None, :]
    (fu, du), (fv, dv) = _with_slope(function, u), _with_slope(function, v)
    return (fu * fv * w).sum((-2, -1)), (du * dv * w).sum((-2, -1))


def _with_slope(function: Callable[[Tensor], Tensor], x: Tensor) -> Pair:
    x = x.detach().requires_grad_()
    with torch.enable_grad():
        y = function(x)
        (slope,) = torch.autograd.grad(y.sum(), x)
    return y.detach(), slope


@lru_cache
def hermite(count: int) -> Pair:
    """Nodes and weights for the mean over a standard normal number (Golub, Welsch 1969)."""
    off = torch.arange(1, count, dtype=torch.float64).sqrt()
    values, vectors = torch.linalg.eigh(torch.diag(off, 1) + torch.diag(off, -1))
    return values, vectors[0] ** 2

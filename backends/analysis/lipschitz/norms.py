"""Norms of the steps of a tape: none is below the largest singular value of what a step does to a small change."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, inf, log, prod, sqrt

import torch
from torch import Tensor

from ogive.backends.analysis.tape.curves import Curve
from ogive.backends.analysis.tape.steps import AffineStep, RangeStep, transposed

ABOVE = 1 + 1e-10  # our own roundings
GRAM = 8  # squarings of a Gram matrix
COUNTED = 4096  # entries of which it is counted how many windows hold them


def matrix_norm(matrix: Tensor) -> float:
    """The largest singular value, from above: ‖(MᵀM)^n‖_F^(1/2n) (Delattre et al. 2023, arXiv:2305.16173)."""
    if not matrix.numel():
        return 0.0
    sizes = matrix.abs()
    least = max(float(matrix.norm(dim=0).max()), float(matrix.norm(dim=1).max()))
    most = sqrt(float(sizes.sum(0).max()) * float(sizes.sum(1).max())) * ABOVE  # √(‖M‖₁ ‖M‖∞)
    if most <= least * (1 + 1e-6):
        return most
    gram = matrix.T @ matrix if matrix.shape[0] >= matrix.shape[1] else matrix @ matrix.T
    scale, power = 0.0, 1.0
    for _ in range(GRAM if min(matrix.shape) <= 512 else GRAM // 2):
        size = float(gram.norm())
        if size == 0:
            return 0.0
        scale, gram = scale + log(size) / power, gram / size
        gram, power = gram @ gram, 2 * power
    last = float(gram.norm())
    total = scale + (log(last) / power if last > 0 else 0.0)
    return min(most, sqrt(exp(total)) * (1 + 1e-6))


def affine_norms(step: AffineStep) -> list[float]:
    """For each parent the norm of its matrix."""
    if step.dense is not None:
        return [matrix_norm(matrix) for matrix in step.dense]
    found = []
    for at, shape in enumerate(step.shapes):
        ones = [torch.zeros(each, dtype=torch.float64) for each in step.shapes]
        ones[at] = torch.ones(shape, dtype=torch.float64)
        rows = float(step.spread(ones).max())
        run = step.run if step.magnitude is None else step.magnitude
        columns = float(transposed(run, step.shapes, torch.ones(1, *step.shape, dtype=torch.float64))[at].max())
        found.append(sqrt(rows * columns) * ABOVE)  # √(‖J‖₁ ‖J‖∞)
    return found


def disjoint(step: AffineStep) -> bool:
    """Whether each entry of the result is one of the entries of one parent: parts lie side by side."""
    return step.terms == 0 and step.magnitude is None


def slopes_of(curve: Curve, low: Tensor, high: Tensor) -> tuple[float, float]:
    """The least and the largest slope over intervals: where a function is convex or concave they are at its ends."""
    if not low.numel():
        return 0.0, 0.0
    least, most = curve.slopes
    if curve.period is not None or not bool((low.isfinite() & high.isfinite()).all()):
        return least, most
    points = [low, high]
    for each in curve.breaks:
        inside = (low <= each) & (each <= high)
        points += [torch.where(inside, each + gap, low) for gap in (-1e-9, 0.0, 1e-9)]
    points = [torch.maximum(torch.minimum(point, high), low) for point in points]
    found = [curve.slope(point) for point in points]
    if curve.domain != (-inf, inf) and not curve.mirrored and bool((low <= curve.domain[0]).any()):
        return least, most
    if curve.mirrored and bool(((low <= 0) & (high >= 0)).any()):
        return least, most
    below = min(float(each.min()) for each in found)
    above = max(float(each.max()) for each in found)
    gap = 1e-9 * max(abs(below), abs(above), 1.0)
    return max(below - gap, least), min(above + gap, most)


def range_norm(step: RangeStep) -> float:
    """Of a choice of entries: an entry moves as many results as there are windows that hold it."""
    if step.lipschitz is not None:
        return step.lipschitz
    if not step.chosen or len(step.shapes) != 1 or prod(step.shapes[0]) > COUNTED:
        return inf
    count = prod(step.shapes[0])
    units = torch.eye(count, dtype=torch.float64).reshape(count, *step.shapes[0])
    moved = torch.vmap(step.run)(units).reshape(count, -1) > 0
    return sqrt(float(moved.sum(1).max())) if count else 0.0


def chain_norm(matrices: Sequence[Tensor], slopes: Sequence[float]) -> float:
    """A bound of W_L diag(s) ... diag(s) W_1 for all slopes from 0 to those that are given.

    The block-tridiagonal recursion: D_0 = I; A_k = W_k D⁻¹ W_kᵀ, λ = 1 / λ_max(A_k), D_k = 2λ I - λ² A_k; the bound is
    the root of λ_max(W_L D⁻¹ W_Lᵀ).
    """
    first, *rest = matrices
    size = first.shape[1]
    inverse = torch.eye(size, dtype=torch.float64)
    for matrix, slope in zip(matrices[:-1], slopes, strict=True):
        scaled = slope * matrix
        a = scaled @ inverse @ scaled.T
        a = (a + a.T) / 2
        top = float(torch.linalg.eigvalsh(a)[-1]) * ABOVE
        if top <= 0:
            return 0.0
        weight = 1 / top
        block = 2 * weight * torch.eye(len(a), dtype=torch.float64) - weight**2 * a
        inverse = torch.linalg.inv(block)
        inverse = (inverse + inverse.T) / 2
    last = rest[-1] if rest else first
    end = last @ inverse @ last.T
    return sqrt(max(float(torch.linalg.eigvalsh((end + end.T) / 2)[-1]), 0.0)) * (1 + 1e-9)

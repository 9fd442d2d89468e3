"""The reference beside torch and finite differences, for every case of every operation."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from importlib import import_module
from itertools import islice
from typing import Any

import numpy as np
import pytest
import torch

from ogive.compiler.ops import OPS as DECLARED
from ogive.compiler.sizes import Unknown
from onnx_model.cases import CASES, Stated, stated
from onnx_model.test_ops import choices, operands
from ops.cases import Case
from ops.harness import function_of
from reference.arrays import Array, Numbers, gradient, mul, real, total
from reference.interpreter import Frame, Machine
from reference.special import lgamma, polygamma
from reference.store import Store
from reference.table import OPS
from reference.world import Decision, World

CLOSE = 1e-11  # relative to the largest number
STEP = 1e-6


def test_every_operation_has_a_meaning() -> None:
    assert OPS.keys() == DECLARED.keys()


def by_reference(state: Stated, values: Mapping[Unknown, int], given: Sequence[Any], world: World) -> list[Array]:
    """The results of the case's node."""
    frame = Frame(None, dict(values), {}, "", ())  # type: ignore[arg-type]
    at = iter(given)
    for i, type in enumerate(state.types):
        if hasattr(type, "axes"):
            frame.types[f"x{i}"] = type
            frame.values[f"x{i}"] = next(at)
            packs = [a for a in type.axes if a.pack is not None]
            frame.packs.update({str(a.pack): (a.size.at(values),) for a in packs})
    return [y for y in Machine(world, Store({})).operation(frame, state.node) if y is not None]


def by_torch(state: Stated, values: Mapping[Unknown, int], given: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    anchor = torch.empty((), dtype=torch.float64)
    found = function_of(state.node, state.types, values)(*given, anchor=anchor, training=False)
    return list(found) if isinstance(found, tuple) else [found]


def doubles(state: Stated, values: Mapping[Unknown, int]) -> list[torch.Tensor]:
    return operands(state, values, torch.double)


def off(a: Numbers, b: Numbers) -> float:
    """The largest difference, relative to the largest number."""
    if a.shape != b.shape or a.dtype.kind != b.dtype.kind:
        return math.inf
    if a.dtype.kind in "ib":
        return float((a != b).any())
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    with np.errstate(invalid="ignore"):
        gap = np.nan_to_num(np.where(same, 0.0, np.abs(a - b)), nan=np.inf)
    return float(gap.max(initial=0.0) / np.abs(np.where(np.isfinite(b), b, 0)).max(initial=1e-300))


TESTED = [case for case in CASES if case.reference is not None]


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel:UserWarning")
@pytest.mark.parametrize("case", TESTED, ids=str)
def test_it_computes_what_torch_does(case: Case) -> None:
    state = stated(case)
    for seed, values in enumerate(choices(state)):
        torch.manual_seed(seed)
        given = doubles(state, values)
        ours = by_reference(state, values, [Array(x.numpy()) for x in given], World())
        theirs = by_torch(state, values, given)
        assert len(ours) == len(theirs)
        for a, b in zip(ours, theirs, strict=True):
            assert off(a.value, b.resolve_conj().numpy()) <= CLOSE


def objective(results: Sequence[Array]) -> Array:
    """A number that depends on every entry of what is smooth."""
    parts = []
    for k, y in enumerate(y for y in results if y.smooth):
        weights = np.cos(np.arange(y.value.size) * 0.7 + k).reshape(y.shape)
        y = mul(y, Array(weights * (1 + 0.5j if y.complex else 1)))
        parts.append(total(real(y) if y.complex else y, range(y.ndim)))
    summed = parts[0]
    for part in parts[1:]:
        summed = Array(summed.value + part.value, ((summed, lambda g: g), (part, lambda g: g)))
    return summed


def derivative(state: Stated, values: Mapping[Unknown, int], given: Sequence[Numbers]) -> tuple[list[Array], World]:
    """The cotangents of all operands."""
    world = World(decisions=[])
    leaves = [Array(x, leaf=x.dtype.kind in "fc") for x in given]
    results = by_reference(state, values, leaves, world)
    return gradient(objective(results), leaves), world


SMOOTH = [
    case
    for case in TESTED
    if case.op not in ("grad_as", "stop_gradient", "batch_norm_train", "cholesky")  # these override or cut derivatives
]


@pytest.mark.parametrize("case", SMOOTH, ids=str)
def test_its_derivatives_are_those_of_finite_differences(case: Case) -> None:
    state = stated(case)
    for seed, values in enumerate(islice(choices(state), 1)):
        torch.manual_seed(seed)
        given = [x.numpy() for x in doubles(state, values)]
        floats = [i for i, x in enumerate(given) if x.dtype.kind in "fc"]
        results = by_reference(state, values, [Array(x) for x in given], World())
        if not floats or not derivable(results):
            return
        found, world = derivative(state, values, given)
        assert world.decisions is not None
        if any(decision.tied for decision in world.decisions):
            continue
        rng = np.random.default_rng(seed)
        way = [direction(x, rng) for x in given]
        slope = sum(float(np.real(np.vdot(g.value, v)).sum()) for g, v in zip(found, way, strict=True))
        ends = []
        for sign in (1, -1):
            moved = [Array(x + sign * STEP * v if x.dtype.kind in "fc" else x) for x, v in zip(given, way, strict=True)]
            there = World(decisions=[])
            ends.append((float(objective(by_reference(state, values, moved, there)).value), kinks(there)))
        if any(end[1] != kinks(world) for end in ends):
            continue
        by_steps = (ends[0][0] - ends[1][0]) / (2 * STEP)
        assert slope == pytest.approx(by_steps, rel=1e-4, abs=1e-5)


def derivable(results: Sequence[Array]) -> bool:
    """Whether there is anything to derive, and all of it is finite."""
    smooth = [y.value for y in results if y.smooth]
    return any(y.size for y in smooth) and all(np.isfinite(y).all() for y in smooth)


def direction(x: Numbers, rng: np.random.Generator) -> Numbers:
    v = rng.standard_normal(x.shape)
    return np.asarray(v + 1j * rng.standard_normal(x.shape) if x.dtype.kind == "c" else v)


def kinks(world: World) -> list[Decision]:
    assert world.decisions is not None
    return [Decision(d.what, d.chosen, False) for d in world.decisions]


# where the derivative of torch itself is none, or in float32 (1 / 6)
OF_TORCH = [case for case in SMOOTH if case.op not in ("floordiv", "hardsigmoid")]


@pytest.mark.parametrize("case", OF_TORCH, ids=str)
def test_its_derivatives_are_those_of_torch(case: Case) -> None:
    state = stated(case)
    for seed, values in enumerate(islice(choices(state), 1)):
        torch.manual_seed(seed)
        given = doubles(state, values)
        floats = [x for x in given if x.is_floating_point() or x.is_complex()]
        results = by_reference(state, values, [Array(x.numpy()) for x in given], World())
        if not floats or not derivable(results):
            return
        ours, world = derivative(state, values, [x.numpy() for x in given])
        assert world.decisions is not None
        if any(decision.tied for decision in world.decisions):
            continue
        for x in floats:
            x.requires_grad_()
        summed = torch.zeros((), dtype=torch.float64)
        smooth = [y for y in by_torch(state, values, given) if y.is_floating_point() or y.is_complex()]
        for k, y in enumerate(smooth):
            weights = torch.cos(torch.arange(y.numel()).double() * 0.7 + k).view(y.shape)
            summed = summed + (y * (weights * (1 + 0.5j) if y.is_complex() else weights)).sum().real
        if not summed.requires_grad:
            continue
        theirs = torch.autograd.grad(summed, floats, allow_unused=True)
        mine = [g for g, x in zip(ours, given, strict=True) if x.is_floating_point() or x.is_complex()]
        for a, b in zip(mine, theirs, strict=True):
            if b is None:
                assert not a.value.any()
            else:
                assert off(a.value, b.resolve_conj().numpy()) <= 1e-8 or abs(a.value - b.numpy()).max() < 1e-12


@pytest.mark.parametrize("x", [-7.3, -0.4, 1e-3, 0.3, 0.9, 1.0, 1.0001, 1.5, 1.9, 2.0, 2.2, 3.0, 11.9, 40.0])
def test_special_functions(x: float) -> None:
    mpmath: Any = import_module("mpmath")
    at = np.array(x)
    assert float(lgamma(at)) == pytest.approx(float(mpmath.log(abs(mpmath.gamma(x)))), rel=1e-13, abs=1e-16)
    for order in range(3):
        assert float(polygamma(order, at)) == pytest.approx(float(mpmath.psi(order, x)), rel=1e-12)

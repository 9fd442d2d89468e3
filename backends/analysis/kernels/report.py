"""The analysis `kernel`: NNGP and NTK of a model on given inputs; beside it the kernel of one network of its width."""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import log

import torch
from torch import Tensor

from ogive.backends.analysis.kernels.empirical import empirical_ntk
from ogive.backends.analysis.kernels.field import KernelField
from ogive.backends.analysis.kernels.interpreter import KernelInterpreter
from ogive.backends.analysis.subject import AnalysisSubject
from ogive.backends.compared.flat import taking_flat
from ogive.compiler.analysis.frame.interpreter import DomainFrame, UnknownOp
from ogive.compiler.analysis.frame.result import AnalysisResult, AnalysisRow, Cell
from ogive.compiler.analysis.initial.moments import entry_moments
from ogive.compiler.ir.model import Model
from ogive.compiler.ir.substitute import with_numbers
from ogive.compiler.ir.types import FLOATS
from ogive.compiler.ir.weights import weights
from ogive.compiler.ops import OPS
from ogive.compiler.ops.gaussian import gaussian_moments
from ogive.compiler.ops.pointwise_facts import PointwiseFacts
from ogive.compiler.passes.cleanup.deploy_flatten import deployed
from ogive.compiler.passes.conversion.result import PassError
from ogive.compiler.sizes import Unknown, size

CONVENTION = (
    "infinite width, in use, in the parametrization of the NTK; a pair of examples in a row; K is of one output entry, "
    "Θ the inner product of its gradients"
)
PRIOR = re.compile(r"inv_gamma\(([0-9.e+-]+), ?([0-9.e+-]+)\)")
MOST_PAIRS = 64


def kernel(
    subject: AnalysisSubject, *, c_w: float | None = None, c_b: float | None = None, scale_prior: str = "",
    empirical: bool = False, seed: int = 0,
) -> AnalysisResult:  # fmt: skip
    """A row for each pair of examples. Needs data.

    `scale_prior` "inv_gamma(a,b)" puts an inverse gamma on the variance of the last layer: the limit is a Student-t
    process with 2a degrees of freedom and scale (b/a) K. `empirical` draws one network, and its NTK beside. Raises
    PassError where data are missing, or options make no sense.
    """
    data = subject.needed_data("kernel")
    prior = _prior(scale_prior)
    if (c_w is not None and c_w <= 0) or (c_b or 0.0) < 0:
        raise PassError("E0810", "`c_w` of `kernel` is above 0, `c_b` is at least 0")
    sizes = _sizes(subject, data)
    model = deployed(AnalysisSubject(subject.model, sizes).bound)
    graph = model.definition.graph
    interpreter = KernelInterpreter(model, sizes, c_w, c_b)
    frame = DomainFrame[KernelField](graph)
    for value, optional in zip(graph.inputs, model.definition.optional, strict=True):
        known = not optional and value.type.elem in FLOATS and value.name in data
        entering = KernelField(value=data[value.name].to(torch.float64)) if known else KernelField()
        interpreter.bind(frame, value, entering)
        if value.type.elem not in FLOATS:
            reason = f"`{value.name}` holds no floats: how its rows go together has no rule"
            interpreter.unknown[UnknownOp("", "input", reason)] = None
    (found, *_) = (*interpreter.graph(frame, graph), KernelField())
    beside = _empirical(subject, data, seed) if empirical else None
    rows = _rows(found, prior, beside)
    totals = _totals(found, model, prior)
    options: dict[str, Cell] = {
        "c_w": c_w, "c_b": c_b, "scale_prior": scale_prior, "empirical": empirical, "seed": seed,
    }  # fmt: skip
    columns = ["k", "theta", *(["student_variance"] if prior else []), *(["empirical_theta"] if empirical else [])]
    warnings = (
        ["no empirical kernel: the Jacobian is too large, or there is no axis of examples"]
        if empirical and beside is None
        else []
    )
    return AnalysisResult(
        "kernel", subject.model.name, options, CONVENTION, totals, rows, tuple(interpreter.unknown), tuple(warnings),
        tuple(columns), (), "k", subject.sizes,
    )  # fmt: skip


def _prior(text: str) -> tuple[float, float] | None:
    if not text:
        return None
    told = PRIOR.fullmatch(text)
    try:
        a, b = map(float, told.groups()) if told is not None else (0.0, 0.0)
    except ValueError:
        a, b = 0.0, 0.0
    if a <= 0 or b <= 0:
        raise PassError("E0810", f'`scale_prior` of `kernel` is "inv_gamma(a,b)" with a, b above 0, not "{text}"')
    return a, b


def _sizes(subject: AnalysisSubject, data: Mapping[str, Tensor]) -> dict[Unknown, int]:
    """Sizes of inputs, as the data have them."""
    found = dict(subject.sizes)
    for value in subject.model.definition.graph.inputs:
        if value.name not in data:
            continue
        shape = data[value.name].shape
        if len(shape) != len(value.type.axes):
            continue  # a pack stands for several
        for axis, number in zip(value.type.axes, shape, strict=True):
            for unknown in axis.size.unknowns:
                if axis.size == size(unknown):
                    found[unknown] = number
    return found


def _rows(found: KernelField, prior: tuple[float, float] | None, beside: Tensor | None) -> tuple[AnalysisRow, ...]:
    if found.k is None or found.theta is None:
        return ()
    half = found.k.shape[: found.kept]
    count = half.numel()
    k, theta = (each.reshape(count, count) for each in (found.k, found.theta))
    rows = []
    for i in range(min(count, MOST_PAIRS)):
        for j in range(i, min(count, MOST_PAIRS)):
            fields: dict[str, Cell] = {"first": i, "second": j, "k": float(k[i, j]), "theta": float(theta[i, j])}
            if prior is not None:
                a, b = prior
                fields["student_variance"] = None if a <= 1 else b / a * float(k[i, j]) * 2 * a / (2 * a - 2)
            if beside is not None and len(beside) == count:
                fields["empirical_theta"] = float(beside[i, j])
            rows.append(AnalysisRow(f"{i}, {j}", "pair", fields))
    return tuple(rows)


def _totals(found: KernelField, model: Model, prior: tuple[float, float] | None) -> dict[str, Cell]:
    totals: dict[str, Cell] = {"entries": 0, "least_eigenvalue": None}
    if found.k is not None:
        count = found.k.shape[: found.kept].numel()
        totals = {"entries": count, "least_eigenvalue": float(torch.linalg.eigvalsh(found.k.reshape(count, count))[0])}
    if prior is not None:
        totals |= {"degrees_of_freedom": 2 * prior[0], "student_scale": prior[1] / prior[0]}
    classes: dict[str, Cell] = {}
    for node in map(with_numbers, model.definition.graph.walk()):
        spec = OPS.get(node.op)
        if spec is not None and spec.pointwise is not None and node.op not in ("cast", "neg"):
            classes[node.op] = wide_and_deep(spec.pointwise(dict(node.attrs)))
    return {**totals, "wide_and_deep": classes}


def wide_and_deep(facts: PointwiseFacts) -> dict[str, Cell]:
    """What a network of one activation classifies by as its depth grows too, where inputs lie on a sphere.

    Radhakrishnan, Belkin, Uhler 2023, arXiv:2204.14126: by the coefficients of σ over √⟨σ²⟩, a₀ = ⟨σ⟩, a₁ = ⟨zσ⟩ and
    B' = ⟨σ'²⟩. "singular kernel" is one that goes as distance to the power -α; it is consistent where α is the
    dimension of the sphere. For a₀ ≠ 0 the hypotheses of the theorem are not checked.
    """
    found = gaussian_moments(facts, 1.0)
    if found is None or found.square == 0:
        return {"class": "unknown"}
    a0, a1 = found.mean / found.square**0.5, found.slope / found.square**0.5
    slope = found.slope_square / found.square
    if abs(a0) > 1e-9:
        return {"class": "majority vote", "a0": a0, "a1": a1}
    if abs(a1) <= 1e-9:
        return {"class": "nearest neighbour", "a0": 0.0, "a1": 0.0}
    if abs(slope - 1) < 1e-9:
        return {"class": "linear", "a0": 0.0, "a1": a1}
    return {"class": "singular kernel", "a0": 0.0, "a1": a1, "exponent": -4 * log(abs(a1)) / log(slope)}


def _empirical(subject: AnalysisSubject, data: Mapping[str, Tensor], seed: int) -> Tensor | None:
    """The NTK of a fresh network."""
    assert subject.module is not None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = taking_flat(subject.module().to(torch.float64).eval(), subject.model)
    inputs = [
        data[value.name].to(torch.float64) for value in subject.model.definition.graph.inputs if value.name in data
    ]
    variances = {}
    for info in weights(subject.model):
        moments = entry_moments(info.init, info.shape)
        for path in info.paths():
            variances[path] = 0.0 if moments is None else moments[1]
    return empirical_ntk(module, inputs, variances)

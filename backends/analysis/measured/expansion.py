"""The analysis `expansion_score`: how much a step could still lower the loss, layer by layer: gᵀ F⁻¹ g.

Mitchell et al. 2023, arXiv:2307.04526, with the diagonal of the empirical Fisher matrix.
"""

from __future__ import annotations

import torch

from ogive.backends.analysis.measured.runs import data_run, loss_of
from ogive.backends.analysis.subject import AnalysisSubject
from ogive.compiler.analysis.frame.result import AnalysisResult, AnalysisRow, Cell
from ogive.compiler.passes.conversion.result import PassError

CONVENTION = "g: the mean gradient; F: the mean square of the gradients of single examples, plus the damping"


def expansion_score(subject: AnalysisSubject, *, damping: float = 1e-8) -> AnalysisResult:
    """A row for each parameter with its share of η. Needs data with a target, and a loss."""
    if damping <= 0:
        raise PassError("E0810", "`damping` of `expansion_score` is above 0")
    loss = subject.needed_loss("expansion_score")
    run = data_run(subject, "expansion_score", target=True)
    assert run.target is not None
    parameters = dict(run.module.named_parameters())
    count = len(run.target)
    first = {name: torch.zeros_like(p) for name, p in parameters.items()}
    second = {name: torch.zeros_like(p) for name, p in parameters.items()}
    for at in range(count):
        out = run.module(*(x[at : at + 1] for x in run.inputs))
        value = loss_of(loss, out if isinstance(out, torch.Tensor) else out[0], run.target[at : at + 1])
        grads = torch.autograd.grad(value, list(parameters.values()), allow_unused=True)
        for name, grad in zip(parameters, grads, strict=True):
            if grad is not None:
                first[name] += grad / count
                second[name] += grad.square() / count
    rows, total = [], 0.0
    for name, parameter in parameters.items():
        share = float((first[name].square() / (second[name] + damping)).sum())
        total += share
        fields: dict[str, Cell] = {
            "eta": share,
            "parameters": parameter.numel(),
            "per_parameter": share / parameter.numel(),
        }
        rows.append(AnalysisRow(name, "parameter", fields))
    totals: dict[str, Cell] = {"eta": total, "examples": count}
    return AnalysisResult(
        "expansion_score", subject.model.name, {"damping": damping}, f"{CONVENTION}; {subject.start}", totals,
        tuple(rows), columns=("eta", "parameters", "per_parameter"), chart="eta", sizes=subject.sizes,
    )  # fmt: skip

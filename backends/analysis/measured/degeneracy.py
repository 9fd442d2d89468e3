"""The analysis `degeneracy`: directions of weights that data do not see, and ReLUs that fire together.

Bushnaq et al. 2024, arXiv:2405.10927: where what a layer is given spans r of d in dimensions, and its gradients s of d
out, d_in d_out - r s directions of its weight change nothing to first order. ReLUs that fire on the same inputs act as
one linear map. The interaction basis itself is not computed.
"""

from __future__ import annotations

from collections import Counter

import torch
from torch import Tensor

from ogive.backends.analysis.measured.runs import SeenProducts, data_run, first_output, rank, rows_of
from ogive.backends.analysis.subject import AnalysisSubject
from ogive.compiler.analysis.frame.result import AnalysisResult, AnalysisRow, Cell

CONVENTION = "ranks over the data, of sums of outer products; gradients are those of drawn sums of the outputs"
DRAWS = 4


def degeneracy(subject: AnalysisSubject, *, seed: int = 0) -> AnalysisResult:
    """A row for each linear product: ranks and free directions; groups of ReLUs that fire alike. Needs data."""
    run = data_run(subject, "degeneracy")
    mode = SeenProducts(run.module)
    with mode:
        out = first_output(run.module(*run.inputs))
    generator = torch.Generator().manual_seed(seed)
    linear = [each for each in mode.found if each.weight.dim() == 2]
    grads: list[list[Tensor]] = [[] for _ in linear]
    for draw in range(DRAWS):
        weights = torch.randn(out.shape, dtype=out.dtype, generator=generator)
        found = torch.autograd.grad(
            (out * weights).sum(), [each.made for each in linear], retain_graph=draw < DRAWS - 1, allow_unused=True
        )
        for kept, grad in zip(grads, found, strict=True):
            if grad is not None:
                kept.append(rows_of(grad))
    rows, free = [], 0
    for each, kept in zip(linear, grads, strict=True):
        wide, high = each.weight.shape[1], each.weight.shape[0]
        r = _rank(rows_of(each.given.detach()))
        s = _rank(torch.cat(kept)) if kept else 0
        here = wide * high - r * s
        free += here
        fields: dict[str, Cell] = {"d_in": wide, "rank_in": r, "d_out": high, "rank_gradient": s, "free": here}
        rows.append(AnalysisRow(each.path, "linear", fields))
    totals: dict[str, Cell] = {
        "free": free, "synchronized_relus": sum(map(synchronized, mode.relus)), "examples": len(out),
    }  # fmt: skip
    return AnalysisResult(
        "degeneracy", subject.model.name, {"seed": seed}, f"{CONVENTION}; {subject.start}", totals, tuple(rows),
        columns=("d_in", "rank_in", "d_out", "rank_gradient", "free"), chart="free", sizes=subject.sizes,
    )  # fmt: skip


def _rank(rows: Tensor) -> int:
    """Of the span of rows, by the eigenvalues of their sum of outer products."""
    return rank(torch.linalg.eigvalsh(rows.T @ rows).tolist())


def synchronized(relu: Tensor) -> int:
    """How many units of a layer fire on just the examples on which another one does, and on some, not on all."""
    fires = rows_of(relu.detach()) > 0
    seen = Counter(tuple(each) for each in fires.T.tolist() if any(each) and not all(each))
    return sum(count for count in seen.values() if count > 1)

"""The analysis `prune_regimes`: whether two trainings of a model are connected, and alike.

Zhou et al. 2023, arXiv:2305.18383: by the barrier of the loss between two sets of weights, and the CKA of their
outputs. Poor connectivity (I) asks for a higher temperature of training (more noise, longer), connected but unlike
(II-A) for a lower one; II-B is connected and alike. The bounds between them are options: the paper's are of its own
experiments.
"""

from __future__ import annotations

import torch

from ogive.backends.analysis.measured.runs import cka, data_run, loss_of, module_of
from ogive.backends.analysis.subject import AnalysisSubject
from ogive.compiler.analysis.frame.result import AnalysisResult, AnalysisRow, Cell
from ogive.compiler.passes.conversion.result import PassError

CONVENTION = "barrier: how far the loss between both weights is above the line between their losses, at most"


def prune_regimes(
    subject: AnalysisSubject, *, other: str = "", points: int = 11, barrier: float = 0.05, alike: float = 0.9
) -> AnalysisResult:
    """A row for each point between two sets of weights. Needs weights, others (a file), data with a target, a loss."""
    loss = subject.needed_loss("prune_regimes")
    if subject.weights is None or not other or subject.load is None:
        raise PassError("E0810", '`prune_regimes` needs two sets of weights: --weights and prune_regimes[other="FILE"]')
    if points < 3:
        raise PassError("E0810", "`points` of `prune_regimes` is at least 3")
    run = data_run(subject, "prune_regimes", target=True)
    assert run.target is not None
    first, second = subject.weights, subject.load(other)
    rows, losses, outs = [], [], []
    for at in range(points):
        share = at / (points - 1)
        between = {
            name: torch.lerp(x.to(torch.float64), second[name].to(torch.float64), share).to(x.dtype)
            if x.is_floating_point() else x
            for name, x in first.items()
        }  # fmt: skip
        with torch.no_grad():
            out = module_of(subject, between)(*run.inputs)
            out = out if isinstance(out, torch.Tensor) else out[0]
            losses.append(float(loss_of(loss, out, run.target)))
        outs.append(out)
        rows.append(AnalysisRow(f"{share:.2f}", "point", {"share": share, "loss": losses[-1]}))
    gaps = [each - (losses[0] + (losses[-1] - losses[0]) * at / (points - 1)) for at, each in enumerate(losses)]
    top, like = max(gaps), cka(outs[0].flatten(1), outs[-1].flatten(1))
    regime = "I" if top > barrier else "II-B" if like >= alike else "II-A"
    totals: dict[str, Cell] = {"barrier": top, "cka": like, "regime": regime}
    return AnalysisResult(
        "prune_regimes", subject.model.name,
        {"other": other, "points": points, "barrier": barrier, "alike": alike}, CONVENTION, totals, tuple(rows),
        columns=("share", "loss"), chart="loss", sizes=subject.sizes,
    )  # fmt: skip

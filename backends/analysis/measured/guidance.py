"""The analysis `guidance`: which layers of a guide a model's layers are trained to be like, and how like they are.

Subramaniam et al. 2024, arXiv:2410.20035: the loss of the task plus Σ (1 - CKA) over pairs of layers; the guide,
trained or fresh, stays as it is.
"""

from __future__ import annotations

from ogive.backends.analysis.measured.runs import SeenProduct, cka, data_run, loss_of
from ogive.backends.analysis.subject import AnalysisSubject
from ogive.compiler.analysis.frame.result import AnalysisResult, AnalysisRow, Cell
from ogive.compiler.passes.conversion.result import PassError

CONVENTION = "CKA of the results of products, [examples, all else]; the layers of the model are spread over the guide's"


def guidance(subject: AnalysisSubject, *, guide: str = "", guide_weights: str = "") -> AnalysisResult:
    """A row for each product of the model, with the guide's layer it goes with. Needs data that both take."""
    if not guide or subject.others is None:
        raise PassError("E0810", '`guidance` needs a second model: guidance[guide="FILE:MODEL"]')
    other = subject.others(guide, guide_weights)
    ours = _by_examples(data_run(subject, "guidance").seen().found)
    theirs = _by_examples(data_run(other, "guidance").seen().found)
    if not ours or not theirs:
        raise PassError("E0811", "a model has no product with a weight: there are no layers to pair")
    rows, total = [], 0.0
    for at, each in enumerate(ours):
        place = round(at * (len(theirs) - 1) / max(len(ours) - 1, 1))
        like = min(cka(each.made.flatten(1), theirs[place].made.flatten(1)), 1.0)
        total += 1 - like
        fields: dict[str, Cell] = {"guide_layer": theirs[place].path, "cka": like, "loss": 1 - like}
        rows.append(AnalysisRow(each.path, "layer", fields))
    totals: dict[str, Cell] = {"layers": len(ours), "guide_layers": len(theirs), "guidance_loss": total}
    if subject.loss is not None:
        run = data_run(subject, "guidance", target=True)
        assert run.target is not None
        totals["task_loss"] = float(loss_of(subject.loss, run.output().detach(), run.target))
    return AnalysisResult(
        "guidance", subject.model.name, {"guide": guide, "guide_weights": guide_weights},
        f"{CONVENTION}; {subject.start}", totals, tuple(rows), columns=("guide_layer", "cka", "loss"), chart="cka",
        sizes=subject.sizes,
    )  # fmt: skip


def _by_examples(found: list[SeenProduct]) -> list[SeenProduct]:
    """Those with the examples on the first axis."""
    count = max((each.made.shape[0] for each in found), default=0)
    return [each for each in found if each.made.shape[0] == count and each.made.dim() > 1]

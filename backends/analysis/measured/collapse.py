"""The analysis `collapse`: how near the last layer is to the geometry of neural collapse.

Papyan, Han, Donoho 2020, arXiv:2008.08186: features of a class gather at its mean, the means are a simplex, the rows of
the classifier are the means, and the nearest mean decides.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ogive.backends.analysis.measured.runs import data_run, rows_of
from ogive.backends.analysis.subject import AnalysisSubject
from ogive.compiler.analysis.frame.result import AnalysisResult, AnalysisRow, Cell
from ogive.compiler.passes.conversion.result import PassError

CONVENTION = "features are what the last product with a weight is given; 0 is full collapse, but for nc4, where 1 is"


def collapse(subject: AnalysisSubject) -> AnalysisResult:
    """A row for each class; NC1 to NC4. Needs data with a target of classes. Raises PassError where there is none."""
    run = data_run(subject, "collapse", target=True)
    assert run.target is not None
    if run.target.is_floating_point() or run.target.dim() != 1:
        raise PassError("E0810", "`collapse` takes one class for each example as target")
    products = run.seen().found
    if not products:
        raise PassError("E0811", f"{subject.model.name} has no product with a weight")
    last = products[-1]
    features, labels = rows_of(last.given), run.target
    if len(features) != len(labels) or last.weight.dim() != 2:
        raise PassError("E0811", f"`{last.path}` is no classifier: it is given {list(last.given.shape)}")
    if int(labels.min()) < 0 or int(labels.max()) >= len(last.weight):
        raise PassError("E0810", f"the target holds classes beyond the {len(last.weight)} of `{last.path}`")
    found, means = geometry(features, labels, last.weight.detach(), rows_of(last.made))
    classes = sorted({int(each) for each in labels.tolist()})
    rows = tuple(
        AnalysisRow(last.path, "class", {"class": each, "examples": int((labels == each).sum()),
                                         "norm_of_mean": float(mean.norm())})
        for each, mean in zip(classes, means, strict=True)
    )  # fmt: skip
    totals: dict[str, Cell] = {"classes": len(classes), **found}
    return AnalysisResult(
        "collapse", subject.model.name, {}, f"{CONVENTION}; {subject.start}", totals, rows,
        columns=("class", "examples", "norm_of_mean"), chart="norm_of_mean", sizes=subject.sizes,
    )  # fmt: skip


def geometry(features: Tensor, labels: Tensor, weight: Tensor, outputs: Tensor) -> tuple[dict[str, Cell], Tensor]:
    """NC1 to NC4, and the means of classes less that of all. `weight` has a row for each class, in their order."""
    classes = torch.tensor(sorted(set(labels.tolist())))
    count = len(classes)
    means = torch.stack([features[labels == each].mean(0) for each in classes])
    centre = means.mean(0)
    within = torch.zeros(features.shape[1], features.shape[1], dtype=features.dtype)
    for each, mean in zip(classes, means, strict=True):
        gap = features[labels == each] - mean
        within += gap.T @ gap / len(features)
    centred = means - centre
    between = centred.T @ centred / count
    simplex = (
        (torch.eye(count, dtype=features.dtype) - 1 / count) / (count - 1) ** 0.5 if count > 1 else torch.zeros(1, 1)
    )
    found: dict[str, Cell] = {
        "nc1": float(torch.trace(within @ torch.linalg.pinv(between, rtol=1e-10))) / count,
        "nc2": None, "nc3": None, "nc4": None,
    }  # fmt: skip
    if count > 1 and len(weight) > int(classes.max()):
        rows = weight.to(features.dtype)[classes]
        found["nc2"] = _gap(rows @ rows.T, simplex)
        found["nc3"] = _gap(rows @ centred.T, simplex)
        said = outputs[:, classes].argmax(1)
        nearest = torch.cdist(features, means).argmin(1)
        found["nc4"] = float((said == nearest).double().mean())
    return found, centred


def _gap(matrix: Tensor, simplex: Tensor) -> float:
    norm = matrix.norm()
    return float((matrix / norm - simplex).norm()) if norm else float(simplex.norm())

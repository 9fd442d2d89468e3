"""The analysis `lipschitz`: the most that outputs move for a step of the inputs, everywhere or in a box."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil, floor, inf, prod, sqrt

import torch
from torch import Tensor

from ogive.backends.analysis.bounds.intervals import BoxState, intervals
from ogive.backends.analysis.lipschitz.norms import affine_norms, chain_norm, disjoint, range_norm, slopes_of
from ogive.backends.analysis.lipschitz.rules import LIPSCHITZ_RULES
from ogive.backends.analysis.rounded import six_digits
from ogive.backends.analysis.subject import AnalysisSubject
from ogive.backends.analysis.tape.made import BoxedModel, boxed_model
from ogive.backends.analysis.tape.steps import AffineStep, BoxStep, CurveStep, ProductStep, RangeStep, StepOrigin, Tape
from ogive.compiler.analysis.frame.interpreter import UnknownOp
from ogive.compiler.analysis.frame.result import AnalysisResult, AnalysisRow, Cell
from ogive.compiler.passes.conversion.result import PassError

SAMPLES, SAMPLED = 8, 1 << 16  # points at which the Jacobian is taken, and how many entries it may have
FAR = 1e100


@dataclass(slots=True)
class LipschitzWalk:
    """A bound for each step, of the product of norms alone, and with chains (`best`)."""

    tape: Tape
    state: BoxState
    product: list[float] = field(default_factory=list)
    best: list[float] = field(default_factory=list)
    factor: list[float] = field(default_factory=list)
    slopes: dict[int, tuple[float, float]] = field(default_factory=dict)
    used: dict[int, int] = field(default_factory=dict)

    def run(self) -> None:
        for step in self.tape.steps:
            for parent in step.parents:
                self.used[parent] = self.used.get(parent, 0) + 1
        for at in range(len(self.tape.steps)):
            norms, aside = self.norms(at)
            parents = self.tape.steps[at].parents
            self.factor.append(max(norms, default=1.0))
            for found in (self.product, self.best):
                parts = [_times(norm, found[parent]) for norm, parent in zip(norms, parents, strict=True)]
                found.append(1.0 if not parents else sqrt(sum(p * p for p in parts)) if aside else sum(parts))
            self.best[at] = min(self.best[at], self.chained(at))

    def norms(self, at: int) -> tuple[list[float], bool]:
        """The norm of a step for each parent, and whether their results lie side by side."""
        step = self.tape.steps[at]
        match step:
            case BoxStep():
                return [], False
            case AffineStep():
                return affine_norms(step), disjoint(step)
            case CurveStep():
                (parent,) = step.parents
                self.slopes[at] = slopes_of(step.curve, self.state.low[parent], self.state.high[parent])
                return [max(map(abs, self.slopes[at]))], False
            case ProductStep():
                return self.factors(step), False
            case RangeStep():
                return [range_norm(step)] * len(step.parents), False

    def factors(self, step: ProductStep) -> list[float]:
        """Of a product: how large the other factor may be, entry by entry, or its norm as a matrix."""
        found = []
        for other in reversed(step.parents):
            size = torch.maximum(self.state.low[other].abs(), self.state.high[other].abs())
            if not bool(size.isfinite().all()):
                found.append(inf)
            elif step.pointwise:  # an entry that broadcasts moves several results
                spread = prod(step.shape) / max(prod(self.tape.steps[step.parents[len(found)]].shape), 1)
                found.append(float(size.max()) * sqrt(max(spread, 1.0)))
            else:
                found.append(float(size.norm()) * sqrt(max(prod(step.shape), 1)))
        return found

    def chained(self, at: int) -> float:
        """The best over chains of matrices and functions that rise, which end here."""
        matrices: list[Tensor] = []
        slopes: list[float] = []
        best, place = inf, at
        while isinstance(step := self.tape.steps[place], AffineStep):
            if step.dense is None or len(step.parents) != 1 or (place != at and self.used.get(place) != 1):
                break
            matrices.insert(0, step.dense[0])
            if len(matrices) > 1:
                best = min(best, _times(chain_norm(matrices, slopes), self.best[step.parents[0]]))
            curve = step.parents[0]
            told = self.slopes.get(curve)
            if told is None or told[0] < 0 or told[1] == inf or self.used.get(curve) != 1:
                break
            slopes.insert(0, told[1])
            place = self.tape.steps[curve].parents[0]
        return best


def _times(a: float, b: float) -> float:
    return 0.0 if a == 0 or b == 0 else a * b


def lipschitz(
    subject: AnalysisSubject, *, eps: float | None = None, low: float = -inf, high: float = inf, input: str = "",
    seed: int = 0,
) -> AnalysisResult:  # fmt: skip
    """A row for each operation: its norm, and the bound up to it; at the end the bound of each output.

    Everywhere, or with `eps`, `low` or `high` in a box around the data (around 0 without). Raises PassError where data,
    sizes or the input are missing.
    """
    if (eps is not None and eps < 0) or low > high:
        raise PassError("E0810", "`eps` of `lipschitz` is at least 0, `low` no more than `high`")
    made = boxed_model(subject, "lipschitz", input, LIPSCHITZ_RULES)
    boxes = [_box(centre, eps, low, high) for centre in made.centres]
    with torch.no_grad():
        walk = LipschitzWalk(made.tape, intervals(made.tape, boxes, 2.0**-52))
        walk.run()
    sampled = _sampled(made, boxes, seed)
    rows = [*_operations(made, walk), *_outputs(made, walk, sampled)]
    places = [place for place in made.tape.outputs if isinstance(place, int)]
    totals: dict[str, Cell] = {
        "product": _told(max((walk.product[place] for place in places), default=0.0)),
        "bound": _told(max((walk.best[place] for place in places), default=0.0)),
        "sampled": max((each for each in sampled.values() if each is not None), default=None),
    }
    given: dict[str, Cell] = {
        "eps": eps, "low": None if low == -inf else low, "high": None if high == inf else high,
        "input": input or ", ".join(made.names), "seed": seed,
    }  # fmt: skip
    where = "everywhere" if eps is None and low == -inf and high == inf else "in the box"
    return AnalysisResult(
        "lipschitz", subject.model.name, given,
        f"Euclidean norms {where}, of all inputs together; empty where nothing bounds it; {subject.start}", totals,
        tuple(rows), (*made.unknown, *_unbounded(made, walk)), (), ("norm", "product", "bound", "sampled"), (), "bound",
        {unknown: number for unknown, number in made.sizes.items() if unknown not in dict(subject.model.bindings)},
    )  # fmt: skip


def _box(centre: Tensor, eps: float | None, low: float, high: float) -> tuple[Tensor, Tensor]:
    if eps is None:
        return torch.full_like(centre, low)[None], torch.full_like(centre, high)[None]
    return (centre - eps).clamp(low, high)[None], (centre + eps).clamp(low, high)[None]


def _told(value: float) -> float | None:
    return six_digits(value, ceil) if value < FAR else None


def _operations(made: BoxedModel, walk: LipschitzWalk) -> list[AnalysisRow]:
    """A row for each operation: the largest norm of its steps, and the bound after the last."""
    last: dict[StepOrigin, list[int]] = {}
    for at, step in enumerate(made.tape.steps):
        last.setdefault(step.origin, []).append(at)
    found = []
    for origin, steps in last.items():
        fields: dict[str, Cell] = {
            "norm": _told(walk.factor[steps[-1]]) if len(steps) == 1 else None,
            "product": _told(walk.product[steps[-1]]), "bound": _told(walk.best[steps[-1]]), "sampled": None,
        }  # fmt: skip
        found.append(AnalysisRow(origin.path or origin.op, origin.op, fields, origin.span))
    return found


def _outputs(made: BoxedModel, walk: LipschitzWalk, sampled: Mapping[str, float | None]) -> list[AnalysisRow]:
    found = []
    for name, place in zip(made.tape.names, made.tape.outputs, strict=True):
        product, best = (walk.product[place], walk.best[place]) if isinstance(place, int) else (0.0, 0.0)
        fields: dict[str, Cell] = {
            "norm": None, "product": _told(product), "bound": _told(best), "sampled": sampled[name],
        }  # fmt: skip
        found.append(AnalysisRow(name, "output", fields))
    return found


def _unbounded(made: BoxedModel, walk: LipschitzWalk) -> list[UnknownOp]:
    """The first operations that nothing bounds."""
    known = {(each.op, each.span) for each in made.unknown}
    found: dict[UnknownOp, None] = {}
    for at, step in enumerate(made.tape.steps):
        if walk.factor[at] == inf and (step.origin.op, step.origin.span) not in known:
            reason = "no step of it is bounded everywhere: give a box, `eps` or `low` and `high`"
            found.setdefault(UnknownOp(step.origin.path, step.origin.op, reason, step.origin.span))
    return list(found)


def _sampled(made: BoxedModel, boxes: list[tuple[Tensor, Tensor]], seed: int) -> dict[str, float | None]:
    """The largest norm of the Jacobian at random points, None where it is large, or where a value has no rule."""
    generator = torch.Generator().manual_seed(seed)
    points = []
    for centre, (low, high) in zip(made.centres, boxes, strict=True):
        drawn = torch.rand(SAMPLES, *centre.shape, generator=generator, dtype=torch.float64)
        first, last = (torch.where(end.isfinite(), end, centre + far) for end, far in ((low, -1.0), (high, 1.0)))
        points.append(first + (last - first) * drawn)
    inputs = sum(prod(centre.shape) for centre in made.centres)
    found: dict[str, float | None] = {}
    for at, (name, place) in enumerate(zip(made.tape.names, made.tape.outputs, strict=True)):
        count = prod(made.tape.steps[place].shape) if isinstance(place, int) else 0
        if not isinstance(place, int) or inputs * count > SAMPLED:
            found[name] = 0.0 if not isinstance(place, int) else None
            continue
        norms = []
        for sample in range(SAMPLES):

            def run(*given: Tensor, at: int = at) -> Tensor:
                return made.tape.results([each[None] for each in given])[at].reshape(-1)

            one = tuple(each[sample] for each in points)
            jacobian = torch.autograd.functional.jacobian(run, one, vectorize=True)  # type: ignore[no-untyped-call]
            flat = torch.cat([part.reshape(count, -1) for part in jacobian], 1)
            if bool(flat.isfinite().all()):
                norms.append(float(torch.linalg.matrix_norm(flat, 2)) if flat.numel() else 0.0)
        found[name] = six_digits(max(norms), floor) if norms else None
    return found

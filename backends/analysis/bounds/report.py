"""The analysis `bounds`: where outputs lie while inputs are anywhere in a box, and whether a property holds there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor, inf, prod

import torch
from torch import Tensor

from ogive.backends.analysis.bounds.branch import PropertyProblem, PropertyVerdict, attacked, decide
from ogive.backends.analysis.bounds.intervals import LARGEST, UNITS, BoxState, intervals
from ogive.backends.analysis.bounds.linear import MOST, linear_bounds, lowest
from ogive.backends.analysis.bounds.optimize import best_lowest
from ogive.backends.analysis.bounds.property import PropertyRow, rows_of
from ogive.backends.analysis.bounds.relax import Relaxation
from ogive.backends.analysis.rounded import six_digits
from ogive.backends.analysis.subject import AnalysisSubject
from ogive.backends.analysis.tape.made import BoxedModel, boxed_model, shapes_of
from ogive.backends.analysis.tape.steps import StepOrigin
from ogive.compiler.analysis.frame.result import AnalysisResult, AnalysisRow, Cell
from ogive.compiler.passes.conversion.result import PassError
from ogive.grammar.spelling import close

METHODS = ("ibp", "crown", "alpha", "bab")
LISTED = 4096  # entries of an output whose ends are listed one by one
COLUMNS = ("least", "most", "width")
TOLD = {
    "ibp": "intervals, operation by operation",
    "crown": "lines substituted back to the inputs, met with intervals",
    "alpha": "lines chosen by gradient, substituted back to the inputs, met with intervals",
    "bab": "lines on parts of the box",
}


@dataclass(frozen=True, slots=True)
class BoundsOptions:
    """What is asked, checked."""

    eps: float | None
    low: float
    high: float
    method: str
    dtype: str

    def box(self, centre: Tensor) -> tuple[Tensor, Tensor]:
        """The ends of a box around a point, with a first axis of 1."""
        if self.eps is None:
            ends = torch.full_like(centre, self.low), torch.full_like(centre, self.high)
        else:
            ends = (centre - self.eps).clamp(self.low, self.high), (centre + self.eps).clamp(self.low, self.high)
        return ends[0][None], ends[1][None]


def bounds(
    subject: AnalysisSubject, *, eps: float | None = None, low: float = -inf, high: float = inf,
    method: str = "crown", input: str = "", property: str = "", dtype: str = "f32", seconds: float = 10.0,
    seed: int = 0,
) -> AnalysisResult:  # fmt: skip
    """A row for each operation and output: between what its numbers lie. `property` is proved, broken, or unknown.

    The box is `eps` around the data (around 0 without), cut off at `low` and `high`; without `eps` it is [low, high].
    Raises PassError where the box, the method, the property, data or sizes are missing or make no sense.
    """
    options = _checked(eps, low, high, method, dtype, seconds)
    made = boxed_model(subject, "bounds", input)
    boxes = [options.box(centre) for centre in made.centres]
    if any(bool((a > b).any()) for a, b in boxes):
        raise PassError("E0810", "the data lies outside of `low` and `high` of `bounds`, by more than `eps`")
    rows = rows_of(property, shapes_of(made.tape)) if property else []
    with torch.no_grad():
        state, relaxations = _state(made, boxes, options)
        ends = _outputs(made, state, relaxations, options)
        decision = _decided(made, boxes, rows, options, (state, relaxations), seconds, seed) if rows else None
    found = [*_operations(made, state), *_results(made, ends)]
    given: dict[str, Cell] = {
        "eps": eps, "low": None if low == -inf else low, "high": None if high == inf else high, "method": method,
        "input": input or ", ".join(made.names), "property": property or None, "dtype": dtype, "seed": seed,
        "seconds": seconds,
    }  # fmt: skip
    return AnalysisResult(
        "bounds", subject.model.name, given,
        f"{TOLD[method]}; roundings of {dtype} are inside; {_start(subject)}", _totals(ends, decision, made),
        tuple(found), made.unknown, tuple(_warnings(made, state, dtype)), COLUMNS, (), "width",
        {unknown: number for unknown, number in made.sizes.items() if unknown not in dict(subject.model.bindings)},
    )  # fmt: skip


def _start(subject: AnalysisSubject) -> str:
    return subject.start if subject.weights is not None else "weights as declared (a fresh model)"


def _checked(eps: float | None, low: float, high: float, method: str, dtype: str, seconds: float) -> BoundsOptions:
    if method not in METHODS:
        raise PassError(
            "E0810", f"`method` of `bounds` is {', '.join(METHODS)}, not `{method}`", close(method, METHODS)
        )
    if dtype not in UNITS:
        raise PassError("E0810", f"`dtype` of `bounds` is {', '.join(UNITS)}, not `{dtype}`", close(dtype, UNITS))
    if eps is None and (low == -inf or high == inf):
        raise PassError("E0810", "`bounds` needs a box: `eps=0.01` around the data, or `low=-1, high=1`")
    if (eps is not None and not 0 <= eps < inf) or low > high or seconds <= 0:
        raise PassError("E0810", "`eps` of `bounds` is at least 0, `low` no more than `high`, `seconds` above 0")
    return BoundsOptions(eps, low, high, method, dtype)


def _state(
    made: BoxedModel, boxes: Sequence[tuple[Tensor, Tensor]], options: BoundsOptions
) -> tuple[BoxState, dict[int, Relaxation]]:
    unit = UNITS[options.dtype]
    if options.method == "ibp":
        return intervals(made.tape, boxes, unit), {}
    return linear_bounds(made.tape, boxes, unit)


def _outputs(
    made: BoxedModel, state: BoxState, relaxations: Mapping[int, Relaxation], options: BoundsOptions
) -> dict[str, tuple[Tensor, Tensor]]:
    """The ends of each output."""
    found: dict[str, tuple[Tensor, Tensor]] = {}
    for name, place in zip(made.tape.names, made.tape.outputs, strict=True):
        if isinstance(place, Tensor):
            found[name] = (place.double(), place.double())
            continue
        shape = made.tape.steps[place].shape
        count = prod(shape)
        if options.method != "ibp" and 0 < count <= MOST:
            units = torch.eye(count, dtype=torch.float64).reshape(1, count, *shape)
            best = best_lowest if options.method == "alpha" else _plain
            least = best(made.tape, state, {place: units}, relaxations)
            most = -best(made.tape, state, {place: -units}, relaxations)
            state.tighten(place, least.reshape(1, *shape), most.reshape(1, *shape))
        found[name] = (state.low[place][0], state.high[place][0])
    return found


def _plain(tape: object, state: BoxState, start: Mapping[int, Tensor], relaxations: Mapping[int, Relaxation]) -> Tensor:
    return lowest(tape, state, start, relaxations).lower  # type: ignore[arg-type]


def _decided(
    made: BoxedModel, boxes: Sequence[tuple[Tensor, Tensor]], rows: Sequence[PropertyRow], options: BoundsOptions,
    known: tuple[BoxState, Mapping[int, Relaxation]], seconds: float, seed: int,
) -> PropertyVerdict:  # fmt: skip
    """What the method says of the property; a point that breaks it is looked for in any case."""
    problem = PropertyProblem(made.tape, boxes, rows, UNITS[options.dtype])
    if options.method == "bab":
        return decide(problem, seconds, seed)
    point = attacked(problem, seed)
    if point is not None:
        return PropertyVerdict("falsified", 0, tuple(each[0] for each in problem.split(point[None])))
    lower = problem.proved(*known, best_lowest if options.method == "alpha" else None)
    strict = torch.tensor([row.strict for row in rows])
    return PropertyVerdict("verified" if bool(torch.where(strict, lower > 0, lower >= 0).all()) else "unknown", 1)


def _operations(made: BoxedModel, state: BoxState) -> list[AnalysisRow]:
    """A row for each operation: what its last step lies between."""
    last: dict[StepOrigin, int] = {step.origin: at for at, step in enumerate(made.tape.steps)}
    found = []
    for origin, at in last.items():
        low, high = state.low[at], state.high[at]
        if not low.numel():
            continue
        fields = _fields(low, high)
        found.append(AnalysisRow(origin.path or origin.op, origin.op, fields, origin.span))
    return found


def _results(made: BoxedModel, ends: Mapping[str, tuple[Tensor, Tensor]]) -> list[AnalysisRow]:
    found = []
    for name, (low, high) in ends.items():
        fields = _fields(low, high)
        listed = low.numel() <= LISTED
        fields["lower"] = _numbers(low.tolist()) if listed else None
        fields["upper"] = _numbers(high.tolist()) if listed else None
        found.append(AnalysisRow(name, "output", fields))
    return found


def _fields(low: Tensor, high: Tensor) -> dict[str, Cell]:
    if not low.numel():
        return {"least": None, "most": None, "width": None}
    least, most, width = float(low.min()), float(high.max()), float((high - low).max())
    return {"least": six_digits(least, floor), "most": six_digits(most, ceil), "width": six_digits(width, ceil)}


def _number(value: float) -> float | None:
    """A number of JSON; None where there is no end."""
    return value if abs(value) < inf else None


def _numbers(values: object) -> Cell:
    if isinstance(values, list):
        return [_numbers(each) for each in values]
    assert isinstance(values, int | float)
    return _number(float(values))


def _totals(
    ends: Mapping[str, tuple[Tensor, Tensor]], decision: PropertyVerdict | None, made: BoxedModel
) -> dict[str, Cell]:
    widths = [float((high - low).max()) for low, high in ends.values() if low.numel()]
    found: dict[str, Cell] = {"steps": len(made.tape.steps), "width": _number(max(widths, default=0.0))}
    if decision is not None:
        found["verdict"], found["parts"] = decision.verdict, decision.parts
        if decision.point is not None:
            found["counterexample"] = {
                name: _numbers(point.tolist()) for name, point in zip(made.names, decision.point, strict=True)
            }
    return found


def _warnings(made: BoxedModel, state: BoxState, dtype: str) -> list[str]:
    """Which results may be larger than the type holds; kernels keep what is on the way to one."""
    found: dict[str, None] = {}
    last = {step.origin: at for at, step in enumerate(made.tape.steps)}
    for at in last.values():
        step = made.tape.steps[at]
        most = max((float(each.abs().max()) for each in (state.low[at], state.high[at]) if each.numel()), default=0.0)
        if LARGEST[dtype] < most < inf:
            place = f" at {step.origin.path}" if step.origin.path else ""
            found.setdefault(f"`{step.origin.op}`{place} may reach {most:.3g}, which {dtype} does not hold")
    return list(found)

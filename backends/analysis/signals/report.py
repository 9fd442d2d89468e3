"""The analysis `criticality`: whether signals and gradients keep their size through the layers of a fresh model."""

from __future__ import annotations

from collections.abc import Sequence
from math import log

import torch

from ogive.backends.analysis.signals.context import SignalFrame, SignalOptions
from ogive.backends.analysis.signals.critical import CriticalPoint, critical_point, fixed_point
from ogive.backends.analysis.signals.field import Field, LayerSignal
from ogive.backends.analysis.signals.interpreter import SignalInterpreter
from ogive.backends.analysis.subject import AnalysisSubject
from ogive.compiler.analysis.frame.interpreter import UnknownOp
from ogive.compiler.analysis.frame.result import AnalysisResult, AnalysisRow, Cell
from ogive.compiler.ops.gaussian import gaussian_moments
from ogive.compiler.ops.pointwise_facts import PointwiseFacts
from ogive.compiler.passes.cleanup.deploy_flatten import flattened
from ogive.compiler.passes.conversion.result import PassError

CONVENTION = (
    "infinite width, in training; K: the mean square of an entry; C_W: fan in times the variance of a weight, C_b that "
    "of a bias; gradient: its mean square, where that of each output is 1"
)
COLUMNS = ("variance_in", "variance", "c_w", "c_b", "activation", "chi_parallel", "chi_perp", "gradient")
FACTOR = 10.0  # what is warned of
LONG = 6


def criticality(
    subject: AnalysisSubject, *, c_w: float | None = None, c_b: float | None = None, variance: float = 1.0,
    seed: int = 0,
) -> AnalysisResult:  # fmt: skip
    """A row for each product with a weight, with its variance and its gradient; the critical point of each activation.

    `c_w` and `c_b` stand in place of what the initializers say. Raises PassError where they make no sense.
    """
    if (c_w is not None and c_w <= 0) or (c_b or 0.0) < 0 or variance <= 0:
        raise PassError("E0810", "`c_w` and `variance` of `criticality` are above 0, `c_b` is at least 0")
    if c_b is not None and c_w is None:
        raise PassError("E0810", "`c_b` of `criticality` goes with `c_w`: give both")
    model = flattened(subject.bound, trained=True)[0]
    options = SignalOptions(c_w, c_b, variance, seed, None if c_w is not None else subject.weights)
    interpreter = SignalInterpreter(model, options)
    graph = model.definition.graph
    frame = SignalFrame(graph)
    for value, optional in zip(graph.inputs, model.definition.optional, strict=True):
        interpreter.bind(frame, value, Field() if optional else interpreter.entering(value))
    outputs = interpreter.graph(frame, graph)
    _backward(interpreter, outputs)
    layers = interpreter.layers
    names = _activations(layers)
    rows = tuple(_row(layer) for layer in layers)
    assumed = tuple(UnknownOp("", op, f"assumed: {text}") for op, text in interpreter.assumed)
    given: dict[str, Cell] = {"c_w": c_w, "c_b": c_b, "variance": variance, "seed": seed}
    start = "weights as asked" if c_w is not None else subject.start
    return AnalysisResult(
        "criticality", subject.model.name, given, f"{CONVENTION}; {start}", _totals(layers, names, c_w, c_b or 0.0),
        rows, (*interpreter.unknown, *assumed), tuple(_warnings(layers)), COLUMNS,
        tuple(_notes(names)), "variance", subject.sizes,
    )  # fmt: skip


Names = dict[str, PointwiseFacts]


def _activations(layers: Sequence[LayerSignal]) -> Names:
    """The functions of one number between products, by the names of their operations."""
    return {layer.via.op: layer.via.facts for layer in layers if layer.via is not None}


def _backward(interpreter: SignalInterpreter, outputs: Sequence[Field]) -> None:
    """A gradient of mean square 1 at every output that is known."""
    ends = [each.values for each in outputs if each.values is not None and each.values.requires_grad]
    if ends:
        cotangents = [interpreter.draws.signs() if end.shape else torch.ones_like(end) for end in ends]
        torch.autograd.backward(ends, cotangents)


def _row(layer: LayerSignal) -> AnalysisRow:
    found = None if layer.via is None else gaussian_moments(layer.via.facts, layer.via.variance)
    fields: dict[str, Cell] = {
        "variance_in": _short(layer.variance_in),
        "variance": _short(layer.variance),
        "c_w": _short(layer.c_w),
        "c_b": _short(layer.c_b),
        "activation": "" if layer.via is None else layer.via.op,
        "chi_parallel": None if found is None else _short(layer.c_w * found.square_growth),
        "chi_perp": None if found is None else _short(layer.c_w * found.slope_square),
        "gradient": None if layer.gradient is None else _short(layer.gradient),
    }
    return AnalysisRow(layer.path, layer.op, fields, layer.span)


def _short(value: float) -> float:
    """As many digits as it is good for."""
    return float(f"{value:.{LONG}g}")


def _totals(layers: Sequence[LayerSignal], names: Names, c_w: float | None, c_b: float) -> dict[str, Cell]:
    first, last = (layers[0], layers[-1]) if layers else (None, None)
    return {
        "layers": len(layers),
        "variance_ratio": None if not first or not last else _ratio(last.variance_in, first.variance_in),
        "gradient_ratio": None if not first or not last else _ratio(first.gradient, last.gradient),
        "critical": {name: _point(facts, c_w, c_b) for name, facts in names.items()},
    }


def _ratio(above: float | None, below: float | None) -> float | None:
    return None if not above or not below else _short(above / below)


def _point(facts: PointwiseFacts, c_w: float | None, c_b: float) -> dict[str, Cell]:
    """The critical point; and where the variance comes to rest with the C_W and C_b that were asked."""
    found = critical_point(facts)
    said: dict[str, Cell] = {"class": "none found for K in [0.001, 200]"}
    if found is not None:
        said = {
            "class": found.kind, "c_b": found.c_b, "c_w": found.c_w,
            "k_star": "any" if found.k_star is None else found.k_star, "nu": found.nu,
        }  # fmt: skip
    if c_w is None:
        return said
    rest = fixed_point(facts, c_w, c_b)
    moments = None if rest is None else gaussian_moments(facts, rest)
    return {
        **said,
        "k_at_rest": rest,
        "chi_parallel": None if moments is None else c_w * moments.square_growth,
        "chi_perp": None if moments is None else c_w * moments.slope_square,
    }


def _warnings(layers: Sequence[LayerSignal]) -> list[str]:
    """What vanishes or explodes between the first and the last layer."""
    found: list[str] = []
    if len(layers) < 2:
        return found
    for what, ends in (
        ("variances", [(layer, layer.variance_in) for layer in layers]),
        ("gradients", [(layer, layer.gradient) for layer in reversed(layers) if layer.gradient is not None]),
    ):
        known = [(layer, value) for layer, value in ends if value > 0]
        if len(known) < 2:
            continue
        (start, first), (end, last) = known[0], known[-1]
        if abs(log(last / first)) > log(FACTOR):
            verb = "explode" if last > first else "vanish"
            found.append(f"{what} {verb}: {first:.3g} at `{start.path}`, {last:.3g} at `{end.path}`")
    spread = sum(_fluctuation(layer) for layer in layers)
    if spread > 1:
        found.append(f"draws of the weights differ by as much as the signal: the sum of ν / width is {spread:.3g}")
    return found


def _fluctuation(layer: LayerSignal) -> float:
    """What a layer adds to the relative fluctuation of a network of finite width, at the critical point."""
    point = None if layer.via is None else critical_point(layer.via.facts)
    return 0.0 if point is None or point.nu is None else point.nu / layer.width


def _notes(names: Names) -> list[str]:
    """The critical point of each activation, in words."""
    return [f"critical for {name}: {_told(critical_point(facts))}" for name, facts in names.items()]


def _told(found: CriticalPoint | None) -> str:
    if found is None:
        return "no point found with K in [0.001, 200]"
    k_star = "any" if found.k_star is None else f"{found.k_star:.5g}"
    nu = "" if found.nu is None else f", ν = {found.nu:.3g}"
    return f"C_W = {found.c_w:.6g}, C_b = {found.c_b:.5g}, K* = {k_star} ({found.kind}{nu})"

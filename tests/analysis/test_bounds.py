"""`bounds`: points, corners and attacks stay inside; lines within intervals; properties decided; faults are caught."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.resources import files
from typing import Any

import pytest
import torch
from jsonschema import Draft202012Validator

import ogive
from analysis.boxes import attacked_ends, box_of, corners, drawn, net, outside, subject
from analysis.measured import EXAMPLES, sizes_of
from analysis.measured import drawn as inputs_of
from analysis.random_programs import random_models
from ogive.backends.analysis.bounds.branch import PropertyProblem, attacked, decide
from ogive.backends.analysis.bounds.intervals import UNITS, intervals
from ogive.backends.analysis.bounds.linear import linear_bounds, lowest
from ogive.backends.analysis.bounds.optimize import best_lowest
from ogive.backends.analysis.bounds.property import rows_of
from ogive.backends.analysis.bounds.report import bounds
from ogive.backends.analysis.subject import AnalysisSubject
from ogive.backends.analysis.tape.curve_table import CURVED
from ogive.backends.analysis.tape.made import BoxedModel, boxed_model, shapes_of
from ogive.backends.analysis.tape.steps import CurveStep
from ogive.compiler.analysis.frame.result import AnalysisResult
from ogive.compiler.passes.conversion.result import PassError

UNIT = UNITS["f32"]
ACTS = ("tanh", "sin", "gelu", "relu", "sigmoid", "silu")
# what functions are given beside x: from -1 to 1 they are moved to where they are defined
MOVED = {"log": "x + 2", "log2": "x + 2", "log10": "x + 2", "sqrt": "x + 2", "rsqrt": "x + 2", "acosh": "x + 3",
         "lgamma": "x + 2", "log1p": "x + 1.5", "asin": "0.9 * x", "acos": "0.9 * x", "atanh": "0.9 * x",
         "clamp": "x"}  # fmt: skip
SMALL = {"resnet": {"h": 16, "w": 16}, "mobilenet_v2": {"h": 8, "w": 8}, "vit": {}, "swin": {"h": 16, "w": 16},
         "unet": {"h": 44, "w": 44}, "convnext": {"h": 8, "w": 8}}  # fmt: skip


def inside(made: BoxedModel, eps: float, count: int = 10_000) -> None:
    """Points, corners and attacks are inside of intervals and of lines, which are within them."""
    boxes = box_of(made, eps)
    wide = intervals(made.tape, boxes, UNIT)
    state, relaxations = linear_bounds(made.tape, boxes, UNIT)
    for at in range(len(made.tape.steps)):
        assert bool((wide.low[at] <= state.low[at] + 1e-9).all())
        assert bool((state.high[at] <= wide.high[at] + 1e-9).all())
    for points in (drawn(boxes, count), corners(boxes), attacked_ends(made, boxes)):
        assert outside(made.tape, wide, points) == []
        assert outside(made.tape, state, points) == []
        (place,) = (each for each in made.tape.outputs if isinstance(each, int))
        units = torch.eye(2, dtype=torch.float64).reshape(1, 2, *made.tape.steps[place].shape)
        values = made.tape.results(points)[0].reshape(-1, 2)
        plain = lowest(made.tape, state, {place: units}, relaxations).lower
        better = best_lowest(made.tape, state, {place: units}, relaxations, 2)
        assert bool((plain <= better).all())
        assert bool((better[0] <= values.amin(0) + 1e-12).all())


@pytest.mark.parametrize("body", ["chain", "product"])
@pytest.mark.parametrize(
    "act", [pytest.param(act, marks=pytest.mark.slow) if at else act for at, act in enumerate(ACTS)]
)
def test_points_corners_and_attacks_stay_inside(act: str, body: str) -> None:
    inside(net(act, body), 0.5, 2_000)


@pytest.mark.slow
@pytest.mark.parametrize("act", ACTS)
def test_ten_thousand_points_and_all_corners_of_twelve_inputs_stay_inside(act: str) -> None:
    inside(net(act, "product", inputs=12, width=10), 0.3)


@pytest.mark.parametrize("op", CURVED)
@pytest.mark.parametrize("eps", [0.01, 1.0])
def test_every_function_of_one_number_lies_between_its_lines(op: str, eps: float) -> None:
    settings = "[-0.3, 0.6]" if op == "clamp" else ""
    text = f"block B(x: [n]) -> [n]:\n    return {op}{settings}({MOVED.get(op, '3 * x')})\nmodel M = B\n"
    made = boxed_of(text, n=1)
    for centre in (-0.7, 0.0, 0.4) if eps < 1 else (0.0,):
        middle = torch.tensor([[centre]], dtype=torch.float64)
        boxes = [(middle - eps, middle + eps)]
        state, relaxations = linear_bounds(made.tape, boxes, UNIT)
        points = [torch.linspace(centre - eps, centre + eps, 501, dtype=torch.float64)[:, None]]
        assert outside(made.tape, state, points) == []
        (place,) = (each for each in made.tape.outputs if isinstance(each, int))
        value = made.tape.results(points)[0]
        rows = torch.tensor([[[1.0], [-1.0]]], dtype=torch.float64)
        low, high = lowest(made.tape, state, {place: rows}, relaxations).lower[0]
        assert low <= float(value.min())
        assert float(value.max()) <= -high
        if eps < 1 and not any(
            type(step).__name__ == "RangeStep" for step in made.tape.steps
        ):  # and closely, kinks apart
            assert float(-high - low) <= 2.2 * float(value.max() - value.min()) + 0.1 * eps


def boxed_of(text: str, **sizes: int) -> BoxedModel:
    return boxed_model(subject(ogive.source(text)["M"], **sizes), "bounds", "")


def test_rounding_of_the_type_is_inside() -> None:
    made = net("tanh")
    boxes = [(centre[None], centre[None]) for centre in made.centres]  # a single point: all that is left is rounding
    values = made.tape.results([centre[None].float().double() for centre in made.centres])[0]
    widths = []
    for dtype in ("f64", "f32", "bf16"):
        state = intervals(made.tape, boxes, UNITS[dtype])
        (place,) = made.tape.outputs
        assert isinstance(place, int)
        assert bool(((state.low[place] <= values) & (values <= state.high[place])).all())
        widths.append(float((state.high[place] - state.low[place]).max()))
    assert 0 < widths[0] < 1e-12 < widths[1] < 1e-4 < widths[2]


@pytest.mark.parametrize("name", [pytest.param(n, marks=() if n == "resnet" else pytest.mark.slow) for n in SMALL])
def test_examples_lie_inside_and_compute_what_torch_does(name: str) -> None:
    model = ogive.load(next(path for path in EXAMPLES if path.stem == name)).models["Tiny"]
    asked = subject(model, b=1, **SMALL[name])
    made = boxed_model(asked, "bounds", "")
    assert made.unknown == ()
    boxes = box_of(made, 1e-3)
    state = intervals(made.tape, boxes, UNIT)
    points = drawn(boxes, 3)
    assert outside(made.tape, state, points) == []
    module = model.torch()
    assert asked.weights is not None
    module.load_state_dict(dict(asked.weights))
    with torch.no_grad():
        theirs = module.double().eval()(points[0][0])
    assert torch.allclose(theirs, made.tape.results(points)[0][0], atol=1e-10)


# properties

PROPERTIES = [(act, body, seed, side) for act in ("tanh", "sin", "gelu") for body in ("chain", "product")
              for seed in (0, 1) for side in (True, False)]  # fmt: skip


def problem_of(act: str, body: str, seed: int, holds: bool, inputs: int = 3) -> PropertyProblem:
    """A bound of the first output that is a little beyond, or a little inside of, what points reach."""
    made = net(act, body, inputs=inputs, seed=seed)
    boxes = box_of(made, 1.0)
    ends = made.tape.results(attacked_ends(made, boxes))[0][:, 0, 0]
    least, most = float(ends.min()), float(ends.max())
    gap = 0.1 * (most - least)
    rows = rows_of(f"y[0, 0] > {least - gap if holds else least + gap / 5}", shapes_of(made.tape))
    return PropertyProblem(made.tape, boxes, rows, UNIT)


@pytest.mark.parametrize(("act", "body", "seed", "holds"), PROPERTIES[::5])
def test_properties_are_decided(act: str, body: str, seed: int, holds: bool) -> None:
    problem = problem_of(act, body, seed, holds)
    found = decide(problem, 60.0)
    assert found.verdict == ("verified" if holds else "falsified")
    if found.point is not None:
        flat = torch.cat([each.reshape(-1) for each in found.point])[None]
        assert bool((problem.values(flat) <= 0).any())
        assert bool(((problem.low <= flat) & (flat <= problem.high)).all())


def test_a_wrong_relaxation_is_caught() -> None:
    made = net("tanh")
    for at, step in enumerate(made.tape.steps):
        if isinstance(step, CurveStep):  # as if tanh were concave everywhere
            made.tape.steps[at] = replace(step, curve=replace(step.curve, breaks=()))
    boxes = box_of(made, 1.0)
    state, _ = linear_bounds(made.tape, boxes, UNIT)
    assert outside(made.tape, state, drawn(boxes, 2_000)) != []


def test_a_true_property_is_not_broken_by_attacks_and_a_false_one_is() -> None:
    assert attacked(problem_of("tanh", "product", 0, True)) is None
    assert attacked(problem_of("tanh", "product", 0, False)) is not None


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("y[0, 0] > y[0, 1] + 0.5", 1), ("y >= -1 and y < 3", 4), ("argmax(y) == 1", 1), ("-1 < y[0, 0] < 1", 2),
        ("2 * y[0, 0] - y[0, 1] / 4 <= 3", 1), ("y[-1] > 0", 2),
    ],
)  # fmt: skip
def test_properties_are_read(text: str, count: int) -> None:
    rows = rows_of(text, {"y": (1, 2)})
    assert len(rows) == count
    points = torch.randn(50, 1, 2, dtype=torch.float64) * 2
    for point in points:
        y = point.numpy()
        said = not any(bool(row.broken(row.at({"y": point[None]})).any()) for row in rows)
        plain = {"argmax(y) == 1": y[0, 1] > y[0, 0], "y >= -1 and y < 3": (y >= -1).all() and (y < 3).all(),
                 "y[-1] > 0": (y > 0).all()}  # fmt: skip
        assert said == bool(plain[text] if text in plain else eval(text, {"y": y}))


@pytest.mark.parametrize(
    "text",
    ["y", "y[0] ==", "z > 0", "y[0, 0] * y[0, 1] > 0", "y[5] > 0", "y[0] == 1", "argmax(y) == 7", "y[0, 0] / 0 > 1",
     "f(y) > 0", "y[x] > 0", "__import__('os') > 0"],
)  # fmt: skip
def test_what_is_no_property_is_refused(text: str) -> None:
    with pytest.raises(PassError, match="property"):
        rows_of(text, {"y": (1, 2)})


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "needs a box"), ({"eps": -1.0}, "at least 0"), ({"eps": 0.1, "method": "crow"}, "method"),
        ({"eps": 0.1, "dtype": "f8"}, "dtype"), ({"eps": 0.1, "input": "z"}, "no input of floats"),
        ({"low": 1.0, "high": -1.0}, "no more than"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(options: dict[str, Any], said: str) -> None:
    model = ogive.load(EXAMPLES[0].with_name("mlp.arch")).models["Tiny"]
    with pytest.raises(PassError, match=said):
        bounds(subject(model, b=1), **options)
    with pytest.raises(PassError, match="needs numbers for b"):
        bounds(subject(model), eps=0.1)


@pytest.mark.parametrize("count", [8, pytest.param(150, marks=pytest.mark.slow)])
def test_random_programs_stay_inside_and_name_what_is_unknown(count: int) -> None:
    compared = 0
    for model in random_models(count, "bounds"):
        at = next(sizes_of(model.ir, (2, 3, 4, 8, 1)), None)
        if at is None:
            continue
        torch.manual_seed(0)
        values = zip(model.ir.definition.graph.inputs, inputs_of(model.ir, at), strict=True)
        state = dict(model.torch().state_dict())
        asked = AnalysisSubject(model.ir, at, state, {value.name: given for value, given in values}, None, model.torch)
        try:
            made = boxed_model(asked, "bounds", "")
        except PassError:  # no input of floats
            continue
        boxes = box_of(made, 0.1)
        assert outside(made.tape, intervals(made.tape, boxes, UNIT), drawn(boxes, 20)) == []
        compared += 1
    assert compared > count / 2


@pytest.mark.parametrize(
    ("path", "input"), [("gpt2", "ln_f.weight"), ("mamba", "norm_f.weight"), ("mlp", ""), ("fno", "")]
)
@pytest.mark.parametrize("name", ["bounds", "lipschitz"])
def test_json_is_what_the_schema_says(name: str, path: str, input: str) -> None:
    """Also of models whose inputs are whole numbers: there a weight lies in the box."""
    schema = json.loads((files("ogive.compiler.analysis") / "analysis.schema.json").read_text(encoding="utf-8"))
    model = ogive.load(EXAMPLES[0].with_name(f"{path}.arch")).models["Tiny"]
    sizes = {"mlp": {"b": 1}, "fno": {"b": 1, "x": 4, "y": 4}}.get(path, {"b": 1, "n": 2})
    options = f'eps=0.01, input="{input}"' + (", method=ibp" if name == "bounds" else "")
    data = {"ids": torch.zeros(1, 2, dtype=torch.long)} if input else None
    found = model.analyze(f"{name}[{options}]", sizes=sizes, data=data)
    assert isinstance(found, AnalysisResult)
    Draft202012Validator(schema).validate(json.loads(json.dumps(found.json())))
    assert bool(found.unknown) == (path == "fno")

"""`criticality`: the critical points of the literature, recursions by hand, and networks of width 4096."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

import ogive
from analysis.random_programs import random_models
from ogive.backends.analysis.signals.critical import critical_point, fixed_point
from ogive.compiler.analysis.frame.result import AnalysisResult
from ogive.compiler.ops import OPS
from ogive.compiler.ops.gaussian import gaussian_moments
from sampled import sampled

EXAMPLES = Path(__file__).parents[2] / "examples"

# activation, settings: class, C_b, C_W, K*, ν; swish and GELU as Roberts, Yaida and Hanin have them
POINTS: list[tuple[str, dict[str, Any], tuple[str, float, float, float | None, float | None]]] = [
    ("neg", {}, ("scale-invariant", 0, 1, None, 2)),
    ("relu", {}, ("scale-invariant", 0, 2, None, 5)),
    ("leaky_relu", {"slope": 0.1}, ("scale-invariant", 0, 2 / 1.01, None, 3 * 0.50005 / 0.505**2 - 1)),
    ("tanh", {}, ("K* = 0", 0, 1, 0, 2 / 3)),
    ("sin", {}, ("K* = 0", 0, 1, 0, 2 / 3)),
    ("erf", {}, ("K* = 0", 0, torch.pi / 4, 0, 2 / 3)),
    ("silu", {}, ("half-stable", 0.55514, 1.98800, 14.3202, 4.92)),
    ("gelu", {}, ("half-stable", 0.17292, 1.98306, 3.5616, 4.90)),
    ("mish", {}, ("half-stable", 0.09452, 2.01352, 1.6702, None)),
]


def analyzed(model: ogive.Model, name: str, **given: Any) -> AnalysisResult:
    return model.analyze(name, **given)


def net(body: str, width: int = 4096) -> ogive.Model:
    text = f"use std.nn (Linear, LayerNorm)\nblock Net[d={width}](x: [b, d]) -> [b, d]:\n{body}\nmodel M = Net\n"
    return ogive.source(text).models["M"]


@pytest.mark.parametrize(("op", "settings", "point"), POINTS, ids=[each[0] for each in POINTS])
def test_critical_points(op: str, settings: dict[str, Any], point: Any) -> None:
    made = OPS[op].pointwise
    assert made is not None
    found = critical_point(made(settings))
    assert found is not None
    kind, c_b, c_w, k_star, nu = point
    assert found.kind == kind
    assert [found.c_b, found.c_w] == pytest.approx([c_b, c_w], abs=1e-5)
    assert found.k_star == (None if k_star is None else pytest.approx(k_star, abs=1e-4))
    assert nu is None or found.nu == pytest.approx(nu, abs=5e-3)
    if k_star:  # it is a fixed point
        moments = gaussian_moments(made(settings), k_star)
        assert moments is not None
        assert c_b + c_w * moments.square == pytest.approx(k_star, rel=1e-4)
        assert [c_w * moments.square_growth, c_w * moments.slope_square] == pytest.approx([1, 1], abs=1e-4)


def test_where_the_variance_comes_to_rest() -> None:
    tanh, relu = (OPS[op].pointwise for op in ("tanh", "relu"))
    assert tanh is not None
    assert relu is not None
    rest = fixed_point(tanh({}), 2.0, 0.1)
    assert rest is not None
    moments = gaussian_moments(tanh({}), rest)
    assert moments is not None
    assert 0.1 + 2.0 * moments.square == pytest.approx(rest)
    assert fixed_point(tanh({}), 0.5, 0.0) == 0
    assert fixed_point(relu({}), 3.0, 0.0) is None
    assert fixed_point(relu({}), 1.0, 0.3) == pytest.approx(0.6)


@pytest.mark.parametrize("op", ["sigmoid", "softplus", "elu"])
def test_no_point_above_0_where_none_is(op: str) -> None:
    spec = OPS[op]
    assert spec.pointwise is not None
    found = critical_point(spec.pointwise({each.name: each.default for each in spec.statics}))
    assert found is None or found.k_star == 0


@pytest.mark.parametrize(("c_w", "ratio"), [(1.5, 5.7e-7), (2.0, 1.0), (2.5, 7.0e4)])
def test_fifty_layers_of_relu(c_w: float, ratio: float) -> None:
    body = "    repeat 51 as layers:\n        x = x |> Linear[d, d] as lin |> relu\n    return x"
    found = analyzed(net(body, 2), f"criticality[c_w={c_w}]")
    assert len(found.rows) == 51
    assert found.totals["variance_ratio"] == pytest.approx(ratio * 2 / 2, rel=0.02)
    assert found.totals["gradient_ratio"] == pytest.approx(ratio, rel=0.05)
    kinds = {text.partition(":")[0] for text in found.warnings if text.startswith(("variances", "gradients"))}
    verb = "vanish" if c_w < 2 else "explode"
    assert kinds == (set() if c_w == 2 else {f"variances {verb}", f"gradients {verb}"})
    assert found.rows[1].fields["chi_perp"] == pytest.approx(c_w / 2)


NETS = {
    "tanh": "    x = x |> Linear[d, d] as a |> tanh |> Linear[d, d] as b |> tanh |> Linear[d, d] as c\n    return x",
    "gelu": "    x = x |> Linear[d, d] as a |> gelu |> Linear[d, d] as b |> gelu |> Linear[d, d] as c\n    return x",
    "residual": "    x = relu(x + (relu(x) |> Linear[d, d] as a))\n    x = relu(x + (x |> Linear[d, d] as b))\n"
    "    return x |> Linear[d, d] as c",
    "norm": "    y = (x |> Linear[d, d] as a |> LayerNorm[d] as n |> silu |> Linear[d, d] as b)\n"
    "    return (3 * x + y) |> LayerNorm[d] as m |> Linear[d, d] as c",
    "gate": "    y = silu(x |> Linear[d, d] as a) * (x |> Linear[d, d] as b)\n    return y |> Linear[d, d] as c",
}


@pytest.mark.parametrize("kind", NETS)
def test_a_network_of_width_4096_keeps_what_is_said(kind: str) -> None:
    """Variances and gradients of one draw, within 5 %."""
    c_w, c_b, examples = 1.7, 0.2, 16
    model = net("    init Linear.weight = normal[std=sqrt(1.7 / d)]\n    init Linear.bias = normal[std=sqrt(0.2)]\n"
                + NETS[kind])  # fmt: skip
    rows = {row.path: row.fields for row in analyzed(model, f"criticality[c_w={c_w}, c_b={c_b}]").rows}
    declared = {row.path: row.fields for row in analyzed(model, "criticality").rows}
    torch.manual_seed(0)
    module = model.torch()
    x = torch.randn(examples, 4096, requires_grad=True)
    seen: dict[str, torch.Tensor] = {}
    for name, inner in module.named_modules():
        if name in ("a", "b", "c"):
            inner.register_forward_hook(lambda _, __, out, name=name: (out.retain_grad(), seen.update({name: out}))[1])
    out = module(x)
    out.backward(torch.randn_like(out))
    assert rows.keys() == declared.keys() == seen.keys()
    for name, value in seen.items():
        assert value.grad is not None
        for fields in (rows[name], declared[name]):
            assert fields["variance"] == pytest.approx(float(value.detach().square().mean()), rel=0.05), name
            assert fields["gradient"] == pytest.approx(float(value.grad.square().mean()), rel=0.05), name


def test_a_convolution_is_a_layer_of_its_window_away_from_borders() -> None:
    text = (
        "use std.vision (Conv)\nblock Net(x: [b, 64, h, w]) -> [b, 128, h', w']:\n"
        "    return x |> Conv[64, 128, 3, pad=1, bias=false] as a |> relu\n"
        "             |> Conv[128, 128, 3, stride=2, groups=4] as c\n"
        "model M = Net\n"
    )
    model = ogive.source(text).models["M"]
    first, second = analyzed(model, "criticality").rows
    torch.manual_seed(0)
    seen = {}
    module = model.torch()
    for name, inner in module.named_modules():
        if name in ("a", "c"):
            inner.register_forward_hook(lambda _, __, out, name=name: (out.retain_grad(), seen.update({name: out}))[1])
    out = module(torch.randn(4, 64, 40, 40, requires_grad=True))
    out.backward(torch.randn_like(out))
    for row, name in ((first, "a"), (second, "c")):
        inner = seen[name][:, :, 3:-3, 3:-3]
        assert row.fields["variance"] == pytest.approx(float(inner.detach().square().mean()), rel=0.1)
        grad = seen[name].grad
        assert grad is not None
        assert row.fields["gradient"] == pytest.approx(float(grad[:, :, 3:-3, 3:-3].square().mean()), rel=0.1)


def test_weights_that_are_given_count() -> None:
    model = net("    return x |> Linear[d, d] as a", 64)
    module = model.torch()
    with torch.no_grad():
        module.a.weight.normal_(std=0.5)  # type: ignore[union-attr, operator]
        module.a.bias.zero_()  # type: ignore[union-attr, operator]
    found = analyzed(model, "criticality", weights=module)
    assert found.rows[0].fields["c_w"] == pytest.approx(64 * 0.25, rel=0.05)
    assert "weights as given" in found.convention


@pytest.mark.parametrize("path", sampled(sorted(EXAMPLES.glob("*.arch"))), ids=lambda path: path.stem)
def test_every_example_has_an_answer(path: Path) -> None:
    model = ogive.load(path).models["Tiny"]
    found = analyzed(model, "criticality")
    assert found.rows or found.unknown
    json.dumps(found.json(), allow_nan=False)


def test_random_programs_have_an_answer() -> None:
    for model in random_models(25):
        found = analyzed(model, "criticality")
        json.dumps(found.json(), allow_nan=False)
        assert found.text()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("criticality[c_w=0]", "above 0"),
        ("criticality[c_b=1.0]", "goes with `c_w`"),
        ("criticality[c_w=a]", "is a number, not"),
        ("criticality[depth=3]", "has no option `depth`"),
    ],
)
def test_options_that_make_no_sense(name: str, said: str) -> None:
    with pytest.raises(ogive.ArchError, match=said):
        ogive.load(EXAMPLES / "mlp.arch").models["Tiny"].analyze(name)

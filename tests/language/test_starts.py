"""Weights start by numbers that make sense in the model, whatever statics these depend on, or the model is refused."""

from __future__ import annotations

import pytest
import torch

import ogive

TEXT = """
use std.nn (Linear)
block Inner[k, s: float](x: [n, k]) -> [n, k]:
    param w: [WEIGHT] = INIT
    return x * sum(w)
block F[k, s: float](x: [n, k]) -> [n, k]:
    return x |> Inner[k, s] as inner
model M = F[k=K, s=S]
"""
CASES = [  # how it starts, its axes, and for pairs of statics whether that makes sense
    ("normal[std=k - 3]", "3", {(4, 1.0): "", (3, 1.0): "", (2, 1.0): "E0404"}),
    ("trunc_normal[std=k - 3]", "3", {(4, 1.0): "", (3, 1.0): "E0404", (2, 1.0): "E0404"}),
    ("uniform[k, 3]", "3", {(2, 1.0): "", (3, 1.0): "", (4, 1.0): "E0404"}),
    ("uniform[0, sqrt(k) - s]", "3", {(4, 1.0): "", (4, 3.0): "E0404"}),
    ("0.5 * normal[std=k - 3]", "3", {(4, 1.0): "", (2, 1.0): "E0404"}),
    ("constant[10**k]", "3", {(4, 1.0): "", (400, 1.0): "E0501"}),
    ("constant[-inf]", "3", {(4, 1.0): ""}),
    ("xavier_uniform", "3", {(4, 1.0): "E0404"}),
    ("kaiming_normal", "k, 3", {(4, 1.0): ""}),
    ("orthogonal", "k", {(4, 1.0): "E0404"}),
    ("eye", "k, k, k", {(2, 1.0): "E0404"}),
    ("eye", "k, k", {(2, 1.0): ""}),
]


@pytest.mark.parametrize(("init", "axes", "pairs"), CASES)
def test_settings_make_sense_in_the_numbers_of_a_model(
    init: str, axes: str, pairs: dict[tuple[int, float], str]
) -> None:
    for (k, s), code in pairs.items():
        text = TEXT.replace("INIT", init).replace("WEIGHT", axes).replace("K", str(k)).replace("S", str(s))
        if not code:
            ogive.source(text).models["M"].torch()
            continue
        with pytest.raises(ogive.ArchError) as refused:
            ogive.source(text)
        (found,) = refused.value.diagnostics
        assert found.code == code


@pytest.mark.parametrize("init", ["constant[V]", "normal[std=V]", "uniform[-V, V]", "0.5 * constant[s * 10.0**k]"])
def test_a_number_that_the_type_of_a_module_does_not_hold_is_said(init: str) -> None:
    for power, narrow in ((38, None), (39, "f32"), (5, "f16"), (4, None)):
        held = init.replace("V", f"s * 10.0**{power}" if "k" not in init else "")
        text = TEXT.replace("INIT", held).replace("WEIGHT", "3").replace("K", str(power)).replace("S", "1.0")
        model = ogive.source(text).models["M"]
        model.torch(dtype="f64")
        for kind, most in (("f16", 4), ("bf16", 38), ("f32", 38)):
            if power <= most:
                model.torch(dtype=kind)
                continue
            with pytest.raises(ogive.ArchError, match=f"E0803.*infinite in {kind}"):
                model.torch(dtype=kind)
        assert narrow is None or power > 4


def test_a_weight_of_its_own_type_holds_what_that_holds() -> None:
    body = "    param w: f64[3] = constant[1e39]\n    return x + cast[float](w[0])\n"
    (weight,) = ogive.source(f"block F(x: [n]) -> [n]:\n{body}model M = F\n").models["M"].torch().parameters()
    assert torch.equal(weight.data, torch.full((3,), 1e39, dtype=torch.float64))


def test_an_override_is_looked_at_too() -> None:
    text = TEXT.replace("INIT", "ones").replace("WEIGHT", "3").replace("K", "4").replace("S", "1.0")
    for init, code in (("normal[std=k - 5]", "E0404"), ("eye", "E0404"), ("normal[std=k]", "")):
        over = text.replace("    return x |> Inner", f"    init Inner.w = {init}\n    return x |> Inner")
        if code:
            with pytest.raises(ogive.ArchError, match=f"{code}.*`inner.w`"):
                ogive.source(over)
        else:
            ogive.source(over).models["M"].torch()


FORMULAS = [
    "exp(constant[11.0])", "exp(constant[89.0])", "exp(constant[800.0])", "exp(constant[-100.0])",
    "exp(ones) * constant[24100.0]",
    "exp(ones) * constant[24112.0]", "1 / constant[1e-30] ** 2", "-exp(constant[88.0]) * 3",
    "constant[3e38] + constant[2e38]", "constant[3e38] - constant[2e38]", "constant[1e200] * constant[1e200]",
]  # fmt: skip


@pytest.mark.parametrize("init", FORMULAS)
def test_what_a_formula_gives_is_held_or_said(init: str) -> None:
    """Of floats that are all alike: nothing that a type does not hold starts a weight as an infinite number."""
    text = TEXT.replace("INIT", init).replace("WEIGHT", "3").replace("K", "4").replace("S", "1.0")
    model = ogive.source(text).models["M"]
    for kind in ("f64", "f32", "bf16", "f16"):
        try:
            module = model.torch(dtype=kind)
        except ogive.ArchError as refused:
            assert refused.diagnostics[0].code == "E0803"
            assert f"infinite in {kind}" in refused.diagnostics[0].message
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("ogive.compiler.ir_tools.starts._result", lambda *_: None)
                assert "inf" in started(model, kind) or "E0803" in started(model, kind)
        else:
            assert all(weight.isfinite().all() for weight in module.parameters())


def started(model: ogive.Model, kind: str) -> str:
    """How its weights start, as text; what is said where they do not."""
    try:
        return str([weight.tolist() for weight in model.torch(dtype=kind).parameters()])
    except ogive.ArchError as refused:
        return str(refused)

"""Numbers that the float type does not hold: computed with, infinite where they hide, refused where they result."""

from __future__ import annotations

import warnings
from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
import pytest
import torch
from torch import Tensor

import ogive
from onnx_model.harness import array, by_reference, session

X = [0.0, 0.01, 1.0, -0.01, 6e-8, 600.0, -3e-5, -2.0]
KINDS = {"f16": torch.float16, "bf16": torch.bfloat16, "f32": torch.float32}
# by type: a large and a small number that it does not hold, and how large and how small they are beside it
UNHELD = {"f16": ("1e5", "1e-8"), "bf16": ("1e39", "1e-42"), "f32": ("1e39", "1e-46")}
COMPUTED = [
    "x * BIG", "x / BIG", "x * SMALL", "SMALL / (x + 3)", "x + SMALL", "SMALL - x", "(x * 0.1) ** 2 * SMALL",
    "x % BIG", "x // BIG", "SMALL ** (cast[float](x > 1) * 0.5)", "BIG ** (cast[float](x > 1) * 0.5)",
    "lerp(x, BIG, SMALL)",
    "minimum(x, BIG)", "maximum(-BIG, x)", "clamp[-BIG, BIG](x)", "clamp[-1.0, BIG](x)", "hardtanh[-BIG, 1.0](x)",
    "cast[float](x < SMALL)", "cast[float](x >= SMALL)", "cast[float](SMALL == x)", "cast[float](x != -SMALL)",
    "cast[float](x <= BIG)", "cast[float](x > -BIG)",
]  # fmt: skip
HIDES = [
    "softmax[-1](select(x > 0, x, -BIG))", "x - max[-1](select(x > 0, x, -BIG))", "x + min[-1](select(x < 0, x, BIG))",
    "log_softmax[-1](2 * select(x > -9, x * 0.001, -BIG))", "softmax[0](-select(x > 0, x, BIG))",
    'softmax[-1](rearrange["n -> 1 n"](select(x > 0, x, -BIG))) |> rearrange["1 n -> n"]',
    "softmax[-1](pad[0, 1, 0, value=-BIG](x))[1:]", "softmax[-1](x + select(x > 0, zeros[n], -BIG))",
    "hidden(x, -BIG)", "seen(far(x))",
]  # fmt: skip
RESULTS = [
    "select(x > 0, x, BIG)", "select(x > 0, SMALL, x)", "maximum(x, BIG)", "minimum(-BIG, x)", "maximum(x, SMALL)",
    "clamp[SMALL, 1.0](x)", "clamp[BIG, inf](x)", "full[n, v=BIG] + x", "full[n, v=SMALL] + x",
    "x + pad[0, 1, 0, value=BIG](x)[1:]", "x * constant[[SMALL]][0]", "linspace[0.0, BIG, n] * x",
    "softmax[-1](select(x > 0, x, BIG))", "relu(select(x > 0, x, -BIG))", "x + max[-1](select(x < 0, x, BIG))",
    "far(x) + seen(x)", "x - 10 * BIG", "10 * BIG - x", "softmax[-1](x + 10 * BIG)", "relu(x - 3 * BIG) + 1",
]  # fmt: skip


def program(code: str, kind: str, many: int = 0) -> ogive.api.Model:
    """A model of an expression or of a list of them, and functions through which a number may go on its way."""
    big, small = UNHELD[kind]
    text = """
block hidden(s: [n], x: [n]) -> [n]:
    return softmax[-1](select(s > 0, s, x))
block seen(s: [n]) -> [n]:
    t = tanh(s * 0.25)
    t = t * s + 1
    t = t - s * 0.5
    t = tanh(t) + s * 0
    t = t * 2 + max[-1](s)
    return softmax[-1](s) + t * 0
block far(x: [n]) -> [n]:
    return select(x > 0, x, -BIG)
block F(x: [n]) -> [n]:
    return CODE
model M = F
"""
    if many:
        text = text.replace(
            "(x: [n]) -> [n]:\n    return CODE", f"(x: [n]) -> [{many}, n]:\n    return stack[0](*CODE)"
        )
    code = code.replace("hidden(x, -BIG)", "hidden(x, full[n, v=-BIG])").replace("seen(far(x))", "softmax[-1](far(x))")
    return ogive.source(text.replace("CODE", code).replace("BIG", big).replace("SMALL", small)).models["M"]


def exact(model: ogive.api.Model, x: Tensor) -> np.ndarray:
    """In float64, which holds all of these."""
    found: np.ndarray = model.torch().double()(x.double()).detach().numpy()
    return found


def close(found: np.ndarray, wanted: np.ndarray, kind: str, code: str = "") -> None:
    """Within roundings of the type; what is beyond the type is infinite, what is below it 0."""
    unit = {"f16": 2.0**-10, "bf16": 2.0**-7, "f32": 2.0**-22}[kind]
    wanted = wanted.astype(array(torch.empty(0, dtype=KINDS[kind])).dtype).astype(np.float64)
    least = {"f16": 2.0**-24, "bf16": 1e-38, "f32": 1e-38}[kind]
    np.testing.assert_allclose(found.astype(np.float64), wanted, rtol=4 * unit, atol=2 * least, err_msg=code)


def by_onnx(model: ogive.api.Model, x: Tensor, kind: str, path: Path) -> np.ndarray:
    model.onnx(path, model.torch().to(KINDS[kind]), dtype=kind)
    proto = onnx.load(path)
    if kind != "bf16":
        return np.asarray(session(proto).run(None, {"x": array(x)})[0])
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return np.asarray(by_reference(proto, {"x": array(x)})[0]).astype(ml_dtypes.bfloat16)


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")
@pytest.mark.parametrize("kind", KINDS)
def test_what_can_be_computed_is_right(kind: str, tmp_path: Path) -> None:
    """All in one model, whose results lie side by side."""
    codes = [*COMPUTED, *HIDES]
    model = program(f"[{', '.join(codes)}]", kind, len(codes))
    x = torch.tensor(X).to(KINDS[kind])
    wanted = exact(model, x)
    for found in (array(model.torch().to(KINDS[kind])(x)), by_onnx(model, x, kind, tmp_path / "m.onnx")):
        for code, mine, theirs in zip(codes, found, wanted, strict=True):
            close(mine, theirs, kind, code)


@pytest.mark.parametrize(("code", "kind"), [*((c, "f16") for c in RESULTS), (RESULTS[0], "bf16"), (RESULTS[5], "f32")])
def test_what_would_be_a_result_is_refused(code: str, kind: str, tmp_path: Path) -> None:
    """In ONNX where it is written, at its line; in torch where it runs in such a type."""
    model = program(code, kind)
    net = model.torch()
    with pytest.raises(ogive.ArchError) as caught:
        model.onnx(tmp_path / "m.onnx", net, dtype=kind)
    (found,) = caught.value.diagnostics
    assert found.code == "E0803"
    assert "infinite in" in found.message or "0 in" in found.message
    assert found.span.begin()[0] in (12, 14)
    assert not (tmp_path / "m.onnx").exists()
    with pytest.raises(ValueError, match="does not fit torch"):
        net.to(KINDS[kind])(torch.tensor(X).to(KINDS[kind]))
    wider = {"f16": torch.float32, "bf16": torch.float64, "f32": torch.float64}[kind]
    assert net.to(wider)(torch.tensor(X).to(wider)).isfinite().all()


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")
@pytest.mark.parametrize(("kind", "big", "edge"), [("f16", "1e5", 65504.0), ("bf16", "5e38", 3.3895314e38)])
def test_a_sum_with_a_number_beyond_the_type_is_finite_where_it_is(
    kind: str, big: str, edge: float, tmp_path: Path
) -> None:
    codes = [f"x + {big}", f"{big} + x", f"x - {big}", f"{big} - x"]
    model = program(f"[{', '.join(codes)}]", kind, len(codes))
    x = torch.tensor([edge, -edge, edge / 2, -edge / 2, 1.0, 0.0], dtype=torch.float64).to(KINDS[kind])
    wanted = exact(model, x)
    assert (np.abs(wanted) <= edge).any(axis=1).all()
    for found in (array(model.torch().to(KINDS[kind])(x)), by_onnx(model, x, kind, tmp_path / "m.onnx")):
        for code, mine, theirs in zip(codes, found, wanted, strict=True):
            close(mine, theirs, kind, code)


def test_a_type_of_its_own_is_refused_when_the_text_is_written() -> None:
    text = "block F(x: f16[n]) -> f16[n]:\n    return select(x > 0, x, 1e5)\nmodel M = F\n"
    with pytest.raises(ogive.ArchError, match="E0803"):
        ogive.source(text).models["M"].torch()


@pytest.mark.parametrize("eps", ["1e-8", "1e-12", "0.0"])
@pytest.mark.parametrize("norm", ["layer_norm", "rms_norm", "group_norm[groups=2, ...]"])
@pytest.mark.parametrize("opset", [20, 23])
def test_the_epsilon_of_a_norm_is_not_rounded_to_a_half(eps: str, norm: str, opset: int, tmp_path: Path) -> None:
    code = norm.replace("...", f"eps={eps}") if "[" in norm else f"{norm}[eps={eps}]"
    text = f"block F(x: [b, c, n]) -> [b, c, n]\nwhere c % 2 == 0:\n    return {code}(x)\nmodel M = F\n"
    model = ogive.source(text).models["M"]
    x = torch.randn(2, 4, 8).half()
    x[0] *= 1e-3
    if float(eps):
        x[1] = 0
    wanted = exact(model, x)
    close(array(model.torch().half()(x)), wanted, "f16")
    model.onnx(tmp_path / "m.onnx", dtype="f16", opset=opset)
    found = session(onnx.load(tmp_path / "m.onnx")).run(None, {"x": array(x)})[0]
    np.testing.assert_allclose(found.astype(np.float64), wanted, rtol=0.01, atol=0.01)


@pytest.mark.parametrize("norm", ["layer_norm", "rms_norm", "batch_norm"])
def test_an_epsilon_that_is_0_in_float32_is_refused(norm: str, tmp_path: Path) -> None:
    given = "x, mean, mean" if norm == "batch_norm" else "x"
    head = "block F(x: [b, c, n], mean: [c]) -> [b, c, n]:\n"
    model = ogive.source(f"{head}    return {norm}[eps=1e-50]({given}) + mean[0]\nmodel M = F\n").models["M"]
    with pytest.raises(ogive.ArchError, match="E0803"):
        model.onnx(tmp_path / "m.onnx")
    x, mean = torch.randn(2, 3, 4), torch.ones(3)
    with pytest.raises(ValueError, match=r"does not fit torch\.float32"):
        model.torch()(x, mean)
    assert model.torch().double()(x.double(), mean.double()).isfinite().all()


SCALED = """
use std.nn (Linear)
block F[d](x: [b, d]) -> [b, d]:
    param scale: [] = constant[0.5]
    return scale * (x |> Linear[d, d])
model M = F[d=4]
"""


@pytest.mark.parametrize(("path", "value"), [("scale", 1e5), ("scale", 1e-9), ("linear.weight", 1e6)])
def test_weights_that_the_type_does_not_hold_are_refused_by_name(path: str, value: float, tmp_path: Path) -> None:
    model = ogive.source(SCALED).models["M"]
    net = model.torch()
    with torch.no_grad():
        dict(net.named_parameters())[path].reshape(-1)[0] = value
    with pytest.raises(ogive.ArchError, match=f"E0803.*`{path}`"):
        model.onnx(tmp_path / "m.onnx", net, dtype="f16")
    model.onnx(tmp_path / "m.onnx", net, dtype="bf16")
    deployed = model.deploy("simplify")
    with pytest.raises(ogive.ArchError, match=f"E0821.*`{path}`"):
        deployed.convert(net, dtype=torch.float16)


@pytest.mark.parametrize(("kind", "number", "wide"), [
    ("f16", "1e5", "FLOAT"), ("f16", "1e-9", "FLOAT"), ("f16", "1e39", "DOUBLE"), ("f16", "0.1", ""),
    ("bf16", "1e5", ""), ("bf16", "1e39", "DOUBLE"), ("f32", "1e5", ""), ("f32", "1e39", "DOUBLE"), ("f64", "1e39", ""),
])  # fmt: skip
def test_a_number_is_computed_with_in_the_narrowest_type_that_holds_it(
    kind: str, number: str, wide: str, tmp_path: Path
) -> None:
    model = ogive.source(f"block F(x: [n]) -> [n]:\n    return x * {number}\nmodel M = F\n").models["M"]
    model.onnx(tmp_path / "m.onnx", dtype=kind)
    nodes = onnx.load(tmp_path / "m.onnx").graph.node
    to = [onnx.TensorProto.DataType.Name(node.attribute[0].i) for node in nodes if node.op_type == "Cast"]
    own = {"f16": "FLOAT16", "bf16": "BFLOAT16", "f32": "FLOAT", "f64": "DOUBLE"}[kind]
    assert to == ([wide, own] if wide else [])


def test_sizes_are_more_than_halves_hold(tmp_path: Path) -> None:
    """A mean written out over 70,000 numbers."""
    text = "block F(x: [n]) -> (y: [], z: [n]):\n    return sum[0](x / n), select(x * n > 1e5, x, 0.0)\nmodel M = F\n"
    model = ogive.source(text).models["M"]
    x = torch.full((70_000,), 2.0).half()
    model.onnx(tmp_path / "m.onnx", dtype="f16")
    y, z = session(onnx.load(tmp_path / "m.onnx")).run(None, {"x": array(x)})
    assert abs(float(y) - 2) < 0.05
    assert (z == 2).all()


def test_a_constant_that_is_computed_may_not_overflow(tmp_path: Path) -> None:
    text = "block F(x: [n]) -> [n]\nwhere n <= 9:\n    return x * cast[float](arange[65536])[:n]\nmodel M = F\n"
    with pytest.raises(ogive.ArchError, match=r"E0803.*infinite in f16"):
        ogive.source(text).models["M"].onnx(tmp_path / "m.onnx", dtype="f16")

"""The pass `reduce_order`: solvers in few coordinates, against the formulas of POD and DEIM written in numpy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from torch import nn

import ogive
from ogive.compiler.ir_tools.verify import verify
from onnx_model.harness import session
from sampled import sampled

USES = "use std.nn (Linear)\nuse std.solvers (ODEBlock, TimeMLP)\n\n"
PAPER = """block Field(t: [], y: [b, 6], u: [b, 2]) -> [b, 6]:
    return tanh(y |> Linear[6, 6] as A) + (u |> Linear[2, 6, bias=false] as Z)

block Net(x: [b, 6], u: [b, 2]) -> [b, 6]:
    f = Field[]
    repeat 5 as turns:
        x = x + 0.1 * f(zeros[], x, u)
    return x

model M = Net
"""
FIELDS = {
    "layers": "    return y |> Linear[6, 9] as a |> tanh |> Linear[9, 7] as b |> sin |> Linear[7, 6] as c",
    "gate": "    return tanh(y |> Linear[6, 6] as a) * sigmoid(y |> Linear[6, 6] as b)",
    "of the state": "    param w: [6]\n    return sin(y + w) - 0.5 * y",
    "bias apart": "    param w: [6, 6]\n    param b: [6]\n    return tanh(y @ w + b) / (1 + abs(t))",
    "two maps": "    return tanh((y |> Linear[6, 6] as a) + (sin(y) |> Linear[6, 6] as b))",
    "beside": "    x = concat[-1](y, tanh(y |> Linear[6, 4] as a))\n    return x[..., 1:9] |> Linear[8, 6] as b",
    "linear": "    return -y + (y |> Linear[6, 6, bias=false] as a)",
    "gain": "    param w: [6]\n    return tanh(y * w) / (1 + w * w) + w * sin(w - y) / w",
    "numbers": "    param w: [1]\n    param v: []\n    return w * tanh(y + w) - v * y",
    "time": "    return (y * exp(-t)) |> Linear[6, 6] as a |> silu",
}


def solver(field: str, method: str = "rk4") -> Any:
    axes = "n, 6" if "@" in FIELDS[field] else "*n, 6"
    text = (
        f"{USES}block Field(t: [], y: [{axes}]) -> [{axes}]:\n{FIELDS[field]}\n\n"
        f'block Net(x: [b, 6]) -> [b, 6]:\n    return x |> ODEBlock[Field[], steps=3, method="{method}"] as ode\n\n'
        "model M = Net\n"
    )
    return ogive.source(text).models["M"]


def drawn(model: Any) -> nn.Module:
    torch.manual_seed(0)
    net: nn.Module = model.torch().double()
    for weight in net.parameters():
        nn.init.normal_(weight, std=0.5)
    return net


@pytest.mark.parametrize("method", ["euler", "heun", "rk4"])
@pytest.mark.parametrize("field", sampled(FIELDS))
def test_with_all_numbers_nothing_is_lost(field: str, method: str) -> None:
    model = solver(field, method)
    net = drawn(model)
    made = model.deploy("reduce_order[k=6, m=9]", weights=net, data={"x": torch.randn(40, 6)})
    verify(made.ir)
    deviation = made.verify(net)
    assert deviation.lossy == "reduce_order"
    assert deviation.relative < 1e-12, str(deviation)


def test_fewer_numbers_are_those_of_the_formula() -> None:
    """z' = N tanh(A' z + b') + Z' u, with V and U from singular values, and the greedy entries."""
    model = ogive.source(USES + PAPER).models["M"]
    net = drawn(model)
    torch.manual_seed(1)
    x, u = torch.randn(30, 6).double(), torch.randn(30, 2).double()
    made = model.deploy("reduce_order[k=3, m=4]", weights=net, data={"x": x, "u": u})
    reduced: Any = made.torch().double()
    reduced.load_state_dict(made.convert(net, dtype=None))

    weights = {name: each.detach().numpy() for name, each in net.named_parameters()}
    a, b, z = weights["f.A.weight"], weights["f.A.bias"], weights["f.Z.weight"]
    state, control = x.numpy(), u.numpy()
    states, values = [], []
    for _ in range(5):
        value = np.tanh(state @ a.T + b)
        states.append(state)
        values.append(value)
        state = state + 0.1 * (value + control @ z.T)
    v = np.linalg.svd(np.concatenate([*states, state]).T)[0][:, :3]
    modes = np.linalg.svd(np.concatenate(values).T)[0][:, :4]
    places: list[int] = []
    for at in range(4):
        rest = modes[:, at]
        if places:
            rest = rest - modes[:, :at] @ np.linalg.solve(modes[places, :at], modes[places, at])
        places.append(int(np.abs(rest).argmax()))
    n = v.T @ modes @ np.linalg.inv(modes[places])
    c = x.numpy() @ v
    for _ in range(5):
        c = c + 0.1 * (np.tanh(c @ (a[places] @ v).T + b[places]) @ n.T + control @ (v.T @ z).T)
    assert np.allclose(reduced(x, u).detach().numpy(), c @ v.T, atol=1e-10)
    assert made.weights["f.A.weight"] == (4, 3)


def test_what_the_states_span_is_enough() -> None:
    """Of a linear equation whose states stay in a plane, two numbers tell all; in ONNX too."""
    model = solver("linear")
    net = drawn(model)
    plane = torch.linalg.qr(torch.randn(6, 2).double()).Q
    with torch.no_grad():
        next(net.parameters()).copy_(plane @ torch.randn(2, 2).double() @ plane.T)
    data = {"x": torch.randn(30, 2).double() @ plane.T}
    made = model.deploy("reduce_order[k=2, tolerance=1e-6]", weights=net, data=data)
    deviation = made.verify(net)
    assert deviation.within
    assert deviation.relative < 1e-12
    assert made.parameters < 10


def test_onnx_computes_the_same(tmp_path: Path) -> None:
    model = solver("layers")
    net = drawn(model).float()
    x = torch.randn(20, 6)
    made = model.deploy("reduce_order[k=4, m=5]", "fold", weights=net, data={"x": x})
    state = made.convert(net)
    made.onnx(tmp_path / "m.onnx", weights=state)
    reduced: Any = made.torch()
    reduced.load_state_dict(state)
    (y,) = session(onnx.load(tmp_path / "m.onnx")).run(None, {"x": x.numpy()})
    assert np.allclose(y, reduced(x).detach().numpy(), atol=1e-4)


TWO = "    repeat 2 as h:\n        x = x + tanh(x)\n    repeat 2 as g:\n        x = x + tanh(x)\n    return x"
BODIES = {
    "softmax": "    repeat 2 as h:\n        x = x + softmax[-1](x)\n    return x",
    "own weights": "    repeat 2 as h:\n        x = x + (x |> Linear[6, 6] as a |> tanh)\n    return x",
    "none": "    return tanh(x)",
    "inside": "    f = Linear[6, 6]\n    repeat 2 as h:\n        repeat 2:\n            x = tanh(f(x))\n    return x",
    "sum": '    repeat 2 as h:\n        x = x * tanh(rearrange["b -> b 1"](sum[-1](x)))\n    return x',
    "logical": "    repeat 2 as h:\n        x = select(x > 0, x, 0.1 * x)\n    return x",
    "doubles": "    x = cast[f64](x)\n    repeat 2 as h:\n        x = x + tanh(x)\n    return cast[float](x)",
    "apart": "    param w: [6, 6]\n    repeat 2 as h:\n        x = tanh(x @ (w * w))\n    return x",
    "two": TWO,
    "yields": "    repeat 2 as h:\n        x = x + tanh(x)\n        yield ys = x\n    return x + sum[0](ys)",
}


@pytest.mark.parametrize(
    ("body", "call", "said"),
    [
        ("softmax", "reduce_order[k=2]", "`softmax` on the state of a loop mixes its entries"),
        ("own weights", "reduce_order[k=2]", "differs between iterations"),
        ("none", "reduce_order[k=2]", "has no loops"),
        ("two", "reduce_order[k=2]", "say `at`: h, g"),
        ("two", "reduce_order[k=2, at=f]", "finds no `repeat` at `f`; there are: h, g"),
        ("two", "reduce_order[k=7, at=h]", "`k` is at most 6"),
        ("two", "reduce_order[k=0, at=h]", "are numbers from 1 on"),
        ("yields", "reduce_order[k=2]", "yields nothing"),
        ("inside", "reduce_order[k=2]", "a `repeat` on the state of a loop"),
        ("sum", "reduce_order[k=2]", "`sum` on the state of a loop mixes its entries"),
        ("logical", "reduce_order[k=2]", "gives bool[b, 6], no numbers"),
        ("doubles", "reduce_order[k=2]", "is f64[b, 6], whose elements are not those of the weights"),
        ("apart", "reduce_order[k=2]", "is no map by a weight"),
    ],
)
def test_refusals(body: str, call: str, said: str) -> None:
    model = ogive.source(f"{USES}block Net(x: [b, 6]) -> [b, 6]:\n{BODIES[body]}\n\nmodel M = Net\n").models["M"]
    with pytest.raises(ogive.ArchError) as caught:
        model.deploy(call, weights=model.torch(), data={"x": torch.randn(8, 6)})
    assert said in str(caught.value)


def test_data_are_asked_for_and_the_other_loop_stays() -> None:
    model = ogive.source(f"{USES}block Net(x: [b, 6]) -> [b, 6]:\n{TWO}\n\nmodel M = Net\n").models["M"]
    with pytest.raises(ogive.ArchError, match="data"):
        model.deploy("reduce_order[k=6, at=h]", weights=model.torch())
    made = model.deploy("reduce_order[k=6, m=6, at=g]", weights=model.torch(), data={"x": torch.randn(8, 6)})
    assert made.verify(model.torch()).relative < 1e-12
    with pytest.raises(ogive.ArchError, match="NaN"):
        model.deploy("reduce_order[k=2, at=g]", weights=model.torch(), data={"x": torch.full((8, 6), torch.nan)})


LOOPS = {
    "one entry": (1, "    f = Linear[1, 1]\n    repeat 3 as h:\n        x = x + 0.1 * tanh(f(x) * x)\n    return x"),
    "matrix": (6, "    param w: [8, 6]\n    repeat 3 as h:\n        x = x + w * tanh(x - w)\n    return x"),
    "its turns": (6, "    repeat 3 as h:\n        param w: []\n        x = x + w * sin(x + w)\n    return x"),
    "of the data": (6, "    y = x * x\n    repeat 3 as h:\n        x = x - 0.1 * x * y / (1 + y)\n    return x"),
}  # fmt: skip


@pytest.mark.parametrize("loop", LOOPS)
def test_other_operands_of_the_loop(loop: str) -> None:
    """Vectors of one entry, weights of other shapes, weights of the iterations, and what comes from the data."""
    n, body = LOOPS[loop]
    model = ogive.source(f"{USES}block Net(x: [8, {n}]) -> [8, {n}]:\n{body}\n\nmodel M = Net\n").models["M"]
    net = drawn(model)
    made = model.deploy(f"reduce_order[k={n}, m={n}]", weights=net, data={"x": torch.randn(8, n)})
    verify(made.ir)
    assert made.verify(net).relative < 1e-12


def test_passes_after_one_another() -> None:
    """A reduced loop is a loop: reduced again, or in 8 bits; and where sizes are fixed, data fit them."""
    model = ogive.source(USES + PAPER.replace("5 as turns", "2 as turns")).models["M"]
    net = drawn(model)
    data = {"x": torch.randn(20, 6), "u": torch.randn(20, 2)}
    for passes in ("reduce_order[k=6], reduce_order[k=6]", "reduce_order[k=6], quantize"):
        made = model.deploy(passes, weights=net, data=data)
        assert made.verify(net.float()).relative < (0.1 if "quantize" in passes else 1e-6)
    for last in ("reduce_order[k=6]", "quantize"):
        with pytest.raises(ogive.ArchError, match="a pass before has made it"):
            model.deploy(f"specialize[b=2], {last}", weights=net, data=data)

"""Loops that are recurrent layers are written as such, however their arithmetic is written; no others are."""

from __future__ import annotations

import itertools
import random
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

import ogive
from ogive.api import Model
from ogive.compiler.passes.fusion.recurrent_cell import recurrent_cell
from ogive.compiler.passes.fusion.recurrent_inputs import recurrent_inputs
from ogive.compiler.passes.pipelines.lowering import lowered

TEXT = """
block Cell[i, d](x: [b, n, i], h0: [b, d]CARRIED) -> (y: [b, n, d], h: [b, d]LAST):
    param wi: [GATES*d, i]
    param wh: [GATES*d, d]
    param bi: [GATES*d] = normal[1.0]
    param bh: [GATES*d] = normal[1.0]
BODY
    return RESULT
model M = Cell[i=3, d=4]
"""
GATES = {"rnn_tanh": 1, "rnn_relu": 1, "gru": 3, "lstm": 4}
NAMES = {"gru": ("r", "z", "m"), "lstm": ("w", "f", "g", "o")}
# what is not one of these layers: a piece of a body, and another in its place
OTHERS = {
    "rnn_tanh": [("tanh(", "sigmoid("), ("yield y = h", "yield y = h + 1"), ("yield y = h", "yield y = old")],
    "gru": [("z = sigmoid(", "z = tanh("), ("r = sigmoid(", "r = relu("),
            ("* hm", "* hm * hm"), ("new = tanh(", "new = relu("),
            ("* h\n", "* h * h\n")],
    "lstm": [("sigmoid(f)", "tanh(f)"), ("tanh(g)", "sigmoid(g)"), ("* tanh(c)", "* c"), ("* c +", "* c * c +"),
             ("yield y = h", "yield y = c"), ("* tanh(c)", "* tanh(old)")],
}  # fmt: skip


def _sum(draw: random.Random, *parts: str) -> str:
    left = list(parts)
    draw.shuffle(left)
    return " + ".join(left)


def _split(draw: random.Random, names: tuple[str, ...], of: str) -> str:
    if draw.random() < 0.3:
        joined = " + ".join(f"{name}_" for name in names)
        ends = ", ".join(f"b {name}_" for name in names)
        sizes = ", ".join(f"{name}_=d" for name in names)
        return f'split["b ({joined}) -> {ends}", {sizes}]({of})'
    return f'split["b (t d) -> t b d", t={len(names)}]({of})'


def _body(kind: str, draw: random.Random, order: tuple[int, ...], biases: int) -> list[str]:
    """The lines of a loop, in one of many equal forms."""
    inside = draw.random() < 0.5
    ahead = f"linear({'t' if inside else 'x'}, wi{', bi' if biases else ''})"
    more = ["bh"] if biases == 2 and (kind == "gru" or draw.random() < 0.5) else []
    hidden = f"linear(h, wh{', bh' if biases == 2 and not more else ''})"
    if kind == "gru" and biases == 2:
        more, hidden = [], "linear(h, wh, bh)"
    lines = [] if inside else [f"    maps = {ahead}"]
    sliced = "t in x" if inside else "t in maps"
    axis = " reverse" if draw.random() < 0.3 else ""
    carried = "h = h0, c = c0" if kind == "lstm" else "h = h0"
    lines += [f"    scan {sliced} along n{axis} carry {carried}:", "        old = h"]
    lines += [f"        a = {ahead if inside else 't'}", f"        u = {hidden}"]
    if kind.startswith("rnn"):
        lines += [f"        h = {kind[4:]}({_sum(draw, 'a', 'u', *more)})"]
    elif kind == "gru":
        names = tuple(NAMES[kind][at] for at in order)
        lines += [f"        {', '.join(names)} = {_split(draw, names, 'a')}"]
        lines += [f"        {', '.join('h' + name for name in names)} = {_split(draw, names, 'u')}"]
        lines += [f"        {gate} = sigmoid({_sum(draw, gate, 'h' + gate)})" for gate in "rz"]
        lines += [f"        new = tanh({_sum(draw, 'm', 'r * hm')})"]
        forms = ("(1 - z) * new + z * h", "new * (1 - z) + z * h", "new - z * new + z * h", "new + z * (-new) + z * h")
        lines += [f"        h = {draw.choice(forms)}"]
    else:
        names = tuple(NAMES[kind][at] for at in order)
        lines += [f"        {', '.join(names)} = {_split(draw, names, _sum(draw, 'a', 'u', *more))}"]
        lines += [f"        c = sigmoid(f) * c + {draw.choice(('sigmoid(w) * tanh(g)', 'tanh(g) * sigmoid(w)'))}"]
        lines += ["        h = sigmoid(o) * tanh(c)"]
    return [*lines, "        yield y = h"]


def _text(kind: str, lines: list[str]) -> str:
    two = kind == "lstm"
    text = TEXT.replace("CARRIED", ", c0: [b, d]" if two else "").replace("LAST", ", c: [b, d]" if two else "")
    text = text.replace("RESULT", "y, h, c" if two else "y, h").replace("GATES", str(GATES[kind]))
    return text.replace("BODY", "\n".join(lines))


def _model(kind: str, lines: list[str]) -> Model:
    found = ogive.source(_text(kind, lines))["M"]
    assert isinstance(found, Model)
    return found


def _inputs(kind: str) -> list[torch.Tensor]:
    states = 2 if kind == "lstm" else 1
    return [torch.randn(2, 5, 3, dtype=torch.double), *(torch.randn(2, 4, dtype=torch.double) for _ in range(states))]


def _stepped(kind: str, lines: list[str]) -> torch.nn.Module:
    """The same step by step: a loop with a tap in it is no kernel."""
    at = next(at for at, line in enumerate(lines) if "yield" in line)
    return _model(kind, [*lines[:at], "        tap seen = h", *lines[at:]]).torch()


def _equal(kind: str, lines: list[str]) -> None:
    """The kernel, if it is one, and step by step: results and gradients."""
    net, other = _model(kind, lines).torch().double(), _stepped(kind, lines).double()
    other.load_state_dict(net.state_dict())
    given = [x.requires_grad_() for x in _inputs(kind)]
    ours, theirs = net(*given), other(*given)
    factors = [torch.randn_like(y) for y in ours]
    derived = []
    for module, ys in ((net, ours), (other, theirs)):
        summed = torch.stack([(y * w).sum() for y, w in zip(ys, factors, strict=True)]).sum()
        derived.append(torch.autograd.grad(summed, [*given, *module.parameters()], allow_unused=True))
    torch.testing.assert_close(tuple(ours), tuple(theirs), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(*derived, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("kind", GATES)
def test_every_form_of_a_layer_is_one_kernel_that_computes_the_same(kind: str) -> None:
    draw = random.Random(kind)
    for _ in range(6):
        lines = _body(kind, draw, tuple(range(GATES[kind])), draw.randrange(3))
        model = _model(kind, lines)
        assert f"torch.{kind}(" in model.torch_source(), "\n".join(lines)
        _equal(kind, lines)


@pytest.mark.parametrize(("kind", "at"), [(kind, at) for kind in OTHERS for at in range(len(OTHERS[kind]))])
def test_no_other_loop_is_a_kernel(kind: str, at: int) -> None:
    draw = random.Random(at)
    here, there = OTHERS[kind][at]
    text = "\n".join(_body(kind, draw, tuple(range(GATES[kind])), 2))
    changed = text.replace(here, there)
    assert changed != text
    assert f"torch.{kind}(" not in _model(kind, changed.split("\n")).torch_source(), changed
    _equal(kind, changed.split("\n"))


@pytest.mark.parametrize("kind", GATES)
def test_gates_in_any_order_are_a_node_of_onnx(kind: str, tmp_path: Path) -> None:
    draw = random.Random(kind)
    orders = list(itertools.permutations(range(GATES[kind])))
    for order in draw.sample(orders, min(3, len(orders))):
        lines = _body(kind, draw, order, draw.randrange(3))
        model = _model(kind, lines)
        (loop,) = [n for n in recurrent_inputs(lowered(model.ir)).definition.graph.walk() if recurrent_cell(n)][-1:]
        found = recurrent_cell(loop)
        assert found is not None
        assert tuple(order[at] for at in found.order) == tuple(range(GATES[kind]))
        net = _stepped(kind, lines)
        model.onnx(tmp_path / "m.onnx", weights=net.state_dict(), force=True)
        proto = onnx.load(tmp_path / "m.onnx")
        assert kind.split("_")[0].upper() in [node.op_type for node in proto.graph.node]
        session = onnxruntime.InferenceSession(tmp_path / "m.onnx")
        for n in (1, 6):  # of any length
            x, *states = (x.float() for x in _inputs(kind))
            x = torch.cat([x, x], 1)[:, :n]
            feed = dict(
                zip([i.name for i in session.get_inputs()], (x.numpy(), *(s.numpy() for s in states)), strict=True)
            )
            for got, want in zip(session.run(None, feed), net(x, *states), strict=True):
                np.testing.assert_allclose(got, want.detach().numpy(), rtol=1e-5, atol=1e-5)


def test_a_layer_inside_of_a_derivative_is_a_loop() -> None:
    """Kernels have no second derivative."""
    text = """
use std.recurrent (LSTM)

block Energy[d](x: [b, n, d]) -> []:
    return x |> LSTM[d, d] as lstm |> sum

block Force[d](x: [b, n, d]) -> [b, n, d]:
    energy = Energy[d]
    return grad[energy](x)

model M = Force[d=3]
"""
    found = ogive.source(text)["M"]
    assert isinstance(found, Model)
    assert "torch.lstm" not in found.torch_source()


OWN = """
use std.nn (Linear)

block Own[d](x: [b, n, d]) -> [b, n, d]:
    w = Linear[d, 3*d]
    u = Linear[d, 3*d]
    scan t in x along n carry h = zeros[b, d]:
        r, z, m = w(t) |> split["b (t d) -> t b d", t=3]
        r_h, z_h, m_h = u(h) |> split["b (t d) -> t b d", t=3]
        z = sigmoid(z + z_h)
        h = z * h + (1 - z) * tanh(m + sigmoid(r + r_h) * m_h)
        yield y = h
    return y

model M = Own[d=4]
"""


def test_maps_that_are_modules_stay_modules_in_torch_and_are_in_the_node_in_onnx(tmp_path: Path) -> None:
    """Adapters replace modules."""
    model = ogive.source(OWN)["M"]
    assert isinstance(model, Model)
    assert "self.w(" in model.torch_source()
    net = model.torch()
    model.onnx(tmp_path / "m.onnx", weights=net)
    ops = [node.op_type for node in onnx.load(tmp_path / "m.onnx").graph.node]
    assert "GRU" in ops
    assert "Scan" not in ops
    x = torch.randn(2, 5, 4)
    got = onnxruntime.InferenceSession(tmp_path / "m.onnx").run(None, {"x": x.numpy()})[0]
    np.testing.assert_allclose(got, net(x).detach().numpy(), rtol=1e-5, atol=1e-5)

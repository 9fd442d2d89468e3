"""A pack of two axes, or of none, is a pack of one whose examples are laid out otherwise: in torch and in ONNX."""

from __future__ import annotations

from math import prod
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor

import ogive

# what is written behind `block F(x: [*b, t, 3]) -> `; a `g` or a `Cell` is a block of before
BEHIND = {
    "scan": "[*b, t, 3]:\n    scan u in x along t carry h = zeros[*b, 3]:\n"
    "        h = 0.5 * h + u\n        yield ys = h\n    return ys",
    "scan, its end": "[*b, 3]:\n    scan u in x along t carry h = zeros[*b, 3]:\n        h = 0.5 * h + u\n    return h",
    "scan, reverse": "[*b, t, 3]:\n    scan u in x along t reverse carry h = zeros[*b, 3]:\n"
    "        h = 0.5 * h + u\n        yield ys = h\n    return ys",
    "scan along the last": "[*b, t, 3]:\n    scan u in x along -1 carry h = zeros[*b, t]:\n"
    "        h = 0.5 * h + u\n        yield ys = h\n    return ys",
    "scan, yields of other ranks": "[*b, t]:\n    scan u in x along t carry h = zeros[*b, 3]:\n"
    "        h = 0.5 * h + u\n        yield ys = sum[-1](h)\n    return ys",
    "scan of two": "[*b, t, 3]:\n    y = x * x\n    scan u in x, v in y along t carry h = zeros[*b, 3]:\n"
    "        h = 0.5 * h + u * v\n        yield ys = h\n    return ys",
    "scan in repeat": "[*b, t, 3]:\n    repeat 2:\n        scan u in x along t carry h = zeros[*b, 3]:\n"
    "            h = 0.5 * h + u\n            yield ys = h\n        x = ys\n    return x",
    "scan of a block": "[*b, t, 3]:\n    c = Cell[3]\n    scan u in x along t carry h = zeros[*b, 3]:\n"
    "        h = c(u, h)\n        yield ys = h\n    return ys",
    "scan of a block, over": "[*b, t, 3]:\n    return over[t, steps](x)",
    "repeat": "[*b, t, 3]:\n    parts = stack[0](x, 2 * x)\n"
    "    repeat 2 with p in parts:\n        x = x + p * x\n    return x",
    "repeat that yields": "[2, *b, t, 3]:\n    repeat 2:\n        x = x + x * x\n        yield ys = x\n    return ys",
    "over": "[*b, t, 3]:\n    return over[t, steps](x)",
    "each": "[*b, t, 3]:\n    return expand[\"*b t d -> e *b t d\", e=2](x) |> each[e, Own[3]] |> mean[0]",
    "expand": "[*b, 1, 3]:\n    return expand[\"d -> *b 1 d\", b=b](sqrt(cast[float](arange[3])))",
    "expand, inside": "[*b, t, 3]:\n    w = stack[0](sqrt(cast[float](arange[3])), ones[3])\n"
    "    return sum[0](expand[\"e d -> e *b 1 d\", b=b](w) * x)",
    "zeros": "[*b]:\n    return zeros[*b] + ones[*b] + full[*b, v=2.0]",
    "no axes left": "[*b]:\n    return log(norm[-1](rearrange[\"*b t d -> *b (t d)\"](x)))",
    "no axes left, of an inner product": "[*b]:\n    y = sum[-1](x) |> rearrange[\"*b t -> *b t 1\"]\n"
    "    return y |> reduce[\"*b t 1 -> *b\", max]",
    "taken apart": "[*b]:\n    return sum[-2, -1](rearrange[\"*b t d -> *b t d\"](x))",
    "merged and back": "[*b, t, 3]:\n"
    "    return x |> rearrange[\"*b t d -> (*b) t d\"] |> cumsum[1] |> rearrange[\"(*b) t d -> *b t d\", b=b]",
    "merged and back, alone": "[*b]:\n    y = sum[-2, -1](x) |> rearrange[\"*b -> (*b)\"]\n"
    "    return exp(y) |> rearrange[\"(*b) -> *b\", b=b]",
    "merged with another": "[*b, t, 3]:\n"
    "    return x |> rearrange[\"*b t d -> (*b t) d\"] |> exp |> rearrange[\"(*b t) d -> *b t d\", b=b, t=t]",
    "repeated along it alone": "[*b]:\n    return expand[\" -> *b\", b=b](sum(ones[3]))",
    "drawn": "[*b]:\n    return 0.0 * (randn[*b] + rand[*b])",
    "reduced to it": "[*b]:\n    return reduce[\"*b t d -> *b\", mean](x) + max[-2, -1](x)",
    "gathered": "[*b]:\n    return take[-1](sum[t](x), argmax[-1](ones[3]))",
    "an inner product": "[*b]:\n    return einsum[\"*b t d, *b t d -> *b\"](x, x)",
    "grad": "[*b, t, 3]:\n    return grad[total](x)",
    "softmax": "[*b, t, 3]:\n    return softmax[t](x)",
    "sort": "[*b, t, 3]:\n    return sort[t](x)",
    "cumsum": "[*b, t, 3]:\n    return cumsum[t](x)",
    "cumprod": "[*b, t, 3]:\n    return cumprod[t](x)",
    "flip and roll": "[*b, t, 3]:\n    return roll[t, 1](flip[t](x))",
    "pad": "[*b, t + 3, 3]:\n    return pad[t, 1, 2](x)",
    "concat": "[*b, 2*t, 3]:\n    return concat[t](x, -x)",
    "stack": "[*b, 2, t, 3]:\n    return stack[-3](x, -x)",
    "norms": "[*b, t]:\n    return norm[-1](x) + var[-1](x) + logsumexp[-1](x) + max[-1](x)",
    "slice": "[*b, t, 1]:\n    return x[..., 1:2]",
    "take": "[*b, t, 3]:\n    return take[t](x, flip[0](arange[t]))",
    "gather": "[*b, t, 3]:\n    return gather[t](x, argsort[t](x))",
    "scatter": "[*b, t, 3]:\n    return scatter_add[t](x, arange[t], x)",
    "patterns": "[*b, 3, 2*t]:\n    return rearrange[\"s *b t d -> *b d (t s)\"](stack[0](x, -x))",
    "einsum": "[*b, t, t]:\n    return einsum[\"*b t d, *b s d -> *b t s\"](x, rearrange[\"*b t d -> *b t d\"](x))",
    "attention": "[*b, t, 3]:\n    return (x, x, x) |> attention[causal=true]",
    "tril": "[*b, t, 3]:\n    return tril(x)",
    "fft": "[*b, t, 3]:\n    return real(fft[t](x))",
}  # fmt: skip
HEAD = """
block Own[d](x: [*b, t, d]) -> [*b, t, d]:
    param w: [d] = normal[seed=3]
    return cumsum[t](x * w)
block Cell[d](u: [*b, d], h: [*b, d]) -> [*b, d]:
    param w: [d] = normal[seed=4]
    return tanh(u * w + h)
block steps(x: [*b, d]) -> [*b, d]:
    scan u in x along d carry h = zeros[*b]:
        h = 0.5 * h + u
        yield ys = h
    return ys
block total(x: [*b, t, d]) -> []:
    scan u in x along t carry h = zeros[*b, d]:
        h = 0.5 * h + u * u
    return sum(h)
"""
# what a block with weights of its own for each index does with them, its weights being `w`
OWN = {
    "mul": "x * w", "select": "select(w > 0.0, x, -x)", "maximum": "maximum(x, w)", "lerp": "lerp(x, -x, w)",
    "a value made of weights": "x * (w + zeros[*b, 3, 3])",
    "einsum": 'einsum["*b t d, d, d e -> *b t e"](x, w, eye[3])',
    "a vector": "expand[\"*b t -> *b t d\", d=3](x @ w)", "a matrix": "x @ (expand[\"d -> d f\", f=3](w))",
    "joined": "concat[-1](x, expand[\"d -> *b t d\", b=b, t=3](w))[..., 2:5]", "linear": "x |> Linear[3, 3] as l",
    "layer norm": "x |> LayerNorm as l", "rms norm": "x |> RMSNorm as l", "attention": "(x * w, x, x) |> attention",
    "put": "put[-1, 1](x, expand[\"d -> *b t d\", b=b, t=3](w)[..., :1])", "state": "x - m",
}  # fmt: skip
SHAPES = ((2, 3), (3, 3), (2, 1, 3))


@pytest.fixture(scope="module")
def program() -> ogive.Program:
    blocks = "".join(f"block F{i}(x: [*b, t, 3]) -> {text}\n" for i, text in enumerate(BEHIND.values()))
    models = "".join(f"model M{i} = F{i}\n" for i in range(len(BEHIND)))
    return ogive.source(HEAD + blocks + models)


def _ran(path: Path, x: Tensor) -> Tensor:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (y,) = session.run(None, {"x": x.numpy()})
    return torch.from_numpy(np.asarray(y))


@pytest.mark.parametrize("name", BEHIND)
def test_how_many_axes_a_pack_has_changes_no_number(name: str, program: ogive.Program, tmp_path: Path) -> None:
    model = program.models[f"M{list(BEHIND).index(name)}"]
    torch.manual_seed(0)
    net, at = model.torch().eval(), int(name == "repeat that yields")
    for lead in SHAPES:
        x = torch.randn(*lead, 3, 3)  # sizes are equal: an axis that is taken for another shows in numbers alone
        flat = net(x.reshape(prod(lead), 3, 3))
        expected = flat.unflatten(at, lead)
        torch.testing.assert_close(net(x), expected)
        torch.testing.assert_close(net(x[(0,) * len(lead)]), _first(expected, at, len(lead)))
    model.onnx(tmp_path / "m.onnx", net, ranks={"b": 2})
    x = torch.randn(2, 3, 3, 3)
    torch.testing.assert_close(_ran(tmp_path / "m.onnx", x), net(x), rtol=1e-4, atol=1e-5)


@pytest.fixture(scope="module")
def owners() -> ogive.Program:
    head = "use std.nn (Linear, LayerNorm, RMSNorm)\n"
    for i, text in enumerate(OWN.values()):
        head += f"block G{i}(x: [*b, 3, 3]) -> [*b, 3, 3]:\n    param w: [3] = normal\n    state m: [3] = normal\n"
        head += f"    return ({text}) + 0.0 * w\n"
        head += (
            f"block F{i}(x: [2, *b, 3, 3]) -> [2, *b, 3, 3]:\n    return x |> each[0, G{i}] as own\nmodel M{i} = F{i}\n"
        )
    return ogive.source(head)


@pytest.mark.parametrize("name", OWN)
def test_weights_of_each_index_meet_the_index_behind_any_pack(name: str, owners: ogive.Program, tmp_path: Path) -> None:
    model = owners.models[f"M{list(OWN).index(name)}"]
    torch.manual_seed(0)
    net = model.torch().eval()
    for weight in (*net.parameters(), *net.buffers()):
        torch.nn.init.normal_(weight)
    for lead in ((), *SHAPES, (2, 2)):
        x = torch.randn(2, *lead, 3, 3)
        flat = net(x.reshape(2, prod(lead), 3, 3))
        torch.testing.assert_close(net(x), flat.reshape(x.shape))
        apart = [net(x[[at, at]])[at] for at in range(2)]
        torch.testing.assert_close(net(x), torch.stack(apart))
    model.onnx(tmp_path / "m.onnx", net, ranks={"b": 2})
    x = torch.randn(2, 2, 3, 3, 3)
    torch.testing.assert_close(_ran(tmp_path / "m.onnx", x), net(x), rtol=1e-4, atol=1e-5)


def _first(y: Tensor, at: int, count: int) -> Tensor:
    for _ in range(count):
        y = y.select(at, 0)
    return y

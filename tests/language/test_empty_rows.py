"""Softmax over a row of nothing but -∞ is 0 with gradient 0, however it is written, and a NaN stays one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor

import ogive

# each gives y: [b, n, d] of queries, keys and values x: [b, n, d], and of what may be seen, mask: bool[b, n, n]
FORMS = {
    "written out": "softmax[-1](select(mask, s, -inf)) @ x",
    "a sum": "softmax[-1](s + select(mask, zeros[], -inf)) @ x",
    "attention": "attention[scale=1.0](q, x, x, mask)",
    "attention by a sum": "attention[scale=1.0](q, x, x, select(mask, zeros[], -inf))",
    "one by one": "over[b, one](q, x, mask)",
    "no kernel": "abs(softmax[-1](select(mask, s, -inf))) @ x",
    "another axis": 'einsum["b j i, b j d -> b i d"](softmax[1](select(turned, swapped, -inf)), x)',
    "by its logarithm": "exp(log_softmax[-1](select(mask, s, -inf))) @ x",
    "by a sum of powers": 'exp(logit - maximum(expand["b i -> b i 1"](logsumexp[-1](logit)), -10000)) @ x',
}
HEAD = """
block one(q: [n, d], x: [n, d], mask: bool[n, n]) -> [n, d]:
    return softmax[-1](select(mask, einsum["i d, j d -> i j"](q, x), -inf)) @ x
block F(q: [b, n, d], x: [b, n, d], mask: bool[b, n, n]) -> [b, n, d]:
    s = einsum["b i d, b j d -> b i j"](q, x)
    turned = mask |> rearrange["b i j -> b j i"]
    swapped = s |> rearrange["b i j -> b j i"]
    logit = select(mask, s, -inf)
    TAP = %s
    return y
model M = F
"""


def model(form: str, tap: bool = False) -> ogive.api.Model:
    return ogive.source(HEAD.replace("TAP", "tap y" if tap else "y") % FORMS[form]).models["M"]


def given() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Tensors, what is seen, and where nothing is."""
    torch.manual_seed(0)
    mask = torch.rand(3, 5, 5) < 0.4
    mask[0, 2] = mask[1] = False
    mask[2] = True
    return *torch.randn(2, 3, 5, 4, dtype=torch.float64), mask, ~mask.any(-1)


def wanted(q: Tensor, x: Tensor, mask: Tensor) -> Tensor:
    """Row by row, by the formula."""
    found = torch.zeros_like(x)
    for b, i in np.ndindex(*x.shape[:2]):
        seen = x[b, mask[b, i]]
        if len(seen):
            power = torch.exp(seen @ q[b, i] - (seen @ q[b, i]).max())
            found[b, i] = power @ seen / power.sum()
    return found


@pytest.mark.parametrize("form", FORMS)
def test_in_torch(form: str) -> None:
    q, x, mask, empty = given()
    net = model(form).torch()
    exact = wanted(q, x, mask)
    for kind, bound in ((torch.float64, 1e-12), (torch.float32, 1e-5), (torch.bfloat16, 0.1), (torch.float16, 0.02)):
        y = net.to(kind)(q.to(kind), x.to(kind), mask)
        torch.testing.assert_close(y.double(), exact, rtol=bound, atol=bound)
        assert not y[empty].any()
    net, given_ = net.double(), (q.clone().requires_grad_(), x.clone().requires_grad_())
    net(*given_, mask).square().sum().backward()
    for at, z in enumerate(given_):
        step = 1e-6 * torch.randn_like(x)
        ahead, behind = (wanted(q + sign * step * (at == 0), x + sign * step * (at == 1), mask) for sign in (1, -1))
        assert z.grad is not None
        slope = (ahead.square().sum() - behind.square().sum()) / 2
        torch.testing.assert_close((z.grad * step).sum(), slope, rtol=1e-5, atol=1e-10)
        found = torch.func.grad(lambda *xs: net(*xs, mask).square().sum(), argnums=at)(q, x)
        torch.testing.assert_close(found, z.grad)
    assert given_[0].grad is not None
    assert not given_[0].grad[empty].any()


@pytest.mark.parametrize("form", FORMS)
def test_what_is_not_a_number_stays_so(form: str) -> None:
    q, x, mask, empty = given()
    q[2, 1] = q[0, 2] = torch.nan
    y = model(form).torch().double()(q, x, mask)
    found = y.isnan().any(-1)
    assert found[~empty].equal(q.isnan().any(-1)[~empty])
    assert not y[~found & empty].any()  # the fused kernel adds -∞ to NaN, where the source hides it


def run(path: Path, *given: Tensor) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]
    arrays = [x.float().numpy() if x.is_floating_point() else x.numpy() for x in given]
    return list(session.run(None, dict(zip(names, arrays, strict=True))))


@pytest.mark.parametrize("opset", [20, 23, 24])
@pytest.mark.parametrize("form", FORMS)
def test_in_onnx(form: str, opset: int, tmp_path: Path) -> None:
    q, x, mask, empty = given()
    for tap, functions in ((True, False), (False, True), (False, False)):
        path = tmp_path / f"{tap}{functions}.onnx"
        model(form, tap).onnx(path, opset=opset, taps=tap, functions=functions)
        for y in run(path, q, x, mask):
            np.testing.assert_allclose(y, wanted(q, x, mask).numpy(), rtol=1e-5, atol=1e-5)
            assert not y[empty.numpy()].any()
    q[2, 1] = q[0, 2] = torch.nan
    (y,) = run(path, q, x, mask)
    assert (np.isnan(y).any(-1) == (q.isnan().any(-1) & ~empty).numpy()).all()


def test_a_query_before_all_keys(tmp_path: Path) -> None:
    """Causal attention in which the last query sees all: the first ones of more queries than keys see none."""
    text = """
use std.attention (causal_mask)
block F(q: [b, i, d], k: [b, j, d]) -> (y: [b, i, d], z: [b, i, d], w: [b, i, d]):
    s = einsum["b i d, b j d -> b i j"](q, k)
    z = (s |> causal_mask |> softmax[-1]) @ k
    return attention[causal=true, scale=1.0](q, k, k), z, exp(log_softmax[-1](s |> causal_mask)) @ k
model M = F
"""
    m = ogive.source(text).models["M"]
    q, k = torch.randn(2, 5, 4, dtype=torch.float64), torch.randn(2, 3, 4, dtype=torch.float64)
    seen = torch.arange(3) <= torch.arange(5)[:, None] + (3 - 5)
    exact = torch.stack([torch.where(seen[i], q[:, i : i + 1] @ k.mT, -torch.inf).softmax(-1) @ k for i in range(5)], 1)
    exact = exact.squeeze(2).nan_to_num(0)
    for y in m.torch().double()(q, k):
        torch.testing.assert_close(y, exact)
        assert not y[:, :2].any()
    m.onnx(tmp_path / "m.onnx")
    for y in run(tmp_path / "m.onnx", q, k):
        np.testing.assert_allclose(y, exact.numpy(), rtol=1e-5, atol=1e-5)


def test_relatives_of_softmax() -> None:
    """log_softmax and logsumexp of such a row are -∞, and the gradient is 0; a loss over its target is infinite."""
    text = """
block F(x: [b, n], at: int[b]) -> (p: [b, n], s: [b], t: [b], loss: [b]):
    p = log_softmax[-1](x)
    loss = -sum[1](gather[1](p, at |> expand["b -> b 1"]))
    return p, logsumexp[-1](x), reduce["b n -> b", logsumexp](x), loss
model M = F
"""
    net = ogive.source(text).models["M"].torch().double()
    inf = torch.inf
    x = torch.tensor([[-inf] * 3, [1.0, -inf, 2.0], [torch.nan, -inf, -inf]], dtype=torch.float64, requires_grad=True)
    p, s, t, loss = net(x, torch.tensor([1, 2, 0]))
    assert p[0].tolist() == [-inf] * 3
    assert s[0] == t[0] == -inf
    assert loss[0] == inf
    assert p[2].isnan().all()
    assert s[2].isnan()
    torch.testing.assert_close(s[1].exp(), torch.exp(x[1].detach()).sum())
    (p[:2].exp().sum() + s[:2].sum() + t[:2].sum() + loss[1]).backward()
    assert x.grad is not None
    assert not x.grad[0].any()
    assert not x.grad[:2].isnan().any()

"""What is drawn, in torch, in the emitted file, in ONNX Runtime and in the reference: types, ranges, moments, seeds."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch

import ogive
from generated.runtimes import session
from ogive.backends.onnx_model.export import Settings, exported
from ogive.backends.onnx_model.serialize.write import whole
from reference.arrays import Numbers
from reference.interpreter import Reference
from reference.store import Store
from reference.world import World

TEXT = """
block Draw(x: [n]) -> (a: [n], b: [n], c: int[n], d: int[n], e: [n], f: [n]):
    return randn[n], rand[n], randint[n, n=7], permutation[n], bernoulli[n, p=0.3], dropout[0.4](x)
model M = Draw
"""
N = 4000
# operation: the mean and the variance of what is drawn, and which values there are
LAWS: dict[str, tuple[float, float, Callable[[Numbers], bool]]] = {
    "randn": (0.0, 1.0, lambda y: bool(np.isfinite(y).all())),
    "rand": (0.5, 1 / 12, lambda y: bool(((y >= 0) & (y < 1)).all())),
    "randint": (3.0, 4.0, lambda y: set(np.unique(y)) == set(range(7))),
    "permutation": ((N - 1) / 2, (N * N - 1) / 12, lambda y: bool((np.sort(y) == np.arange(N)).all())),
    "bernoulli": (0.3, 0.21, lambda y: set(np.unique(y)) == {0.0, 1.0}),
    "dropout": (1.0, 0.4 / 0.6, lambda y: np.allclose(np.unique(y), [0.0, 1 / 0.6])),
}


def runs() -> Iterator[tuple[str, list[Numbers], bool]]:
    """What each backend draws, and whether it trains."""
    model = ogive.source(TEXT).models["M"]
    scope: dict[str, Any] = {"__name__": "emitted"}
    exec(model.torch_source(), scope)
    x = torch.ones(N)
    for name, net in (("torch", model.torch()), ("file", scope["M"]())):
        torch.manual_seed(1)
        yield name, [y.numpy() for y in net.train()(x)], True
    proto = whole(exported(model.ir, {}, Settings()))
    yield "onnxruntime", [np.asarray(y) for y in session(proto).run(None, {"x": x.numpy()})], False
    found = Reference(model.ir, Store({})).run([np.ones(N)], World(training=True))
    yield "reference", [y.value for y in found if y is not None], True


def test_what_is_drawn_obeys_its_law() -> None:
    seen = {}
    for name, results, training in runs():
        seen[name] = results
        for (op, (mean, variance, law)), y in zip(LAWS.items(), results, strict=True):
            assert y.shape == (N,), (name, op)
            if op == "dropout" and not training:
                assert (y == 1).all()
                continue
            assert y.dtype.kind == ("i" if op in ("randint", "permutation") else "f"), (name, op)
            assert law(y), (name, op)
            if op != "permutation":  # its mean is exact
                assert abs(y.mean() - mean) < 5 * math.sqrt(variance / N), (name, op)
                assert abs(y.var() / variance - 1) < 0.12, (name, op)
            serial = np.corrcoef(y[:-1], y[1:])[0, 1]
            assert abs(serial) < 5 / math.sqrt(N), (name, op)
    for a, b in zip(seen["torch"], seen["file"], strict=True):
        assert np.array_equal(a, b)


@pytest.mark.parametrize("generator", [False, True])
def test_a_seed_makes_the_same_numbers(generator: bool) -> None:
    net = ogive.source(TEXT).models["M"].torch()
    made = []
    for _ in range(2):
        torch.manual_seed(3)
        settings = {"generator": torch.Generator().manual_seed(4)} if generator else {}
        made.append(net(torch.ones(10), **settings))
    assert all(torch.equal(a, b) for a, b in zip(*made, strict=True))

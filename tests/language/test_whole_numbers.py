"""A number in a tensor of integers or truths is one of them for all sizes, or is refused."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import ogive
from generated.runtimes import session
from ogive.backends.onnx_model.export import Settings, exported
from ogive.backends.onnx_model.serialize.write import whole

PLACES: dict[str, Callable[[int, int], Any]] = {
    "full[n, v=@, type=int]": lambda n, v: np.full(n, v),
    "clamp[-100, @](10 * arange[n])": lambda n, v: np.minimum(10 * np.arange(n), v),
    "pad[-1, before=0, after=1, value=@](arange[n])": lambda n, v: np.append(np.arange(n), v),
}
SIZES = (2, 3, 7)
WHOLE: dict[str, Callable[[int], int]] = {
    "n // 2": lambda n: n // 2,
    "ceil(n / 2)": lambda n: math.ceil(n / 2),
    "floor(sqrt(n)) + 1": lambda n: math.floor(math.sqrt(n)) + 1,
    "-floor(n * 1.5)": lambda n: -math.floor(n * 1.5),
    "max(ceil(n / 3) * 2, n % 3)": lambda n: max(math.ceil(n / 3) * 2, n % 3),
    "3.0": lambda n: 3,
    "f": lambda n: 4,
    "k - 1": lambda n: 5,
}
BROKEN = ("n / 2", "sqrt(n)", "n * 1.0", "min(n, 2.5)", "n ** 0.5", "floor(n / 2) / 2", "0.5", "f / 3", "k / 2", "1e30")


def _model(expression: str, place: str) -> ogive.Model:
    text = (
        "block F[f: float, k](x: [n]) -> int[m]:\n"
        f"    return {place.replace('@', expression)}\n"
        "model M = F[f=4.0, k=6]\n"
    )  # fmt: skip
    return ogive.source(text.replace("int[m]", "int[n + 1]" if "pad" in place else "int[n]")).models["M"]


@pytest.mark.parametrize("place", PLACES)
def test_whole_numbers_are_what_they_are_in_every_target(place: str) -> None:
    for expression, value in WHOLE.items():
        model = _model(expression, place)
        net, onnx = model.torch(), session(whole(exported(model.ir, {}, Settings())))
        for n in SIZES:
            wanted = PLACES[place](n, value(n))
            found = net(torch.zeros(n))
            assert found.dtype == torch.int64, expression
            assert found.tolist() == wanted.tolist(), expression
            assert onnx.run(None, {"x": np.zeros(n, np.float32)})[0].tolist() == wanted.tolist(), expression


@pytest.mark.parametrize("place", PLACES)
def test_numbers_that_may_not_be_whole_are_refused(place: str) -> None:
    for expression in BROKEN:
        with pytest.raises(ogive.ArchError) as refused:
            _model(expression, place)
        assert {found.code for found in refused.value.diagnostics} == {"E0501"}, expression


@pytest.mark.parametrize("place", ["full[n, v=@, type=bool]", "pad[-1, before=0, after=1, value=@](arange[n] > 1)"])
def test_a_truth_is_0_or_1(place: str) -> None:
    for truth in (0, 1, 1.0):
        text = f"block F(x: [n]) -> bool[n']:\n    return {place.replace('@', str(truth))}\nmodel M = F\n"
        assert ogive.source(text).models["M"].torch()(torch.zeros(3))[-1].item() is bool(truth)
    for number in ("0.5", "2", "n", "n / 2", "-1"):
        text = f"block F(x: [n]) -> bool[n']:\n    return {place.replace('@', number)}\n"
        with pytest.raises(ogive.ArchError) as refused:
            ogive.source(text)
        assert {found.code for found in refused.value.diagnostics} == {"E0501"}, number

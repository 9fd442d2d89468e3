"""Weights that start as expressions of other weights start so at every index of `each`."""

from __future__ import annotations

import pytest
import torch

import ogive

TEXT = """
use std.nn (Linear)
use std.reparam (WeightNorm)

block Start[k](x: [*b, k]) -> [*b, k]:
    lin = Linear[k, k]
    out = Linear[k, k]
    init lin.bias = norm[-1](lin.weight)
    init out.bias = mean[0](lin.weight) + norm[-1](out.weight)
    return out(lin(x))

block Both[k](x: [*b, k]) -> [*b, k]:
    return x |> Start[k] as start |> WeightNorm[Linear[k, k]] as wrapped

block Each[n, k](z: [n, h, k]) -> [n, h, k]:
    return {result}

block Twice[m, n, k](z: [m, n, h, k]) -> [m, n, h, k]:
    return z |> each[m, Each[n, k]] as outer

model M = {model}
"""


@pytest.mark.parametrize("used", [True, False])
@pytest.mark.parametrize("model", ["Each[3, 4]", "Twice[2, 3, 4]"])
def test_at_every_index(model: str, used: bool) -> None:
    result = "z |> each[n, Both[k]] as e" if used else "z + 0 * mean(z |> each[n, Both[k]] as e)"
    net = ogive.source(TEXT.format(result=result, model=model))["M"].torch()
    weights = {path.removeprefix("outer.").removeprefix("e."): w.detach() for path, w in net.named_parameters()}
    first, second, wrapped = (weights[path] for path in ("start.lin.weight", "start.out.weight", "wrapped.F.weight"))
    assert first.ndim == (4 if model.startswith("Twice") else 3)
    torch.testing.assert_close(weights["start.lin.bias"], first.norm(dim=-1))
    torch.testing.assert_close(weights["start.out.bias"], first.mean(-2) + second.norm(dim=-1))
    torch.testing.assert_close(weights["wrapped.norm.g"], wrapped.norm(dim=-1))
    assert not torch.equal(first[0], first[1])

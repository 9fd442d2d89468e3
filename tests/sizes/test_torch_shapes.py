"""Sizes against torch: where the conditions hold, shapes are as computed; where they do not, torch refuses."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from ogive.compiler.sizes import Condition, Facts, Size, Unknown, all_of, eq, ge, simplify, size, solve

H = Unknown("h")
h = size(H)

layers = st.tuples(st.sampled_from(["conv", "pool", "transposed"]), st.integers(1, 5), st.integers(1, 3), st.booleans())


def symbolic(x: Size, kind: str, kernel: int, stride: int, pad: int) -> Size:
    if kind == "transposed":
        return (x - 1) * stride - 2 * pad + kernel
    return (x + 2 * pad - kernel) // stride + 1


def module(kind: str, kernel: int, stride: int, pad: int) -> nn.Module:
    if kind == "pool":
        return nn.MaxPool1d(kernel, stride, pad)
    form = nn.Conv1d if kind == "conv" else nn.ConvTranspose1d
    return form(1, 1, kernel, stride, pad, device="meta")


def length(modules: list[nn.Module], at: int) -> int | None:
    """The length that torch computes; None where it refuses."""
    x: Tensor = torch.empty(1, 1, at, device="meta")
    try:
        for each in modules:
            x = each(x)
    except RuntimeError:
        return None
    return x.shape[-1]


@given(st.lists(layers, min_size=1, max_size=5))
@settings(max_examples=60, deadline=None)
def test_chains_of_windows(chain: list[tuple[str, int, int, bool]]) -> None:
    x, positive, modules = h, list[Condition](), list[nn.Module]()
    for kind, kernel, stride, padded in chain:
        pad = kernel // 2 if padded else 0
        x = symbolic(x, kind, kernel, stride, pad)
        positive.append(ge(x, 1))
        modules.append(module(kind, kernel, stride, pad))
    legal = all_of(*simplify(Facts(), positive))
    for at in (*range(1, 24), 57):
        computed = length(modules, at)
        assert legal.at({H: at}) == (computed is not None and computed >= 1)
        assert computed is None or x.at({H: at}) == computed


def test_u_net_fits_where_its_condition_says() -> None:
    down = nn.Conv1d(1, 1, 3, 2, 1, device="meta")
    up = nn.ConvTranspose1d(1, 1, 2, 2, device="meta")
    x, skips, constraints = h, list[Size](), list[Condition]()
    for _ in range(3):
        skips.append(x)
        x = (x - 1) // 2 + 1
    for skip in reversed(skips):
        x = 2 * x
        constraints.append(eq(x, skip))
    where = solve(Facts(), constraints).where
    assert str(where) == "h % 8 == 0"
    for at in range(1, 50):
        y, kept = torch.empty(1, 1, at, device="meta"), list[Tensor]()
        for _ in range(3):
            kept.append(y)
            y = down(y)
        fits = True
        for before in reversed(kept):
            y = up(y)
            fits = fits and y.shape == before.shape
        assert where is not None
        assert where.at({H: at}) == fits

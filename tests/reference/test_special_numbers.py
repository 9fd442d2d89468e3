"""NaN, infinities, ties and signed zeros: the reference gives what torch does, which the language page says."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from onnx_model.cases import stated
from onnx_model.test_ops import choices
from ops.cases import Case
from reference.arrays import Array, Numbers
from reference.test_operations import TESTED, by_reference, by_torch, doubles
from reference.world import World

NAN, INF = math.nan, math.inf
FINITE = (1.0, 2.5, -0.0, 0.0, -1.0, 0.5, 1.0, -0.5, 2.5, -2.5, 3.5, 0.0)
SPECIAL = (*FINITE, NAN, INF, -INF, INF)
TRIALS = 6
NEAR = 1e-9
# where sums and products meet infinities, what they give depends on their order and form; solvers stop
BY_FORM = frozenset(
    """fft ifft rfft irfft complex solve solve_triangular cholesky inverse det linear_scan grad_as attention conv
    conv_transpose interpolate einsum layer_norm batch_norm_train adaptive_avg_pool cumsum group_norm rms_norm
    batch_norm linear matmul avg_pool
    fold grid_sample""".split()
)
CASES = [case for case in TESTED if case.op not in BY_FORM]


def special(x: torch.Tensor, numbers: tuple[float, ...], rng: np.random.Generator) -> torch.Tensor:
    """Floats of these numbers alone."""
    if x.dtype is not torch.double:
        return x
    return torch.from_numpy(rng.choice(np.array(numbers), size=tuple(x.shape)))


def same(a: Numbers, b: Numbers) -> Numbers:
    if a.dtype.kind not in "fc":
        return np.asarray(a == b)
    with np.errstate(invalid="ignore"):
        near = np.abs(a - b) <= NEAR * np.maximum(1, np.abs(b))
    return np.asarray((a == b) | (np.isnan(a) & np.isnan(b)) | near)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", CASES, ids=str)
def test_special_numbers_are_those_of_torch(case: Case) -> None:
    state = stated(case)
    for seed, values in enumerate(choices(state)):
        rng = np.random.default_rng(seed)
        for trial in range(TRIALS):
            given = [special(x, SPECIAL if trial % 2 else FINITE, rng) for x in doubles(state, values)]
            with np.errstate(all="ignore"):
                ours = by_reference(state, values, [Array(x.numpy()) for x in given], World())
            theirs = by_torch(state, values, given)
            places = case.op in ("topk", "argsort")  # those of equals are open: what stands there is not
            for number, (a, b) in enumerate(zip(ours, theirs, strict=True)):
                right = same(a.value, b.resolve_conj().numpy())
                if places and a.value.dtype.kind == "i":
                    axis = int(state.node.attr("axis"))
                    right = same(*(np.take_along_axis(given[0].numpy(), y, axis) for y in (a.value, b.numpy())))
                if case.op == "sign":  # of NaN it is open
                    right |= np.isnan(given[0].numpy())
                assert right.all(), (number, given, a.value, b)

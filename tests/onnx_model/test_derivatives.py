"""`grad` through every operation in ONNX against torch, or refused by name: first derivatives, and those of these."""

from __future__ import annotations

import numpy as np
import pytest
from onnxruntime.capi.onnxruntime_pybind11_state import NotImplemented

from ogive.backends.onnx_model.graph.errors import OnnxError
from ogive.backends.pytorch.module.file import emit
from ogive.backends.pytorch.module.module import load
from onnx_model.harness import array, difference, proto_of, session
from ops.cases import Case
from ops.derived import derived
from ops.test_derivatives import TRIED, finite, flat

pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
# what has no rule in ONNX; complex numbers have none at all
REFUSED = frozenset(
    """
    digamma
    cholesky solve solve_triangular inverse det batch_norm_train
    fft ifft rfft irfft real imag complex conj
    """.split()
)
PARTS = frozenset(  # in some of their forms
    "rearrange split slice pad einsum put linear reduce conv".split()
)
COMPLEX = [case for case in TRIED if any("complex" in str(item) for item in (*case.inputs, case.statics))]


@pytest.mark.parametrize("case", TRIED, ids=str)
def test_it_is_the_derivative_that_torch_has(case: Case) -> None:
    found = derived(case)
    if found is None or not finite(found):
        return
    model, given = found.model(), list(found.case.rows[0])
    try:
        proto = proto_of(model, dtype="f64")
    except OnnxError as error:
        assert case.op in REFUSED | PARTS or case in COMPLEX, error.text
        assert error.code == "E0802"
        assert "grad" in error.text or "complex" in error.text
        return
    assert case.op not in REFUSED
    wanted = [array(g) for g in flat(load(emit(model), "Op").Op().double()(*given))]
    exact = True
    try:
        runtime = session(proto)
    except NotImplemented:  # a kernel for float32 alone
        exact, runtime = False, session(proto_of(model))
        given = [x.float() if x.is_floating_point() else x for x in given]
    feeds = {value.name: array(x) for value, x in zip(runtime.get_inputs(), given, strict=True)}
    for y, z in zip(runtime.run(None, feeds), wanted, strict=True):
        assert np.asarray(y).shape == z.shape
        assert difference(np.asarray(y, np.float64), z) <= (1e-8 if exact else 1e-5)
